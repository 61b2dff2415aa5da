//! Openings and the incidents they belong to, with what each leaves to be done.

use std::collections::{BTreeMap, HashMap};

use super::case::Case;
use super::debts::{Used, by_word, of_uses};
use super::facts::{Close, Intent};
use super::mints::{self, Mint};
use crate::audit::assessment::{Approved, Closing, Incident, Opening, Reviewed};
use crate::audit::time::{At, TOLERANCE};
use crate::kit::credentials::Credential;
use crate::record::event::Event;
use crate::record::hash::Hash;

/// Intents of several keys are of one opening that came to no outcome, if they claim times no further apart: seconds.
const ONE_SITTING: i64 = 3_600;

/// Every incident, the oldest first by its claimed time.
pub(super) fn incidents(case: &Case) -> Vec<Incident> {
    let mut groups: BTreeMap<u32, Group<'_>> = BTreeMap::new();
    let mut of_release: HashMap<u32, Vec<&Intent>> = HashMap::new();
    let mut loose: Vec<&Intent> = Vec::new();
    for intent in &case.intents {
        groups.entry(intent.incident).or_default().touch(case.claimed(intent.at));
        match intent.release {
            Some(release) => of_release.entry(release).or_default().push(intent),
            None => loose.push(intent),
        }
    }
    for mint in &case.mints.intents {
        let group = groups.entry(mint.incident).or_default();
        group.touch(case.claimed(mint.at));
        group.mints.push(mint);
    }
    for issued in &case.mints.issued {
        groups.entry(issued.incident).or_default().touch(case.claimed(issued.at));
    }
    for (index, release) in case.releases.iter().enumerate() {
        let intents = of_release.remove(&(index as u32)).unwrap_or_default();
        let group = groups.entry(release.incident).or_default();
        group.touch(case.claimed(release.at));
        group.openings.push(Sitting { intents, release: Some(index) });
    }
    for sitting in sittings(case, loose) {
        groups.entry(sitting.intents[0].incident).or_default().openings.push(sitting);
    }
    for (index, close) in case.closes.iter().enumerate() {
        let group = groups.entry(close.incident).or_default();
        group.touch(case.claimed(close.at));
        group.closes.push(index);
    }
    for review in &case.reviews {
        groups.entry(review.incident).or_default().touch(case.claimed(review.at));
    }
    let mut incidents: Vec<Incident> =
        groups.into_iter().map(|(name, group)| group.told(case, name)).collect();
    incidents.sort_by(|one, other| (one.claimed, &one.name).cmp(&(other.claimed, &other.name)));
    incidents
}

/// One opening.
pub(super) struct Sitting<'a> {
    pub(super) intents: Vec<&'a Intent>,
    release: Option<usize>,
}

/// Intents that no outcome names, those of several keys for one opening together.
fn sittings<'a>(case: &Case, mut loose: Vec<&'a Intent>) -> Vec<Sitting<'a>> {
    loose.sort_by_key(|intent| (case.claimed(intent.at), intent.at));
    let mut sittings: Vec<Sitting<'a>> = Vec::new();
    let mut newest: HashMap<(u32, u32, u64, u32), usize> = HashMap::new();
    for intent in loose {
        let of = (intent.incident, intent.credential, intent.generation, intent.operator);
        let same = newest.get(&of).map(|index| (*index, &sittings[*index])).filter(|(_, sitting)| {
            let since = case.claimed(intent.at).saturating_sub(case.claimed(sitting.intents[0].at));
            let chain = |at: At| case.records.chain[at as usize];
            since <= ONE_SITTING && sitting.intents.iter().all(|other| chain(other.at) != chain(intent.at))
        });
        match same.map(|(index, _)| index) {
            Some(index) => sittings[index].intents.push(intent),
            None => {
                newest.insert(of, sittings.len());
                sittings.push(Sitting { intents: vec![intent], release: None });
            }
        }
    }
    sittings
}

#[derive(Default)]
struct Group<'a> {
    claimed: Option<(i64, i64)>,
    openings: Vec<Sitting<'a>>,
    mints: Vec<&'a Mint>,
    closes: Vec<usize>,
}

impl Group<'_> {
    fn touch(&mut self, time: i64) {
        let (from, to) = self.claimed.unwrap_or((time, time));
        self.claimed = Some((from.min(time), to.max(time)));
    }

    fn told(mut self, case: &Case, index: u32) -> Incident {
        let name = case.names.get(index);
        self.openings.sort_by_key(|sitting| sitting.first(case));
        // Whoever opens or mints again reopens the incident.
        let reopened = |close: &Close| self.uses().any(|(at, _)| after(case, at, close.at));
        let mut closes: Vec<&Close> = self.closes.iter().map(|index| &case.closes[*index]).collect();
        closes.sort_by_key(|close| (case.claimed(close.at), close.at));
        let close = closes.iter().rfind(|close| !reopened(close)).copied();
        let closing = |close: &Close| Closing {
            record: case.place(close.at),
            verdict: close.verdict.clone(),
            outcome: close.outcome.clone(),
        };
        let reviews = self.reviews(case, index);
        let used = Used { openings: &self.openings, mints: &self.mints };
        let mut debts = of_uses(case, used, close.map(|close| close.at));
        debts.extend(by_word(case, index, used, &closes, &reviews));
        Incident {
            name: name.to_owned(),
            claimed: self.claimed.unwrap_or_default(),
            openings: self.openings.iter().map(|sitting| sitting.told(case, name)).collect(),
            mintings: mints::told(case, &self.mints),
            closed: close.map(closing),
            closes: closes.iter().map(|close| closing(close)).collect(),
            reviews,
            debts,
        }
    }

    /// Every intent to open or to mint, with who asked.
    fn uses(&self) -> impl Iterator<Item = (At, UsedBy<'_>)> {
        let opened = self.openings.iter().flat_map(|sitting| &sitting.intents);
        let opened = opened.map(|intent| (intent.at, UsedBy::Index(intent.operator)));
        opened.chain(self.mints.iter().map(|mint| (mint.at, UsedBy::Name(&mint.facts.operator))))
    }

    /// Judgements by keys that belong. Whoever opened or minted for it, or judged before the last such, does not count.
    fn reviews(&self, case: &Case, index: u32) -> Vec<Reviewed> {
        let of_this = case.reviews_of(index).iter().filter(|review| case.belongs(review.at));
        let told = of_this.map(|review| Reviewed {
            record: case.place(review.at),
            by: review.facts.by.clone(),
            judgement: review.facts.judgement.name().to_owned(),
            text: review.facts.text.clone(),
            lesson: review.facts.lesson.clone(),
            by_operator: self.uses().any(|(_, by)| by.name(case) == review.facts.by),
            early: self.uses().any(|(at, _)| after(case, at, review.at)),
        });
        told.collect()
    }
}

/// Who asked, as the records keep it.
enum UsedBy<'a> {
    /// Among [`Case::names`].
    Index(u32),
    /// As text.
    Name(&'a str),
}

impl UsedBy<'_> {
    fn name<'a>(&'a self, case: &'a Case) -> &'a str {
        match self {
            UsedBy::Index(index) => case.names.get(*index),
            UsedBy::Name(name) => name,
        }
    }
}

impl Sitting<'_> {
    fn records(&self, case: &Case) -> impl Iterator<Item = At> {
        let release = self.release.map(|index| case.releases[index].at);
        self.intents.iter().map(|intent| intent.at).chain(release)
    }

    fn first(&self, case: &Case) -> (i64, Option<At>) {
        let first = self.records(case).min_by_key(|at| (case.claimed(*at), *at));
        (first.map_or(0, |at| case.claimed(at)), first)
    }

    /// What was opened: credential and generation, as the intents say it, else as the outcome does.
    pub(super) fn opened<'a>(&self, case: &'a Case) -> (&'a str, u64) {
        let (name, generation) = match (self.intents.first(), self.release) {
            (Some(intent), _) => (intent.credential, intent.generation),
            (None, Some(index)) => (case.releases[index].credential, case.releases[index].generation),
            (None, None) => unreachable!("an opening has an intent or an outcome"),
        };
        (case.names.get(name), generation)
    }

    fn told(&self, case: &Case, incident: &str) -> Opening {
        let (credential, generation) = self.opened(case);
        let release = self.release.map(|index| &case.releases[index]);
        let text = |of: fn(&Intent) -> u32| {
            self.intents.first().map(|intent| case.names.get(of(intent)).to_owned()).unwrap_or_default()
        };
        let mut overrides: Vec<(String, String)> =
            self.intents.iter().flat_map(|intent| intent.overrides.iter().cloned()).collect();
        overrides.dedup();
        let consent = self.intents.first().and_then(|intent| intent.consent.as_deref());
        let named = consent.map_or(&[][..], |consent| &consent.approvals);
        Opening {
            credential: credential.to_owned(),
            generation,
            operator: text(|intent| intent.operator),
            emergency: text(|intent| intent.emergency),
            reason: self.intents.first().map(|intent| intent.reason.to_string()).unwrap_or_default(),
            incident: incident.to_owned(),
            intents: self.intents.iter().map(|intent| case.place(intent.at)).collect(),
            released: release.map(|release| case.place(release.at)),
            output: release.map(|release| case.names.get(release.output).to_owned()),
            overrides,
            approvals: named.iter().filter_map(|hash| approved(case, hash)).collect(),
            skipped: consent.map(|consent| consent.skipped.clone()).unwrap_or_default(),
        }
    }
}

/// An approval that an opening names, by a key that belongs.
fn approved(case: &Case, hash: &Hash) -> Option<Approved> {
    let (at, record) = case.approvals.get(hash).filter(|(at, _)| case.belongs(*at))?;
    let Event::RequestApproved(facts) = &record.event else { return None };
    Some(Approved { approver: facts.approver.clone(), record: case.place(*at) })
}

/// Whether that record was made after the other: by what its writer knew, else by what both claim.
pub(super) fn after(case: &Case, later: At, earlier: At) -> bool {
    case.knew(later, earlier)
        || !case.knew(earlier, later) && case.claimed(later).saturating_sub(case.claimed(earlier)) > TOLERANCE
}

/// The record of the generation in force that came after that one.
pub(super) fn successor(credential: &Credential, generation: u64) -> Option<Hash> {
    let newer = credential.generations.partition_point(|other| other.number <= generation);
    credential.generations[newer..].iter().find(|other| !other.pending).map(|g| g.record)
}

/// The first change of the PIN of that record's key after it.
pub fn pin_changed(case: &Case, after: At) -> Option<At> {
    let changes = case.new_pins.get(&case.records.chain[after as usize])?;
    let next = changes.partition_point(|at| case.seq(*at) <= case.seq(after));
    changes.get(next).copied()
}
