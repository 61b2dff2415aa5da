//! What will be done to the key, as a value: judged and shown before anything changes.

use std::fmt;

use p256::ecdsa::VerifyingKey;

use super::fido2::{self, ASSERTIONS, Intended};
use super::marker::Marker;
use super::survey::{Found, is_factory};
use super::{Circumstances, ProvisionError, certificate};
use crate::attestation::{Firmware, Serial, Slot};
use crate::device::firmware::{self, Severity};
use crate::device::info::DeviceInfo;
use crate::device::{DeviceError, Tries};
use crate::operator::Ask;
use crate::record::event::Override;
use crate::record::hash::KeyId;
use crate::secret::ManagementAlgorithm;

/// What the key is to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As it left the factory.
    Blank,
    /// A provisioning of ours was interrupted on it.
    Interrupted,
    /// It holds something else, and a person typed its serial to lose that.
    Overwrite {
        /// What is lost, each in a few words.
        what: Vec<String>,
    },
}

/// One step; its `Display` is the sentence for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Marker in 5FB600; an old head in 5FB601 goes.
    Mark,
    /// The factory PIN goes.
    Pin,
    /// The factory PUK goes.
    Puk,
    /// The management key goes behind the PIN, then into force.
    Management(ManagementAlgorithm),
    /// A key is made.
    Generate(Slot),
    /// A key of ours that an interrupted run made is kept.
    Keep(Slot),
    /// Attestations of all slots.
    Attest,
    /// The certificate in 82; a touch.
    Certificate,
    /// The FIDO2 PIN, where none is set.
    Fido2Pin,
    /// The FIDO2 PIN that is set is asked for.
    OwnFido2Pin,
    /// The FIDO2 credential; a touch.
    Credential,
    /// Assertions, a touch each.
    Calibrate,
    /// The record; a touch.
    Enrol,
    /// Head in place of the marker.
    Head,
    /// Everything is read once more.
    Compare,
}

impl Step {
    /// Touches that it needs.
    pub fn touches(self) -> usize {
        match self {
            Step::Certificate | Step::Credential | Step::Enrol => 1,
            Step::Calibrate => ASSERTIONS,
            _ => 0,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Mark => "mark the key, so that an interrupted run is known as ours",
            Step::Pin => "set a new PIN in place of the factory one",
            Step::Puk => "set a new PUK in place of the factory one",
            Step::Management(algorithm) => {
                return write!(
                    f,
                    "make a random management key ({}) and keep it on the key behind the PIN",
                    algorithm
                );
            }
            Step::Generate(Slot::Signing) => {
                "make a key in 9C, which signs records (PIN always, touch cached)"
            }
            Step::Generate(Slot::Sealing) => "make a key in 82, which unseals (PIN once, touch always)",
            Step::Generate(Slot::Presence) => {
                "make a key in 9E, which proves the key before a PIN is typed (no PIN, no touch)"
            }
            Step::Generate(Slot::SshAuthority) => {
                "make a key in 83, which mints SSH certificates (PIN always, touch always)"
            }
            Step::Generate(Slot::X509Authority) => {
                "make a key in 84, which mints client certificates (PIN always, touch always)"
            }
            Step::Generate(Slot::Tokens) => "make a key in 85, which mints tokens (PIN always, touch always)",
            Step::Keep(slot) => return write!(f, "keep the key in {slot} that the interrupted run made"),
            Step::Attest => "check the attestation of each key",
            Step::Certificate => "sign a certificate for stock age with 82 (a touch)",
            Step::Fido2Pin => "set the FIDO2 PIN, the same as the PIV PIN",
            Step::OwnFido2Pin => "ask for the FIDO2 PIN, which is set already",
            Step::Credential => "make a FIDO2 credential, whose every use counts (a touch)",
            Step::Calibrate => {
                return write!(
                    f,
                    "use it {ASSERTIONS} times, to see how its counter moves and for its first envelopes ({ASSERTIONS} touches)"
                );
            }
            Step::Enrol => "sign the enrolment record with 9C (a touch) and store it in the journal",
            Step::Head => "write the chain head in place of the mark",
            Step::Compare => "read everything back and compare",
        })
    }
}

/// What will be done. Made by [`plan`] alone, so that nothing is carried out that was not judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Which key.
    pub serial: Serial,
    /// Its firmware.
    pub firmware: Firmware,
    /// Its name on the shelf.
    pub model: String,
    /// What the key is to us.
    pub verdict: Verdict,
    /// In order.
    pub steps: Vec<Step>,
    /// What will be asked for, in order.
    pub asks: Vec<Ask>,
    /// What concerns this key and is not refused, one sentence each.
    pub warnings: Vec<String>,
    /// What was overridden, for the record: only what this key needs.
    pub overrides: Vec<Override>,
    pub(super) marker: Marker,
    pub(super) slots: Vec<Slot>,
    pub(super) minting: Vec<Slot>,
}

impl Plan {
    /// How often the key will have to be touched.
    pub fn touches(&self) -> usize {
        self.steps.iter().map(|step| step.touches()).sum()
    }
}

/// Judges what was found.
///
/// # Errors
/// Every refusal of [`ProvisionError`] that can be seen beforehand: firmware and advisories, Bio, occupied, another
/// kit's, enrolled already, a blocked PIN or PUK, the last try, an unknown management key, a FIDO2 side that is of no use.
pub fn plan(found: &Found, circumstances: &Circumstances<'_>) -> Result<Plan, ProvisionError> {
    let serial = found.serial;
    if found.info.as_ref().is_some_and(|info| info.is_bio()) {
        return Err(ProvisionError::Bio(serial));
    }
    let (mut overrides, mut warnings) = judge_advisories(found, circumstances)?;
    let verdict = judge_state(found, circumstances)?;
    judge_tries(found, &verdict)?;
    if !found.management.1 && !found.management_protected {
        return Err(ProvisionError::ManagementKeyUnknown(serial));
    }
    let slots: Vec<Slot> = found.wanted_slots().collect();
    let marker = match (&verdict, &found.marker) {
        (Verdict::Interrupted, Some(marker)) => marker.clone(),
        _ => Marker {
            kit: circumstances.kit,
            replaces: found.slots.keys().copied().collect(),
            replaces_management: !found.management.1,
        },
    };
    let intended = match is_on_record(found, &marker, circumstances) {
        true => None,
        false => Some(fido2::judge(serial, &found.fido2, circumstances.overrides)?),
    };
    let mut fido2 = Vec::new();
    match intended {
        Some(Intended::Enrol(steps)) => fido2.extend(steps),
        Some(Intended::Absent) => warnings.push(PIV_ALONE.to_owned()),
        Some(Intended::Left(known)) => {
            overrides.push(known);
            warnings.push(PIV_ALONE.to_owned());
        }
        None => {}
    }
    let steps = steps(found, &verdict, &marker, &slots, &fido2);
    Ok(Plan {
        serial,
        firmware: found.firmware,
        model: found.model(),
        asks: asks(found, &verdict),
        verdict,
        steps,
        warnings,
        overrides,
        marker,
        slots,
        minting: found.minting.clone(),
    })
}

/// What a key without FIDO2 means, for a person.
const PIV_ALONE: &str = "no FIDO2 side: openings with other software will not show";

/// Whether an interrupted run of ours has stored the enrolment record: what it says of FIDO2 stands.
fn is_on_record(found: &Found, marker: &Marker, circumstances: &Circumstances<'_>) -> bool {
    let signing = found.slots.get(&Slot::Signing).filter(|_| !marker.replaces.contains(&Slot::Signing));
    let public = signing.and_then(|metadata| metadata.public);
    public.is_some_and(|public| (circumstances.enrolment)(KeyId::of(&VerifyingKey::from(public))).is_some())
}

fn judge_advisories(
    found: &Found,
    circumstances: &Circumstances<'_>,
) -> Result<(Vec<Override>, Vec<String>), ProvisionError> {
    let (mut overrides, mut warnings) = (Vec::new(), Vec::new());
    let fips = found.info.as_ref().is_some_and(DeviceInfo::is_fips);
    for advisory in firmware::advisories(found.firmware, fips) {
        let overridden = circumstances.overrides.iter().find(|known| known.rule == advisory.id);
        match (advisory.severity, overridden) {
            (Severity::Info, _) => {}
            (Severity::Warn, _) => warnings.push(format!("{}: {}", advisory.id, advisory.sentence)),
            (Severity::Refuse, Some(known)) => overrides.push(known.clone()),
            (Severity::Refuse | Severity::Never, _) => {
                return Err(ProvisionError::Advisory {
                    serial: found.serial,
                    firmware: found.firmware,
                    advisory,
                });
            }
        }
    }
    Ok((overrides, warnings))
}

fn judge_state(found: &Found, circumstances: &Circumstances<'_>) -> Result<Verdict, ProvisionError> {
    let serial = found.serial;
    let what = found.occupied_by();
    let overwrite = match circumstances.overwrite {
        Some(typed) if typed != serial => return Err(ProvisionError::OtherSerial { typed, serial }),
        typed => typed.is_some(),
    };
    if let Some(marker) = &found.marker {
        // Even with the serial typed: the same command again must not make again what it has made.
        return match marker.kit {
            Some(kit) if circumstances.kit != Some(kit) && overwrite => Ok(Verdict::Overwrite { what }),
            Some(kit) if circumstances.kit != Some(kit) => {
                Err(ProvisionError::InterruptedElsewhere { serial, kit })
            }
            _ => Ok(Verdict::Interrupted),
        };
    }
    let signing = found.slots.get(&Slot::Signing).and_then(|metadata| metadata.public);
    let ours = signing.and_then(|public| (circumstances.enrolment)(KeyId::of(&VerifyingKey::from(public))));
    match (ours, what.is_empty()) {
        (Some(_), _) => Err(ProvisionError::AlreadyEnrolled(serial)),
        (None, true) => Ok(Verdict::Blank),
        (None, false) if overwrite => Ok(Verdict::Overwrite { what }),
        (None, false) => Err(ProvisionError::Occupied { serial, what }),
    }
}

/// What will have to be typed must still have tries: more than one where it can be wrong.
fn judge_tries(found: &Found, verdict: &Verdict) -> Result<(), ProvisionError> {
    let serial = found.serial;
    let asked = asks(found, verdict);
    for (tries, ask, blocked) in
        [(found.pin, Ask::Pin, DeviceError::PinBlocked), (found.puk, Ask::Puk, DeviceError::PukBlocked)]
    {
        match tries {
            Tries { left: 0, .. } => return Err(blocked.into()),
            Tries { left: 1, .. } if asked.contains(&ask) => {
                return Err(ProvisionError::LastTry { serial, ask });
            }
            _ => {}
        }
    }
    Ok(())
}

/// A factory value is replaced. Another one is asked for: the PIN always, as it opens the management key; the PUK only
/// where it has not been compared with the PIN by a run of ours.
fn asks(found: &Found, verdict: &Verdict) -> Vec<Ask> {
    let (new_pin, new_puk) = (is_factory(found.pin), is_factory(found.puk));
    let puk = match (new_puk, new_pin, verdict) {
        (true, _, _) => Some(Ask::NewPuk),
        (false, true, _) | (false, _, Verdict::Overwrite { .. }) => Some(Ask::Puk),
        (false, false, _) => None,
    };
    [Some(if new_pin { Ask::NewPin } else { Ask::Pin }), puk].into_iter().flatten().collect()
}

fn steps(found: &Found, verdict: &Verdict, marker: &Marker, slots: &[Slot], fido2: &[Step]) -> Vec<Step> {
    let mut steps = Vec::new();
    if *verdict != Verdict::Interrupted {
        steps.push(Step::Mark);
    }
    if is_factory(found.pin) {
        steps.push(Step::Pin);
    }
    if is_factory(found.puk) {
        steps.push(Step::Puk);
    }
    if found.management.1 || marker.replaces_management {
        steps.push(Step::Management(firmware::behaviour(found.firmware).strongest_management_key));
    }
    let kept = |slot: &Slot| found.slots.contains_key(slot) && !marker.replaces.contains(slot);
    steps.extend(slots.iter().map(|slot| if kept(slot) { Step::Keep(*slot) } else { Step::Generate(*slot) }));
    steps.push(Step::Attest);
    let sealing =
        found.slots.get(&Slot::Sealing).filter(|_| kept(&Slot::Sealing)).and_then(|data| data.public);
    let certified = sealing.zip(found.certificate.as_ref());
    if !certified.is_some_and(|(public, content)| certificate::fits(content, &public)) {
        steps.push(Step::Certificate);
    }
    steps.extend(fido2);
    steps.extend([Step::Enrol, Step::Head, Step::Compare]);
    steps
}
