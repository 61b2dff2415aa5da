//! `discharge`: somebody says that something which an incident left to be done was done, and a key signs it. Only for
//! what no other record can show: a key that is back, an account that is gone, a setting that is on again.

use super::Outcome;
use super::args::Discharge;
use super::desk::Desk;
use super::hint::Trouble;
use super::incident;
use crate::kit::Kit;
use crate::kit::debts::quoted;
use crate::record::event::{DebtDischarged, Event};
use crate::signing::Caution;

pub(super) fn discharge(desk: &mut Desk, options: Discharge) -> Result<Outcome, Trouble> {
    let (mut kit, _lock) = desk.work()?;
    kit.founded()?;
    let name = options.incident;
    incident::named(&kit, &name)?;
    of_the_policy(&kit, &options.by)?;
    owed(&kit, &name, &options.debt)?;
    let text =
        format!("discharge {} of {name}\nsays      {}\nhow       {}", options.debt, options.by, options.how);
    desk.confirm(&text, &format!("discharge {}", options.debt))?;
    let mut readers = desk.readers(kit.kind());
    let caution = Caution { spend_last_try: options.caution.spend_last_try, accept_gap: None };
    let mut signer = desk.admitted_signer(&mut kit, readers.as_mut(), options.with, &caution)?;
    let facts = DebtDischarged { debt: options.debt.clone(), by: options.by, how: options.how };
    let record = desk.at_station(readers.as_mut(), |station| {
        let event = Event::DebtDischarged(facts);
        signer.sign(station, &mut kit, Some(&name), event, "to sign that it was done")
    })?;
    desk.head_written(&mut signer);
    if desk.json {
        desk.json_result(&serde_json::json!({
            "incident": name, "debt": options.debt, "record": record.hash(),
            "debts": incident::debts(&kit, &name),
        }))?;
    }
    desk.terminal.say(&format!("{} is on record as done.", options.debt));
    incident::say_left(desk, &kit, &name);
    Ok(Outcome::Done)
}

/// Refuses a name that the policy does not have.
pub(super) fn of_the_policy(kit: &Kit, name: &str) -> Result<(), Trouble> {
    let people: Vec<&str> = kit.policy.people.iter().map(|person| person.name.as_str()).collect();
    match people.contains(&name) {
        true => Ok(()),
        false => Err(Trouble::refused(
            format!("the policy has no {name}"),
            format!("people of the policy: {}", people.join(", ")),
        )),
    }
}

/// Refuses what is not owed, and what another record than a word has to show.
fn owed(kit: &Kit, name: &str, debt: &str) -> Result<(), Trouble> {
    let owed = incident::owed(kit, name);
    let refuse = |what: String, next: String| Err(Trouble::refused(what, next));
    match owed.iter().find(|one| one.what.to_string() == debt) {
        Some(one) if one.done.is_some() => refuse(
            format!("{debt} was done already"),
            format!("what is left:  breakglass incident show {}", quoted(name)),
        ),
        Some(one) if !one.what.by_word() => {
            refuse(format!("{debt} is not done by saying so: its own record shows it"), one.what.next(name))
        }
        Some(_) => Ok(()),
        None => {
            let open: Vec<String> = owed
                .iter()
                .filter(|one| one.done.is_none() && one.what.by_word())
                .map(|one| quoted(&one.what.to_string()))
                .collect();
            let next = match open.is_empty() {
                true => format!("what it left:  breakglass incident show {}", quoted(name)),
                false => format!("what can be discharged:  {}", open.join(", ")),
            };
            refuse(format!("{name} does not owe {debt:?}"), next)
        }
    }
}
