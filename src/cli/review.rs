//! `review`: someone who did not open in an incident judges it, and says what the policy should learn.

use super::Outcome;
use super::args::Review;
use super::desk::Desk;
use super::discharge::of_the_policy;
use super::hint::Trouble;
use super::incident;
use super::terminal::one_line;
use crate::record::event::{Event, IncidentReviewed};
use crate::signing::Caution;

pub(super) fn review(desk: &mut Desk, options: Review) -> Result<Outcome, Trouble> {
    let (mut kit, _lock) = desk.work()?;
    kit.founded()?;
    let name = options.incident;
    let known = incident::named(&kit, &name)?;
    of_the_policy(&kit, &options.by)?;
    if known.operators.contains(&options.by) {
        let others = kit.policy.people.iter().map(|person| person.name.as_str());
        let others: Vec<&str> =
            others.filter(|other| !known.operators.iter().any(|operator| operator == other)).collect();
        let next = match others.is_empty() {
            true => "add someone else to kit.toml, then  breakglass policy adopt".to_owned(),
            false => format!("people who did not open for it: {}", others.join(", ")),
        };
        return Err(Trouble::refused(format!("{} opened in {name} and cannot review it", options.by), next));
    }
    let mut text = format!(
        "review    {name}: {} opened for {}, by {}\njudgement {}, says {}\nbecause   {}",
        super::findings::counted(known.intents, "time"),
        one_line(&known.what().join(", ")),
        one_line(&known.operators.join(", ")),
        options.judgement.name(),
        options.by,
        options.text
    );
    if let Some(lesson) = &options.lesson {
        text.push_str(&format!("\nlesson    {lesson}"));
    }
    desk.confirm(&text, &format!("review {name}"))?;
    let mut readers = desk.readers(kit.kind());
    let caution = Caution { spend_last_try: options.caution.spend_last_try, accept_gap: None };
    let mut signer = desk.admitted_signer(&mut kit, readers.as_mut(), options.with, &caution)?;
    let facts = IncidentReviewed {
        by: options.by,
        judgement: options.judgement,
        text: options.text,
        lesson: options.lesson,
    };
    let record = desk.at_station(readers.as_mut(), |station| {
        let event = Event::IncidentReviewed(facts);
        signer.sign(station, &mut kit, Some(&name), event, "to sign the review")
    })?;
    desk.head_written(&mut signer);
    if desk.json {
        desk.json_result(&serde_json::json!({
            "incident": name, "judgement": options.judgement, "record": record.hash(),
            "debts": incident::debts(&kit, &name),
        }))?;
    }
    desk.terminal.say(&format!("reviewed {name} on record."));
    incident::say_left(desk, &kit, &name);
    Ok(Outcome::Done)
}
