//! `records anchor`: the auditor's ledger gave a checkpoint; a key signs that the kit has it. Whatever is signed after
//! that is later than the checkpoint, whatever this machine's clock says.

use std::path::Path;

use crate::cli::Outcome;
use crate::cli::args::Anchor;
use crate::cli::desk::Desk;
use crate::cli::hint::Trouble;
use crate::record::event::{Event, LedgerAnchored};
use crate::record::hash::Hash;
use crate::signing::Caution;

/// A checkpoint is a few hundred bytes, a receipt some more.
const CAP: usize = 1024 * 1024;

pub(in crate::cli) fn anchor(desk: &mut Desk, options: &Anchor) -> Result<Outcome, Trouble> {
    let text = read(&options.checkpoint)?;
    let Some(facts) = checkpoint(&text) else {
        return Err(Trouble::Usage(format!(
            "{} is no checkpoint: it should begin with the ledger's name, a number and a hash, and hold a signature",
            options.checkpoint.display()
        )));
    };
    let (mut kit, _lock) = desk.work()?;
    kit.founded()?;
    let known = kit
        .journal
        .records()
        .any(|(_, record)| matches!(&record.event, Event::LedgerAnchored(known) if *known == facts));
    if known {
        return Err(Trouble::refused("that checkpoint is on record already", "nothing is to be done"));
    }
    let mut readers = desk.readers(kit.kind());
    let caution = Caution { spend_last_try: options.caution.spend_last_try, accept_gap: None };
    let mut signer = desk.admitted_signer(&mut kit, readers.as_mut(), options.with, &caution)?;
    let told = format!("{} of {}, {} records", facts.checkpoint.short(), facts.origin, facts.size);
    let record = desk.at_station(readers.as_mut(), |station| {
        let event = Event::LedgerAnchored(facts);
        signer.sign(station, &mut kit, None, event, "to sign that the kit has the checkpoint")
    })?;
    desk.head_written(&mut signer);
    if desk.json {
        desk.json_result(&serde_json::json!({ "record": record.hash() }))?;
    }
    desk.terminal.say(&format!("on record: checkpoint {told}. its signature is for the auditor to check."));
    Ok(Outcome::Done)
}

fn read(path: &Path) -> Result<Vec<u8>, Trouble> {
    use std::io::Read;
    let failed = |cause| Trouble::File { path: path.to_owned(), cause };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(CAP as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// What a signed note (C2SP signed-note) that is a checkpoint (C2SP tlog-checkpoint) says, if the bytes begin with one: the
/// ledger's name, a count, a root, perhaps more lines; an empty line; lines of signatures. What follows these is not part of it.
fn checkpoint(bytes: &[u8]) -> Option<LedgerAnchored> {
    if bytes.len() > CAP {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let body = text.find("\n\n")?;
    let mut lines = text[..body].lines();
    let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
    let size: u64 =
        size.parse().ok().filter(|parsed: &u64| parsed.to_string() == size && *parsed < 1 << 53)?;
    let plausible = !origin.is_empty() && origin.len() <= 256 && !root.is_empty();
    let signatures: usize = text[body + 2..]
        .split_inclusive('\n')
        .take_while(|line| line.starts_with("— ") && line.ends_with('\n'))
        .map(str::len)
        .sum();
    let note = &bytes[..body + 2 + signatures];
    (plausible && signatures > 0).then(|| LedgerAnchored {
        checkpoint: Hash::of(note),
        origin: origin.into(),
        size,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: &str = "audit.example.org/ledger\n42\nqINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=\n\n— audit.example.org/ledger wXyz\n";

    #[test]
    fn a_checkpoint_is_read_with_or_without_what_follows() {
        let alone = checkpoint(NOTE.as_bytes()).unwrap();
        assert_eq!((alone.origin.as_str(), alone.size), ("audit.example.org/ledger", 42));
        assert_eq!(alone.checkpoint, Hash::of(NOTE.as_bytes()));
        assert_eq!(checkpoint(format!("{NOTE}\nproof 1\n").as_bytes()).unwrap(), alone);
    }

    #[test]
    fn what_is_no_checkpoint_is_not_taken_for_one() {
        for wrong in [
            String::new(),
            "name\n42\nroot\n".into(),
            NOTE.replace("42", "forty"),
            NOTE.replace("42", "042"),
            NOTE.replace("42", "9007199254740992"),
            NOTE.replace("— ", "- "),
            NOTE.trim_end().into(),
            NOTE.replacen("audit.example.org/ledger", "", 1),
        ] {
            assert!(checkpoint(wrong.as_bytes()).is_none(), "{wrong:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(bytes: Vec<u8>) {
            let _ = checkpoint(&bytes);
        }
    }
}
