//! Options of the verbs that are about one key.

use clap::{Args, Subcommand, ValueEnum};

use super::{CheckIn, CheckOut, LastTry, reason};
use crate::attestation::Serial;

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum KeyVerb {
    /// Blank key to enrolled key, by a plan that is shown first; run again to resume
    Provision(Provision),
    /// Admit an enrolled key; the first one founds the kit
    Admit(Admit),
    /// Retire a key that is lost, stolen, left or worn
    Retire(Retire),
    /// Every key of the kit
    List,
    /// One plugged in key, without a PIN
    Inspect(Inspect),
    /// Change the PIN or PUK, or unblock the PIN with the PUK
    Pin(PinChange),
    /// See how the FIDO2 counter of a key that is in no kit moves (FIDO2 PIN, a touch each time)
    Calibrate(Calibrate),
    /// Two people take a key out of its bag: sign its number, its seal, and why
    #[command(name = "checkout")]
    CheckOut(CheckOut),
    /// Two people put a key into a bag: sign its number and its place
    #[command(name = "checkin")]
    CheckIn(CheckIn),
}

#[derive(Args, Debug)]
pub(in crate::cli) struct Calibrate {
    /// Which key, where several are plugged in
    pub serial: Option<Serial>,
    /// How many assertions
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(2..=100))]
    pub times: u8,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct Provision {
    /// Which key, where several are plugged in
    #[arg(long)]
    pub serial: Option<Serial>,
    /// Overwrite this key although it is not blank; its slots and objects are lost
    #[arg(long, value_name = "SERIAL")]
    pub overwrite: Option<Serial>,
    /// Go on although this rule refuses (YSA-2024-03="why", no-fido2="why"); recorded
    #[arg(long = "override", value_name = "RULE=WHY", value_parser = rule_and_why)]
    pub overrides: Vec<(String, String)>,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct Admit {
    /// The key to admit
    pub serial: Serial,
    /// Sign with this admitted key (the only one plugged in, if not said)
    #[arg(long, value_name = "SERIAL")]
    pub with: Option<Serial>,
    #[command(flatten)]
    pub caution: LastTry,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct Retire {
    /// The key to retire
    pub serial: Serial,
    /// Why: lost, stolen, left, worn
    #[arg(long, value_parser = reason)]
    pub why: String,
    /// Sign with this admitted key
    #[arg(long, value_name = "SERIAL")]
    pub with: Option<Serial>,
    #[command(flatten)]
    pub caution: LastTry,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct Inspect {
    /// Which key, where several are plugged in
    pub serial: Option<Serial>,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct PinChange {
    /// Which key, where several are plugged in
    pub serial: Option<Serial>,
    /// What to do
    #[arg(long, value_enum, default_value = "change")]
    pub what: PinWhat,
    #[command(flatten)]
    pub caution: LastTry,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum PinWhat {
    /// A new PIN by the present PIN; the FIDO2 PIN with it, where that is the same
    Change,
    /// A new PIN by the PUK
    Unblock,
    /// A new PUK by the present PUK
    Puk,
    /// A new FIDO2 PIN by the present FIDO2 PIN
    Fido2,
}

fn rule_and_why(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((rule, why)) if !rule.is_empty() && !why.trim().is_empty() => Ok((rule.into(), why.into())),
        _ => Err("write RULE=WHY, with a reason".into()),
    }
}
