//! The steps, in order. Each looks at the key before it changes anything.

use p256::PublicKey;

use super::fido2::Fido2Side;
use super::marker::Marker;
use super::{Circumstances, Outside, Plan, ProvisionError, Step, survey};
use crate::attestation::{KeyFacts, Serial};
use crate::device::piv::HEAD_OBJECTS;
use crate::device::{Administer, Key};
use crate::operator::Operator;
use crate::record::token::Record;

/// A key that is ready to be admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// Which key.
    pub serial: Serial,
    /// Its enrolment record, durable.
    pub record: Record,
    /// What its attestations say of 9C: firmware, form factor, root.
    pub facts: KeyFacts,
    /// Public key of 9C.
    pub signing: PublicKey,
    /// Public key of 82.
    pub sealing: PublicKey,
    /// Public key of 9E, where the key can hold one.
    pub presence: Option<PublicKey>,
}

/// Does what the plan says:
///
/// 1. The key is looked at once more: its state must be the one that the plan was made for.
/// 2. PIN and PUK are asked for, new ones or those chosen earlier, and checked before anything changes. A PIN chosen
///    earlier is sent once.
/// 3. The management key in force is found and accepted; the marker is written.
/// 4. PIN and PUK are set, the new management key is kept behind the PIN and then put in force.
/// 5. Keys are generated in empty slots; every slot's attestation is verified and bound to this key.
/// 6. The certificate in 82, signed by the key.
/// 7. The FIDO2 PIN, unless one is set, which is asked for; a credential; assertions, by which its counter and its first
///    envelopes are known.
/// 8. The enrolment record, signed by 9C, is stored; then the chain head replaces the marker.
/// 9. Everything is read back and compared, and 9E proves itself.
///
/// `key` and `admin` are connections to the same key, `fido2` is its FIDO2 side; the PIV PIN is sent through `key` alone.
///
/// # Errors
/// Any of [`ProvisionError`]. Afterwards the same calls, with a new survey and plan, go on where this stopped.
pub fn carry_out(
    plan: &Plan,
    key: &mut dyn Key,
    admin: &mut dyn Administer,
    fido2: &mut Fido2Side,
    operator: &mut dyn Operator,
    circumstances: &Circumstances<'_>,
    outside: &mut Outside<'_>,
) -> Result<Enrolled, ProvisionError> {
    let found = survey(key, admin, fido2, &plan.minting)?;
    let outdated = ProvisionError::PlanOutdated { planned: plan.serial, serial: found.serial };
    if found.serial != plan.serial || super::plan(&found, circumstances)? != *plan {
        return Err(outdated);
    }
    let mut run =
        Run { plan, key, admin, fido2, operator, circumstances, outside, marker: plan.marker.clone() };
    let secrets = run.ask(&found)?;
    let present = run.unlock(&found, &secrets)?;
    run.mark(&found)?;
    run.set_pin_and_puk(&found, &secrets)?;
    run.set_management_key(present)?;
    let made = run.make_keys()?;
    run.certify(&made, secrets.pin())?;
    let record = run.enrol(&made, secrets.pin(), &found.fido2)?;
    run.write_head(&record)?;
    run.compare(&made, &record)?;
    Ok(made.enrolled(plan.serial, record))
}

/// What all steps share.
pub(super) struct Run<'a, 'o> {
    pub(super) plan: &'a Plan,
    pub(super) key: &'a mut dyn Key,
    pub(super) admin: &'a mut dyn Administer,
    pub(super) fido2: &'a mut Fido2Side,
    pub(super) operator: &'a mut dyn Operator,
    pub(super) circumstances: &'a Circumstances<'a>,
    pub(super) outside: &'a mut Outside<'o>,
    /// As it lies on the key, once marked.
    pub(super) marker: Marker,
}

impl Run<'_, '_> {
    pub(super) fn tell(&mut self, step: Step) {
        self.operator.progress(&step.to_string());
    }

    /// Writes the marker over what is in 5FB600, and empties 5FB601. A resumed key has both already.
    fn mark(&mut self, found: &super::Found) -> Result<(), ProvisionError> {
        if found.marker.as_ref() != Some(&self.marker) {
            self.tell(Step::Mark);
            self.write_marker()?;
        }
        if found.heads[1].is_some() {
            self.admin.put_object(HEAD_OBJECTS[1], &[])?;
        }
        Ok(())
    }

    pub(super) fn write_marker(&mut self) -> Result<(), ProvisionError> {
        Ok(self.admin.put_object(HEAD_OBJECTS[0], &self.marker.content())?)
    }
}
