//! What keys of the kit are made to mint: short-lived credentials that do not exist before the emergency.

pub use crate::record::event::MintKind as Kind;

/// `a key is made to mint SSH certificates (83), tokens (85) …`, for people. `None` where keys mint nothing.
pub(super) fn sentence(kinds: &[Kind]) -> Option<String> {
    let what: Vec<String> = kinds.iter().map(|kind| format!("{} ({})", kind.plural(), kind.slot())).collect();
    (!what.is_empty()).then(|| {
        format!(
            "a key is made to mint {} when it is provisioned; one that was provisioned before is not",
            what.join(", ")
        )
    })
}
