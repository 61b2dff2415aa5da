//! Options of the verbs that seal.

use std::path::PathBuf;

use clap::Args;

use super::LastTry;
use crate::attestation::Serial;
use crate::kit::name::CredentialName;

#[derive(Args, Debug)]
pub(in crate::cli) struct Source {
    /// Read the secret from this file
    #[arg(long, value_name = "FILE", conflicts_with = "generate")]
    pub from: Option<PathBuf>,
    /// Generate the secret here: so many letters and digits; nobody sees it before an opening
    #[arg(long, value_name = "LENGTH", num_args = 0..=1, default_missing_value = "20")]
    pub generate: Option<usize>,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct Seal {
    /// platform/account
    pub credential: CredentialName,
    #[command(flatten)]
    pub source: Source,
    /// How many keys are needed to open
    #[arg(long, short = 'k', default_value_t = 1, value_name = "K")]
    pub threshold: u8,
    /// Seal to these keys only (all admitted ones, if not said)
    #[arg(long = "to", value_name = "SERIAL", value_delimiter = ',')]
    pub to: Vec<Serial>,
    /// User name to log in with
    #[arg(long, default_value = "")]
    pub user: String,
    /// Where to log in
    #[arg(long, default_value = "")]
    pub login: String,
    /// What to do then: a text file
    #[arg(long, value_name = "FILE")]
    pub runbook: Option<PathBuf>,
    /// What opening asks of each key: piv, or piv,fido2 (what each key has, if neither is said here nor in the policy)
    #[arg(long, value_name = "FACTORS", value_delimiter = ',')]
    pub factors: Vec<String>,
    /// Sign with this admitted key
    #[arg(long, value_name = "SERIAL")]
    pub with: Option<Serial>,
    /// Write what goes on the bags to this file as well
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    #[command(flatten)]
    pub caution: LastTry,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct Rotate {
    /// platform/account
    pub credential: CredentialName,
    #[command(flatten)]
    pub source: Source,
    /// The platform has the pending generation now: it becomes the current one
    #[arg(long, conflicts_with_all = ["from", "generate"])]
    pub confirm_pending: bool,
    /// How many keys are needed to open (as before, if not said)
    #[arg(long, short = 'k', value_name = "K")]
    pub threshold: Option<u8>,
    /// Seal to these keys only (as before, less those retired, if not said)
    #[arg(long = "to", value_name = "SERIAL", value_delimiter = ',')]
    pub to: Vec<Serial>,
    /// What opening asks of each key: piv, or piv,fido2 (what each key has, if neither is said here nor in the policy)
    #[arg(long, value_name = "FACTORS", value_delimiter = ',')]
    pub factors: Vec<String>,
    /// Sign with this admitted key
    #[arg(long, value_name = "SERIAL")]
    pub with: Option<Serial>,
    #[command(flatten)]
    pub caution: LastTry,
}
