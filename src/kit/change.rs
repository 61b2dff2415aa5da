//! A change of people or keys: a lost or stolen key, somebody who leaves or joins. Which steps it takes, in which order, and
//! which of them the records show done. No key is asked and nothing is opened: it all follows from the journal, so that the
//! same question gives the next step again and again, until none is left.
//!
//! One vote on the roster is [`crate::kit::roster::Change`]; this is the whole that people have to do.

use std::fmt;

use crate::attestation::Serial;
use crate::kit::Kit;
use crate::kit::debts::Done;
use crate::kit::finding::Finding;
use crate::kit::name::{CredentialName, Name};
use crate::kit::roster::Standing;
use crate::record::event::{Event, KitKind};

mod history;
mod keys;
mod people;
mod policy;
mod reach;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Occasion {
    /// Nobody knows where a key is.
    Lost(Serial),
    /// Somebody took a key.
    Stolen(Serial),
    /// A person leaves.
    Leaves(Name),
    /// A person joins.
    Joins(Name),
}

impl fmt::Display for Occasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Occasion::Lost(serial) => write!(f, "key {serial} was lost"),
            Occasion::Stolen(serial) => write!(f, "key {serial} was stolen"),
            Occasion::Leaves(name) => write!(f, "{name} leaves"),
            Occasion::Joins(name) => write!(f, "{name} joins"),
        }
    }
}

/// What it takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Every step, in order.
    pub steps: Vec<Step>,
    /// Credentials that need not be touched for it, each with the reason.
    pub untouched: Vec<(CredentialName, String)>,
    /// What no record can show, or what to know before the first step.
    pub notes: Vec<String>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is to be done.
    pub what: What,
    /// Why, or what it still wants.
    pub why: String,
    /// How far it is.
    pub state: State,
    /// The key to sign it with, where any of some would do.
    pub with: Option<Serial>,
}

/// How far a step is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Done; with the record that shows it, where a record does.
    Done(Option<Done>),
    /// The one to do now.
    Next,
    /// It could be done, after the next.
    Then,
    /// It cannot be done yet: for what, or for whom, it waits.
    Waits(String),
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Retire a key, for this reason.
    Retire(Serial, &'static str),
    /// Give a credential another secret, sealed to these keys; to those of before, where none are named.
    Rotate(CredentialName, Vec<Serial>),
    /// The platform has the secret of the pending generation: it becomes the current one.
    Confirm(CredentialName),
    /// Change these lines of `kit.toml`.
    Edit(Vec<String>),
    /// Put `kit.toml` in force.
    Adopt,
    /// A new PIN.
    Pin(Serial),
    /// A new FIDO2 PIN, where that is another one than the PIN.
    Fido2Pin(Serial),
    /// A new PUK.
    Puk(Serial),
    /// Two people put a key into a bag; (`true`) after they took it out of that in which it lies.
    PutAway(Serial, bool),
    /// Blank key to enrolled key.
    Provision(Serial),
    /// Let a key belong.
    Admit(Serial),
    /// See whether a key was used or swapped; (`true`) by its counter, else by its bag.
    Look(Serial, bool),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Retire(serial, _) => write!(f, "retire {serial}"),
            What::Rotate(name, _) | What::Confirm(name) => write!(f, "rotate {name}"),
            What::Edit(lines) => write!(f, "edit kit.toml: {}", lines.join("; ")),
            What::Adopt => f.write_str("adopt kit.toml"),
            What::Pin(serial) => write!(f, "change the PIN of {serial}"),
            What::Fido2Pin(serial) => write!(f, "change the FIDO2 PIN of {serial}"),
            What::Puk(serial) => write!(f, "change the PUK of {serial}"),
            What::PutAway(serial, _) => write!(f, "put {serial} into a new bag"),
            What::Provision(serial) => write!(f, "provision {serial}"),
            What::Admit(serial) => write!(f, "admit {serial}"),
            What::Look(serial, _) => write!(f, "look at {serial}"),
        }
    }
}

impl Step {
    /// The command that does it; of a step that a person does with an editor, none.
    pub fn command(&self, kind: KitKind) -> Option<String> {
        let with = self.with.map_or(String::new(), |serial| format!(" --with {serial}"));
        Some(match &self.what {
            What::Retire(serial, why) => format!("breakglass key retire {serial} --why {why}{with}"),
            What::Rotate(name, to) => {
                // A practice kit seals no secret that somebody typed.
                let source = if kind == KitKind::Practice { " --generate" } else { "" };
                let to: Vec<String> = to.iter().map(ToString::to_string).collect();
                let to = if to.is_empty() { String::new() } else { format!(" --to {}", to.join(",")) };
                format!("breakglass rotate {name}{source}{to}{with}")
            }
            What::Confirm(name) => format!("breakglass rotate {name} --confirm-pending{with}"),
            What::Edit(_) => return None,
            What::Adopt => format!("breakglass policy adopt{with}"),
            What::Pin(serial) => format!("breakglass key pin {serial}"),
            What::Fido2Pin(serial) => format!("breakglass key pin {serial} --what fido2"),
            What::Puk(serial) => format!("breakglass key pin {serial} --what puk"),
            What::PutAway(serial, true) | What::Look(serial, false) => format!(
                "breakglass key checkout {serial} --bag … --seal … --person … --witness … --why 'a change'"
            ),
            What::PutAway(serial, false) => crate::kit::custody::check_in(*serial),
            What::Provision(serial) => format!("breakglass key provision --serial {serial}"),
            What::Admit(serial) => format!("breakglass key admit {serial}{with}"),
            What::Look(_, true) => "breakglass inventory --witness".to_owned(),
        })
    }

    /// Whether it is done.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done(_))
    }
}

impl Plan {
    /// Steps that are left.
    pub fn left(&self) -> usize {
        self.steps.iter().filter(|step| !step.is_done()).count()
    }

    /// The step to do now. None if all is done, or if every one that is left waits.
    pub fn next(&self) -> Option<&Step> {
        self.steps.iter().find(|step| step.state == State::Next)
    }

    /// The first step that is not done and waits for nothing is the next.
    fn settled(mut self) -> Self {
        if let Some(first) = self.steps.iter_mut().find(|step| step.state == State::Then) {
            first.state = State::Next;
        }
        self
    }
}

/// Why no plan can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Before its founding a kit has neither keys nor people.
    #[error("this kit is not founded yet")]
    NotFounded,
    /// No key with this serial is in the journal.
    #[error("key {0} is not enrolled in this kit")]
    NotEnrolled(Serial),
    /// No policy of this kit ever named that person.
    #[error("no policy of this kit ever named {name}; people of the policy: {}", .people.join(", "))]
    Nobody {
        /// Who was named.
        name: Name,
        /// Who is in the policy in force.
        people: Vec<String>,
    },
    /// The key that is to come is the one that is gone.
    #[error("key {0} cannot come in its own place")]
    SameKey(Serial),
}

/// The steps that this occasion takes, of which the records show some done. `comes` is the key that comes with it: in the
/// place of the one that is gone, or with the person who joins.
pub fn plan(kit: &Kit, occasion: &Occasion, comes: Option<Serial>) -> Result<Plan, ChangeError> {
    if kit.roster.is_none() {
        return Err(ChangeError::NotFounded);
    }
    let plan = match occasion {
        Occasion::Lost(serial) => keys::gone(kit, *serial, false, comes)?,
        Occasion::Stolen(serial) => keys::gone(kit, *serial, true, comes)?,
        Occasion::Leaves(name) => people::leaves(kit, name)?,
        Occasion::Joins(name) => people::joins(kit, name, comes),
    };
    Ok(plan.settled())
}

/// Changes that were begun and are not finished: keys that were retired as lost or stolen, and people whom the policy names
/// no more.
pub fn unfinished(kit: &Kit) -> Vec<Finding> {
    let mut occasions = Vec::new();
    for (_, record) in kit.journal.records() {
        let Event::KeyRetired(facts) = &record.event else { continue };
        let retired = |key: &crate::kit::Enrolled| matches!(key.standing, Standing::Retired { .. });
        if !kit.enrolled(facts.serial).is_some_and(|key| key.id == facts.key && retired(&key)) {
            continue;
        }
        let occasion = match facts.why.as_str() {
            "lost" => Occasion::Lost(facts.serial),
            "stolen" => Occasion::Stolen(facts.serial),
            _ => continue,
        };
        if !occasions.contains(&occasion) {
            occasions.push(occasion);
        }
    }
    occasions.extend(people::gone(kit).into_iter().map(Occasion::Leaves));
    let told = |occasion: Occasion| {
        let plan = plan(kit, &occasion, None).ok()?;
        let left: Vec<&Step> = plan.steps.iter().filter(|step| !step.is_done()).collect();
        let first = plan.next().or(left.first().copied())?;
        let count =
            if left.len() == 1 { "1 step is".to_owned() } else { format!("{} steps are", left.len()) };
        let (what, option) = match &occasion {
            Occasion::Lost(serial) => (occasion.to_string(), format!("--lost {serial}")),
            Occasion::Stolen(serial) => (occasion.to_string(), format!("--stolen {serial}")),
            Occasion::Leaves(name) => (format!("{name} left the policy"), format!("--leaves {name}")),
            Occasion::Joins(name) => (occasion.to_string(), format!("--joins {name}")),
        };
        let text = format!("{what}, and {count} left, first: {}", first.what);
        Some(Finding::due("CHANGE-UNFINISHED", text, format!("breakglass change {option}")))
    };
    occasions.into_iter().filter_map(told).collect()
}

#[cfg(test)]
mod tests;
