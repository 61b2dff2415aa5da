//! What every format takes from a record.

use crate::audit::ledger::{Held, Signature};
use crate::record::event::{Event, MintKind, SealSeen};
use crate::record::hash::Hash;
use crate::record::token::Record;

/// What was done to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// A credential is being opened, or was: somebody gets what it allows.
    Open,
    Create,
    Read,
    Update,
    Delete,
    /// Anything else.
    Other,
}

/// How much attention it wants, by itself. Whether it was right, findings say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

/// One record in words.
pub(super) struct Digest<'a> {
    pub(super) record: &'a Record,
    pub(super) kit: Option<Hash>,
    pub(super) received: i64,
    pub(super) signature: &'static str,
    pub(super) act: Act,
    pub(super) weight: Weight,
    /// What kind of thing it was done to: `credential`, `key`, `kit`, `policy`, `incident`, `bundle`, `journal`.
    pub(super) kind: &'static str,
    /// Which one.
    pub(super) object: String,
    pub(super) credential: Option<&'a str>,
    pub(super) generation: Option<u64>,
    pub(super) operator: Option<&'a str>,
    pub(super) reason: Option<&'a str>,
    /// One sentence for people.
    pub(super) sentence: String,
}

impl<'a> Digest<'a> {
    pub(super) fn of(held: &'a Held, kit: Option<&Hash>) -> Self {
        let record = &held.record;
        let kit = kit.copied().or(record.link.kit);
        let mut digest = Digest {
            record,
            kit,
            received: held.received,
            signature: match held.signature {
                Signature::Good => "good",
                Signature::Bad => "bad",
                Signature::Unknown => "unknown",
            },
            act: Act::Other,
            weight: Weight::Info,
            kind: "key",
            object: record.serial.to_string(),
            credential: None,
            generation: None,
            operator: None,
            reason: record.event.reasons().first().map(|(_, reason)| *reason),
            sentence: String::new(),
        };
        digest.tell(&record.event);
        if held.signature == Signature::Bad {
            digest.weight = Weight::High;
            digest.sentence += "; its signature is not that of its key";
        }
        digest
    }

    fn is(&mut self, act: Act, kind: &'static str, object: impl Into<String>, sentence: String) {
        (self.act, self.kind, self.object, self.sentence) = (act, kind, object.into(), sentence);
    }

    fn on(&mut self, credential: &'a str, generation: u64) {
        (self.credential, self.generation) = (Some(credential), Some(generation));
    }

    fn tell(&mut self, event: &'a Event) {
        let serial = self.record.serial;
        let incident = self.record.txn.as_deref().unwrap_or("no incident");
        match event {
            Event::KeyEnrolled(_) => {
                self.is(Act::Create, "key", serial.to_string(), format!("key {serial} was enrolled"));
            }
            Event::KitFounded(facts) => {
                let text = format!("key {serial} founded the kit {}", facts.name);
                self.is(Act::Create, "kit", &facts.name, text);
            }
            Event::KeyAdmitted(facts) => {
                let text = format!("key {serial} signed for the admission of key {}", facts.serial);
                self.is(Act::Update, "key", facts.serial.to_string(), text);
            }
            Event::KeyRetired(facts) => {
                let text = format!("key {serial} signed for the retirement of key {}", facts.serial);
                self.is(Act::Delete, "key", facts.serial.to_string(), text);
                self.weight = Weight::Medium;
            }
            Event::PolicyAdopted(facts) => {
                let text = format!("key {serial} signed for the policy {}", facts.policy.short());
                self.is(Act::Update, "policy", facts.policy.to_string(), text);
                self.weight = Weight::Low;
            }
            Event::KeyPinChanged(facts) => {
                let text = format!("key {serial}: {} changed", facts.what);
                self.is(Act::Update, "key", serial.to_string(), text);
                self.weight = Weight::Low;
            }
            Event::CredentialSealed(facts) => {
                self.on(&facts.credential, facts.generation);
                let text = format!("{}, generation {}, was sealed", facts.credential, facts.generation);
                self.is(Act::Create, "credential", &facts.credential, text);
            }
            Event::CredentialConfirmed(facts) => {
                self.on(&facts.credential, facts.generation);
                let text = format!("{}, generation {}, is in force", facts.credential, facts.generation);
                self.is(Act::Update, "credential", &facts.credential, text);
            }
            Event::OpenIntent(facts) => {
                self.on(&facts.credential, facts.generation);
                self.operator = Some(&facts.operator);
                let text = format!(
                    "{} begins to open {} with key {serial} in {incident} ({}): {}",
                    facts.operator, facts.credential, facts.emergency, facts.reason
                );
                self.is(Act::Open, "credential", &facts.credential, text);
                self.weight = Weight::Medium;
            }
            Event::OpenReleased(facts) => {
                self.on(&facts.credential, facts.generation);
                let text = format!("{} was opened in {incident}", facts.credential);
                self.is(Act::Open, "credential", &facts.credential, text);
                self.weight = Weight::Medium;
            }
            Event::OpenAsserted(_) => {
                let text = format!("key {serial} signed with its FIDO2 side");
                self.is(Act::Other, "key", serial.to_string(), text);
            }
            Event::KeyWitness(_) => {
                let text = format!("key {serial} is about to show its counter");
                self.is(Act::Other, "key", serial.to_string(), text);
            }
            Event::Exported(facts) => {
                let text = format!("a bundle of {} records was written", facts.count);
                self.is(Act::Read, "bundle", facts.bundle.to_string(), text);
            }
            Event::GapAccepted(facts) => {
                let text = format!("lost records were accepted: {}", facts.why);
                self.is(Act::Other, "journal", facts.damage.to_string(), text);
                self.weight = Weight::High;
            }
            Event::IncidentClosed(facts) => {
                let text = format!("{incident} was closed as {}: {}", facts.verdict.name(), facts.outcome);
                self.is(Act::Update, "incident", incident, text);
                self.weight = Weight::Low;
            }
            Event::LedgerAnchored(facts) => {
                let text =
                    format!("the kit has a checkpoint of {} over {} records", facts.origin, facts.size);
                self.is(Act::Update, "kit", facts.checkpoint.to_string(), text);
            }
            Event::KeyCheckedOut(facts) => {
                let text = format!(
                    "{} took key {} out of bag {:?}, whose seal was {}; {} saw it: {}",
                    facts.person,
                    facts.serial,
                    facts.bag,
                    facts.seal.name(),
                    facts.witness,
                    facts.why
                );
                self.is(Act::Update, "key", facts.serial.to_string(), text);
                self.weight = match facts.seal {
                    SealSeen::Broken => Weight::High,
                    SealSeen::Intact | SealSeen::None => Weight::Medium,
                };
            }
            Event::KeyCheckedIn(facts) => {
                let text = format!(
                    "{} put key {} into {}, bag {:?}; {} saw it",
                    facts.person, facts.serial, facts.place, facts.bag, facts.witness
                );
                self.is(Act::Update, "key", facts.serial.to_string(), text);
                self.weight = Weight::Low;
            }
            Event::DebtDischarged(facts) => {
                let text = format!("{incident}: {} was done, says {}: {}", facts.debt, facts.by, facts.how);
                self.is(Act::Update, "incident", incident, text);
            }
            Event::IncidentReviewed(facts) => {
                let (by, judgement) = (&facts.by, facts.judgement.name());
                let text = format!("{incident} was reviewed by {by}, who says {judgement}: {}", facts.text);
                self.is(Act::Update, "incident", incident, text);
                self.weight = Weight::Low;
            }
            Event::DrillBegun(facts) => {
                self.on(&facts.credential, facts.generation);
                self.operator = Some(&facts.operator);
                let watched =
                    facts.witness.as_ref().map_or(String::new(), |name| format!(", {name} watching"));
                let text = format!(
                    "{} begins a drill of {} with key {serial}{watched}",
                    facts.operator, facts.credential
                );
                self.is(Act::Other, "credential", &facts.credential, text);
            }
            Event::DrillEnded(facts) => {
                self.on(&facts.credential, facts.generation);
                let failed = facts.failed.as_deref().unwrap_or("for a reason that it does not give");
                let text = match facts.proven {
                    true => format!("a drill proved that key {serial} would open {}", facts.credential),
                    false => format!("a drill of {} with key {serial} failed: {failed}", facts.credential),
                };
                if !facts.proven {
                    self.weight = Weight::Medium;
                }
                self.is(Act::Other, "credential", &facts.credential, text);
            }
            Event::RequestApproved(facts) => {
                self.on(&facts.credential, facts.generation);
                self.operator = Some(&facts.operator);
                let text = format!(
                    "{} approved that {} opens {} in {incident} ({}): {}",
                    facts.approver, facts.operator, facts.credential, facts.emergency, facts.reason
                );
                self.is(Act::Other, "credential", &facts.credential, text);
                self.weight = Weight::Low;
            }
            Event::MintIntent(facts) => {
                self.operator = Some(&facts.operator);
                let text = format!(
                    "{} has key {serial} mint {} as {} for {incident}, number {}: {}",
                    facts.operator,
                    some(facts.kind, facts.numbers.len()),
                    facts.accounts.join(", "),
                    facts.numbers.join(", "),
                    facts.reason
                );
                self.is(Act::Create, "credential", &facts.rule, text);
                self.weight = Weight::Medium;
            }
            Event::MintIssued(facts) => {
                let count = facts.credentials.len();
                let text = format!("minted for {incident}: {}, to {}", some(facts.kind, count), facts.output);
                let first = facts.credentials.first().map(ToString::to_string).unwrap_or_default();
                self.is(Act::Create, "credential", first, text);
                self.weight = Weight::Medium;
            }
            Event::MintAuthority(_) => {
                let text = format!("key {serial} has a certificate to mint client certificates under");
                self.is(Act::Update, "key", serial.to_string(), text);
            }
            Event::MintRevoked(facts) => {
                let what = match facts.altogether {
                    true => format!("all {} of key {}", facts.kind.plural(), facts.key),
                    false => format!("{} {}", facts.kind.singular(), facts.numbers.join(", ")),
                };
                let text = format!("taken back: {what}: {}", facts.why);
                self.is(Act::Delete, "credential", facts.key.to_string(), text);
                self.weight = Weight::Medium;
            }
        }
    }

    /// The platform and the account of its credential.
    pub(super) fn account(&self) -> Option<(&'a str, &'a str)> {
        self.credential.map(|name| name.split_once('/').unwrap_or(("", name)))
    }

    /// The exact record.
    pub(super) fn raw(&self) -> String {
        String::from_utf8_lossy(self.record.bytes()).into_owned() // ASCII
    }
}

/// `a token`, `3 tokens`.
fn some(kind: MintKind, count: usize) -> String {
    match count {
        1 => format!("a {}", kind.singular()),
        count => format!("{count} {}", kind.plural()),
    }
}
