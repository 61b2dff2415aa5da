//! `close`: an incident has ended. The person's verdict is signed; what it leaves to be done stays due.

use super::Outcome;
use super::args::Close;
use super::desk::Desk;
use super::hint::Trouble;
use crate::kit::incidents::incidents;
use crate::record::event::{Event, IncidentClosed};
use crate::signing::Caution;

pub(super) fn close(desk: &mut Desk, options: Close) -> Result<Outcome, Trouble> {
    let (mut kit, _lock) = desk.work()?;
    kit.founded()?;
    let name = options.incident;
    let known = incidents(&kit);
    let Some(incident) = known.get(&name) else {
        let open: Vec<&str> =
            known.iter().filter(|(_, one)| one.closed.is_none()).map(|(name, _)| name.as_str()).collect();
        let next = match open[..] {
            [] => "breakglass records list   shows what is on record".to_owned(),
            _ => format!("open incidents: {}", open.join(", ")),
        };
        return Err(Trouble::refused(format!("nothing was opened for an incident {name}"), next));
    };
    if incident.closed.is_some() {
        return Err(Trouble::refused(
            format!("incident {name} is closed already, and nothing was opened for it since"),
            "breakglass status",
        ));
    }
    let text = format!(
        "close     {name}: {} opened for {}\nverdict   {}\noutcome   {}",
        super::findings::counted(incident.intents, "time"),
        incident.credentials.join(", "),
        options.verdict.name(),
        options.outcome
    );
    desk.confirm(&text, &format!("close {name}"))?;
    let mut readers = desk.readers(kit.kind());
    let caution = Caution { spend_last_try: options.caution.spend_last_try, accept_gap: None };
    let mut signer = desk.admitted_signer(&mut kit, readers.as_mut(), options.with, &caution)?;
    let event = Event::IncidentClosed(IncidentClosed { verdict: options.verdict, outcome: options.outcome });
    let record = desk.at_station(readers.as_mut(), |station| {
        signer.sign(station, &mut kit, Some(&name), event, "to sign the close")
    })?;
    desk.head_written(&mut signer);
    if desk.json {
        desk.json_result(&serde_json::json!({
            "incident": name, "verdict": options.verdict, "record": record.hash(),
        }))?;
    }
    desk.terminal.say(&format!("closed {name} on record. what it leaves to be done:  breakglass status"));
    Ok(Outcome::Done)
}
