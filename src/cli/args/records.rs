//! Options of the verbs that are about records.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::LastTry;
use crate::attestation::Serial;

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum RecordsVerb {
    /// What happened, one line a record
    List(RecordsList),
    /// Check every signature, link and sealed file
    Verify(RecordsVerify),
    /// Write the bundle for the auditor, one record a line, and a JWKS beside it
    Export(Export),
    /// Sign that the kit has a checkpoint of the auditor's ledger: what follows is later than it
    Anchor(Anchor),
}

#[derive(Args, Debug)]
pub(in crate::cli) struct Anchor {
    /// The checkpoint, or a receipt that begins with one
    #[arg(value_name = "FILE")]
    pub checkpoint: PathBuf,
    /// Sign with this admitted key
    #[arg(long, value_name = "SERIAL")]
    pub with: Option<Serial>,
    #[command(flatten)]
    pub caution: LastTry,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct RecordsVerify {
    /// This bundle alone instead of the kit, as records export wrote it
    #[arg(value_name = "BUNDLE")]
    pub bundle: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct RecordsList {
    /// Only this key's
    #[arg(long)]
    pub serial: Option<Serial>,
    /// Only this incident's
    #[arg(long)]
    pub incident: Option<String>,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct Export {
    /// Where to write: DIR/records.jws and DIR/jwks.json
    #[arg(value_name = "DIR")]
    pub to: PathBuf,
    /// End the bundle with a record signed by this key, so that a cut is seen
    #[arg(long, value_name = "SERIAL")]
    pub with: Option<Serial>,
    /// Write record N of the list for OpenSSL instead: input, DER signature, public key and the command
    #[arg(long, value_name = "N", conflicts_with = "with")]
    pub openssl: Option<usize>,
    /// For a camera, too: DIR/codes.html to print, one code a record, and codes that follow each other on this terminal
    #[arg(long, conflicts_with = "openssl")]
    pub qr: bool,
    #[command(flatten)]
    pub caution: LastTry,
}
