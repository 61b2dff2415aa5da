//! Options of the verbs that make something for paper.

use std::path::PathBuf;

use clap::Args;

use crate::attestation::Serial;

#[derive(Args, Debug)]
pub(in crate::cli) struct Label {
    /// Only this key's (those of all keys, if not said)
    pub serial: Option<Serial>,
    #[command(flatten)]
    pub paper: Paper,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct Letter {
    /// Which key
    pub serial: Serial,
    #[command(flatten)]
    pub paper: Paper,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct Runbook {
    #[command(flatten)]
    pub paper: Paper,
}

/// Where what is for paper goes.
#[derive(Args, Debug)]
pub(in crate::cli) struct Paper {
    /// Write a page to print to this file, instead of text
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}
