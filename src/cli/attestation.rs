//! `attestation LEAF DEVICE`.

use super::Outcome;
use super::args::Attestation;
use super::desk::Desk;
use super::hint::Trouble;

pub(super) fn attestation(_desk: &mut Desk, _options: &Attestation) -> Result<Outcome, Trouble> {
    Err(Trouble::Usage("not built yet".into()))
}
