//! Verbs and options, as clap reads them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::why::Why;
use crate::attestation::Serial;
use crate::kit::name::CredentialName;
use crate::record::token::REASON_CAP;

mod approval;
mod change;
mod custody;
mod incident;
mod key;
mod mint;
mod paper;
mod records;
mod revoke;
mod seal;
mod token;
mod trust;

pub(super) use approval::{Approve, Notify, Request};
pub(super) use change::Change;
pub(super) use custody::{CheckIn, CheckOut, number, place};
pub(super) use incident::{Close, Discharge, IncidentVerb, Review};
pub(super) use key::{Admit, Calibrate, Inspect, KeyVerb, PinChange, PinWhat, Provision, Retire};
pub(super) use mint::{MintFor, MintSsh, MintVerb, MintX509};
pub(super) use paper::{Label, Letter, Paper, Runbook};
pub(super) use records::{Anchor, Export, RecordsList, RecordsVerb, RecordsVerify};
pub(super) use revoke::Revoke;
pub(super) use seal::{Rotate, Seal, Source};
pub(super) use token::{Holder, MintAssertion, MintKey, MintToken, TokenProof, TokenVerb};
pub(super) use trust::{HOST_FOLDER, SERVER_FOLDER, TrustAuthority, TrustExport, TrustVerb};

/// Emergency credentials on hardware keys, opened offline, each use recorded.
#[derive(Parser, Debug)]
#[command(name = "breakglass", version, about, max_term_width = 110)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub global: Global,
    /// None: the person is led through what is possible
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// What every verb takes.
#[derive(Args, Debug)]
pub(super) struct Global {
    /// The kit's folder (the current one, if not said)
    #[arg(long, global = true, env = "BREAKGLASS_KIT", value_name = "DIR")]
    pub kit: Option<PathBuf>,
    /// Write new records to this folder instead (the kit's medium is full or read-only)
    #[arg(long, global = true, value_name = "DIR")]
    pub journal: Option<PathBuf>,
    /// One JSON object on stdout instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// Take PINs and PUKs from this descriptor, a line each: SERIAL pin|puk|new-pin|new-puk|fido2-pin|new-fido2-pin VALUE
    #[arg(long, global = true, value_name = "N")]
    pub pin_fd: Option<i32>,
    /// Answer the exact-word question with these words (for scripts)
    #[arg(long, global = true, value_name = "WORDS")]
    pub confirm: Option<String>,
    /// Wait so many seconds for a key to be plugged in (on a terminal: as long as it takes)
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 0)]
    pub wait: u64,
}

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// Make a kit folder with a commented kit.toml
    Init(Init),
    /// Keys: provision, admit, retire, list, inspect, change a PIN
    #[command(subcommand)]
    Key(KeyVerb),
    /// The policy in kit.toml: explain it, adopt it
    #[command(subcommand)]
    Policy(PolicyVerb),
    /// Seal a credential from stdin, a file, or one generated here
    Seal(Seal),
    /// Seal the next generation of a credential as pending; confirm it once the platform has it
    Rotate(Rotate),
    /// Ask for the approval of an opening: a small file for an approver; no key, no effect
    Request(Request),
    /// Say yes to a request that somebody else made: sign it with a key of yours
    Approve(Approve),
    /// Open a credential in an emergency
    Open(Open),
    /// Write a notice of an incident for each approver who is to be told, and the records that prove it
    Notify(Notify),
    /// An incident has ended: sign how, and what it was
    Close(Close),
    /// Incidents: list them; show who did what, and what each leaves to be done
    #[command(subcommand)]
    Incident(IncidentVerb),
    /// Sign that something which an incident left to be done was done
    Discharge(Discharge),
    /// Judge an incident in which somebody else opened
    Review(Review),
    /// Prove that a key would open a credential, opening nothing; the evidence is signed
    Drill(Drill),
    /// A key is lost or stolen, somebody leaves or joins: every step that it takes, and the next; no PIN
    Change(Change),
    /// Mint a credential that did not exist before, for minutes: signed by a slot of the key that platforms trust
    #[command(subcommand)]
    Mint(MintVerb),
    /// Take back what was minted, or a key's right to mint: the lists that platforms get have it from then on
    Revoke(Revoke),
    /// Use a minted token: prove for one request that you hold its key
    #[command(subcommand)]
    Token(TokenVerb),
    /// What platforms must trust in advance, or nothing that is minted is good anywhere
    #[command(subcommand)]
    Trust(TrustVerb),
    /// Lose this key or this place, and which credentials die
    Coverage,
    /// Go through every key without a PIN: present, genuine, tries, head, what it opens
    Inventory(Inventory),
    /// What is due; exit 1 while anything is
    Status,
    /// Records: list, verify, export
    #[command(subcommand)]
    Records(RecordsVerb),
    /// The kit's folder: join two copies
    #[command(subcommand, name = "kit")]
    KitVerb(KitVerb),
    /// What is missing on this machine, and the command that mends it
    Doctor,
    /// Check the attestation of a key from its two certificates (PEM or DER)
    Attestation(Attestation),
    /// What goes on the bags: kit words, serial, place, number, what it opens; no PIN
    Label(Label),
    /// Letters in which a PIN and a PUK are written by hand and kept; this program never prints one
    Letter(Letter),
    /// For paper in the vault: a page for each credential, for each role, and how to do without this program
    Runbook(Runbook),
    /// Simulated keys of a practice kit: make them, plug them in and out, withhold the touch
    #[command(subcommand)]
    Practice(PracticeVerb),
    /// How this program starts itself for one FIDO2 operation; for nobody else
    #[cfg(feature = "hardware")]
    #[command(hide = true, name = crate::device::fido2::supervisor::VERB)]
    Fido2Helper,
}

#[derive(Args, Debug)]
pub(super) struct Init {
    /// The kit's name, for people
    #[arg(long, default_value = "emergency kit")]
    pub name: String,
    /// A practice kit: simulated keys only, no real secrets
    #[arg(long)]
    pub practice: bool,
}

#[derive(Args, Debug, Clone, Default)]
pub(super) struct LastTry {
    /// The last PIN try may be spent
    #[arg(long)]
    pub spend_last_try: bool,
}

#[derive(Subcommand, Debug)]
pub(super) enum PolicyVerb {
    /// Explain kit.toml and what adopting it would change
    Check,
    /// Put kit.toml in force; from two keys on a quorum must sign
    Adopt(Adopt),
}

#[derive(Args, Debug)]
pub(super) struct Adopt {
    /// Sign with this admitted key
    #[arg(long, value_name = "SERIAL")]
    pub with: Option<Serial>,
    #[command(flatten)]
    pub caution: LastTry,
}

#[derive(Args, Debug, Default)]
pub(super) struct Open {
    /// platform/account; asked for on a terminal
    pub credential: Option<CredentialName>,
    #[command(flatten)]
    pub why: Why,
    /// An approval, as breakglass approve wrote it (may be given again); what it says needs no typing. - for its lines or its codes, typed or scanned here
    #[arg(long, value_name = "FILE|-")]
    pub approval: Vec<PathBuf>,
    /// Another generation than the current one
    #[arg(long, value_name = "N")]
    pub generation: Option<u64>,
    /// Use these keys only
    #[arg(long = "key", value_name = "SERIAL", value_delimiter = ',')]
    pub keys: Vec<Serial>,
    /// Hand the secret out on this descriptor
    #[arg(long, value_name = "N")]
    pub fd: Option<i32>,
    /// The last PIN try of a key may be spent
    #[arg(long)]
    pub spend_last_try: bool,
    /// Go on although the journal lacks records that a key has seen; the gap stays visible
    #[arg(long, value_name = "WHY", value_parser = reason)]
    pub accept_gap: Option<String>,
    /// Go on although the kit is damaged, as far as it still opens; recorded
    #[arg(long, value_name = "WHY", value_parser = reason)]
    pub accept_damage: Option<String>,
    /// Go on although an earlier incident of this credential was not reviewed; recorded
    #[arg(long, value_name = "WHY", value_parser = reason)]
    pub accept_unreviewed: Option<String>,
}

#[derive(Args, Debug, Default)]
pub(super) struct Inventory {
    /// Wait for every key of the kit, one after the other (on a terminal: until all were seen)
    #[arg(long)]
    pub all: bool,
    /// Ask each key's FIDO2 side for a fresh assertion (PIN and touch), recorded: what its counter says proves that nothing else used it since the last one
    #[arg(long)]
    pub witness: bool,
    #[command(flatten)]
    pub caution: LastTry,
}

#[derive(Args, Debug)]
pub(super) struct Drill {
    /// platform/account
    pub credential: CredentialName,
    /// The key to drill (the only admitted one plugged in, if not said)
    #[arg(long, value_name = "SERIAL")]
    pub key: Option<Serial>,
    /// Your name as in the policy
    #[arg(long, value_name = "NAME")]
    pub operator: Option<String>,
    /// Who watches, by the name in the policy
    #[arg(long, value_name = "NAME")]
    pub witness: Option<String>,
    /// Another generation than the current one
    #[arg(long, value_name = "N")]
    pub generation: Option<u64>,
    #[command(flatten)]
    pub caution: LastTry,
}

#[derive(Subcommand, Debug)]
pub(super) enum KitVerb {
    /// Take over what another copy of this kit has more, or records that were written beside it
    Merge {
        /// The other copy, or a folder of --journal
        other: PathBuf,
    },
    /// Go on although records are lost for good: signed by a key, and visible for ever
    AcceptGap(AcceptGap),
}

#[derive(Args, Debug)]
pub(super) struct AcceptGap {
    /// Why they cannot be merged any more
    #[arg(long, value_parser = reason)]
    pub why: String,
    /// Sign with this admitted key
    #[arg(long, value_name = "SERIAL")]
    pub with: Option<Serial>,
    #[command(flatten)]
    pub caution: LastTry,
}

#[derive(Args, Debug)]
pub(super) struct Attestation {
    /// The attestation of a slot
    pub leaf: PathBuf,
    /// The key's own certificate from slot F9
    pub device: PathBuf,
    /// Also accept this private root
    #[arg(long, value_name = "FILE")]
    pub root: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
pub(super) enum PracticeVerb {
    /// Make a whole practice kit to rehearse in: three keys, two sealed credentials, nothing to be asked
    Start {
        /// A new folder for it
        folder: PathBuf,
    },
    /// Make a blank practice key in this kit
    New {
        /// Its serial number
        #[arg(long)]
        serial: Serial,
        /// Firmware it simulates: 5.4.3 or 5.7.4
        #[arg(long, default_value = "5.7.4")]
        firmware: String,
        /// Its FIDO2 side: a counter that moves by 1 (exact), by 1 to 16 (random), never (uncounted), or no FIDO2 (none)
        #[arg(long, default_value = "exact", value_parser = ["exact", "random", "uncounted", "none"])]
        fido2: String,
    },
    /// Plug it in
    Insert {
        /// Which
        serial: Serial,
    },
    /// Take it out
    Remove {
        /// Which
        serial: Serial,
    },
    /// Touch it whenever it asks (on), or not (off)
    Touch {
        /// Which
        serial: Serial,
        /// on or off
        #[arg(value_parser = ["on", "off"])]
        given: String,
    },
    /// Use its FIDO2 credential as another program would: nothing is recorded, but the key counts it
    UseElsewhere {
        /// Which
        serial: Serial,
    },
}

/// Why somebody does something, or how: words that are signed.
fn reason(text: &str) -> Result<String, &'static str> {
    match text.trim().is_empty() || text.len() > REASON_CAP {
        true => Err("1 to 256 bytes of text"),
        false => Ok(text.to_owned()),
    }
}
