//! Drills, as they are told.

use super::case::Case;
use crate::audit::assessment::Drill;

/// Every drill that a key of the kit began while it belonged, by claimed time.
pub(super) fn drills(case: &Case) -> Vec<Drill> {
    let mut drills: Vec<Drill> = case
        .drills
        .iter()
        .filter(|drill| case.belongs(drill.at))
        .map(|drill| Drill {
            credential: case.names.get(drill.credential).to_owned(),
            generation: drill.generation,
            begun: case.place(drill.at),
            ended: drill.ended.as_ref().map(|ended| case.place(ended.at)),
            proven: drill.proven(),
            failed: drill.ended.as_ref().and_then(|ended| ended.failed.as_deref()).map(str::to_owned),
        })
        .collect();
    drills.sort_by_key(|drill| drill.begun.time.claimed);
    drills
}
