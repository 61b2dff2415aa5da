//! From an error to what the auditor can do: exit code, the state things are in, the next step.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

mod transport;

pub(super) use transport::Transport;

use super::desk::AuditDesk;
use crate::audit::checkpoint::survey::IssueError;
use crate::audit::import::ImportError;
use crate::audit::ledger::LedgerError;
use crate::audit::receive::ReceiveError;

/// Every way a verb of the auditor can fail.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What was given on the command line, or in a file that it names, is not of the right form.
    #[error("{0}")]
    Usage(String),
    /// The verb does not do that, and nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// The verb does not do that, because something is wrong with what it was given.
    #[error("{0}")]
    Wrong(String),
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("reading {source_name}: {error}")]
    Read { source_name: String, error: io::Error },
    #[error(transparent)]
    Transport(Transport),
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
    #[error("--json: {0}")]
    Json(String),
}

impl From<ImportError> for Trouble {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Read { source_name, error } => Trouble::Read { source_name, error },
            ImportError::Ledger(error) => Trouble::Ledger(error),
        }
    }
}

impl<E: Into<Transport>> From<E> for Trouble {
    fn from(error: E) -> Self {
        match error.into() {
            // A ledger is told of in one way, whoever met its error.
            Transport::Issue(IssueError::Ledger(error)) | Transport::Receive(ReceiveError::Ledger(error)) => {
                Trouble::Ledger(error)
            }
            error => Trouble::Transport(error),
        }
    }
}

impl Trouble {
    /// Says it, and gives the exit code.
    pub(super) fn complain(self, desk: &mut AuditDesk) -> ExitCode {
        desk.terminal.complain(&format!("breakglass-audit: {self}"));
        let (code, next) = match &self {
            Trouble::Ledger(LedgerError::Newer { .. }) => {
                (5, "install the newer breakglass-audit; the ledger was not touched")
            }
            Trouble::Ledger(LedgerError::Missing { .. }) => {
                (5, "name the ledger with --ledger, or make it:  breakglass-audit import FILES…")
            }
            Trouble::Ledger(LedgerError::NotALedger { .. }) => {
                (5, "nothing was written to it; name the right one with --ledger")
            }
            Trouble::Ledger(LedgerError::Busy { .. }) => {
                (7, "what was stored before stands; run the same again when the other is done")
            }
            Trouble::Ledger(LedgerError::Unreachable { .. }) => {
                (8, "what was stored before stands; run the same again when the server answers")
            }
            Trouble::Ledger(LedgerError::Moved { .. }) => (
                5,
                "what was stored before is in the file that was taken away: put it back, or run the same again with the new one",
            ),
            Trouble::Ledger(LedgerError::ReadOnly { .. }) => {
                (5, "copy its whole folder to where you may write, and name the ledger in the copy")
            }
            Trouble::Ledger(LedgerError::Engine { .. }) => {
                (5, "what was stored before stands; set right what it says, then run the same again")
            }
            Trouble::Ledger(LedgerError::Changed { .. }) => {
                (6, "keep this ledger as evidence; import the bundles into a new one and compare")
            }
            Trouble::Usage(_) => (2, "set right what it says; the ledger is as it was"),
            Trouble::Refused(_) => (1, "set right what it says, and try again; the ledger is as it was"),
            Trouble::Wrong(_) => (6, "the ledger is as it was; keep what you were given as evidence"),
            Trouble::File { error, .. } if error.kind() == io::ErrorKind::AlreadyExists => {
                (5, "it is as it was: nothing is written over; name another file")
            }
            Trouble::File { .. } | Trouble::Read { .. } => {
                (5, "what was stored before stands; set right what it says, then run the same again")
            }
            Trouble::Transport(error) => error.advice(),
            Trouble::Output(_) | Trouble::Json(_) => (
                5,
                "what was done stands; only what there was to say of it is lost. set right where it goes, then look again",
            ),
        };
        desk.terminal.complain(&format!("next: {next}"));
        ExitCode::from(code)
    }
}
