//! Provisioning of real keys: the `yubikey` crate behind this one module, bytes across.
//!
//! The crate sets the management key, writes objects and signs the certificate. What is only read is read by our own
//! session, whose limits hold for any answer. So are two answers that the crate cuts into unseen, where a short one would
//! end the program: the second of the authentication, whose outcome is the card's and serves both, and the public key
//! that GENERATE gives. The crate is kept within bounds (facts: piv-stack.md 1.3):
//!
//! - It never gets a PIN: PIN state is the card's, and verified through the other connection. So nothing is cached.
//! - It meets a card only after our session has had sound answers to the same questions. What is left is a card that
//!   answers one soundly and then, at once, otherwise: a version cut short, or objects of another form.
//! - It opens the one reader that was identified, by name, and the key must say the same serial number again.
//! - It lives in a thread of its own, and each answer is waited for a limited time: it has no limit itself.
//! - Its handle ends with `LeaveCard`; a dropped one would reset the card under our connection. What management key and
//!   PIN have allowed is taken back by selecting another application.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use p256::PublicKey;
use p256::ecdsa::Signature;
use yubikey::piv::{AlgorithmId, RetiredSlotId, SlotId};
use yubikey::{MgmAlgorithmId, MgmKey, YubiKey};
use zeroize::Zeroizing;

use super::info::DeviceInfo;
use super::piv::pcsc::{Beside, PcscCard};
use super::piv::{MOST_OBJECT_BYTES, Session, tlv};
use super::{Administer, DeviceError};
use crate::attestation::Slot;
use crate::secret::{ManagementAlgorithm, ManagementKey};

/// PRINTED, where ykman keeps the management key behind the PIN, and its note that it does.
const PROTECTED_OBJECT: u32 = 0x5F_C109;
const ADMIN_OBJECT: u32 = 0x5F_FF00;

/// What errors call the time before the first command.
const CONNECT: &str = "the connection";
/// For commands that need nobody.
const PLAIN: Duration = Duration::from_secs(10);
/// For a command that waits for a touch; the key gives up by itself after about 15 seconds.
const TOUCH: Duration = Duration::from_secs(30);

/// Opens the provisioning side of the key in that reader.
///
/// # Errors
/// Those of [`Session::connect`]; [`DeviceError::Absent`] if another key is there by now; whatever the crate meets.
pub fn open(beside: Beside) -> Result<Box<dyn Administer>, DeviceError> {
    let mut session = beside.session()?;
    let info = session.device_info()?;
    let crate_side = explained(CrateSide::start(&beside), CONNECT, &mut session)?;
    Ok(Box::new(Administration { crate_side, session, info, _beside: beside }))
}

/// Fields end in this order: the crate's handle, our own, and only then the leave to be beside other connections.
struct Administration {
    crate_side: CrateSide,
    session: Session<PcscCard>,
    info: Option<DeviceInfo>,
    _beside: Beside,
}

impl Drop for Administration {
    fn drop(&mut self) {
        self.crate_side.end();
        // A key that is gone has forgotten it by itself.
        let _ = self.session.deauthenticate();
    }
}

impl Administer for Administration {
    fn device_info(&mut self) -> Result<Option<DeviceInfo>, DeviceError> {
        Ok(self.info.clone())
    }

    fn management_algorithm(&mut self) -> Result<(ManagementAlgorithm, bool), DeviceError> {
        self.session.management_algorithm()
    }

    fn authenticate(&mut self, key: &ManagementKey) -> Result<(), DeviceError> {
        self.session.authenticate(key)
    }

    /// The crate has no bare SET MANAGEMENT KEY: with the key it writes 5FC109 and the flag in 5FFF00 again, from what
    /// it reads there. So both are read first: an unreadable 5FC109 would be written over.
    fn set_management_key(&mut self, key: &ManagementKey) -> Result<(), DeviceError> {
        for (object, tag) in [(PROTECTED_OBJECT, 0x88), (ADMIN_OBJECT, 0x80)] {
            let content = Administer::object(&mut self.session, object)?;
            let sound = content.is_none_or(|content| tlv::only(&content, tag).and_then(tlv::all).is_ok());
            if !sound {
                return Err(DeviceError::Malformed {
                    command: "GET DATA",
                    detail: "it is not what ykman keeps there",
                });
            }
        }
        let key = management_key(key)?;
        self.change("SET MANAGEMENT KEY", PLAIN, move |yubikey| key.set_protected(yubikey))
    }

    fn generate(&mut self, slot: Slot) -> Result<PublicKey, DeviceError> {
        self.session.generate(slot)
    }

    fn attest(&mut self, slot: Slot) -> Result<Vec<u8>, DeviceError> {
        self.session.attest(slot)
    }

    fn object(&mut self, id: u32) -> Result<Option<Zeroizing<Vec<u8>>>, DeviceError> {
        Administer::object(&mut self.session, id)
    }

    fn put_object(&mut self, id: u32, content: &[u8]) -> Result<(), DeviceError> {
        if content.len() > MOST_OBJECT_BYTES {
            return Err(DeviceError::ObjectTooLarge { object: id, length: content.len() });
        }
        let mut content = Zeroizing::new(content.to_vec());
        self.change("PUT DATA", PLAIN, move |yubikey| yubikey.save_object(id, &mut content))
    }

    fn sign_certificate(&mut self, digest: &[u8; 32]) -> Result<Signature, DeviceError> {
        const COMMAND: &str = "signature with 82";
        let digest = *digest;
        let signed = self.change(COMMAND, TOUCH, move |yubikey| {
            yubikey::piv::sign_data(
                yubikey,
                &digest,
                AlgorithmId::EccP256,
                SlotId::Retired(RetiredSlotId::R1),
            )
        });
        let der = signed.map_err(|error| match error {
            DeviceError::ManagementKey => DeviceError::NotTouched, // 6982, in the crate's words
            other => other,
        })?;
        Signature::from_der(&der)
            .map_err(|_| DeviceError::Malformed { command: COMMAND, detail: "it is not a signature" })
    }
}

impl Administration {
    /// A command of the crate.
    fn change<T: Send + 'static>(
        &mut self,
        command: &'static str,
        limit: Duration,
        job: impl FnOnce(&mut YubiKey) -> yubikey::Result<T> + Send + 'static,
    ) -> Result<T, DeviceError> {
        explained(self.crate_side.call(command, limit, job), command, &mut self.session)
    }
}

/// Where the crate failed for a reason that it does not tell well, our session is asked whether the key is still there.
fn explained<T>(
    result: Result<T, DeviceError>,
    command: &'static str,
    session: &mut Session<PcscCard>,
) -> Result<T, DeviceError> {
    let vague = matches!(
        result,
        Err(DeviceError::ManagementKey | DeviceError::Malformed { .. } | DeviceError::Unexplained { .. })
    );
    match vague.then(|| session.management_algorithm()) {
        Some(Err(DeviceError::Removed { .. })) => Err(DeviceError::Removed { command }),
        _ => result,
    }
}

/// With its algorithm, never by the version or the length.
fn management_key(key: &ManagementKey) -> Result<MgmKey, DeviceError> {
    let algorithm = match key.algorithm() {
        ManagementAlgorithm::TripleDes => MgmAlgorithmId::ThreeDes,
        ManagementAlgorithm::Aes128 => MgmAlgorithmId::Aes128,
        ManagementAlgorithm::Aes192 => MgmAlgorithmId::Aes192,
        ManagementAlgorithm::Aes256 => MgmAlgorithmId::Aes256,
    };
    MgmKey::from_bytes(key.expose_key(), Some(algorithm)).map_err(|_| DeviceError::ManagementKey)
}

type Job = Box<dyn FnOnce(&mut YubiKey) + Send>;

/// The thread in which the crate works.
struct CrateSide {
    /// `None` once it did not answer in time: it may still be at work, and is left behind.
    jobs: Option<Sender<Job>>,
    ended: Receiver<()>,
}

impl CrateSide {
    fn start(beside: &Beside) -> Result<Self, DeviceError> {
        let (jobs, todo) = channel::<Job>();
        let (tell, opened) = channel();
        let (end, ended) = channel();
        let (reader, serial) = (beside.reader.clone(), beside.serial);
        std::thread::Builder::new()
            .name("provisioning".to_owned())
            .spawn(move || {
                let mut yubikey = match open_reader(&reader) {
                    Ok(Some(yubikey)) if yubikey.serial().0 == serial.0 => yubikey,
                    Ok(other) => {
                        other.into_iter().for_each(leave);
                        let _ = tell.send(Err(DeviceError::Absent(serial)));
                        return;
                    }
                    Err(error) => {
                        let _ = tell.send(Err(told(error, CONNECT)));
                        return;
                    }
                };
                let _ = tell.send(Ok(()));
                todo.into_iter().for_each(|job| job(&mut yubikey));
                leave(yubikey);
                let _ = end.send(());
            })
            .map_err(|error| DeviceError::Service(error.to_string()))?;
        let late = |_| DeviceError::TimedOut { command: CONNECT, seconds: PLAIN.as_secs() };
        opened.recv_timeout(PLAIN).map_err(late)??;
        Ok(CrateSide { jobs: Some(jobs), ended })
    }

    fn call<T: Send + 'static>(
        &mut self,
        command: &'static str,
        limit: Duration,
        job: impl FnOnce(&mut YubiKey) -> yubikey::Result<T> + Send + 'static,
    ) -> Result<T, DeviceError> {
        let late = DeviceError::TimedOut { command, seconds: limit.as_secs() };
        let Some(jobs) = &self.jobs else { return Err(late) };
        let (done, result) = channel();
        let job: Job = Box::new(move |yubikey| drop(done.send(job(yubikey))));
        let sent = jobs.send(job);
        match sent.ok().and_then(|()| result.recv_timeout(limit).ok()) {
            Some(result) => result.map_err(|error| told(error, command)),
            None => {
                self.jobs = None;
                Err(late)
            }
        }
    }

    /// Waits until the handle has ended, so that what comes next does not meet it.
    fn end(&mut self) {
        if self.jobs.take().is_some() {
            let _ = self.ended.recv_timeout(PLAIN);
        }
    }
}

/// The handle of the crate on that reader, if there is one of that name.
fn open_reader(name: &str) -> yubikey::Result<Option<YubiKey>> {
    let mut context = yubikey::reader::Context::open()?;
    let found = context.iter()?.find(|reader| reader.name() == name);
    found.map(|reader| reader.open()).transpose()
}

fn leave(yubikey: YubiKey) {
    if let Err((yubikey, _)) = yubikey.disconnect(pcsc::Disposition::LeaveCard) {
        // The card is gone. Dropping the handle would ask for a reset of whatever is there now.
        std::mem::forget(yubikey);
    }
}

/// The crate's error in our words. It hides most status words.
fn told(error: yubikey::Error, command: &'static str) -> DeviceError {
    use yubikey::Error;
    match error {
        Error::AuthenticationError => DeviceError::ManagementKey,
        Error::PcscError { inner: Some(inner) } => match inner {
            pcsc::Error::NoService | pcsc::Error::ServiceStopped => DeviceError::NoService,
            pcsc::Error::RemovedCard
            | pcsc::Error::ResetCard
            | pcsc::Error::NoSmartcard
            | pcsc::Error::UnknownReader
            | pcsc::Error::ReaderUnavailable
            | pcsc::Error::NotTransacted
            | pcsc::Error::CommError => DeviceError::Removed { command },
            other => DeviceError::Service(other.to_string()),
        },
        Error::ParseError | Error::SizeError | Error::InvalidObject => {
            DeviceError::Malformed { command, detail: "it has another form or length" }
        }
        _ => DeviceError::Unexplained { command },
    }
}
