//! Verbs that look and never ask for a PIN.

use super::Outcome;
use super::args::Inventory;
use super::desk::Desk;
use super::hint::Trouble;

pub(super) fn coverage(_desk: &mut Desk) -> Result<Outcome, Trouble> {
    Err(Trouble::Usage("not built yet".into()))
}
pub(super) fn inventory(_desk: &mut Desk, _options: &Inventory) -> Result<Outcome, Trouble> {
    Err(Trouble::Usage("not built yet".into()))
}
pub(super) fn status(_desk: &mut Desk) -> Result<Outcome, Trouble> {
    Err(Trouble::Usage("not built yet".into()))
}
pub(super) fn merge(_desk: &mut Desk, _other: &std::path::Path) -> Result<Outcome, Trouble> {
    Err(Trouble::Usage("not built yet".into()))
}
pub(super) fn doctor(_desk: &mut Desk) -> Result<Outcome, Trouble> {
    Err(Trouble::Usage("not built yet".into()))
}
