use super::*;
use crate::kit::policy::template;
use crate::record::event::KitKind;

/// 2026-11-21 12:00:00 UTC.
const NOON: i64 = 1_795_262_400;
const REQUEST: Hash = Hash([1; 32]);

/// Ada opens and keeps 1; bob and carol approve with 2 and 3; bob opens too; eve keeps 4 and may do nothing.
fn policy(line: &str) -> Policy {
    let people = r#"
[[person]]
name = "bob"
roles = ["approver", "operator"]
keys = [2, 5]

[[person]]
name = "carol"
roles = ["approver"]
keys = [3]

[[person]]
name = "eve"
roles = ["custodian"]
keys = [4]

[[credential]]
name = "core-db/*"
"#;
    let text = template("kit", KitKind::Practice).replacen("contact = \"\"", "keys = [1]", 1);
    Policy::parse((text + people + line + "\n").as_bytes()).unwrap()
}

fn facts(approver: &str) -> RequestApproved {
    RequestApproved {
        request: REQUEST,
        credential: "core-db/root".into(),
        generation: 3,
        emergency: "pam-outage".into(),
        operator: "ada".into(),
        reason: "PAM lost quorum".into(),
        document: "passport".into(),
        seen_by: "eve".into(),
        until: NOON + 3_600,
        approver: approver.into(),
    }
}

fn opening(policy: &Policy) -> Opening<'static> {
    Opening {
        credential: "core-db/root",
        generation: 3,
        operator: "ada",
        emergency: "pam-outage",
        incident: "INC-1",
        at: NOON + 600,
        policy: policy.hash,
        request: Some(REQUEST),
    }
}

fn given<'a>(policy: &Policy, serial: u32, facts: &'a RequestApproved) -> Given<'a> {
    Given {
        record: Hash([serial as u8; 32]),
        serial: Serial(serial),
        at: NOON,
        incident: "INC-1",
        policy: Some(policy.hash),
        facts,
    }
}

#[test]
fn how_many_others_approved_is_counted_by_people() {
    let (bob, carol) = (facts("bob"), facts("carol"));
    for (line, signers, enough, not_asked) in [
        ("approval = \"none\"", &[][..], true, &["bob", "carol"][..]),
        ("approval = \"notify\"", &[], true, &["bob", "carol"]),
        ("approval = 1", &[], false, &["bob", "carol"]),
        ("approval = 1", &[(2, &bob)], true, &["carol"]),
        ("approval = 2", &[(2, &bob)], false, &["carol"]),
        ("approval = 2", &[(2, &bob), (5, &bob)], false, &["carol"]),
        ("approval = 2", &[(2, &bob), (3, &carol)], true, &[]),
    ] {
        let policy = policy(line);
        let given: Vec<Given<'_>> =
            signers.iter().map(|(serial, facts)| given(&policy, *serial, facts)).collect();
        let judged = judge(&policy, &opening(&policy), &given);
        assert_eq!((judged.enough(), judged.flaws.len()), (enough, 0), "{line} {signers:?}");
        assert_eq!(judged.not_asked, not_asked, "{line} {signers:?}");
        assert!(!judged.may_go_on);
    }
    let may = policy("approval = 2\nopen-unapproved = true");
    assert!(judge(&may, &opening(&may), &[]).may_go_on);
}

#[test]
fn why_an_approval_does_not_count() {
    let policy = policy("approval = 1");
    type Change = fn(&mut Opening<'static>, &mut Given<'_>, &mut RequestApproved);
    let cases: &[(u32, &str, Change, Option<&str>)] = &[
        (2, "bob", |_, _, _| {}, None),
        (1, "ada", |_, _, _| {}, Some("it was signed by the one who opens")),
        (1, "bob", |_, _, _| {}, Some("it was signed by the one who opens")),
        (4, "eve", |_, _, _| {}, Some("the policy does not name the keeper of its key as an approver")),
        (9, "bob", |_, _, _| {}, Some("the policy does not name the keeper of its key as an approver")),
        (3, "bob", |_, _, _| {}, Some("the policy does not name the keeper of its key as an approver")),
        (
            2,
            "bob",
            |o, _, _| o.credential = "core-db/backup",
            Some("it is for the credential core-db/root, not core-db/backup"),
        ),
        (2, "bob", |o, _, _| o.generation = 4, Some("it is for the generation 3, not 4")),
        (2, "bob", |_, _, f| f.operator = "mia".into(), Some("it is for the operator mia, not ada")),
        (2, "bob", |o, _, _| o.emergency = "attack", Some("it is for the emergency pam-outage, not attack")),
        (2, "bob", |o, _, _| o.incident = "INC-2", Some("it is for the incident INC-1, not INC-2")),
        (2, "bob", |o, _, _| o.request = None, Some("it is for the request 01010101, not none")),
        (
            2,
            "bob",
            |o, _, _| o.request = Some(Hash([2; 32])),
            Some("it is for the request 01010101, not 02020202"),
        ),
        (2, "bob", |_, g, _| g.policy = Some(Hash([3; 32])), Some("it was given under another policy")),
        (2, "bob", |_, g, _| g.policy = None, Some("it was given under another policy")),
        (2, "bob", |o, _, _| o.at = NOON + 3_600, None),
        (2, "bob", |o, _, _| o.at = NOON + 3_601, Some("it had expired")),
        (
            2,
            "bob",
            |o, _, f| {
                f.until = NOON + 9_000;
                o.at = NOON + 3_601;
            },
            Some("it had expired"),
        ),
        // A clock that is behind makes nothing expire: order comes from the chains.
        (2, "bob", |o, _, _| o.at = NOON - 86_400, None),
    ];
    for (index, (serial, approver, change, expected)) in cases.iter().enumerate() {
        let (mut opening, mut facts) = (opening(&policy), facts(approver));
        let copy = facts.clone();
        let mut one = given(&policy, *serial, &copy);
        change(&mut opening, &mut one, &mut facts);
        let judged = judge(&policy, &opening, &[Given { facts: &facts, ..one }]);
        let flaw = judged.flaws.first().map(|(_, flaw)| flaw.to_string());
        assert_eq!(flaw.as_deref(), *expected, "case {index}");
        assert_eq!(judged.enough(), expected.is_none(), "case {index}");
    }
}
