//! `drill`: shows the plan, has it confirmed, and says what came of it and when the next is due.

use super::Outcome;
use super::args::Drill;
use super::desk::{Desk, date, days};
use super::hint::{Keys, Trouble};
use super::open::count;
use crate::kit::{Kit, drills};
use crate::unlock::drill::{self, Drilled, Plan, Wish};
use crate::unlock::{PlannedKey, UnlockError};

pub(super) fn drill(desk: &mut Desk, options: Drill) -> Result<Outcome, Trouble> {
    let (mut kit, _lock) = desk.work()?;
    kit.founded()?;
    let mut readers = desk.readers(kit.kind());
    let wish = Wish {
        // One that is named may come later: it is waited for once the plan is confirmed.
        key: match options.key {
            Some(serial) => serial,
            None => desk.signing_key(&kit, readers.as_mut(), None)?,
        },
        operator: match options.operator {
            Some(operator) => operator,
            None => desk.terminal.ask("your name as in the policy: ")?,
        },
        credential: options.credential,
        generation: options.generation,
        witness: options.witness,
        spend_last_try: options.caution.spend_last_try,
    };
    let plan = drill::plan(&kit, wish).map_err(refused)?;
    desk.confirm(&describe(&kit, &plan), &plan.word())?;
    let drilled = desk.at_station(readers.as_mut(), |station| drill::carry_out(&mut kit, &plan, station));
    match drilled {
        Ok(drilled) => tell(desk, &kit, plan, drilled),
        Err(error) => Err(Trouble::Unlock { error, keys: keys(plan.key, false) }),
    }
}

/// What is damaged is mended in peace; the way to go on in an emergency is not for a drill.
fn refused(error: UnlockError) -> Trouble {
    match error {
        UnlockError::Damage(text) => Trouble::Damaged(text),
        error => Trouble::Unlock { error, keys: Box::default() },
    }
}

fn keys(key: PlannedKey, signed: bool) -> Box<Keys> {
    let tried = vec![key.serial];
    Box::new(Keys { all: vec![key], tried, signed })
}

fn describe(kit: &Kit, plan: &Plan) -> String {
    let (wish, generation) = (&plan.wish, &plan.generation);
    let pending = if generation.pending { ", pending" } else { "" };
    let watched = wish.witness.as_ref().map_or(String::new(), |name| format!(", watched by {name}"));
    let last = plan.last.map_or("never proven yet".to_owned(), |at| format!("last proven {} ago", days(at)));
    let (least, most) = plan.touches();
    let mut lines = vec![
        "plan".to_owned(),
        format!(
            "  drill     {}, generation {}, sealed {}{pending}",
            wish.credential,
            generation.number,
            date(generation.sealed_at)
        ),
        format!("  with      {}, {last}", plan.key.label()),
        format!("  for       {}{watched}", wish.operator),
        format!("  you do    {}, {least} to {most} touches", count(1, "PIN")),
        format!("  records   written to {} before anything is unwrapped", kit.folder.journal().display()),
        "  secret    stays sealed: what the key unwraps is wiped unseen".to_owned(),
    ];
    if let Some(accepted) = &plan.accepted {
        lines.push(format!("  accepted  on record: {accepted}"));
    }
    lines.join("\n")
}

fn tell(desk: &mut Desk, kit: &Kit, plan: Plan, drilled: Drilled) -> Result<Outcome, Trouble> {
    let (name, number, serial) = (plan.wish.credential.clone(), plan.generation.number, plan.key.serial);
    let threshold = plan.generation.facts.threshold;
    let Drilled { begun, ended, failure, at, seconds, commands, touches, head } = drilled;
    let record = ended.as_ref().ok().copied();
    let proven = failure.is_none() && record.is_some();
    let next = proven.then(|| drills::next(&kit.policy, at));
    let failed = failure.as_ref().map(ToString::to_string);
    let unsigned = ended.err();
    if desk.json {
        desk.json_result(&serde_json::json!({
            "credential": name.to_string(), "generation": number, "key": serial, "proven": proven,
            "begun": begun, "ended": record, "seconds": seconds, "commands": commands, "touches": touches,
            "failed": failed, "next_due": next,
        }))?;
    }
    if let Err(cause) = head {
        desk.terminal
            .say(&format!("note: key {serial} does not carry its last record: {cause}. the journal has it."));
    }
    let took = format!(
        "{seconds} s, {}, {}",
        count(usize::try_from(commands).unwrap_or(usize::MAX), "command"),
        count(usize::try_from(touches).unwrap_or(usize::MAX), "touch request")
    );
    if let Some(next) = next {
        let with = match threshold {
            1 => "",
            _ => ", with others",
        };
        desk.terminal.say(&format!(
            "proven on record: {serial} would open {name}, generation {number}{with}. {took}."
        ));
        desk.terminal.say(&format!(
            "nothing was opened. the next drill of it with {serial} is due by {}.",
            date(next)
        ));
        return Ok(Outcome::Done);
    }
    if let Some(cause) = &unsigned {
        desk.terminal.say(&format!("how the drill ended could not be signed, so it proves nothing: {cause}"));
    }
    let unsigned = || unsigned.map(UnlockError::Key);
    match failure.or_else(unsigned) {
        Some(error) => {
            desk.terminal
                .say(&format!("the drill of {name} with {serial} failed: nothing is proven. {took}."));
            Err(Trouble::Unlock { error, keys: keys(plan.key, true) })
        }
        None => Ok(Outcome::Done),
    }
}
