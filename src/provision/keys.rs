//! The keys in the slots: made where they are missing, attested in every case.

use std::collections::BTreeMap;

use p256::PublicKey;

use super::carry_out::{Enrolled, Run};
use super::{ProvisionError, Step};
use crate::attestation::{self, Expected, FormFactor, KeyFacts, Serial, Slot};
use crate::device::DeviceError;
use crate::device::piv::tlv;
use crate::record::event::Point;
use crate::record::token::Record;

/// Where the device's attestation certificate (F9) lies.
const DEVICE_CERTIFICATE: u32 = 0x5F_FF01;

/// One slot's key, attested.
pub(super) struct Attested {
    pub(super) public: PublicKey,
    pub(super) leaf: Vec<u8>,
    pub(super) facts: KeyFacts,
}

/// All keys of the device.
pub(super) struct Made {
    /// DER of F9.
    pub(super) device: Vec<u8>,
    pub(super) slots: BTreeMap<Slot, Attested>,
}

impl Made {
    pub(super) fn of(&self, slot: Slot) -> &Attested {
        self.slots.get(&slot).expect("9C and 82 are made on every key")
    }

    pub(super) fn presence(&self) -> Option<PublicKey> {
        self.slots.get(&Slot::Presence).map(|attested| attested.public)
    }

    /// Public keys of the slots that mint, by slot.
    pub(super) fn minting(&self) -> BTreeMap<String, Point> {
        let minting = self.slots.iter().filter(|(slot, _)| Slot::MINTING.contains(slot));
        minting.map(|(slot, attested)| (slot.to_string(), Point(attested.public))).collect()
    }

    pub(super) fn enrolled(self, serial: Serial, record: Record) -> Enrolled {
        Enrolled {
            serial,
            record,
            facts: self.of(Slot::Signing).facts.clone(),
            signing: self.of(Slot::Signing).public,
            sealing: self.of(Slot::Sealing).public,
            presence: self.presence(),
        }
    }
}

impl Run<'_, '_> {
    /// Generates where a slot is empty or its key is to be replaced, then has every slot attested: chain, serial, slot,
    /// public key, policies, firmware.
    pub(super) fn make_keys(&mut self) -> Result<Made, ProvisionError> {
        let device = self.device_certificate()?;
        let mut publics = Vec::new();
        for slot in self.plan.slots.iter().copied() {
            publics.push((slot, self.key_in(slot)?));
        }
        self.tell(Step::Attest);
        let mut slots = BTreeMap::new();
        for (slot, public) in publics {
            slots.insert(slot, self.attested(slot, public, &device)?);
        }
        Ok(Made { device, slots })
    }

    fn key_in(&mut self, slot: Slot) -> Result<PublicKey, ProvisionError> {
        match self.key.metadata(slot)? {
            Some(metadata) if !self.marker.replaces.contains(&slot) => {
                self.tell(Step::Keep(slot));
                metadata.public.ok_or(ProvisionError::ForeignKey { serial: self.plan.serial, slot })
            }
            _ => {
                self.tell(Step::Generate(slot));
                let public = self.admin.generate(slot)?;
                if self.marker.replaces.remove(&slot) {
                    self.write_marker()?;
                }
                Ok(public)
            }
        }
    }

    fn attested(&mut self, slot: Slot, public: PublicKey, device: &[u8]) -> Result<Attested, ProvisionError> {
        let serial = self.plan.serial;
        let leaf = self.admin.attest(slot).map_err(|cause| match cause {
            DeviceError::Refused { .. } => ProvisionError::Unattested { serial, slot, cause },
            other => other.into(),
        })?;
        let facts = attestation::verify(&leaf, device, self.circumstances.roots)
            .map_err(|cause| ProvisionError::Attestation { serial, slot, cause })?;
        if matches!(facts.form_factor, Some(FormFactor::UsbABio | FormFactor::UsbCBio)) {
            return Err(ProvisionError::Bio(serial));
        }
        attestation::bind(&facts, &Expected::new(serial, self.plan.firmware, slot, public))
            .map_err(|cause| ProvisionError::Binding { serial, slot, cause })?;
        Ok(Attested { public, leaf, facts })
    }

    /// `70 { certificate }`, then what no firmware fills.
    fn device_certificate(&mut self) -> Result<Vec<u8>, ProvisionError> {
        let content = self.admin.object(DEVICE_CERTIFICATE)?;
        let der = content.as_ref().and_then(|content| tlv::find(&tlv::all(content).ok()?, 0x70));
        der.map(<[u8]>::to_vec).ok_or(ProvisionError::NoDeviceCertificate(self.plan.serial))
    }
}
