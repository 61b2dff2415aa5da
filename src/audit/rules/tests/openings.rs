//! Whether each opening was one that the policy and the records allow.

use super::*;

/// A kit of two keys in which that intent was signed by the second, after a regular life.
fn with(change: impl Fn(&mut OpenIntent)) -> World {
    let mut world = World::lived(2);
    let mut facts = world.intent();
    change(&mut facts);
    world.write(1, Event::OpenIntent(facts));
    world
}

#[test]
fn open_operator_must_be_one_of_the_policy() {
    none(&with(|_| ()), "OPEN-OPERATOR");
    let finding = one(
        &with(|facts| facts.operator = "mallory".into()),
        "OPEN-OPERATOR",
        Sort::Wrong,
        "opened by \"mallory\"",
    );
    assert_eq!((finding.severity, finding.incident.as_deref()), (Severity::High, Some(INCIDENT)));
}

#[test]
fn open_emergency_must_be_one_of_the_policy() {
    none(&with(|_| ()), "OPEN-EMERGENCY");
    one(
        &with(|facts| facts.emergency = "boredom".into()),
        "OPEN-EMERGENCY",
        Sort::Wrong,
        "opened for \"boredom\"",
    );
    // An emergency of the kit, for which another credential is there.
    for (table, found) in [("core-db/*", true), ("core-db/root", true), ("core-fw/*", false)] {
        let table = format!("\n[[credential]]\nname = {table:?}\nemergencies = [\"attack\", \"lockout\"]\n");
        let mut world =
            World::founded(2, KitKind::Practice, &(template("harbour", KitKind::Practice) + &table));
        world.seal(1, 2);
        world.begin(1);
        let said =
            "opened for \"pam-outage\", which by the policy does not justify it; these do: attack, lockout";
        match found {
            true => drop(one(&world, "OPEN-EMERGENCY", Sort::Wrong, said)),
            false => none(&world, "OPEN-EMERGENCY"),
        }
    }
}

#[test]
fn open_sealed_must_name_a_sealing_of_the_kit_to_that_key() {
    none(&with(|_| ()), "OPEN-SEALED");
    let unknown = with(|facts| facts.sealed = Hash::of(b"never"));
    one(&unknown, "OPEN-SEALED", Sort::CannotCheck, "the record that sealed it is not in the ledger");
    let other = with(|facts| facts.generation = 1);
    one(&other, "OPEN-SEALED", Sort::Wrong, "sealed something else");
    let mut world = World::new(2);
    let mut facts = world.sealing(1, 1);
    facts.recipients.truncate(1);
    facts.envelopes.truncate(1);
    let record = world.write(0, Event::CredentialSealed(facts));
    world.sealed.push(record);
    world.begin(0);
    none(&world, "OPEN-SEALED");
    world.begin(1);
    one(&world, "OPEN-SEALED", Sort::Wrong, "it was not sealed to that key");
    // Recipients in a list: told once, and not as if it had been checked.
    let mut world = World::new(2);
    let listed = CredentialSealed {
        recipients: vec![],
        envelopes: vec![],
        files: [("list.json".to_owned(), Hash::of(b"list"))].into(),
        list: Some(Hash::of(b"list")),
        ..world.sealing(1, 1)
    };
    let record = world.write(0, Event::CredentialSealed(listed));
    world.sealed.push(record);
    world.begin(0);
    world.begin(1);
    one(&world, "OPEN-SEALED", Sort::CannotCheck, "the list of its recipients is with the kit");
}

#[test]
fn open_generation_that_another_had_replaced_is_found() {
    none(&with(|_| ()), "OPEN-GENERATION");
    let mut world = World::lived(2);
    let mut facts = world.intent();
    (facts.generation, facts.sealed) = (1, world.sealed[0].hash());
    let intent = Event::OpenIntent(facts);
    world.write(1, intent.clone());
    let certain = one(&world, "OPEN-GENERATION", Sort::Wrong, "generation 2 was in force already");
    assert_eq!(certain.claim, Claim::Certain);
    // Without having seen it, only the claimed time says so.
    let mut world = World::lived(2);
    world.keys[1].seen.clear();
    let mut draft = world.keys[1].draft(intent);
    draft.link.policy = Some(Hash::of(&world.policy));
    draft.iat = NOON + DAY;
    world.keys[1].records.truncate(4);
    let mut draft = Draft { link: world.keys[1].draft(draft.event.clone()).link, ..draft };
    (draft.link.seen, draft.jti) = (Default::default(), "again".into());
    world.sign(1, draft);
    let finding = one(&world, "OPEN-GENERATION", Sort::Wrong, "generation 2 was in force already");
    assert_eq!(finding.claim, Claim::Possible);
}

#[test]
fn open_generation_that_waits_to_be_confirmed_replaces_nothing() {
    let mut world = World::new(2);
    world.seal(1, 1);
    let mut facts = world.sealing(2, 1);
    facts.pending = true;
    let pending = world.write(0, Event::CredentialSealed(facts));
    world.begin(1);
    none(&world, "OPEN-GENERATION");
    world.write(
        0,
        Event::CredentialConfirmed(CredentialConfirmed {
            credential: CREDENTIAL.into(),
            generation: 2,
            sealed: pending.hash(),
        }),
    );
    none(&world, "OPEN-GENERATION");
    world.begin(1);
    one(&world, "OPEN-GENERATION", Sort::Wrong, "generation 2 was in force already");
}

#[test]
fn open_threshold_takes_the_intents_of_as_many_keys() {
    let mut world = World::new(2);
    world.seal(1, 2);
    let first = world.begin(0);
    let second = world.begin(1);
    let release = |intents: Vec<Hash>, credential: &str| {
        let credential = credential.into();
        Event::OpenReleased(OpenReleased { credential, generation: 1, intents, output: "terminal".into() })
    };
    world.write(1, release(vec![first.hash(), second.hash()], CREDENTIAL));
    none(&world, "OPEN-THRESHOLD");
    let third = world.begin(1);
    world.write(1, release(vec![third.hash()], CREDENTIAL));
    one(&world, "OPEN-THRESHOLD", Sort::Wrong, "it takes 2 keys, and 1 key on record opened it");
    world.write(1, release(vec![third.hash()], "core-db/other"));
    let findings = found(&world, "OPEN-THRESHOLD");
    assert!(findings[1].text.contains("it rests on an intent for something else"), "{findings:?}");
}

#[test]
fn open_intent_lacking_is_told_of_an_outcome() {
    let mut world = World::lived(2);
    none(&world, "OPEN-INTENT-LACKING");
    let outcome = |intents| {
        let (credential, output) = (CREDENTIAL.to_owned(), "terminal".to_owned());
        Event::OpenReleased(OpenReleased { credential, generation: 2, intents, output })
    };
    world.write(1, outcome(vec![Hash::of(b"lost")]));
    one(&world, "OPEN-INTENT-LACKING", Sort::CannotCheck, "1 intent that it rests on are not in the ledger");
    world.write(1, outcome(vec![]));
    assert_eq!(found(&world, "OPEN-INTENT-LACKING").len(), 2);
}

#[test]
fn open_after_close_is_certain_where_the_writer_knew_and_possible_where_clocks_say_so() {
    let mut world = World::lived(2);
    none(&world, "OPEN-AFTER-CLOSE");
    let intent = Event::OpenIntent(world.intent());
    world.write(1, intent.clone());
    let finding = one(&world, "OPEN-AFTER-CLOSE", Sort::Wrong, "had been closed");
    assert_eq!(finding.claim, Claim::Certain);
    assert!(world.assess().incidents[0].closed.is_none(), "whoever opens again reopens it");
    let mut world = World::lived(2);
    let late = NOON + DAY;
    world.keys[1].records.truncate(4);
    world.keys[1].seen.clear();
    let mut draft = world.keys[1].draft(intent);
    draft.iat = late;
    world.sign(1, draft);
    let finding = one(&world, "OPEN-AFTER-CLOSE", Sort::Wrong, "had been closed");
    assert_eq!(finding.claim, Claim::Possible);
}

#[test]
fn open_no_outcome_is_due_while_its_generation_is_in_force() {
    let mut world = World::lived(2);
    none(&world, "OPEN-NO-OUTCOME");
    let intent = world.begin(1);
    let finding =
        one(&world, "OPEN-NO-OUTCOME", Sort::Due, "generation 2: ada began to open it with 20000002");
    assert_eq!((finding.records, finding.claim), (vec![intent.hash()], Claim::Possible));
    assert_eq!(finding.next.as_deref(), Some("breakglass rotate core-db/root"));
    world.seal(3, 2);
    one(&world, "OPEN-NO-OUTCOME", Sort::Note, "it may have been disclosed");
}

#[test]
fn open_override_is_told_with_its_reason() {
    none(&with(|_| ()), "OPEN-OVERRIDE");
    let why = |facts: &mut OpenIntent| {
        facts.overrides = vec![Override { rule: "gap".into(), why: "stick was lost".into() }];
    };
    one(&with(why), "OPEN-OVERRIDE", Sort::Note, "although gap spoke against it: stick was lost");
}

#[test]
fn open_tries_that_were_spent_are_told() {
    none(&with(|_| ()), "OPEN-TRIES");
    one(&with(|facts| facts.tries = 1), "OPEN-TRIES", Sort::Note, "1 PIN try of 3");
    let mut world = with(|facts| facts.tries = 8);
    none(&world, "OPEN-TRIES");
    let intent = world.intent();
    world.write(1, Event::OpenIntent(OpenIntent { tries: 7, ..intent }));
    let findings = found(&world, "OPEN-TRIES");
    assert!(findings.iter().any(|finding| finding.text.contains("7 PIN tries of 8")), "{findings:?}");
}

#[test]
fn open_presence_must_be_proven_where_the_key_can() {
    none(&with(|_| ()), "OPEN-PRESENCE");
    one(
        &with(|facts| facts.presence = false),
        "OPEN-PRESENCE",
        Sort::Wrong,
        "key 20000002 had not proved itself",
    );
}
