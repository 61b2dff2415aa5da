//! What has to be given another secret.

use super::*;

/// A kit of two keys that was opened and left so.
fn opened() -> World {
    let mut world = World::new(2);
    world.seal(1, 2);
    world.open(1);
    world
}

const OTHER: &str = "core-fw/admin";

/// Seals another credential to these keys.
fn seal_other(world: &mut World, generation: u64, threshold: u8, keys: &[usize]) -> Record {
    let facts = CredentialSealed {
        credential: OTHER.into(),
        folder: format!("{generation}-0b1b2c3d"),
        recipients: keys.iter().map(|key| world.id(*key)).collect(),
        envelopes: vec![],
        factors: vec!["piv".into()],
        ..world.sealing(generation, threshold)
    };
    world.write(0, Event::CredentialSealed(facts))
}

#[test]
fn rotate_used_is_due_until_the_next_generation() {
    let mut world = opened();
    let finding =
        one(&world, "ROTATE-USED", Sort::Due, "core-db/root was opened for 2026-11-21-database-down");
    assert_eq!(finding.next.as_deref(), Some("breakglass rotate core-db/root"));
    assert!(world.assess().credentials[0].rotation_due);
    world.seal(2, 2);
    none(&world, "ROTATE-USED");
}

#[test]
fn rotate_used_is_not_due_where_the_policy_waives_it() {
    let waive =
        "\n[[credential]]\nname = \"core-db/*\"\nrotate-after-use = false\nrotate-waived = \"console\"\n";
    let policy = template("harbour", KitKind::Practice) + waive;
    let mut world = World::founded(2, KitKind::Practice, &policy);
    world.seal(1, 2);
    world.open(1);
    none(&world, "ROTATE-USED");
    assert!(!world.assess().credentials[0].rotation_due);
}

#[test]
fn rotate_pending_is_due_until_it_is_confirmed() {
    let mut world = opened();
    let mut facts = world.sealing(2, 2);
    facts.pending = true;
    let pending = world.write(0, Event::CredentialSealed(facts));
    one(&world, "ROTATE-PENDING", Sort::Due, "generation 2, is sealed and not confirmed");
    assert_eq!(found(&world, "ROTATE-USED").len(), 1, "what is pending replaces nothing");
    world.write(
        0,
        Event::CredentialConfirmed(CredentialConfirmed {
            credential: CREDENTIAL.into(),
            generation: 2,
            sealed: pending.hash(),
        }),
    );
    none(&world, "ROTATE-PENDING");
    none(&world, "ROTATE-USED");
}

#[test]
fn rotate_retired_is_due_while_sealed_to_a_retired_key() {
    let mut world = World::new(3);
    world.seal(1, 1);
    none(&world, "ROTATE-RETIRED");
    for by in [0, 1] {
        world.retire(2, by, 1);
    }
    one(&world, "ROTATE-RETIRED", Sort::Due, "core-db/root is still sealed to 20000003");
    let key = world.keys.pop().unwrap();
    world.fido2.pop();
    world.seal(2, 1);
    world.keys.push(key);
    none(&world, "ROTATE-RETIRED");
}

#[test]
fn rotate_exposed_is_due_of_what_the_same_keys_could_have_opened() {
    let mut world = World::new(3);
    world.seal(1, 2);
    let of_first = |world: &mut World| {
        let intents = [0, 1].map(|key| world.begin(key).hash()).to_vec();
        let (credential, output) = (CREDENTIAL.into(), "terminal".into());
        world.write(1, Event::OpenReleased(OpenReleased { credential, generation: 1, intents, output }));
    };
    seal_other(&mut world, 1, 2, &[0, 1]);
    none(&world, "ROTATE-EXPOSED");
    of_first(&mut world);
    let finding = one(&world, "ROTATE-EXPOSED", Sort::Due, "could have opened core-fw/admin, too");
    assert_eq!(finding.incident.as_deref(), Some(INCIDENT));
    assert_eq!(finding.next.as_deref(), Some("breakglass rotate core-fw/admin"));
    assert_eq!(found(&world, "ROTATE-USED").len(), 1, "what was opened is told by its own rule");
    seal_other(&mut world, 2, 2, &[0, 1]);
    none(&world, "ROTATE-EXPOSED");
    let debts = world.assess().incidents.remove(0).debts;
    let told = debts.iter().find(|debt| debt.exposed.as_deref() == Some(OTHER)).unwrap();
    assert!(told.done.is_some(), "what was done stays in the report");
}

#[test]
fn rotate_exposed_is_not_owed_where_too_few_keys_or_none_in_time_were_there() {
    // Sealed so that it takes a key that was not used.
    let mut world = World::new(3);
    world.seal(1, 1);
    seal_other(&mut world, 1, 2, &[0, 2]);
    world.begin(0);
    none(&world, "ROTATE-EXPOSED");
    // Sealed after the last use.
    let mut world = opened();
    seal_other(&mut world, 1, 1, &[0]);
    none(&world, "ROTATE-EXPOSED");
    // Replaced before the first use, by a sealing to other keys.
    let mut world = World::new(3);
    world.seal(1, 1);
    seal_other(&mut world, 1, 1, &[0]);
    seal_other(&mut world, 2, 1, &[2]);
    world.begin(0);
    none(&world, "ROTATE-EXPOSED");
    assert!(world.assess().incidents[0].debts.iter().all(|debt| debt.exposed.is_none()));
}

#[test]
fn rotate_exposed_is_not_due_where_the_policy_waives_it() {
    let waive =
        "\n[[credential]]\nname = \"core-fw/*\"\nrotate-after-use = false\nrotate-waived = \"console\"\n";
    let policy = template("harbour", KitKind::Practice) + waive;
    let mut world = World::founded(2, KitKind::Practice, &policy);
    world.seal(1, 2);
    seal_other(&mut world, 1, 1, &[0]);
    world.open(1);
    none(&world, "ROTATE-EXPOSED");
}

#[test]
fn rotate_exposed_and_rotate_retired_cannot_be_told_of_recipients_in_a_list() {
    let mut world = World::new(3);
    let listed = CredentialSealed {
        credential: OTHER.into(),
        recipients: vec![],
        envelopes: vec![],
        files: [("list.json".to_owned(), Hash::of(b"list"))].into(),
        list: Some(Hash::of(b"list")),
        ..world.sealing(1, 2)
    };
    world.write(0, Event::CredentialSealed(listed));
    world.seal(1, 2);
    for rule in ["ROTATE-EXPOSED", "ROTATE-RETIRED"] {
        none(&world, rule);
    }
    world.begin(0);
    one(&world, "ROTATE-EXPOSED", Sort::CannotCheck, "whether the keys that were used could have opened");
    for by in [0, 1] {
        world.retire(2, by, 1);
    }
    let of_list = |finding: &Finding| finding.sort == Sort::CannotCheck && finding.text.contains(OTHER);
    assert!(found(&world, "ROTATE-RETIRED").iter().any(of_list), "{:?}", found(&world, "ROTATE-RETIRED"));
}
