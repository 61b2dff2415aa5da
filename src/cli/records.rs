//! `records list`, `verify`, `export`.

use super::Outcome;
use super::args::{Export, RecordsList};
use super::desk::Desk;
use super::hint::Trouble;

pub(super) fn list(_desk: &mut Desk, _options: &RecordsList) -> Result<Outcome, Trouble> {
    Err(Trouble::Usage("not built yet".into()))
}
pub(super) fn verify(_desk: &mut Desk) -> Result<Outcome, Trouble> {
    Err(Trouble::Usage("not built yet".into()))
}
pub(super) fn export(_desk: &mut Desk, _options: &Export) -> Result<Outcome, Trouble> {
    Err(Trouble::Usage("not built yet".into()))
}
