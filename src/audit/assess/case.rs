//! What the ledger holds of one kit, brought down to what rules ask: a few words for each record, never its bytes.

use std::collections::{BTreeMap, HashMap};

use super::facts::{Bad, Break, Close, Discharge, Drill, Intent, Outside, Release, Review, Unmet};
use super::handed::Handed;
use super::mints::Mints;
use super::names::Names;
use crate::attestation::Serial;
use crate::audit::assessment::{Interval, Place};
use crate::audit::finding::Finding;
use crate::audit::ledger::{KitRow, LogCover, Login};
use crate::audit::time::{At, Bounds, Graph};
use crate::kit::credentials::Credential;
use crate::kit::custody::Moves;
use crate::kit::name::CredentialName;
use crate::kit::policy::Policy;
use crate::kit::roster::{Member, Roster, RosterError, Standing};
use crate::record::counter::{Account, Observation};
use crate::record::event::KitFounded;
use crate::record::hash::{Hash, KeyId};
use crate::record::token::Record;

/// Everything about one kit that rules and reports are derived from.
#[derive(Debug)]
pub struct Case {
    /// Kit id.
    pub kit: Hash,
    /// The auditor's clock.
    pub now: i64,
    /// What the ledger says of the kit as a whole.
    pub row: KitRow,
    /// What the founding record says, if the ledger has it.
    pub founded: Option<KitFounded>,
    /// Who belongs to it; or why that cannot be told.
    pub roster: Result<Roster, RosterError>,
    /// The policies whose bytes the ledger has, of those that records name.
    pub policies: BTreeMap<Hash, Policy>,
    /// Chains, by name.
    pub chains: Vec<ChainFacts>,
    /// Every record that is well signed, or whose key is not known: by chain name, then place, then hash.
    pub records: Records,
    /// Records whose signature is not that of their key.
    pub bad: Vec<Bad>,
    /// What records say that they had seen, and that the ledger does not hold so.
    pub unmet: Vec<Unmet>,
    /// Enrolments, by record.
    pub enrolments: Vec<(At, Record)>,
    /// What is sealed, by name.
    pub credentials: BTreeMap<CredentialName, Credential>,
    /// Where a record of a sealing or confirmation stands.
    pub sealed_at: HashMap<Hash, At>,
    /// Where the confirmation of a sealing stands, by the sealing's record.
    pub confirmed_at: HashMap<Hash, At>,
    /// Where the last signature for its retirement stands, of each key that is retired.
    pub retired_at: HashMap<KeyId, At>,
    /// Openings that were begun.
    pub intents: Vec<Intent>,
    /// Openings that came to their end.
    pub releases: Vec<Release>,
    /// Ends of incidents.
    pub closes: Vec<Close>,
    /// Judgements of incidents.
    pub reviews: Vec<Review>,
    /// What of incidents keys signed that do not belong, or no more, in the order of the records.
    pub outside: Vec<Outside>,
    /// Approvals of requests, by their record.
    pub approvals: HashMap<Hash, (At, Record)>,
    /// Words that something which an incident left was done.
    pub discharges: Vec<Discharge>,
    /// What was minted, and taken back.
    pub mints: Mints,
    /// What of each incident is to be given to the auditor, and what says that it was.
    pub handed: Handed,
    /// Drills that were begun.
    pub drills: Vec<Drill>,
    /// Changes of PIN and PUK: record, and what was done.
    pub pin_changes: Vec<(At, String)>,
    /// Records by which the PIN of a chain's key became another, by chain and in their order.
    pub new_pins: HashMap<u32, Vec<At>>,
    /// Losses that a person accepted: record, and the reason.
    pub gaps_accepted: Vec<(At, String)>,
    /// Records that name another kit.
    pub other_kit: Vec<At>,
    /// Records that name a checkpoint which this ledger has not made, with the ledger's name among [`Case::names`].
    pub strange_anchors: Vec<(At, u32)>,
    /// Issuers that records name, among [`Case::names`], by chain: the first record that does, and how many do.
    pub issuers: BTreeMap<(u32, u32), (At, u64)>,
    /// Names that records use, each once.
    pub names: Names,
    /// What each chain had seen of each other.
    pub known: Known,
    /// What each record is built on.
    pub graph: Graph,
    /// When each record can have been made.
    pub bounds: Bounds,
    /// Whether the ledger's own clock contradicts itself, so that nothing that rests on it is certain.
    pub clock_in_doubt: bool,
    /// Logins that platforms report, and what their logs cover.
    pub logins: (Vec<Login>, Vec<LogCover>),
    /// The same of minted credentials, of whichever kit.
    pub minted_logins: (Vec<Login>, Vec<LogCover>),
    /// Where keys were taken, and put away.
    pub moves: Moves,
    /// Where the record of a move stands.
    pub moved_at: HashMap<Hash, At>,
}

/// Records, in columns.
#[derive(Debug, Default)]
pub struct Records {
    /// SHA-256.
    pub hash: Vec<Hash>,
    /// Which of [`Case::chains`].
    pub chain: Vec<u32>,
    /// Place in the chain.
    pub seq: Vec<u64>,
    /// Claimed time.
    pub iat: Vec<i64>,
    /// When the ledger first held it.
    pub received: Vec<i64>,
    /// The event's name.
    pub event: Vec<&'static str>,
    /// The policy that it names: index into [`Records::policies`].
    pub policy: Vec<Option<u32>>,
    /// Policies that records name, each once.
    pub policies: Vec<Hash>,
    /// Whether its signature is known to be good.
    pub good: Vec<bool>,
}

/// One chain.
#[derive(Debug)]
pub struct ChainFacts {
    /// `<serial>-<kid8>`.
    pub name: String,
    /// Serial number that its records name.
    pub serial: Serial,
    /// Key id that its records name.
    pub key: KeyId,
    /// Its first record.
    pub first: At,
    /// Its newest record.
    pub last: At,
    /// How many.
    pub count: u64,
    /// Its enrolment.
    pub enrolment: Option<At>,
    /// What it says of its key's counter.
    pub account: Option<Account>,
    /// What that account shows.
    pub observations: Vec<Observation>,
    /// Where it is not whole.
    pub breaks: Vec<Break>,
}

/// What each chain had seen of each other: for each pair, by rising record of the one, the highest place of the other.
#[derive(Debug, Default)]
pub struct Known(pub HashMap<(u32, u32), Vec<(u64, u64)>>);

impl Case {
    /// Where a record stands, for people.
    pub fn place(&self, at: At) -> Place {
        let chain = self.chain(at);
        Place {
            serial: chain.serial,
            chain: chain.name.clone(),
            seq: self.seq(at),
            hash: self.hash(at),
            time: Interval {
                claimed: self.claimed(at),
                lower: self.bounds.lower[at as usize],
                upper: Some(self.bounds.upper[at as usize]),
            },
        }
    }

    /// `record <chain>/<seq>`.
    pub fn named(&self, at: At) -> String {
        format!("record {}/{}", self.chain(at).name, self.seq(at))
    }

    /// The chain of a record.
    pub fn chain(&self, at: At) -> &ChainFacts {
        &self.chains[self.records.chain[at as usize] as usize]
    }

    /// Its SHA-256.
    pub fn hash(&self, at: At) -> Hash {
        self.records.hash[at as usize]
    }

    /// Its place in its chain.
    pub fn seq(&self, at: At) -> u64 {
        self.records.seq[at as usize]
    }

    /// Its claimed time.
    pub fn claimed(&self, at: At) -> i64 {
        self.records.iat[at as usize]
    }

    /// The policy that it names.
    pub fn policy_of(&self, at: At) -> Option<Hash> {
        let index = self.records.policy[at as usize]?;
        Some(self.records.policies[index as usize])
    }

    /// The roster's member that signed it.
    pub fn member(&self, at: At) -> Option<&Member> {
        self.roster.as_ref().ok()?.keys.get(&self.chain(at).key)
    }

    /// Whether a key of this kit signed it while it belonged. `true` where the roster is not known: nothing is said of it.
    pub fn belongs(&self, at: At) -> bool {
        if !self.records.good[at as usize] {
            return false;
        }
        if self.roster.is_err() {
            return true;
        }
        match self.member(at).map(|member| member.standing) {
            Some(Standing::Admitted | Standing::Frozen) => true,
            Some(Standing::Retired { last_seq }) => self.seq(at) <= last_seq,
            Some(Standing::Enrolled) | None => false,
        }
    }

    /// Reviews of that incident.
    pub(super) fn reviews_of(&self, incident: u32) -> &[Review] {
        of_incident(&self.reviews, incident, |one| one.incident)
    }

    /// What discharged something of that incident.
    pub(super) fn discharges_of(&self, incident: u32) -> &[Discharge] {
        of_incident(&self.discharges, incident, |one| one.incident)
    }

    /// Leaves out what was told by keys that do not belong, or no more: it makes no incident and ends none, and accounts for no
    /// login. That they told it is for the rules about keys.
    pub(super) fn only_own(&mut self) {
        let own: Vec<bool> = self.all().map(|at| self.belongs(at)).collect();
        let own = |at: At| own[at as usize];
        self.outside = self.told_outside(own);
        self.intents.retain(|one| own(one.at));
        self.releases.retain(|one| own(one.at));
        self.closes.retain(|one| own(one.at));
        self.reviews.retain(|one| own(one.at));
        self.discharges.retain(|one| own(one.at));
        // So that each incident finds its own without looking at all.
        self.reviews.sort_by_key(|one| one.incident);
        self.discharges.sort_by_key(|one| one.incident);
        self.drills.retain(|one| own(one.at));
        self.mints.only(own);
        self.handed.only(own, &self.records);
    }

    /// What of incidents was told by records that are not among those.
    fn told_outside(&self, own: impl Fn(At) -> bool) -> Vec<Outside> {
        let name = |index: u32| Some(self.names.get(index).into());
        let intents = self.intents.iter().map(|one| (one.at, one.incident, name(one.credential)));
        let releases = self.releases.iter().map(|one| (one.at, one.incident, name(one.credential)));
        let rule = |rule: &String| Some(rule.as_str().into());
        let mints = self.mints.intents.iter().map(|one| (one.at, one.incident, rule(&one.facts.rule)));
        let issued = self.mints.issued.iter().map(|one| (one.at, one.incident, None));
        let closes = self.closes.iter().map(|one| (one.at, one.incident, None));
        let reviews = self.reviews.iter().map(|one| (one.at, one.incident, None));
        let all = intents.chain(releases).chain(mints).chain(issued).chain(closes).chain(reviews);
        let outside = all.filter(|(at, ..)| !own(*at));
        let mut outside: Vec<Outside> =
            outside.map(|(at, incident, what)| Outside { at, incident, what }).collect();
        outside.sort_by_key(|one| one.at);
        outside
    }

    /// Whether the writer of `later` knew of `earlier`: by its own chain, or because it says that it had seen it or what
    /// comes after it.
    pub fn knew(&self, later: At, earlier: At) -> bool {
        let (mine, its) = (self.records.chain[later as usize], self.records.chain[earlier as usize]);
        if mine == its {
            return self.seq(earlier) < self.seq(later);
        }
        let Some(known) = self.known.0.get(&(mine, its)) else { return false };
        let until = known.partition_point(|(seq, _)| *seq <= self.seq(later));
        until > 0 && known[until - 1].1 >= self.seq(earlier)
    }

    /// That finding, as one of that record in that incident.
    pub fn found(&self, at: At, incident: u32, finding: Finding) -> Finding {
        finding.on([self.hash(at)]).at(self.claimed(at)).in_incident(self.names.get(incident))
    }

    /// Their SHA-256.
    pub fn hashes(&self, records: &[At]) -> Vec<Hash> {
        records.iter().take(crate::audit::finding::MOST_RECORDS).map(|at| self.hash(*at)).collect()
    }

    /// The records of a chain, in order.
    pub fn of_chain<'a>(&'a self, chain: &'a ChainFacts) -> impl Iterator<Item = At> + use<'a> {
        (chain.first..=chain.last).filter(move |at| std::ptr::eq(self.chain(*at), chain))
    }

    /// The record of that place in a chain.
    pub fn record_at(&self, chain: &ChainFacts, seq: u64) -> Option<At> {
        let (from, to) = (chain.first as usize, chain.last as usize + 1);
        let first = from + self.records.seq[from..to].partition_point(|place| *place < seq);
        let same = (first..to).take_while(|at| self.records.seq[*at] == seq).map(|at| at as At);
        same.into_iter().find(|at| std::ptr::eq(self.chain(*at), chain))
    }

    /// Every record, in order.
    pub fn all(&self) -> impl Iterator<Item = At> + use<> {
        0..self.records.hash.len() as At
    }
}

/// Those of that incident, of a list in the order of incidents.
fn of_incident<T>(all: &[T], incident: u32, of: impl Fn(&T) -> u32) -> &[T] {
    let from = all.partition_point(|one| of(one) < incident);
    let to = all.partition_point(|one| of(one) <= incident);
    &all[from..to]
}
