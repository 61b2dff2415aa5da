//! `breakglass` without a verb, at a terminal: finds the kit, shows what is possible now and nothing else, asks what is
//! needed, and comes back to what is possible then.
//!
//! Each choice runs the function of its verb, with the questions and the exact words that the verb asks. Nothing here is
//! confirmed by Enter: an empty line leads out.

use std::io::{IsTerminal, stderr, stdin, stdout};
use std::path::{Path, PathBuf};

use super::Outcome;
use super::args::{Close, Inventory, LastTry, Open, RecordsVerify};
use super::desk::Desk;
use super::hint::{Trouble, complain};
use super::terminal::one_line;
use super::{close, doctor, inventory, open, practice, records, status};
use crate::attestation::Serial;
use crate::device::DeviceError;
use crate::kit::Kit;
use crate::kit::debts::quoted;

mod due;
mod find;
mod finish;
mod now;

use now::{Choice, now};

/// What came of a choice.
enum Step {
    /// Its verb ran.
    Did(Outcome),
    /// The person wanted nothing.
    Back,
}

/// Whether there is somebody to lead: what is asked, said and shown all goes to a terminal.
pub(super) fn somebody() -> bool {
    stdin().is_terminal() && stderr().is_terminal() && stdout().is_terminal()
}

/// `named`: the kit by `--kit` or `BREAKGLASS_KIT`.
pub(super) fn guide(desk: &mut Desk, named: Option<&Path>) -> Result<Outcome, Trouble> {
    if desk.json || desk.terminal.is_scripted() || !desk.terminal.has_person() {
        return Err(Trouble::Usage(
            "without a verb a person is led: --json, --confirm and --pin-fd go with a verb".into(),
        ));
    }
    let search = match named {
        Some(folder) => Search::Kit(folder.to_owned()),
        None => search(desk),
    };
    match search {
        Search::Kit(folder) => {
            desk.turn_to(&folder);
            lead(desk)
        }
        Search::Nowhere => without_kit(desk),
        Search::Unwanted => Ok(Outcome::Done),
    }
}

/// What came of looking for a kit.
enum Search {
    Kit(PathBuf),
    Nowhere,
    /// There are several, and the person wants none of them.
    Unwanted,
}

/// The kit that is found; of several, the one that the person means.
fn search(desk: &mut Desk) -> Search {
    let found = find::kits(&current(), &find::MEDIA.map(|(folder, depth)| (Path::new(folder), depth)));
    if found.len() < 2 {
        return found.into_iter().next().map_or(Search::Nowhere, Search::Kit);
    }
    let mut words = Vec::new();
    for folder in &found {
        desk.turn_to(folder);
        let told = desk.look().map(|kit| {
            format!("{}   {}", kit.policy.name, kit.words().unwrap_or_else(|| "not founded".into()))
        });
        let told = told.unwrap_or_else(|trouble| trouble.to_string());
        words.push(format!("{}   {told}", folder.display()));
    }
    let chosen = pick(desk, "kits that are here (compare the words with the bag)", &words, NONE);
    match chosen.ok().flatten() {
        Some(index) => found.into_iter().nth(index).map_or(Search::Nowhere, Search::Kit),
        None => Search::Unwanted,
    }
}

/// The current folder, or its name where it cannot be told.
fn current() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_| ".".into())
}

/// Says where a kit was looked for, and what can be done without one.
fn without_kit(desk: &mut Desk) -> Result<Outcome, Trouble> {
    loop {
        desk.terminal.say("no kit was found.");
        desk.terminal.say(&format!("looked in {}.", find::places(&current())));
        desk.terminal
            .say("plug in the stick of the kit and mount it, or name its folder:  breakglass --kit DIR");
        let choices = ["look again", "look at this machine", "rehearse, in a practice kit that is made now"];
        let step = match pick(desk, "what next?", &choices.map(str::to_owned), END) {
            Ok(Some(0)) => match search(desk) {
                Search::Kit(folder) => {
                    desk.turn_to(&folder);
                    return lead(desk);
                }
                Search::Nowhere => Ok(Step::Back),
                Search::Unwanted => return Ok(Outcome::Done),
            },
            Ok(Some(1)) => doctor::doctor(desk).map(Step::Did),
            Ok(Some(_)) => match rehearse(desk) {
                Ok(Step::Did(outcome)) => return Ok(outcome),
                other => other,
            },
            Ok(None) | Err(_) => return Ok(Outcome::Done),
        };
        told(desk, step);
    }
}

const END: &str = "number (Enter ends): ";
const NONE: &str = "which (Enter for none)? ";

/// Shows what is possible now, does what is chosen, and begins anew, until the person ends it or input does.
fn lead(desk: &mut Desk) -> Result<Outcome, Trouble> {
    loop {
        let kit = desk.look()?;
        desk.practice_banner(&kit);
        let attached = attached(desk, &kit);
        let now = now(&kit, &attached, &status::found(&kit)?);
        for line in &now.lines {
            desk.terminal.say(&one_line(line));
        }
        let words: Vec<String> = now.choices.iter().map(Choice::words).collect();
        let chosen = match pick(desk, "what next?", &words, END) {
            Ok(Some(index)) => now.choices.into_iter().nth(index),
            Ok(None) | Err(Trouble::Unanswered(_)) => None,
            Err(trouble) => return Err(trouble),
        };
        let Some(choice) = chosen else {
            farewell(desk);
            return Ok(Outcome::Done);
        };
        drop(kit);
        let step = carry_out(desk, choice);
        told(desk, step);
        if desk.terminal.to_end {
            return Ok(Outcome::Done);
        }
        desk.terminal.say("");
    }
}

/// The keys that are plugged in, or why nobody can tell. Sends no PIN.
fn attached(desk: &Desk, kit: &Kit) -> Result<Vec<Serial>, String> {
    match desk.readers(kit.kind()).attached() {
        Ok(attached) => Ok(attached.into_iter().map(|key| key.serial).collect()),
        Err(none @ (DeviceError::NoService | DeviceError::AccessDenied)) => Err(none.to_string()),
        // No key, or one that does not answer well: whoever needs it says more.
        Err(_) => Ok(Vec::new()),
    }
}

fn carry_out(desk: &mut Desk, choice: Choice) -> Result<Step, Trouble> {
    let did = match choice {
        Choice::Open => open::open(desk, Open::default()),
        Choice::Close(open) => return end(desk, &open),
        Choice::Finish(owed) => return finish::finish(desk, &owed),
        Choice::Due(due) => return due::carry_out(desk, &due),
        Choice::Status => status::status(desk),
        Choice::Damage => damage(desk),
        Choice::Keys => inventory::inventory(desk, &Inventory::default()),
        Choice::Doctor => doctor::doctor(desk),
        Choice::Rehearse => return rehearse(desk),
    };
    did.map(Step::Did)
}

/// Has it said how an incident ended.
fn end(desk: &mut Desk, open: &[String]) -> Result<Step, Trouble> {
    let incident = match open {
        [one] => one.clone(),
        several => match pick(desk, "which incident has ended?", several, NONE)? {
            Some(index) => several[index].clone(),
            None => return Ok(Step::Back),
        },
    };
    let options = Close {
        incident,
        verdict: None,
        outcome: None,
        switched_off: Vec::new(),
        with: None,
        caution: LastTry::default(),
    };
    close::close(desk, options).map(Step::Did)
}

/// What is wrong with this copy, and how an emergency goes on over it.
fn damage(desk: &mut Desk) -> Result<Outcome, Trouble> {
    let outcome = records::verify(desk, &RecordsVerify { bundle: None })?;
    desk.terminal.say("keep this copy as it is, and take another one:  breakglass --kit DIR");
    desk.terminal.say("if this is an emergency and there is none:  breakglass open --accept-damage \"why\"   or  --accept-gap \"why\"");
    Ok(outcome)
}

/// Makes a practice kit and goes on in it; comes back to this one.
fn rehearse(desk: &mut Desk) -> Result<Step, Trouble> {
    let question = "a new folder for the practice kit (Enter for none): ";
    let Some(folder) = desk.terminal.ask_or_leave(question)? else { return Ok(Step::Back) };
    let (folder, own) = (PathBuf::from(folder), desk.kit_path().to_owned());
    practice::start(desk, &folder)?;
    desk.terminal.say("");
    desk.turn_to(&folder);
    let outcome = lead(desk);
    desk.turn_to(&own);
    outcome.map(Step::Did)
}

/// Says why a choice came to nothing. The list comes again.
fn told(desk: &mut Desk, step: Result<Step, Trouble>) {
    if let Err(trouble) = step {
        complain(Some(desk), &trouble);
    }
}

/// What whoever leaves should know: an incident that is still open.
fn farewell(desk: &mut Desk) {
    let Ok(kit) = desk.look() else { return };
    let open = crate::kit::incidents::incidents(&kit).into_iter().filter(|(_, one)| one.closed.is_none());
    for (name, _) in open.take(4) {
        let at = quoted(&desk.kit_path().display().to_string());
        desk.terminal.say(&format!(
            "{name} is still open. when it has ended:  breakglass --kit {at} close {}",
            quoted(&name)
        ));
    }
}

/// A numbered list; the index of what is chosen, `None` if nothing is.
fn pick(desk: &mut Desk, title: &str, items: &[String], question: &str) -> Result<Option<usize>, Trouble> {
    desk.terminal.say(title);
    for (index, item) in items.iter().enumerate() {
        desk.terminal.say(&format!("  {}  {}", index + 1, one_line(item)));
    }
    loop {
        let Some(answer) = desk.terminal.ask_or_leave(question)? else { return Ok(None) };
        match answer.parse::<usize>().ok().and_then(|number| number.checked_sub(1)) {
            Some(index) if index < items.len() => return Ok(Some(index)),
            _ => desk.terminal.say(&format!("{answer} is not in the list")),
        }
    }
}
