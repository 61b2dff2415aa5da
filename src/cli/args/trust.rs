//! `trust`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::mint::Label;

#[derive(Subcommand, Debug)]
pub(crate) enum TrustVerb {
    /// Write what hosts and servers must have before an emergency: authorities, lists, settings; no PIN
    Export(TrustExport),
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
    #[arg(long, value_name = "DIR", default_value = "/etc/ssh", value_parser = host_folder)]
    pub host_folder: String,
}

/// It goes into a file of sshd without quotes.
fn host_folder(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    match text.starts_with('/') && text.len() <= 128 && text.chars().all(plain) {
        true => Ok(text.trim_end_matches('/').to_owned()),
        false => Err("an absolute path of A-Z a-z 0-9 / . _ -".to_owned()),
    }
}
