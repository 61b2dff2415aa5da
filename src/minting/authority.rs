//! The certificate by which platforms trust a key that mints client certificates: slot 84 signs it for itself, once, in peace.
//!
//! 1. [`plan`]: the key was made for it, and has none yet that is good now and lasts. Nothing is asked yet.
//! 2. The person confirms the plan, which shows the clock, with an exact word.
//! 3. [`carry_out`]: 9E proof, head against journal, PIN; slot 84 signs the certificate (a touch) and the list of what it has
//!    revoked (a touch); then `mint.authority`, with the bytes of both, is signed, appended and fsynced.
//!
//! Here the record comes last, other than with everything else that is minted. Both are public and let nobody in: the
//! certificate says what the attestation of the slot says already, the list takes back what the lists before it took back and
//! may still be taken for good.
//! Bytes that were signed and did not come into the journal are in no file and are lost with the process; the next run
//! signs others. Whereas a record that named a certificate before it is signed would leave, after a crash, an authority that
//! nobody can install. So after a crash at any point there is a record with both, or none and nothing else either.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::VerifyingKey;

use super::{MintingError, judge};
use crate::attestation::{Serial, Slot};
use crate::device::DeviceError;
use crate::kit::minted::minted;
use crate::kit::policy::Kind;
use crate::kit::{Kit, KitError};
use crate::mint::x509::{self, Authority, LASTS, RevokedCertificate, Signed, SignedList};
use crate::mint::{BACKDATED, Numbers};
use crate::record::event::{Event, MintAuthority};
use crate::record::hash::Hash;
use crate::signing::{Caution, Signer, Station};

/// Seconds before its end from which on an authority may be made anew: a year, so that platforms get it in time.
pub const RENEWED: u64 = 365 * 86_400;

/// What will be made. Made by [`plan`] alone.
#[derive(Debug)]
pub struct Plan {
    /// The key.
    pub serial: Serial,
    /// What is allowed at the key.
    pub caution: Caution,
    /// It, and its name: the one that it had, else after the kit and the key.
    pub authority: Authority,
}

impl Plan {
    /// The exact words that confirm it.
    pub fn word(&self) -> String {
        format!("authority {}", self.serial)
    }
}

/// A certificate and a list that are on record.
#[derive(Debug)]
pub struct Made {
    /// The certificate of the authority for itself.
    pub certificate: Signed,
    /// Its list of what it has revoked.
    pub list: SignedList,
    /// Hash of the record.
    pub record: Hash,
    /// Why the head could not be written, if it could not.
    pub head: Result<(), DeviceError>,
}

/// Judges, and tries that the journal can be written. `now` in Unix seconds, as the machine claims it.
///
/// # Errors
/// [`MintingError::NotAdmitted`], [`MintingError::NotMade`], [`MintingError::HasAuthority`], [`MintingError::Mint`] for a kit whose name is no part of one, [`MintingError::Kit`].
pub fn plan(kit: &Kit, serial: Serial, caution: Caution, now: i64) -> Result<Plan, MintingError> {
    kit.founded()?;
    let key: VerifyingKey = judge::minting_key(kit, serial, Kind::X509)?;
    let before = kit.authority(serial);
    let at = u64::try_from(now).unwrap_or(0);
    // One that is good only later was made by a clock that was ahead; one made by a clock that is behind does no harm.
    let lasts = |one: &Signed| one.from() <= at && one.until() > at.saturating_add(RENEWED);
    if let Some(certified) = before.as_ref().filter(|one| lasts(&one.certificate)) {
        return Err(MintingError::HasAuthority { serial, until: certified.certificate.until() });
    }
    let authority = match before {
        // Under the name that it has: platforms with the old certificate take what is minted under the new one.
        Some(before) => before.authority,
        None => Authority::new(&key, &kit.policy.name, serial)?,
    };
    kit.folder.reserve().map_err(KitError::from)?;
    Ok(Plan { serial, caution, authority })
}

/// Carries out a confirmed plan.
///
/// # Errors
/// [`MintingError::Key`], [`MintingError::Mint`]. Nothing is on record then.
pub fn carry_out(kit: &mut Kit, plan: &Plan, station: &mut Station) -> Result<Made, MintingError> {
    let mut signer = Signer::ready(station, kit, plan.serial, &plan.caution)?;
    signer.ask_pin(station)?;
    let now = u64::try_from((station.clock)()).unwrap_or(0);
    let record = u32::try_from(signer.next()).unwrap_or(u32::MAX); // a journal never comes near it
    let mut random = [0; 8];
    station.rng.fill_bytes(&mut random);
    let number = Numbers { key: plan.serial, record }.x509(random);
    let unsigned = x509::authority(&plan.authority, number, now.saturating_sub(BACKDATED), LASTS)?;
    let (key, digest) = (*unsigned.key(), unsigned.digest());
    let purpose = format!("to sign the certificate of {}", Slot::X509Authority);
    let signature = signer.sign_minted(station, Slot::X509Authority, &key, &digest, &purpose)?;
    let certificate = unsigned.finish(&signature)?;
    // Of the journal as it is now that the key's head was brought together with it.
    let (revoked, number) = match kit.authority(plan.serial) {
        Some(before) => {
            let listed = before.still_listed(&minted(kit), (station.clock)());
            (listed, before.list.number().saturating_add(1))
        }
        None => (Vec::new(), 1),
    };
    let list = sign_list(&mut signer, station, &certificate, &revoked, number, now)?;
    let event = Event::MintAuthority(MintAuthority {
        certificate: STANDARD.encode(certificate.der()),
        list: STANDARD.encode(list.der()),
    });
    let record = signer.sign(station, kit, None, event, "to sign the record of it")?;
    Ok(Made { certificate, list, record: record.hash(), head: std::mem::replace(&mut signer.head, Ok(())) })
}

/// Signs the list of all that an authority has revoked, with slot 84 of its key; a touch. It holds from five minutes before
/// `now`, in Unix seconds, until the end of that certificate, which is the authority's own: past the end of a list servers
/// refuse everybody. `revoked` is everything that is on the list before it and what is new; `number` is higher than its
/// number. The list is good once somebody has it: its record is the caller's business.
///
/// # Errors
/// [`MintingError::Key`], [`MintingError::Mint`].
pub fn sign_list(
    signer: &mut Signer,
    station: &mut Station,
    certificate: &Signed,
    revoked: &[RevokedCertificate],
    number: u64,
    now: u64,
) -> Result<SignedList, MintingError> {
    let from = now.saturating_sub(BACKDATED);
    let unsigned = x509::revocation_list(certificate, revoked, number, from, None)?;
    let (key, digest) = (*unsigned.key(), unsigned.digest());
    let purpose = format!("to sign the list of what {} has revoked", Slot::X509Authority);
    let signature = signer.sign_minted(station, Slot::X509Authority, &key, &digest, &purpose)?;
    Ok(unsigned.finish(&signature)?)
}
