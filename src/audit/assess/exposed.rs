//! What else the keys of an incident could have opened: whoever sat at the machine with them may have read it, too.

use std::collections::BTreeSet;

use super::case::Case;
use super::debts::{Used, last_uses, open};
use super::incidents::{after, successor};
use crate::audit::assessment::Debt;
use crate::audit::time::At;
use crate::kit::credentials::{Credential, Generation};
use crate::record::hash::KeyId;

/// So many generations are looked at below the newest that was sealed by then: keys and threshold seldom change.
const LOOKED_AT: usize = 8;

/// Every credential that was not opened, of which a generation, sealed by the last use, opens with the keys that were used. Not
/// where that was replaced before the first use. Minting unwraps nothing.
pub(super) fn exposed(case: &Case, used: Used<'_>) -> Vec<Debt> {
    let opened: BTreeSet<&str> = used.openings.iter().map(|sitting| sitting.opened(case).0).collect();
    let reach = Reach::of(case, used);
    if reach.keys.is_empty() {
        return Vec::new();
    }
    let mut debts = Vec::new();
    for (name, credential) in &case.credentials {
        let name = name.to_string();
        let Some(newest) = reach.newest(credential).filter(|_| !opened.contains(name.as_str())) else {
            continue;
        };
        let by = successor(credential, newest).and_then(|hash| case.sealed_at.get(&hash)).copied();
        if by.is_some_and(|by| reach.first.iter().all(|first| after(case, *first, by))) {
            continue;
        }
        let what = format!("rotate {name}, which the same keys could have opened");
        debts.push(Debt { exposed: Some(name), done: by.map(|at| case.place(at)), ..open(what) });
    }
    debts
}

/// How far the keys of an incident reached.
struct Reach<'a> {
    case: &'a Case,
    keys: BTreeSet<KeyId>,
    first: Vec<At>,
    last: Vec<At>,
}

impl<'a> Reach<'a> {
    fn of(case: &'a Case, used: Used<'_>) -> Self {
        let openings = Used { mints: &[], ..used };
        let last: Vec<At> = last_uses(case, openings).into_values().collect();
        let keys = last.iter().map(|at| case.chain(*at).key).collect();
        let intents = || used.openings.iter().flat_map(|sitting| &sitting.intents).map(|intent| intent.at);
        let of_chain = |at: At| case.records.chain[at as usize];
        let first =
            last.iter().filter_map(|last| intents().filter(|at| of_chain(*at) == of_chain(*last)).min());
        Reach { case, first: first.collect(), keys, last }
    }

    /// The newest generation that they could have opened. By number generations follow each other in time; whoever has a key
    /// can sign any number, so that what is in force, and what is newer, is looked at in any case.
    fn newest(&self, credential: &Credential) -> Option<u64> {
        let all = &credential.generations;
        let in_force = all.iter().rposition(|one| !one.pending).unwrap_or(0);
        let until = all.partition_point(|one| self.sealed_by_then(one));
        let older = all[..until].iter().rev().take(LOOKED_AT);
        let opens = |one: &&Generation| self.opens(one);
        all[in_force..]
            .iter()
            .rev()
            .find(opens)
            .or_else(|| older.filter(opens).max_by_key(|one| one.number))
            .map(|one| one.number)
    }

    fn sealed_by_then(&self, one: &Generation) -> bool {
        let sealed = self.case.sealed_at.get(&one.record);
        sealed.is_some_and(|sealed| self.last.iter().any(|last| !after(self.case, *sealed, *last)))
    }

    fn opens(&self, one: &Generation) -> bool {
        let held = one.facts.recipients.iter().filter(|key| self.keys.contains(key)).count();
        held >= usize::from(one.facts.threshold) && self.sealed_by_then(one)
    }
}
