//! From an error to what a person can do: the exit code, the state things are in, and the next step.
//!
//! Errors are matched without a wildcard, so that a new one asks its author for its hint.

use std::io;
use std::process::ExitCode;

use super::desk::Desk;
use super::terminal::{PinSourceError, Terminal};
use crate::attestation::{AttestationError, InputError, Serial};
use crate::device::DeviceError;
use crate::device::fido2::Fido2Error;
use crate::kit::enrolment::EnrolmentError;
use crate::kit::merge::MergeError;
use crate::kit::sealed::{AboutError, SealError};
use crate::kit::{KitError, policy::PolicyError};
use crate::minting::MintingError;
use crate::operator::Unanswered;
use crate::provision::ProvisionError;
use crate::provision::pin::PinError;
use crate::record::token::RecordError;
use crate::signing::SigningError;
use crate::unlock::{PlannedKey, UnlockError};

mod device;
mod fido2;
mod flow;
mod kit;
mod mint;

use device::device;
use fido2::fido2;
use flow::{pin_change, provision, signing, unlock};
use kit::kit;
use mint::minting;

/// Exit codes, as the README lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    Refused = 1,
    Usage = 2,
    Key = 3,
    Pin = 4,
    Disk = 5,
    Integrity = 6,
    Busy = 7,
}

/// Every way a verb can fail.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error(transparent)]
    Kit(#[from] KitError),
    #[error(transparent)]
    Signing(#[from] SigningError),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(transparent)]
    Fido2(#[from] Fido2Error),
    #[error("{error}")]
    Unlock {
        error: UnlockError,
        /// The keys of the plan, for who has to go on with another one.
        keys: Box<Keys>,
    },
    #[error(transparent)]
    Minting(#[from] MintingError),
    #[error(transparent)]
    Provision(#[from] ProvisionError),
    #[error("key {serial} is not what its enrolment says")]
    Enrolment {
        serial: Serial,
        #[source]
        cause: EnrolmentError,
    },
    #[error(transparent)]
    PinChange(#[from] PinError),
    #[error(transparent)]
    Merge(#[from] MergeError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    About(#[from] AboutError),
    #[error(transparent)]
    Attestation(#[from] AttestationError),
    #[error(transparent)]
    Certificate(#[from] InputError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
    #[error(transparent)]
    Pins(#[from] PinSourceError),
    #[error("cannot write to stdout")]
    Output(#[source] io::Error),
    #[error("cannot read {path}")]
    Input {
        path: std::path::PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("cannot write {path}")]
    File {
        path: std::path::PathBuf,
        #[source]
        cause: io::Error,
    },
    /// A credential was minted and is on record, and cannot be written where it should be.
    #[error("cannot write {path}, and it was minted already")]
    NotHandedOut {
        path: std::path::PathBuf,
        #[source]
        cause: io::Error,
    },
    /// The same of a certificate whose key was made for an agent, and is nowhere else.
    #[error("the ssh-agent did not take the certificate, and it was minted already: {why}")]
    NotTaken { why: String },
    #[error("several keys are plugged in: {}", list(serials))]
    WhichKey { serials: Vec<Serial> },
    #[error("no admitted key of this kit is plugged in")]
    NoSigner,
    #[error("key {0} is not admitted to this kit")]
    NotAdmitted(Serial),
    /// The verb itself refuses, with what to do next.
    #[error("{what}")]
    Refused { what: String, next: Option<String> },
    /// Wrong use of the command line that clap cannot see.
    #[error("{0}")]
    Usage(String),
    #[error("not confirmed")]
    NotConfirmed,
    #[error("{0}")]
    Damaged(String),
    #[error(transparent)]
    Practice(#[from] crate::device::practice::CreateError),
    #[error(transparent)]
    PracticeAuthority(#[from] crate::device::practice::AuthorityError),
}

impl Trouble {
    pub(crate) fn refused(what: impl Into<String>, next: impl Into<String>) -> Self {
        Trouble::Refused { what: what.into(), next: Some(next.into()) }
    }
}

/// The keys of an opening that ended.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// Every key that can open it.
    pub(crate) all: Vec<PlannedKey>,
    /// Those that were used or failed.
    pub(crate) tried: Vec<Serial>,
    /// Whether a record of this opening was signed.
    pub(crate) signed: bool,
}

impl Keys {
    /// No key can take the place of another: nothing is being opened.
    const NONE: Keys = Keys { all: Vec::new(), tried: Vec::new(), signed: false };

    /// `23112 (safe A, bag 0417), …`, of those that had no turn yet; with the words before them.
    fn others(&self) -> Option<String> {
        let untried = self.all.iter().filter(|key| !self.tried.contains(&key.serial));
        let labels: Vec<String> = untried.map(PlannedKey::label).collect();
        let words = if self.tried.is_empty() { "keys that would do" } else { "other keys that would do" };
        (!labels.is_empty()).then(|| format!("{words}: {}", labels.join(", ")))
    }

    /// Who holds the PUK of that key.
    fn puk_holder(&self, serial: Serial) -> Option<&str> {
        self.all.iter().find(|key| key.serial == serial)?.puk.as_deref()
    }
}

/// What to tell beside the error itself.
struct Advice {
    code: Code,
    /// What state disk and key are in.
    state: &'static str,
    /// What to do next, a line each.
    next: Vec<String>,
}

const UNCHANGED: &str = "nothing was changed.";
const NOT_OPENED: &str = "nothing was opened.";

/// Says what happened, in what state things are, and what to do next; gives the exit code.
pub(crate) fn complain(desk: Option<&mut Desk>, trouble: &Trouble) -> ExitCode {
    let mut none;
    let practice = desk.as_ref().is_some_and(|desk| desk.practice);
    let terminal = match desk {
        Some(desk) => &mut desk.terminal,
        None => {
            none = Terminal::new(None, std::time::Duration::ZERO, None, false);
            &mut none
        }
    };
    let advice = advice(trouble);
    let mut text = trouble.to_string();
    let mut source = std::error::Error::source(trouble);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(&format!(": {cause_text}"));
        }
        source = cause.source();
    }
    terminal.complain(&format!("{text}."));
    if !advice.state.is_empty() {
        terminal.complain(advice.state);
    }
    if practice && misses_a_key(trouble) {
        terminal.complain(
            "a practice kit knows practice keys only:  breakglass practice insert SERIAL   or  practice new --serial N",
        );
    }
    for line in &advice.next {
        terminal.complain(line);
    }
    ExitCode::from(advice.code as u8)
}

/// Whether the key that is wanted is not there.
fn misses_a_key(trouble: &Trouble) -> bool {
    let cause = match trouble {
        Trouble::Device(cause) | Trouble::Unlock { error: UnlockError::Readers(cause), .. } => cause,
        Trouble::Signing(SigningError::Device { cause, .. }) => cause,
        _ => return false,
    };
    matches!(cause, DeviceError::NoKey | DeviceError::Absent(_))
}

fn advice(trouble: &Trouble) -> Advice {
    match trouble {
        Trouble::Kit(error) => kit(error),
        Trouble::Signing(error) => signing(error, &Keys::NONE),
        Trouble::Device(error) => device(error, None, &Keys::NONE),
        Trouble::Fido2(error) => fido2(error, &Keys::NONE),
        Trouble::Unlock { error, keys } => unlock(error, keys),
        Trouble::Minting(error) => minting(error),
        Trouble::Provision(error) => provision(error),
        Trouble::Enrolment { cause, .. } => say(
            Code::Integrity,
            "nothing was signed, nothing was sealed to it.",
            match cause {
                EnrolmentError::Proof(_) | EnrolmentError::NoModel | EnrolmentError::SharedCredential(_) => {
                    "do not use it: its enrolment is not borne out by its FIDO2 side"
                }
                EnrolmentError::Missing(_)
                | EnrolmentError::NoMintingSlot(_)
                | EnrolmentError::Attestation { .. }
                | EnrolmentError::Binding { .. }
                | EnrolmentError::Root { .. } => {
                    "do not use it: its enrolment is not borne out by its attestations"
                }
            },
        ),
        Trouble::PinChange(error) => pin_change(error),
        Trouble::Merge(MergeError::Kit(error) | MergeError::Other(error)) => kit(error),
        Trouble::Merge(MergeError::TwoKits { .. }) => {
            say(Code::Integrity, UNCHANGED, "merge copies of one kit only: compare the words with the bags")
        }
        Trouble::Seal(_) | Trouble::About(_) => say(Code::Refused, "nothing was sealed.", ""),
        Trouble::Attestation(_) => say(Code::Integrity, "", "do not use this key: its origin is not proven"),
        Trouble::Certificate(_) => say(Code::Usage, "", "give the certificates as PEM or DER"),
        Trouble::Record(_) => say(Code::Refused, "nothing was signed.", "shorten the texts that you gave"),
        Trouble::Policy(_) => say(Code::Usage, UNCHANGED, "mend kit.toml, then:  breakglass policy check"),
        Trouble::Unanswered(unanswered) => nobody(*unanswered),
        Trouble::Pins(_) => say(Code::Usage, "no PIN was sent.", ""),
        Trouble::Output(_) => say(Code::Disk, "what was signed stands in the journal.", ""),
        Trouble::Input { .. } => say(Code::Usage, UNCHANGED, ""),
        Trouble::File { .. } => say(Code::Disk, "", ""),
        Trouble::NotHandedOut { .. } => say(
            Code::Disk,
            "its records stand. what is public of it was printed instead; what was written before is still there.",
            "save that beside the key, or mint again into another folder:  --out DIR",
        ),
        Trouble::NotTaken { .. } => say(
            Code::Refused,
            "its records stand. its key was in memory alone and is gone, so that nobody can use it.",
            "mend the agent (locked?  ssh-add -X) and mint again, or into a folder:  --out DIR",
        ),
        Trouble::WhichKey { .. } => {
            say(Code::Usage, UNCHANGED, "say which one, or leave only one plugged in")
        }
        Trouble::NoSigner | Trouble::NotAdmitted(_) => {
            say(Code::Key, UNCHANGED, "plug in an admitted key:  breakglass key list")
        }
        Trouble::Refused { next, .. } => say(Code::Refused, UNCHANGED, next.as_deref().unwrap_or("")),
        Trouble::Usage(_) => say(Code::Usage, UNCHANGED, "breakglass help tells more"),
        Trouble::Damaged(_) => say(
            Code::Integrity,
            "nothing was changed, nothing was cut away.",
            "keep this stick as it is; bring the other copy and run  breakglass kit merge DIR        or, if it is lost for good:  breakglass kit accept-gap --why …",
        ),
        Trouble::Practice(_) | Trouble::PracticeAuthority(_) => say(Code::Disk, UNCHANGED, ""),
        Trouble::NotConfirmed => say(Code::Refused, UNCHANGED, ""),
    }
}

fn say(code: Code, state: &'static str, next: &str) -> Advice {
    let next = if next.is_empty() { Vec::new() } else { vec![next.to_owned()] };
    Advice { code, state, next }
}

fn nobody(unanswered: Unanswered) -> Advice {
    match unanswered {
        Unanswered::NobodyToAsk => say(
            Code::Usage,
            "what was signed before stands in the journal.",
            "run it on a terminal, or give what it asks for by options and --pin-fd",
        ),
        Unanswered::Cancelled => say(Code::Refused, "what was signed before stands in the journal.", ""),
    }
}

/// Adds which other keys would do, and where they lie.
fn with(keys: &Keys, mut advice: Advice) -> Advice {
    advice.next.extend(keys.others());
    advice
}

fn list(serials: &[Serial]) -> String {
    serials.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
