//! `kit.toml`: who the people are, where the keys lie, which emergencies justify an opening.
//!
//! Written by people; it has effect only once adopted (its exact bytes are then kept as `policy/<sha256>.toml`).

use serde::Deserialize;

use crate::attestation::Serial;
use crate::kit::fido2::{FIDO2, PIV};
use crate::kit::name::Name;
use crate::record::event::KitKind;
use crate::record::hash::Hash;

/// A policy that was read and is whole; nothing half-valid exists.
#[derive(Debug, Clone)]
pub struct Policy {
    /// SHA-256 of the exact bytes.
    pub hash: Hash,
    /// The kit's name, for people.
    pub name: String,
    /// Real or practice; must agree with the founding record.
    pub kind: KitKind,
    /// `iss` of every record: the organisation's https URL.
    pub issuer: String,
    /// How many admitted keys must sign a change of keys or policy.
    pub quorum: usize,
    /// What opening asks of each key, where the policy fixes it.
    pub factors: Option<Factors>,
    /// DER of a private attestation root, accepted beside Yubico's.
    pub attestation_root: Option<Vec<u8>>,
    /// Emergencies that justify an opening.
    pub emergencies: Vec<Name>,
    /// Whether what was opened for an incident that nobody else has reviewed opens again only with a word on record.
    pub review_before_reopen: bool,
    /// Who may do what.
    pub people: Vec<Person>,
    /// Where each key lies.
    pub keys: Vec<KeyPlace>,
}

/// What the opening of a credential asks of each key that it is sealed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factors {
    /// What each key has: FIDO2 beside PIV of those that have it.
    Held,
    /// PIV of every key.
    Piv,
    /// PIV and FIDO2 of every key.
    Both,
}

impl Factors {
    /// From their names: `piv`, or `piv` and `fido2`.
    pub fn of(names: &[String]) -> Option<Self> {
        match names.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [PIV] => Some(Factors::Piv),
            [PIV, FIDO2] => Some(Factors::Both),
            _ => None,
        }
    }
}

/// One person of the policy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Short name, as typed at an opening.
    pub name: Name,
    /// What they may do.
    pub roles: Vec<Role>,
    /// How to reach them, for people.
    #[serde(default)]
    pub contact: String,
}

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Keeps keys, provisions, seals.
    Custodian,
    /// Opens.
    Operator,
    /// Signs a request before it is opened.
    Approver,
    /// Imports and judges records.
    Auditor,
}

/// Where a key lies and who can help with it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyPlace {
    /// Which key.
    pub serial: Serial,
    /// Safe, building, shelf.
    pub place: String,
    /// Number of the bag or seal.
    #[serde(default)]
    pub bag: String,
    /// Who holds its PUK.
    #[serde(default)]
    pub puk: Option<Name>,
}

/// Why a `kit.toml` is refused.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Not TOML, or a key that is unknown, missing or of the wrong type; the message names line and key.
    #[error("{0}")]
    Syntax(String),
    /// A value that cannot be.
    #[error("{key}: {what}")]
    Value {
        /// Which key of the file.
        key: String,
        /// What is wrong with its value.
        what: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    name: String,
    kind: KitKind,
    issuer: String,
    #[serde(default = "two")]
    quorum: usize,
    #[serde(default)]
    factors: Option<Vec<String>>,
    #[serde(default)]
    attestation_root: Option<String>,
    emergencies: Vec<Name>,
    #[serde(default)]
    review_before_reopen: bool,
    #[serde(default, rename = "person")]
    people: Vec<Person>,
    #[serde(default, rename = "key")]
    keys: Vec<KeyPlace>,
}

fn two() -> usize {
    2
}

impl Policy {
    /// Reads the exact bytes of a `kit.toml`.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        let text = std::str::from_utf8(bytes).map_err(|e| PolicyError::Syntax(format!("not UTF-8: {e}")))?;
        let written: Written =
            toml::from_str(text).map_err(|e| PolicyError::Syntax(e.to_string().trim_end().to_owned()))?;
        let value = |key: &str, what: &str| PolicyError::Value { key: key.into(), what: what.into() };
        if written.name.trim().is_empty()
            || written.name.len() > 64
            || written.name.chars().any(char::is_control)
        {
            return Err(value("name", "1 to 64 bytes of text on one line"));
        }
        if !written.issuer.starts_with("https://") || written.issuer.len() > 128 || !written.issuer.is_ascii()
        {
            return Err(value("issuer", "an https URL of at most 128 characters"));
        }
        if written.quorum == 0 || written.quorum > 16 {
            return Err(value("quorum", "between 1 and 16"));
        }
        if written.emergencies.is_empty() {
            return Err(value("emergencies", "at least one, or nothing can ever be opened"));
        }
        let factors = match &written.factors {
            None => None,
            Some(names) => {
                Some(Factors::of(names).ok_or_else(|| value("factors", r#"["piv"] or ["piv", "fido2"]"#))?)
            }
        };
        if let Some(twice) = first_twice(written.people.iter().map(|p| &p.name)) {
            return Err(value("person", &format!("{twice} is there twice")));
        }
        if let Some(twice) = first_twice(written.keys.iter().map(|k| k.serial)) {
            return Err(value("key", &format!("serial {twice} is there twice")));
        }
        let attestation_root = match written.attestation_root {
            None => None,
            Some(_) if written.kind == KitKind::Practice => {
                return Err(value("attestation-root", "a practice kit accepts practice keys only"));
            }
            Some(pem) => Some(
                crate::attestation::pem_or_der(pem.as_bytes())
                    .map_err(|e| value("attestation-root", &format!("not a certificate in PEM: {e}")))?,
            ),
        };
        Ok(Policy {
            hash: Hash::of(bytes),
            name: written.name,
            kind: written.kind,
            issuer: written.issuer,
            quorum: written.quorum,
            factors,
            attestation_root,
            emergencies: written.emergencies,
            review_before_reopen: written.review_before_reopen,
            people: written.people,
            keys: written.keys,
        })
    }

    /// The person of that name, if they have that role.
    pub fn person(&self, name: &str, role: Role) -> Option<&Person> {
        self.people.iter().find(|p| p.name.as_str() == name && p.roles.contains(&role))
    }

    /// Where a key lies, as far as the policy knows.
    pub fn place(&self, serial: Serial) -> Option<&KeyPlace> {
        self.keys.iter().find(|k| k.serial == serial)
    }

    /// Names of everyone with that role.
    pub fn with_role(&self, role: Role) -> Vec<&str> {
        self.people.iter().filter(|p| p.roles.contains(&role)).map(|p| p.name.as_str()).collect()
    }
}

fn first_twice<T: PartialEq + Clone>(items: impl Iterator<Item = T>) -> Option<T> {
    let all: Vec<T> = items.collect();
    all.iter().enumerate().find(|(i, item)| all[..*i].contains(item)).map(|(_, item)| item.clone())
}

/// The `kit.toml` that `init` writes, commented for whoever fills it in.
pub fn template(name: &str, kind: KitKind) -> String {
    let kind = match kind {
        KitKind::Real => "real",
        KitKind::Practice => "practice",
    };
    format!(
        r#"# Policy of this kit. It has effect only once adopted:  breakglass policy adopt
# (founding the kit with its first key adopts it, too).

name = {name:?}
kind = "{kind}"                      # "real" or "practice"; fixed once the kit is founded
issuer = "https://example.org/breakglass"   # your organisation's URL; `iss` of every record
quorum = 2                           # how many admitted keys must sign a change of keys or policy

# What counts as an emergency. An opening names one of these.
emergencies = ["pam-outage", "mfa-outage", "network-outage", "attack", "lockout"]

# What was opened for an incident that nobody else has reviewed opens again only with a word on record.
# review-before-reopen = true

# What opening asks of each key. Without this line: of each key what it has, FIDO2 beside PIV.
# factors = ["piv", "fido2"]

# A private attestation root, only if your organisation certifies its own keys in slot F9:
# attestation-root = """-----BEGIN CERTIFICATE----- …"""

# Who may do what: custodian, operator, approver, auditor.
[[person]]
name = "ada"
roles = ["operator", "custodian"]
contact = ""

# Where each key lies. Filled in as keys are provisioned.
# [[key]]
# serial = 23112
# place = "safe A"
# bag = "0417"
# puk = "carol"                      # who holds its PUK
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_a_policy() {
        let policy = Policy::parse(template("DC1 emergency kit", KitKind::Real).as_bytes()).unwrap();
        assert_eq!(policy.quorum, 2);
        assert!(policy.person("ada", Role::Operator).is_some());
        assert!(policy.person("ada", Role::Approver).is_none());
    }

    #[test]
    fn factors_are_what_each_key_has_unless_the_policy_fixes_them() {
        let with = |line: &str| {
            Policy::parse(template("kit", KitKind::Real).replace("# factors = ", line).as_bytes())
                .map(|policy| policy.factors)
                .map_err(|error| error.to_string())
        };
        assert_eq!(with("# "), Ok(None));
        assert_eq!(with("factors = "), Ok(Some(Factors::Both)));
        assert_eq!(with("factors = [\"piv\"] # "), Ok(Some(Factors::Piv)));
        for wrong in ["[]", "[\"fido2\"]", "[\"fido2\", \"piv\"]", "[\"piv\", \"piv\"]", "[\"otp\"]"] {
            let error = with(&format!("factors = {wrong} # ")).unwrap_err();
            assert_eq!(error, r#"factors: ["piv"] or ["piv", "fido2"]"#, "{wrong}");
        }
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let text = template("kit", KitKind::Real).replace("quorum", "quorom");
        let error = Policy::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("quorom") && error.contains("line"), "{error}");
    }

    #[test]
    fn values_that_cannot_be_are_refused() {
        for (from, to, key) in [
            ("quorum = 2", "quorum = 0", "quorum"),
            ("https://example.org", "http://example.org", "issuer"),
            ("name = \"kit\"", "name = \" \"", "name"),
            (
                "[\"pam-outage\", \"mfa-outage\", \"network-outage\", \"attack\", \"lockout\"]",
                "[]",
                "emergencies",
            ),
        ] {
            let text = template("kit", KitKind::Real).replace(from, to);
            let error = Policy::parse(text.as_bytes()).unwrap_err();
            assert!(matches!(&error, PolicyError::Value { key: k, .. } if k == key), "{key}: {error}");
        }
    }
}
