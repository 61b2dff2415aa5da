//! `key pin`: PIN, PUK and FIDO2 PIN of an enrolled key.

use p256::ecdsa::VerifyingKey;

use super::Outcome;
use super::args::{PinChange, PinWhat};
use super::desk::Desk;
use super::hint::Trouble;
use super::provision::which;
use crate::attestation::Serial;
use crate::device::fido2::Authenticator;
use crate::device::{Key, Readers};
use crate::kit::{Enrolled, Kit};
use crate::operator::Operator;
use crate::provision::pin::fido2::{self, Ready};
use crate::provision::pin::{self, Change, Ledger, PinError};
use crate::record::event::{Event, Fido2PinKind, KeyPinChanged};
use crate::record::hash::Hash;
use crate::record::token::{Draft, Record};
use crate::signing::{Caution, Signer, SigningError};

pub(super) fn pin(desk: &mut Desk, options: &PinChange) -> Result<Outcome, Trouble> {
    let (mut kit, _lock) = desk.work()?;
    desk.refuse_damaged(&kit)?;
    let mut readers = desk.readers(kit.kind());
    if let Some(serial) = options.serial {
        desk.await_key(&kit, readers.as_mut(), serial)?;
    }
    let serial = which(readers.as_mut(), options.serial)?;
    let enrolled = kit.enrolled(serial).ok_or(SigningError::NotEnrolled(serial))?;
    kit.folder.reserve().map_err(crate::kit::KitError::from)?;
    let caution = Caution { spend_last_try: true, accept_gap: None };
    let signer =
        desk.at_station(readers.as_mut(), |station| Signer::proven(station, &mut kit, serial, &caution))?;
    let spend_last_try = options.caution.spend_last_try;
    let mut errand =
        Errand { desk, kit: &mut kit, readers: readers.as_mut(), signer, enrolled, spend_last_try };
    let (changed, record, fido2) = match options.what {
        PinWhat::Change => errand.piv(Change::Pin)?,
        PinWhat::Unblock => errand.piv(Change::Unblock)?,
        PinWhat::Puk => errand.piv(Change::Puk)?,
        PinWhat::Fido2 => errand.fido2()?,
    };
    if desk.json {
        desk.json_result(&serde_json::json!({
            "serial": serial, "changed": changed, "record": record, "fido2": fido2,
        }))?;
    }
    Ok(Outcome::Done)
}

/// What was changed as the record names it, the record, and that of the FIDO2 PIN where it was changed with the PIV PIN.
type Done = (String, Hash, Option<Hash>);

/// A FIDO2 side whose PIN is changed with the PIV PIN.
type Companion = (Box<dyn Authenticator>, Ready);

/// One key whose PINs are changed.
struct Errand<'a> {
    desk: &'a mut Desk,
    kit: &'a mut Kit,
    readers: &'a mut dyn Readers,
    signer: Signer,
    enrolled: Enrolled,
    spend_last_try: bool,
}

impl Errand<'_> {
    fn piv(&mut self, what: Change) -> Result<Done, Trouble> {
        let companion = match what == Change::Pin && self.kit.fido2_pin_shared(&self.signer.id) {
            true => self.companion()?,
            false => None,
        };
        let least = companion.as_ref().map(|(_, ready)| ready.least);
        let spend_last_try = self.spend_last_try;
        let changed = self.with_ledger(|key, operator, ledger| {
            pin::change(what, key, operator, spend_last_try, least, ledger)
        })?;
        self.recorded(&changed.record);
        let followed = match (companion, &changed.before) {
            (Some((mut side, _)), Some(before)) => {
                let record = self.with_ledger(|key, operator, ledger| {
                    fido2::follow(key, side.as_mut(), operator, before, &changed.now, ledger)
                })?;
                self.recorded(&record);
                Some(record.hash())
            }
            _ => {
                self.fido2_pin_stays(what);
                None
            }
        };
        Ok((what.word().to_owned(), changed.record.hash(), followed))
    }

    /// The FIDO2 side whose PIN is to be changed with the PIV PIN; `None` if it cannot be, and a person goes on.
    fn companion(&mut self) -> Result<Option<Companion>, Trouble> {
        let serial = self.signer.serial;
        let found = self.authenticator().and_then(|mut side| {
            let ready = fido2::ready(side.as_mut(), self.spend_last_try)?;
            Ok((side, ready))
        });
        match found {
            Ok(found) => Ok(Some(found)),
            Err(cause) => {
                let text = format!(
                    "{cause}\nits PIN is the PIV PIN of {serial}. it would stay as it is, and {serial} ask for two PINs"
                );
                self.desk.confirm(&text, "PIV alone")?;
                Ok(None)
            }
        }
    }

    fn authenticator(&mut self) -> Result<Box<dyn Authenticator>, PinError> {
        let serial = self.signer.serial;
        self.readers.authenticator(serial).map_err(|cause| PinError::Fido2 { serial, cause })
    }

    fn fido2_pin_stays(&mut self, what: Change) {
        let serial = self.signer.serial;
        let why = match what {
            Change::Pin => "",
            Change::Unblock => "; no PUK unblocks it",
            Change::Puk => return,
        };
        if self.enrolled.facts.fido2.is_some() {
            self.desk.terminal.say(&format!("the FIDO2 PIN of {serial} is what it was{why}."));
            self.desk.terminal.say(&format!("to change it:  breakglass key pin {serial} --what fido2"));
        }
    }

    fn fido2(&mut self) -> Result<Done, Trouble> {
        let serial = self.signer.serial;
        let Some(enrolled) = &self.enrolled.facts.fido2 else { return Err(no_fido2(serial)) };
        let two = enrolled.pin == Fido2PinKind::Own;
        let mut side = self.authenticator()?;
        if !two {
            self.desk.terminal.say(&format!(
                "give the PIV PIN of {serial} as its new FIDO2 PIN, so that one PIN serves for both"
            ));
        }
        let shared_now = self.kit.fido2_pin_shared(&self.signer.id);
        let spend_last_try = self.spend_last_try;
        let record = self.with_ledger(|key, operator, ledger| {
            fido2::change(key, side.as_mut(), operator, spend_last_try, shared_now, ledger)
        })?;
        self.recorded(&record);
        let Event::KeyPinChanged(KeyPinChanged { what }) = &record.event else {
            unreachable!("a change of PIN leaves key.pin-changed")
        };
        if what == KeyPinChanged::FIDO2_OWN && !two {
            self.desk
                .terminal
                .say(&format!("{serial} asks for two PINs from now on: that of PIV and this one"));
        }
        Ok((what.clone(), record.hash(), None))
    }

    /// Runs one change with where its record goes.
    fn with_ledger<T>(
        &mut self,
        change: impl FnOnce(&mut dyn Key, &mut dyn Operator, Ledger<'_>) -> Result<T, PinError>,
    ) -> Result<T, Trouble> {
        let Errand { desk, kit, readers, signer, enrolled, .. } = self;
        let unnamed = Event::KeyPinChanged(KeyPinChanged { what: String::new() });
        let draft = desk.at_station(*readers, |station| signer.draft(station, kit, None, unnamed));
        let mut link = |event: Event| Ok(Draft { event, ..draft.clone() });
        let mut store = |record: &Record| kit.append(&record.chain_name(), record).map_err(Into::into);
        let done = desk.with_operator(|operator, random| {
            let mut nonce = || {
                let mut nonce = [0; 32];
                random.fill_bytes(&mut nonce);
                nonce
            };
            let ledger = Ledger {
                signing: VerifyingKey::from(enrolled.facts.signing.0),
                presence: enrolled.facts.presence.map(|point| VerifyingKey::from(point.0)),
                nonce: &mut nonce,
                link: &mut link,
                store: &mut store,
            };
            change(signer.key.as_mut(), operator, ledger)
        });
        Ok(done?)
    }

    /// The key carries the record as its head; the person is told.
    fn recorded(&mut self, record: &Record) {
        self.signer.go_on_after(self.kit, record);
        self.desk.head_written(&mut self.signer);
        let serial = self.signer.serial;
        let what = match &record.event {
            Event::KeyPinChanged(KeyPinChanged { what }) if what.starts_with("fido2") => "the FIDO2 PIN: ",
            _ => "",
        };
        self.desk.terminal.say(&format!("{what}done, and on record as {serial}/{}.", record.link.seq));
    }
}

fn no_fido2(serial: Serial) -> Trouble {
    Trouble::refused(
        format!("key {serial} has no FIDO2 side in this kit"),
        "a FIDO2 PIN that is not the kit's is changed with  ykman fido access change-pin",
    )
}
