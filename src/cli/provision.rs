//! `key provision`.

use super::Outcome;
use super::args::Provision;
use super::desk::{Desk, now, tool_hash};
use super::hint::Trouble;
use crate::attestation::{Serial, Slot};
use crate::device::fido2::Fido2Error;
use crate::device::{Attached, DeviceError, Readers};
use crate::kit::head;
use crate::kit::roster::Standing;
use crate::provision::{self, Circumstances, Outside, Plan, Verdict};
use crate::record::event::{Event, KitKind, Override};
use crate::record::hash::KeyId;
use crate::record::token::Record;

pub(super) fn provision(desk: &mut Desk, options: Provision) -> Result<Outcome, Trouble> {
    let (mut kit, _lock) = desk.work()?;
    desk.refuse_damaged(&kit)?;
    let roots = desk.roots(&kit)?;
    let mut readers = desk.readers(kit.kind());
    let named = options.serial.or(options.overwrite);
    let serial = which(readers.as_mut(), named).map_err(|trouble| without_piv(readers.as_mut(), trouble))?;
    let mut key = readers.connect(serial)?;
    let mut admin = readers.administer(serial)?;
    let mut fido2 = readers.authenticator(serial);
    let overrides: Vec<Override> =
        options.overrides.into_iter().map(|(rule, why)| Override { rule, why }).collect();
    let known: Vec<Record> = kit.journal.records().map(|(_, record)| record.clone()).collect();
    // A retired key can be provisioned anew with its serial typed; any other of the kit's cannot.
    let retired: Vec<KeyId> = kit
        .enrolled_keys()
        .iter()
        .filter(|key| matches!(key.standing, Standing::Retired { .. }))
        .map(|key| key.id)
        .collect();
    let policy = kit.policy.clone();
    let circumstances = Circumstances {
        roots: &roots,
        kit: kit.id(),
        policy: kit.roster.as_ref().map(|roster| roster.policy),
        seen: kit.journal.seen(""),
        issuer: &policy.issuer,
        tool: tool_hash(),
        version: env!("CARGO_PKG_VERSION"),
        name: &policy.name,
        now: now(),
        overwrite: options.overwrite,
        overrides: &overrides,
        enrolment: &|id| {
            let enrols = |r: &&Record| r.kid == id && matches!(r.event, Event::KeyEnrolled(_));
            known.iter().find(enrols).filter(|_| !retired.contains(&id)).cloned()
        },
    };
    let found = provision::survey(key.as_mut(), admin.as_mut(), &mut fido2, &policy.minting_slots())?;
    let plan = provision::plan(&found, &circumstances)?;
    desk.confirm(&describe(&plan, kit.kind()), &serial.to_string())?;
    kit.folder.reserve().map_err(crate::kit::KitError::from)?;
    let kit_id = kit.id();
    let enrolled = desk.with_operator(|operator, random| {
        let mut store = |record: &Record| kit.append(&record.chain_name(), record).map_err(Into::into);
        let head = |record: &Record| head::encode(kit_id.as_ref(), record);
        let mut outside = Outside { random, store: &mut store, head: &head };
        let (key, admin) = (key.as_mut(), admin.as_mut());
        provision::carry_out(&plan, key, admin, &mut fido2, operator, &circumstances, &mut outside)
    })?;
    if desk.json {
        desk.json_result(&serde_json::json!({
            "serial": serial, "firmware": enrolled.facts.firmware, "record": enrolled.record.hash(),
            "key": enrolled.record.kid,
        }))?;
    }
    desk.terminal.say(&format!("{serial} is ready."));
    next_step(desk, serial)?;
    if policy.minting_slots().contains(&Slot::X509Authority) {
        desk.terminal.say(&format!(
            "then it signs the certificate by which servers trust it:  breakglass trust authority --key {serial}"
        ));
    }
    Ok(Outcome::Done)
}

fn next_step(desk: &mut Desk, serial: Serial) -> Result<(), Trouble> {
    let kit = desk.look()?;
    match &kit.roster {
        None => desk.terminal.say(&format!("found the kit with it:  breakglass key admit {serial}")),
        Some(_) => {
            let needs = match kit.enrolled_keys().iter().filter(|k| is_admitted(k)).count() {
                1 => 1,
                admitted => kit.policy.quorum.number.min(admitted),
            };
            let keys = if needs == 1 { "1 key has".to_owned() } else { format!("{needs} keys have") };
            desk.terminal.say(&format!(
                "it is not part of the kit until {keys} admitted it:  breakglass key admit {serial}"
            ));
        }
    }
    Ok(())
}

fn is_admitted(key: &crate::kit::Enrolled) -> bool {
    key.standing == crate::kit::roster::Standing::Admitted
}

fn state(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Blank => "blank".into(),
        Verdict::Interrupted => "begun by an earlier run that was interrupted".into(),
        Verdict::Overwrite { what } => format!("NOT BLANK; this is lost: {}", what.join(", ")),
    }
}

/// The key that was named, else the only one that is plugged in.
pub(super) fn which(readers: &mut dyn Readers, named: Option<Serial>) -> Result<Serial, Trouble> {
    let attached = readers.attached()?;
    match (named, &attached[..]) {
        (Some(serial), keys) if keys.iter().any(|key| key.serial == serial) => Ok(serial),
        (Some(serial), _) => Err(DeviceError::Absent(serial).into()),
        (None, [Attached { serial, .. }]) => Ok(*serial),
        (None, []) => Err(DeviceError::NoKey.into()),
        (None, keys) => Err(Trouble::WhichKey { serials: keys.iter().map(|key| key.serial).collect() }),
    }
}

/// What is plugged in has FIDO2 and no PIV: then that is what is wrong.
fn without_piv(readers: &mut dyn Readers, trouble: Trouble) -> Trouble {
    let named = match &trouble {
        Trouble::Device(DeviceError::NoKey) => Serial(0),
        Trouble::Device(DeviceError::Absent(serial)) => *serial,
        _ => return trouble,
    };
    let keys = readers.attached().map_or(0, |attached| attached.len());
    match readers.authenticator(named) {
        Err(Fido2Error::Absent(_)) if keys == 0 => Trouble::refused(
            "what is plugged in has FIDO2 and no PIV: a Security Key, which cannot be enrolled, or PIV is switched off",
            "use a YubiKey 5, or switch PIV on:  ykman config usb --enable PIV",
        ),
        _ => trouble,
    }
}

fn describe(plan: &Plan, kind: KitKind) -> String {
    let practice = if kind == KitKind::Practice { "PRACTICE " } else { "" };
    let mut lines = vec![format!(
        "found     {practice}{}, serial {}, firmware {}, {}",
        plan.model,
        plan.serial,
        plan.firmware,
        state(&plan.verdict)
    )];
    for (index, step) in plan.steps.iter().enumerate() {
        lines.push(format!("{}{step}", if index == 0 { "plan      " } else { "          " }));
    }
    lines.push(format!("          takes {} touches; it can be interrupted and resumed", plan.touches()));
    for warning in &plan.warnings {
        lines.push(format!("note      {warning}"));
    }
    for accepted in &plan.overrides {
        lines.push(format!("accepted  {}: {}", accepted.rule, accepted.why));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::fido2::Authenticator;
    use crate::device::{Administer, Key};

    /// So many PIV keys, and FIDO2 devices that belong to none that is asked for, or none at all.
    struct Plugged(usize, bool);

    impl Readers for Plugged {
        fn attached(&mut self) -> Result<Vec<Attached>, DeviceError> {
            let key = |n| Attached { serial: Serial(n as u32), reader: "reader".into() };
            Ok((0..self.0).map(key).collect())
        }
        fn connect(&mut self, serial: Serial) -> Result<Box<dyn Key>, DeviceError> {
            Err(DeviceError::Absent(serial))
        }
        fn administer(&mut self, serial: Serial) -> Result<Box<dyn Administer>, DeviceError> {
            Err(DeviceError::Absent(serial))
        }
        fn authenticator(&mut self, serial: Serial) -> Result<Box<dyn Authenticator>, Fido2Error> {
            Err(if self.1 { Fido2Error::Absent(serial) } else { Fido2Error::NoDevice })
        }
    }

    #[test]
    fn a_security_key_is_named_as_one() {
        for (mut plugged, named, security_key) in [
            (Plugged(0, true), None, true),
            (Plugged(0, true), Some(Serial(77)), true),
            (Plugged(0, false), None, false),
            (Plugged(1, true), Some(Serial(77)), false),
            (Plugged(2, true), None, false),
        ] {
            let trouble = which(&mut plugged, named).unwrap_err();
            let told = without_piv(&mut plugged, trouble).to_string();
            assert_eq!(told.contains("a Security Key"), security_key, "{told}");
        }
    }
}
