//! A card that answers anything, at every command there is: never a panic, and an honest run afterwards ends enrolled.

use super::*;
use crate::device::practice::{Fault, FaultPlan};

/// Runs with `fault` at every n-th command from the first on, each followed by a run without it. How many runs ended
/// early.
fn answered(fault: &Fault, step: usize) -> usize {
    let mut ended_early = 0;
    for n in (1..).step_by(step) {
        let world = World::new(Profile::Firmware574);
        let plan = FaultPlan::new().at(n, fault.clone());
        world.key.set_faults(plan.clone());
        let first = world.provision(&mut Person::new());
        if plan.commands_seen() < n {
            return ended_early;
        }
        ended_early += usize::from(first.is_err());
        // An answer that says "factory" of a PIN that is not can cost the one try that is then spent and told.
        assert!(world.tries().0 >= 2, "{fault:?} at command {n}");
        world.key.set_faults(FaultPlan::new());
        match world.provision(&mut Person::new()) {
            Ok(_) | Err(ProvisionError::AlreadyEnrolled(_)) => {}
            Err(error) => panic!("{error:?} after {fault:?} at command {n}, which gave {first:?}"),
        }
        assert_eq!(world.slots().len(), 3);
        world.record();
    }
    unreachable!("a run ends at some command")
}

#[test]
fn success_without_an_answer() {
    assert!(answered(&Fault::Replace(vec![0x90, 0x00]), 1) > 30);
}

#[test]
fn nothing_at_all_or_half_a_status_word() {
    let commands = answered(&Fault::Replace(vec![]), 3);
    assert!(commands > 20, "{commands}");
    answered(&Fault::Truncate(1), 5);
}

#[test]
fn more_than_was_asked_for() {
    answered(&Fault::Append(vec![0x55; 300]), 4);
}

#[test]
fn a_bit_turned_over_in_the_answer() {
    answered(&Fault::Flip { byte: 2, mask: 0x01 }, 3);
    answered(&Fault::Flip { byte: 40, mask: 0x80 }, 3);
}

#[test]
fn refused_for_no_reason() {
    assert!(answered(&Fault::Replace(vec![0x6F, 0x00]), 2) > 30);
}
