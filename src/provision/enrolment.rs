//! Certificate, enrolment record and chain head: what makes a key with keys in it an enrolled key.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::VerifyingKey;

use super::carry_out::Run;
use super::certificate::{self, Unsigned};
use super::keys::Made;
use super::survey::is_factory;
use super::{Fido2Found, ProvisionError, Step, management};
use crate::attestation::{Root, Slot};
use crate::device::fido2::Fido2Error;
use crate::device::firmware;
use crate::record::event::{Event, Fido2Enrolled, KeyEnrolled, Point};
use crate::record::hash::KeyId;
use crate::record::token::{Draft, Link, Record};
use crate::secret::Pin;

impl Run<'_, '_> {
    /// Puts a certificate into 82, unless the one there fits the key.
    pub(super) fn certify(&mut self, made: &Made, pin: &Pin) -> Result<(), ProvisionError> {
        let sealing = made.of(Slot::Sealing).public;
        if self.certificate_fits(made)? {
            return Ok(());
        }
        self.tell(Step::Certificate);
        let now = u64::try_from(self.circumstances.now).unwrap_or(0);
        let (name, version) = (self.circumstances.name, self.circumstances.version);
        let unsigned = Unsigned::new(&sealing, name, version, now, self.outside.random)?;
        self.operator.touch(self.plan.serial, "to sign the certificate in 82");
        self.key.verify_pin(pin)?;
        let signature = self.admin.sign_certificate(&unsigned.digest())?;
        let der = unsigned.sign(&signature)?;
        Ok(self.admin.put_object(certificate::OBJECT, &certificate::object(&der))?)
    }

    fn certificate_fits(&mut self, made: &Made) -> Result<bool, ProvisionError> {
        let content = self.admin.object(certificate::OBJECT)?;
        Ok(content.is_some_and(|content| certificate::fits(&content, &made.of(Slot::Sealing).public)))
    }

    /// The enrolment record: the one in the journal if there is one, else a new one, signed and stored.
    pub(super) fn enrol(
        &mut self,
        made: &Made,
        pin: &Pin,
        fido2: &Result<Fido2Found, Fido2Error>,
    ) -> Result<Record, ProvisionError> {
        let signing = VerifyingKey::from(made.of(Slot::Signing).public);
        if let Some(record) = (self.circumstances.enrolment)(KeyId::of(&signing)) {
            return Ok(record);
        }
        let fido2 = self.enrol_fido2(fido2, made, pin)?;
        self.tell(Step::Enrol);
        let input = self.draft(made, fido2).signing_input()?;
        self.operator.touch(self.plan.serial, "to sign its enrolment record");
        let signature = self.key.sign_record(&signing, pin, &input.digest())?;
        let record = input.finish(&signature);
        (self.outside.store)(&record).map_err(ProvisionError::Store)?;
        Ok(record)
    }

    fn draft(&mut self, made: &Made, fido2: Option<Fido2Enrolled>) -> Draft {
        let (plan, circumstances) = (self.plan, self.circumstances);
        let signing = made.of(Slot::Signing);
        let attestations: BTreeMap<String, String> = made
            .slots
            .iter()
            .filter(|(slot, _)| **slot != Slot::Signing)
            .map(|(slot, attested)| (slot.to_string(), STANDARD.encode(&attested.leaf)))
            .collect();
        let root = match &signing.facts.root {
            Root::Yubico(_) => "yubico",
            Root::Private(_) => "private",
            Root::Practice(_) => "practice",
        };
        let mut jti = [0; 16];
        self.outside.random.fill_bytes(&mut jti);
        Draft {
            kid: KeyId::of(&VerifyingKey::from(signing.public)),
            x5c: vec![signing.leaf.clone(), made.device.clone()],
            iss: circumstances.issuer.to_owned(),
            serial: plan.serial,
            txn: None,
            jti: hex::encode(jti),
            iat: circumstances.now,
            link: Link {
                kit: circumstances.kit,
                seq: 0,
                prev: None,
                seen: circumstances.seen.clone(),
                policy: circumstances.policy,
                tool: circumstances.tool,
            },
            event: Event::KeyEnrolled(KeyEnrolled {
                serial: plan.serial,
                firmware: plan.firmware,
                signing: Point(signing.public),
                sealing: Point(made.of(Slot::Sealing).public),
                presence: made.presence().map(Point),
                minting: made.minting(),
                root: root.to_owned(),
                attestations,
                overrides: plan.overrides.clone(),
                fido2: fido2.map(Box::new),
            }),
        }
    }

    /// The chain head in place of the marker, written as an emergency writes it: with the management key that lies
    /// behind the PIN.
    pub(super) fn write_head(&mut self, record: &Record) -> Result<(), ProvisionError> {
        self.tell(Step::Head);
        Ok(self.key.put_head_object(0, &(self.outside.head)(record))?)
    }

    /// Reads everything once more.
    pub(super) fn compare(&mut self, made: &Made, record: &Record) -> Result<(), ProvisionError> {
        self.tell(Step::Compare);
        let serial = self.plan.serial;
        let otherwise = |what| Err(ProvisionError::ReadsBackOtherwise { serial, what });
        for (slot, attested) in &made.slots {
            if self.key.metadata(*slot)?.and_then(|metadata| metadata.public) != Some(attested.public) {
                return otherwise("the key in a slot");
            }
        }
        if is_factory(self.key.pin_tries()?) || self.key.puk_tries()?.is_none_or(is_factory) {
            return otherwise("PIN or PUK is the factory one");
        }
        let strongest = firmware::behaviour(self.plan.firmware).strongest_management_key;
        if self.admin.management_algorithm()? != (strongest, false) {
            return otherwise("the management key");
        }
        let admin_data = self.admin.object(management::ADMIN_OBJECT)?;
        if !admin_data.is_some_and(|content| management::says_protected(&content)) {
            return otherwise("the note that the management key lies behind the PIN");
        }
        if !self.certificate_fits(made)? {
            return otherwise("the certificate in 82");
        }
        if self.key.head_objects()? != [Some((self.outside.head)(record)), None] {
            return otherwise("the chain head");
        }
        if let Some(presence) = made.presence() {
            let mut nonce = [0; 32];
            self.outside.random.fill_bytes(&mut nonce);
            self.key.prove_presence(&VerifyingKey::from(presence), &nonce)?;
        }
        Ok(())
    }
}
