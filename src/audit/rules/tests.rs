//! Each rule by an example that passes and one that does not.

use std::collections::BTreeSet;

use super::*;
use crate::audit::assess::assess;
use crate::audit::assessment::Assessment;
use crate::audit::finding::Sort;
use crate::audit::ledger::sqlite::Sqlite;
use crate::audit::ledger::{Ledger, Signature, Trust};
use crate::kit::policy::template;
use crate::kit::roster::Change;
use crate::record::event::{
    CredentialSealed, Event, IncidentClosed, KeyAdmitted, KitFounded, KitKind, OpenIntent, OpenReleased,
    Verdict,
};
use crate::record::hash::{Hash, KeyId};
use crate::record::sample::{Authenticator, NOON, Writer};
use crate::record::token::{Draft, Record};

mod world;

use world::World;

#[test]
fn nothing_is_wrong_with_a_kit_that_does_all_its_duties() {
    let mut world = World::new(2);
    world.seal(1, 2);
    world.open(1);
    world.seal(2, 2);
    world.close(Verdict::Real);
    world.change_pins();
    let assessment = world.assess();
    let wrong: Vec<_> =
        assessment.findings.iter().filter(|finding| finding.sort <= Sort::CannotCheck).collect();
    assert_eq!(wrong, Vec::<&Finding>::new());
}
