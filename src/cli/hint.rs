//! From an error to what a person can do: the exit code, the state things are in, and the next step.
//!
//! Errors are matched without a wildcard, so that a new one asks its author for its hint.

use std::io;
use std::process::ExitCode;

use super::desk::Desk;
use super::terminal::{PinSourceError, Terminal};
use crate::attestation::{AttestationError, InputError, Serial};
use crate::device::DeviceError;
use crate::kit::enrolment::EnrolmentError;
use crate::kit::folder::FolderError;
use crate::kit::merge::MergeError;
use crate::kit::sealed::{AboutError, SealError};
use crate::kit::{KitError, policy::PolicyError};
use crate::operator::Unanswered;
use crate::provision::ProvisionError;
use crate::provision::pin::PinError;
use crate::record::token::RecordError;
use crate::signing::SigningError;
use crate::unlock::{PlannedKey, UnlockError};

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
    #[error("{error}")]
    Unlock {
        error: UnlockError,
        /// Other keys of the plan, for who has to go on with one of them.
        others: Vec<PlannedKey>,
    },
    #[error(transparent)]
    Provision(#[from] ProvisionError),
    #[error(transparent)]
    Enrolment(#[from] EnrolmentError),
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
    for line in &advice.next {
        terminal.complain(line);
    }
    ExitCode::from(advice.code as u8)
}

fn advice(trouble: &Trouble) -> Advice {
    match trouble {
        Trouble::Kit(error) => kit(error),
        Trouble::Signing(error) => signing(error, &[]),
        Trouble::Device(error) => device(error, None, &[]),
        Trouble::Unlock { error, others } => unlock(error, others),
        Trouble::Provision(error) => provision(error),
        Trouble::Enrolment(_) => say(
            Code::Integrity,
            "the key is not admitted.",
            "do not use it: its enrolment is not borne out by its attestations",
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
            "keep this stick as it is; bring the other copy and run  breakglass kit merge DIR",
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
            UNCHANGED,
            "run it on a terminal, or give what it asks for by options and --pin-fd",
        ),
        Unanswered::Cancelled => say(Code::Refused, "what was signed before stands in the journal.", ""),
    }
}

fn kit(error: &KitError) -> Advice {
    match error {
        KitError::Folder(error) => folder(error),
        KitError::NotAKit(_) => say(
            Code::Usage,
            UNCHANGED,
            "name the kit:  breakglass --kit DIR …   or make one:  breakglass init",
        ),
        KitError::Policy(_) => say(Code::Usage, UNCHANGED, "mend kit.toml, then:  breakglass policy check"),
        KitError::AdoptedPolicy(_) => say(
            Code::Integrity,
            NOT_OPENED,
            "bring another copy of the kit and run  breakglass kit merge DIR   or open without us: doc/recovery.md",
        ),
        KitError::Roster(_) => say(
            Code::Integrity,
            NOT_OPENED,
            "keep this stick as it is and use another copy of the kit, or open without us: doc/recovery.md",
        ),
        KitError::Founded => say(Code::Refused, UNCHANGED, ""),
        KitError::NotFounded => {
            say(Code::Refused, UNCHANGED, "found it with its first key:  breakglass key admit SERIAL")
        }
    }
}

fn folder(error: &FolderError) -> Advice {
    const NO_PIN: &str = "no PIN was asked for, nothing was opened.";
    match error {
        FolderError::Disk { .. } => {
            say(Code::Disk, "what was acknowledged before is on disk.", "check the medium")
        }
        FolderError::ReadOnly { .. } | FolderError::Full { .. } => {
            say(Code::Disk, NO_PIN, "write the records elsewhere:  --journal DIR")
        }
        FolderError::NotAFile { .. } => {
            say(Code::Integrity, NOT_OPENED, "nothing of a kit is a link or a device: use another copy of it")
        }
        FolderError::Busy { .. } => say(Code::Busy, UNCHANGED, "wait for it, or end it if it hangs"),
        FolderError::Changed { .. } => say(Code::Busy, "nothing was appended.", "run it again"),
    }
}

fn signing(error: &SigningError, others: &[PlannedKey]) -> Advice {
    match error {
        SigningError::Device { serial, cause } => device(cause, Some(*serial), others),
        SigningError::Kit(error) => kit(error),
        SigningError::Record(_) => {
            say(Code::Refused, "nothing was signed.", "shorten the texts that you gave")
        }
        SigningError::Unanswered(unanswered) => nobody(*unanswered),
        SigningError::NotEnrolled(_) => {
            with(others, say(Code::Key, UNCHANGED, "this kit's keys:  breakglass key list"))
        }
        SigningError::OtherKit { .. } => {
            with(others, say(Code::Key, UNCHANGED, "compare the words with the bag; put it back to its kit"))
        }
        SigningError::WasReset(_) => with(
            others,
            say(
                Code::Key,
                UNCHANGED,
                "it opens nothing any more: retire it and provision it again, in peace",
            ),
        ),
        SigningError::LastTry { serial } => {
            let mut advice = say(Code::Pin, "we will not use the last try without your word.", "");
            advice.next.push(format!("if you are sure of the PIN of {serial}:  … --spend-last-try"));
            with(others, advice)
        }
        SigningError::Gap { .. } => {
            let mut advice = say(Code::Integrity, NOT_OPENED, "");
            advice.next.push(
                "bring the other stick and run  breakglass kit merge DIR        or, in an emergency, go on and leave the gap visible:  breakglass open … --accept-gap \"why\""
                    .into(),
            );
            advice
        }
        SigningError::Fork { .. } => say(
            Code::Integrity,
            NOT_OPENED,
            "bring the other stick and run  breakglass kit merge DIR        or, in an emergency:  breakglass open … --accept-gap \"why\"",
        ),
    }
}

fn unlock(error: &UnlockError, others: &[PlannedKey]) -> Advice {
    match error {
        UnlockError::Kit(error) => kit(error),
        UnlockError::Policy(_) => say(Code::Refused, NOT_OPENED, ""),
        UnlockError::NoSuch(_) => say(Code::Usage, NOT_OPENED, "what there is:  breakglass coverage"),
        UnlockError::Damage(_) => say(
            Code::Integrity,
            "nothing was opened, nothing was cut away.",
            "keep this stick as it is; open from the other copy, or go on with  --accept-damage \"why\"",
        ),
        UnlockError::NotConfirmed => say(Code::Refused, NOT_OPENED, ""),
        UnlockError::Key(error) => signing(error, others),
        UnlockError::Unseal { .. } | UnlockError::Combine(_) => with(
            others,
            say(Code::Integrity, "the intents stand in the journal; nothing was handed out.", ""),
        ),
        UnlockError::NoKeyOfThese(_) => with(others, say(Code::Key, NOT_OPENED, "")),
    }
}

/// Adds which other keys would do, where they lie, and who can unblock a PIN.
fn with(others: &[PlannedKey], mut advice: Advice) -> Advice {
    if !others.is_empty() {
        let labels: Vec<String> = others.iter().map(PlannedKey::label).collect();
        advice.next.push(format!("other keys that would do: {}", labels.join(", ")));
    }
    advice
}

fn device(error: &DeviceError, serial: Option<Serial>, others: &[PlannedKey]) -> Advice {
    const MORE: &str = "(breakglass doctor looks for more)";
    match error {
        DeviceError::NoService => {
            say(Code::Key, UNCHANGED, &format!("start it:  sudo systemctl start pcscd        {MORE}"))
        }
        DeviceError::AccessDenied => {
            say(Code::Key, UNCHANGED, &format!("allow it: udev/README.md says how        {MORE}"))
        }
        DeviceError::NoKey => with(others, say(Code::Key, UNCHANGED, &format!("plug one in        {MORE}"))),
        DeviceError::Absent(_) => with(others, say(Code::Key, UNCHANGED, "plug it in")),
        DeviceError::TwoWithSerial(_) => say(Code::Key, UNCHANGED, "keep both, with their bags, as evidence"),
        DeviceError::Busy { .. } => say(
            Code::Busy,
            "nothing was sent to it.",
            "to free it:  gpgconf --kill scdaemon        or end the program that holds it",
        ),
        DeviceError::Removed { .. } => with(
            others,
            say(Code::Key, "no PIN is sent again by itself.", "plug it in and run the command again"),
        ),
        DeviceError::TimedOut { .. }
        | DeviceError::Malformed { .. }
        | DeviceError::Refused { .. }
        | DeviceError::Unexplained { .. } => {
            with(others, say(Code::Key, "", "take it out and use another key; keep this one for examination"))
        }
        DeviceError::NoPiv { .. } => say(Code::Key, UNCHANGED, "it is no YubiKey with PIV: use another one"),
        DeviceError::WrongPin { .. } => {
            with(others, say(Code::Pin, "one try was spent.", "run it again with the right PIN"))
        }
        DeviceError::PinBlocked => {
            let holder =
                serial.and_then(|s| others.iter().find(|k| k.serial == s)).and_then(|k| k.puk.clone());
            let mut advice = say(Code::Pin, NOT_OPENED, "");
            let unblock = format!(
                "unblock it with the PUK:  breakglass key pin {} --what unblock",
                serial.map_or("SERIAL".into(), |s| s.to_string())
            );
            advice.next.push(match holder {
                Some(name) => format!("{unblock}        {name} holds the PUK"),
                None => unblock,
            });
            let rest: Vec<&PlannedKey> = others.iter().filter(|k| Some(k.serial) != serial).collect();
            if !rest.is_empty() {
                let labels: Vec<String> = rest.iter().map(|k| k.label()).collect();
                advice.next.push(format!("other keys that would do: {}", labels.join(", ")));
            }
            advice
        }
        DeviceError::WrongPuk { .. } => {
            say(Code::Pin, "one PUK try was spent.", "run it again with the right PUK")
        }
        DeviceError::PukBlocked => {
            with(others, say(Code::Pin, "", "only a reset helps this key; its shares are lost"))
        }
        DeviceError::PinNotAccepted => {
            say(Code::Pin, UNCHANGED, "choose another: 8 digits that are no pattern")
        }
        DeviceError::NotTouched => with(
            others,
            say(
                Code::Key,
                "the PIN was right, no try was spent.",
                "run it again and touch the key when it blinks",
            ),
        ),
        DeviceError::EmptySlot(_) => {
            with(others, say(Code::Key, UNCHANGED, "it was reset or never provisioned"))
        }
        DeviceError::PresenceNeedsPin(_) => say(Code::Key, "no PIN was sent to it.", ""),
        DeviceError::NotGenuine(_) => with(
            others,
            say(
                Code::Key,
                "no PIN was sent to it.",
                "it may have been swapped. keep it and its bag as evidence, and use another key",
            ),
        ),
        DeviceError::BadSignature(_) => {
            with(others, say(Code::Integrity, NOT_OPENED, "keep this key as evidence, and use another one"))
        }
        DeviceError::ManagementKey | DeviceError::NoProtectedManagementKey => say(
            Code::Key,
            "",
            "its management key is not the one this tool set; breakglass key inspect tells more",
        ),
        DeviceError::WriteLost { .. } => say(Code::Key, "", "the key's storage fails: provision another one"),
        DeviceError::ObjectTooLarge { .. } => say(Code::Key, UNCHANGED, ""),
        DeviceError::Service(_) => say(Code::Key, UNCHANGED, MORE),
        DeviceError::PracticeFile { .. } => say(Code::Disk, UNCHANGED, "breakglass practice new --serial N"),
    }
}

fn provision(error: &ProvisionError) -> Advice {
    match error {
        ProvisionError::Device(error) => device(error, None, &[]),
        ProvisionError::Unanswered(unanswered) => nobody(*unanswered),
        ProvisionError::FirmwareTooOld { .. } | ProvisionError::Bio(_) => {
            say(Code::Refused, UNCHANGED, "use another key: a YubiKey 5 with firmware 5.7 or later")
        }
        ProvisionError::Advisory { advisory, .. } => say(
            Code::Refused,
            UNCHANGED,
            &format!(
                "use a key with later firmware, or go on with a reason on record:  --override {}=\"why\"",
                advisory.id
            ),
        ),
        ProvisionError::Occupied { serial, .. } => say(
            Code::Refused,
            UNCHANGED,
            &format!(
                "use a blank key, or lose what is on this one:  breakglass key provision --overwrite {serial}"
            ),
        ),
        ProvisionError::OtherSerial { .. } => {
            say(Code::Usage, UNCHANGED, "type the serial of the key at hand")
        }
        ProvisionError::AlreadyEnrolled(serial) => {
            say(Code::Refused, UNCHANGED, &format!("admit it:  breakglass key admit {serial}"))
        }
        ProvisionError::InterruptedElsewhere { serial, .. } => say(
            Code::Refused,
            UNCHANGED,
            &format!(
                "finish it in that kit, or start over here:  breakglass key provision --overwrite {serial}"
            ),
        ),
        ProvisionError::ManagementKeyUnknown(_) => {
            say(Code::Refused, UNCHANGED, "reset its PIV application in peace:  ykman piv reset")
        }
        ProvisionError::LastTry { .. } => {
            say(Code::Pin, UNCHANGED, "unblock or reset it in peace, with ykman")
        }
        ProvisionError::FactoryValue(_) | ProvisionError::PinIsPuk => {
            say(Code::Refused, UNCHANGED, "choose another one")
        }
        ProvisionError::PlanOutdated { .. } => say(Code::Key, UNCHANGED, "run it again"),
        ProvisionError::NoDeviceCertificate(_)
        | ProvisionError::Attestation { .. }
        | ProvisionError::Binding { .. }
        | ProvisionError::Unattested { .. }
        | ProvisionError::ForeignKey { .. } => {
            say(Code::Integrity, "the key is not enrolled.", "do not use it: its origin is not proven")
        }
        ProvisionError::Certificate(_) | ProvisionError::Record(_) => {
            say(Code::Refused, "the key is half provisioned.", "run it again to resume")
        }
        ProvisionError::Store(_) => say(
            Code::Disk,
            "the key is half provisioned.",
            "make room for the record, then run it again to resume",
        ),
        ProvisionError::ReadsBackOtherwise { .. } => say(
            Code::Key,
            "the key is half provisioned.",
            "run it again; if it happens twice, use another key",
        ),
    }
}

fn pin_change(error: &PinError) -> Advice {
    match error {
        PinError::LastTry { .. } => say(
            Code::Pin,
            "nothing was sent.",
            "if you are sure of it:  breakglass key pin … --spend-last-try",
        ),
        PinError::FactoryValue(_) | PinError::Unchanged(_) | PinError::PinIsPuk => {
            say(Code::Refused, "nothing was changed.", "choose another one")
        }
        PinError::Unanswered(unanswered) => nobody(*unanswered),
        PinError::Device(error) => device(error, None, &[]),
        PinError::Unrecorded { .. } => say(
            Code::Disk,
            "the new value is in force.",
            "write down that it was changed, and by whom: the record of it is missing",
        ),
    }
}

fn list(serials: &[Serial]) -> String {
    serials.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
