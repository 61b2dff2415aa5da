//! Whether openings had the approval that the policy asks for.

use super::*;
use crate::kit::approval::facts;
use crate::kit::request::{Asked, KIND, Request};

/// Ada opens and keeps the first key; bob and carol approve with the second and the third; `line` is for core-db.
fn world(line: &str) -> World {
    let people = r#"
[[person]]
name = "bob"
roles = ["approver"]
keys = [20000002]

[[person]]
name = "carol"
roles = ["approver"]
keys = [20000003]

[[person]]
name = "dana"
roles = ["auditor"]

[[credential]]
name = "core-db/*"
"#;
    let text = template("harbour", KitKind::Practice).replacen("contact = \"\"", "keys = [20000001]", 1);
    let mut world = World::founded(3, KitKind::Practice, &(text + people + line + "\n"));
    world.seal(1, 1);
    world
}

fn asked(world: &World) -> Asked {
    let at = NOON + 60 * world.keys[0].records.len() as i64;
    Asked {
        breakglass: KIND.into(),
        kit: world.kit(),
        policy: Hash::of(&world.policy),
        credential: CREDENTIAL.into(),
        generation: 1,
        emergency: "pam-outage".parse().unwrap(),
        incident: INCIDENT.into(),
        reason: "PAM cluster lost quorum".into(),
        operator: "ada".parse().unwrap(),
        document: "passport".into(),
        number: "C01X00T47".into(),
        seen_by: "dana".parse().unwrap(),
        at,
        until: at + 3_600,
        nonce: Random([7; 32]),
    }
}

fn request(world: &World) -> Request {
    Request::of(asked(world)).unwrap()
}

/// That key approves in that name.
fn approve(world: &mut World, key: usize, request: &Request, approver: &str) -> Hash {
    world.write(key, Event::RequestApproved(facts(request, approver))).hash()
}

/// Ada opens with the first key, under that.
fn open(world: &mut World, consent: Option<Consent>) -> Hash {
    let facts = OpenIntent { consent, ..world.intent() };
    let intent = world.write(0, Event::OpenIntent(facts));
    let asserted = world.fido2[0].asserted(&intent, None);
    world.write(0, asserted);
    let (credential, output) = (CREDENTIAL.to_owned(), "terminal".to_owned());
    let facts = OpenReleased { credential, generation: 1, intents: vec![intent.hash()], output };
    world.write(0, Event::OpenReleased(facts));
    intent.hash()
}

fn under(request: &Request, approvals: Vec<Hash>, skipped: &[&str]) -> Option<Consent> {
    let request = (!approvals.is_empty()).then(|| request.hash());
    Some(Consent { request, approvals, skipped: skipped.iter().map(|name| (*name).to_owned()).collect() })
}

/// Opened with the approval of bob alone, and of whoever else was there.
fn by_bob(line: &str, skipped: &[&str]) -> World {
    let mut world = world(line);
    let request = request(&world);
    let bob = approve(&mut world, 1, &request, "bob");
    open(&mut world, under(&request, vec![bob], skipped));
    world
}

const RULES: [&str; 8] = [
    "OPEN-UNAPPROVED",
    "OPEN-SKIPPED",
    "APPROVAL-SELF",
    "APPROVAL-NO-ROLE",
    "APPROVAL-OTHER",
    "APPROVAL-EXPIRED",
    "APPROVAL-REUSED",
    "APPROVAL-LACKING",
];

#[track_caller]
fn nothing(world: &World) {
    for rule in RULES {
        none(world, rule);
    }
}

#[test]
fn open_unapproved_where_fewer_approved_than_the_policy_asks_for() {
    nothing(&by_bob("approval = 1", &[]));
    nothing(&by_bob("approval = \"notify\"", &[]));
    let finding = one(
        &by_bob("approval = 2", &[]),
        "OPEN-UNAPPROVED",
        Sort::Wrong,
        "the policy asks for the approval of 2 others, and it had that of bob: the policy lets nobody go on with fewer",
    );
    assert_eq!((finding.severity, finding.incident.as_deref()), (Severity::High, Some(INCIDENT)));
    // That somebody was passed over does not make it right where the policy does not let them be.
    one(&by_bob("approval = 2", &["carol"]), "OPEN-UNAPPROVED", Sort::Wrong, "lets nobody go on with fewer");
    one(
        &by_bob("approval = 2\nopen-unapproved = true", &[]),
        "OPEN-UNAPPROVED",
        Sort::Wrong,
        "its record does not name who was not asked",
    );
    let mut none_at_all = world("approval = 1");
    open(&mut none_at_all, None);
    one(&none_at_all, "OPEN-UNAPPROVED", Sort::Wrong, "and it had none");
}

#[test]
fn open_skipped_is_allowed_and_names_who_was_not_asked() {
    none(&by_bob("approval = 1\nopen-unapproved = true", &[]), "OPEN-SKIPPED");
    let world = by_bob("approval = 2\nopen-unapproved = true", &["carol"]);
    let finding = one(&world, "OPEN-SKIPPED", Sort::Note, "allowed by the policy. not asked: carol");
    assert_eq!(finding.severity, Severity::Low);
    none(&world, "OPEN-UNAPPROVED");
    let opening = &world.assess().incidents[0].openings[0];
    assert_eq!(
        (opening.approvals[0].approver.as_str(), &opening.skipped[..]),
        ("bob", &["carol".to_owned()][..])
    );
    let debts = &world.assess().incidents[0].debts;
    assert!(debts.iter().any(|debt| debt.what == "tell carol of it" && debt.done.is_none()), "{debts:#?}");
}

#[test]
fn whom_the_policy_has_told_is_owed_a_notice_until_a_word_says_that_it_was_sent() {
    let mut world = by_bob("approval = \"notify\"", &[]);
    world.word("notify bob");
    let debts = &world.assess().incidents[0].debts;
    let done: Vec<bool> =
        debts.iter().filter(|debt| debt.what.starts_with("tell ")).map(|debt| debt.done.is_some()).collect();
    assert_eq!(done, [true, false], "{debts:#?}");
}

#[test]
fn notify_undone_is_due_until_a_word_says_that_it_was_sent() {
    let mut world = by_bob("approval = \"notify\"", &[]);
    assert_eq!(found(&world, "NOTIFY-UNDONE").len(), 2);
    world.word("notify bob");
    let finding = one(&world, "NOTIFY-UNDONE", Sort::Due, "nobody has said that this was done: tell ");
    assert_eq!(finding.next.as_deref(), Some(&*format!("breakglass notify {INCIDENT} --out DIR")));
    none(&by_bob("approval = 1", &[]), "NOTIFY-UNDONE");
}

#[test]
fn approval_self_is_by_the_key_of_who_opens() {
    none(&by_bob("approval = 1", &[]), "APPROVAL-SELF");
    let mut world = world("approval = 1");
    let request = request(&world);
    let own = approve(&mut world, 0, &request, "bob");
    open(&mut world, under(&request, vec![own], &[]));
    one(&world, "APPROVAL-SELF", Sort::Wrong, "does not count: it was signed by the one who opens");
    one(&world, "OPEN-UNAPPROVED", Sort::Wrong, "and it had none");
}

#[test]
fn approval_no_role_is_by_a_key_whose_keeper_does_not_approve() {
    none(&by_bob("approval = 1", &[]), "APPROVAL-NO-ROLE");
    let mut world = world("approval = 1");
    let request = request(&world);
    let other = approve(&mut world, 2, &request, "bob");
    open(&mut world, under(&request, vec![other], &[]));
    one(&world, "APPROVAL-NO-ROLE", Sort::Wrong, "does not name the keeper of its key as an approver");
}

#[test]
fn approval_other_is_of_something_else() {
    none(&by_bob("approval = 1", &[]), "APPROVAL-OTHER");
    let mut world = world("approval = 1");
    let mut other = asked(&world);
    other.generation = 7;
    let request = Request::of(other).unwrap();
    let bob = approve(&mut world, 1, &request, "bob");
    open(&mut world, under(&request, vec![bob], &[]));
    one(&world, "APPROVAL-OTHER", Sort::Wrong, "it is for the generation 7, not 1");
}

#[test]
fn approval_expired_is_possible_by_the_clocks() {
    none(&by_bob("approval = 1", &[]), "APPROVAL-EXPIRED");
    let mut world = world("approval = 1");
    let request = request(&world);
    let bob = approve(&mut world, 1, &request, "bob");
    world.clock = Some(request.asked.until + 301);
    open(&mut world, under(&request, vec![bob], &[]));
    let finding = one(&world, "APPROVAL-EXPIRED", Sort::Wrong, "it had expired");
    assert_eq!((finding.claim, finding.records.len()), (Claim::Possible, 2));
    one(&world, "OPEN-UNAPPROVED", Sort::Wrong, "and it had none");
}

#[test]
fn approval_reused_is_one_request_for_two_openings() {
    let mut world = world("approval = 1");
    let request = request(&world);
    let bob = approve(&mut world, 1, &request, "bob");
    let consent = under(&request, vec![bob], &[]);
    let first = open(&mut world, consent.clone());
    nothing(&world);
    let second = open(&mut world, consent);
    let finding = one(&world, "APPROVAL-REUSED", Sort::Wrong, "was used 2 times: it is good for one opening");
    assert_eq!(finding.records, [second, first]);
}

#[test]
fn approval_lacking_is_not_in_the_ledger() {
    none(&by_bob("approval = 1", &[]), "APPROVAL-LACKING");
    let mut world = world("approval = 1");
    let request = request(&world);
    open(&mut world, under(&request, vec![Hash::of(b"lost")], &[]));
    let finding =
        one(&world, "APPROVAL-LACKING", Sort::CannotCheck, "1 approval that it names are not in the ledger");
    assert_eq!(finding.next.as_deref(), Some("import the bundles of the approvers' keys"));
    // It may be what is wanting: nobody is accused before it is here.
    none(&world, "OPEN-UNAPPROVED");
}
