//! `doctor`: what is missing on this machine, each with the command that mends it. Works without a kit, too.

use std::path::Path;

use super::desk::{Desk, date, now};
use super::hint::Trouble;
use super::{Outcome, findings};
use crate::kit::finding::Finding;
use crate::kit::folder::FolderError;
use crate::kit::{Kit, KitError};
use crate::record::event::KitKind;

mod fido2;
mod machine;
mod readers;

pub(super) use readers::likely_holders;

/// 2026-11-21: this program was written no earlier, so no clock that is right shows less.
const WRITTEN: i64 = 1_795_219_200;

/// Clocks of two machines may differ by that much, in seconds.
const DRIFT: i64 = 120;

/// Room that a kit should have on its medium, in bytes: about 800 records.
const ROOM: u64 = 2 << 20;

/// What was found, and what is as it should be.
#[derive(Default)]
struct Report {
    findings: Vec<Finding>,
    fine: Vec<String>,
}

impl Report {
    fn due(&mut self, rule: &'static str, text: String, next: &str) {
        self.findings.push(Finding::due(rule, text, next.to_owned()));
    }

    fn fine(&mut self, text: impl Into<String>) {
        self.fine.push(text.into());
    }
}

pub(super) fn doctor(desk: &mut Desk) -> Result<Outcome, Trouble> {
    let mut report = Report::default();
    let kit = kit(desk, &mut report);
    let practice = kit.as_ref().is_some_and(|kit| kit.kind() == KitKind::Practice);
    readers::look(practice, &mut report);
    secrets(desk, &mut report);
    environment(&mut report);
    clock(now(), kit.as_ref(), &mut report);
    report.findings.sort_by_key(|finding| finding.weight);
    let outcome = findings::outcome(&report.findings);
    if desk.json {
        desk.json_result(&serde_json::json!({ "findings": report.findings, "fine": report.fine }))?;
        return Ok(outcome);
    }
    if let Some(kit) = &kit {
        desk.practice_banner(kit);
    }
    findings::print(desk, &report.findings)?;
    for text in &report.fine {
        desk.line(&format!("{:<12} {text}", "fine"))?;
    }
    Ok(outcome)
}

/// The kit and its medium.
fn kit(desk: &Desk, report: &mut Report) -> Option<Kit> {
    let path = desk.kit_path().display();
    let kit = match desk.look() {
        Ok(kit) => kit,
        Err(Trouble::Kit(KitError::NotAKit(_))) => {
            let text = format!("no kit in {path}: only the machine was looked at");
            report.findings.push(Finding::note("KIT", text).then("breakglass --kit DIR doctor"));
            return None;
        }
        Err(trouble) => {
            let text = format!("the kit in {path} cannot be read: {trouble}");
            report.findings.push(Finding::wrong("KIT", text).then("breakglass records verify"));
            return None;
        }
    };
    let journal = kit.folder.journal().display().to_string();
    match kit.folder.reserve() {
        Ok(()) => report.fine(format!("{journal} takes a record")),
        Err(FolderError::ReadOnly { .. }) => {
            report.due(
                "MEDIUM",
                format!("{journal} is read-only"),
                "write the records elsewhere:  --journal DIR",
            );
        }
        Err(error) => report.due(
            "MEDIUM",
            format!("{journal} takes no record: {error}"),
            "make room, or write the records elsewhere:  --journal DIR",
        ),
    }
    match rustix::fs::statvfs(desk.kit_path()) {
        Ok(medium) if medium.f_bavail.saturating_mul(medium.f_frsize) < ROOM => {
            let left = medium.f_bavail.saturating_mul(medium.f_frsize) / 1024;
            report.due(
                "MEDIUM",
                format!("only {left} KiB are left in {path}"),
                "take the kit to a larger medium",
            );
        }
        _ => {}
    }
    if let Some(damage) = kit.journal.damage() {
        report.findings.push(Finding::wrong("KIT", damage).then("breakglass records verify"));
    }
    Some(kit)
}

/// Where secrets could be left behind.
fn secrets(desk: &Desk, report: &mut Report) {
    match machine::swaps() {
        swaps if swaps.is_empty() => report.fine("no swap: what is in memory does not reach a disk"),
        swaps => report.due(
            "SWAP",
            format!("swap is on ({}): a secret in memory may reach the disk", swaps.join(", ")),
            "sudo swapoff -a",
        ),
    }
    match desk.unhardened[..] {
        [] => report.fine("no core file, no debugger of this user"),
        _ => {
            for text in &desk.unhardened {
                report.due("HARDENING", (*text).to_owned(), "ulimit -c 0   or another kernel");
            }
        }
    }
}

/// Variables that turn this program, the way to the keys, or what others log.
fn environment(report: &mut Report) {
    let mut none = true;
    for (name, why) in [
        ("LD_PRELOAD", "other code is loaded into this program, and can read what it reads"),
        ("LD_LIBRARY_PATH", "libraries are taken from elsewhere than the system's"),
        ("PCSCLITE_CSOCK_NAME", "keys are looked for at another pcscd than the system's"),
        ("RUST_LOG", "programs that log by it may print PINs (age-plugin-yubikey does, at trace)"),
    ] {
        if let Some(value) = machine::variable(name) {
            none = false;
            report.due("ENVIRONMENT", format!("{name} is set to {value}: {why}"), &format!("unset {name}"));
        }
    }
    if none {
        report.fine("nothing in the environment changes what runs or what is logged");
    }
}

/// Whether the clock can be right: records carry what it says.
fn clock(now: i64, kit: Option<&Kit>, report: &mut Report) {
    const SET: &str = "sudo date --utc --set 'YYYY-MM-DD hh:mm'";
    if now < WRITTEN {
        let text = format!("the clock says {}: before this program was written", date(now));
        return report.due("CLOCK", text, SET);
    }
    let newest = kit.and_then(|kit| kit.journal.records().map(|(_, r)| (r.iat, r.serial, r.link.seq)).max());
    match newest {
        Some((claimed, serial, seq)) if claimed > now + DRIFT => {
            let text =
                format!("the clock says {}, but record {serial}/{seq} claims {}", date(now), date(claimed));
            report.due("CLOCK", text, SET);
        }
        _ => report.fine(format!("the clock says {}", date(now))),
    }
}

/// Whether something that is installed by hand is there.
fn installed(folder: &str, part: &str) -> bool {
    std::fs::read_dir(Path::new(folder)).is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.file_name().to_string_lossy().contains(part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_before_the_program_is_found() {
        for (now, due) in [(WRITTEN - 1, 1), (WRITTEN, 0), (0, 1)] {
            let mut report = Report::default();
            clock(now, None, &mut report);
            assert_eq!(report.findings.len(), due, "{now}");
        }
    }

    #[test]
    fn a_clock_behind_the_newest_record_is_found() {
        use crate::kit::folder::Folder;
        use crate::record::sample::{NOON, Writer};
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::at(dir.path(), None);
        let mut writer = Writer::new(1);
        let enrolment = writer.enrolment();
        writer.write(enrolment);
        let text = crate::kit::policy::template("test", KitKind::Practice);
        folder.write_new("kit.toml", text.as_bytes()).unwrap();
        folder.write_new(&format!("journal/{}.jws", writer.name()), &writer.journal()).unwrap();
        let kit = Kit::read(folder, crate::record::chain::Depth::Every).unwrap();
        for (now, due) in [(NOON - DRIFT - 1, 1), (NOON - DRIFT, 0), (NOON + 86_400, 0)] {
            let mut report = Report::default();
            clock(now, Some(&kit), &mut report);
            assert_eq!(report.findings.len(), due, "{now}");
        }
    }
}
