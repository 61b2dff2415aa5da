//! `revoke`.

use std::path::PathBuf;

use clap::Args;

use super::{LastTry, reason};
use crate::attestation::Serial;
use crate::kit::policy::Kind;

#[derive(Args, Debug)]
pub(in crate::cli) struct Revoke {
    /// What was minted, by its number as a platform or incident show spells it, or by the key id of an SSH certificate
    #[arg(value_name = "NUMBER", required_unless_present_any = ["incident", "altogether"])]
    pub numbers: Vec<String>,
    /// All that was minted for this incident
    #[arg(long, conflicts_with = "altogether")]
    pub incident: Option<String>,
    /// Trust nothing any more that the key mints, whatever was minted: it leaves the trust export
    #[arg(long, requires = "key", conflicts_with = "numbers")]
    pub altogether: bool,
    /// The key that minted it
    #[arg(long, value_name = "SERIAL")]
    pub key: Option<Serial>,
    /// Only of this kind: ssh, x509, token or assertion; the last two are signed with one slot, and trusted no more together
    #[arg(long, value_parser = kind)]
    pub kind: Option<Kind>,
    /// Why, in a few words
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub why: String,
    /// Write what platforms have to replace into this new folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Sign with this admitted key
    #[arg(long, value_name = "SERIAL")]
    pub with: Option<Serial>,
    #[command(flatten)]
    pub caution: LastTry,
}

fn kind(text: &str) -> Result<Kind, &'static str> {
    text.to_owned().try_into()
}
