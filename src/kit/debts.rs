//! Debts: what openings and mintings leave to be done, and which signed record discharged each. Derived from the records, without a
//! clock: an opening makes them, and none goes away by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::attestation::Serial;
use crate::kit::Kit;
use crate::kit::credentials::Credential;
use crate::kit::name::CredentialName;
use crate::kit::policy::Rotation;
use crate::kit::roster::Roster;
use crate::record::event::{Event, OpenIntent};
use crate::record::hash::Hash;
use crate::record::token::Record;

mod story;

use story::{Deed, Story, Telling};

/// Something that an incident leaves to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debt {
    /// What.
    pub what: What,
    /// The time that the record claims by which it came to be, Unix seconds.
    pub since: i64,
    /// The record that discharged it.
    pub done: Option<Done>,
}

/// What is to be done. Its text ([`fmt::Display`]) is what `debt.discharged` names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// Give the credential another secret: it was opened, or (`false`) the keys that were used could have opened it too.
    Rotate(CredentialName, bool),
    /// Change the PIN of a key, which was typed.
    ChangePin(Serial),
    /// Bring a key back to where it lies.
    Return(Serial),
    /// Disable the account, or make it anew: whoever had its secret may have left another way in.
    Account(CredentialName),
    /// End what was begun with a minted credential of that name: a session outlives its certificate.
    Sessions(String),
    /// End or renew the trust of platforms in what a key mints: it was used, and whoever got something from it knows that they
    /// trust it.
    Trust(Serial),
    /// Put back what was switched off for the emergency.
    Restore(String),
    /// Tell an approver of what was opened, who was not asked or is to be told by the policy.
    Notify(String),
    /// Give the records to the auditor.
    Upload,
    /// Have the incident of that name reviewed by someone who is not one of its operators.
    Review(String),
}

/// The record that discharged a debt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Done {
    /// Its hash.
    pub record: Hash,
    /// Serial number of the key that signed it.
    pub serial: Serial,
    /// Its place in that key's chain.
    pub seq: u64,
    /// The time that it claims, Unix seconds.
    pub at: i64,
    /// Who says so and how, where a person said it.
    pub words: Option<String>,
}

impl Done {
    /// By that record.
    pub(super) fn of(record: &Record) -> Self {
        let words = match &record.event {
            Event::DebtDischarged(facts) => Some(format!("{}: {}", facts.by, facts.how)),
            Event::IncidentReviewed(facts) => {
                Some(format!("{}, {}: {}", facts.by, facts.judgement.name(), facts.text))
            }
            _ => None,
        };
        let (serial, seq) = (record.serial, record.link.seq);
        Done { record: record.hash(), serial, seq, at: record.iat, words }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Rotate(name, _) => write!(f, "rotate {name}"),
            What::ChangePin(serial) => write!(f, "change-pin {serial}"),
            What::Return(serial) => write!(f, "return {serial}"),
            What::Account(name) => write!(f, "account {name}"),
            What::Sessions(rule) => write!(f, "sessions {rule}"),
            What::Trust(serial) => write!(f, "trust {serial}"),
            What::Restore(what) => write!(f, "restore {what}"),
            What::Notify(name) => write!(f, "notify {name}"),
            What::Upload => write!(f, "upload"),
            What::Review(incident) => write!(f, "review {incident}"),
        }
    }
}

impl What {
    /// Whether a person's word on record discharges it, and not only a record of the thing itself.
    pub fn by_word(&self) -> bool {
        matches!(
            self,
            What::Return(_)
                | What::Account(_)
                | What::Sessions(_)
                | What::Trust(_)
                | What::Restore(_)
                | What::Notify(_)
        )
    }

    /// What it is about, where an incident can owe several of its kind.
    pub fn object(&self) -> Option<String> {
        match self {
            What::Rotate(name, _) | What::Account(name) => Some(name.to_string()),
            What::ChangePin(serial) | What::Return(serial) | What::Trust(serial) => Some(serial.to_string()),
            What::Sessions(what) | What::Restore(what) | What::Notify(what) => Some(what.clone()),
            What::Upload | What::Review(_) => None,
        }
    }

    /// The command that discharges it, for that incident.
    pub fn next(&self, incident: &str) -> String {
        let name = quoted(incident);
        match self {
            What::Rotate(credential, _) => format!("breakglass rotate {credential}"),
            What::ChangePin(serial) => format!("breakglass key pin {serial}"),
            What::Upload => "breakglass records export DIR --with SERIAL".into(),
            What::Review(_) => format!("breakglass review {name} --by NAME --judgement … --text …"),
            What::Return(_)
            | What::Account(_)
            | What::Sessions(_)
            | What::Trust(_)
            | What::Restore(_)
            | What::Notify(_) => {
                format!("breakglass discharge {name} {} --by NAME --how …", quoted(&self.to_string()))
            }
        }
    }
}

/// The text as a word of a shell.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// The debts of every incident, by its name; those that were discharged too. What the policy in force does not have rotated
/// after use owes no rotation.
pub fn debts(kit: &Kit) -> BTreeMap<String, Vec<Debt>> {
    let Some(roster) = &kit.roster else { return BTreeMap::new() };
    let mut debts = derive(roster, &kit.credentials, &|intent| to_tell(kit, intent), kit.journal.records());
    let rotated = |name: &CredentialName| *kit.policy.terms(name).rotation == Rotation::AfterUse;
    for of_one in debts.values_mut() {
        of_one.retain(|debt| !matches!(&debt.what, What::Rotate(name, _) if !rotated(name)));
    }
    debts
}

/// Who is to be told of an opening: by the policy in force, or because they were passed over.
pub fn to_tell(kit: &Kit, intent: &OpenIntent) -> Vec<String> {
    let mut names = crate::kit::consent::to_tell(&kit.policy, &intent.credential, &intent.operator);
    for name in intent.consent.iter().flat_map(|consent| &consent.skipped) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// Incidents for which that credential was opened and that nobody else has reviewed: all but `incident`, which may go on
/// until it is closed.
pub fn unreviewed(kit: &Kit, credential: &CredentialName, incident: &str) -> Vec<String> {
    let known = crate::kit::incidents::incidents(kit);
    let goes_on = |name: &str| name == incident && known.get(name).is_some_and(|one| one.closed.is_none());
    let name = credential.to_string();
    let opened = |incident: &String| known.get(incident).is_some_and(|one| one.credentials.contains(&name));
    let undone = |debt: &Debt| matches!(debt.what, What::Review(_)) && debt.done.is_none();
    debts(kit)
        .into_iter()
        .filter(|(name, debts)| opened(name) && !goes_on(name) && debts.iter().any(undone))
        .map(|(name, _)| name)
        .collect()
}

fn derive<'r>(
    roster: &Roster,
    credentials: &BTreeMap<CredentialName, Credential>,
    told: &dyn Fn(&OpenIntent) -> Vec<String>,
    records: impl Iterator<Item = (&'r str, &'r Record)>,
) -> BTreeMap<String, Vec<Debt>> {
    let telling = Telling::of(roster, records);
    let owing = telling.stories.iter().filter(|(_, story)| !story.uses.is_empty());
    owing.map(|(name, story)| ((*name).to_owned(), owed(name, story, &telling, credentials, told))).collect()
}

fn owed(
    name: &str,
    story: &Story<'_>,
    telling: &Telling<'_>,
    credentials: &BTreeMap<CredentialName, Credential>,
    told: &dyn Fn(&OpenIntent) -> Vec<String>,
) -> Vec<Debt> {
    let mut debts = rotations(story, telling, credentials);
    let mut keys: BTreeMap<Serial, &story::Use<'_>> = BTreeMap::new();
    let mut accounts: BTreeMap<&str, &story::Use<'_>> = BTreeMap::new();
    let mut minted: BTreeMap<&str, &story::Use<'_>> = BTreeMap::new();
    // The last use decides: whoever opens again owes it again.
    for one in &story.uses {
        keys.insert(one.record.serial, one);
        match one.deed {
            Deed::Open(facts) => accounts.insert(&facts.credential, one),
            Deed::Mint(facts) => minted.insert(&facts.rule, one),
        };
    }
    let said = |what: &What, since: &story::Use<'_>| story.discharged(what, since.at).map(Done::of);
    for (serial, last) in &keys {
        let retired = telling.retired.get(&last.record.kid).map(|record| Done::of(record));
        let changed = telling.pin_changed(last.record).map(Done::of);
        debts.push(Debt {
            what: What::ChangePin(*serial),
            since: last.record.iat,
            done: changed.or(retired),
        });
    }
    for (serial, last) in &keys {
        let what = What::Return(*serial);
        let retired = telling.retired.get(&last.record.kid).map(|record| Done::of(record));
        let put_away = telling.put_away(last).map(Done::of);
        debts.push(Debt { done: put_away.or(said(&what, last)).or(retired), what, since: last.record.iat });
    }
    for (account, last) in accounts {
        let Ok(account) = account.parse() else { continue };
        let what = What::Account(account);
        debts.push(Debt { done: said(&what, last), what, since: last.record.iat });
    }
    for (rule, last) in minted {
        let what = What::Sessions(rule.to_owned());
        debts.push(Debt { done: said(&what, last), what, since: last.record.iat });
    }
    for last in keys.values().filter_map(|last| story.last_minted(last.record.serial)) {
        let what = What::Trust(last.record.serial);
        let withdrawn = telling.withdrawn(story, last).map(Done::of);
        debts.push(Debt { done: said(&what, last).or(withdrawn), what, since: last.record.iat });
    }
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for (at, record, off) in story.switched_off.iter().rev().filter(|(_, _, off)| seen.insert(off)) {
        let what = What::Restore((*off).to_owned());
        debts.push(Debt { done: story.discharged(&what, *at).map(Done::of), what, since: record.iat });
    }
    let mut people: BTreeMap<String, &story::Use<'_>> = BTreeMap::new();
    for one in &story.uses {
        if let Some(facts) = one.opening() {
            people.extend(told(facts).into_iter().map(|name| (name, one)));
        }
    }
    for (name, last) in people {
        let what = What::Notify(name);
        debts.push(Debt { done: said(&what, last), what, since: last.record.iat });
    }
    let first = story.uses.iter().map(|one| one.record.iat).min().unwrap_or_default();
    debts.push(Debt { what: What::Upload, since: first, done: telling.given(story).map(Done::of) });
    let review = What::Review(name.to_owned());
    debts.push(Debt { what: review, since: first, done: story.reviewed().map(Done::of) });
    debts
}

/// Every credential that was opened; and every other one of which a generation, sealed by then, opens with keys that were
/// used. Discharged by a generation in force that is newer than all of these.
fn rotations(
    story: &Story<'_>,
    telling: &Telling<'_>,
    credentials: &BTreeMap<CredentialName, Credential>,
) -> Vec<Debt> {
    // Minting unwraps nothing.
    let openings: Vec<_> = story.uses.iter().filter_map(|one| Some((one, one.opening()?))).collect();
    let used: BTreeSet<_> = openings.iter().map(|(one, _)| one.record.kid).collect();
    let (Some((first, _)), Some((last, _))) = (openings.first(), openings.last()) else { return Vec::new() };
    let (mut opened, mut exposed) = (Vec::new(), Vec::new());
    for (name, credential) in credentials {
        let text = name.to_string();
        let uses: Vec<_> = openings.iter().filter(|(_, facts)| facts.credential == text).collect();
        let within_reach = credential.generations.iter().filter(|generation| {
            let held = generation.facts.recipients.iter().filter(|key| used.contains(key)).count();
            held >= usize::from(generation.facts.threshold)
                && telling.sealed.get(&generation.record).is_some_and(|(at, _)| *at < last.at)
        });
        let read = within_reach
            .map(|generation| generation.number)
            .chain(uses.iter().map(|(_, facts)| facts.generation));
        let Some(newest) = read.max() else { continue };
        let next = credential.generations.iter().find(|other| other.number > newest && !other.pending);
        let done = next.and_then(|next| {
            telling.confirmed.get(&next.record).or(telling.sealed.get(&next.record)).copied()
        });
        let since = uses.iter().map(|(one, _)| one.record.iat).min().unwrap_or(first.record.iat);
        let debt = |was_opened| Debt {
            what: What::Rotate(name.clone(), was_opened),
            since,
            done: done.map(|(_, record)| Done::of(record)),
        };
        match uses.is_empty() {
            false => opened.push(debt(true)),
            // What they could open was no longer in force when they were first used.
            true if done.is_some_and(|(at, _)| at < first.at) => {}
            true => exposed.push(debt(false)),
        }
    }
    opened.append(&mut exposed);
    opened
}

#[cfg(test)]
mod tests;
