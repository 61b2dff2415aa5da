//! What is looked at before keys that were given from elsewhere are pinned for a kit, and what there is to say of it.

use std::path::Path;

use crate::audit::ledger::{KitRow, Ledger, Trust};
use crate::audit::trust::{in_chains, similar};
use crate::cli::audit::trouble::Trouble;
use crate::kit::words::kit_words;
use crate::record::hash::{Hash, KeyId};

/// That keys are of the kit whose records are here: some of them are in its chains. What there is to say of the others.
pub(super) fn of_the_kit(
    ledger: &mut dyn Ledger,
    kit: &Hash,
    path: &Path,
    keys: &[KeyId],
) -> Result<Option<String>, Trouble> {
    let found = in_chains(ledger, kit, keys)?.len();
    let (file, all) = (path.display(), keys.len());
    match found {
        0 => Err(Trouble::Refused(format!(
            "no key of {file} is in the chains of kit {kit}: they are another kit's. Name that kit with --kit, or ask for the \
             keys of this one"
        ))),
        some if some < all => Ok(Some(format!(
            "{} of the {all} keys of {file} are in no chain of this kit that has come in",
            all - some
        ))),
        _ => Ok(None),
    }
}

/// That an id of which no record is here is not that of a kit which is here, mistyped. What there is to say of it.
pub(super) fn ahead_of_records(ledger: &mut dyn Ledger, kit: &Hash) -> Result<String, Trouble> {
    match similar(ledger, kit)? {
        Some(other) => Err(Trouble::Refused(format!(
            "no record of kit {kit} is here, and its id is nearly that of kit {other}, which is: compare them letter by letter"
        ))),
        None => Ok(format!("no record of kit {kit} has come in yet: compare its id letter by letter")),
    }
}

/// What there is to say where a kit was trusted for another reason until now.
pub(super) fn replaced(before: &KitRow, now: &Trust) -> Option<String> {
    match (&before.trust.as_ref()?.0, now) {
        (Trust::Words, Trust::Pinned(keys)) => Some(format!(
            "the kit was trusted as its words were compared; in place of that, {} now stand for it. to go back:  \
             breakglass-audit trust \"{}\"",
            count(keys.len(), "key"),
            kit_words(&before.kit).join(" ")
        )),
        (Trust::Pinned(keys), Trust::Words) => Some(format!(
            "the kit was trusted for {} that were given from elsewhere; in place of that, its words now stand for it",
            count(keys.len(), "key")
        )),
        (Trust::Pinned(old), Trust::Pinned(new)) if old != new => {
            Some(format!("in place of the {} that were given before", count(old.len(), "key")))
        }
        _ => None,
    }
}

/// `1 key`, `2 keys`.
pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
