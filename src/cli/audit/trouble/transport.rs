//! What goes wrong between a station, a receiver and a ledger's key.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::audit::bearer::BearerError;
use crate::audit::checkpoint::CheckpointError;
use crate::audit::checkpoint::note::KeyError;
use crate::audit::checkpoint::receipt::ReceiptError;
use crate::audit::checkpoint::survey::IssueError;
use crate::audit::push::PushError;
use crate::audit::push::http::{NoReceipt, SetupError};
use crate::audit::push::queue::QueueError;
use crate::audit::push::state::StateError;
use crate::audit::receive::{ReceiveError, TlsError};

/// Every way a checkpoint, a receipt or an upload can fail.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli::audit) enum Transport {
    #[error("{}: {cause}", path.display())]
    Checkpoint { path: PathBuf, cause: CheckpointError },
    #[error("{}: {cause}", path.display())]
    Receipt { path: PathBuf, cause: ReceiptError },
    #[error("the receiver's receipt is for other records than those that were sent")]
    OtherReceipt,
    #[error("{}: {cause}", path.display())]
    LedgerKey { path: PathBuf, cause: KeyError },
    #[error("{}: {cause}", path.display())]
    Bearer { path: PathBuf, cause: BearerError },
    #[error(transparent)]
    Issue(IssueError),
    #[error(transparent)]
    Queue(QueueError),
    #[error(transparent)]
    State(StateError),
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// Not all of it was sent.
    #[error("not all was sent: {why}")]
    Unsent { why: String, again: bool },
    #[error("all was sent, but no receipt came: {0}")]
    NoReceipt(NoReceipt),
    #[error("cannot listen at {listen}: {error}")]
    Listen { listen: SocketAddr, error: io::Error },
    #[error("{listen} is not on this machine alone")]
    PlainHttp { listen: SocketAddr },
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Receive(#[from] ReceiveError),
}

impl Transport {
    /// Exit code, and what to do.
    pub(super) fn advice(&self) -> (u8, &'static str) {
        match self {
            Transport::Checkpoint { cause: CheckpointError::Text(_), .. } => {
                (5, "name a file that  breakglass-audit checkpoint --out  or a receiver has made")
            }
            Transport::Checkpoint { .. } => {
                (6, "ask for it again, and by another way for the public key; the ledger was not touched")
            }
            Transport::Receipt { cause: ReceiptError::Empty | ReceiptError::Form { .. }, .. } => {
                (5, "name a file that  checkpoint --for  or  push --receipt  has made")
            }
            Transport::Receipt { .. } | Transport::OtherReceipt => (
                6,
                "rely on nothing in it; ask the ledger's keeper by another way what became of the records",
            ),
            Transport::LedgerKey { .. } => {
                (2, "make one with  breakglass-audit checkpoint --new-key FILE;  FILE.pub is its public half")
            }
            Transport::Bearer { .. } => {
                (2, "put the one token into the file that the receiver's keeper gave you")
            }
            Transport::Issue(IssueError::Ledger(_)) | Transport::Queue(QueueError::Io { .. }) => {
                (5, "set right what it says, then run the same again")
            }
            Transport::Issue(_) => (
                6,
                "nothing was signed. keep this ledger as evidence; import the bundles into a new one and compare",
            ),
            Transport::Queue(QueueError::NoFile { .. }) => {
                (2, "nothing was sent; write the records into a file, and name that")
            }
            Transport::Queue(QueueError::Changed { .. }) => {
                (5, "what was accepted stands; run the same again when nobody writes into the bundle")
            }
            Transport::State(StateError::Busy { .. }) => (7, "wait for the other push, or end it"),
            Transport::State(StateError::OtherReceiver { .. }) => {
                (2, "name another --state for this receiver: each has its own")
            }
            Transport::State(StateError::Damaged { .. }) => {
                (5, "name a new --state: all is sent again then, which does no harm")
            }
            Transport::State(StateError::Io { .. }) => {
                (5, "what was accepted stands; set right what it says, then run the same again")
            }
            Transport::Setup(_) => (2, "nothing was sent"),
            Transport::Unsent { again: true, .. } => {
                (8, "what was accepted stands; run the same again when the receiver answers")
            }
            Transport::Unsent { again: false, .. } => (
                8,
                "what was accepted stands; set right what it says (URL, certificates, token), then run the same again",
            ),
            Transport::Listen { .. } => {
                (8, "nothing was received; name another --listen, or end who has that port")
            }
            Transport::PlainHttp { .. } => {
                (2, "listen at 127.0.0.1 or [::1], or give a certificate: --cert and --cert-key")
            }
            Transport::Tls(_) => (2, "nothing was received"),
            Transport::Receive(_) => {
                (5, "what was answered with 202 is stored; set right what it says, then run the same again")
            }
            Transport::NoReceipt(NoReceipt::Cut(_)) => {
                (8, "the records were accepted; run the same again for the receipt")
            }
            Transport::NoReceipt(NoReceipt::NotHeld { .. }) => (
                6,
                "name a new --state, so that all is sent again; ask the ledger's keeper by another way what became of the record",
            ),
            Transport::NoReceipt(NoReceipt::GivesNone { .. }) => (
                1,
                "the records were accepted; ask the receiver's keeper for receipts (receive --key), or push without --receipt",
            ),
        }
    }
}

impl From<QueueError> for Transport {
    fn from(error: QueueError) -> Self {
        Transport::Queue(error)
    }
}

impl From<StateError> for Transport {
    fn from(error: StateError) -> Self {
        Transport::State(error)
    }
}

impl From<PushError> for Transport {
    fn from(error: PushError) -> Self {
        match error {
            PushError::Queue(error) => Transport::Queue(error),
            PushError::State(error) => Transport::State(error),
        }
    }
}

impl From<IssueError> for Transport {
    fn from(error: IssueError) -> Self {
        Transport::Issue(error)
    }
}
