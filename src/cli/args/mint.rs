//! `mint`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::reason;
use super::token::{MintAssertion, MintKey, MintToken};
use crate::attestation::Serial;
use crate::cli::why::Why;

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum MintVerb {
    /// An SSH certificate: for ssh-agent with a lifetime, or as files
    Ssh(MintSsh),
    /// A client certificate, as files for PostgreSQL, curl, kubectl and AWS
    X509(MintX509),
    /// An access token for a resource server while the authorisation server is down, bound to a key or a certificate
    Token(MintToken),
    /// Client assertions for an authorisation server that is up, each good once
    Assertion(MintAssertion),
    /// A key, made on the machine that will use a credential; its public half crosses to the kit. Needs no kit
    Key(MintKey),
}

/// What every minting takes.
#[derive(Args, Debug)]
pub(in crate::cli) struct MintFor {
    /// What to mint, by its name in the policy
    pub rule: String,
    #[command(flatten)]
    pub why: Why,
    /// For so many minutes; as long as the policy allows, if not said
    #[arg(long, value_name = "N")]
    pub minutes: Option<u32>,
    /// Mint with this key
    #[arg(long, value_name = "SERIAL")]
    pub key: Option<Serial>,
    /// The last PIN try of the key may be spent
    #[arg(long)]
    pub spend_last_try: bool,
    /// Go on although the journal lacks records that a key has seen; the gap stays visible
    #[arg(long, value_name = "WHY", value_parser = reason)]
    pub accept_gap: Option<String>,
    /// Go on although the kit is damaged; recorded
    #[arg(long, value_name = "WHY", value_parser = reason)]
    pub accept_damage: Option<String>,
    /// What the clock says where it will be used, such as 2026-11-29T11:00Z: refused if this machine's differs by more than 5 minutes
    #[arg(long, value_name = "TIME")]
    pub clock_there: Option<jiff::Timestamp>,
    /// Go on although the clock is behind the newest record, or differs from the one there; recorded
    #[arg(long, value_name = "WHY", value_parser = reason)]
    pub accept_clock: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct MintSsh {
    #[command(flatten)]
    pub what: MintFor,
    /// Give key and certificate to ssh-agent, which forgets them in time: no private key on a disk
    #[arg(long, conflicts_with_all = ["out", "public_key"])]
    pub agent: bool,
    /// The agent's socket
    #[arg(long, value_name = "SOCKET", env = "SSH_AUTH_SOCK")]
    pub agent_socket: Option<PathBuf>,
    /// Write id, id-cert.pub and config into this folder, for  ssh -F
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Certify this public key, which came from the machine that will use it; only the certificate goes back
    #[arg(long, value_name = "FILE", requires = "out")]
    pub public_key: Option<PathBuf>,
    /// Show the certificate as a code on this terminal, too: any camera reads the text
    #[arg(long, requires = "out")]
    pub qr: bool,
}

#[derive(Args, Debug)]
pub(crate) struct MintX509 {
    #[command(flatten)]
    pub what: MintFor,
    /// Write the certificate and what programs want beside it into this folder
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Certify the key of this certificate request, which came from the machine that will use it; only the certificate goes back
    #[arg(long, value_name = "FILE")]
    pub request: Option<PathBuf>,
    /// Show the certificate as a code on this terminal, too: any camera reads the text
    #[arg(long)]
    pub qr: bool,
}
