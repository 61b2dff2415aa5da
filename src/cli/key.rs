//! `key list` and `key inspect`.

use super::Outcome;
use super::args::Inspect;
use super::desk::Desk;
use super::hint::Trouble;

pub(super) fn list(_desk: &mut Desk) -> Result<Outcome, Trouble> {
    Err(Trouble::Usage("not built yet".into()))
}
pub(super) fn inspect(_desk: &mut Desk, _options: &Inspect) -> Result<Outcome, Trouble> {
    Err(Trouble::Usage("not built yet".into()))
}
