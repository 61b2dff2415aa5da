//! `incident list`, `incident show`: who did what, how it ended, and what it leaves to be done. Nothing is asked.

use serde::Serialize;
use serde_json::{Value, json};

use super::Outcome;
use super::desk::{Desk, date};
use super::findings::counted;
use super::hint::Trouble;
use super::terminal::one_line;
use crate::kit::Kit;
use crate::kit::debts::{self, Debt, Done, quoted};
use crate::kit::incidents::{Incident, Minting, Opening, incidents};
use crate::kit::minted::{self, Ledger, TakenBack};
use crate::record::event::Consent;

/// A debt as `--json` tells it.
#[derive(Serialize)]
pub(super) struct Told {
    debt: String,
    since: i64,
    /// The command that discharges it; null once that was done.
    next: Option<String>,
    done: Option<Done>,
}

/// The incident of that name, or why there is none.
pub(super) fn named(kit: &Kit, name: &str) -> Result<Incident, Trouble> {
    let mut known = incidents(kit);
    if let Some(incident) = known.remove(name) {
        return Ok(incident);
    }
    let open: Vec<&str> =
        known.iter().filter(|(_, one)| one.closed.is_none()).map(|(name, _)| name.as_str()).collect();
    let next = match open[..] {
        [] => "breakglass incident list   shows what was opened".to_owned(),
        _ => format!("open incidents: {}", open.join(", ")),
    };
    Err(Trouble::refused(format!("nothing was opened for an incident {name}"), next))
}

/// The debts of an incident, in the order that they are told.
pub(super) fn owed(kit: &Kit, name: &str) -> Vec<Debt> {
    debts::debts(kit).remove(name).unwrap_or_default()
}

/// The same for `--json`.
pub(super) fn debts(kit: &Kit, name: &str) -> Vec<Told> {
    let told = |debt: Debt| Told {
        debt: debt.what.to_string(),
        since: debt.since,
        next: debt.done.is_none().then(|| debt.what.next(name)),
        done: debt.done,
    };
    owed(kit, name).into_iter().map(told).collect()
}

/// What is left of an incident, as talk: each debt with its command.
pub(super) fn say_left(desk: &mut Desk, kit: &Kit, name: &str) {
    let left: Vec<Debt> = owed(kit, name).into_iter().filter(|debt| debt.done.is_none()).collect();
    match left.len() {
        0 => desk.terminal.say(&format!("nothing is left to be done for {name}.")),
        count => desk.terminal.say(&format!("{name} leaves {}:", counted(count, "debt"))),
    }
    for debt in left {
        desk.terminal.say(&line(&debt, name));
    }
}

/// `due   return 23112      breakglass discharge …`, or with the record that discharged it.
fn line(debt: &Debt, incident: &str) -> String {
    let what = debt.what.to_string();
    one_line(&match &debt.done {
        None => format!("  due   {what:<28}  {}", debt.what.next(incident)),
        Some(done) => {
            let words = done.words.as_ref().map_or(String::new(), |words| format!("   {words}"));
            format!("  done  {what:<28}  {}, record {}/{}{words}", date(done.at), done.serial, done.seq)
        }
    })
}

pub(super) fn list(desk: &mut Desk) -> Result<Outcome, Trouble> {
    let kit = desk.look()?;
    let mut rows: Vec<(String, Incident)> = incidents(&kit).into_iter().collect();
    rows.sort_by(|one, other| (one.1.since, &one.0).cmp(&(other.1.since, &other.0)));
    let mut all = debts::debts(&kit);
    let mut left = |name: &str| {
        let debts = all.remove(name).unwrap_or_default();
        debts.iter().filter(|debt| debt.done.is_none()).count()
    };
    if desk.json {
        let told = |(name, incident): &(String, Incident)| {
            json!({
                "incident": name, "since": incident.since, "credentials": incident.credentials,
                "minted": incident.mintings.iter().flat_map(|one| &one.intent.numbers).collect::<Vec<_>>(),
                "operators": incident.operators, "debts": left(name),
                "verdict": incident.closed.as_ref().map(|closed| closed.facts.verdict),
            })
        };
        let told: Vec<Value> = rows.iter().map(told).collect();
        desk.json_result(&json!({ "incidents": told }))?;
        return Ok(Outcome::Done);
    }
    desk.practice_banner(&kit);
    if rows.is_empty() {
        desk.line("nothing was opened from this kit")?;
    }
    for (name, incident) in &rows {
        let ended = incident.closed.as_ref().map_or("open", |closed| closed.facts.verdict.name());
        let debts = match left(name) {
            0 => "nothing left to be done".to_owned(),
            count => format!("{} left", counted(count, "debt")),
        };
        let (since, what, who) =
            (date(incident.since), incident.what().join(", "), incident.operators.join(", "));
        desk.line(&format!("{name:<16}  {since}  {ended:<11}  {what}, by {who}   {debts}"))?;
    }
    Ok(Outcome::Done)
}

pub(super) fn show(desk: &mut Desk, name: &str) -> Result<Outcome, Trouble> {
    let kit = desk.look()?;
    desk.practice_banner(&kit);
    let incident = named(&kit, name)?;
    let ledger = minted::minted(&kit);
    if desk.json {
        desk.json_result(&json!({
            "incident": name,
            "openings": incident.openings.iter().map(opening).collect::<Vec<_>>(),
            "mintings": incident.mintings.iter().map(|one| minting(one, &ledger)).collect::<Vec<_>>(),
            "closed": incident.closed.as_ref().map(|one| json!({
                "record": one.record, "time": one.at, "verdict": one.facts.verdict,
                "outcome": one.facts.outcome, "switched_off": one.facts.switched_off,
            })),
            "reviews": incident.reviews.iter().map(|one| json!({
                "record": one.record, "time": one.at, "by": one.facts.by, "judgement": one.facts.judgement,
                "text": one.facts.text, "lesson": one.facts.lesson,
                "counts": !incident.operators.contains(&one.facts.by),
            })).collect::<Vec<_>>(),
            "debts": debts(&kit, name),
        }))?;
        return Ok(Outcome::Done);
    }
    desk.line(&format!("incident  {name}"))?;
    desk.text(&told(name, &incident, &ledger))?;
    for debt in owed(&kit, name) {
        desk.line(&line(&debt, name))?;
    }
    Ok(Outcome::Done)
}

fn opening(one: &Opening) -> Value {
    json!({
        "credential": one.intent.credential, "generation": one.intent.generation, "operator": one.intent.operator,
        "emergency": one.intent.emergency, "reason": one.intent.reason, "overrides": one.intent.overrides, "consent": one.intent.consent,
        "keys": one.keys, "intents": one.records, "time": one.at, "output": one.output,
    })
}

/// `by 1 other; not asked: carol`.
fn consented(consent: &Consent) -> String {
    let by = match consent.approvals.len() {
        0 => "by nobody".to_owned(),
        count => format!("by {}", counted(count, "approval")),
    };
    match consent.skipped.is_empty() {
        true => by,
        false => {
            format!("{by}; the policy lets the operator go on. not asked: {}", consent.skipped.join(", "))
        }
    }
}

fn minting(one: &Minting, ledger: &Ledger) -> Value {
    let intent = &one.intent;
    let revoked = taken_back(one, ledger)
        .map(|(number, by)| json!({ "number": number, "record": by.record, "time": by.at }));
    json!({
        "kind": intent.kind, "rule": intent.rule, "accounts": intent.accounts, "numbers": intent.numbers,
        "operator": intent.operator, "emergency": intent.emergency, "reason": intent.reason,
        "overrides": intent.overrides, "from": intent.from, "until": intent.until, "key": one.key,
        "intent": one.record, "time": one.at, "output": one.output, "revoked": revoked.collect::<Vec<_>>(),
    })
}

/// Numbers of it that were taken back one by one, or with all that its key minted; each with the record.
fn taken_back<'a>(one: &'a Minting, ledger: &'a Ledger) -> impl Iterator<Item = (&'a str, &'a TakenBack)> {
    let (kind, key) = (one.intent.kind, one.key);
    let of = move |number: &str| ledger.taken_back(kind, key, number).or(ledger.withdrawn(kind, &one.key_id));
    one.intent.numbers.iter().filter_map(move |number| Some((number.as_str(), of(number)?)))
}

/// Openings, mintings, close and reviews.
fn told(name: &str, incident: &Incident, ledger: &Ledger) -> String {
    let mut lines = Vec::new();
    let mut add = |word: &str, text: String| lines.push(format!("{word:<9} {}\n", one_line(&text)));
    for one in &incident.openings {
        let intent = &one.intent;
        let keys: Vec<String> = one.keys.iter().map(ToString::to_string).collect();
        let end = match &one.output {
            Some(output) => format!("handed out to {output}"),
            None => "no record tells the end: it may have been disclosed".to_owned(),
        };
        add(
            "opened",
            format!(
                "{}   {}, generation {}, by {} with {}; {end}",
                date(one.at),
                intent.credential,
                intent.generation,
                intent.operator,
                keys.join(", ")
            ),
        );
        add("because", format!("{}: {}", intent.emergency, intent.reason));
        if let Some(consent) = &intent.consent {
            add("approved", consented(consent));
        }
        for accepted in &intent.overrides {
            add("accepted", format!("{}: {}", accepted.rule, accepted.why));
        }
    }
    for one in &incident.mintings {
        let intent = &one.intent;
        let end = match &one.output {
            Some(output) => format!("handed out to {output}"),
            None => "no record tells the end: it may have been handed out".to_owned(),
        };
        add(
            "minted",
            format!(
                "{}   {} {} as {}, number {}, until {}, by {} with {}; {end}",
                date(one.at),
                intent.kind.singular(),
                intent.rule,
                intent.accounts.join(" "),
                intent.numbers.join(" "),
                date(intent.until),
                intent.operator,
                one.key
            ),
        );
        add("because", format!("{}: {}", intent.emergency, intent.reason));
        for (number, by) in taken_back(one, ledger) {
            add("revoked", format!("{}   {number}, record {}/{}", date(by.at), by.place.0, by.place.1));
        }
        for accepted in &intent.overrides {
            add("accepted", format!("{}: {}", accepted.rule, accepted.why));
        }
    }
    match &incident.closed {
        Some(closed) => {
            let facts = &closed.facts;
            add("closed", format!("{}   {}: {}", date(closed.at), facts.verdict.name(), facts.outcome));
        }
        None => add("open", format!("nobody has said how it ended:  breakglass close {}", quoted(name))),
    }
    for review in &incident.reviews {
        let facts = &review.facts;
        let counts = match incident.operators.contains(&facts.by) {
            true => "; it does not count, because they opened for it",
            false => "",
        };
        let judged = format!("{} by {}{counts}: {}", facts.judgement.name(), facts.by, facts.text);
        add("reviewed", format!("{}   {judged}", date(review.at)));
        if let Some(lesson) = &facts.lesson {
            add("lesson", lesson.clone());
        }
    }
    lines.concat()
}
