//! The way to the keys: pcscd, its driver, its permission, the readers, and who else holds them.

use std::path::Path;

use super::machine::{self, Usb};
use super::{Report, fido2, installed};
use crate::device::DeviceError;
use crate::device::fido2::port::{self, UsbDevice};
use crate::kit::finding::{Finding, Weight};

const SOCKET: [&str; 2] = ["/run/pcscd/pcscd.comm", "/var/run/pcscd/pcscd.comm"];
const PCSCD: [&str; 3] = ["/usr/sbin/pcscd", "/usr/bin/pcscd", "/usr/local/sbin/pcscd"];
const DRIVER: [&str; 4] = [
    "/usr/lib/pcsc/drivers/ifd-ccid.bundle",
    "/usr/lib64/pcsc/drivers/ifd-ccid.bundle",
    "/usr/local/lib/pcsc/drivers/ifd-ccid.bundle",
    "/usr/lib/x86_64-linux-gnu/pcsc/drivers/ifd-ccid.bundle",
];

/// What one reader shows.
pub(super) struct Shown {
    pub(super) reader: String,
    /// No card, its serial number, or why not.
    pub(super) card: Option<Result<String, DeviceError>>,
    pub(super) usb: Option<UsbDevice>,
}

/// A practice kit needs none of this: what is missing is only told.
pub(super) fn look(practice: bool, report: &mut Report) {
    let before = report.findings.len();
    let usb = machine::yubikeys(Path::new("/sys/bus/usb/devices"));
    let programs = machine::programs();
    let survey = survey();
    let rules = installed("/etc/udev/rules.d", "breakglass");
    if cfg!(feature = "hardware") {
        let devices = port::devices(Path::new(port::SYSFS));
        fido2::look(&devices, survey.as_deref().ok(), port::may_open, rules, report);
    }
    match survey {
        Ok(shown) => readers(&shown, &usb, report),
        Err(DeviceError::NoService) => no_service(&programs, report),
        Err(DeviceError::AccessDenied) => report.due(
            "PCSCD-ACCESS",
            "pcscd refuses this user (polkit)".into(),
            "install -m 644 udev/breakglass-pcscd.rules /etc/polkit-1/rules.d/50-breakglass-pcscd.rules   and join the group breakglass",
        ),
        Err(error) => report.due("PCSCD", error.to_string(), "sudo systemctl restart pcscd"),
    }
    if !machine::any_exists(&DRIVER) && cfg!(feature = "hardware") {
        report.due(
            "PCSCD-DRIVER",
            "pcscd has no driver for USB keys (ifd-ccid)".into(),
            "sudo apt-get install libccid",
        );
    }
    for holder in machine::holders(&programs, &usb) {
        let text = format!("{} (pid {}) runs, and may hold the reader", holder.name, holder.pid);
        report.due("HOLDER", text, &to_free(&holder));
    }
    if practice {
        for finding in &mut report.findings[before..] {
            *finding = Finding { weight: Weight::Note, ..finding.clone() };
        }
        report.fine("a practice kit needs no pcscd, reader or rule");
    }
    match rules {
        true => report.fine("the udev rules are installed"),
        false => report.findings.push(
            Finding::note(
                "UDEV",
                "the udev rules are not installed; FIDO2 needs them over SSH, without a seat and for service users"
                    .into(),
            )
            .then("udev/README.md"),
        ),
    }
}

/// Programs that may hold a reader, each with the command that ends it.
pub(in crate::cli) fn likely_holders() -> Vec<(String, String)> {
    let usb = machine::yubikeys(Path::new("/sys/bus/usb/devices"));
    let holders = machine::holders(&machine::programs(), &usb);
    holders.iter().map(|holder| (format!("{} (pid {})", holder.name, holder.pid), to_free(holder))).collect()
}

fn to_free(holder: &machine::Program) -> String {
    match holder.name.as_str() {
        "scdaemon" => "gpgconf --kill scdaemon".to_owned(),
        _ => format!("end it, if the key is needed:  kill {}", holder.pid),
    }
}

#[cfg(feature = "hardware")]
fn survey() -> Result<Vec<Shown>, DeviceError> {
    use crate::device::piv::pcsc::{Limits, PcscReaders};
    let surveyed = PcscReaders::new(Limits::default(), crate::device::provisioning::open).survey()?;
    let shown = |one: crate::device::piv::pcsc::Surveyed| Shown {
        reader: one.reader,
        card: one.serial.map(|serial| serial.map(|serial| serial.to_string())),
        usb: one.usb,
    };
    Ok(surveyed.into_iter().map(shown).collect())
}

#[cfg(not(feature = "hardware"))]
fn survey() -> Result<Vec<Shown>, DeviceError> {
    Err(DeviceError::Service("this build has no drivers".into()))
}

fn readers(shown: &[Shown], usb: &[Usb], report: &mut Report) {
    report.fine("pcscd answers");
    for Shown { reader, card, .. } in shown {
        match card {
            Some(Ok(serial)) => report.fine(format!("{reader}: key {serial}")),
            None => report.fine(format!("{reader}: empty")),
            Some(Err(DeviceError::NoPiv { .. })) => report.findings.push(Finding::note(
                "READER",
                format!("the card in {reader} has no PIV: it is of no use here"),
            )),
            Some(Err(error @ DeviceError::Busy { .. })) => {
                report.due(
                    "READER",
                    error.to_string(),
                    "end the program that holds it; the likely ones are named here",
                );
            }
            Some(Err(error)) => {
                report.due("READER", format!("{reader}: {error}"), "take the key out and put it in again");
            }
        }
    }
    let keys = shown.iter().filter(|one| one.card.is_some()).count();
    for key in usb.iter().filter(|key| !key.ccid) {
        let text = format!("the YubiKey at USB port {} does not show its smart card side", key.port);
        report.due("READER", text, "ykman config usb --enable PIV");
    }
    if keys < usb.iter().filter(|key| key.ccid).count() {
        report.due(
            "READER",
            "a YubiKey is on USB, but pcscd does not show it: another program may have taken it".into(),
            "gpgconf --kill scdaemon; sudo systemctl restart pcscd",
        );
    } else if keys == 0 {
        report.findings.push(Finding::note("READER", "no key is plugged in".into()));
    }
}

fn no_service(programs: &[machine::Program], report: &mut Report) {
    let systemd = machine::any_exists(&["/run/systemd/system"]);
    let start = if systemd { "sudo systemctl start pcscd" } else { "sudo pcscd" };
    let running = programs.iter().find(|program| program.name == "pcscd");
    match running {
        _ if !machine::any_exists(&PCSCD) => {
            report.due("PCSCD", "pcscd is not installed".into(), "sudo apt-get install pcscd libccid");
        }
        Some(pcscd) if !machine::any_exists(&SOCKET) => report.due(
            "PCSCD",
            format!("pcscd runs (pid {}), but its socket {} is not there", pcscd.pid, SOCKET[0]),
            "sudo systemctl restart pcscd.socket pcscd",
        ),
        Some(pcscd) => report.due(
            "PCSCD",
            format!("pcscd runs (pid {}), but does not answer", pcscd.pid),
            "sudo systemctl restart pcscd",
        ),
        None => report.due("PCSCD", "pcscd is not running".into(), start),
    }
}
