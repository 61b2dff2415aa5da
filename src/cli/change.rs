//! `change`: what a lost or stolen key, or somebody who leaves or joins, asks to be done; what of it is done; and the next
//! step. No PIN is asked here: each step is a verb of its own, with its own word.

use serde_json::{Value, json};

use super::args::{
    Admit, Adopt, Change, Inventory, KeyVerb, LastTry, PinChange, PinWhat, PolicyVerb, Provision, Retire,
    Rotate, Source, Verb,
};
use super::desk::{Desk, date};
use super::hint::Trouble;
use super::{Outcome, findings};
use crate::attestation::Serial;
use crate::kit::Kit;
use crate::kit::change::{ChangeError, Occasion, Plan, State, Step, What, plan};
use crate::record::event::KitKind;
use crate::signing::SigningError;

pub(super) fn change(desk: &mut Desk, options: &Change) -> Result<Outcome, Trouble> {
    let occasion = options.occasion().ok_or_else(|| Trouble::Usage("say what happened".to_owned()))?;
    loop {
        let kit = desk.look()?;
        let plan = plan(&kit, &occasion, options.key).map_err(trouble)?;
        let outcome = if plan.left() == 0 { Outcome::Done } else { Outcome::Due };
        if desk.json {
            desk.json_result(&told(&kit, &occasion, &plan))?;
            return Ok(outcome);
        }
        desk.practice_banner(&kit);
        print(desk, &kit, &occasion, &plan)?;
        let Some(verb) = plan.next().and_then(|step| verb(step, kit.kind())) else { return Ok(outcome) };
        drop(kit);
        if !wanted(desk)? {
            return Ok(outcome);
        }
        super::run(desk, verb)?;
    }
}

fn trouble(error: ChangeError) -> Trouble {
    match error {
        ChangeError::NotFounded => crate::kit::KitError::NotFounded.into(),
        ChangeError::NotEnrolled(serial) => SigningError::NotEnrolled(serial).into(),
        ChangeError::Nobody { .. } => Trouble::refused(error.to_string(), "for a key:  --lost SERIAL"),
        ChangeError::SameKey(_) => Trouble::Usage(error.to_string()),
    }
}

/// Whether the person at the terminal wants the next step done now; without one, not.
fn wanted(desk: &mut Desk) -> Result<bool, Trouble> {
    if !desk.terminal.has_person() {
        return Ok(false);
    }
    loop {
        match desk.terminal.ask("do the next step now (yes, no)? ")?.as_str() {
            "yes" => return Ok(true),
            "no" => return Ok(false),
            _ => desk.terminal.say("say yes or no"),
        }
    }
}

fn print(desk: &mut Desk, kit: &Kit, occasion: &Occasion, plan: &Plan) -> Result<(), Trouble> {
    let left = match plan.left() {
        0 => "nothing is left to be done".to_owned(),
        left => format!("{} of {} left", left, findings::counted(plan.steps.len(), "step")),
    };
    desk.line(&format!("change    {occasion}: {left}"))?;
    for (number, step) in plan.steps.iter().enumerate() {
        let number = number + 1;
        let word = match &step.state {
            State::Done(_) => "done",
            State::Next => "next",
            State::Then => "then",
            State::Waits(_) => "waits",
        };
        desk.line(&format!("{number:>2} {word:<5}  {}", step.what))?;
        match &step.state {
            State::Done(Some(done)) => desk.line(&format!(
                "          {}, record {}/{}: {}",
                date(done.at),
                done.serial,
                done.seq,
                step.why
            ))?,
            State::Waits(what) => {
                desk.line(&format!("          {}", step.why))?;
                desk.line(&format!("          {what}"))?;
            }
            _ => desk.line(&format!("          {}", step.why))?,
        }
        if step.state == State::Next
            && let Some(command) = step.command(kit.kind())
        {
            desk.line(&format!("          {command}"))?;
        }
    }
    for (name, why) in &plan.untouched {
        desk.line(&format!("   leave  {name}: {why}"))?;
    }
    for note in &plan.notes {
        desk.line(&format!("   note   {note}"))?;
    }
    Ok(())
}

fn told(kit: &Kit, occasion: &Occasion, plan: &Plan) -> Value {
    let (happened, of) = match occasion {
        Occasion::Lost(serial) => ("lost", json!(serial)),
        Occasion::Stolen(serial) => ("stolen", json!(serial)),
        Occasion::Leaves(name) => ("leaves", json!(name.to_string())),
        Occasion::Joins(name) => ("joins", json!(name.to_string())),
    };
    let step = |step: &Step| {
        let (state, done, waits) = match &step.state {
            State::Done(done) => ("done", done.as_ref(), None),
            State::Next => ("next", None, None),
            State::Then => ("then", None, None),
            State::Waits(what) => ("waits", None, Some(what)),
        };
        json!({
            "step": step.what.to_string(), "why": step.why, "state": state, "done": done, "waits": waits,
            "command": step.command(kit.kind()).filter(|_| !step.is_done()),
        })
    };
    let leave = |(name, why): &(crate::kit::name::CredentialName, String)| json!({ "credential": name.to_string(), "why": why });
    json!({
        "happened": happened, "of": of, "left": plan.left(),
        "steps": plan.steps.iter().map(step).collect::<Vec<_>>(),
        "untouched": plan.untouched.iter().map(leave).collect::<Vec<_>>(), "notes": plan.notes,
    })
}

/// The verb of a step, where the step says all that it takes.
fn verb(step: &Step, kind: KitKind) -> Option<Verb> {
    let (with, caution) = (step.with, LastTry::default());
    Some(match &step.what {
        What::Retire(serial, why) => {
            Verb::Key(KeyVerb::Retire(Retire { serial: *serial, why: (*why).to_owned(), with, caution }))
        }
        What::Rotate(name, to) => rotate(name.clone(), to.clone(), false, with, kind),
        What::Confirm(name) => rotate(name.clone(), Vec::new(), true, with, kind),
        What::Adopt => Verb::Policy(PolicyVerb::Adopt(Adopt { with, caution })),
        What::Pin(serial) => pin(*serial, PinWhat::Change),
        What::Fido2Pin(serial) => pin(*serial, PinWhat::Fido2),
        What::Puk(serial) => pin(*serial, PinWhat::Puk),
        What::Provision(serial) => Verb::Key(KeyVerb::Provision(Provision {
            serial: Some(*serial),
            overwrite: None,
            overrides: Vec::new(),
        })),
        What::Admit(serial) => Verb::Key(KeyVerb::Admit(Admit { serial: *serial, with, caution })),
        What::Look(_, true) => Verb::Inventory(Inventory { all: false, witness: true, caution }),
        // An editor, or what two people read on a bag.
        What::Edit(_) | What::PutAway(..) | What::Look(_, false) => return None,
    })
}

fn pin(serial: Serial, what: PinWhat) -> Verb {
    Verb::Key(KeyVerb::Pin(PinChange { serial: Some(serial), what, caution: LastTry::default() }))
}

fn rotate(
    credential: crate::kit::name::CredentialName,
    to: Vec<Serial>,
    confirm_pending: bool,
    with: Option<Serial>,
    kind: KitKind,
) -> Verb {
    // A practice kit makes its secrets up, by as many letters as the option without a number.
    let generate = (kind == KitKind::Practice && !confirm_pending).then_some(20);
    Verb::Rotate(Rotate {
        credential,
        source: Source { from: None, generate },
        confirm_pending,
        threshold: None,
        to,
        factors: Vec::new(),
        with,
        caution: LastTry::default(),
    })
}
