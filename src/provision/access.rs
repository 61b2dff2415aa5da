//! PIN, PUK and management key: asked, checked, replaced.

use super::carry_out::Run;
use super::survey::is_factory;
use super::{Found, ProvisionError, Step, fido2, management};
use crate::device::{DeviceError, Tries, firmware};
use crate::operator::Ask;
use crate::secret::{ManagementKey, Pin};

/// Factory values (facts: yubikit). Sent only while the key says that they are in force.
const FACTORY_PIN: &[u8] = b"123456";
const FACTORY_PUK: &[u8] = b"12345678";

/// What the person typed.
pub(super) struct Secrets {
    pin: Pin,
    puk: Option<Pin>,
}

impl Secrets {
    /// The PIN that is in force at the end.
    pub(super) fn pin(&self) -> &Pin {
        &self.pin
    }
}

pub(super) fn factory_pin() -> Pin {
    Pin::parse(FACTORY_PIN).expect("six digits are a PIN")
}

pub(super) fn factory_puk() -> Pin {
    Pin::parse(FACTORY_PUK).expect("eight digits are a PUK")
}

impl Run<'_, '_> {
    /// Asks for all that the plan named, before anything changes.
    pub(super) fn ask(&mut self, found: &Found) -> Result<Secrets, ProvisionError> {
        let (mut pin, mut puk) = (None, None);
        for ask in &self.plan.asks {
            let (place, tries) = match ask {
                Ask::NewPin => (&mut pin, None),
                Ask::Pin => (&mut pin, Some(found.pin)),
                Ask::NewPuk => (&mut puk, None),
                Ask::Puk => (&mut puk, Some(found.puk)),
            };
            let typed = self.operator.pin(*ask, self.plan.serial, tries)?;
            let factory = match ask {
                Ask::Pin | Ask::NewPin => factory_pin(),
                Ask::Puk | Ask::NewPuk => factory_puk(),
            };
            if typed.same_as(&factory) {
                return Err(ProvisionError::FactoryValue(*ask));
            }
            *place = Some(typed);
        }
        let pin = pin.expect("every plan asks for a PIN");
        if puk.as_ref().is_some_and(|puk| puk.same_as(&pin)) {
            return Err(ProvisionError::PinIsPuk);
        }
        if let (Ok(fido2), true) = (&found.fido2, self.plan.steps.contains(&Step::Credential)) {
            fido2::fits(self.plan.serial, &fido2.facts, &pin)?;
        }
        Ok(Secrets { pin, puk })
    }

    /// Proves to the key what must be proven before it is marked: PIN and PUK that are not factory ones, each sent
    /// once, and the management key in force, which it gives back.
    pub(super) fn unlock(
        &mut self,
        found: &Found,
        secrets: &Secrets,
    ) -> Result<ManagementKey, ProvisionError> {
        if !is_factory(found.pin) {
            self.key.verify_pin(&secrets.pin)?;
        } else if !found.management.1 {
            self.key.verify_pin(&factory_pin())?;
        }
        if self.plan.asks.contains(&Ask::Puk) {
            let puk = secrets.puk.as_ref().expect("a PUK was asked for");
            // There is no VERIFY for a PUK: it is changed to itself.
            self.key.change_puk(puk, puk)?;
        }
        for candidate in self.management_keys()? {
            match self.admin.authenticate(&candidate) {
                Ok(()) => return Ok(candidate),
                Err(DeviceError::ManagementKey) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ProvisionError::ManagementKeyUnknown(self.plan.serial))
    }

    /// The keys that can be in force, the likeliest first. Management keys have no counter of tries.
    fn management_keys(&mut self) -> Result<Vec<ManagementKey>, ProvisionError> {
        let (algorithm, factory) = self.admin.management_algorithm()?;
        if factory {
            return Ok(vec![ManagementKey::factory(algorithm)]);
        }
        let stored = self.admin.object(management::PROTECTED_OBJECT)?;
        Ok(stored.map_or_else(Vec::new, |content| management::protected_keys(&content, algorithm)))
    }

    /// Replaces the factory values. The PIN first: whoever resumes after that proves themselves with it, and a PUK that
    /// is set is known to differ.
    pub(super) fn set_pin_and_puk(&mut self, found: &Found, secrets: &Secrets) -> Result<(), ProvisionError> {
        if is_factory(found.pin) {
            self.tell(Step::Pin);
            self.key.change_pin(&factory_pin(), &secrets.pin)?;
            self.key.verify_pin(&secrets.pin)?;
        }
        if is_factory(found.puk) {
            self.tell(Step::Puk);
            let puk = secrets.puk.as_ref().expect("a plan asks for a PUK while it is the factory one");
            self.key.change_puk(&factory_puk(), puk)?;
        }
        let factory = |tries: Option<Tries>| tries.is_none_or(is_factory);
        if factory(Some(self.key.pin_tries()?)) || factory(self.key.puk_tries()?) {
            let what = "PIN or PUK is still the factory one";
            return Err(ProvisionError::ReadsBackOtherwise { serial: self.plan.serial, what });
        }
        Ok(())
    }

    /// Keeps the new key behind the PIN, then puts it in force: at every moment the one in force is the factory one or
    /// lies on the key. `present` is the one in force.
    pub(super) fn set_management_key(&mut self, present: ManagementKey) -> Result<(), ProvisionError> {
        let (_, factory) = self.admin.management_algorithm()?;
        if !factory && !self.marker.replaces_management {
            return Ok(());
        }
        let algorithm = firmware::behaviour(self.plan.firmware).strongest_management_key;
        self.tell(Step::Management(algorithm));
        let next = management::generate(algorithm, self.outside.random);
        if !factory {
            let both = management::protected_content(&present, Some(&next));
            self.admin.put_object(management::PROTECTED_OBJECT, &both)?;
        } else {
            self.store_management_key(&next)?;
        }
        let admin_data = self.admin.object(management::ADMIN_OBJECT)?;
        let admin_data = management::admin_content(admin_data.as_ref().map(|content| &content[..]));
        self.admin.put_object(management::ADMIN_OBJECT, &admin_data)?;
        self.admin.set_management_key(&next)?;
        self.admin.authenticate(&next)?;
        if self.marker.replaces_management {
            self.store_management_key(&next)?;
            self.marker.replaces_management = false;
            self.write_marker()?;
        }
        Ok(())
    }

    /// Writes it, and reads it back before anything rests on it.
    fn store_management_key(&mut self, key: &ManagementKey) -> Result<(), ProvisionError> {
        let content = management::protected_content(key, None);
        self.admin.put_object(management::PROTECTED_OBJECT, &content)?;
        let found = self.admin.object(management::PROTECTED_OBJECT)?;
        if found.is_none_or(|found| *found != *content) {
            return Err(DeviceError::WriteLost { object: management::PROTECTED_OBJECT }.into());
        }
        Ok(())
    }
}
