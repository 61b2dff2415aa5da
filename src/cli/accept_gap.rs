//! `kit accept-gap`: records are lost for good, and a person goes on without them. What is accepted is signed, stays
//! visible for ever, and covers only what is missing or damaged now.

use super::Outcome;
use super::args::AcceptGap;
use super::desk::Desk;
use super::hint::Trouble;
use crate::kit::check::wounds;
use crate::record::event::{Event, GapAccepted};
use crate::signing::Caution;

pub(super) fn accept_gap(desk: &mut Desk, options: &AcceptGap) -> Result<Outcome, Trouble> {
    let (mut kit, _lock) = desk.work()?;
    kit.founded()?;
    let before = wounds(&kit);
    let text = match &before {
        Some(wounds) => format!("accept    {}\nbecause   {}", wounds.text, options.why),
        None => {
            format!("accept    what the key at hand has seen and this copy lacks\nbecause   {}", options.why)
        }
    };
    desk.confirm(&text, "accept gap")?;
    let mut readers = desk.readers(kit.kind());
    let caution =
        Caution { spend_last_try: options.caution.spend_last_try, accept_gap: Some(options.why.clone()) };
    let mut signer = desk.admitted_signer(&mut kit, readers.as_mut(), options.with, &caution)?;
    // The key may have added its last record, and with it a gap: what is signed is what is on disk now.
    let damage = match wounds(&desk.look()?) {
        Some(wounds) if wounds.accepted => {
            return Err(Trouble::Refused { what: "that is accepted on record already".into(), next: None });
        }
        Some(wounds) => wounds.damage,
        None => {
            return Err(Trouble::Refused {
                what: "the journal is whole, and the key has seen nothing that it lacks".into(),
                next: None,
            });
        }
    };
    let event = Event::GapAccepted(GapAccepted { damage, why: options.why.clone() });
    let record = desk.at_station(readers.as_mut(), |station| {
        signer.sign(station, &mut kit, None, event, "to sign that the kit goes on without them")
    })?;
    desk.head_written(&mut signer);
    if desk.json {
        desk.json_result(&serde_json::json!({ "damage": damage, "record": record.hash() }))?;
    }
    desk.terminal
        .say("accepted on record. it stays visible; whatever is lost or damaged later is not covered.");
    Ok(Outcome::Done)
}
