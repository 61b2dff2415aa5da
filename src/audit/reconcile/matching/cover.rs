//! Which times the logs of one credential cover.

use std::collections::BTreeSet;

use crate::audit::finding::{Finding, Severity, Sort};
use crate::audit::ledger::LogCover;
use crate::kit::debts::quoted;
use crate::record::hash::Hash;

/// A quiet log has no line for a while, so the last line of one and the first of the next may be this far apart, in seconds.
const QUIET: i64 = 3_600;

/// Stretches that some log covers, in order, none of which touch.
pub(in crate::audit::reconcile) struct Covered(Vec<(i64, i64)>);

impl Covered {
    pub(in crate::audit::reconcile) fn of<'a>(covers: impl Iterator<Item = &'a LogCover>) -> Self {
        let mut stretches: Vec<(i64, i64)> = covers.map(|cover| cover.from_to).collect();
        stretches.sort_unstable();
        let mut joined: Vec<(i64, i64)> = Vec::new();
        for (from, to) in stretches {
            match joined.last_mut() {
                Some((_, end)) if from <= end.saturating_add(QUIET) => *end = to.max(*end),
                _ => joined.push((from, to)),
            }
        }
        Covered(joined)
    }

    /// Whether one stretch holds all of that time.
    pub(in crate::audit::reconcile) fn holds(&self, from: i64, to: i64) -> bool {
        self.0.iter().any(|stretch| stretch.0 <= from && to <= stretch.1)
    }

    /// What lies between the stretches.
    pub(super) fn gaps(&self) -> impl Iterator<Item = (i64, i64)> {
        self.0.windows(2).map(|pair| (pair[0].1, pair[1].0))
    }
}

/// Credentials of which no log was given at all.
pub fn unlogged<'a>(
    kit: &Hash,
    credentials: impl Iterator<Item = &'a str>,
    covers: &[LogCover],
) -> Vec<Finding> {
    let logged: BTreeSet<&str> = covers.iter().map(|cover| cover.credential.as_str()).collect();
    credentials
        .filter(|name| !logged.contains(name))
        .map(|name| {
            let text = format!("no log of {name} was given: logins outside an opening cannot be seen");
            Finding::new("LOGIN-UNCOVERED", Sort::NotChecked, Severity::Info, text)
                .of(*kit)
                .then(format!("breakglass-audit reconcile LOG --format … --credential {}", quoted(name)))
        })
        .collect()
}
