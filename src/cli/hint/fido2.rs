//! Hints for what the FIDO2 side of a key, or the way to it, does.

use super::{Advice, Code, Keys, NOT_OPENED, UNCHANGED, say, with};
use crate::attestation::Serial;
use crate::device::fido2::Fido2Error;

pub(super) fn fido2(error: &Fido2Error, keys: &Keys) -> Advice {
    const MORE: &str = "(breakglass doctor looks for more)";
    const BLOCKED: &str = "only a reset of its FIDO2 side helps (ykman fido reset), and that destroys this key's half of what is sealed to it with FIDO2: open with another key; in peace retire this one, reset it, provision and admit it again, and seal anew";
    const EVIDENCE: &str = "keep this key as evidence, and use another one";
    match error {
        Fido2Error::NoDevice => with(
            keys,
            say(
                Code::Key,
                UNCHANGED,
                &format!("plug the key in; one on NFC or with FIDO2 switched off shows none        {MORE}"),
            ),
        ),
        Fido2Error::AccessDenied { .. } => {
            say(Code::Key, UNCHANGED, &format!("allow it: udev/README.md says how        {MORE}"))
        }
        Fido2Error::Ambiguous { .. } => {
            say(Code::Key, "no PIN was sent to any.", "leave only one key plugged in, and run it again")
        }
        Fido2Error::Absent(_) => with(
            keys,
            say(
                Code::Key,
                UNCHANGED,
                &format!(
                    "plug it into USB; if it is there, its FIDO2 is switched off (ykman config usb --enable FIDO2)        {MORE}"
                ),
            ),
        ),
        Fido2Error::Removed { .. } => with(
            keys,
            say(
                Code::Key,
                "no PIN is sent again by itself; the key may have counted a use.",
                "plug it in and run the command again",
            ),
        ),
        Fido2Error::TimedOut { .. } => with(
            keys,
            say(
                Code::Key,
                "no PIN is sent again by itself; the key may have counted a use.",
                "take it out, put it in and run it again; if that does not help, use another key",
            ),
        ),
        Fido2Error::Malformed { .. } => with(
            keys,
            say(
                Code::Key,
                "no PIN is sent again by itself.",
                "take it out and use another key; keep this one for examination",
            ),
        ),
        // 06 is CHANNEL BUSY, of CTAP and of the HID layer below it.
        Fido2Error::Refused { status: 0x06, .. } => with(
            keys,
            say(
                Code::Busy,
                UNCHANGED,
                "another program talks to the key, often a browser: close it and run it again",
            ),
        ),
        Fido2Error::Refused { .. } => {
            with(keys, say(Code::Key, "", "take it out and use another key; keep this one for examination"))
        }
        Fido2Error::NotTouched => with(
            keys,
            say(
                Code::Key,
                "the PIN was right, no try was spent.",
                "run it again and touch the key when it blinks",
            ),
        ),
        Fido2Error::WrongPin { left: 0 } | Fido2Error::PinBlocked => {
            with(keys, say(Code::Pin, NOT_OPENED, BLOCKED))
        }
        Fido2Error::WrongPin { .. } => with(
            keys,
            say(
                Code::Pin,
                "one try was spent; it was not sent again.",
                "run it again with the right FIDO2 PIN; three wrong ones in a row, and it must be taken out and put in again",
            ),
        ),
        Fido2Error::PinAuthBlocked => with(
            keys,
            say(
                Code::Pin,
                "further PINs are not counted until then.",
                "take the key out, put it in, and run it again",
            ),
        ),
        Fido2Error::PinNotSet => {
            with(keys, say(Code::Pin, UNCHANGED, "it was reset, or never provisioned with FIDO2"))
        }
        Fido2Error::PinIsSet => say(Code::Pin, UNCHANGED, "give the FIDO2 PIN that it has"),
        Fido2Error::PinNotAccepted => {
            say(Code::Pin, UNCHANGED, "choose another: 8 digits that are no pattern")
        }
        Fido2Error::NoCredential => with(
            keys,
            say(
                Code::Key,
                NOT_OPENED,
                "its FIDO2 side was reset, or it is another key: what is sealed to it with FIDO2 is lost. keep it as evidence, and use another one",
            ),
        ),
        Fido2Error::Unsupported(_) => {
            with(keys, say(Code::Key, UNCHANGED, "use another key, or this one with PIV alone"))
        }
        Fido2Error::Assertion(_) => with(keys, say(Code::Integrity, NOT_OPENED, EVIDENCE)),
        Fido2Error::Service(_) => say(Code::Key, "no PIN is sent again by itself.", MORE),
    }
}

/// The PIV PIN is changed, and the FIDO2 PIN is not what it is: how far it came, and what finishes it.
pub(super) fn fido2_behind(serial: Serial, cause: &Fido2Error) -> Advice {
    let state = match cause {
        Fido2Error::Removed { .. }
        | Fido2Error::TimedOut { .. }
        | Fido2Error::Malformed { .. }
        | Fido2Error::Service(_) => {
            "the PIV PIN is the new one; the FIDO2 PIN is the old one or the new one, the key did not say which."
        }
        _ => "the PIV PIN is the new one; the FIDO2 PIN is what it was.",
    };
    let own = fido2(cause, &Keys::NONE);
    let finish = format!("breakglass key pin {serial} --what fido2");
    let next = match cause {
        Fido2Error::WrongPin { left: 0 } | Fido2Error::PinBlocked | Fido2Error::NoCredential => own.next,
        Fido2Error::WrongPin { .. } => vec![
            "one try was spent: its FIDO2 PIN was not the old PIV PIN, so it was changed elsewhere"
                .to_owned(),
            format!("with the FIDO2 PIN that it has:  {finish}"),
        ],
        Fido2Error::PinAuthBlocked | Fido2Error::Removed { .. } | Fido2Error::TimedOut { .. } => {
            vec![format!("take the key out, put it in, and finish it:  {finish}")]
        }
        _ => vec![format!("finish it, with the FIDO2 PIN that it has:  {finish}")],
    };
    Advice { code: own.code, state, next }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assertion::AssertionError;

    #[test]
    fn each_error_has_its_exit_code() {
        let step = "GET ASSERTION";
        for (error, code) in [
            (Fido2Error::NoDevice, Code::Key),
            (Fido2Error::AccessDenied { path: "/dev/hidraw0".into() }, Code::Key),
            (Fido2Error::Removed { step }, Code::Key),
            (Fido2Error::TimedOut { step, seconds: 60 }, Code::Key),
            (Fido2Error::NotTouched, Code::Key),
            (Fido2Error::WrongPin { left: 7 }, Code::Pin),
            (Fido2Error::PinAuthBlocked, Code::Pin),
            (Fido2Error::PinBlocked, Code::Pin),
            (Fido2Error::PinNotSet, Code::Pin),
            (Fido2Error::NoCredential, Code::Key),
            (Fido2Error::Refused { step, status: 0x06 }, Code::Busy),
            (Fido2Error::Refused { step, status: 0x33 }, Code::Key),
            (Fido2Error::Assertion(AssertionError::Signature), Code::Integrity),
        ] {
            let advice = fido2(&error, &Keys::NONE);
            assert_eq!(advice.code, code, "{error}");
            assert!(!advice.next.is_empty(), "{error}");
        }
    }

    #[test]
    fn what_finishes_a_change_is_named_wherever_it_can_be_finished() {
        let step = "CHANGE PIN";
        for (cause, known, finishes) in [
            (Fido2Error::WrongPin { left: 7 }, true, true),
            (Fido2Error::WrongPin { left: 0 }, true, false),
            (Fido2Error::PinBlocked, true, false),
            (Fido2Error::PinAuthBlocked, true, true),
            (Fido2Error::PinNotAccepted, true, true),
            (Fido2Error::Removed { step }, false, true),
            (Fido2Error::TimedOut { step, seconds: 60 }, false, true),
        ] {
            let advice = fido2_behind(Serial(30_877), &cause);
            assert!(advice.state.starts_with("the PIV PIN is the new one"), "{cause}");
            assert_eq!(advice.state.ends_with("the FIDO2 PIN is what it was."), known, "{cause}");
            let next = advice.next.join("\n");
            assert_eq!(next.contains("breakglass key pin 30877 --what fido2"), finishes, "{next}");
            assert_eq!(next.contains("only a reset"), !finishes, "{next}");
        }
        let blocked = fido2(&Fido2Error::PinAuthBlocked, &Keys::NONE).next.join("\n");
        assert!(blocked.contains("take the key out, put it in"), "{blocked}");
    }

    #[test]
    fn no_try_left_is_not_asked_for_another() {
        let text = |left| fido2(&Fido2Error::WrongPin { left }, &Keys::NONE).next.join("\n");
        assert!(text(0).contains("reset") && !text(0).contains("right FIDO2 PIN"));
        assert!(text(1).contains("right FIDO2 PIN"));
    }
}
