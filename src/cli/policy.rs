//! `policy check` and `policy adopt`.

use super::Outcome;
use super::admit::{Proposal, sign_change};
use super::args::Adopt;
use super::desk::Desk;
use super::hint::Trouble;
use super::terminal::one_line;
use crate::attestation::Serial;
use crate::kit::name::CredentialName;
use crate::kit::policy::{Policy, changes, describe, idle};
use crate::kit::roster::{Change, Roster};
use crate::kit::{Draft, Kit, KitError, policy_path};
use crate::record::event::{Event, PolicyAdopted};
use crate::signing::Caution;

pub(super) fn check(desk: &mut Desk) -> Result<Outcome, Trouble> {
    let kit = desk.look()?;
    let (sentences, outcome) = match &kit.draft {
        Draft::Same if kit.roster.is_some() => {
            let mut sentences = vec!["kit.toml is the policy in force".to_owned()];
            sentences.extend(describe(&kit.policy));
            sentences.extend(without_effect(&kit, &kit.policy));
            (sentences, Outcome::Done)
        }
        Draft::Same => (describe(&kit.policy), Outcome::Done),
        Draft::Differs(draft) => (differences(&kit, draft), Outcome::Due),
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
    let text = differences(&kit, &draft).join("\n");
    let policy = draft.hash;
    let event = |change| Event::PolicyAdopted(PolicyAdopted { change, policy });
    let (change, word) = (Change::Adopt { policy }, "adopt policy");
    let proposal = Proposal { change, text: &text, word, command: "policy adopt" };
    if sign_change(desk, &mut kit, options.with, &caution, proposal, event)? {
        desk.terminal.say("kit.toml is in force now.");
    }
    Ok(Outcome::Done)
}

/// What adopting `draft` would change, sentence by sentence, and what of it would have no effect.
fn differences(kit: &Kit, draft: &Policy) -> Vec<String> {
    let mut told = changes(&kit.policy, draft, &sealed(kit));
    if told.is_empty() {
        told.push("only comments differ".into());
    }
    told.extend(without_effect(kit, draft));
    // Whoever signs reads each as a sentence of ours.
    told.iter().map(|sentence| one_line(sentence)).collect()
}

/// What that policy says of keys and credentials that the kit does not have.
fn without_effect(kit: &Kit, policy: &Policy) -> Vec<String> {
    let admitted = kit.roster.iter().flat_map(Roster::admitted);
    let admitted: Vec<Serial> = admitted.map(|(_, member)| member.enrolled.serial).collect();
    idle(policy, &admitted, &sealed(kit))
}

fn sealed(kit: &Kit) -> Vec<CredentialName> {
    kit.credentials.keys().cloned().collect()
}
