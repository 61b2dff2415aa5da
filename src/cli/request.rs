//! `request`: what somebody asks to open, why, and how they were known, as a small file for an approver. No key is
//! asked, nothing is recorded, and it has no effect by itself.

use std::path::{Path, PathBuf};

use super::Outcome;
use super::args;
use super::desk::{Desk, date, hour, now};
use super::hint::Trouble;
use super::records::codes;
use super::why::Told;
use crate::kit::debts::quoted;
use crate::kit::folder::{make_folder, write_whole};
use crate::kit::name::{CredentialName, Name};
use crate::kit::policy::Role;
use crate::kit::request::{Asked, KIND, Request};
use crate::kit::{Kit, KitError};
use crate::record::event::Random;

pub(super) fn request(desk: &mut Desk, options: args::Request) -> Result<Outcome, Trouble> {
    let kit = desk.look()?;
    kit.founded()?;
    desk.practice_banner(&kit);
    let (out, qr) = (options.out.clone(), options.qr);
    let asked = asked(desk, &kit, options)?;
    let request = Request::of(asked).map_err(|error| Trouble::Usage(error.to_string()))?;
    let path = put(&out, &request.file_name(), request.bytes())?;
    let approvers = approvers(&kit, request.asked.operator.as_str());
    if desk.json {
        desk.json_result(&serde_json::json!({
            "file": path, "request": request.hash(), "words": request.words(), "until": request.asked.until,
            "approvers": approvers,
        }))?;
    } else {
        desk.line(&format!("wrote {}", path.display()))?;
    }
    desk.terminal.say(&told(&request));
    desk.terminal.say(&format!("words     {}     (say them to the approver)", request.words()));
    if qr {
        codes::show_plain(desk, request.bytes(), &request.words());
    }
    desk.terminal.say(&match approvers.is_empty() {
        true => "nobody but you approves by the policy".to_owned(),
        false => format!(
            "give it to {}:  breakglass approve {}",
            approvers.join(" or "),
            quoted(&path.display().to_string())
        ),
    });
    if qr {
        desk.terminal.say("where no file crosses, the code does, by a scanner:  breakglass approve -");
    }
    Ok(Outcome::Done)
}

/// What is asked for; what was not given is asked of the person.
fn asked(desk: &mut Desk, kit: &Kit, options: args::Request) -> Result<Asked, Trouble> {
    let name = options.credential;
    let generation = generation(kit, &name, options.generation)?;
    let terms = kit.policy.terms(&name);
    let emergencies: Vec<&str> = terms.emergencies.iter().map(Name::as_str).collect();
    let operators = kit.policy.with_role(Role::Operator);
    let Told { emergency, incident, reason, operator } = options.why.asked(desk, &emergencies, &operators)?;
    kit.policy
        .may_open(&operator, &emergency, &name)
        .map_err(|refusal| Trouble::refused(refusal.to_string(), "breakglass policy check"))?;
    let mut ask = |given: Option<String>, question: &str| match given {
        Some(given) => Ok(given),
        None => desk.terminal.ask(question),
    };
    let by_hand = options.document.is_none();
    let document = ask(options.document, "how are you known (kind of document, or: known in person)? ")?;
    let number = match options.number {
        Some(number) => number,
        None if by_hand => Some(ask(None, "its number (none, if it has none)? ")?)
            .filter(|number| number != "none")
            .unwrap_or_default(),
        None => String::new(),
    };
    let seen_by = match options.seen_by {
        Some(seen_by) => seen_by,
        None => named(&ask(None, "who has seen you, by the name in the policy: ")?)?,
    };
    super::discharge::of_the_policy(kit, seen_by.as_str())?;
    if seen_by.as_str() == operator {
        return Err(Trouble::refused(
            "nobody vouches for themselves",
            "have somebody else see you and name them",
        ));
    }
    if let Some(lasts) = options.lasts.filter(|lasts| *lasts > terms.grant) {
        return Err(Trouble::refused(
            format!("{lasts} is longer than the policy grants an opening of {name}: {}", terms.grant),
            "ask for less, or leave --for away",
        ));
    }
    let at = now();
    Ok(Asked {
        breakglass: KIND.into(),
        kit: kit.founded()?.kit,
        policy: kit.policy.hash,
        credential: name.to_string(),
        generation,
        emergency: named(&emergency)?,
        incident,
        reason,
        operator: named(&operator)?,
        document,
        number,
        seen_by,
        at,
        until: at.saturating_add(options.lasts.unwrap_or(terms.grant).seconds()),
        nonce: Random(desk.nonce()),
    })
}

fn named(text: &str) -> Result<Name, Trouble> {
    text.parse().map_err(|error: crate::kit::name::NotAName| Trouble::Usage(error.to_string()))
}

/// The number of the generation that is meant, if it is there.
fn generation(kit: &Kit, name: &CredentialName, wanted: Option<u64>) -> Result<u64, Trouble> {
    let known = kit.credentials.get(name);
    let found = known.and_then(|credential| match wanted {
        Some(number) => credential.generations.iter().find(|it| it.number == number),
        None => credential.current().or(credential.pending()),
    });
    found.map(|generation| generation.number).ok_or_else(|| {
        Trouble::refused(
            format!("{name} has no such generation in this kit"),
            "what there is:  breakglass coverage",
        )
    })
}

/// Everybody but the operator who may approve, with how to reach them.
pub(super) fn approvers(kit: &Kit, operator: &str) -> Vec<String> {
    let others = kit.policy.approvers_beside(operator).into_iter();
    others
        .map(|person| match person.contact.is_empty() {
            true => person.name.to_string(),
            false => format!("{} ({})", person.name, person.contact),
        })
        .collect()
}

/// What a request says, as everybody sees it who has to do with it.
pub(super) fn told(request: &Request) -> String {
    let asked = &request.asked;
    let number = if asked.number.is_empty() { String::new() } else { format!(" {}", asked.number) };
    format!(
        "asks      {} asks to open {}, generation {}\nfor       {}, {}\nbecause   {}\nknown by  {}{number}, seen by {}\nasked     {}, to be used until {}",
        asked.operator,
        asked.credential,
        asked.generation,
        asked.emergency,
        asked.incident,
        asked.reason,
        asked.document,
        asked.seen_by,
        date(asked.at),
        hour(asked.until),
    )
}

/// Writes it under that name into a folder, or to the file that is named; never over something else.
pub(super) fn put(out: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, Trouble> {
    let path = if out.is_dir() { out.join(name) } else { out.to_owned() };
    match std::fs::read(&path) {
        Ok(there) if there == bytes => return Ok(path),
        // What an interrupted write left is the beginning of the same.
        Ok(there) if bytes.starts_with(&there) => {}
        Ok(_) => {
            return Err(Trouble::refused(
                format!("{} is there and holds something else", path.display()),
                "name another file",
            ));
        }
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {}
        Err(cause) => return Err(Trouble::Input { path, cause }),
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_folder(parent).map_err(KitError::from)?;
    }
    write_whole(&path, bytes).map_err(KitError::from)?;
    Ok(path)
}
