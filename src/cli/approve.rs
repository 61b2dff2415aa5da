//! `approve`: shows a request as an approver must see it, and signs just that with a key that they keep. The approval is
//! a record of that key, and a file that crosses machines. It is evidence that they said yes, not a lock.

use super::Outcome;
use super::args::Approve;
use super::brought::read;
use super::desk::Desk;
use super::hint::Trouble;
use super::records::codes;
use super::request::{put, told};
use crate::attestation::Serial;
use crate::kit::Kit;
use crate::kit::approval::{Approval, facts};
use crate::kit::debts::quoted;
use crate::kit::policy::Role;
use crate::kit::request::{READ_CAP, Request, Unfit};
use crate::record::event::Event;
use crate::record::token::Record;
use crate::signing::Caution;

pub(super) fn approve(desk: &mut Desk, options: Approve) -> Result<Outcome, Trouble> {
    let bytes = read(desk, &options.request, READ_CAP, 1, "the request")?;
    let request = Request::parse(&bytes).map_err(|error| {
        let what = format!("{}: {error}", options.request.display());
        Trouble::refused(what, "have it made again:  breakglass request …")
    })?;
    let (mut kit, _lock) = desk.work()?;
    kit.founded()?;
    desk.refuse_damaged(&kit)?;
    may_be_approved(&kit, &request)?;
    let mut readers = desk.readers(kit.kind());
    let serial = desk.signing_key(&kit, readers.as_mut(), options.with)?;
    let approver = approver(&kit, &request, serial)?;
    desk.terminal.say(&format!(
        "kit  {}     words  {}     (compare with the bag)",
        kit.policy.name,
        kit.words().unwrap_or_default()
    ));
    let facts = facts(&request, &approver);
    // A file that was lost is written again; nothing is signed twice.
    let signed = kit
        .journal
        .records()
        .any(|(_, record)| record.serial == serial && record.event == Event::RequestApproved(facts.clone()));
    if signed {
        desk.terminal
            .say(&format!("{approver} approved it already with {serial}; the file is written again."));
    } else {
        desk.confirm(&text(&kit, &request, &approver, serial), &word(&request))?;
        let caution = Caution { spend_last_try: options.caution.spend_last_try, accept_gap: None };
        let mut signer = desk.admitted_signer(&mut kit, readers.as_mut(), Some(serial), &caution)?;
        let incident = request.asked.incident.clone();
        let event = Event::RequestApproved(facts.clone());
        desk.at_station(readers.as_mut(), |station| {
            signer.sign(station, &mut kit, Some(&incident), event, "to sign your approval")
        })?;
        desk.head_written(&mut signer);
    }
    let chain: Vec<Record> = until(&kit, serial, &Event::RequestApproved(facts));
    let approval = Approval::of(request, &chain).map_err(|error| Trouble::Damaged(error.to_string()))?;
    let path = put(&options.out, &approval.file_name(), &approval.bytes())?;
    if desk.json {
        desk.json_result(&serde_json::json!({
            "file": path, "request": approval.request.hash(), "words": approval.request.words(),
            "approver": approver, "serial": serial, "record": approval.record().hash(),
        }))?;
    } else {
        desk.line(&format!("wrote {}", path.display()))?;
    }
    if options.qr {
        codes::show(desk, &approval.bytes());
    }
    desk.terminal.say(&format!(
        "{approver} has approved it, record {serial}/{}. give the file to {}:  breakglass open --approval {}",
        approval.record().link.seq,
        approval.request.asked.operator,
        quoted(&path.display().to_string())
    ));
    if options.qr {
        desk.terminal.say("where no file crosses, the codes do, by a scanner:  breakglass open --approval -");
    }
    Ok(Outcome::Done)
}

/// The records of that key up to the one that says this.
fn until(kit: &Kit, serial: Serial, event: &Event) -> Vec<Record> {
    let of_key = kit.enrolled(serial).map(|key| key.chain).unwrap_or_default();
    let mut chain: Vec<Record> =
        kit.journal.records().filter(|(name, _)| *name == of_key).map(|(_, record)| record.clone()).collect();
    if let Some(last) = chain.iter().rposition(|record| record.event == *event) {
        chain.truncate(last + 1);
    }
    chain
}

fn may_be_approved(kit: &Kit, request: &Request) -> Result<(), Trouble> {
    let asked = &request.asked;
    request.fits(&kit.founded()?.kit, &kit.policy, super::desk::now()).map_err(|unfit| {
        let next = match unfit {
            Unfit::OtherKit(_) => {
                "compare the words with the bags; name the kit:  breakglass --kit DIR approve …"
            }
            Unfit::OtherPolicy => {
                "bring both copies of the kit together:  breakglass kit merge DIR   then have it made again"
            }
            Unfit::Expired | Unfit::TooLong => {
                "compare the clocks, and have it made again:  breakglass request …"
            }
        };
        Trouble::refused(unfit.to_string(), next)
    })?;
    kit.policy
        .may_open(asked.operator.as_str(), asked.emergency.as_str(), &request.credential())
        .map_err(|refusal| Trouble::refused(refusal.to_string(), "say no"))?;
    let seen_by = asked.seen_by.as_str();
    super::discharge::of_the_policy(kit, seen_by)?;
    match seen_by == asked.operator.as_str() {
        true => Err(Trouble::refused("nobody vouches for themselves", "say no")),
        false => Ok(()),
    }
}

/// Whose key it is, if they may approve this.
fn approver(kit: &Kit, request: &Request, serial: Serial) -> Result<String, Trouble> {
    let operator = request.asked.operator.as_str();
    let keeper = kit.policy.keeper(serial).map(|person| person.name.as_str());
    let keys: Vec<String> = kit
        .policy
        .approvers_beside(operator)
        .iter()
        .filter(|person| !person.keys.is_empty())
        .map(|person| {
            let keys: Vec<String> = person.keys.iter().map(ToString::to_string).collect();
            format!("{} with {}", person.name, keys.join(" or "))
        })
        .collect();
    let next = match keys.is_empty() {
        true => {
            "the policy names nobody else who approves and keeps a key:  breakglass policy check".to_owned()
        }
        false => format!("who may: {}", keys.join(", ")),
    };
    match keeper {
        Some(name) if name == operator => Err(Trouble::refused(
            format!("{name} asks for it, and key {serial} is theirs: nobody approves what they ask for"),
            next,
        )),
        Some(name) if kit.policy.person(name, Role::Approver).is_some() => Ok(name.to_owned()),
        Some(name) => Err(Trouble::refused(
            format!("{name}, who keeps key {serial}, does not approve by the policy"),
            next,
        )),
        None => Err(Trouble::refused(format!("the policy does not say who keeps key {serial}"), next)),
    }
}

fn word(request: &Request) -> String {
    format!("approve {}", request.credential().platform)
}

fn text(kit: &Kit, request: &Request, approver: &str, serial: Serial) -> String {
    let asked = &request.asked;
    let mut lines = vec![told(request)];
    let credential = kit.credentials.get(&request.credential());
    let known = credential.is_some_and(|it| it.generations.iter().any(|one| one.number == asked.generation));
    if !known {
        lines.push("note      this copy of the kit does not know that generation".into());
    }
    lines.push(format!("you are   {approver}, with key {serial}"));
    lines.push(format!(
        "words     {}     (call {} on a number that you know, and have them said to you)",
        request.words(),
        asked.operator
    ));
    lines.push("you sign  that you said yes to just this. it opens nothing, and it is no lock".into());
    lines.join("\n")
}
