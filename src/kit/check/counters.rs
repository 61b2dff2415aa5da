//! What the keys' signature counters say, as findings. The rules are `record::counter`'s; the words are here.

use std::collections::HashMap;

use crate::attestation::Serial;
use crate::kit::Kit;
use crate::kit::fido2::{envelope_in, is_fido2};
use crate::kit::finding::Finding;
use crate::record::chain::Chain;
use crate::record::counter::{Claim, Counted, Expected, observe};
use crate::record::event::{CounterProfile, CredentialSealed, Event};
use crate::record::hash::{Hash, KeyId};
use crate::record::token::Record;

/// Of every chain of a kit.
pub fn counters(kit: &Kit) -> Vec<Finding> {
    let sealed = sealings(kit);
    of_chains(kit.journal.chains(), &|hash| sealed.get(hash).copied())
}

/// Every sealing by its record, as the kit has them: with the list of one that names a list.
fn sealings(kit: &Kit) -> HashMap<Hash, &CredentialSealed> {
    let generations = kit.credentials.values().flat_map(|credential| &credential.generations);
    generations.map(|generation| (generation.record, &generation.facts)).collect()
}

/// What the newest assertion of a key's chain shows of the time since the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// Its counter has moved by what is on record and by nothing else: FIDO2 was not used by anything else.
    Unused,
    /// By what is on record, if each opening that stopped half way moved it once.
    Accounted,
    /// Its counter moves by no fixed step, so that this cannot be told.
    CannotTell,
    /// Something is wrong; a finding of [`counters`] says what.
    Wrong,
}

/// What the newest assertion of that chain shows; `None` if there is none, or the key has no FIDO2 side.
pub fn since_last(kit: &Kit, chain: &str) -> Option<Since> {
    let sealed = sealings(kit);
    let chain = kit.journal.chains().find(|known| known.name() == chain)?;
    let Event::KeyEnrolled(enrolment) = &chain.records().next()?.event else { return None };
    let profile = enrolment.fido2.as_ref()?.profile;
    let newest = chain.records().rfind(|record| matches!(record.event, Event::OpenAsserted(_)))?;
    let asks = |record: &Record| expects(record, &|hash| sealed.get(hash).copied());
    let mut seen = observe(chain.records(), &asks).into_iter();
    let of_newest = seen.rfind(|observation| observation.seq == newest.link.seq);
    Some(match (of_newest.map(|observation| observation.what), profile) {
        (None, CounterProfile::Exact { .. }) => Since::Unused,
        (Some(Counted::Explained { .. }), _) => Since::Accounted,
        (None, CounterProfile::Monotonic) => Since::CannotTell,
        (Some(Counted::Jump { claim: Claim::Possible, .. }), _) => Since::CannotTell,
        (Some(_), _) => Since::Wrong,
    })
}

/// Of these chains, by what `sealed` knows of the sealings that their openings name.
pub(super) fn of_chains<'a>(
    chains: impl Iterator<Item = &'a Chain>,
    sealed: &dyn Fn(&Hash) -> Option<&'a CredentialSealed>,
) -> Vec<Finding> {
    let asks = |record: &Record| expects(record, sealed);
    chains.flat_map(|chain| of_chain(chain, &asks)).collect()
}

/// Whether an assertion should follow that record.
fn expects<'a>(record: &Record, sealed: &dyn Fn(&Hash) -> Option<&'a CredentialSealed>) -> Expected {
    match &record.event {
        Event::OpenIntent(facts) => expected(sealed(&facts.sealed), &record.kid),
        Event::DrillBegun(facts) => expected(sealed(&facts.sealed), &record.kid),
        Event::KeyWitness(_) => Expected::Yes,
        _ => Expected::No,
    }
}

/// Whether opening that sealing asks this key for FIDO2.
pub fn expected(sealed: Option<&CredentialSealed>, key: &KeyId) -> Expected {
    match sealed {
        None => Expected::Unknown,
        Some(facts) if !is_fido2(facts) => Expected::No,
        // Its list is not at hand.
        Some(facts) if facts.recipients.is_empty() => Expected::Unknown,
        Some(facts) => match envelope_in(facts, key) {
            Some(_) => Expected::Yes,
            None => Expected::No,
        },
    }
}

fn of_chain(chain: &Chain, expected: &dyn Fn(&Record) -> Expected) -> Vec<Finding> {
    let Some(first) = chain.records().next() else { return Vec::new() };
    let Event::KeyEnrolled(enrolment) = &first.event else { return Vec::new() };
    let exact =
        enrolment.fido2.as_ref().is_some_and(|fido2| matches!(fido2.profile, CounterProfile::Exact { .. }));
    let place = Place { serial: first.serial, chain: chain.name() };
    let mut findings = Vec::new();
    // On a key without fixed step every assertion leaves the same doubt: it is told once.
    let mut doubt: u64 = 0;
    for observation in observe(chain.records(), expected) {
        match observation.what {
            Counted::Jump { more, claim: Claim::Possible } if !exact => doubt += u64::from(more),
            what => {
                let of = chain.records().find(|record| record.link.seq == observation.seq);
                findings.push(place.finding(observation.seq, what, of));
            }
        }
    }
    if doubt > 0 {
        let text = format!(
            "key {}: whether FIDO2 was used outside this kit cannot be told; it is possible: its counter moves by no fixed step, and moved by {doubt} more than there are uses on record",
            place.serial
        );
        findings.push(Finding::note("COUNTER-JUMP", text));
    }
    findings
}

struct Place<'a> {
    serial: Serial,
    chain: &'a str,
}

impl Place<'_> {
    fn finding(&self, seq: u64, what: Counted, record: Option<&Record>) -> Finding {
        let Place { serial, chain } = self;
        let at = format!("key {serial}, record {chain}/{seq}");
        match what {
            Counted::Jump { more, claim: Claim::Certain } => Finding::wrong(
                "COUNTER-JUMP",
                format!(
                    "{at}: {} more than the journal says: FIDO2 was used outside this kit, with this or another credential; that is certain",
                    times(more)
                ),
            ),
            Counted::Jump { more, claim: Claim::Possible } => Finding::not_checked(
                "COUNTER-JUMP",
                format!(
                    "{at}: {} more than this copy of the journal says: it is possible that FIDO2 was used outside this kit, or the records that are lacking tell of it",
                    times(more)
                ),
            ),
            Counted::Explained { more } => Finding::note(
                "COUNTER-EXPLAINED",
                format!(
                    "{at}: {} more than there are assertions on record; openings that stopped in between account for it",
                    times(more)
                ),
            ),
            Counted::Standstill { at: counter } => Finding::wrong(
                "COUNTER-STANDSTILL",
                format!(
                    "{at}: the counter stands at {counter} as before, which no use leaves it at: a copy of the key, or an assertion twice; that is certain"
                ),
            ),
            Counted::Regress { from, to } => Finding::wrong(
                "COUNTER-REGRESS",
                format!(
                    "{at}: the counter went from {from} to {to}, which the enrolled key's does not: a copy of the key, or another one; that is certain"
                ),
            ),
            Counted::Invalid(flaw) => Finding::wrong(
                "ASSERTION-INVALID",
                format!("{at}: its assertion is not good evidence: {flaw}"),
            ),
            Counted::OverUnknown => Finding::not_checked(
                "ASSERTION-INVALID",
                format!("{at}: its assertion is over a record that this copy lacks"),
            ),
            Counted::Missing => Finding::note("ASSERTION-MISSING", self.missing(&at, record)),
        }
    }

    fn missing(&self, at: &str, record: Option<&Record>) -> String {
        match record.map(|record| &record.event) {
            Some(Event::OpenIntent(facts)) => format!(
                "{at}: no assertion follows the intent to open {}, generation {}: it may have been disclosed",
                facts.credential, facts.generation
            ),
            Some(Event::DrillBegun(facts)) => format!(
                "{at}: no assertion follows the drill of {}, generation {}: it stopped in between",
                facts.credential, facts.generation
            ),
            _ => format!("{at}: no assertion follows the witness that was asked for"),
        }
    }
}

fn times(count: u32) -> String {
    format!("{count} time{}", if count == 1 { "" } else { "s" })
}
