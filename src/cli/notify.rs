//! `notify`: a notice of an incident for each approver who is to be told of it, ready to be sent, and beside the notices
//! the signed records that prove them. Nothing is sent from here, and nothing is signed.

use super::Outcome;
use super::args::Notify;
use super::desk::{Desk, date};
use super::hint::Trouble;
use super::incident;
use super::request::put;
use crate::kit::debts::{quoted, to_tell};
use crate::kit::incidents::{Incident, incidents};
use crate::kit::{Kit, KitError};
use crate::record::event::Event;
use crate::record::hash::Hash;
use crate::record::interop::jwks;
use crate::record::token::Record;

pub(super) fn notify(desk: &mut Desk, options: Notify) -> Result<Outcome, Trouble> {
    let kit = desk.look()?;
    kit.founded()?;
    desk.practice_banner(&kit);
    let name = match options.incident {
        Some(name) => name,
        None => the_only_one(&kit)?,
    };
    let incident = incident::named(&kit, &name)?;
    let people = people(&kit, &incident);
    if people.is_empty() {
        return Err(Trouble::refused(
            format!("nobody is to be told of {name} by the policy, and nobody was passed over"),
            "breakglass policy check",
        ));
    }
    crate::kit::folder::make_folder(&options.out).map_err(KitError::from)?;
    let records = records(&kit, &name);
    let lines: Vec<u8> = records.iter().flat_map(|record| [record.bytes(), b"\n"].concat()).collect();
    let mut files = vec![
        put(&options.out, &format!("records-{}.jws", Hash::of(&lines).short()), &lines)?,
        put(&options.out, "jwks.json", jwks(kit.journal.chains()).as_bytes())?,
    ];
    for person in &people {
        let text = notice(&kit, &name, &incident, person, &records, &files[0].display().to_string());
        let short = Hash::of(text.as_bytes()).short();
        files.push(put(&options.out, &format!("notice-{person}-{short}.txt"), text.as_bytes())?);
    }
    if desk.json {
        desk.json_result(&serde_json::json!({ "incident": name, "files": files, "people": people }))?;
        return Ok(Outcome::Done);
    }
    for file in &files {
        desk.line(&format!("wrote {}", file.display()))?;
    }
    desk.terminal.say("send each notice with the records and jwks.json. when that is done, for each:");
    for person in &people {
        let debt = quoted(&format!("notify {person}"));
        desk.terminal.say(&format!("  breakglass discharge {} {debt} --by NAME --how …", quoted(&name)));
    }
    Ok(Outcome::Done)
}

/// The incident of which somebody is to be told, if it is one.
fn the_only_one(kit: &Kit) -> Result<String, Trouble> {
    let all = incidents(kit).into_iter().filter(|(_, incident)| !people(kit, incident).is_empty());
    let names: Vec<String> = all.map(|(name, _)| name).collect();
    match &names[..] {
        [one] => Ok(one.clone()),
        [] => Err(Trouble::refused(
            "there is no incident that anybody is to be told of",
            "breakglass incident list",
        )),
        _ => Err(Trouble::Usage(format!("say of which incident: {}", names.join(", ")))),
    }
}

/// Who is to be told of an incident, each once.
fn people(kit: &Kit, incident: &Incident) -> Vec<String> {
    let mut people: Vec<String> = Vec::new();
    for opening in &incident.openings {
        for name in to_tell(kit, &opening.intent) {
            if !people.contains(&name) {
                people.push(name);
            }
        }
    }
    people
}

/// The records of that incident, chain by chain; and the enrolments of the keys that signed them.
fn records(kit: &Kit, incident: &str) -> Vec<Record> {
    let of_it: Vec<&Record> = kit
        .journal
        .records()
        .map(|(_, record)| record)
        .filter(|record| record.txn.as_deref() == Some(incident))
        .collect();
    let signed = |record: &&Record| {
        record.txn.as_deref() == Some(incident)
            || matches!(record.event, Event::KeyEnrolled(_)) && of_it.iter().any(|one| one.kid == record.kid)
    };
    kit.journal.records().map(|(_, record)| record).filter(signed).cloned().collect()
}

/// What happened, in words, for that person.
fn notice(
    kit: &Kit,
    name: &str,
    incident: &Incident,
    person: &str,
    records: &[Record],
    file: &str,
) -> String {
    let contact = kit.policy.people.iter().find(|one| one.name.as_str() == person).map(|one| &one.contact);
    let to = contact.filter(|contact| !contact.is_empty());
    let mut lines = vec![
        format!("to {person}{}", to.map_or(String::new(), |contact| format!(", {contact}"))),
        String::new(),
        format!(
            "In the kit {:?} (words: {}) something was opened.",
            kit.policy.name,
            kit.words().unwrap_or_default()
        ),
        format!("incident  {name}"),
    ];
    for opening in &incident.openings {
        let intent = &opening.intent;
        let skipped = intent.consent.as_ref().map_or(&[][..], |consent| &consent.skipped);
        let keys: Vec<String> = opening.keys.iter().map(ToString::to_string).collect();
        lines.push(String::new());
        lines.push(format!(
            "opened    {}, generation {}, at {} as claimed",
            intent.credential,
            intent.generation,
            date(opening.at)
        ));
        lines.push(format!("by        {}, with {}", intent.operator, keys.join(", ")));
        lines.push(format!("because   {}: {}", intent.emergency, intent.reason));
        lines.push(match opening.output {
            Some(_) => "end       it was handed out".into(),
            None => "end       no record tells the end: it may have been disclosed".into(),
        });
        if !skipped.is_empty() {
            lines.push(format!(
                "not asked {}: the policy lets the operator go on, and this is on record",
                skipped.join(", ")
            ));
        }
    }
    let file = file.rsplit('/').next().unwrap_or(file);
    lines.extend([
        String::new(),
        format!(
            "This is proven by {} signed records in {file}, one a line, each a JWS signed ES256.",
            records.len()
        ),
        "Their keys are in jwks.json. Any JOSE library checks them, so do breakglass and its auditor's program;"
            .into(),
        "that these are keys of the kit, its words on the bags show. Records of this incident, by SHA-256:"
            .into(),
    ]);
    lines.extend(records.iter().filter(|record| record.txn.is_some()).map(|record| {
        let title = record.event.name();
        format!("  {}/{}  {title:<16}  {}", record.serial, record.link.seq, hex::encode(record.hash().0))
    }));
    lines.push(String::new());
    lines.push(
        "If you knew nothing of this, call somebody who keeps the kit, on a number that you know.".into(),
    );
    // Reasons are what people typed: nothing in them moves a cursor, turns the direction of the text or adds a line of ours.
    lines.iter().map(|line| super::terminal::one_line(line) + "\n").collect()
}
