//! Options of the verbs that say where a key is.

use clap::Args;

use super::{LastTry, reason};
use crate::attestation::Serial;
use crate::kit::name::Name;
use crate::record::event::SealSeen;

#[derive(Args, Debug)]
pub(in crate::cli) struct CheckOut {
    /// The key that was taken out
    pub serial: Serial,
    /// The number that you read on the bag ("" if it has none)
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    pub bag: String,
    /// How you found its seal: intact, broken or none
    #[arg(long, value_parser = seal)]
    pub seal: SealSeen,
    /// Who takes it, by the name in the policy
    #[arg(long, value_name = "NAME")]
    pub person: Name,
    /// Who sees it; another one
    #[arg(long, value_name = "NAME")]
    pub witness: Name,
    /// Why: incident, drill, rotation
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub why: String,
    /// Sign with this admitted key (the only one plugged in, if not said)
    #[arg(long, value_name = "SERIAL")]
    pub with: Option<Serial>,
    #[command(flatten)]
    pub caution: LastTry,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct CheckIn {
    /// The key that is put away
    pub serial: Serial,
    /// Where it lies from now on
    #[arg(long, value_name = "PLACE", value_parser = place)]
    pub place: String,
    /// The number of its new bag ("" if it has none)
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    pub bag: String,
    /// Who puts it away, by the name in the policy
    #[arg(long, value_name = "NAME")]
    pub person: Name,
    /// Who sees it; another one
    #[arg(long, value_name = "NAME")]
    pub witness: Name,
    /// Sign with this admitted key (the only one plugged in, if not said)
    #[arg(long, value_name = "SERIAL")]
    pub with: Option<Serial>,
    #[command(flatten)]
    pub caution: LastTry,
}

fn seal(text: &str) -> Result<SealSeen, &'static str> {
    text.to_owned().try_into()
}

/// A number on a bag: one line, or nothing.
pub(in crate::cli) fn number(text: &str) -> Result<String, &'static str> {
    match text.len() <= 64 && !text.chars().any(char::is_control) {
        true => Ok(text.trim().to_owned()),
        false => Err("at most 64 bytes on one line"),
    }
}

/// A place: one line.
pub(in crate::cli) fn place(text: &str) -> Result<String, &'static str> {
    match text.trim().is_empty() {
        true => Err("say where"),
        false => number(text),
    }
}
