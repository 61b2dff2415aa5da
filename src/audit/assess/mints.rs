//! What was minted, what came of it, and what was taken back: from records to what rules and reports ask.

use std::collections::{BTreeMap, HashMap};

use super::case::{Case, Records};
use super::incidents::after;
use super::names::Names;
use crate::audit::assessment::{Minting, Revoked};
use crate::audit::reconcile::{self, Issue, Known};
use crate::audit::time::At;
use crate::kit::policy::Says;
use crate::mint::ssh::fingerprint;
use crate::record::event::{
    Event, KeyEnrolled, MintAuthority, MintIntent, MintIssued, MintKind, MintRevoked,
};
use crate::record::hash::{Hash, KeyId};
use crate::record::token::Record;

/// Everything of one kit that tells of minting. There is little of it, so that the facts are kept whole.
#[derive(Debug, Default)]
pub struct Mints {
    /// What keys were about to mint.
    pub intents: Vec<Mint>,
    /// What came of it.
    pub issued: Vec<Issued>,
    /// What was taken back, or is trusted no more.
    pub revoked: Vec<Revocation>,
    /// The authorities' own certificates.
    pub authorities: Vec<(At, MintAuthority)>,
}

/// `mint.intent`.
#[derive(Debug)]
pub struct Mint {
    /// The record.
    pub at: At,
    /// The incident, among [`Case::names`].
    pub incident: u32,
    /// What it says.
    pub facts: MintIntent,
    /// Which of [`Mints::issued`] of its own chain names it first.
    pub issued: Option<usize>,
}

/// `mint.issued`.
#[derive(Debug)]
pub struct Issued {
    /// The record.
    pub at: At,
    /// The incident, among [`Case::names`].
    pub incident: u32,
    /// What it says.
    pub facts: MintIssued,
    /// Which of [`Mints::intents`] it names, on whichever chain.
    pub intent: Option<usize>,
}

/// `mint.revoked`.
#[derive(Debug)]
pub struct Revocation {
    /// The record.
    pub at: At,
    /// What it says.
    pub facts: MintRevoked,
}

impl Mints {
    /// Keeps what tells of minting.
    pub(super) fn take(&mut self, at: At, record: &Record, names: &mut Names) {
        let mut incident = || names.put(record.txn.as_deref().unwrap_or_default());
        match &record.event {
            Event::MintIntent(facts) => {
                self.intents.push(Mint { at, incident: incident(), facts: facts.clone(), issued: None });
            }
            Event::MintIssued(facts) => {
                self.issued.push(Issued { at, incident: incident(), facts: facts.clone(), intent: None });
            }
            Event::MintRevoked(facts) => self.revoked.push(Revocation { at, facts: facts.clone() }),
            Event::MintAuthority(facts) => self.authorities.push((at, facts.clone())),
            _ => {}
        }
    }

    /// Leaves out all but those records.
    pub(super) fn only(&mut self, own: impl Fn(At) -> bool) {
        self.intents.retain(|one| own(one.at));
        self.issued.retain(|one| own(one.at));
        self.revoked.retain(|one| own(one.at));
        self.authorities.retain(|(at, _)| own(*at));
    }

    /// Which outcome is of which intent.
    pub(super) fn link(&mut self, records: &Records) {
        let hash = |at: At| records.hash[at as usize];
        let by_hash: HashMap<Hash, usize> =
            self.intents.iter().enumerate().map(|(index, mint)| (hash(mint.at), index)).collect();
        for (index, issued) in self.issued.iter_mut().enumerate() {
            issued.intent = by_hash.get(&issued.facts.intent).copied();
            let Some(mint) = issued.intent.map(|intent| &mut self.intents[intent]) else { continue };
            if mint.issued.is_none() && records.chain[mint.at as usize] == records.chain[issued.at as usize] {
                mint.issued = Some(index);
            }
        }
    }
}

impl Mint {
    /// The records that take that number of it back, or everything that its key ever minted of that kind.
    pub fn revocations<'a>(
        &'a self,
        case: &'a Case,
        number: &'a str,
    ) -> impl Iterator<Item = &'a Revocation> {
        case.mints.revoked.iter().filter(move |one| {
            one.withdraws(case, self.facts.kind, self.at)
                || one.counts(case, self.facts.kind, self.at)
                    && one.facts.numbers.iter().any(|other| other == number)
        })
    }
}

impl Revocation {
    /// Whether it is of that kind, of the key of that record, and by a key that belongs.
    fn counts(&self, case: &Case, kind: MintKind, of: At) -> bool {
        self.facts.kind == kind && self.facts.key == case.chain(of).serial && case.belongs(self.at)
    }

    /// Whether nothing of that kind is trusted any more that the key of that record signs. Who has the serial number since, is
    /// another key.
    pub fn withdraws(&self, case: &Case, kind: MintKind, of: At) -> bool {
        let enrolled = case.chain(of).enrolment;
        self.facts.altogether
            && self.counts(case, kind, of)
            && !enrolled.is_some_and(|enrolled| after(case, enrolled, self.at))
    }
}

/// The mintings of one incident, in the order of the chains.
pub(super) fn told(case: &Case, mints: &[&Mint]) -> Vec<Minting> {
    let told = |mint: &&Mint| {
        let facts = &mint.facts;
        let issued = mint.issued.map(|index| &case.mints.issued[index]);
        let revoked = facts.numbers.iter().filter_map(|number| {
            let first = mint.revocations(case, number).min_by_key(|one| (case.claimed(one.at), one.at))?;
            Some(Revoked {
                number: number.clone(),
                record: case.place(first.at),
                why: first.facts.why.clone(),
            })
        });
        Minting {
            kind: facts.kind,
            rule: facts.rule.clone(),
            numbers: facts.numbers.clone(),
            accounts: facts.accounts.clone(),
            operator: facts.operator.clone(),
            emergency: facts.emergency.clone(),
            reason: facts.reason.clone(),
            from: facts.from,
            until: facts.until,
            key: case.chain(mint.at).serial,
            intent: case.place(mint.at),
            issued: issued.map(|issued| case.place(issued.at)),
            output: issued.map(|issued| issued.facts.output.clone()),
            overrides: facts.overrides.iter().map(|one| (one.rule.clone(), one.why.clone())).collect(),
            revoked: revoked.collect(),
        }
    };
    mints.iter().map(told).collect()
}

/// The public keys that the enrolments of a kit say mint: key, serial number, facts.
pub fn minting_keys(case: &Case) -> BTreeMap<KeyId, &KeyEnrolled> {
    let enrolled = case.enrolments.iter().filter_map(|(at, record)| match &record.event {
        Event::KeyEnrolled(facts) if case.records.good[*at as usize] => Some((record.kid, facts)),
        _ => None,
    });
    enrolled.filter(|(_, facts)| !facts.minting.is_empty()).collect()
}

/// What logins with minted credentials are held against.
pub(super) fn known(case: &Case) -> Known {
    let mut known = Known::default();
    for facts in minting_keys(case).values() {
        known.keys.insert(facts.serial);
        if let Some(point) = facts.minting.get(&MintKind::Ssh.slot().to_string()) {
            let print = fingerprint(&point.0.into());
            known.authorities.insert(print.strip_prefix("SHA256:").unwrap_or(&print).to_owned());
        }
    }
    for policy in case.policies.values() {
        let of_x509 = policy.mint_rules.iter().filter(|rule| matches!(rule.says, Says::X509 { .. }));
        known.names.extend(of_x509.map(|rule| reconcile::sorted(&rule.says.accounts())));
    }
    for mint in case.mints.intents.iter().filter(|mint| case.belongs(mint.at)) {
        let facts = &mint.facts;
        if facts.kind == MintKind::X509 {
            known.names.insert(reconcile::sorted(&facts.accounts));
        }
        known.issues.extend(facts.numbers.iter().map(|number| {
            let first = mint.revocations(case, number).min_by_key(|one| (case.claimed(one.at), one.at));
            Issue {
                kind: facts.kind,
                number: number.clone(),
                accounts: facts.accounts.clone(),
                incident: case.names.get(mint.incident).to_owned(),
                operator: facts.operator.clone(),
                subject: facts.subject,
                window: (facts.from, facts.until),
                record: case.hash(mint.at),
                revoked: first
                    .map(|one| (case.claimed(one.at), case.bounds.upper[one.at as usize], case.hash(one.at))),
            }
        }));
    }
    known
}

/// Minted by each key in an incident, the last of each.
pub(super) fn last_by_key(case: &Case, mints: &[&Mint]) -> BTreeMap<u32, At> {
    let mut keys: BTreeMap<u32, At> = BTreeMap::new();
    for mint in mints {
        let last = keys.entry(case.records.chain[mint.at as usize]).or_insert(mint.at);
        *last = (*last).max(mint.at);
    }
    keys
}

/// The first record after those that ends the trust in a key: all that it minted was taken back altogether, for each kind that
/// it had minted.
pub(super) fn withdrawn(case: &Case, chain: u32, mints: &[&Mint]) -> Option<At> {
    let own = || mints.iter().filter(move |mint| case.records.chain[mint.at as usize] == chain);
    let mut kinds: Vec<MintKind> = own().map(|mint| mint.facts.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let last = own().map(|mint| mint.at).max()?;
    let of_kind = |kind: MintKind| {
        let altogether = case
            .mints
            .revoked
            .iter()
            .filter(move |one| one.withdraws(case, kind, last) && !after(case, last, one.at));
        altogether.map(|one| one.at).min_by_key(|at| (case.claimed(*at), *at))
    };
    let ended: Option<Vec<At>> = kinds.into_iter().map(of_kind).collect();
    ended?.into_iter().max_by_key(|at| (case.claimed(*at), *at))
}
