//! `trust`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::LastTry;
use crate::attestation::Serial;
use crate::mint::Label;
use crate::mint::ssh::Source;

/// Where files for SSH lie, if nothing else is said.
pub(in crate::cli) const HOST_FOLDER: &str = "/etc/ssh";
/// Where files for client certificates lie, if nothing else is said.
pub(in crate::cli) const SERVER_FOLDER: &str = "/etc/breakglass";

#[derive(Subcommand, Debug)]
pub(crate) enum TrustVerb {
    /// Write what hosts and servers must have before an emergency: authorities, lists, settings; no PIN
    Export(TrustExport),
    /// Once for each key that mints client certificates: it signs the certificate by which servers will trust it
    Authority(TrustAuthority),
}

#[derive(Args, Debug)]
pub(crate) struct TrustExport {
    /// A new folder
    #[arg(value_name = "DIR")]
    pub out: PathBuf,
    /// The account of hosts that SSH certificates log in to
    #[arg(long, value_name = "NAME", default_value = "breakglass")]
    pub account: Label,
    /// Where the files for SSH will lie on the hosts
    #[arg(long, value_name = "DIR", default_value = HOST_FOLDER, value_parser = host_folder)]
    pub host_folder: String,
    /// Where the files for client certificates will lie on the servers
    #[arg(long, value_name = "DIR", default_value = SERVER_FOLDER, value_parser = host_folder)]
    pub server_folder: String,
    /// The role of PostgreSQL that client certificates log in as
    #[arg(long, value_name = "NAME", default_value = "breakglass")]
    pub role: Label,
    /// From where that role may log in: a network such as 192.0.2.0/24, or all
    #[arg(long, value_name = "NETWORK", default_value = "all", value_parser = network)]
    pub network: String,
}

#[derive(Args, Debug)]
pub(crate) struct TrustAuthority {
    /// The key (the only admitted one plugged in, if not said)
    #[arg(long, value_name = "SERIAL")]
    pub key: Option<Serial>,
    #[command(flatten)]
    pub caution: LastTry,
}

/// It goes into a file of PostgreSQL without quotes.
fn network(text: &str) -> Result<String, String> {
    match text == "all" || (text.contains('/') && text.parse::<Source>().is_ok()) {
        true => Ok(text.to_owned()),
        false => Err("a network such as 192.0.2.0/24, or all".to_owned()),
    }
}

/// It goes into a file of sshd without quotes.
fn host_folder(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    match text.starts_with('/') && text.len() <= 128 && text.chars().all(plain) {
        true => Ok(text.trim_end_matches('/').to_owned()),
        false => Err("an absolute path of A-Z a-z 0-9 / . _ -".to_owned()),
    }
}
