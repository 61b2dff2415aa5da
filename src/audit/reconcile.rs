//! What the platforms themselves say: logins of break-glass accounts, held against the openings on record. A login that no
//! opening accounts for is the one trace of a secret that left its kit.
//!
//! Two halves that know nothing of each other: readers, which find logins in foreign logs, and [`findings`], which
//! compares logins with openings. `doc/reconcile.md` describes both.

mod matching;

pub use matching::{SPAN, Slack, TOLERANCE, findings, findings_with, unlogged};
