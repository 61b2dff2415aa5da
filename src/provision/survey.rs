//! What is on the key: read only, no PIN.

use std::collections::{BTreeMap, BTreeSet};

use super::fido2::{self, Fido2Found, Fido2Side};
use super::marker::Marker;
use super::{ProvisionError, certificate, management};
use crate::attestation::{Firmware, Serial, Slot};
use crate::device::fido2::Fido2Error;
use crate::device::info::DeviceInfo;
use crate::device::{Administer, Key, SlotMetadata, Tries, firmware};
use crate::secret::ManagementAlgorithm;

/// Certificate objects by slot (NIST SP 800-73-4 part 1, table 3); that of 82 is ours.
const CERTIFICATES: [(&str, u32); 4] =
    [("9A", 0x5F_C105), ("9C", 0x5F_C10A), ("9D", 0x5F_C10B), ("9E", 0x5F_C101)];

/// The state of a key, as far as it tells it without a PIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Serial number.
    pub serial: Serial,
    /// Firmware.
    pub firmware: Firmware,
    /// Device information, where the key has the management application.
    pub info: Option<DeviceInfo>,
    /// Metadata of our slots that hold a key.
    pub slots: BTreeMap<Slot, SlotMetadata>,
    /// Tries of the PIN, and whether it is the factory one.
    pub pin: Tries,
    /// Tries of the PUK, and whether it is the factory one.
    pub puk: Tries,
    /// Algorithm of the management key, and whether it is the factory one.
    pub management: (ManagementAlgorithm, bool),
    /// Whether the key says that it holds its management key behind the PIN.
    pub management_protected: bool,
    /// Our marker in 5FB600.
    pub marker: Option<Marker>,
    /// Content of 5FB600 and 5FB601 that is not our marker.
    pub heads: [Option<Vec<u8>>; 2],
    /// Content of the certificate object of 82.
    pub certificate: Option<Vec<u8>>,
    /// Other slots that have a certificate: `9A`, `9C`, `9D`, `9E`.
    pub other_certificates: BTreeSet<&'static str>,
    /// Its FIDO2 side, or why it cannot be used.
    pub fido2: Result<Fido2Found, Fido2Error>,
    /// The minting slots that it was asked for: those that are to be filled. Others are left as they are.
    pub minting: Vec<Slot>,
}

/// Asks the key for everything that [`super::plan`] judges; `minting` are those of [`Slot::MINTING`] that it is to have. Sends no PIN and changes nothing on the key; ends a
/// verified PIN.
///
/// # Errors
/// [`ProvisionError::FirmwareTooOld`]; [`ProvisionError::Device`]; [`ProvisionError::Fido2`] if it is taken out.
pub fn survey(
    key: &mut dyn Key,
    admin: &mut dyn Administer,
    fido2: &mut Fido2Side,
    minting: &[Slot],
) -> Result<Found, ProvisionError> {
    let (serial, version) = (key.serial(), key.firmware());
    if !firmware::behaviour(version).metadata {
        return Err(ProvisionError::FirmwareTooOld { serial, firmware: version });
    }
    let info = admin.device_info()?;
    let mut slots = BTreeMap::new();
    for slot in Slot::CORE.into_iter().chain(minting.iter().copied()) {
        if let Some(metadata) = key.metadata(slot)? {
            slots.insert(slot, metadata);
        }
    }
    let pin = key.pin_tries()?;
    let puk = key.puk_tries()?.ok_or(ProvisionError::FirmwareTooOld { serial, firmware: version })?;
    let management = admin.management_algorithm()?;
    let management_protected =
        admin.object(management::ADMIN_OBJECT)?.is_some_and(|content| management::says_protected(&content));
    let mut heads = key.head_objects()?;
    let marker = heads[0].as_deref().and_then(Marker::parse);
    if marker.is_some() {
        heads[0] = None;
    }
    let certificate = admin.object(certificate::OBJECT)?.map(|content| content.to_vec());
    let mut other_certificates = BTreeSet::new();
    for (slot, object) in CERTIFICATES {
        if admin.object(object)?.is_some() {
            other_certificates.insert(slot);
        }
    }
    let fido2 = fido2::survey(serial, fido2)?;
    Ok(Found {
        serial,
        firmware: version,
        info,
        slots,
        pin,
        puk,
        management,
        management_protected,
        marker,
        heads,
        certificate,
        other_certificates,
        fido2,
        minting: minting.to_vec(),
    })
}

impl Found {
    /// Everything that a blank key has not, each in a few words; empty for a blank key.
    pub fn occupied_by(&self) -> Vec<String> {
        let mut what: Vec<String> = self.slots.keys().map(|slot| format!("a key in {slot}")).collect();
        what.extend(self.other_certificates.iter().map(|slot| format!("a certificate in {slot}")));
        if self.certificate.is_some() {
            what.push("a certificate in 82".to_owned());
        }
        if self.heads.iter().any(Option::is_some) {
            what.push("a chain head".to_owned());
        }
        for (changed, value) in [
            (!is_factory(self.pin), "a PIN"),
            (!is_factory(self.puk), "a PUK"),
            (!self.management.1, "a management key"),
        ] {
            if changed {
                what.push(format!("{value} other than the factory one"));
            }
        }
        what
    }

    /// The name on the shelf.
    pub fn model(&self) -> String {
        self.info.as_ref().map_or_else(|| "YubiKey".to_owned(), DeviceInfo::model)
    }

    /// Whether 9E can hold a key that needs no PIN: FIPS keys refuse that from 5.7.1.
    pub fn can_prove_presence(&self) -> bool {
        let fips = self.info.as_ref().is_some_and(DeviceInfo::is_fips);
        firmware::policy(Slot::Presence, self.firmware, fips) == Slot::Presence.policy()
    }

    /// The slots to be filled.
    pub fn wanted_slots(&self) -> impl Iterator<Item = Slot> + use<> {
        let presence = self.can_prove_presence();
        let core = Slot::CORE.into_iter().filter(move |slot| *slot != Slot::Presence || presence);
        core.chain(self.minting.clone())
    }
}

/// Whether the key says that this is the factory value. One that does not say counts as changed.
pub(super) fn is_factory(tries: Tries) -> bool {
    tries.factory == Some(true)
}
