//! Hints for the flows that use a key: signing, opening, provisioning, changing a PIN.

use super::device::device;
use super::fido2::{fido2, fido2_behind};
use super::kit::kit;
use super::{Advice, Code, Keys, NOT_OPENED, UNCHANGED, nobody, say, with};
use crate::attestation::Serial;
use crate::kit::sealed::UnsealError;
use crate::provision::pin::PinError;
use crate::provision::{NO_FIDO2, ProvisionError};
use crate::signing::SigningError;
use crate::unlock::{PlannedKey, Unapproved, UnlockError};

const GAP: &str = "bring the other stick and run  breakglass kit merge DIR        or, in an emergency, go on and leave the gap visible:  breakglass open … --accept-gap \"why\"";

const NOT_SIGNED: &str = "nothing was signed.";

/// The same for who has time.
const LOST: &str = "bring the other stick and run  breakglass kit merge DIR        or, if it is lost for good:  breakglass kit accept-gap --why …";

pub(super) fn signing(error: &SigningError, keys: &Keys) -> Advice {
    match error {
        SigningError::Device { serial, cause } => device(cause, Some(*serial), keys),
        SigningError::Fido2 { cause, .. } => fido2(cause, keys),
        SigningError::Kit(error) => kit(error),
        SigningError::Record(_) => say(Code::Refused, NOT_SIGNED, "shorten the texts that you gave"),
        SigningError::Unanswered(unanswered) => nobody(*unanswered),
        SigningError::NotEnrolled(_) => {
            with(keys, say(Code::Key, UNCHANGED, "this kit's keys:  breakglass key list"))
        }
        SigningError::OtherKit { .. } => {
            with(keys, say(Code::Key, UNCHANGED, "compare the words with the bag; put it back to its kit"))
        }
        SigningError::WasReset(_) => with(
            keys,
            say(
                Code::Key,
                UNCHANGED,
                "it opens nothing any more: retire it and provision it again, in peace",
            ),
        ),
        SigningError::LastFido2Try { serial } => {
            let mut advice = say(Code::Pin, "we will not use the last try without your word.", "");
            advice.next.push(format!("if you are sure of the FIDO2 PIN of {serial}:  … --spend-last-try"));
            with(keys, advice)
        }
        SigningError::LastTry { serial } => {
            let mut advice = say(Code::Pin, "we will not use the last try without your word.", "");
            let holder = keys.puk_holder(*serial);
            let holder = holder.map_or(String::new(), |name| format!("        {name} holds the PUK"));
            advice.next.push(format!("if you are sure of the PIN of {serial}:  … --spend-last-try{holder}"));
            with(keys, advice)
        }
        SigningError::Restored { .. } => say(
            Code::Refused,
            "the journal has it now; nothing else was done.",
            "run it again: the kit is not what it was taken for",
        ),
        SigningError::Gap { .. } => say(Code::Integrity, NOT_SIGNED, LOST),
        SigningError::Fork { .. } => with(
            keys,
            say(
                Code::Integrity,
                NOT_SIGNED,
                "bring the other stick and run  breakglass kit merge DIR        or sign with another key:  --with SERIAL",
            ),
        ),
    }
}

pub(super) fn unlock(error: &UnlockError, keys: &Keys) -> Advice {
    let mut advice = match error {
        UnlockError::Kit(error) => kit(error),
        UnlockError::Policy(_) => say(Code::Refused, NOT_OPENED, ""),
        UnlockError::Unreviewed { incidents, .. } => {
            let name = incidents.first().map(|name| crate::kit::debts::quoted(name)).unwrap_or_default();
            say(
                Code::Refused,
                NOT_OPENED,
                &format!(
                    "have it reviewed:  breakglass review {name} --by NAME --judgement … --text …        or, in an emergency, go on with  --accept-unreviewed \"why\""
                ),
            )
        }
        UnlockError::Approval { .. } => say(
            Code::Refused,
            NOT_OPENED,
            "have just this opening approved:  breakglass request …        or leave it away, where the policy lets you go on",
        ),
        UnlockError::Unapproved(unapproved) => {
            let Unapproved { credential, others, request, .. } = unapproved.as_ref();
            let next = match request {
                None => format!(
                    "ask for it:  breakglass request {credential} --emergency … --incident … --reason …"
                ),
                Some(request) => {
                    format!(
                        "have one more approve it, and give each file:  breakglass approve request-{}.json",
                        request.short()
                    )
                }
            };
            let mut advice = say(Code::Refused, NOT_OPENED, &next);
            advice
                .next
                .extend((!others.is_empty()).then(|| format!("who can approve it: {}", others.join(", "))));
            advice
        }
        UnlockError::NoSuch(_) => say(Code::Usage, NOT_OPENED, "what there is:  breakglass coverage"),
        UnlockError::TooFew { usable, threshold, .. } => {
            let labels: Vec<String> = usable.iter().map(PlannedKey::label).collect();
            match labels.len() < usize::from(*threshold) {
                true => say(Code::Refused, NOT_OPENED, "what opens with which keys:  breakglass coverage"),
                false => say(Code::Usage, NOT_OPENED, &format!("keys that would do: {}", labels.join(", "))),
            }
        }
        UnlockError::Damage(_) => say(
            Code::Integrity,
            "nothing was opened, nothing was cut away.",
            "keep this stick as it is; open from the other copy, or go on with  --accept-damage \"why\"",
        ),
        UnlockError::Lacks(_) => say(Code::Integrity, NOT_OPENED, GAP),
        UnlockError::Readers(cause) => device(cause, None, keys),
        UnlockError::Key(SigningError::Gap { .. } | SigningError::Fork { .. }) => {
            say(Code::Integrity, NOT_OPENED, GAP)
        }
        UnlockError::Key(error) => signing(error, keys),
        UnlockError::Unseal { serial, cause: UnsealError::Device(cause) } => {
            device(cause, Some(*serial), keys)
        }
        UnlockError::Unseal { .. } | UnlockError::Combine(_) => {
            with(keys, say(Code::Integrity, NOT_OPENED, ""))
        }
        UnlockError::NoKeyOfThese(_) => with(keys, say(Code::Key, NOT_OPENED, "")),
    };
    if keys.signed && [UNCHANGED, NOT_OPENED, ""].contains(&advice.state) {
        advice.state = "nothing was handed out; what was signed stands in the journal.";
    }
    advice
}

pub(super) fn provision(error: &ProvisionError) -> Advice {
    match error {
        ProvisionError::Device(error) => device(error, None, &Keys::NONE),
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
        ProvisionError::Fido2 { serial, cause } => with_piv_alone(*serial, fido2(cause, &Keys::NONE)),
        ProvisionError::NoModel(serial) => {
            with_piv_alone(*serial, say(Code::Refused, UNCHANGED, "use another key"))
        }
        ProvisionError::LastFido2Try(serial) => with_piv_alone(
            *serial,
            say(
                Code::Pin,
                "",
                "a right PIN gives all tries back: enter it once elsewhere, and run it again:  fido2-token -L -r /dev/hidrawN",
            ),
        ),
        ProvisionError::ShortForFido2 { serial, .. } => with_piv_alone(
            *serial,
            say(
                Code::Pin,
                UNCHANGED,
                "choose a longer PIN; if that is more than 8 characters, set a FIDO2 PIN of its own first:  ykman fido access change-pin",
            ),
        ),
        ProvisionError::Counter { serial, .. } => {
            with_piv_alone(*serial, say(Code::Refused, "the key is half provisioned.", "use another key"))
        }
        ProvisionError::ReadsBackOtherwise { .. } => say(
            Code::Key,
            "the key is half provisioned.",
            "run it again; if it happens twice, use another key",
        ),
    }
}

/// The way to enrol a key without its FIDO2 side.
fn with_piv_alone(serial: Serial, mut advice: Advice) -> Advice {
    advice.next.push(format!(
        "or enrol it without FIDO2, so that openings with other software will not show, with a reason on record:  breakglass key provision --serial {serial} --override {NO_FIDO2}=\"why\""
    ));
    advice
}

pub(super) fn pin_change(error: &PinError) -> Advice {
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
        PinError::Device(error) => device(error, None, &Keys::NONE),
        PinError::ShortForFido2 { .. } => say(Code::Refused, "nothing was changed.", "choose a longer one"),
        PinError::Fido2Unchanged => say(Code::Refused, "nothing was changed.", "choose another one"),
        PinError::LastFido2Try(serial) => say(
            Code::Pin,
            "nothing was sent to its FIDO2 side.",
            &format!(
                "if you are sure of the FIDO2 PIN:  breakglass key pin {serial} --what fido2 --spend-last-try"
            ),
        ),
        PinError::Fido2 { cause, .. } => fido2(cause, &Keys::NONE),
        PinError::Fido2Behind { serial, cause } => fido2_behind(*serial, cause),
        PinError::Fido2Unrecorded { serial, .. } => say(
            Code::Disk,
            "the new value is in force.",
            &format!(
                "put it on record, with the new value as the present and as the new one:  breakglass key pin {serial} --what fido2"
            ),
        ),
        PinError::Unrecorded { .. } => say(
            Code::Disk,
            "the new value is in force.",
            "write down that it was changed, and by whom: the record of it is missing",
        ),
    }
}
