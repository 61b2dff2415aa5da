//! Logins with minted credentials, each beside the record that it should fit.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::*;
use crate::mint::Numbers;

const NOON: i64 = 1_795_262_400;
const KEY: Serial = Serial(23_112);

fn numbers(record: u32) -> Numbers {
    Numbers { key: KEY, record }
}

fn ssh(record: u32) -> Issue {
    Issue {
        kind: MintKind::Ssh,
        number: numbers(record).ssh().to_string(),
        accounts: vec!["breakglass".into()],
        incident: "INC-1".into(),
        operator: "ada".into(),
        subject: Hash([7; 32]),
        window: (NOON - 300, NOON + 900),
        record: Hash::of(&record.to_be_bytes()),
        revoked: None,
    }
}

fn x509(record: u32) -> Issue {
    Issue {
        kind: MintKind::X509,
        number: hex::encode(numbers(record).x509([0xAB; 8])),
        accounts: vec!["dba".into(), "breakglass".into()],
        ..ssh(record)
    }
}

fn token(id: &str) -> Issue {
    Issue {
        kind: MintKind::Token,
        number: id.into(),
        accounts: vec!["portal".into(), "admin".into()],
        ..ssh(9)
    }
}

fn known(issues: &[Issue]) -> Known {
    Known {
        authorities: BTreeSet::from(["CA".into()]),
        keys: BTreeSet::from([KEY]),
        names: BTreeSet::from([vec!["dba".into(), "breakglass".into()]]),
        issues: issues.to_vec(),
    }
}

fn of_ssh(number: u64, identity: &str) -> Trace {
    Trace::Ssh {
        number: number.to_string(),
        authority: "CA".into(),
        subject: STANDARD_NO_PAD.encode([7; 32]),
        identity: identity.into(),
    }
}

fn good(record: u32) -> Trace {
    of_ssh(numbers(record).ssh(), &ssh(record).identity().unwrap())
}

fn of_x509(number: &str, name: &str) -> Trace {
    Trace::X509 { number: number.into(), name: name.into() }
}

fn of_number(number: &str, account: &str) -> Trace {
    Trace::Number { number: number.into(), account: account.into() }
}

fn at(after: i64, trace: Trace) -> MintedLogin {
    let login = Login {
        log: "host".into(),
        credential: trace.to_string(),
        at: NOON + after,
        from: Some("192.0.2.7".into()),
        success: true,
        raw: String::new(),
    };
    MintedLogin { trace, login }
}

fn cover(kind: &str) -> LogCover {
    let from_to = (NOON - 90_000, NOON + 90_000);
    LogCover { log: "host".into(), credential: format!("mint:{kind}"), from_to, hash: Hash([0; 32]) }
}

fn judged(known: &Known, logins: Vec<MintedLogin>) -> Judged {
    known.judge(&Hash([1; 32]), logins, &[cover("ssh"), cover("x509"), cover("any")])
}

/// The rules that find something, and how much.
#[track_caller]
fn found(known: &Known, logins: Vec<MintedLogin>) -> Vec<&'static str> {
    judged(known, logins).findings.iter().map(|finding| finding.rule).collect()
}

#[test]
fn what_was_minted_and_used_in_time_is_nothing_to_tell() {
    let (jti, x509_number) = ("AAECAwQFBgcICQoLDA0ODw", x509(2).number);
    let known = known(&[ssh(1), x509(2), token(jti)]);
    let logins = vec![
        at(60, good(1)),
        at(61, of_x509(&x509_number.to_uppercase(), "CN=dba,OU=INC-1,O=breakglass")),
        at(62, Trace::Name("CN=dba,OU=INC-1,O=breakglass".into())),
        at(63, of_number(jti, "ada@INC-1")),
        at(64, of_number(&ssh(1).identity().unwrap(), "")),
        at(65, of_number(&numbers(1).ssh().to_string(), "breakglass")),
    ];
    assert!(found(&known, logins).is_empty());
}

#[test]
fn logins_with_one_number_are_told_by_log_with_their_sources() {
    let from = |log: &str, from: &str, after| {
        let mut one = at(after, of_ssh(4711, "somebody"));
        (one.login.log, one.login.from) = (log.into(), Some(from.into()));
        one
    };
    let logins = vec![from("A", "192.0.2.1", 0), from("B", "203.0.113.9", 1), from("A", "192.0.2.2", 2)];
    let found = judged(&known(&[]), logins).findings;
    let texts: Vec<&str> =
        found.iter().filter_map(|one| one.text.split_once(" at ")?.1.split(')').next()).collect();
    assert_eq!(
        texts,
        [
            "2026-11-21T12:00:00Z, and 1 more until 2026-11-21T12:00:02Z, from 192.0.2.1, 192.0.2.2 (log A",
            "2026-11-21T12:00:01Z from 203.0.113.9 (log B",
        ]
    );
}

#[test]
fn login_not_minted_is_a_number_that_no_record_has() {
    let known = known(&[ssh(1), x509(2)]);
    let outside = [
        of_ssh(4711, "somebody"),
        of_ssh(numbers(8).ssh(), "bg|inc=INC-1|op=ada|rec=23112/8"),
        // The number of another minting, the key id of none; then of the same, for another key.
        of_ssh(numbers(1).ssh(), "bg|inc=INC-2|op=ada|rec=23112/1"),
        Trace::Ssh {
            number: numbers(1).ssh().to_string(),
            authority: "CA".into(),
            subject: STANDARD_NO_PAD.encode([8; 32]),
            identity: ssh(1).identity().unwrap(),
        },
        of_x509(&hex::encode_upper(numbers(5).x509([1; 8])), "CN=dba,OU=INC-1,O=breakglass"),
        Trace::Name("CN=dba,OU=INC-9,O=breakglass".into()),
        of_number("bg|inc=INC-1|op=ada|rec=23112/8", ""),
        of_number(&numbers(8).ssh().to_string(), ""),
    ];
    for trace in outside {
        let told = judged(
            &known,
            vec![at(60, good(1)), at(61, of_x509(&x509(2).number, "")), at(62, trace.clone())],
        );
        let [finding] = &told.findings[..] else { panic!("{trace:?}: {:?}", told.findings) };
        assert_eq!(
            (finding.rule, finding.severity, finding.sort),
            ("LOGIN-NOT-MINTED", Severity::Critical, Sort::Wrong)
        );
        assert!(finding.text.contains("192.0.2.7") && finding.next.is_some(), "{}", finding.text);
    }
}

#[test]
fn login_not_in_time_is_not_excused_by_another_with_the_same_number() {
    // Minted again under the same number, for another key, when the first had ended.
    let later = Issue { subject: Hash([8; 32]), window: (NOON + 5_000, NOON + 9_000), ..ssh(1) };
    for issues in [[ssh(1), later.clone()], [later, ssh(1)]] {
        assert!(
            found(&known(&issues), vec![at(60, good(1))]).iter().all(|rule| *rule == "MINT-WITHOUT-LOGIN")
        );
        assert!(found(&known(&issues), vec![at(6_000, good(1))]).contains(&"LOGIN-NOT-IN-TIME"));
    }
}

#[test]
fn what_names_nothing_of_this_kit_is_left_to_others() {
    let known = known(&[]);
    let other_authority = Trace::Ssh {
        number: "1".into(),
        authority: "corporate".into(),
        subject: "x".into(),
        identity: "bob".into(),
    };
    let theirs = hex::encode(Numbers { key: Serial(7), record: 1 }.x509([1; 8]));
    let logins = vec![
        at(0, other_authority),
        at(1, of_x509(&theirs, "")),
        at(2, of_x509("1000", "")),
        at(3, Trace::Name("CN=bob,OU=Finance,O=Corp".into())),
        at(4, of_number("unknown", "")),
    ];
    let judged = judged(&known, logins);
    assert_eq!((judged.findings.len(), judged.others.len()), (0, 5));
    // Of no kit at all: only where every number of the log is one of ours.
    let left = Known::of_no_kit(judged.others);
    assert_eq!(left.iter().map(|finding| finding.rule).collect::<Vec<_>>(), ["LOGIN-NOT-MINTED"; 3]);
}

#[test]
fn login_other_account_is_a_number_whose_record_says_another() {
    let known = known(&[x509(2), token("jti")]);
    let used = || vec![at(60, of_x509(&x509(2).number, "")), at(61, of_number("jti", ""))];
    for trace in [
        of_x509(&x509(2).number, "CN=root,OU=INC-1,O=breakglass"),
        of_x509(&x509(2).number, "CN=dba,OU=INC-2,O=breakglass"),
        of_number("jti", "mallory"),
    ] {
        let logins = used().into_iter().chain([at(62, trace.clone())]).collect();
        assert_eq!(found(&known, logins), ["LOGIN-OTHER-ACCOUNT"], "{trace:?}");
    }
}

#[test]
fn login_not_in_time_is_one_after_its_end_or_before_its_begin() {
    let known = known(&[ssh(1)]);
    for (after, expected) in [
        (900 + 300, None),
        (900 + 301, Some("LOGIN-NOT-IN-TIME")),
        (-301, None),
        (-601, Some("LOGIN-NOT-IN-TIME")),
    ] {
        let found = found(&known, vec![at(60, good(1)), at(after, good(1))]);
        assert_eq!(found.first().copied(), expected, "{after}");
    }
}

#[test]
fn login_revoked_is_one_after_its_number_was_taken_back() {
    let revoked = Some((NOON, NOON + 100, Hash([9; 32])));
    let known = known(&[Issue { revoked, ..ssh(1) }]);
    assert!(found(&known, vec![at(300, good(1))]).is_empty(), "within what clocks may differ");
    let told = judged(&known, vec![at(350, good(1))]).findings;
    assert_eq!((told[0].rule, told[0].claim), ("LOGIN-REVOKED", crate::audit::finding::Claim::Possible));
    assert_eq!(told[0].records, [ssh(1).record, Hash([9; 32])]);
    let told = judged(&known, vec![at(401, good(1))]).findings;
    assert_eq!(told[0].claim, crate::audit::finding::Claim::Certain, "the ledger held the record by then");
}

#[test]
fn mint_without_login_is_a_note_where_a_log_would_show_one() {
    let known = known(&[ssh(1), token("jti")]);
    let kit = Hash([1; 32]);
    let rules = |covers: &[LogCover]| -> Vec<(&'static str, String)> {
        let told = known.judge(&kit, vec![], covers).findings;
        told.into_iter().map(|finding| (finding.rule, finding.text)).collect()
    };
    let told = rules(&[cover("ssh")]);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told.iter().any(|(rule, text)| *rule == "MINT-WITHOUT-LOGIN" && text.contains("for ada")),
        "{told:?}"
    );
    assert!(
        told.iter().any(|(rule, text)| *rule == "LOGIN-UNCOVERED" && text.starts_with("tokens")),
        "{told:?}"
    );
    let none = rules(&[]);
    assert_eq!(none.iter().filter(|(rule, _)| *rule == "LOGIN-UNCOVERED").count(), 2, "{none:?}");
    // A refused login is no use, and no accusation.
    let mut refused = at(60, good(8));
    refused.login.success = false;
    let told = known.judge(&kit, vec![refused], &[cover("ssh"), cover("any")]);
    assert!(told.findings.iter().all(|finding| finding.rule == "MINT-WITHOUT-LOGIN"), "{:?}", told.findings);
}
