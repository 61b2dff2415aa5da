//! Which key comes next: the first of the plan that is plugged in, else the person is asked for one.

use p256::ecdsa::VerifyingKey;

use super::{Kit, Opening, PlannedKey, UnlockError, judge};
use crate::attestation::{Serial, Slot};
use crate::device::{Attached, DeviceError, Key};
use crate::kit::{head, words};
use crate::operator::Unanswered;
use crate::record::hash::Hash;
use crate::signing::{SigningError, Station};

impl Opening<'_> {
    /// The next key of the plan that is plugged in; asks for one while there is somebody to ask.
    pub(super) fn find(&mut self, kit: &Kit, station: &mut Station) -> Result<Box<dyn Key>, UnlockError> {
        let mut waited = false;
        loop {
            let candidates: Vec<Serial> = self.candidates().map(|key| key.serial).collect();
            let found = station.readers.connect_first(&candidates);
            match found {
                Ok(Some(key)) => {
                    // While a person was waited for it was told already.
                    for failure in self.untold.drain(..).filter(|_| !waited) {
                        station.operator.progress(&failure);
                    }
                    return Ok(key);
                }
                // Neither of the two is used; another key may do.
                Err(cause @ DeviceError::TwoWithSerial(serial)) => {
                    self.tried.push(serial);
                    self.leave_aside(SigningError::Device { serial, cause }.into())?;
                    continue;
                }
                Ok(None) | Err(_) => {}
            }
            let (attached, trouble) = match found.and_then(|_| station.readers.attached()) {
                Ok(attached) => (attached, None),
                Err(cause @ (DeviceError::NoService | DeviceError::AccessDenied)) => {
                    return Err(UnlockError::Readers(cause));
                }
                // A card that answers badly, or is held, may be taken out in favour of another.
                Err(cause) => (Vec::new(), Some(cause)),
            };
            let mut strangers = self.strangers(kit, station, &attached);
            let wanted: Vec<String> = self.candidates().map(PlannedKey::label).collect();
            let mut text = self.untold.clone();
            text.extend(strangers.iter().cloned());
            text.extend(trouble.iter().filter(|t| !matches!(t, DeviceError::NoKey)).map(ToString::to_string));
            text.push(format!("insert one of: {}", wanted.join(" · ")));
            match station.operator.swap(&text.join("\n")) {
                Ok(()) => waited = true,
                Err(Unanswered::Cancelled) => return Err(SigningError::from(Unanswered::Cancelled).into()),
                Err(Unanswered::NobodyToAsk) => {
                    return Err(match (self.failure.take(), trouble) {
                        (Some(failure), _) => failure,
                        (None, Some(trouble)) => UnlockError::Readers(trouble),
                        (None, None) if strangers.is_empty() => UnlockError::Readers(DeviceError::NoKey),
                        (None, None) => {
                            strangers.dedup();
                            UnlockError::NoKeyOfThese(strangers.join("; "))
                        }
                    });
                }
            }
        }
    }

    /// Why each of the keys that are plugged in is of no use; nothing of those that had their turn. A key that this kit does
    /// not know is asked once which kit it belongs to.
    fn strangers(&mut self, kit: &Kit, station: &mut Station, attached: &[Attached]) -> Vec<String> {
        let mut why = Vec::new();
        for serial in attached.iter().map(|key| key.serial).filter(|serial| !self.tried.contains(serial)) {
            let plan = self.plan;
            let stranger = self.strangers.entry(serial).or_insert_with(|| {
                let claimed = match kit.enrolled(serial) {
                    None => station.readers.connect(serial).ok().and_then(|mut key| words_on(key.as_mut())),
                    Some(_) => None,
                };
                match claimed {
                    Some(words) => format!("key {serial} belongs to another kit: {words}"),
                    None => judge::why_not(kit, &plan.wish.credential, &plan.generation, serial),
                }
            });
            why.push(stranger.clone());
        }
        why
    }
}

/// The words of the kit that a key says it belongs to.
fn words_on(key: &mut dyn Key) -> Option<String> {
    let signing = VerifyingKey::from(key.metadata(Slot::Signing).ok()??.public?);
    let head = head::highest(&key.head_objects().ok()?, &signing)?;
    (head.kit != Hash([0; 32])).then(|| words::kit_words(&head.kit).join(" "))
}
