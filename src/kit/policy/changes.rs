//! What adopting another policy would change, and for whom: a sentence for each person, credential, key and platform.

use std::collections::BTreeSet;

use super::describe::{DUTIES, REVIEW_FIRST, checklist, factors, list, members, place, rotation, unapproved};
use super::mints::sentence;
use super::{Factors, Person, Policy};
use crate::attestation::Serial;
use crate::kit::name::{CredentialName, Name};

/// What adopting `new` in place of `old` would change. `sealed` are the credentials of the kit: what differs for them is told
/// by name, and once more for any other. Empty if nothing but comments differs.
pub fn changes(old: &Policy, new: &Policy, sealed: &[CredentialName]) -> Vec<String> {
    let mut sentences = Vec::new();
    kit(old, new, &mut sentences);
    quorum(old, new, &mut sentences);
    people(old, new, &mut sentences);
    credentials(old, new, sealed, &mut sentences);
    platforms(old, new, &mut sentences);
    keys(old, new, &mut sentences);
    sentences
}

fn kit(old: &Policy, new: &Policy, say: &mut Vec<String>) {
    if old.name != new.name {
        say.push(format!("the kit is called {:?}, no longer {:?}", new.name, old.name));
    }
    if old.kind != new.kind {
        say.push("the kit would be of another kind, which cannot be changed".into());
    }
    if old.attestation_root != new.attestation_root {
        say.push("the private attestation root would be another, which cannot be changed".into());
    }
    if old.issuer != new.issuer {
        say.push(format!("records are issued by {}, no longer by {}", new.issuer, old.issuer));
    }
    if old.factors != new.factors {
        say.push(factors(new.factors.unwrap_or(Factors::Held)));
    }
    if old.mints != new.mints {
        say.push(sentence(&new.mints).unwrap_or_else(|| "keys are no longer made to mint anything".into()));
    }
    for rule in &new.mint_rules {
        match old.mint_rule(rule.name.as_str()) {
            Some(same) if same == rule => {}
            Some(_) => say.push(format!("changed: {rule}")),
            None => say.push(rule.to_string()),
        }
    }
    for rule in &old.mint_rules {
        if new.mint_rule(rule.name.as_str()).is_none() {
            say.push(format!("{} is no longer minted", rule.name));
        }
    }
    match (old.review_before_reopen, new.review_before_reopen) {
        (false, true) => say.push(REVIEW_FIRST.into()),
        (true, false) => say.push(format!("no longer so: {REVIEW_FIRST}")),
        _ => {}
    }
    if old.drill_days != new.drill_days {
        say.push(format!(
            "keys are drilled every {} days, no longer every {}",
            new.drill_days, old.drill_days
        ));
    }
}

fn quorum(old: &Policy, new: &Policy, say: &mut Vec<String>) {
    let (before, after) = (&old.quorum, &new.quorum);
    if before.number != after.number {
        let keys = if after.number == 1 { "1 key".to_owned() } else { format!("{} keys", after.number) };
        say.push(format!("a change of keys or policy needs {keys}, no longer {}", before.number));
    }
    for group in &after.groups {
        match before.groups.iter().find(|other| other.name == group.name) {
            Some(other) if other == group => {}
            Some(other) => say.push(format!(
                "a change of keys or policy needs {}, no longer {}",
                members(group),
                members(other)
            )),
            None => say.push(format!("a change of keys or policy now also needs {}", members(group))),
        }
        if group.keys.len() == group.needs {
            let group = &group.name;
            say.push(format!("{group} has no key to spare: to retire one of its keys takes one fewer of it"));
        }
    }
    for group in &before.groups {
        if after.groups.iter().all(|other| other.name != group.name) {
            say.push(format!("a change of keys or policy no longer needs {}", members(group)));
        }
    }
}

fn people(old: &Policy, new: &Policy, say: &mut Vec<String>) {
    let nobody = |name: &Name| Person {
        name: name.clone(),
        roles: Vec::new(),
        contact: String::new(),
        keys: Vec::new(),
    };
    let of = |policy: &Policy, name: &Name| policy.people.iter().find(|person| person.name == *name).cloned();
    let names: BTreeSet<&Name> = old.people.iter().chain(&new.people).map(|person| &person.name).collect();
    for name in names {
        let (was, is) = (of(old, name), of(new, name));
        match (&was, &is) {
            (None, Some(_)) => say.push(format!("{name} is new in the policy")),
            (Some(_), None) => say.push(format!("{name} is no longer in the policy")),
            _ => {}
        }
        let (was, is) = (was.unwrap_or_else(|| nobody(name)), is.unwrap_or_else(|| nobody(name)));
        for (role, verb) in DUTIES {
            match (was.roles.contains(&role), is.roles.contains(&role)) {
                (false, true) => say.push(format!("{name} may now {verb}")),
                (true, false) => say.push(format!("{name} may no longer {verb}")),
                _ => {}
            }
        }
        let (come, gone) = (without(&is.keys, &was.keys), without(&was.keys, &is.keys));
        if !come.is_empty() {
            say.push(format!("{name} now keeps {}", list(come)));
        }
        if !gone.is_empty() {
            say.push(format!("{name} no longer keeps {}", list(gone)));
        }
        if was.contact != is.contact && !is.contact.is_empty() {
            say.push(format!("{name} is reached by {:?}", is.contact));
        } else if was.contact != is.contact && new.people.iter().any(|person| person.name == *name) {
            say.push(format!("it is no longer said how {name} is reached"));
        }
    }
}

/// Credentials of which the same is to be told are told of together.
fn credentials(old: &Policy, new: &Policy, sealed: &[CredentialName], say: &mut Vec<String>) {
    let mut told: Vec<(String, Vec<String>)> = Vec::new();
    for (subject, example) in subjects(old, new, sealed) {
        for what in of_one(old, new, &example) {
            match told.iter_mut().find(|(sentence, _)| *sentence == what) {
                Some((_, subjects)) => subjects.push(subject.clone()),
                None => told.push((what, vec![subject.clone()])),
            }
        }
    }
    say.extend(told.into_iter().map(|(what, subjects)| match &subjects[..] {
        [one] => format!("{one} {what}"),
        _ => format!("each of {} {what}", subjects.join(", ")),
    }));
}

/// What is told of, each with a credential that shows it: those that are sealed or have a table, the rest of each platform that
/// has a table, and the rest of all.
fn subjects(old: &Policy, new: &Policy, sealed: &[CredentialName]) -> Vec<(String, CredentialName)> {
    let patterns = || old.credentials.iter().chain(&new.credentials).map(|rule| &rule.name);
    let mut named: BTreeSet<CredentialName> = sealed.iter().cloned().collect();
    named.extend(patterns().filter_map(|pattern| {
        let account = pattern.account.clone()?;
        Some(CredentialName { platform: pattern.platform.clone(), account })
    }));
    let whole: BTreeSet<&Name> =
        patterns().filter(|pattern| pattern.account.is_none()).map(|pattern| &pattern.platform).collect();
    let mut subjects: Vec<(String, CredentialName)> =
        named.iter().map(|name| (name.to_string(), name.clone())).collect();
    // A name that no table has: what holds for it holds for the rest.
    let unnamed = |taken: &dyn Fn(&Name) -> bool| {
        (0..).filter_map(|n: u32| format!("other-{n}").parse::<Name>().ok()).find(|name| !taken(name))
    };
    for platform in whole {
        let taken = |name: &Name| named.iter().any(|one| one.platform == *platform && one.account == *name);
        if let Some(account) = unnamed(&taken) {
            let example = CredentialName { platform: platform.clone(), account };
            subjects.push((format!("any other credential of {platform}"), example));
        }
    }
    let taken = |name: &Name| {
        named.iter().any(|one| one.platform == *name) || patterns().any(|one| one.platform == *name)
    };
    if let Some(platform) = unnamed(&taken) {
        let example = CredentialName { account: platform.clone(), platform };
        subjects.push(("any other credential".to_owned(), example));
    }
    subjects
}

/// What changes for one credential, each without its subject.
fn of_one(old: &Policy, new: &Policy, name: &CredentialName) -> Vec<String> {
    let (was, is) = (old.terms(name), new.terms(name));
    let mut told = Vec::new();
    let (come, gone) = (without(is.emergencies, was.emergencies), without(was.emergencies, is.emergencies));
    if !gone.is_empty() {
        told.push(format!("may no longer be opened for {}", list(gone)));
    }
    if !come.is_empty() {
        told.push(format!("may now also be opened for {}", list(come)));
    }
    if was.grant != is.grant {
        told.push(format!("is granted for {}, no longer for {}", is.grant, was.grant));
    }
    if was.review_every != is.review_every {
        told.push(format!(
            "is reviewed {} after its sealing, no longer {}",
            is.review_every, was.review_every
        ));
    }
    if was.rotation != is.rotation {
        told.push(rotation("", is.rotation).trim_start().to_owned());
    }
    if was.approval != is.approval {
        told.push(is.approval.to_string());
    }
    if was.open_unapproved != is.open_unapproved {
        told.push(unapproved(is.open_unapproved).to_owned());
    }
    told
}

fn platforms(old: &Policy, new: &Policy, say: &mut Vec<String>) {
    let names: BTreeSet<&Name> = old.platforms.iter().chain(&new.platforms).map(|one| &one.name).collect();
    for name in names {
        let waived = |policy: &Policy| policy.platform(name).and_then(|one| one.backup_waived.clone());
        match (waived(old), waived(new)) {
            (was, is) if was == is => {}
            (_, Some(why)) => say.push(format!("{name} needs no backup credential: {why}")),
            (_, None) => say.push(format!("{name} needs a backup credential again")),
        }
        match (old.platform(name), new.platform(name)) {
            (None, Some(one)) if one.backup_waived.is_none() => {
                say.push(format!("{name} needs a primary and a backup credential"));
            }
            (Some(_), None) => say.push(format!("{name} is no longer in the policy")),
            _ => {}
        }
        let (was, is) = (checklist(old, name), checklist(new, name));
        say.extend(without(&is, &was).into_iter().cloned());
        say.extend(without(&was, &is).into_iter().map(|item| format!("no longer {item}")));
    }
}

fn keys(old: &Policy, new: &Policy, say: &mut Vec<String>) {
    let serials: BTreeSet<Serial> = old.keys.iter().chain(&new.keys).map(|key| key.serial).collect();
    for serial in serials {
        match (old.place(serial).map(place), new.place(serial).map(place)) {
            (was, is) if was == is => {}
            (None, Some(is)) => say.push(format!("key {serial} lies in {is}")),
            (Some(was), Some(is)) => say.push(format!("key {serial} now lies in {is} (until then: {was})")),
            (Some(was), None) => say.push(format!("key {serial} no longer has a place; it was {was}")),
            (None, None) => {}
        }
    }
}

/// Those of `all` that are not among `others`.
fn without<'a, T: PartialEq>(all: &'a [T], others: &[T]) -> Vec<&'a T> {
    all.iter().filter(|one| !others.contains(one)).collect()
}

#[cfg(test)]
mod tests;
