//! What an incident leaves to be done, and what discharged it.

use std::collections::{BTreeMap, BTreeSet};

use super::case::{Case, Close, Intent};
use super::consents::judged_by;
use super::incidents::{Sitting, after, pin_changed, successor};
use crate::audit::assessment::{Debt, Reviewed};
use crate::audit::time::At;
use crate::kit::{consent, custody};

/// Rotate each credential, change the PIN of each key, close.
pub(super) fn of_openings(case: &Case, openings: &[Sitting<'_>], close: Option<At>) -> Vec<Debt> {
    let mut rotate: BTreeMap<&str, u64> = BTreeMap::new();
    for sitting in openings {
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
                what: format!("rotate {name}"),
                rotates: Some(name.to_owned()),
                restores: None,
                done: by.and_then(|hash| case.sealed_at.get(&hash)).map(|at| case.place(*at)),
            }
        })
        .collect();
    debts.extend(last_uses(case, openings).into_iter().map(|(chain, last)| Debt {
        what: format!("change the PIN of {}", case.chains[chain as usize].serial),
        rotates: None,
        restores: None,
        done: pin_changed(case, last).map(|at| case.place(at)),
    }));
    if !openings.is_empty() {
        let done = close.map(|at| case.place(at));
        debts.push(Debt { what: "close the incident".to_owned(), rotates: None, restores: None, done });
    }
    debts
}

/// The last intent of each chain.
fn last_uses(case: &Case, openings: &[Sitting<'_>]) -> BTreeMap<u32, At> {
    let mut keys: BTreeMap<u32, At> = BTreeMap::new();
    for intent in openings.iter().flat_map(|sitting| &sitting.intents) {
        let last = keys.entry(case.records.chain[intent.at as usize]).or_insert(intent.at);
        *last = (*last).max(intent.at);
    }
    keys
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

/// Return each key, disable or recreate each account, put back what was switched off, review: what a person's word on
/// record discharges.
pub(super) fn by_word(
    case: &Case,
    incident: u32,
    openings: &[Sitting<'_>],
    closes: &[&Close],
    reviews: &[Reviewed],
) -> Vec<Debt> {
    if openings.is_empty() {
        return Vec::new();
    }
    let words: Vec<_> =
        case.discharges.iter().filter(|word| word.incident == incident && case.belongs(word.at)).collect();
    // A word before what it is about is none.
    let debt = |what: String, debt: String, since: &[At]| {
        let late = |word: At| !since.iter().any(|at| after(case, *at, word));
        let done = words.iter().find(|word| word.debt == debt && late(word.at));
        Debt { what, rotates: None, restores: None, done: done.map(|word| case.place(word.at)) }
    };
    let mut debts = Vec::new();
    for (chain, last) in last_uses(case, openings) {
        let serial = case.chains[chain as usize].serial;
        let mut returned = debt(format!("return the key {serial}"), format!("return {serial}"), &[last]);
        returned.done = put_away(case, chain, last).map(|at| case.place(at)).or(returned.done);
        debts.push(returned);
    }
    let accounts: BTreeSet<&str> = openings.iter().map(|sitting| sitting.opened(case).0).collect();
    for account in accounts {
        let of_it = openings.iter().filter(|sitting| sitting.opened(case).0 == account);
        let uses: Vec<At> = of_it.flat_map(|sitting| &sitting.intents).map(|intent| intent.at).collect();
        let what = format!("disable or recreate the account {account}");
        debts.push(debt(what, format!("account {account}"), &uses));
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
    let review = reviews.iter().find(|review| review.counts());
    let done = review.map(|review| review.record.clone());
    let what = "review by someone who did not open for it".to_owned();
    debts.push(Debt { what, rotates: None, restores: None, done });
    debts
}
