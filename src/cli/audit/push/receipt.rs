//! The receipt that a push brings home: for every record that was accepted, and none that was refused. One forged line in a
//! bundle is refused, and does not take the receipt for the others away.

use std::collections::HashSet;
use std::path::Path;

use crate::audit::checkpoint::note::LedgerPublic;
use crate::audit::checkpoint::receipt;
use crate::audit::push::http::{NoReceipt, Receiver};
use crate::audit::push::queue::Queue;
use crate::cli::audit::checkpoint;
use crate::cli::audit::desk::AuditDesk;
use crate::cli::audit::import::grouped;
use crate::cli::audit::trouble::{Transport, Trouble};
use crate::record::hash::Hash;

/// What came of the receipt.
pub(super) enum Fetched {
    /// Nothing was accepted that there could be a receipt for: none was asked for.
    Nothing,
    /// There is one, but no key to verify it by.
    Unverified,
    /// It holds, for so many of all.
    Good { covered: u64, of: u64 },
}

impl Fetched {
    /// Whether nothing is left to be done for it.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self, Fetched::Good { covered, of } if covered == of)
    }

    /// How many records the receipt says nothing of, where that is known.
    pub(super) fn not_covered(&self) -> Option<u64> {
        match self {
            Fetched::Good { covered, of } => Some(of - covered),
            Fetched::Nothing | Fetched::Unverified => None,
        }
    }

    pub(super) fn sentence(&self) -> String {
        match self {
            Fetched::Nothing => {
                "no record was accepted that there could be a receipt for: none was asked for\n".into()
            }
            Fetched::Unverified => "the receipt was not verified: no key of the ledger (--public)\n".into(),
            Fetched::Good { covered, of } if covered == of => {
                format!("the receipt holds for all {} records\n", grouped(*of))
            }
            Fetched::Good { covered, of } => format!(
                "the receipt holds for {} of {} records, and says nothing of the other {}\n",
                grouped(*covered),
                grouped(*of),
                grouped(of - covered)
            ),
        }
    }
}

/// The word of `--json`.
pub(super) fn word(receipt: Result<&Option<Fetched>, &Trouble>) -> Option<&'static str> {
    match receipt {
        Ok(None) => None,
        Ok(Some(Fetched::Good { .. })) => Some("verified"),
        Ok(Some(Fetched::Unverified)) => Some("not-verified"),
        Ok(Some(Fetched::Nothing)) | Err(Trouble::Transport(Transport::NoReceipt(_))) => Some("none"),
        Err(Trouble::File { .. }) => Some("not-written"),
        Err(_) => Some("wrong"),
    }
}

/// Asks for a proof of each of these records, and keeps them as one receipt in a new file.
pub(super) fn fetch(
    desk: &mut AuditDesk,
    queue: &Queue,
    heads: &HashSet<Hash>,
    receiver: &Receiver,
    path: &Path,
    public: Option<&LedgerPublic>,
) -> Result<Fetched, Trouble> {
    if heads.is_empty() {
        return Ok(Fetched::Nothing);
    }
    let mut heads: Vec<Hash> = heads.iter().copied().collect();
    heads.sort_unstable();
    let proofs: Result<Vec<String>, NoReceipt> = heads.iter().map(|head| receiver.receipt(head)).collect();
    let wrong = |cause| Transport::Receipt { path: path.into(), cause };
    let text = receipt::of(&proofs.map_err(Transport::NoReceipt)?).map_err(wrong)?;
    let fetched = match public {
        None => Fetched::Unverified,
        Some(public) => {
            let mut proven: Vec<Hash> =
                receipt::verify(&text, public).map_err(wrong)?.iter().map(|one| one.proof.record).collect();
            proven.sort_unstable();
            if proven != heads {
                return Err(Transport::OtherReceipt.into());
            }
            let covered = queue.covered(&heads.into_iter().collect()).len() as u64;
            Fetched::Good { covered, of: queue.len() }
        }
    };
    checkpoint::write_new(path, text.as_bytes(), 0o644)?;
    desk.terminal.say(&format!("receipt: {}", path.display()));
    Ok(fetched)
}
