//! What an incident left to be done: one of it is chosen, what its verb needs is asked, and the verb runs.

use super::{NONE, Step, pick};
use crate::attestation::Serial;
use crate::cli::Outcome;
use crate::cli::args::{
    CheckIn, Discharge, Export, LastTry, Notify, PinChange, PinWhat, Review, Rotate, Source, number, place,
};
use crate::cli::desk::Desk;
use crate::cli::hint::Trouble;
use crate::cli::{custody, discharge, notify, pin, records, review, seal};
use crate::kit::Kit;
use crate::kit::debts::{Debt, What};
use crate::kit::incidents::incidents;
use crate::kit::name::{CredentialName, Name};
use crate::record::event::{Judgement, KitKind};

pub(super) fn finish(desk: &mut Desk, owed: &[(String, Debt)]) -> Result<Step, Trouble> {
    let words: Vec<String> =
        owed.iter().map(|(incident, debt)| format!("{}   ({incident})", debt.what)).collect();
    let Some(index) = pick(desk, "what is to be done?", &words, NONE)? else {
        return Ok(Step::Back);
    };
    let Some((incident, debt)) = owed.get(index) else { return Ok(Step::Back) };
    let kit = desk.look()?;
    match &debt.what {
        What::Rotate(name, _) => rotate(desk, &kit, name),
        What::ChangePin(serial) => change_pin(desk, *serial),
        What::Return(serial) => return_key(desk, &kit, incident, &debt.what, *serial),
        What::Account(_) | What::Sessions(_) | What::Trust(_) | What::Restore(_) => {
            by_word(desk, &kit, incident, &debt.what)
        }
        What::Upload => upload(desk, &kit),
        What::Review(incident) => judge(desk, &kit, incident),
        What::Notify(_) => tell(desk, &kit, incident, &debt.what),
    }
    .map(Step::Did)
}

/// Seals the next generation; or, where that is done, has it confirmed that the platform has it.
pub(super) fn rotate(desk: &mut Desk, kit: &Kit, name: &CredentialName) -> Result<Outcome, Trouble> {
    let confirm_pending = kit.credentials.get(name).is_some_and(|credential| credential.pending().is_some());
    let made_up = match kit.kind() {
        KitKind::Practice => true,
        KitKind::Real if confirm_pending => false,
        KitKind::Real => {
            let question = "the new secret is made up here, or typed by you (made, typed)? ";
            desk.terminal.ask_known(question, &["made", "typed"])? == "made"
        }
    };
    let source = Source { from: None, generate: (made_up && !confirm_pending).then_some(20) };
    let rotation = Rotate {
        credential: name.clone(),
        source,
        confirm_pending,
        threshold: None,
        to: Vec::new(),
        factors: Vec::new(),
        with: None,
        caution: LastTry::default(),
    };
    seal::rotate(desk, rotation)
}

fn change_pin(desk: &mut Desk, serial: Serial) -> Result<Outcome, Trouble> {
    pin::pin(desk, &PinChange { serial: Some(serial), what: PinWhat::Change, caution: LastTry::default() })
}

/// A key that two people took out is put away by two; of any other somebody says that it is back.
fn return_key(
    desk: &mut Desk,
    kit: &Kit,
    incident: &str,
    what: &What,
    serial: Serial,
) -> Result<Outcome, Trouble> {
    let out = kit.enrolled(serial).and_then(|key| kit.whereabouts(&key.id, serial).out);
    match out {
        Some(_) => put_away(desk, kit, serial),
        None => by_word(desk, kit, incident, what),
    }
}

/// Asks for what two people see when they put a key into a bag.
pub(super) fn put_away(desk: &mut Desk, kit: &Kit, serial: Serial) -> Result<Outcome, Trouble> {
    let place = ask_until(desk, "where does it lie now? ", place)?;
    let none_or_number = |text: &str| if text == "none" { Ok(String::new()) } else { number(text) };
    let bag = ask_until(desk, "the number of its new bag (or none): ", none_or_number)?;
    let people = people(kit);
    let person = ask_person(desk, "who puts it away, by the name in the policy: ", &people)?;
    let others: Vec<&str> = people.iter().copied().filter(|name| *name != person.as_str()).collect();
    let witness = ask_person(desk, "who sees it, by the name in the policy: ", &others)?;
    let with = None;
    custody::check_in(
        desk,
        CheckIn { serial, place, bag, person, witness, with, caution: LastTry::default() },
    )
}

fn by_word(desk: &mut Desk, kit: &Kit, incident: &str, what: &What) -> Result<Outcome, Trouble> {
    let by = desk.terminal.ask_known("your name as in the policy: ", &people(kit))?;
    let how = desk.terminal.ask("how was it done, in a few words: ")?;
    let said = Discharge {
        incident: incident.to_owned(),
        debt: what.to_string(),
        by,
        how,
        with: None,
        caution: LastTry::default(),
    };
    discharge::discharge(desk, said)
}

/// Writes the notices, unless they are; then somebody says that they were sent.
fn tell(desk: &mut Desk, kit: &Kit, incident: &str, what: &What) -> Result<Outcome, Trouble> {
    let question = "the folder to write the notices to (Enter where they were sent already): ";
    if let Some(folder) = desk.terminal.ask_or_leave(question)? {
        return notify::notify(desk, Notify { incident: Some(incident.to_owned()), out: folder.into() });
    }
    by_word(desk, kit, incident, what)
}

fn upload(desk: &mut Desk, kit: &Kit) -> Result<Outcome, Trouble> {
    let to = desk.terminal.ask("the folder to write the records to, on what goes to the auditor: ")?.into();
    let mut readers = desk.readers(kit.kind());
    let with = Some(desk.signing_key(kit, readers.as_mut(), None)?);
    drop(readers);
    records::export(desk, &Export { to, with, openssl: None, qr: false, caution: LastTry::default() })
}

fn judge(desk: &mut Desk, kit: &Kit, incident: &str) -> Result<Outcome, Trouble> {
    let operators = incidents(kit).remove(incident).unwrap_or_default().operators;
    let others: Vec<&str> =
        people(kit).into_iter().filter(|name| !operators.iter().any(|one| one == name)).collect();
    let question = format!("your name as in the policy (not {}, who opened): ", operators.join(", "));
    let by = desk.terminal.ask_known(&question, &others)?;
    let parse = |text: &str| Judgement::try_from(text.to_owned());
    let judgement = ask_until(desk, "was it handled as it should have been (agree, disagree)? ", parse)?;
    let text = desk.terminal.ask("why, in a few words: ")?;
    let lesson = desk.terminal.ask_or_leave("what should the policy learn from it (Enter for nothing)? ")?;
    let (incident, with) = (incident.to_owned(), None);
    review::review(desk, Review { incident, by, judgement, text, lesson, with, caution: LastTry::default() })
}

fn people(kit: &Kit) -> Vec<&str> {
    kit.policy.people.iter().map(|person| person.name.as_str()).collect()
}

fn ask_person(desk: &mut Desk, question: &str, known: &[&str]) -> Result<Name, Trouble> {
    loop {
        match desk.terminal.ask_known(question, known)?.parse() {
            Ok(name) => return Ok(name),
            Err(_) => desk.terminal.say("that is no name of the policy"),
        }
    }
}

/// Asks until the answer can be read.
fn ask_until<T>(
    desk: &mut Desk,
    question: &str,
    parse: impl Fn(&str) -> Result<T, &'static str>,
) -> Result<T, Trouble> {
    loop {
        match parse(&desk.terminal.ask(question)?) {
            Ok(value) => return Ok(value),
            Err(why) => desk.terminal.say(why),
        }
    }
}
