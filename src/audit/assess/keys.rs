//! Each key: whose it is, what proves it, when it was last heard of.

use super::case::{Case, ChainFacts};
use super::periods::periods;
use crate::attestation::Roots;
use crate::audit::assessment::{KeyMove, KeyStatement};
use crate::audit::time::At;
use crate::kit::custody::{self, Move, What, Whereabouts};
use crate::kit::enrolment::{self, EnrolmentError};
use crate::kit::roster::Standing;
use crate::record::event::{Event, KeyEnrolled, KitKind};
use crate::record::hash::Hash;
use crate::record::token::Record;

/// Every key whose enrolment the ledger has, by serial number.
pub(super) fn keys(case: &Case) -> Vec<KeyStatement> {
    let roots = roots(case);
    let mut keys: Vec<KeyStatement> = Vec::new();
    for (at, record) in &case.enrolments {
        let Event::KeyEnrolled(facts) = &record.event else { continue };
        let chain = case.chain(*at);
        if chain.enrolment != Some(*at) {
            continue; // a second enrolment is for a rule
        }
        let policy = case.roster.as_ref().ok().and_then(|roster| case.policies.get(&roster.policy));
        let moves = case.moves.get(&record.kid).map_or(&[][..], Vec::as_slice);
        let place = policy.and_then(|policy| policy.place(facts.serial));
        let attested = attested(case, record, facts, &roots);
        keys.push(KeyStatement {
            serial: facts.serial,
            key: record.kid,
            chain: chain.name.clone(),
            standing: standing(case, record),
            firmware: facts.firmware.to_string(),
            place: where_it_is(&custody::whereabouts(moves, place)),
            custodian: place.and_then(|place| place.puk.as_ref()).map(|name| name.as_str().to_owned()),
            last: newest(case, chain).map(|at| case.place(at)),
            last_proof: last_proof(case, chain),
            last_drill: last_drill(case, chain),
            periods: periods(case, chain, facts, &attested),
            attested,
            moves: moves.iter().filter_map(|one| told(case, one)).collect(),
        });
    }
    keys.sort_by(|one, other| (one.serial, &one.chain).cmp(&(other.serial, &other.chain)));
    keys
}

fn where_it_is(there: &Whereabouts) -> Option<String> {
    if let Some(out) = &there.out {
        return Some(format!("out, with {}", out.person));
    }
    match (there.place.as_str(), there.bag.as_str()) {
        ("", _) => None,
        (place, "") => Some(place.to_owned()),
        (place, bag) => Some(format!("{place}, bag {bag}")),
    }
}

fn told(case: &Case, one: &Move) -> Option<KeyMove> {
    let mut told = KeyMove {
        record: case.place(*case.moved_at.get(&one.record)?),
        what: "in",
        bag: String::new(),
        seal: None,
        place: None,
        why: None,
        person: one.person.clone(),
        witness: one.witness.clone(),
    };
    match &one.what {
        What::Out { bag, seal, why, .. } => {
            (told.what, told.bag) = ("out", bag.clone());
            (told.seal, told.why) = (Some(seal.name()), Some(why.clone()));
        }
        What::In { place, bag } => (told.place, told.bag) = (Some(place.clone()), bag.clone()),
    }
    Some(told)
}

fn standing(case: &Case, record: &Record) -> &'static str {
    let Ok(roster) = &case.roster else { return "not known" };
    match roster.keys.get(&record.kid).map(|member| member.standing) {
        Some(Standing::Admitted) => "admitted",
        Some(Standing::Retired { .. }) => "retired",
        Some(Standing::Frozen) => "frozen",
        Some(Standing::Enrolled) | None => "enrolled",
    }
}

/// The newest well-signed record of a chain.
fn newest(case: &Case, chain: &ChainFacts) -> Option<At> {
    case.records.good[chain.last as usize].then_some(chain.last)
}

/// The newest assertion that verifies.
fn last_proof(case: &Case, chain: &ChainFacts) -> Option<(crate::audit::assessment::Place, u32)> {
    let (seq, counter) = chain.account.as_ref()?.shown().last()?;
    Some((case.place(case.record_at(chain, seq)?), counter))
}

/// The newest drill that the key proved itself in: the record that ended it.
fn last_drill(case: &Case, chain: &ChainFacts) -> Option<crate::audit::assessment::Place> {
    let of_chain = |at: At| std::ptr::eq(case.chain(at), chain);
    let proven = case.drills.iter().filter(|drill| drill.proven() && case.belongs(drill.at));
    let ends = proven.filter_map(|drill| drill.ended.as_ref()).map(|ended| ended.at);
    ends.filter(|at| of_chain(*at)).max().map(|at| case.place(at))
}

/// Why attestations could not be held against anything.
pub(super) const NO_ROOT: &str = "the private attestation root that its founding record names was not given";
pub(super) const PRACTICE: &str = "a practice key proves nothing of itself";
pub(super) const NOT_FOUNDED: &str = "the record that founded its kit is not in the ledger";

/// The roots that the kit accepts; or why they are not known.
fn roots(case: &Case) -> Result<Roots, String> {
    let Some(founded) = &case.founded else { return Err(NOT_FOUNDED.to_owned()) };
    let given = case.row.attestation_root.as_deref();
    match (founded.kind, founded.attestation_root) {
        (KitKind::Practice, _) => match given {
            Some(der) => Roots::practice(der).map_err(|error| error.to_string()),
            None => Err(PRACTICE.to_owned()),
        },
        (KitKind::Real, None) => Roots::real(None).map_err(|error| error.to_string()),
        (KitKind::Real, Some(named)) => {
            // The policy's bytes carry the root, and the founding record names its hash: either place will do.
            let of_policies = case.policies.values().filter_map(|policy| policy.attestation_root.as_deref());
            let found = given.into_iter().chain(of_policies).find(|der| Hash::of(der) == named);
            let der = found.ok_or_else(|| NO_ROOT.to_owned())?;
            Roots::real(Some(der)).map_err(|error| error.to_string())
        }
    }
}

/// Against which root the attestations of an enrolment were verified; or why they were not.
fn attested(
    case: &Case,
    record: &Record,
    facts: &KeyEnrolled,
    roots: &Result<Roots, String>,
) -> Result<String, String> {
    let roots = roots.as_ref().map_err(Clone::clone)?;
    enrolment::check(record, roots).map_err(|error| in_full(&error))?;
    let others = case.enrolments.iter().filter_map(|(_, record)| match &record.event {
        Event::KeyEnrolled(facts) => Some((&record.kid, facts)),
        _ => None,
    });
    enrolment::alone(&record.kid, facts, others).map_err(|error| in_full(&error))?;
    Ok(facts.root.clone())
}

/// An error with its causes.
fn in_full(error: &EnrolmentError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// Whether that reason means that attestations could not be checked, rather than that they are wrong.
pub fn unchecked(reason: &str) -> bool {
    [NO_ROOT, PRACTICE, NOT_FOUNDED].contains(&reason)
}
