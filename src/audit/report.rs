//! What an auditor hands on: the assessment of one or more kits as text, as JSON, and as one HTML file that verifies its
//! own records again in the reader's browser, from anchors that the reader brings.
//!
//! Nothing is judged here. What is wrong was found by the rules; a report orders it, tells it, and puts the signed records
//! beside it, so that whoever reads it need not believe whoever wrote it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::ControlFlow;

use serde::Serialize;

use super::assessment::{Assessment, Incident, KeyMove};
use super::finding::{Finding, Sort};
use super::ledger::{Evidence, Held, LedgerError, Which};
use crate::attestation::Serial;
use crate::record::hash::Hash;

pub mod faults;
mod html;
mod text;
mod told;
pub mod words;

pub use html::{Page, page, script_hash};
pub use text::text;
use words::visible;

/// No more records than this are put into one file. A browser verifies so many in seconds.
pub const MOST_EMBEDDED: usize = 50_000;

/// So many incidents get a page of their own, the newest; older ones are a line each.
pub const MOST_PAGES: usize = 300;

/// What is told, and of when.
#[derive(Debug, Serialize)]
pub struct Report {
    /// When it was derived, Unix seconds.
    pub at: i64,
    /// Only what happened from then on is told, and what is still wrong or due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// By name, then id.
    pub kits: Vec<Assessment>,
    /// Findings that belong to no kit.
    pub ledger: Vec<Finding>,
    /// What `since` leaves out.
    pub left_out: LeftOut,
    /// Version of this program.
    pub version: &'static str,
}

/// How much a report that begins at some time does not tell.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Incidents that had ended before, and that nothing wrong, due or unknown is about.
    pub incidents: usize,
    /// Notes about earlier times. What is wrong or due is always told.
    pub notes: usize,
}

/// The records of a report, and which records of the same chains it does without.
#[derive(Debug, Default)]
pub struct Enclosed {
    /// By chain, place, hash.
    pub records: Vec<Held>,
    /// Places that the ledger holds and the report does not, by chain, as inclusive ranges.
    pub omitted: BTreeMap<String, Vec<(u64, u64)>>,
    /// How many records the ledger holds of these kits.
    pub of: u64,
}

impl Report {
    /// Of these assessments, the findings of no kit, and the time from which on to tell.
    pub fn new(mut kits: Vec<Assessment>, ledger: Vec<Finding>, since: Option<i64>, at: i64) -> Self {
        let mut left_out = LeftOut::default();
        for kit in kits.iter_mut().filter(|kit| kit.name.is_empty()) {
            kit.name = "not founded in this ledger".into();
        }
        kits.sort_by(|one, other| (&one.name, one.kit).cmp(&(&other.name, other.kit)));
        if let Some(since) = since {
            for kit in &mut kits {
                let before = (kit.incidents.len(), kit.findings.len());
                let told: BTreeSet<String> = kit
                    .findings
                    .iter()
                    .filter(|finding| finding.sort < Sort::NotChecked)
                    .filter_map(|finding| finding.incident.clone())
                    .collect();
                kit.incidents.retain(|incident| {
                    incident.claimed.1 >= since || !over(incident) || told.contains(&incident.name)
                });
                kit.findings
                    .retain(|finding| finding.sort != Sort::Note || finding.at.is_none_or(|at| at >= since));
                left_out.incidents += before.0 - kit.incidents.len();
                left_out.notes += before.1 - kit.findings.len();
            }
        }
        Report { at, since, kits, ledger, left_out, version: env!("CARGO_PKG_VERSION") }
    }

    /// Every finding, the gravest first.
    pub fn findings(&self) -> Vec<&Finding> {
        let mut all: Vec<&Finding> =
            self.kits.iter().flat_map(|kit| &kit.findings).chain(&self.ledger).collect();
        all.sort_by_key(|finding| (finding.sort, finding.severity));
        all
    }

    /// The incidents of a kit that get a page of their own: the newest.
    pub(super) fn pages<'a>(&self, kit: &'a Assessment) -> (&'a [Incident], &'a [Incident]) {
        let most = MOST_PAGES / self.kits.len().max(1);
        kit.incidents.split_at(kit.incidents.len().saturating_sub(most.max(1)))
    }

    /// The name of that kit, for people.
    fn kit_name(&self, kit: Option<&Hash>) -> Option<String> {
        self.kits.iter().find(|one| Some(&one.kit) == kit).map(|kit| self.name_of(kit))
    }

    /// The name of a kit, for people. Anybody may give any name: those that look alike are told apart by the beginning of their ids.
    fn name_of(&self, kit: &Assessment) -> String {
        let seen = |kit: &Assessment| visible(kit.name.trim()).to_lowercase();
        let alike = self.kits.iter().filter(|other| seen(other) == seen(kit)).count();
        match alike {
            0 | 1 => visible(&kit.name),
            _ => format!("{} ({}…)", visible(&kit.name), kit.kit.short()),
        }
    }

    /// The records to put beside the text: all of them, if there are no more than `most`; else those that say what each
    /// kit is, those that findings and incident pages rest on, and the newest of each chain.
    ///
    /// # Errors
    /// Those of the ledger.
    pub fn enclose(&self, evidence: &mut dyn Evidence, most: usize) -> Result<Enclosed, LedgerError> {
        let mut named = self.named();
        let mut all = BTreeMap::new();
        let mut of = 0;
        let mut tails: BTreeMap<String, VecDeque<Held>> = BTreeMap::new();
        let mut places: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        for kit in &self.kits {
            evidence.records(&kit.kit, Which::Governance, &mut |held| {
                if named.len() < most {
                    named.insert(held.record.hash());
                }
                ControlFlow::Continue(())
            })?;
        }
        for kit in &self.kits {
            let share = most.saturating_sub(named.len()) / kit.keys.len().max(1) / self.kits.len();
            evidence.records(&kit.kit, Which::All, &mut |held| {
                of += 1;
                let chain = held.record.chain_name();
                places.entry(chain.clone()).or_default().insert(held.record.link.seq);
                if named.contains(&held.record.hash()) {
                    all.insert(order(&held), held);
                    return ControlFlow::Continue(());
                }
                let tail = tails.entry(chain).or_default();
                tail.push_back(held);
                if kit.records as usize > most && tail.len() > share {
                    tail.pop_front();
                }
                ControlFlow::Continue(())
            })?;
        }
        for held in tails.into_values().flatten() {
            if all.len() < most {
                all.insert(order(&held), held);
            }
        }
        let records: Vec<Held> = all.into_values().collect();
        for held in &records {
            if let Some(places) = places.get_mut(&held.record.chain_name()) {
                places.remove(&held.record.link.seq);
            }
        }
        let omitted = places.into_iter().filter(|(_, places)| !places.is_empty());
        Ok(Enclosed { records, omitted: omitted.map(|(chain, left)| (chain, ranges(&left))).collect(), of })
    }

    /// Records that findings and incidents with a page rest on.
    fn named(&self) -> BTreeSet<Hash> {
        let findings = self.findings().into_iter().flat_map(|finding| finding.records.iter().copied());
        let incidents = self.kits.iter().flat_map(|kit| self.pages(kit).1).flat_map(|incident| {
            let openings = incident.openings.iter().flat_map(|one| {
                let approvals = one.approvals.iter().map(|approved| &approved.record);
                one.intents.iter().chain(&one.released).chain(approvals)
            });
            let minted = incident.mintings.iter().flat_map(|one| {
                let revoked = one.revoked.iter().map(|revoked| &revoked.record);
                [&one.intent].into_iter().chain(&one.issued).chain(revoked)
            });
            let rest = incident.debts.iter().filter_map(|debt| debt.done.as_ref());
            let close = incident.closes.iter().map(|closing| &closing.record);
            let reviews = incident.reviews.iter().map(|review| &review.record);
            openings.chain(minted).chain(rest).chain(close).chain(reviews).map(|place| place.hash)
        });
        let moves = self.kits.iter().flat_map(moves).map(|(_, one)| one.record.hash);
        let outside = self.kits.iter().flat_map(|kit| &kit.outside).map(|one| one.record.hash);
        findings.chain(incidents).chain(moves).chain(outside).collect()
    }
}

/// So many of the newest moves of keys are told of each kit.
const MOST_MOVES: usize = 200;

/// The newest moves of a kit's keys, each with its key, by claimed time.
fn moves(kit: &Assessment) -> Vec<(Serial, &KeyMove)> {
    let mut moves: Vec<(Serial, &KeyMove)> =
        kit.keys.iter().flat_map(|key| key.moves.iter().map(|one| (key.serial, one))).collect();
    moves.sort_by_key(|(serial, one)| (one.record.time.claimed, *serial, one.record.seq));
    moves.split_off(moves.len().saturating_sub(MOST_MOVES))
}

/// Whether nothing of an incident is left to be done.
fn over(incident: &Incident) -> bool {
    incident.closed.is_some() && incident.debts.iter().all(|debt| debt.done.is_some())
}

fn order(held: &Held) -> (String, u64, Hash) {
    (held.record.chain_name(), held.record.link.seq, held.record.hash())
}

/// Numbers as inclusive ranges.
fn ranges(numbers: &BTreeSet<u64>) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, to)) if *to + 1 == *number => *to = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    ranges
}
