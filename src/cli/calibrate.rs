//! `key calibrate`: how the FIDO2 counter of a key moves, seen on a credential that is forgotten again. Not for a key of a
//! kit, whose every use is to be on record.

use super::Outcome;
use super::args::Calibrate;
use super::desk::Desk;
use super::hint::Trouble;
use super::provision::which;
use crate::attestation::Serial;
use crate::device::fido2::{Authenticator, Fido2Error, Question};
use crate::kit::{Kit, KitError};
use crate::operator::Operator;
use crate::record::chain::Depth;
use crate::record::event::{CounterProfile, KitKind};
use crate::secret::Fido2Pin;

pub(super) fn calibrate(desk: &mut Desk, options: &Calibrate) -> Result<Outcome, Trouble> {
    // Only where there is no kit is the key in none: one that cannot be read may have it.
    let kit = match Kit::read(desk.folder(), Depth::Links) {
        Ok(kit) => Some(kit),
        Err(KitError::NotAKit(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let mut readers = desk.readers(kit.as_ref().map_or(KitKind::Real, Kit::kind));
    let serial = which(readers.as_mut(), options.serial)?;
    if kit.is_some_and(|kit| kit.enrolled(serial).is_some()) {
        return Err(Trouble::refused(
            format!("key {serial} is enrolled in this kit: each use of its counter is to be on record"),
            "breakglass inventory --witness",
        ));
    }
    let mut side = readers.authenticator(serial)?;
    let facts = side.facts()?;
    if !facts.pin_set {
        return Err(Fido2Error::PinNotSet.into());
    }
    let left = side.pin_tries()?;
    if left <= 1 {
        return Err(Trouble::refused(
            format!("{left} tries of the FIDO2 PIN of key {serial} are left; none is spent for this"),
            "use another key",
        ));
    }
    let pin = desk.terminal.fido2_pin(serial, left)?;
    let counters = measure(desk, side.as_mut(), serial, &pin, options.times)?;
    let profile = CounterProfile::measured(&counters);
    let words = match profile {
        Ok(CounterProfile::Exact { step }) => format!("exact: by {step} each time"),
        Ok(CounterProfile::Monotonic) => "monotonic: upwards, by no fixed step".to_owned(),
        Err((from, to)) => format!("not usable: it went from {from} to {to}"),
    };
    let firmware = facts.firmware.map_or("not told".to_owned(), |firmware| firmware.to_string());
    match desk.json {
        true => desk.json_result(&serde_json::json!({
            "serial": serial, "aaguid": hex::encode(facts.aaguid), "firmware": facts.firmware,
            "counters": counters, "profile": profile.ok(),
        }))?,
        false => {
            let counters: Vec<String> = counters.iter().map(u32::to_string).collect();
            desk.text(&format!(
                "model     {}, firmware {firmware}\ncounters  {}\nprofile   {words}\n",
                hex::encode(facts.aaguid),
                counters.join(" ")
            ))?;
        }
    }
    Ok(match profile {
        Ok(_) => Outcome::Done,
        Err(_) => Outcome::Wrong,
    })
}

/// A new credential, and the counter of each assertion by it.
fn measure(
    desk: &mut Desk,
    side: &mut dyn Authenticator,
    serial: Serial,
    pin: &Fido2Pin,
    times: u8,
) -> Result<Vec<u32>, Trouble> {
    desk.terminal.touch(serial, "to make a credential that is forgotten again");
    let credential = side.make_credential(pin, &desk.nonce())?;
    let mut counters = Vec::new();
    for n in 1..=times {
        let challenge = desk.nonce();
        let question =
            Question { credential: &credential, challenge: &challenge, salt: desk.nonce(), next: None };
        desk.terminal.touch(serial, &format!("to see its counter ({n} of {times})"));
        counters.push(side.assert(pin, &question)?.counter);
    }
    Ok(counters)
}
