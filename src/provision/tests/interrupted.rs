//! The key is taken out at every command there is, before and after it is done; the next run ends enrolled.

use std::sync::OnceLock;

use super::*;
use crate::device::practice::{Fault, FaultPlan};

/// What holds however far a run came.
fn nothing_is_lost(world: &World, at: &str) {
    assert_eq!(world.tries(), (3, 3), "a try was spent {at}");
    assert!(
        world.model(|model| model.fido2().is_none_or(|fido2| fido2.pin_tries() == 8)),
        "a try was spent {at}"
    );
    assert!(world.journal.borrow().len() <= 1, "two enrolments {at}");
}

fn is_removal(error: &ProvisionError) -> bool {
    matches!(
        error,
        ProvisionError::Device(DeviceError::Removed { .. })
            | ProvisionError::Fido2 { cause: Fido2Error::Removed { .. }, .. }
    )
}

/// Runs with `fault` at the n-th command for every n, each followed by a whole run. Returns how many n there were.
fn every_command(new: impl Fn() -> World, fault: &Fault) -> usize {
    for n in 1.. {
        let world = new();
        let at = format!("with {fault:?} at command {n}");
        world.key.set_faults(FaultPlan::new().at(n, fault.clone()));
        let first = world.provision(&mut Person::new());
        if let Ok(enrolled) = first {
            assert_eq!(world.record(), enrolled.record);
            return n - 1;
        }
        assert!(matches!(&first, Err(error) if is_removal(error)), "{first:?} {at}");
        nothing_is_lost(&world, &at);
        let made = world.slots();
        world.key.set_faults(FaultPlan::new());
        world.key.insert().unwrap();

        let mut person = Person::new();
        match world.provision(&mut person) {
            Ok(enrolled) => assert_eq!(world.record(), enrolled.record, "{at}"),
            // Only when nothing was left to do but to look: the head is there.
            Err(ProvisionError::AlreadyEnrolled(_)) => assert_eq!(person.asked.len(), 0, "{at}"),
            Err(error) => panic!("{error:?} {at}"),
        }
        nothing_is_lost(&world, &at);
        let after = world.slots();
        assert_eq!(after.len(), 3, "{at}");
        if world.overwrite.is_none() {
            for (slot, public) in made {
                assert_eq!(after[&slot], public, "{slot} was generated anew {at}");
            }
        }
        let again = world.provision(&mut Person::new());
        assert!(matches!(again, Err(ProvisionError::AlreadyEnrolled(SERIAL))), "{again:?} {at}");
    }
    unreachable!("a run ends at some command")
}

#[test]
fn taken_out_before_any_command_of_a_5_4_3() {
    let commands = every_command(|| World::new(Profile::Firmware543), &Fault::Remove);
    assert!(commands > 60, "{commands} commands");
}

#[test]
fn taken_out_before_any_command_of_a_5_7_4() {
    every_command(|| World::new(Profile::Firmware574), &Fault::Remove);
}

#[test]
fn taken_out_after_any_command_of_a_5_4_3() {
    every_command(|| World::new(Profile::Firmware543), &Fault::RemoveAfter);
}

#[test]
fn taken_out_after_any_command_of_a_5_7_4() {
    every_command(|| World::new(Profile::Firmware574), &Fault::RemoveAfter);
}

/// A key of another kit that is being overwritten: its PIN, PUK and management key are not factory ones, and the run
/// must not take its slots for its own. Made once, as the practice file would keep it.
fn of_another_kit() -> World {
    static KEY: OnceLock<String> = OnceLock::new();
    let kept = KEY.get_or_init(|| {
        let mut world = World::new(Profile::Firmware574);
        world.kit = Some(Hash([8; 32]));
        world.provision(&mut Person::new()).unwrap();
        world.model(|model| serde_json::to_string(model).unwrap())
    });
    let mut world = World::of(serde_json::from_str(kept).unwrap(), Surroundings::seeded(12).0);
    world.overwrite = Some(SERIAL);
    world
}

#[test]
fn taken_out_while_another_kits_key_is_overwritten() {
    every_command(of_another_kit, &Fault::Remove);
}

#[test]
fn taken_out_after_a_command_while_another_kits_key_is_overwritten() {
    every_command(of_another_kit, &Fault::RemoveAfter);
}

#[test]
fn another_kits_key_is_refused_without_its_serial() {
    let mut world = of_another_kit();
    world.overwrite = None;
    let before = world.slots();
    let mut person = Person::new();
    let refused = world.provision(&mut person).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "key 30877 is not blank: a key in 9C, a key in 82, a key in 9E, a certificate in 82, a chain head, \
         a PIN other than the factory one, a PUK other than the factory one, \
         a management key other than the factory one"
    );
    assert_eq!((world.slots(), person.asked.len()), (before, 0));
}

#[test]
fn an_overwrite_asks_for_the_values_in_force_and_they_must_differ() {
    let world = of_another_kit();
    let mut person = Person::new();
    world.provision(&mut person).unwrap();
    assert_eq!(person.asked, [(Ask::Pin, Some(3)), (Ask::Puk, Some(3))]);

    let world = of_another_kit();
    let same = world.provision(&mut Person { puk: PIN, ..Person::new() });
    assert!(matches!(same, Err(ProvisionError::PinIsPuk)), "{same:?}");
    let wrong = world.provision(&mut Person { puk: "00000000", ..Person::new() }).unwrap_err();
    assert_eq!(wrong.to_string(), "that PUK is wrong; 2 tries left");
    assert_eq!(world.plan().unwrap().marker.replaces.len(), 3, "nothing is marked or replaced yet");
}

#[test]
fn an_overwrite_replaces_every_key_once() {
    let world = of_another_kit();
    let before = world.slots();
    world.provision(&mut Person::new()).unwrap();
    let after = world.slots();
    for (slot, public) in before {
        assert_ne!(after[&slot], public, "{slot}");
    }
}

#[test]
fn a_record_that_cannot_be_stored_is_signed_again_and_stored_once() {
    let mut world = World::new(Profile::Firmware574);
    world.store_fails = true;
    assert!(matches!(world.provision(&mut Person::new()), Err(ProvisionError::Store(_))));
    assert_eq!(world.plan().unwrap().verdict, Verdict::Interrupted);
    world.store_fails = false;
    let mut person = Person::new();
    let enrolled = world.provision(&mut person).unwrap();
    assert_eq!(
        (person.asks(), person.touches),
        (vec![Ask::Pin], 7),
        "FIDO2 and the record, which nothing kept"
    );
    assert_eq!(world.record(), enrolled.record);
}

#[test]
fn a_touch_that_does_not_come_costs_nothing() {
    let world = World::new(Profile::Firmware574);
    world.key.set_touch(crate::device::practice::Touch::NEVER).unwrap();
    let refused = world.provision(&mut Person::new());
    assert!(matches!(refused, Err(ProvisionError::Device(DeviceError::NotTouched))), "{refused:?}");
    nothing_is_lost(&world, "without a touch");
    world.key.set_touch(crate::device::practice::Touch::AT_ONCE).unwrap();
    world.provision(&mut Person::new()).unwrap();
}

#[test]
fn a_wrong_pin_on_resume_spends_one_try_and_says_so() {
    let world = World::new(Profile::Firmware574);
    world.key.set_touch(crate::device::practice::Touch::NEVER).unwrap();
    world.provision(&mut Person::new()).unwrap_err();
    world.key.set_touch(crate::device::practice::Touch::AT_ONCE).unwrap();
    let mut mistaken = Person { pin: "999999", ..Person::new() };
    let wrong = world.provision(&mut mistaken).unwrap_err();
    assert_eq!(wrong.to_string(), "that PIN is wrong; 2 tries left");
    assert_eq!(mistaken.asked, [(Ask::Pin, Some(3))]);
    assert_eq!(world.tries(), (2, 3));
    world.provision(&mut Person { pin: "999999", ..Person::new() }).unwrap_err();
    assert_eq!(world.tries(), (1, 3));

    // The last try is not for typing from memory.
    let mut person = Person::new();
    let refused = world.provision(&mut person);
    assert!(matches!(refused, Err(ProvisionError::LastTry { ask: Ask::Pin, .. })), "{refused:?}");
    assert_eq!((world.tries(), person.asked.len()), ((1, 3), 0));
}

#[test]
fn another_kits_half_provisioned_key_is_refused() {
    let mut world = World::new(Profile::Firmware574);
    world.store_fails = true;
    world.provision(&mut Person::new()).unwrap_err();
    world.store_fails = false;
    let first = world.kit.replace(Hash([9; 32])).unwrap();
    let refused = world.provision(&mut Person::new());
    assert!(
        matches!(refused, Err(ProvisionError::InterruptedElsewhere { kit, .. }) if kit == first),
        "{refused:?}"
    );
    // With the serial typed, that provisioning is given up and every slot made anew.
    let before = world.slots();
    world.overwrite = Some(SERIAL);
    world.provision(&mut Person::new()).unwrap();
    assert!(world.slots().iter().all(|(slot, public)| before[slot] != *public));
}
