//! `records export`: the bundle for the auditor with the keys to check it by, or one record for openssl.
//!
//! A file that is there is written over only where nothing that it holds is lost: an older export of the same kit, or
//! the beginning that an interrupted export left. One that holds the same records stays as it is. Anything else is
//! refused.

use std::collections::HashSet;
use std::path::Path;

use super::codes;
use super::listed;
use crate::attestation::Serial;
use crate::cli::Outcome;
use crate::cli::args::Export;
use crate::cli::desk::Desk;
use crate::cli::findings;
use crate::cli::hint::Trouble;
use crate::kit::folder::{make_folder, write_whole};
use crate::kit::{Kit, KitError};
use crate::record::bundle::Bundle;
use crate::record::event::Event;
use crate::record::interop::{assertion_for_openssl, for_openssl, jwks};
use crate::signing::Caution;

pub(in crate::cli) fn export(desk: &mut Desk, options: &Export) -> Result<Outcome, Trouble> {
    if let Some(n) = options.openssl {
        return openssl(desk, &options.to, n);
    }
    let (kit, bundle) = match options.with {
        Some(serial) => signed(desk, serial, options)?,
        None => {
            let kit = desk.look()?;
            let bundle = Bundle::of(kit.journal.chains()).into_bytes();
            (kit, bundle)
        }
    };
    let keys = jwks(kit.journal.chains()).into_bytes();
    let (records, set) = (options.to.join("records.jws"), options.to.join("jwks.json"));
    // Both are looked at before either is written.
    let there = [what_is_there(&records, &bundle)?, what_is_there(&set, &keys)?];
    make_folder(&options.to).map_err(KitError::from)?;
    for (there, path, bytes) in [(there[0], &records, &bundle), (there[1], &set, &keys)] {
        if there != There::Same {
            write_whole(path, bytes).map_err(KitError::from)?;
        }
    }
    if options.qr {
        let page = codes::page(&bundle, &kit.policy.name);
        write_whole(&options.to.join("codes.html"), page.as_bytes()).map_err(KitError::from)?;
    }
    let kept = there[0] == There::Same;
    let count = bundle.iter().filter(|byte| **byte == b'\n').count();
    let found = kit.journal.findings();
    if desk.json {
        desk.json_result(&serde_json::json!({
            "records": records, "jwks": set, "count": count, "signed_by": options.with, "kept": kept,
            "codes": options.qr.then(|| options.to.join("codes.html")), "findings": found,
        }))?;
        return Ok(findings::outcome(&found));
    }
    if kept {
        desk.line(&format!("{} holds all {count} records already; it stays as it is", records.display()))?;
        findings::say(desk, &found);
        if options.qr {
            show(desk, &options.to, &bundle)?;
        }
        return Ok(findings::outcome(&found));
    }
    let end = match options.with {
        Some(serial) => format!("the last one, signed by {serial}, counts and hashes those before it"),
        None => {
            "not ended by a signed record: a cut would not show. --with SERIAL ends it with one".to_owned()
        }
    };
    desk.line(&format!("wrote {count} records to {}", records.display()))?;
    desk.line(&format!("      {end}"))?;
    desk.line(&format!("wrote the keys to check them by to {}", set.display()))?;
    findings::say(desk, &found);
    if options.qr {
        show(desk, &options.to, &bundle)?;
    }
    Ok(findings::outcome(&found))
}

/// Says where the page is, and shows the codes where somebody can point a camera at them.
fn show(desk: &mut Desk, to: &Path, bundle: &[u8]) -> Result<(), Trouble> {
    desk.line(&format!("wrote one code for each record to {}", to.join("codes.html").display()))?;
    codes::show(desk, bundle);
    Ok(())
}

/// The bundle, ended by a record of its export; that record is in the journal before the bundle is written.
fn signed(desk: &mut Desk, serial: Serial, options: &Export) -> Result<(Kit, Vec<u8>), Trouble> {
    let (mut kit, _lock) = desk.work()?;
    kit.founded()?;
    desk.refuse_damaged(&kit)?;
    // Before the key is asked: what cannot be written needs no signature.
    what_is_there(&options.to.join("records.jws"), &Bundle::of(kit.journal.chains()).into_bytes())?;
    what_is_there(&options.to.join("jwks.json"), jwks(kit.journal.chains()).as_bytes())?;
    make_folder(&options.to).map_err(KitError::from)?;
    let caution = Caution { spend_last_try: options.caution.spend_last_try, accept_gap: None };
    let mut readers = desk.readers(kit.kind());
    let mut signer = desk.admitted_signer(&mut kit, readers.as_mut(), Some(serial), &caution)?;
    // The key may just have given a record back that only it had: the bundle is of what is on disk now.
    let kit_now = desk.look()?;
    let bundle = Bundle::of(kit_now.journal.chains());
    let event = Event::Exported(bundle.exported());
    let record = desk.at_station(readers.as_mut(), |station| {
        signer.sign(station, &mut kit, None, event, "to sign the end of the bundle")
    })?;
    desk.head_written(&mut signer);
    let bytes =
        bundle.end(&record).map_err(|error| Trouble::Refused { what: error.to_string(), next: None })?;
    Ok((kit_now, bytes))
}

/// What stands where an export is to go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum There {
    /// Nothing, or what may be written over.
    Less,
    /// The same lines, in whatever order.
    Same,
}

/// Looks at the file before it is written; refuses where something would be lost.
fn what_is_there(path: &Path, new: &[u8]) -> Result<There, Trouble> {
    let old = match std::fs::read(path) {
        Ok(old) => old,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(There::Less),
        Err(cause) => return Err(Trouble::Input { path: path.to_owned(), cause }),
    };
    match (holds(new, &old), holds(&old, new)) {
        (true, true) => Ok(There::Same),
        (true, false) => Ok(There::Less),
        (false, _) => Err(Trouble::refused(
            format!("{} is there and holds something that this export does not", path.display()),
            "name another folder",
        )),
    }
}

/// Whether every line of `old` is a line of `new`, an unfinished last one at least the beginning of one.
fn holds(new: &[u8], old: &[u8]) -> bool {
    let lines: HashSet<&[u8]> = new.split_inclusive(|byte| *byte == b'\n').collect();
    old.split_inclusive(|byte| *byte == b'\n').all(|line| match line.ends_with(b"\n") {
        true => lines.contains(line) || is_list_end(line),
        false => new.split_inclusive(|byte| *byte == b'\n').any(|whole| whole.starts_with(line)),
    })
}

/// The end of a JSON list's last member, which gets a comma once another member follows.
fn is_list_end(line: &[u8]) -> bool {
    line.trim_ascii() == b"}"
}

fn openssl(desk: &mut Desk, to: &Path, n: usize) -> Result<Outcome, Trouble> {
    let kit = desk.look()?;
    let found =
        listed(&kit).find(|(number, ..)| *number == n).map(|(_, chain, record)| (chain, record.clone()));
    let Some((chain, record)) = found else {
        return Err(Trouble::Usage(format!(
            "there is no record {n}; breakglass records list has {}",
            kit.journal.count()
        )));
    };
    let key = kit.journal.chains().find(|c| c.name() == chain).and_then(|c| c.key());
    let Some(key) = key else {
        return Err(Trouble::Damaged(format!("the key of {chain} is not known: its enrolment is missing")));
    };
    let parts = for_openssl(&record, key);
    let name = parts.files[0].0.trim_end_matches(".input").to_owned();
    let mut command = parts.command;
    let mut files: Vec<(String, Vec<u8>)> = parts.files.into();
    // An assertion is signed by the key's FIDO2 side, which the enrolment names.
    if let Event::OpenAsserted(facts) = &record.event
        && let Some(fido2) = kit.key(&record.kid).and_then(|key| key.facts.fido2)
    {
        let assertion = assertion_for_openssl(&record, facts, &fido2.public.0.into());
        files.extend(assertion.files);
        command = format!("{command} && {}", assertion.command);
    }
    files.push((format!("{name}.command"), format!("{command}\n").into_bytes()));
    // Content follows from the record and its key alone, so what is there is either the same or not ours.
    for (name, bytes) in &files {
        let path = to.join(name);
        if std::fs::read(&path).is_ok_and(|old| !bytes.starts_with(&old)) {
            return Err(Trouble::refused(
                format!("{} is there and holds something else", path.display()),
                "name another folder",
            ));
        }
    }
    make_folder(to).map_err(KitError::from)?;
    for (name, bytes) in &files {
        write_whole(&to.join(name), bytes).map_err(KitError::from)?;
    }
    if desk.json {
        let names: Vec<&String> = files.iter().map(|(name, _)| name).collect();
        desk.json_result(&serde_json::json!({
            "folder": to, "files": names, "command": command, "chain": chain, "seq": record.link.seq,
        }))?;
        return Ok(Outcome::Done);
    }
    desk.terminal.say(&format!(
        "wrote {} files for record {}/{}. to verify it:",
        files.len(),
        record.serial,
        record.link.seq
    ));
    desk.line(&format!("cd {} && {}", to.display(), command))?;
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::holds;

    #[test]
    fn an_older_export_and_the_beginning_of_one_are_held() {
        let new = b"a\nbb\ncc\n";
        for old in [&b""[..], b"a\n", b"a\ncc\n", b"a\nb", b"a\nbb", new] {
            assert!(holds(new, old), "{old:?}");
        }
        for other in [&b"x\n"[..], b"a\nbc", b"a\nbb\ncc\ndd\n", b"b\n", b"\xff"] {
            assert!(!holds(new, other), "{other:?}");
        }
    }
}
