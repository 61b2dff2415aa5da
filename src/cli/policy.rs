//! `policy check` and `policy adopt`.

use super::Outcome;
use super::admit::sign_change;
use super::args::Adopt;
use super::desk::Desk;
use super::hint::Trouble;
use crate::kit::policy::{Factors, Policy, Role};
use crate::kit::roster::Change;
use crate::kit::{Draft, KitError, policy_path};
use crate::record::event::{Event, PolicyAdopted};
use crate::signing::Caution;

pub(super) fn check(desk: &mut Desk) -> Result<Outcome, Trouble> {
    let kit = desk.look()?;
    let (sentences, outcome) = match &kit.draft {
        Draft::Same if kit.roster.is_some() => {
            (vec!["kit.toml is the policy in force".to_owned()], Outcome::Done)
        }
        Draft::Same => (describe(&kit.policy), Outcome::Done),
        Draft::Differs(draft) => (differences(&kit.policy, draft), Outcome::Due),
        Draft::Broken(error) => return Err(Trouble::Usage(format!("kit.toml: {error}"))),
        Draft::Missing => return Err(Trouble::Usage("there is no kit.toml".into())),
    };
    if desk.json {
        desk.json_result(&serde_json::json!({
            "in_force": outcome == Outcome::Done && kit.roster.is_some(), "sentences": sentences,
        }))?;
        return Ok(outcome);
    }
    for sentence in sentences {
        desk.line(&sentence)?;
    }
    if outcome == Outcome::Due {
        desk.terminal.say("it has no effect until it is adopted:  breakglass policy adopt");
    }
    Ok(outcome)
}

pub(super) fn adopt(desk: &mut Desk, options: &Adopt) -> Result<Outcome, Trouble> {
    let (mut kit, _lock) = desk.work()?;
    kit.founded()?;
    let draft = match &kit.draft {
        Draft::Differs(draft) => draft.as_ref().clone(),
        Draft::Same => {
            return Err(Trouble::Refused {
                what: "kit.toml is the policy in force already".into(),
                next: None,
            });
        }
        Draft::Broken(error) => return Err(Trouble::Usage(format!("kit.toml: {error}"))),
        Draft::Missing => return Err(Trouble::Usage("there is no kit.toml to adopt".into())),
    };
    if draft.kind != kit.kind() {
        return Err(Trouble::Refused {
            what: "a kit is founded as real or as practice once; kind cannot be changed".into(),
            next: None,
        });
    }
    if draft.attestation_root != kit.policy.attestation_root {
        return Err(Trouble::Refused {
            what: "the attestation root is named at founding and cannot be changed".into(),
            next: None,
        });
    }
    let bytes = kit.folder.read("kit.toml").map_err(KitError::from)?.unwrap_or_default();
    kit.folder.reserve_in_kit().map_err(KitError::from)?;
    kit.folder.write_new(&policy_path(&draft.hash), &bytes).map_err(KitError::from)?;
    let caution = Caution { spend_last_try: options.caution.spend_last_try, accept_gap: None };
    let text = differences(&kit.policy, &draft).join("\n");
    let policy = draft.hash;
    let event = |change| Event::PolicyAdopted(PolicyAdopted { change, policy });
    let change = Change::Adopt { policy };
    if sign_change(desk, &mut kit, options.with, &caution, change, &text, "adopt policy", event)? {
        desk.terminal.say("kit.toml is in force now.");
    }
    Ok(Outcome::Done)
}

fn describe(policy: &Policy) -> Vec<String> {
    let names = |role| policy.with_role(role).join(", ");
    let emergencies: Vec<&str> = policy.emergencies.iter().map(|e| e.as_str()).collect();
    let mut sentences = vec![
        format!("the kit is called {:?}; its records are issued by {}", policy.name, policy.issuer),
        format!("{} admitted keys must sign a change of keys or policy", policy.quorum),
        format!("these justify an opening: {}", emergencies.join(", ")),
    ];
    sentences.extend(policy.factors.map(|factors| match factors {
        Factors::Held => "opening asks of each key what it has".to_owned(),
        Factors::Piv => "opening asks every key for PIV alone".to_owned(),
        Factors::Both => "opening asks every key for PIV and FIDO2".to_owned(),
    }));
    if policy.review_before_reopen {
        let text = "what was opened for an incident without a review opens again only with a word on record";
        sentences.push(text.to_owned());
    }
    for (role, verb) in [
        (Role::Operator, "open"),
        (Role::Custodian, "keep keys"),
        (Role::Approver, "approve"),
        (Role::Auditor, "audit"),
    ] {
        let who = names(role);
        sentences.push(match who.is_empty() {
            true => format!("nobody may {verb}"),
            false => format!("may {verb}: {who}"),
        });
    }
    for key in &policy.keys {
        let bag = if key.bag.is_empty() { String::new() } else { format!(", bag {}", key.bag) };
        let puk = key.puk.as_ref().map_or(String::new(), |name| format!("; {name} holds its PUK"));
        sentences.push(format!("key {} lies in {}{bag}{puk}", key.serial, key.place));
    }
    sentences
}

/// What adopting `new` would change, sentence by sentence.
fn differences(old: &Policy, new: &Policy) -> Vec<String> {
    let (before, after) = (describe(old), describe(new));
    let gone = before.iter().filter(|s| !after.contains(s)).map(|s| format!("no more: {s}"));
    let come = after.iter().filter(|s| !before.contains(s)).map(|s| format!("from then on: {s}"));
    let all: Vec<String> = gone.chain(come).collect();
    match all.is_empty() {
        true => vec!["only comments or contacts differ".into()],
        false => all,
    }
}
