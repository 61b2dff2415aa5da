//! What of each incident is to be given to the auditor, and the record by which it was: the first bundle that has all of it, or
//! the first checkpoint that came home after all of it. The kit tells it by the same records (`kit::debts`).

use std::collections::{BTreeMap, HashMap};

use super::case::{Case, Records};
use super::incidents::after;
use super::names::Names;
use crate::audit::time::{At, TOLERANCE};
use crate::record::event::Event;
use crate::record::token::Record;

/// Of all incidents.
#[derive(Debug, Default)]
pub struct Handed {
    /// Records that tell of an incident, among [`Case::names`].
    telling: Vec<(u32, At)>,
    /// Of each incident the newest of them in each chain.
    told: HashMap<u32, BTreeMap<u32, At>>,
    exports: Vec<Export>,
    /// Of each chain, the exports that have more of it than every one before: how much, and which. No export before the first
    /// of these that has a record has it.
    further: HashMap<u32, Vec<(u64, usize)>>,
    /// Records that name a checkpoint.
    anchors: Vec<At>,
    /// The same, of each chain in its order.
    anchors_of: HashMap<u32, Vec<At>>,
}

/// `exported`: up to which place it has each chain, by its name among [`Case::names`].
#[derive(Debug)]
struct Export {
    at: At,
    heads: HashMap<u32, u64>,
}

impl Handed {
    /// Keeps what tells of it.
    pub(super) fn take(&mut self, at: At, record: &Record, names: &mut Names) {
        match &record.event {
            Event::OpenIntent(_)
            | Event::OpenAsserted(_)
            | Event::OpenReleased(_)
            | Event::MintIntent(_)
            | Event::MintIssued(_)
            | Event::IncidentClosed(_) => {
                if let Some(incident) = &record.txn {
                    self.telling.push((names.put(incident), at));
                }
            }
            Event::Exported(facts) => {
                let heads = facts.heads.iter().map(|(name, (seq, _))| (names.put(name), *seq)).collect();
                self.exports.push(Export { at, heads });
            }
            Event::LedgerAnchored(_) => self.anchors.push(at),
            _ => {}
        }
    }

    /// Leaves out all but those records, which come in the order of each chain; what says that something was given is put in
    /// the order of claimed times.
    pub(super) fn only(&mut self, own: impl Fn(At) -> bool, records: &Records) {
        for (incident, at) in std::mem::take(&mut self.telling).into_iter().filter(|(_, at)| own(*at)) {
            self.told.entry(incident).or_default().insert(records.chain[at as usize], at);
        }
        self.exports.retain(|export| own(export.at));
        self.anchors.retain(|at| own(*at));
        for at in &self.anchors {
            self.anchors_of.entry(records.chain[*at as usize]).or_default().push(*at);
        }
        let claimed = |at: &At| (records.iat[*at as usize], *at);
        self.exports.sort_by_key(|export| claimed(&export.at));
        for (index, export) in self.exports.iter().enumerate() {
            for (name, head) in &export.heads {
                let further = self.further.entry(*name).or_default();
                if further.last().is_none_or(|(most, _)| most < head) {
                    further.push((*head, index));
                }
            }
        }
        self.anchors.sort_by_key(claimed);
    }

    /// The record by which all that tells of that incident was given.
    pub(super) fn by(&self, case: &Case, incident: u32) -> Option<At> {
        let told = self.told.get(&incident)?;
        let places: Option<Vec<(u32, u64)>> =
            told.values().map(|at| Some((case.names.find(&case.chain(*at).name)?, case.seq(*at)))).collect();
        let whole = |export: &&Export, places: &[(u32, u64)]| {
            places.iter().all(|(name, seq)| export.heads.get(name).is_some_and(|head| head >= seq))
        };
        let first = |(name, seq): &(u32, u64)| {
            let further = self.further.get(name)?;
            further.get(further.partition_point(|(most, _)| most < seq)).map(|(_, index)| *index)
        };
        // A chain whose name no record has, no export names.
        let export = places.and_then(|places| {
            let begin = places.iter().map(first).collect::<Option<Vec<_>>>()?.into_iter().max().unwrap_or(0);
            self.exports[begin..].iter().find(|export| whole(export, &places))
        });
        export.map(|export| export.at).or_else(|| self.anchor_after(case, told))
    }

    /// The first checkpoint that came home after all of those. One that claims to be from before the first of them can be so
    /// only by what its writer knew, and once a writer knows something, each later record of that chain does.
    fn anchor_after(&self, case: &Case, told: &BTreeMap<u32, At>) -> Option<At> {
        let first = told.values().map(|at| case.claimed(*at)).min()?.saturating_sub(TOLERANCE);
        let begin = self.anchors.partition_point(|anchor| case.claimed(*anchor) < first);
        let early = self.anchors_of.values().filter_map(|anchors| {
            let unaware = |anchor: &At| !told.values().all(|at| case.knew(*anchor, *at));
            anchors.get(anchors.partition_point(unaware)).filter(|anchor| case.claimed(**anchor) < first)
        });
        let later = |anchor: &&At| told.values().all(|at| !after(case, *at, **anchor));
        let early = early.min_by_key(|anchor| (case.claimed(**anchor), **anchor));
        early.or_else(|| self.anchors[begin..].iter().find(later)).copied()
    }
}
