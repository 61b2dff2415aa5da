//! The marker in 5FB600: "we are provisioning this key", and what that run has still to replace. It makes a resume
//! ours; the chain head takes its place at the end.
//!
//! Lines of ASCII, each ended by LF:
//! ```text
//! breakglass provisioning 1
//! kit <kit id, base64url>     at most once; absent while the kit is not founded
//! replaces <reference>        9C, 82, 9E, 83, 84, 85, 9B: a foreign key that a person agreed to lose, until it is replaced
//! ```

use std::collections::BTreeSet;

use crate::attestation::Slot;
use crate::record::hash::Hash;

const MANAGEMENT: &str = "9B";
const FIRST_LINE: &str = "breakglass provisioning 1";

/// What the marker says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marker {
    /// The kit that the key is provisioned for, once founded.
    pub kit: Option<Hash>,
    /// Slots that still hold a key which was there before. Without this a resumed overwrite would take it for its own.
    pub replaces: BTreeSet<Slot>,
    /// The management key is still one that was there before, and not the factory one.
    pub replaces_management: bool,
}

impl Marker {
    /// Reads an object's content; `None` if it is anything but a marker, to the last byte.
    pub fn parse(content: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(content).ok()?.strip_suffix('\n')?.split('\n');
        (lines.next()? == FIRST_LINE).then_some(())?;
        let mut marker = Marker::default();
        for line in lines {
            match line.split_once(' ')? {
                ("kit", kit) if marker.kit.is_none() => marker.kit = Some(kit.parse().ok()?),
                ("replaces", MANAGEMENT) if !marker.replaces_management => marker.replaces_management = true,
                ("replaces", slot) => {
                    let slot = Slot::EVERY.into_iter().find(|known| known.to_string() == slot)?;
                    marker.replaces.insert(slot).then_some(())?;
                }
                _ => return None,
            }
        }
        Some(marker)
    }

    /// The object's content.
    pub fn content(&self) -> Vec<u8> {
        let mut text = format!("{FIRST_LINE}\n");
        if let Some(kit) = &self.kit {
            text += &format!("kit {kit}\n");
        }
        for slot in &self.replaces {
            text += &format!("replaces {slot}\n");
        }
        if self.replaces_management {
            text += &format!("replaces {MANAGEMENT}\n");
        }
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_back_what_it_writes() {
        for kit in [None, Some(Hash([9; 32]))] {
            for replaces in [
                BTreeSet::new(),
                BTreeSet::from([Slot::Presence, Slot::Signing]),
                BTreeSet::from(Slot::EVERY),
            ] {
                let marker = Marker { kit, replaces_management: replaces.len() == 2, replaces };
                assert!(marker.content().len() <= 2_900);
                assert_eq!(Marker::parse(&marker.content()), Some(marker));
            }
        }
    }

    #[test]
    fn anything_else_is_no_marker() {
        let kit = Hash([1; 32]);
        for text in [
            "",
            "breakglass provisioning 1",
            "breakglass provisioning 2\n",
            "breakglass provisioning 1\n\n",
            "breakglass provisioning 1\nkit x\n",
            "breakglass provisioning 1\nreplaces 9A\n",
            "breakglass provisioning 1\nreplaces 9C\nreplaces 9C\n",
            "breakglass provisioning 1\nreplaces 9B\nreplaces 9B\n",
            "breakglass provisioning 1\nlater\n",
            &format!("breakglass provisioning 1\nkit {kit}\nkit {kit}\n"),
        ] {
            assert_eq!(Marker::parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_marker_or_none(lines in proptest::collection::vec("(kit|replaces)? ?(9B|9C|82|9E|83|[A-Za-z]{0,43})", 0..4)) {
            let text = format!("{FIRST_LINE}\n{}", lines.iter().map(|line| format!("{line}\n")).collect::<String>());
            if let Some(marker) = Marker::parse(text.as_bytes()) {
                prop_assert_eq!(Marker::parse(&marker.content()), Some(marker));
            }
        }
    }
}
