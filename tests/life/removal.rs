//! A key that is taken out in the middle of an opening, over pcscd. Every command is tried in process
//! (`tests/opening_faults.rs`); here a spread of them, by what the program says and leaves behind.

use crate::pcsc::Settings;
use crate::real::*;

const STEP: usize = 2;

#[test]
fn a_key_taken_out_in_the_middle_leaves_a_kit_that_opens() {
    let life = Life::with(&Settings::usual(&[KEYS[0]]));
    life.world.order("4000001 heard");
    life.open("core-fw/admin", &[ONE], &[]).gave(ADMIN_SECRET);
    let commands = life.world.order("4000001 heard").split(' ').count();
    let intents = || {
        let listed = life.run(&["records", "list", "--json"], &[]).done().json();
        let records = listed["records"].as_array().expect("records").clone();
        records.iter().filter(|record| record["event"] == "open.intent").count()
    };
    let (mut opened, mut refused, mut before) = (0, 0, intents());
    for n in (1..=commands).step_by(STEP) {
        let when = ["remove-at", "remove-after"][n / STEP % 2];
        let fault = format!("4000001 {when} {n}");
        life.world.order(&fault);
        let said = life.open("core-fw/admin", &[ONE], &[]);
        life.world.order("4000001 clear");
        life.world.remove(ONE);
        life.world.insert(ONE);
        assert_eq!(life.world.tries(ONE), (3, 3), "{fault}: {said}");
        let after = intents();
        match said.code {
            Some(0) => {
                opened += 1;
                assert!(said.stdout == ADMIN_SECRET && after == before + 1, "{fault}: {said}");
                let outcome = "tell the auditor that the outcome could not be signed";
                let head = "does not carry its last record";
                assert!(said.stderr.contains(outcome) || said.stderr.contains(head), "{fault}: {said}");
            }
            Some(3) => {
                refused += 1;
                assert!(said.stdout.is_empty(), "{fault}: {said}");
                let gone =
                    ["taken out or reset by another program", "no key is plugged in", "is not plugged in"];
                assert!(gone.iter().any(|gone| said.stderr.contains(gone)), "{fault}: {said}");
            }
            _ => panic!("{fault}: {said}"),
        }
        life.open("core-fw/admin", &[ONE], &[]).gave(ADMIN_SECRET);
        before = after + 1;
        let verified = life.run(&["records", "verify"], &[]).text();
        assert!(verified.contains("intact: "), "{fault}: {verified}");
    }
    assert!(opened > 1 && refused > 3, "{opened} opened, {refused} refused of {commands}");
}
