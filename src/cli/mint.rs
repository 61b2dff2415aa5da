//! `mint`: asks what is not given, shows the plan, has it confirmed, and hands out what was minted. What is particular to each
//! kind lies below; what all do alike is here.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::Outcome;
use super::args::MintFor;
use super::desk::{Desk, date, hour, now};
use super::hint::Trouble;
use super::incident;
use super::why::Told;
use crate::attestation::Serial;
use crate::device::Readers;
use crate::kit::Kit;
use crate::kit::debts::quoted;
use crate::kit::policy::{MintRule, Role};
use crate::minting::{self, Minted, Plan, Subject, Wish};
use crate::signing::Caution;

mod assertion;
mod files;
mod holder;
mod key;
mod ssh;
mod token;
mod x509;

pub(super) use assertion::assertion;
pub(super) use key::key;
pub(super) use ssh::ssh;
pub(super) use token::token;
pub(super) use x509::x509;

/// Asks what is not given, judges all of it, and has the plan confirmed. What the policy does not have at all is told before
/// anything is asked.
fn confirmed(
    desk: &mut Desk,
    kit: &Kit,
    readers: &mut dyn Readers,
    options: MintFor,
    subject: Subject,
    output: &str,
) -> Result<Plan, Trouble> {
    let rule = minting::rule(kit, &options.rule, subject.kind())?;
    let key = desk.signing_key(kit, readers, options.key)?;
    let wish = wish(desk, kit, rule, options, key, subject, output)?;
    let plan = minting::plan(kit, wish, now())?;
    desk.confirm(&describe(kit, &plan), &plan.word())?;
    Ok(plan)
}

fn wish(
    desk: &mut Desk,
    kit: &Kit,
    rule: &MintRule,
    options: MintFor,
    key: Serial,
    subject: Subject,
    output: &str,
) -> Result<Wish, Trouble> {
    let emergencies: Vec<&str> = rule.emergencies.iter().map(|name| name.as_str()).collect();
    let operators = kit.policy.with_role(Role::Operator);
    let Told { emergency, incident, reason, operator } = options.why.asked(desk, &emergencies, &operators)?;
    Ok(Wish {
        emergency,
        incident,
        reason,
        operator,
        rule: options.rule,
        minutes: options.minutes,
        key,
        subject,
        output: output.to_owned(),
        accept_damage: options.accept_damage,
        accept_clock: options.accept_clock,
        clock_there: options.clock_there.map(jiff::Timestamp::as_second),
        caution: Caution { spend_last_try: options.spend_last_try, accept_gap: options.accept_gap },
    })
}

fn describe(kit: &Kit, plan: &Plan) -> String {
    let wish = &plan.wish;
    let until = now().saturating_add(i64::try_from(plan.seconds).unwrap_or(i64::MAX));
    let kind = plan.rule.says.kind();
    let what = match wish.subject.count() {
        1 => kind.singular().to_owned(),
        count => format!("{count} {}, each good once", kind.plural()),
    };
    let (least, most) = plan.touches();
    let mut lines = vec![
        "plan".to_owned(),
        format!("  mint      {}, {what}", plan.rule.name),
        format!("  says      {}", plan.rule.says),
        format!("  holder    {}", holder::told(&wish.subject)),
        format!(
            "  for       {}, {}, {}, until {}",
            wish.operator,
            wish.emergency,
            wish.incident,
            hour(until)
        ),
        format!("  because   {}", wish.reason),
        format!("  key       {}, slot {}", wish.key, plan.slot()),
        format!("  you do    1 PIN, {least} to {most} touches"),
        match plan.backdated() {
            0 => format!("  clock     {}; a server whose clock is behind may refuse it", date(now())),
            seconds => format!(
                "  clock     {}; where a clock differs by more than {} minutes it is refused",
                date(now()),
                seconds / 60
            ),
        },
        format!("  records   written to {} before it is signed", kit.folder.journal().display()),
    ];
    let begins = plan.certified.as_ref().map_or(0, |one| one.certificate.from().cast_signed());
    if begins > now() {
        let begins = date(begins);
        lines.push(format!(
            "  note      by this clock servers trust {} only from {begins} on; if it is right:  breakglass trust authority",
            wish.key
        ));
    }
    for accepted in &plan.overrides {
        lines.push(format!("  accepted  {}: {}", accepted.rule, accepted.why));
    }
    lines.join("\n")
}

/// What is particular to a kind, of what was minted.
struct Particulars {
    /// `token …`, for a sentence.
    what: String,
    /// Members of the JSON object that other kinds do not have.
    members: Value,
    /// What is public of it, with a line feed; empty where that is nowhere but in an agent.
    public: String,
}

impl Particulars {
    /// Of one that has a number.
    fn of_one(plan: &Plan, minted: &Minted, members: Value, public: String) -> Self {
        let number = minted.numbers.first().map_or("", String::as_str);
        let what = format!("{} {number}", plan.rule.says.kind().singular());
        Particulars { what, members: with(json!({ "number": number }), members), public }
    }
}

/// Says what could not be signed or put on the key, then what was minted, and passes on why it was not handed out. What is public
/// of it goes to stdout then, so that it is not lost: as JSON it is there in any case.
fn finish(
    desk: &mut Desk,
    kit: &Kit,
    plan: &Plan,
    minted: &Minted,
    handed: Result<(), Trouble>,
    files: &[PathBuf],
    own: Particulars,
) -> Result<(), Trouble> {
    leftovers(desk, plan, minted);
    let (wish, window) = (&plan.wish, minted.window);
    let until = i64::try_from(window.until()).unwrap_or(i64::MAX);
    if desk.json {
        let all = json!({
            "kind": plan.rule.says.kind(), "rule": plan.rule.name.to_string(), "incident": wish.incident,
            "from": window.from(), "until": until, "key": wish.key, "intent": minted.intent,
            "issued": minted.outcome.as_ref().ok(), "files": files,
            "debts": incident::debts(kit, &wish.incident),
        });
        desk.json_result(&with(all, own.members))?;
        return handed;
    }
    desk.terminal.say(&format!("minted {}: {}, good until {}.", plan.rule.name, own.what, date(until)));
    if handed.is_err() {
        desk.text(&own.public)?;
    }
    handed
}

/// One object with the members of both.
fn with(mut object: Value, more: Value) -> Value {
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}

/// What the key could not do after it had minted.
fn leftovers(desk: &mut Desk, plan: &Plan, minted: &Minted) {
    if let Err(cause) = &minted.outcome {
        desk.terminal.say(&format!("due: tell the auditor that the outcome could not be signed: {cause}"));
    }
    if let Err(cause) = &minted.head {
        let serial = plan.wish.key;
        desk.terminal
            .say(&format!("note: key {serial} does not carry its last record: {cause}. the journal has it."));
    }
}

/// What to do when it is over.
fn end(desk: &mut Desk, kit: &Kit, incident: &str) {
    desk.terminal
        .say(&format!("when you are done, end your sessions, then:  breakglass close {}", quoted(incident)));
    incident::say_left(desk, kit, incident);
}
