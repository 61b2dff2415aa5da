//! What organisations rehearse at a table, played with the program over real pcscd and virtual YubiKeys: each story is one
//! test, told as people would live it, and ends before the auditor, whose program judges the records.
#![cfg(feature = "audit")]

#[path = "recovery/page.rs"]
#[allow(dead_code)]
mod page;
#[path = "support/pcsc.rs"]
mod pcsc;
#[path = "support/practice.rs"]
#[allow(dead_code)]
mod practice;
#[path = "support/real.rs"]
mod real;
#[path = "recovery/terminal.rs"]
#[allow(dead_code)]
mod terminal;

#[path = "tabletop/auditor.rs"]
mod auditor;
#[path = "tabletop/people.rs"]
mod people;

#[path = "tabletop/cloud_policy.rs"]
mod cloud_policy;
#[path = "tabletop/custodian_leaves.rs"]
mod custodian_leaves;
#[path = "tabletop/lost_key.rs"]
mod lost_key;
#[path = "tabletop/used_elsewhere.rs"]
mod used_elsewhere;
#[path = "tabletop/wrong_clock.rs"]
mod wrong_clock;
#[path = "tabletop/year_of_drills.rs"]
mod year_of_drills;
