//! `open`: asks what is not given, shows the plan, has it confirmed, and hands the secret out.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::mem::discriminant;

use super::Outcome;
use super::approval;
use super::args::Open;
use super::desk::{Desk, date, days, hour, now};
use super::hint::{Keys, Trouble};
use super::terminal::{Shown, Signals, descriptor};
use super::why::{Told, Why};
use crate::kit::approval::Approval;
use crate::kit::debts::{self, Debt, What, quoted};
use crate::kit::name::CredentialName;
use crate::kit::policy::Role;
use crate::kit::{Draft, Kit};
use crate::signing::Caution;
use crate::unlock::{self, Opened, Plan, Wish};

/// Two machines' clocks may differ by so many seconds before anything is said of it.
const CLOCKS_DIFFER: i64 = 300;

/// Where the secret goes.
enum Output {
    Screen,
    Descriptor(File),
    Stdout,
}

impl Output {
    fn name(&self) -> &'static str {
        match self {
            Output::Screen => "terminal",
            Output::Descriptor(_) => "fd",
            Output::Stdout => "stdout",
        }
    }
}

pub(super) fn open(desk: &mut Desk, options: Open) -> Result<Outcome, Trouble> {
    let (mut kit, _lock) = desk.work()?;
    kit.founded()?;
    let output = output(desk, &options)?;
    desk.terminal.say(&format!(
        "kit  {}     words  {}     (compare with the bag)",
        kit.policy.name,
        kit.words().unwrap_or_default()
    ));
    if let Some(sentence) = super::admit::draft_sentence(&kit) {
        desk.terminal.say(&format!("note: {sentence}."));
    }
    let approvals = approval::take_in(desk, &mut kit, &options.approval)?;
    let wish = wish(desk, &kit, options, &approvals, &output)?;
    let plan = unlock::plan(&kit, wish).map_err(|error| Trouble::Unlock { error, keys: Box::default() })?;
    let text = describe(&kit, &plan, &approvals);
    desk.confirm(&text, &plan.word())?;
    let mut readers = desk.readers(kit.kind());
    let opened = desk.at_station(readers.as_mut(), |station| unlock::carry_out(&mut kit, &plan, station));
    match opened {
        Ok(opened) => {
            let handed = hand_out(desk, &plan, &opened, output);
            say_debts(desk, &kit, &plan, &opened)?;
            handed?;
            Ok(Outcome::Done)
        }
        Err(stopped) => {
            let all = plan.keys.into_iter().chain(plan.spare).collect();
            let keys = Box::new(Keys { all, tried: stopped.tried, signed: !stopped.intents.is_empty() });
            Err(Trouble::Unlock { error: *stopped.cause, keys })
        }
    }
}

/// Decided and tried before any PIN: a secret is not opened into the void.
fn output(desk: &Desk, options: &Open) -> Result<Output, Trouble> {
    if let Some(number) = options.fd {
        let file = descriptor(number, true)
            .map_err(|cause| Trouble::File { path: format!("descriptor {number}").into(), cause })?;
        return Ok(Output::Descriptor(file));
    }
    if !std::io::stdout().is_terminal() {
        return match desk.json {
            true => Err(Trouble::Usage("with --json the secret goes to a descriptor: --fd N".into())),
            false => Ok(Output::Stdout),
        };
    }
    match desk.terminal.tty {
        Some(_) => Ok(Output::Screen),
        None => Err(Trouble::Usage("there is no terminal to show the secret on; use --fd N".into())),
    }
}

/// What is wanted. What an approval says needs no typing again; who says otherwise is told that it does not count.
fn wish(
    desk: &mut Desk,
    kit: &Kit,
    options: Open,
    approvals: &[Approval],
    output: &Output,
) -> Result<Wish, Trouble> {
    let asked = approvals.first().map(|approval| &approval.request.asked);
    let credential = match options.credential.or(approvals.first().map(|one| one.request.credential())) {
        Some(credential) => credential,
        None => choose(desk, kit)?,
    };
    // Only what justifies opening this credential.
    let emergencies = kit.policy.terms(&credential).emergencies;
    let emergencies: Vec<&str> = emergencies.iter().map(|e| e.as_str()).collect();
    let operators = kit.policy.with_role(Role::Operator);
    let why = match asked {
        None => options.why,
        Some(asked) => Why {
            emergency: options.why.emergency.or_else(|| Some(asked.emergency.to_string())),
            incident: options.why.incident.or_else(|| Some(asked.incident.clone())),
            reason: options.why.reason.or_else(|| Some(asked.reason.clone())),
            operator: options.why.operator.or_else(|| Some(asked.operator.to_string())),
        },
    };
    let Told { emergency, incident, reason, operator } = why.asked(desk, &emergencies, &operators)?;
    Ok(Wish {
        emergency,
        incident,
        reason,
        operator,
        credential,
        generation: options.generation.or(asked.map(|asked| asked.generation)),
        approvals: approvals.iter().map(|approval| approval.record().clone()).collect(),
        now: now(),
        only: options.keys,
        output: output.name().into(),
        accept_damage: options.accept_damage,
        accept_unreviewed: options.accept_unreviewed,
        caution: Caution { spend_last_try: options.spend_last_try, accept_gap: options.accept_gap },
    })
}

/// What can be opened here, to choose from.
fn choose(desk: &mut Desk, kit: &Kit) -> Result<CredentialName, Trouble> {
    let names: Vec<CredentialName> = kit.credentials.keys().cloned().collect();
    if names.is_empty() {
        return Err(Trouble::refused("nothing is sealed in this kit", "breakglass seal PLATFORM/ACCOUNT"));
    }
    if !desk.terminal.has_person() {
        return Err(Trouble::Usage("say which credential to open".into()));
    }
    desk.terminal.say("what can be opened here");
    for (index, name) in names.iter().enumerate() {
        let generation = kit.credentials.get(name).and_then(|c| c.current().or(c.pending()));
        let Some(generation) = generation else { continue };
        let facts = &generation.facts;
        let drilled =
            kit.credentials.get(name).and_then(|credential| credential.last_drill(generation.number));
        desk.terminal.say(&format!(
            "  {}  {:<24} {} of {} keys   sealed {}{}",
            index + 1,
            name.to_string(),
            facts.threshold,
            facts.recipients.len(),
            date(generation.sealed_at),
            drilled.map_or(String::new(), |at| format!("   last drill {} ago", days(at)))
        ));
    }
    loop {
        let answer = desk.terminal.ask("which? ")?;
        let by_number = answer.parse::<usize>().ok().and_then(|n| names.get(n.wrapping_sub(1)));
        match by_number.or_else(|| names.iter().find(|name| name.to_string() == answer)) {
            Some(name) => return Ok(name.clone()),
            None => desk.terminal.say(&format!("{answer} is not in the list")),
        }
    }
}

fn describe(kit: &Kit, plan: &Plan, approvals: &[Approval]) -> String {
    let wish = &plan.wish;
    let mut lines = vec![
        "plan".to_owned(),
        format!(
            "  open      {}, generation {}, sealed {}{}",
            wish.credential,
            plan.generation.number,
            date(plan.generation.sealed_at),
            if plan.generation.pending { ", pending" } else { "" }
        ),
        format!(
            "  for       {}, {}, {}, until {}",
            wish.operator,
            wish.emergency,
            wish.incident,
            hour(granted_until(kit, plan))
        ),
        format!("  because   {}", wish.reason),
        format!(
            "  keys      any {} of  {}",
            plan.threshold,
            plan.keys.iter().map(|key| key.label()).collect::<Vec<_>>().join("   ·   ")
        ),
        format!(
            "  you do    {}, {} to {} touches",
            count(plan.pins(), "PIN"),
            plan.touches().0,
            plan.touches().1
        ),
    ];
    lines.extend(approval::line(&plan.consent, approvals));
    lines.push(format!("  records   written to {} before anything is shown", kit.folder.journal().display()));
    for accepted in &plan.overrides {
        lines.push(format!("  accepted  {}: {}", accepted.rule, accepted.why));
    }
    if let Some(credential) = kit.credentials.get(&wish.credential)
        && let (Some(pending), None) = (credential.pending(), wish.generation)
        && pending.number != plan.generation.number
    {
        lines.push(format!(
            "  note      generation {} is pending: if the platform has it already, open that with --generation {}",
            pending.number, pending.number
        ));
    }
    if plan.about.is_none() && plan.generation.facts.files.contains_key("about.toml") {
        lines.push(
            "  note      about.toml is missing, or not as it was sealed: user name, place and runbook are not shown"
                .into(),
        );
    }
    if let Some(behind) = kit.clock_behind(now()).filter(|behind| *behind > CLOCKS_DIFFER) {
        lines.push(format!(
            "  note      the clock of this machine says {}, and the kit has a record of {}: one of them is wrong, and the auditor will see it",
            date(now()),
            date(now().saturating_add(behind))
        ));
    }
    if matches!(kit.draft, Draft::Broken(_)) {
        lines.push("  note      kit.toml is broken; the adopted policy is in force".into());
    }
    lines.join("\n")
}

/// When an opening by this plan, begun now, is granted to.
fn granted_until(kit: &Kit, plan: &Plan) -> i64 {
    now().saturating_add(kit.policy.terms(&plan.wish.credential).grant.seconds())
}

pub(super) fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn hand_out(desk: &mut Desk, plan: &Plan, opened: &Opened, output: Output) -> Result<(), Trouble> {
    let failed = |path: &str, cause| Trouble::File { path: path.into(), cause };
    match output {
        Output::Stdout => desk.terminal.result(opened.secret.expose_bytes()).map_err(Trouble::Output),
        Output::Descriptor(mut file) => file
            .write_all(opened.secret.expose_bytes())
            .and_then(|()| file.flush())
            .map_err(|cause| failed("the descriptor", cause)),
        Output::Screen => show(desk, plan, opened),
    }
}

/// Shown again without a touch until dismissed.
fn show(desk: &mut Desk, plan: &Plan, opened: &Opened) -> Result<(), Trouble> {
    let signals =
        Signals::note().map_err(|cause| Trouble::File { path: "the signal handler".into(), cause })?;
    let title = plan.wish.credential.to_string();
    desk.terminal.say("recorded. it hides itself after 60 seconds.");
    let mut question = "press Enter to show it: ";
    loop {
        match desk.terminal.tty.as_mut().map(|tty| tty.line(question)) {
            Some(Ok(answer)) if answer.trim() != "q" => {}
            _ => return Ok(()),
        }
        // A signal that came while nobody pressed Enter: what was to end does not show it first.
        if signals.came() {
            desk.terminal.to_end = true;
            return Ok(());
        }
        let Some(tty) = desk.terminal.tty.as_mut() else { return Ok(()) };
        if tty.show_secret(&title, &opened.secret, opened.about.as_ref(), signals.flag()) == Shown::Ended {
            desk.terminal.to_end = true;
            return Ok(());
        }
        question = "hidden. Enter shows it again, q ends: ";
    }
}

fn say_debts(desk: &mut Desk, kit: &Kit, plan: &Plan, opened: &Opened) -> Result<(), Trouble> {
    let (name, incident) = (&plan.wish.credential, quoted(&plan.wish.incident));
    let owed: Vec<Debt> = debts::debts(kit).remove(&plan.wish.incident).unwrap_or_default();
    let owed: Vec<Debt> = owed.into_iter().filter(|debt| debt.done.is_none()).collect();
    let until = granted_until(kit, plan);
    let mut due = Vec::new();
    for key in plan.keys.iter().filter(|key| opened.keys.contains(&key.serial) && key.fido2.is_some()) {
        if !kit.fido2_pin_shared(&key.id) {
            let serial = key.serial;
            due.push(format!("change the FIDO2 PIN of {serial}:  breakglass key pin {serial} --what fido2"));
        }
    }
    if let Err(cause) = &opened.outcome {
        due.push(format!("tell the auditor that the outcome could not be signed: {cause}"));
    }
    for (serial, cause) in &opened.unrecorded {
        due.push(format!("tell the auditor that the assertion of key {serial} is not on record: {cause}"));
    }
    for (serial, cause) in &opened.heads {
        due.push(format!("key {serial} does not carry its last record: {cause}. the journal has it"));
    }
    if desk.json {
        let command = |debt: &Debt| format!("{}:  {}", debt.what, debt.what.next(&plan.wish.incident));
        let close = format!("close {0}:  breakglass close {incident}", plan.wish.incident);
        let due: Vec<String> = owed.iter().map(command).chain([close]).chain(due).collect();
        return desk.json_result(&serde_json::json!({
            "credential": name.to_string(), "generation": plan.generation.number,
            "incident": plan.wish.incident, "intents": opened.intents,
            "released": opened.outcome.as_ref().ok(), "keys": opened.keys, "opened_at": now(),
            "granted_until": until, "due": due,
        }));
    }
    let mut lines = vec![
        format!("opened {name} at {}, incident {}.", date(now()), plan.wish.incident),
        format!("it is granted until {}; status tells if it is not closed by then.", date(until)),
        format!("when you are done:  breakglass close {incident}"),
        format!("then due: {}", in_words(&owed, &places(kit, &owed))),
        format!("the command for each:  breakglass incident show {incident}"),
    ];
    if owed.iter().any(|debt| matches!(debt.what, What::Notify(_))) {
        lines.push(format!("the notices, ready to be sent:  breakglass notify {incident} --out DIR"));
    }
    lines.extend(due.iter().map(|debt| format!("due: {debt}")));
    desk.terminal.say(&lines.join("\n"));
    Ok(())
}

/// Debts on one line, those of a kind together.
fn in_words(debts: &[Debt], places: &str) -> String {
    let kinds = debts.chunk_by(|one, next| discriminant(&one.what) == discriminant(&next.what));
    let words = kinds.filter_map(|same| {
        let objects: Vec<String> = same.iter().filter_map(|debt| debt.what.object()).collect();
        let (objects, many) = (objects.join(", "), if same.len() == 1 { "" } else { "s" });
        Some(match &same.first()?.what {
            What::Rotate(..) => format!("rotate {objects}"),
            What::ChangePin(_) => format!("change the PIN{many} of {objects}"),
            What::Return(_) => format!("return {objects} to {places}"),
            What::Account(_) => format!("disable or recreate the account{many} {objects}"),
            What::Sessions(_) => format!("end the sessions of {objects}"),
            What::Trust(_) => format!("end or renew the trust in {objects}"),
            What::Restore(_) => format!("put back {objects}"),
            What::Notify(_) => format!("tell {objects}"),
            What::Upload => "give the records to the auditor".to_owned(),
            What::Review(_) => "review by someone else".to_owned(),
        })
    });
    words.collect::<Vec<_>>().join(" · ")
}

/// Where the keys lie that are to be brought back: by their last check-in, else by the policy.
fn places(kit: &Kit, debts: &[Debt]) -> String {
    let mut places: Vec<String> = Vec::new();
    for debt in debts {
        if let What::Return(serial) = &debt.what
            && let Some(key) = kit.enrolled(*serial)
        {
            let place = kit.whereabouts(&key.id, *serial).place;
            if !place.is_empty() && !places.contains(&place) {
                places.push(place);
            }
        }
    }
    if places.is_empty() { "their places".into() } else { places.join(", ") }
}
