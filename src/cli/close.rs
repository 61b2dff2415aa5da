//! `close`: an incident has ended. The person's verdict is signed; what it leaves to be done stays due.

use super::Outcome;
use super::args::Close;
use super::desk::Desk;
use super::hint::Trouble;
use super::incident;
use super::terminal::one_line;
use crate::kit::debts::quoted;
use crate::record::event::{Event, IncidentClosed, Verdict};
use crate::signing::Caution;

/// So long may each thing be that was switched off: it is named again by the record that it was put back.
const SWITCHED_OFF: usize = 128;

/// So many things that were switched off are named by one record.
const MOST_SWITCHED_OFF: usize = 6;

pub(super) fn close(desk: &mut Desk, options: Close) -> Result<Outcome, Trouble> {
    let (mut kit, _lock) = desk.work()?;
    kit.founded()?;
    let known = incident::named(&kit, &options.incident)?;
    let name = options.incident.clone();
    if known.closed.is_some() {
        return Err(Trouble::refused(
            format!("incident {name} is closed already, and nothing was opened for it since"),
            format!("breakglass incident show {}", quoted(&name)),
        ));
    }
    let facts = facts(desk, &options)?;
    let mut text = format!(
        "close     {name}: {} opened for {}\nverdict   {}\noutcome   {}",
        super::findings::counted(known.intents, "time"),
        one_line(&known.what().join(", ")),
        facts.verdict.name(),
        facts.outcome
    );
    for what in &facts.switched_off {
        text.push_str(&format!("\nput back  {what}"));
    }
    desk.confirm(&text, &format!("close {name}"))?;
    let mut readers = desk.readers(kit.kind());
    let caution = Caution { spend_last_try: options.caution.spend_last_try, accept_gap: None };
    let mut signer = desk.admitted_signer(&mut kit, readers.as_mut(), options.with, &caution)?;
    let verdict = facts.verdict;
    let record = desk.at_station(readers.as_mut(), |station| {
        signer.sign(station, &mut kit, Some(&name), Event::IncidentClosed(facts), "to sign the close")
    })?;
    desk.head_written(&mut signer);
    if desk.json {
        desk.json_result(&serde_json::json!({
            "incident": name, "verdict": verdict, "record": record.hash(),
            "debts": incident::debts(&kit, &name),
        }))?;
    }
    desk.terminal.say(&format!("closed {name} on record."));
    incident::say_left(desk, &kit, &name);
    Ok(Outcome::Done)
}

/// What is to be signed; what was not given is asked for.
fn facts(desk: &mut Desk, options: &Close) -> Result<IncidentClosed, Trouble> {
    let asked = options.verdict.is_none() || options.outcome.is_none();
    if asked && !desk.terminal.has_person() {
        return Err(Trouble::Usage("say --verdict (real, drill, misuse, false-alarm) and --outcome".into()));
    }
    let outcome = match &options.outcome {
        Some(outcome) => outcome.clone(),
        None => desk.terminal.ask("how did it end, in a few words? ")?,
    };
    let verdict = match options.verdict {
        Some(verdict) => verdict,
        None => ask_verdict(desk)?,
    };
    let mut switched_off = options.switched_off.clone();
    // Whoever gave all in words is not asked, so that scripts go through.
    if asked && switched_off.is_empty() {
        let mut question = "was something switched off for it, to be put back (no, or what)? ";
        while switched_off.len() < MOST_SWITCHED_OFF {
            match desk.terminal.ask(question)? {
                no if ["no", "n"].contains(&no.as_str()) => break,
                what => switched_off.push(what),
            }
            question = "something else (no, or what)? ";
        }
    }
    let plain = |what: &String| {
        !what.trim().is_empty() && what.len() <= SWITCHED_OFF && !what.chars().any(char::is_control)
    };
    if switched_off.len() > MOST_SWITCHED_OFF || !switched_off.iter().all(plain) {
        return Err(Trouble::Usage(format!(
            "what was switched off: at most {MOST_SWITCHED_OFF} texts of 1 to {SWITCHED_OFF} bytes on one line each"
        )));
    }
    Ok(IncidentClosed { verdict, outcome, switched_off })
}

fn ask_verdict(desk: &mut Desk) -> Result<Verdict, Trouble> {
    loop {
        let answer = desk.terminal.ask("what was it (real, drill, misuse, false-alarm)? ")?;
        match Verdict::try_from(answer) {
            Ok(verdict) => return Ok(verdict),
            Err(which) => desk.terminal.say(which),
        }
    }
}
