//! Who may decide what, and whether it was decided so.

use super::*;

/// Another policy: one more emergency.
fn other_policy() -> Vec<u8> {
    let policy = template("harbour", KitKind::Practice).replace("\"lockout\"", "\"lockout\", \"flood\"");
    policy.replace("https://example.org/breakglass", "https://records.example.org").into_bytes()
}

#[test]
fn policy_missing_leaves_unchecked_who_belonged_and_says_what_to_import() {
    let mut world = World::lived(2);
    none(&world, "POLICY-MISSING");
    let hash = hex::encode(Hash::of(&world.policy).0);
    world.policy = b"other bytes".to_vec();
    let finding = one(&world, "POLICY-MISSING", Sort::CannotCheck, "was not checked");
    assert_eq!(finding.next, Some(format!("breakglass-audit import KIT/policy/{hash}.toml")));
    let assessment = world.assess();
    assert_eq!(assessment.keys[0].standing, "not known");
    assert_eq!(assessment.incidents.len(), 1, "what was recorded is told all the same");
    let of_openings: Vec<_> =
        assessment.findings.iter().filter(|finding| finding.rule.starts_with("OPEN-")).collect();
    assert_eq!(of_openings, Vec::<&Finding>::new());
}

#[test]
fn policy_not_in_force_is_found_where_a_record_names_one_that_never_was() {
    let mut world = World::lived(2);
    none(&world, "POLICY-NOT-IN-FORCE");
    let intent = Event::OpenIntent(world.intent());
    let mut draft = world.draft(1, intent);
    draft.link.policy = Some(Hash::of(b"made up"));
    world.sign(1, draft);
    let finding = one(&world, "POLICY-NOT-IN-FORCE", Sort::Wrong, "which was never in force in this kit");
    assert_eq!((finding.severity, finding.claim), (Severity::High, Claim::Certain));
}

#[test]
fn policy_not_in_force_is_found_where_the_writer_knew_of_a_newer_one() {
    let mut world = World::lived(2);
    let (old, new) = (world.policy.clone(), other_policy());
    for by in [0, 1] {
        world.adopt(&new, by);
    }
    let mut ledger = world.ledger();
    ledger.put_policy(&new).unwrap();
    let rule = "POLICY-NOT-IN-FORCE";
    assert_eq!(of_rule(assess(&mut ledger, &world.kit(), NOW).unwrap(), rule), []);
    world.policy = new.clone();
    world.write(0, Event::GapAccepted(GapAccepted { damage: Hash::of(b"x"), why: "burned".into() }));
    world.policy = old;
    let after =
        world.write(0, Event::GapAccepted(GapAccepted { damage: Hash::of(b"y"), why: "burned".into() }));
    let mut ledger = world.ledger();
    ledger.put_policy(&new).unwrap();
    let findings = of_rule(assess(&mut ledger, &world.kit(), NOW).unwrap(), rule);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!((findings[0].severity, &findings[0].records[..]), (Severity::Medium, &[after.hash()][..]));
}

#[test]
fn record_issuer_of_another_organisation_is_found() {
    let mut world = World::lived(2);
    none(&world, "RECORD-ISSUER");
    let intent = Event::OpenIntent(world.intent());
    let mut draft = world.draft(1, intent);
    draft.iss = "https://elsewhere.example".into();
    world.sign(1, draft);
    one(&world, "RECORD-ISSUER", Sort::Wrong, "name the issuer https://elsewhere.example");
}

#[test]
fn policy_kind_that_contradicts_the_founding_is_found() {
    none(&World::new(1), "POLICY-KIND");
    let world = World::founded(1, KitKind::Practice, &template("harbour", KitKind::Real));
    one(&world, "POLICY-KIND", Sort::Wrong, "contradicts the founding record");
}

#[test]
fn policy_root_that_the_founding_does_not_name_is_found() {
    none(&World::new(1), "POLICY-ROOT");
    let root =
        "attestation-root = \"\"\"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\"\"\"\n";
    let policy =
        template("harbour", KitKind::Real).replacen("\n[[person]]", &format!("\n{root}[[person]]"), 1);
    let world = World::founded(1, KitKind::Real, &policy);
    one(&world, "POLICY-ROOT", Sort::Wrong, "another private attestation root");
}

#[test]
fn roster_irregular_votes_are_found_and_do_not_count() {
    let mut world = World::lived(2);
    none(&world, "ROSTER-IRREGULAR");
    let (id, enrolment, serial) = (world.id(1), world.keys[1].records[0].hash(), world.keys[1].serial);
    let change = Hash::of(b"something else");
    let vote = world.write(0, Event::KeyAdmitted(KeyAdmitted { change, serial, key: id, enrolment }));
    let finding = one(&world, "ROSTER-IRREGULAR", Sort::Wrong, "its change hash does not fit what it says");
    assert_eq!(finding.records, [vote.hash()]);
}

#[test]
fn roster_irregular_accuses_nobody_where_an_enrolment_was_not_brought() {
    let mut world = World::new(3);
    none(&world, "ROSTER-IRREGULAR");
    world.keys[2].records.clear();
    let lacking = "the enrolment it admits is not in the journal";
    let finding = one(&world, "ROSTER-IRREGULAR", Sort::CannotCheck, lacking);
    assert!(finding.next.is_some_and(|next| next.starts_with("breakglass-audit import")));
    none(&world, "CHANGE-PENDING");
}

#[test]
fn change_pending_is_due_until_the_quorum_has_signed() {
    let mut world = World::lived(2);
    let new = other_policy();
    world.adopt(&new, 0);
    one(&world, "CHANGE-PENDING", Sort::Due, "1 of 2 signatures (20000001); it has no effect");
    world.adopt(&new, 1);
    let mut ledger = world.ledger();
    ledger.put_policy(&new).unwrap();
    assert_eq!(of_rule(assess(&mut ledger, &world.kit(), NOW).unwrap(), "CHANGE-PENDING"), []);
}

#[test]
fn key_frozen_by_two_that_retired_each_other_is_due() {
    let mut world = World::founded(2, KitKind::Practice, &one_vote());
    none(&world, "KEY-FROZEN");
    let last = |world: &World, key: usize| world.keys[key].records.len() as u64 - 1;
    let (first, second) = (last(&world, 0), last(&world, 1));
    // Neither had seen the other's.
    let before = world.keys[0].records.last().unwrap().clone();
    world.retire(1, 0, second);
    world.keys[1].seen = [(world.chain(0), (before.link.seq, before.hash()))].into();
    let id = world.id(0);
    let change = Change::Retire { key: id, last_seq: first }.hash(&world.kit());
    let facts =
        KeyRetired { change, serial: world.keys[0].serial, key: id, last_seq: first, why: "stolen".into() };
    let draft = world.keys[1].draft(Event::KeyRetired(facts));
    world.sign(1, draft);
    assert_eq!(found(&world, "KEY-FROZEN").len(), 2);
    assert!(found(&world, "KEY-FROZEN").iter().all(|finding| finding.sort == Sort::Due));
}

/// A policy by which one key decides alone.
fn one_vote() -> String {
    template("harbour", KitKind::Practice).replace("quorum = 2 ", "quorum = 1 ")
}

#[test]
fn key_not_admitted_is_told() {
    let mut world = World::new(2);
    none(&world, "KEY-NOT-ADMITTED");
    let mut key = Writer::new(9);
    let enrolment = key.enrolment();
    key.write(enrolment);
    key.kit = Some(world.kit());
    key.write(Event::KeyPinChanged(KeyPinChanged { what: "pin".into() }));
    world.keys.push(key);
    one(&world, "KEY-NOT-ADMITTED", Sort::Note, "key 20000009 is enrolled and not admitted");
}
