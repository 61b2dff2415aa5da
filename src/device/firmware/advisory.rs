//! What speaks against a firmware version: Yubico's advisories (YSA), and what this tool cannot do with it.

use crate::attestation::Firmware;

use super::v;

/// How much an advisory weighs when a key is provisioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Shown before the plan is confirmed.
    Warn,
    /// The key is refused, unless the rule's name and a reason are given, which the enrolment record then carries.
    Refuse,
    /// The key is refused; no word overrides it.
    Never,
}

/// One thing that speaks against a firmware version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Advisory {
    /// Stable name: of Yubico's advisory, or our own. Overrides and records use it.
    pub id: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// What it means for a key of a kit: lower case, no full stop.
    pub sentence: &'static str,
}

struct Rule {
    advisory: Advisory,
    applies: fn(Firmware, bool) -> bool,
}

/// All that speaks against a key with that firmware, the weightiest first. `fips` is whether it was sold as FIPS. Models
/// are not told apart otherwise: what a firmware shares with a model that lacks PIV is told of it too.
pub fn advisories(firmware: Firmware, fips: bool) -> Vec<Advisory> {
    let mut found: Vec<Advisory> =
        RULES.iter().filter(|rule| (rule.applies)(firmware, fips)).map(|rule| rule.advisory).collect();
    found.sort_by_key(|advisory| std::cmp::Reverse(advisory.severity));
    found
}

/// Sources: facts of each rule are in `firmware-notes/`, on the pages of the versions that it covers.
const RULES: [Rule; 8] = [
    Rule {
        advisory: Advisory {
            id: "FIRMWARE-NO-METADATA",
            severity: Severity::Never,
            sentence: "firmware before 5.3 cannot tell whether its PIN, PUK and management key are still the factory's",
        },
        applies: |firmware, _| firmware < v(5, 3, 0),
    },
    Rule {
        advisory: Advisory {
            id: "YSA-2017-01",
            severity: Severity::Refuse,
            sentence: "firmware 4.2.6 to 4.3.4 generates RSA keys whose factors can be computed (ROCA, CVE-2017-15361)",
        },
        applies: |firmware, _| (v(4, 2, 6)..=v(4, 3, 4)).contains(&firmware),
    },
    Rule {
        advisory: Advisory {
            id: "YSA-2019-02",
            severity: Severity::Refuse,
            sentence: "FIPS firmware 4.4.2 and 4.4.4 uses partly predictable random numbers after power-up",
        },
        applies: |firmware, fips| fips && (v(4, 4, 2)..=v(4, 4, 4)).contains(&firmware),
    },
    Rule {
        advisory: Advisory {
            id: "YSA-2024-03",
            severity: Severity::Refuse,
            sentence: "firmware before 5.7 leaks ECDSA keys to whoever holds the key and a laboratory (EUCLEAK, CVE-2024-45678)",
        },
        // NEO and YubiKey 4 are not in Yubico's list of what it looked at; not listed is not safe.
        applies: |firmware, _| firmware < v(5, 7, 0),
    },
    Rule {
        advisory: Advisory {
            id: "YSA-2024-02",
            severity: Severity::Warn,
            sentence: "firmware 5.0 to 5.6 lists the FIDO relying parties on the key to whoever holds it (CVE-2024-35311)",
        },
        applies: |firmware, _| (v(5, 0, 0)..v(5, 7, 0)).contains(&firmware),
    },
    Rule {
        advisory: Advisory {
            id: "YSA-2025-02",
            severity: Severity::Warn,
            sentence: "firmware 5.4.1 to 5.7.3 checks only a part of the MAC of FIDO PIN protocol 2 (CVE-2025-29991)",
        },
        applies: |firmware, _| (v(5, 4, 1)..=v(5, 7, 3)).contains(&firmware),
    },
    Rule {
        advisory: Advisory {
            id: "FIRMWARE-NEWER",
            severity: Severity::Warn,
            sentence: "this firmware came after this tool, which knows versions up to 5.8",
        },
        applies: |firmware, _| firmware >= v(5, 9, 0),
    },
    Rule {
        advisory: Advisory {
            id: "YSA-2020-04",
            severity: Severity::Info,
            sentence: "firmware 5.0.0 to 5.2.6 and 5.3.0 to 5.3.1 does not check the access code of its NFC link tag, which the kit does not use",
        },
        applies: |firmware, _| {
            (v(5, 0, 0)..=v(5, 2, 6)).contains(&firmware) || (v(5, 3, 0)..=v(5, 3, 1)).contains(&firmware)
        },
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(firmware: Firmware, fips: bool) -> Vec<&'static str> {
        advisories(firmware, fips).iter().map(|advisory| advisory.id).collect()
    }

    #[test]
    fn each_version_has_its_advisories_and_no_other() {
        let euc = "YSA-2024-03";
        let old = "FIRMWARE-NO-METADATA";
        let (fido, mac, tag) = ("YSA-2024-02", "YSA-2025-02", "YSA-2020-04");
        let cases: [(Firmware, bool, &[&str]); 24] = [
            (v(3, 5, 0), false, &[old, euc]),
            (v(4, 2, 5), false, &[old, euc]),
            (v(4, 2, 6), false, &[old, "YSA-2017-01", euc]),
            (v(4, 3, 4), false, &[old, "YSA-2017-01", euc]),
            (v(4, 3, 5), false, &[old, euc]),
            (v(4, 4, 1), true, &[old, euc]),
            (v(4, 4, 2), true, &[old, "YSA-2019-02", euc]),
            (v(4, 4, 4), true, &[old, "YSA-2019-02", euc]),
            (v(4, 4, 4), false, &[old, euc]),
            (v(4, 4, 5), true, &[old, euc]),
            (v(5, 0, 0), false, &[old, euc, fido, tag]),
            (v(5, 2, 6), false, &[old, euc, fido, tag]),
            (v(5, 2, 7), false, &[old, euc, fido]),
            (v(5, 3, 0), false, &[euc, fido, tag]),
            (v(5, 3, 1), false, &[euc, fido, tag]),
            (v(5, 3, 2), false, &[euc, fido]),
            (v(5, 4, 0), false, &[euc, fido]),
            (v(5, 4, 1), false, &[euc, fido, mac]),
            (v(5, 6, 255), false, &[euc, fido, mac]),
            (v(5, 7, 0), false, &[mac]),
            (v(5, 7, 3), true, &[mac]),
            (v(5, 7, 4), true, &[]),
            (v(5, 8, 0), false, &[]),
            (v(5, 9, 0), false, &["FIRMWARE-NEWER"]),
        ];
        for (firmware, fips, expected) in cases {
            assert_eq!(ids(firmware, fips), expected, "{firmware} {fips}");
        }
    }

    #[test]
    fn the_weightiest_comes_first_and_names_are_not_shared() {
        for minor in 0..=9 {
            assert!(advisories(v(5, minor, 0), true).is_sorted_by(|a, b| a.severity >= b.severity));
        }
        let mut names: Vec<_> = RULES.iter().map(|rule| rule.advisory.id).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), RULES.len());
    }

    #[test]
    fn sentences_follow_the_house_rules_for_messages() {
        for Rule { advisory, .. } in &RULES {
            assert!(!advisory.sentence.ends_with('.'), "{}", advisory.id);
            // "FIPS", "NFC" may begin one; an ordinary word is in lower case.
            let first = advisory.sentence.split(' ').next().unwrap();
            assert!(first == first.to_lowercase() || first == first.to_uppercase(), "{}", advisory.id);
        }
    }
}
