//! `mint`: asks what is not given, shows the plan, has it confirmed, and hands out what was minted. What is particular to each
//! kind lies below; what all do alike is here.

use std::path::PathBuf;

use super::Outcome;
use super::args::MintFor;
use super::desk::{Desk, date, hour, now};
use super::hint::Trouble;
use super::incident;
use super::why::Told;
use crate::kit::Kit;
use crate::kit::debts::quoted;
use crate::kit::policy::Role;
use crate::minting::{Minted, Plan, Subject, Wish};
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

fn wish(
    desk: &mut Desk,
    kit: &Kit,
    options: MintFor,
    key: crate::attestation::Serial,
    subject: Subject,
    output: &str,
) -> Result<Wish, Trouble> {
    let emergencies = kit.policy.mint_rule(&options.rule).map_or(&[][..], |rule| &rule.emergencies);
    let emergencies: Vec<&str> = emergencies.iter().map(|name| name.as_str()).collect();
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
    if let Some(held) = holder::told(&wish.subject) {
        lines.insert(3, format!("  holder    {held}"));
    }
    for accepted in &plan.overrides {
        lines.push(format!("  accepted  {}: {}", accepted.rule, accepted.why));
    }
    lines.join("\n")
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
    public: &str,
) -> Result<(), Trouble> {
    leftovers(desk, plan, minted);
    let Minted { numbers, window, identity, intent, outcome, .. } = minted;
    let (wish, until) = (&plan.wish, i64::try_from(window.until()).unwrap_or(i64::MAX));
    let number = numbers.first().map_or("", String::as_str);
    if desk.json {
        desk.json_result(&serde_json::json!({
            "kind": plan.rule.says.kind(), "rule": plan.rule.name.to_string(), "incident": wish.incident,
            "number": number, "key_id": identity.text(), "from": window.from(), "until": until, "key": wish.key,
            "intent": intent, "issued": outcome.as_ref().ok(), "files": files,
            "certificate": Some(public).filter(|text| !text.is_empty()),
            "debts": incident::debts(kit, &wish.incident),
        }))?;
        return handed;
    }
    let kind = plan.rule.says.kind().singular();
    desk.terminal.say(&format!("minted {}: {kind} {number}, good until {}.", plan.rule.name, date(until)));
    if handed.is_err() && !public.is_empty() {
        desk.text(public)?;
    }
    handed
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
