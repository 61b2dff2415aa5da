//! `token`, and of `mint` what makes tokens and the keys of those who hold them.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::mint::MintFor;
use crate::record::hash::Hash;

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum TokenVerb {
    /// Prove for one request that you hold the key of a token: what goes into its DPoP header; no kit, no hardware key
    Proof(TokenProof),
}

#[derive(Args, Debug)]
pub(in crate::cli) struct TokenProof {
    /// The private key, as it was written (key.pem)
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// Method of the request, such as GET
    #[arg(long, value_name = "METHOD")]
    pub method: String,
    /// URL of the request; query and fragment do not count
    #[arg(long, value_name = "URL")]
    pub url: String,
    /// The token that goes with it; none at a token endpoint
    #[arg(long, value_name = "FILE")]
    pub token: Option<PathBuf>,
    /// What the server asked for in its DPoP-Nonce header
    #[arg(long, value_name = "TEXT")]
    pub nonce: Option<String>,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct MintToken {
    #[command(flatten)]
    pub what: MintFor,
    /// A new folder, for the token and, where it is made here, its key
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    #[command(flatten)]
    pub holder: Holder,
    /// Show the token as a code on this terminal, too: any camera reads the text
    #[arg(long)]
    pub qr: bool,
}

/// Who alone can use it. A key is made here where none of these is given.
#[derive(Args, Debug, Default)]
#[group(multiple = false)]
pub(in crate::cli) struct Holder {
    /// For the holder of this public key, made by breakglass mint key on the machine that will use it: a file, or - for one line that is typed or scanned here
    #[arg(long, value_name = "FILE|-")]
    pub jwk: Option<PathBuf>,
    /// For the holder of the key with this thumbprint (RFC 7638)
    #[arg(long, value_name = "TEXT")]
    pub thumbprint: Option<Hash>,
    /// For whoever comes over TLS with this client certificate (RFC 8705)
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct MintAssertion {
    #[command(flatten)]
    pub what: MintFor,
    /// How many, each good for one try: a request that fails uses one up
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=10))]
    pub count: u8,
    /// A new folder, for the assertions and, where it is made here, the key for DPoP
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The proofs will be made with this key, made by breakglass mint key on the machine that will use them: a file, or - for one line that is typed or scanned here
    #[arg(long, value_name = "FILE|-")]
    pub jwk: Option<PathBuf>,
    /// Show each as a code on this terminal, too: any camera reads the text
    #[arg(long)]
    pub qr: bool,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct MintKey {
    /// A new folder
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Show each public form as a code on this terminal, too
    #[arg(long)]
    pub qr: bool,
}
