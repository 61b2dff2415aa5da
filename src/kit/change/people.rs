//! A person leaves or joins: what they read, what the keys that they kept open, and which PINs they know.

use std::collections::BTreeSet;

use super::history::{History, Known};
use super::keys::{coming, lies, put_away};
use super::policy::list;
use super::reach::{Rotation, is_to, rotation, step};
use super::{ChangeError, Plan, State, Step, What, policy};
use crate::attestation::Serial;
use crate::kit::credentials::{Credential, Generation};
use crate::kit::name::{CredentialName, Name};
use crate::kit::policy::{Policy, Role};
use crate::kit::roster::Standing;
use crate::kit::{Enrolled, Kit};
use crate::record::event::Event;
use crate::record::hash::KeyId;
use crate::record::token::Record;

/// People whom a policy of this kit once named, and the one in force does not.
pub(super) fn gone(kit: &Kit) -> BTreeSet<Name> {
    let history = History::of(kit);
    let ever: BTreeSet<Name> =
        history.policies().flat_map(|policy| policy.people.iter().map(|one| one.name.clone())).collect();
    ever.into_iter().filter(|name| !names(&kit.policy, name)).collect()
}

fn names(policy: &Policy, name: &Name) -> bool {
    policy.people.iter().any(|person| person.name == *name)
}

fn keeps(policy: &Policy, name: &Name, serial: Serial) -> bool {
    policy.people.iter().any(|person| person.name == *name && person.keys.contains(&serial))
}

/// The steps after which somebody who leaves opens nothing any more, by this kit's records.
pub(super) fn leaves(kit: &Kit, name: &Name) -> Result<Plan, ChangeError> {
    let history = History::of(kit);
    if history.policies().all(|policy| !names(policy, name)) {
        let people = kit.policy.people.iter().map(|person| person.name.to_string()).collect();
        return Err(ChangeError::Nobody { name: name.clone(), people });
    }
    let case = Leaver::of(kit, &history, name);
    let steps = policy::steps(kit, &history, &[], |policy| case.lines(policy));
    let mut plan = Plan { steps, ..Plan::default() };
    let (mut read, mut reached) = (Vec::new(), Vec::new());
    for (credential, of_it) in &kit.credentials {
        match case.credential(credential, of_it) {
            Told::Untouched(why) => plan.untouched.push((credential.clone(), why)),
            Told::Read(step) => read.push(step),
            Told::Reached(step) => reached.push(step),
        }
    }
    plan.steps.append(&mut read);
    plan.steps.extend(case.pins());
    plan.steps.append(&mut reached);
    plan.notes = case.notes();
    Ok(plan)
}

/// What a person had, key by key.
struct Leaver<'k> {
    kit: &'k Kit,
    history: &'k History<'k>,
    name: &'k Name,
    keys: Vec<Had>,
}

/// A key that the person kept, or whose PIN or PUK they know.
struct Had {
    key: Enrolled,
    /// They kept it: until the policy at that place; `None` inside, as long as the one in force says so.
    kept: Option<Option<usize>>,
    /// They held its PUK, in the same way.
    puk: Option<Option<usize>>,
    /// They typed its PIN, last at that place.
    typed: Option<usize>,
    /// Since that place its PIN is another one than they know.
    safe: Option<usize>,
    /// The same of its FIDO2 PIN; `None` outside where it has none of its own.
    fido2_safe: Option<Option<usize>>,
}

/// What a credential asks.
enum Told {
    Untouched(String),
    /// They have read it.
    Read(Step),
    /// They could have opened it with what they kept.
    Reached(Step),
}

impl<'k> Leaver<'k> {
    fn of(kit: &'k Kit, history: &'k History<'k>, name: &'k Name) -> Self {
        let had = |key: Enrolled| {
            let serial = key.facts.serial;
            let kept = history.ended(|policy| keeps(policy, name, serial)).ok();
            let holds =
                |policy: &Policy| policy.place(serial).is_some_and(|place| place.puk.as_ref() == Some(name));
            let puk = history.ended(holds).ok();
            let typed = history.all().filter(|(_, record)| typed(record, &key.id, name)).last();
            let typed = typed.map(|(at, _)| at);
            let from = match (kept, typed) {
                (Some(None), _) | (None, None) => None,
                (Some(Some(until)), typed) => Some(until.max(typed.unwrap_or_default())),
                (None, Some(typed)) => Some(typed),
            };
            let safe = from.and_then(|from| history.changed(&key.id, Known::Pin, from));
            let own = key.facts.fido2.is_some() && !kit.fido2_pin_shared(&key.id);
            let fido2_safe =
                own.then(|| from.and_then(|from| history.changed(&key.id, Known::Fido2Pin, from)));
            Had { key, kept, puk, typed, safe, fido2_safe }
        };
        let keys = kit.enrolled_keys().into_iter().map(had);
        let keys = keys.filter(|had| had.kept.is_some() || had.puk.is_some() || had.typed.is_some());
        Leaver { kit, history, name, keys: keys.collect() }
    }

    /// Keys that they kept, and that were still theirs when that generation was sealed.
    fn held(&self, generation: &Generation) -> Vec<Serial> {
        let sealed = self.history.sealed(generation).map_or(0, |(at, _)| at);
        let theirs = |had: &&Had| {
            had.kept.is_some() && is_to(generation, &had.key.id) && had.safe.is_none_or(|safe| safe >= sealed)
        };
        self.keys.iter().filter(theirs).map(|had| had.key.facts.serial).collect()
    }

    fn credential(&self, name: &CredentialName, credential: &Credential) -> Told {
        let who = self.name;
        let openings = credential.openings.iter().filter(|one| one.intent.operator == who.as_str());
        let read = openings.max_by_key(|one| one.generation);
        let enough = |one: &&Generation| self.held(one).len() >= usize::from(one.facts.threshold);
        let reached = credential.generations.iter().filter(enough).max_by_key(|one| one.number);
        let newest = read.map(|one| one.generation).max(reached.map(|one| one.number));
        let Some(newest) = newest else {
            let most = credential.generations.iter().map(|one| (self.held(one).len(), one.facts.threshold));
            return Told::Untouched(match most.max_by_key(|(held, _)| *held) {
                Some((held @ 1.., threshold)) => {
                    format!("{who} opened none of it, and kept {held} of the {threshold} keys that it takes")
                }
                _ => format!("{who} opened none of it, and kept no key of it"),
            });
        };
        let mut why = match read {
            Some(one) => format!("{who} opened generation {} of it for {}", one.generation, one.incident),
            None => String::new(),
        };
        if let Some(one) = reached {
            let could = format!("could have opened generation {} with {}", one.number, list(&self.held(one)));
            why = if why.is_empty() { format!("{who} {could}") } else { format!("{why}, and {could}") };
        }
        // What is sealed now would be sealed to these again, and they are still theirs.
        let again: Vec<Serial> = self
            .keys
            .iter()
            .filter(|had| had.kept.is_some() && had.safe.is_none() && had.key.standing == Standing::Admitted)
            .filter(|had| credential.generations.last().is_some_and(|last| is_to(last, &had.key.id)))
            .map(|had| had.key.facts.serial)
            .collect();
        let threshold = credential.generations.last().map_or(1, |last| usize::from(last.facts.threshold));
        let waits = (again.len() >= threshold)
            .then(|| format!("until the PIN of {} is one that {who} does not know", list(&again)));
        let rotation = rotation(self.history, credential, newest);
        if matches!(rotation, Rotation::Done(_)) {
            why += "; it has another secret since";
        }
        let any = self.kit.enrolled_keys().into_iter().find(|key| {
            key.standing == Standing::Admitted
                && credential.generations.last().is_some_and(|last| is_to(last, &key.id))
        });
        let with = any.map(|key| key.facts.serial);
        let step = step(name, rotation, why, Vec::new(), with, waits);
        if reached.is_some() { Told::Reached(step) } else { Told::Read(step) }
    }

    /// New PINs and PUKs, and new bags for what they kept.
    fn pins(&self) -> Vec<Step> {
        let who = self.name;
        let until = || State::Waits(format!("until the policy without {who} is in force"));
        let mut steps = Vec::new();
        for had in self.keys.iter().filter(|had| had.key.standing == Standing::Admitted) {
            let serial = had.key.facts.serial;
            let add =
                |steps: &mut Vec<Step>, what, why, state| steps.push(Step { what, why, state, with: None });
            if had.kept.is_some() || had.typed.is_some() {
                let why = match had.kept {
                    Some(_) => format!("{who} kept it"),
                    None => format!("{who} typed it"),
                };
                let state = |safe: Option<usize>| match (safe, had.kept) {
                    (Some(at), _) => State::Done(self.history.done(at)),
                    (None, Some(None)) => until(),
                    (None, _) => State::Then,
                };
                add(&mut steps, What::Pin(serial), why.clone(), state(had.safe));
                if let Some(safe) = had.fido2_safe {
                    let why = format!("{why}, and its FIDO2 PIN is one of its own");
                    add(&mut steps, What::Fido2Pin(serial), why, state(safe));
                }
            }
            if let Some(ended) = had.puk {
                let changed = ended.and_then(|at| self.history.changed(&had.key.id, Known::Puk, at));
                let state = match (changed, ended) {
                    (Some(at), _) => State::Done(self.history.done(at)),
                    (None, Some(_)) => State::Then,
                    (None, None) => until(),
                };
                add(&mut steps, What::Puk(serial), format!("{who} held it"), state);
            }
            if let Some(ended) = had.kept {
                let back = ended.and_then(|since| self.put_away(&had.key.id, since));
                let state = match (back, ended) {
                    (Some(at), _) => State::Done(self.history.done(at)),
                    (None, Some(_)) => State::Then,
                    (None, None) => until(),
                };
                let out = lies(&self.kit.whereabouts(&had.key.id, serial));
                let why =
                    format!("{who} kept it; if it does not come back:  breakglass change --lost {serial}");
                add(&mut steps, What::PutAway(serial, out), why, state);
            }
        }
        steps
    }

    /// The first time after that place that two others put the key away.
    fn put_away(&self, key: &KeyId, since: usize) -> Option<usize> {
        let others = |record: &Record| match &record.event {
            Event::KeyCheckedIn(facts) => {
                facts.key == *key && ![&facts.person, &facts.witness].contains(&&self.name.to_string())
            }
            _ => false,
        };
        self.history.all().find(|(at, record)| *at > since && others(record)).map(|(at, _)| at)
    }

    /// What a policy still says of them.
    fn lines(&self, policy: &Policy) -> Vec<String> {
        let who = self.name;
        let mut lines = Vec::new();
        if let Some(person) = policy.people.iter().find(|person| person.name == *who) {
            let keys = match &person.keys[..] {
                [] => String::new(),
                keys => format!(", and say who keeps {} now", list(keys)),
            };
            lines.push(format!("remove [[person]] name = \"{who}\"{keys}"));
            let theirs = |serial: &Serial| person.keys.contains(serial);
            let groups = policy.quorum.groups.iter().filter(|group| group.keys.iter().any(theirs));
            lines.extend(groups.map(|group| format!("look at quorum-group {}", group.name)));
        }
        let held = policy.keys.iter().filter(|key| key.puk.as_ref() == Some(who));
        lines.extend(held.map(|key| format!("another puk than \"{who}\" for key {}", key.serial)));
        lines
    }

    fn notes(&self) -> Vec<String> {
        let who = self.name;
        let mut notes = Vec::new();
        for (role, word) in [(Role::Operator, "operator"), (Role::Custodian, "custodian")] {
            if self.kit.policy.with_role(role) == [who.as_str()] {
                notes.push(format!("{who} is the only {word} of the policy in force: name another one"));
            }
        }
        let kept: Vec<&Had> = self.keys.iter().filter(|had| had.kept.is_some()).collect();
        let of = |counts: bool| -> Vec<Serial> {
            let those = kept.iter().filter(|had| had.key.facts.fido2.is_some() == counts);
            those.map(|had| had.key.facts.serial).collect()
        };
        if !of(true).is_empty() {
            notes.push(format!(
                "whether {} was used beside the records its counter tells:  breakglass inventory --witness",
                list(&of(true))
            ));
        }
        if !of(false).is_empty() {
            notes.push(format!(
                "whether {} was used beside the records nothing can tell: it has no counter",
                list(&of(false))
            ));
        }
        notes
    }
}

/// Whether that person typed the key's PIN for this record.
fn typed(record: &Record, key: &KeyId, name: &Name) -> bool {
    let operator = match &record.event {
        Event::OpenIntent(facts) => &facts.operator,
        Event::DrillBegun(facts) => &facts.operator,
        Event::MintIntent(facts) => &facts.operator,
        _ => return false,
    };
    record.kid == *key && operator == name.as_str()
}

/// The steps by which somebody who joins is named, and has a key if they are to keep one.
pub(super) fn joins(kit: &Kit, name: &Name, comes: Option<Serial>) -> Plan {
    let history = History::of(kit);
    let steps = comes.iter().flat_map(|comes| coming(kit, &history, *comes, &[])).collect();
    let mut plan = Plan { steps, ..Plan::default() };
    let lines = |policy: &Policy| -> Vec<String> {
        let mut lines = Vec::new();
        match policy.people.iter().find(|person| person.name == *name) {
            None => {
                let keys = comes.map_or(String::new(), |serial| format!(", keys = [{serial}]"));
                lines.push(format!("add [[person]] name = \"{name}\", roles = […]{keys}"));
            }
            Some(person) => lines.extend(
                comes
                    .filter(|serial| !person.keys.contains(serial))
                    .map(|serial| format!("add {serial} to the keys of {name}")),
            ),
        }
        lines.extend(
            comes
                .filter(|serial| policy.place(*serial).is_none())
                .map(|serial| format!("add [[key]] serial = {serial}, with its place, bag and puk")),
        );
        lines
    };
    plan.steps.extend(policy::steps(kit, &history, &[], lines));
    plan.steps.extend(comes.iter().filter_map(|comes| put_away(kit, &history, *comes)));
    for (credential, of_it) in &kit.credentials {
        plan.untouched.push((credential.clone(), newcomer(kit, credential, of_it, comes)));
    }
    plan
}

/// What a credential is to somebody who joins.
fn newcomer(kit: &Kit, name: &CredentialName, credential: &Credential, comes: Option<Serial>) -> String {
    let key = comes.and_then(|serial| kit.enrolled(serial));
    match (comes, credential.current()) {
        (Some(serial), Some(current)) => {
            if key.is_some_and(|key| is_to(current, &key.id)) {
                return format!("it is sealed to {serial}");
            }
            let others = kit.enrolled_keys().into_iter();
            let mut to: BTreeSet<Serial> = others
                .filter(|other| other.standing == Standing::Admitted && is_to(current, &other.id))
                .map(|other| other.facts.serial)
                .collect();
            to.insert(serial);
            let to: Vec<String> = to.iter().map(ToString::to_string).collect();
            format!(
                "it opens as before; to be opened with {serial} too it is rotated:  breakglass rotate {name} --to {}",
                to.join(",")
            )
        }
        _ => "it opens as before".to_owned(),
    }
}
