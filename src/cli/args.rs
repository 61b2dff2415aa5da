//! Verbs and options, as clap reads them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::why::Why;
use crate::attestation::Serial;
use crate::kit::name::CredentialName;
use crate::record::token::REASON_CAP;

mod approval;
mod change;
mod custody;
mod incident;
mod mint;
mod paper;
mod revoke;
mod token;
mod trust;

pub(super) use approval::{Approve, Notify, Request};
pub(super) use change::Change;
pub(super) use custody::{CheckIn, CheckOut, number, place};
pub(super) use incident::{Close, Discharge, IncidentVerb, Review};
pub(super) use mint::{MintFor, MintSsh, MintVerb, MintX509};
pub(super) use paper::{Label, Letter, Paper, Runbook};
pub(super) use revoke::Revoke;
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

#[derive(Subcommand, Debug)]
pub(super) enum KeyVerb {
    /// Blank key to enrolled key, by a plan that is shown first; run again to resume
    Provision(Provision),
    /// Admit an enrolled key; the first one founds the kit
    Admit(Admit),
    /// Retire a key that is lost, stolen, left or worn
    Retire(Retire),
    /// Every key of the kit
    List,
    /// One plugged in key, without a PIN
    Inspect(Inspect),
    /// Change the PIN or PUK, or unblock the PIN with the PUK
    Pin(PinChange),
    /// See how the FIDO2 counter of a key that is in no kit moves (FIDO2 PIN, a touch each time)
    Calibrate(Calibrate),
    /// Two people take a key out of its bag: sign its number, its seal, and why
    #[command(name = "checkout")]
    CheckOut(CheckOut),
    /// Two people put a key into a bag: sign its number and its place
    #[command(name = "checkin")]
    CheckIn(CheckIn),
}

#[derive(Args, Debug)]
pub(super) struct Calibrate {
    /// Which key, where several are plugged in
    pub serial: Option<Serial>,
    /// How many assertions
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(2..=100))]
    pub times: u8,
}

#[derive(Args, Debug)]
pub(super) struct Provision {
    /// Which key, where several are plugged in
    #[arg(long)]
    pub serial: Option<Serial>,
    /// Overwrite this key although it is not blank; its slots and objects are lost
    #[arg(long, value_name = "SERIAL")]
    pub overwrite: Option<Serial>,
    /// Go on although this rule refuses (YSA-2024-03="why", no-fido2="why"); recorded
    #[arg(long = "override", value_name = "RULE=WHY", value_parser = rule_and_why)]
    pub overrides: Vec<(String, String)>,
}

#[derive(Args, Debug)]
pub(super) struct Admit {
    /// The key to admit
    pub serial: Serial,
    /// Sign with this admitted key (the only one plugged in, if not said)
    #[arg(long, value_name = "SERIAL")]
    pub with: Option<Serial>,
    #[command(flatten)]
    pub caution: LastTry,
}

#[derive(Args, Debug)]
pub(super) struct Retire {
    /// The key to retire
    pub serial: Serial,
    /// Why: lost, stolen, left, worn
    #[arg(long, value_parser = reason)]
    pub why: String,
    /// Sign with this admitted key
    #[arg(long, value_name = "SERIAL")]
    pub with: Option<Serial>,
    #[command(flatten)]
    pub caution: LastTry,
}

#[derive(Args, Debug)]
pub(super) struct Inspect {
    /// Which key, where several are plugged in
    pub serial: Option<Serial>,
}

#[derive(Args, Debug)]
pub(super) struct PinChange {
    /// Which key, where several are plugged in
    pub serial: Option<Serial>,
    /// What to do
    #[arg(long, value_enum, default_value = "change")]
    pub what: PinWhat,
    #[command(flatten)]
    pub caution: LastTry,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PinWhat {
    /// A new PIN by the present PIN; the FIDO2 PIN with it, where that is the same
    Change,
    /// A new PIN by the PUK
    Unblock,
    /// A new PUK by the present PUK
    Puk,
    /// A new FIDO2 PIN by the present FIDO2 PIN
    Fido2,
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

#[derive(Args, Debug)]
pub(super) struct Source {
    /// Read the secret from this file
    #[arg(long, value_name = "FILE", conflicts_with = "generate")]
    pub from: Option<PathBuf>,
    /// Generate the secret here: so many letters and digits; nobody sees it before an opening
    #[arg(long, value_name = "LENGTH", num_args = 0..=1, default_missing_value = "20")]
    pub generate: Option<usize>,
}

#[derive(Args, Debug)]
pub(super) struct Seal {
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
pub(super) struct Rotate {
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

#[derive(Subcommand, Debug)]
pub(super) enum RecordsVerb {
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
pub(super) struct Anchor {
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

#[derive(Args, Debug)]
pub(super) struct RecordsVerify {
    /// This bundle alone instead of the kit, as records export wrote it
    #[arg(value_name = "BUNDLE")]
    pub bundle: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct RecordsList {
    /// Only this key's
    #[arg(long)]
    pub serial: Option<Serial>,
    /// Only this incident's
    #[arg(long)]
    pub incident: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct Export {
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

fn rule_and_why(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((rule, why)) if !rule.is_empty() && !why.trim().is_empty() => Ok((rule.into(), why.into())),
        _ => Err("write RULE=WHY, with a reason".into()),
    }
}
