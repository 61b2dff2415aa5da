//! What an incident leaves to be done, and what discharged it.

use std::collections::{BTreeMap, BTreeSet};

use super::case::Case;
use super::consents::judged_by;
use super::credentials::waived;
use super::exposed::exposed;
use super::facts::{Close, Intent};
use super::incidents::{Sitting, after, pin_changed, successor};
use super::mints::{self, Mint};
use crate::audit::assessment::{Debt, Reviewed};
use crate::audit::time::At;
use crate::kit::{consent, custody};

/// What keys were used for in one incident.
#[derive(Clone, Copy)]
pub(super) struct Used<'a> {
    pub(super) openings: &'a [Sitting<'a>],
    pub(super) mints: &'a [&'a Mint],
}

impl Used<'_> {
    fn is_nothing(self) -> bool {
        self.openings.is_empty() && self.mints.is_empty()
    }
}

/// A debt that nothing has discharged.
pub(super) fn open(what: String) -> Debt {
    Debt { what, rotates: None, exposed: None, word: None, restores: None, uploads: false, done: None }
}

/// Rotate each credential and what the same keys could have opened, change the PIN of each key, close.
pub(super) fn of_uses(case: &Case, used: Used<'_>, close: Option<At>) -> Vec<Debt> {
    let mut rotate: BTreeMap<&str, u64> = BTreeMap::new();
    for sitting in used.openings {
        let (credential, generation) = sitting.opened(case);
        let newest = rotate.entry(credential).or_default();
        *newest = (*newest).max(generation);
    }
    let mut debts: Vec<Debt> = rotate
        .into_iter()
        .map(|(name, generation)| {
            let credential = name.parse().ok().and_then(|name| case.credentials.get(&name));
            let by = credential.and_then(|credential| successor(credential, generation));
            Debt {
                rotates: Some(name.to_owned()),
                done: by.and_then(|hash| case.sealed_at.get(&hash)).map(|at| case.place(*at)),
                ..open(format!("rotate {name}"))
            }
        })
        .collect();
    debts.extend(exposed(case, used));
    debts.retain(|debt| {
        let name = debt.rotates.as_ref().or(debt.exposed.as_ref());
        debt.done.is_some() || !name.is_some_and(|name| waived(case, name))
    });
    debts.extend(last_uses(case, used).into_iter().map(|(chain, last)| Debt {
        done: pin_changed(case, last).or_else(|| retired(case, chain)).map(|at| case.place(at)),
        ..open(format!("change the PIN of {}", case.chains[chain as usize].serial))
    }));
    if !used.is_nothing() {
        let done = close.map(|at| case.place(at));
        debts.push(Debt { done, ..open("close the incident".to_owned()) });
    }
    debts
}

/// The last intent of each chain.
pub(super) fn last_uses(case: &Case, used: Used<'_>) -> BTreeMap<u32, At> {
    let mut keys: BTreeMap<u32, At> = mints::last_by_key(case, used.mints);
    for intent in used.openings.iter().flat_map(|sitting| &sitting.intents) {
        let last = keys.entry(case.records.chain[intent.at as usize]).or_insert(intent.at);
        *last = (*last).max(intent.at);
    }
    keys
}

/// The record that a key was retired by: nobody has its PIN changed, or brings it back.
fn retired(case: &Case, chain: u32) -> Option<At> {
    case.retired_at.get(&case.chains[chain as usize].key).copied()
}

/// The first time after that record of its that a key was put away.
fn put_away(case: &Case, chain: u32, last: At) -> Option<At> {
    let moves = case.moves.get(&case.chains[chain as usize].key)?;
    let into = moves.iter().filter(|one| matches!(one.what, custody::What::In { .. }));
    let mut at = into.filter_map(|one| case.moved_at.get(&one.record).copied());
    at.find(|at| !after(case, last, *at))
}

/// Who is to be told of that opening, by the policy it was judged by, or because they were not asked.
fn to_tell(case: &Case, intent: &Intent) -> Vec<String> {
    let skipped = intent.consent.iter().flat_map(|consent| consent.skipped.iter().cloned());
    let told = judged_by(case, intent.at).map(|policy| {
        consent::to_tell(policy, case.names.get(intent.credential), case.names.get(intent.operator))
    });
    let mut names: Vec<String> = told.into_iter().flatten().chain(skipped).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Return each key, disable or recreate each account, put back what was switched off, tell people, give the records to the
/// auditor, review: what a person's word on record discharges, or a record of its own.
pub(super) fn by_word(
    case: &Case,
    incident: u32,
    used: Used<'_>,
    closes: &[&Close],
    reviews: &[Reviewed],
) -> Vec<Debt> {
    if used.is_nothing() {
        return Vec::new();
    }
    let Used { openings, mints: minted } = used;
    let words: Vec<_> = case.discharges_of(incident).iter().filter(|word| case.belongs(word.at)).collect();
    // A word before what it is about is none.
    let debt = |what: String, debt: String, since: &[At]| {
        let late = |word: At| !since.iter().any(|at| after(case, *at, word));
        let done = words.iter().find(|word| word.debt == debt && late(word.at));
        let done = done.map(|word| case.place(word.at));
        Debt { word: Some(debt), done, ..open(what) }
    };
    let mut debts = Vec::new();
    for (chain, last) in last_uses(case, used) {
        let serial = case.chains[chain as usize].serial;
        let mut returned = debt(format!("return the key {serial}"), format!("return {serial}"), &[last]);
        returned.done = put_away(case, chain, last).map(|at| case.place(at)).or(returned.done);
        returned.done = returned.done.or_else(|| retired(case, chain).map(|at| case.place(at)));
        debts.push(returned);
    }
    let accounts: BTreeSet<&str> = openings.iter().map(|sitting| sitting.opened(case).0).collect();
    for account in accounts {
        let of_it = openings.iter().filter(|sitting| sitting.opened(case).0 == account);
        let uses: Vec<At> = of_it.flat_map(|sitting| &sitting.intents).map(|intent| intent.at).collect();
        let what = format!("disable or recreate the account {account}");
        debts.push(debt(what, format!("account {account}"), &uses));
    }
    let mut rules: BTreeMap<&str, Vec<At>> = BTreeMap::new();
    for mint in minted {
        rules.entry(&mint.facts.rule).or_default().push(mint.at);
    }
    for (rule, uses) in rules {
        let name = format!("sessions {rule}");
        let what = format!("end the sessions that were begun with what was minted as {rule}");
        debts.push(debt(what, name, &uses));
    }
    for (chain, last) in mints::last_by_key(case, minted) {
        let serial = case.chains[chain as usize].serial;
        let name = format!("trust {serial}");
        let what = format!("end or renew the trust of platforms in what key {serial} mints");
        let mut trust = debt(what, name, &[last]);
        trust.done = trust.done.or(mints::withdrawn(case, chain, minted).map(|at| case.place(at)));
        debts.push(trust);
    }
    for close in closes.iter().filter(|close| case.belongs(close.at)) {
        for what in &close.switched_off {
            let put_back = format!("put back what was switched off: {what}");
            if !debts.iter().any(|other: &Debt| other.what == put_back) {
                let word = debt(put_back, format!("restore {what}"), &[close.at]);
                debts.push(Debt { restores: Some(what.clone()), ..word });
            }
        }
    }
    let mut people: BTreeMap<String, Vec<At>> = BTreeMap::new();
    for intent in openings.iter().flat_map(|sitting| &sitting.intents) {
        for name in to_tell(case, intent) {
            people.entry(name).or_default().push(intent.at);
        }
    }
    for (name, uses) in people {
        debts.push(debt(format!("tell {name} of it"), format!("notify {name}"), &uses));
    }
    let given = case.handed.by(case, incident).map(|at| case.place(at));
    debts.push(Debt { uploads: true, done: given, ..open("give its records to the auditor".to_owned()) });
    let review = reviews.iter().find(|review| review.counts());
    let done = review.map(|review| review.record.clone());
    debts.push(Debt { done, ..open("review by someone who did not open for it".to_owned()) });
    debts
}
