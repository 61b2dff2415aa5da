//! From an error to what the auditor can do: exit code, the state things are in, the next step.

use std::io;
use std::process::ExitCode;

use super::desk::AuditDesk;
use crate::audit::ledger::LedgerError;

/// Every way a verb of the auditor can fail.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
    #[error("--json: {0}")]
    Json(String),
}

impl Trouble {
    /// Says it, and gives the exit code.
    pub(super) fn complain(self, desk: &mut AuditDesk) -> ExitCode {
        desk.terminal.complain(&format!("breakglass-audit: {self}"));
        let (code, next) = match &self {
            Trouble::Ledger(LedgerError::Newer { .. }) => {
                (5, "install the newer breakglass-audit; the ledger was not touched")
            }
            Trouble::Ledger(LedgerError::Engine { .. }) => {
                (5, "what was stored before stands; set right what it says, then run the same again")
            }
            Trouble::Ledger(LedgerError::Changed { .. }) => {
                (6, "keep this ledger as evidence; import the bundles into a new one and compare")
            }
            Trouble::Output(_) | Trouble::Json(_) => (5, "the ledger is as it was"),
        };
        desk.terminal.complain(&format!("next: {next}"));
        ExitCode::from(code)
    }
}
