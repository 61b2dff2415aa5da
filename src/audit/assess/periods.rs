//! What a key's silence proves: only a FIDO2 counter that moves by a fixed step can show that nothing else used it.

use super::case::{Case, ChainFacts};
use super::keys::{PRACTICE, unchecked};
use crate::audit::assessment::{Period, Use};
use crate::record::counter::{Claim, Counted};
use crate::record::event::{CounterProfile, KeyEnrolled};

/// What is known of each stretch of a chain, the oldest first; neighbours of which the same is known are one.
///
/// What a program can count it can count as it likes: nothing is proven of a key whose attestations do not bear out its enrolment,
/// or could not be checked. A practice key is one, which its kit says of itself.
pub(super) fn periods(
    case: &Case,
    chain: &ChainFacts,
    facts: &KeyEnrolled,
    attested: &Result<String, String>,
) -> Vec<Period> {
    let begin = case.claimed(chain.first);
    let whole =
        |why: &str| vec![Period { from: begin, to: None, use_of_it: Use::CannotBeProven(why.into()) }];
    let Some(account) = &chain.account else { return whole("its enrolment is not in the ledger") };
    if facts.fido2.is_none() {
        return whole("it has no FIDO2 side in this kit, and PIV keeps no count of what is done with it");
    }
    match attested {
        Err(why) if why == PRACTICE => {}
        Err(why) if unchecked(why) => return whole("its attestations were not checked"),
        Err(_) => return whole("its attestations do not bear out its enrolment"),
        Ok(_) => {}
    }
    // Who has a copy can bring its counter to where the other's is: no stretch is proven any more, before or after.
    let copied = chain
        .observations
        .iter()
        .any(|observation| matches!(observation.what, Counted::Standstill { .. } | Counted::Regress { .. }));
    let mut observed = chain.observations.iter().peekable();
    let mut periods: Vec<Period> = Vec::new();
    let mut from = begin;
    for (seq, _) in account.shown().filter(|(seq, _)| *seq > case.seq(chain.first)) {
        let Some(to) = case.record_at(chain, seq).map(|at| case.claimed(at)) else { continue };
        let mut what = None;
        while let Some(observation) = observed.next_if(|observation| observation.seq <= seq) {
            let of_counter =
                !matches!(observation.what, Counted::Missing | Counted::Invalid(_) | Counted::OverUnknown);
            if observation.seq == seq && of_counter {
                what = Some(observation.what);
            }
        }
        let use_of_it = match known(what, account.profile()) {
            Use::ProvenUnused if copied => Use::CannotBeProven(
                "its counter did not rise at another time: there is a copy of it, or another key".into(),
            ),
            known => known,
        };
        match periods.last_mut() {
            Some(last) if last.use_of_it == use_of_it => last.to = Some(to),
            _ => periods.push(Period { from, to: Some(to), use_of_it }),
        }
        from = to;
    }
    let why = "nothing of its FIDO2 side is on record since".to_owned();
    periods.push(Period { from, to: None, use_of_it: Use::CannotBeProven(why) });
    periods
}

/// What the counter between two assertions shows.
fn known(what: Option<Counted>, profile: Option<CounterProfile>) -> Use {
    let cannot = |why: &str| Use::CannotBeProven(why.to_owned());
    match what {
        Some(Counted::Jump { more, claim }) => Use::Used { times: more, certain: claim == Claim::Certain },
        Some(Counted::Explained { .. }) => cannot(
            "openings that stopped half way account for how far its counter moved, and so might others",
        ),
        Some(Counted::Standstill { .. } | Counted::Regress { .. }) => {
            cannot("its counter did not rise: there is a copy of it, or another key")
        }
        _ => match profile {
            Some(CounterProfile::Exact { .. }) => Use::ProvenUnused,
            Some(CounterProfile::Monotonic) | None => {
                cannot("its counter moves by no fixed step, so that one use cannot be told from two")
            }
        },
    }
}
