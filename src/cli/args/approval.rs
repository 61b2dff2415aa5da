//! Options of the verbs that ask for an approval, give it, and tell of an opening.

use std::path::PathBuf;

use clap::Args;

use super::LastTry;
use crate::attestation::Serial;
use crate::cli::why::Why;
use crate::kit::name::{CredentialName, Name};
use crate::kit::policy::Length;

#[derive(Args, Debug)]
pub(in crate::cli) struct Request {
    /// platform/account
    pub credential: CredentialName,
    #[command(flatten)]
    pub why: Why,
    /// How you were known: the kind of document, or "known in person"
    #[arg(long, value_name = "KIND")]
    pub document: Option<String>,
    /// Its number; it stays in the request and goes into no record
    #[arg(long, value_name = "NUMBER")]
    pub number: Option<String>,
    /// Who saw you and it, by the name in the policy
    #[arg(long, value_name = "NAME")]
    pub seen_by: Option<Name>,
    /// How long it may be used, such as 30m (as long as the policy grants an opening, if not said)
    #[arg(long = "for", value_name = "LENGTH", value_parser = length)]
    pub lasts: Option<Length>,
    /// Another generation than the current one
    #[arg(long, value_name = "N")]
    pub generation: Option<u64>,
    /// Where to write it: a folder, or a new file
    #[arg(long, value_name = "DIR|FILE", default_value = ".")]
    pub out: PathBuf,
    /// Show it as a code on this terminal, too: any camera reads the text
    #[arg(long)]
    pub qr: bool,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct Approve {
    /// The request, as breakglass request wrote it; - for its one line, typed or scanned here
    #[arg(value_name = "FILE|-")]
    pub request: PathBuf,
    /// Sign with this key of yours (the only admitted one plugged in, if not said)
    #[arg(long, value_name = "SERIAL")]
    pub with: Option<Serial>,
    /// Where to write the approval: a folder, or a new file
    #[arg(long, value_name = "DIR|FILE", default_value = ".")]
    pub out: PathBuf,
    /// Show it as codes on this terminal, too
    #[arg(long)]
    pub qr: bool,
    #[command(flatten)]
    pub caution: LastTry,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct Notify {
    /// The incident or ticket (the only one that somebody is to be told of, if not said)
    pub incident: Option<String>,
    /// Where to write the notices, and the records that prove them
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

fn length(text: &str) -> Result<Length, String> {
    Length::try_from(text.to_owned()).map_err(|error| error.to_string())
}
