//! The auditor's side: records of many kits in one ledger, what they show, and what nobody can know.
//!
//! Two questions are kept apart. *Is it whole?* is answered while records come in: each line's bytes are kept, whatever is
//! wrong with them, with what was found. *Was it allowed?* is answered afterwards, from the ledger alone, as often as
//! somebody asks: [`assessment`] is what came of it. Nothing here knows a key or a reader.

pub mod assess;
pub mod assessment;
pub mod bearer;
pub mod checkpoint;
pub mod finding;
pub mod import;
pub mod ledger;
pub mod push;
pub mod qr;
pub mod receive;
pub mod reconcile;
pub mod report;
pub mod rules;
pub mod siem;
pub mod time;
pub mod trust;
