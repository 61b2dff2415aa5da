//! Hints for minting.

use super::flow::signing;
use super::kit::kit;
use super::{Advice, Code, Keys, say};
use crate::minting::MintingError;
use crate::signing::SigningError;

const NOT_MINTED: &str = "nothing was minted.";

pub(super) fn minting(error: &MintingError) -> Advice {
    match error {
        MintingError::Kit(error) => kit(error),
        MintingError::Key(SigningError::Gap { .. } | SigningError::Fork { .. }) | MintingError::Lacks(_) => {
            say(
                Code::Integrity,
                NOT_MINTED,
                "bring the other stick and run  breakglass kit merge DIR        or go on and leave the gap visible:  --accept-gap \"why\"",
            )
        }
        MintingError::Key(error) => signing(error, &Keys::NONE),
        MintingError::Policy(_) | MintingError::NoRule { .. } => {
            say(Code::Refused, NOT_MINTED, "what may be minted:  breakglass policy check")
        }
        MintingError::OtherKind { .. } | MintingError::Label(_) => say(Code::Usage, NOT_MINTED, ""),
        MintingError::NotAdmitted(_) => {
            say(Code::Key, NOT_MINTED, "plug in an admitted key:  breakglass key list")
        }
        MintingError::Withdrawn { .. } => {
            say(Code::Refused, NOT_MINTED, "mint with another key:  --key SERIAL")
        }
        MintingError::NotMade { others, .. } => {
            let keys: Vec<String> = others.iter().map(ToString::to_string).collect();
            say(Code::Key, NOT_MINTED, &match &keys[..] {
                [] => "no key of this kit was; put it into  mints  of kit.toml, adopt that, and provision a key".to_owned(),
                keys => format!("keys that would do: {}", keys.join(", ")),
            })
        }
        MintingError::NoAuthority { serial, others } => {
            let keys: Vec<String> = others.iter().map(ToString::to_string).collect();
            let next = format!("once, in peace:  breakglass trust authority --key {serial}");
            let mut advice = say(Code::Refused, NOT_MINTED, &next);
            if !keys.is_empty() {
                advice.next.insert(0, format!("keys that would do: {}", keys.join(", ")));
            }
            advice
        }
        MintingError::AuthorityEnds { serial, .. } => say(
            Code::Refused,
            NOT_MINTED,
            &format!("for fewer minutes, or, in peace:  breakglass trust authority --key {serial}"),
        ),
        MintingError::HasAuthority { .. } => say(
            Code::Refused,
            "nothing was signed.",
            "write what servers must have:  breakglass trust export DIR",
        ),
        MintingError::Damage(_) => say(
            Code::Integrity,
            NOT_MINTED,
            "keep this stick as it is; mint from the other copy, or go on with  --accept-damage \"why\"",
        ),
        MintingError::Clock { .. } => say(
            Code::Refused,
            NOT_MINTED,
            "set the clock of this machine, or, if the records were made on one that was ahead, go on with  --accept-clock \"why\"",
        ),
        MintingError::ClockThere { .. } => say(
            Code::Refused,
            NOT_MINTED,
            "set the clock of this machine, or go on all the same with  --accept-clock \"why\"",
        ),
        MintingError::Mint(_) => say(
            Code::Refused,
            "if a record of it was signed, that stands in the journal.",
            "breakglass records list",
        ),
    }
}
