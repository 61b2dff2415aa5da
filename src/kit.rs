//! The kit: the folder that travels with the keys. Everything about it is derived from its journal.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::attestation::Serial;
use crate::kit::credentials::{Credential, Generation};
use crate::kit::finding::Finding;
use crate::kit::folder::{Folder, FolderError, Lock};
use crate::kit::journal::Journal;
use crate::kit::name::CredentialName;
use crate::kit::policy::{Policy, PolicyError};
use crate::kit::roster::{Roster, RosterError, Standing};
use crate::record::chain::Depth;
use crate::record::event::{Event, KeyEnrolled, KitKind};
use crate::record::hash::{Hash, KeyId};
use crate::record::token::Record;

pub mod approval;
pub mod authorities;
pub mod change;
pub mod check;
pub mod consent;
pub mod coverage;
pub mod credentials;
pub mod custody;
pub mod debts;
pub mod drills;
pub mod due;
pub mod enrolment;
pub mod fido2;
pub mod finding;
pub mod folder;
pub mod head;
pub mod incidents;
pub mod journal;
pub mod merge;
pub mod minted;
pub mod name;
pub mod order;
pub mod policy;
pub mod request;
pub mod roster;
pub mod sealed;
pub mod sealing;
pub mod words;

/// A kit as its folder tells it at one moment.
#[derive(Debug)]
pub struct Kit {
    /// Its medium.
    pub folder: Folder,
    /// Its records.
    pub journal: Journal,
    /// Its keys; `None` before it is founded.
    pub roster: Option<Roster>,
    /// The policy in force; before founding, that of `kit.toml`.
    pub policy: Policy,
    /// How `kit.toml` stands to the policy in force.
    pub draft: Draft,
    /// What is sealed in it.
    pub credentials: BTreeMap<CredentialName, Credential>,
    /// Where its keys were taken, and put away.
    pub moves: custody::Moves,
}

/// How `kit.toml` stands to the policy in force. It has no effect until it is adopted.
#[derive(Debug)]
pub enum Draft {
    /// The same bytes.
    Same,
    /// Other bytes: edited, or waiting to be adopted.
    Differs(Box<Policy>),
    /// It cannot be read as a policy.
    Broken(PolicyError),
    /// There is none.
    Missing,
}

/// Why a kit cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KitError {
    /// The medium.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// No kit.toml and no journal.
    #[error("{0} is no kit: it has neither kit.toml nor a journal")]
    NotAKit(std::path::PathBuf),
    /// kit.toml of a kit that is not founded yet.
    #[error("kit.toml: {0}")]
    Policy(#[source] PolicyError),
    /// A stored policy whose bytes are not those that were adopted, or that cannot be read.
    #[error("the adopted policy policy/{0}.toml is missing or was changed")]
    AdoptedPolicy(String),
    /// The records contradict each other on what the kit is.
    #[error(transparent)]
    Roster(RosterError),
    /// It is founded already.
    #[error("this kit is founded already")]
    Founded,
    /// Nothing can be done with it before it is founded.
    #[error("this kit is not founded yet")]
    NotFounded,
}

/// An enrolled key of the kit, whatever its standing.
#[derive(Debug, Clone)]
pub struct Enrolled {
    /// Key id.
    pub id: KeyId,
    /// Chain name.
    pub chain: String,
    /// What its enrolment record says.
    pub facts: KeyEnrolled,
    /// Hash of its enrolment record.
    pub enrolment: Hash,
    /// Whether it belongs; `Enrolled` before founding.
    pub standing: Standing,
}

impl Kit {
    /// Reads a kit: folder, journal, policy, then everything that follows from them. Changes nothing.
    pub fn read(folder: Folder, depth: Depth) -> Result<Self, KitError> {
        let written = folder.read("kit.toml")?;
        let journal = Journal::read(&folder, depth)?;
        if written.is_none() && journal.is_empty() {
            return Err(KitError::NotAKit(folder.root().to_owned()));
        }
        // Asked for again and again, by each who judges; read and parsed once.
        let policies = RefCell::new(BTreeMap::new());
        let policy_of = |hash: &Hash| -> Option<Policy> {
            let read = || adopted(&folder, hash).ok().flatten();
            policies.borrow_mut().entry(*hash).or_insert_with(read).clone()
        };
        let roster = match roster::derive(journal.records(), &policy_of) {
            Ok(roster) => Some(roster),
            Err(RosterError::NotFounded) => None,
            Err(RosterError::PolicyMissing(hash)) => return Err(KitError::AdoptedPolicy(policy_name(&hash))),
            Err(error) => return Err(KitError::Roster(error)),
        };
        let (policy, draft) = match (&roster, &written) {
            (Some(roster), own) => {
                let policy = policy_of(&roster.policy)
                    .ok_or_else(|| KitError::AdoptedPolicy(policy_name(&roster.policy)))?;
                let draft = match own {
                    None => Draft::Missing,
                    Some(own) if Hash::of(own) == policy.hash => Draft::Same,
                    Some(own) => match Policy::parse(own) {
                        Ok(own) => Draft::Differs(Box::new(own)),
                        Err(error) => Draft::Broken(error),
                    },
                };
                (policy, draft)
            }
            (None, Some(own)) => (Policy::parse(own).map_err(KitError::Policy)?, Draft::Same),
            (None, None) => return Err(KitError::NotFounded),
        };
        let mut credentials = match &roster {
            Some(roster) => credentials::derive(roster, journal.records().map(|(_, record)| record)),
            None => BTreeMap::new(),
        };
        for (name, credential) in &mut credentials {
            for generation in &mut credential.generations {
                resolve_list(&folder, name, generation)?;
            }
        }
        let moves = match &roster {
            Some(roster) => custody::derive(
                journal.records().filter(|(_, record)| {
                    custody::is_told_by(&record.event) && credentials::belongs(roster, record)
                }),
                &policy_of,
            ),
            None => custody::Moves::new(),
        };
        Ok(Kit { folder, journal, roster, policy, draft, credentials, moves })
    }

    /// Takes the lock, sets a torn tail aside, and reads the kit to write to it. Says what it set aside.
    pub fn write(folder: Folder, depth: Depth) -> Result<(Self, Lock, Vec<Finding>), KitError> {
        let lock = folder.lock()?;
        let kit = Self::read(folder, depth)?;
        if !kit.journal.is_torn() {
            return Ok((kit, lock, Vec::new()));
        }
        let mended = kit.journal.mend(&kit.folder)?;
        Ok((Self::read(kit.folder, depth)?, lock, mended))
    }

    /// Kit id, once founded.
    pub fn id(&self) -> Option<Hash> {
        self.roster.as_ref().map(|roster| roster.kit)
    }

    /// Real or practice.
    pub fn kind(&self) -> KitKind {
        self.roster.as_ref().map_or(self.policy.kind, Roster::kind)
    }

    /// The kit words, once founded.
    pub fn words(&self) -> Option<String> {
        self.id().map(|id| words::kit_words(&id).join(" "))
    }

    /// By how many seconds a clock that says `now` is behind the newest record; none where no record is later. Such a clock
    /// is wrong, or that of the machine which wrote the record was.
    pub fn clock_behind(&self, now: i64) -> Option<i64> {
        let newest = self.journal.records().map(|(_, record)| record.iat).max()?;
        Some(newest.saturating_sub(now)).filter(|behind| *behind > 0)
    }

    /// The roster of a founded kit.
    pub fn founded(&self) -> Result<&Roster, KitError> {
        self.roster.as_ref().ok_or(KitError::NotFounded)
    }

    /// Every enrolled key, by serial.
    pub fn enrolled_keys(&self) -> Vec<Enrolled> {
        let mut keys: Vec<Enrolled> = match &self.roster {
            Some(roster) => roster
                .keys
                .iter()
                .map(|(id, member)| Enrolled {
                    id: *id,
                    chain: member.chain.clone(),
                    facts: member.enrolled.clone(),
                    enrolment: member.enrolment,
                    standing: member.standing,
                })
                .collect(),
            None => self
                .journal
                .records()
                .filter_map(|(chain, record)| match &record.event {
                    Event::KeyEnrolled(facts) => Some(Enrolled {
                        id: record.kid,
                        chain: chain.to_owned(),
                        facts: facts.clone(),
                        enrolment: record.hash(),
                        standing: Standing::Enrolled,
                    }),
                    _ => None,
                })
                .collect(),
        };
        // A serial that was enrolled twice: the key that belongs comes first.
        keys.sort_by_key(|key| (key.facts.serial, key.standing != Standing::Admitted));
        keys
    }

    /// A policy that was in force, if the kit has its bytes.
    pub fn adopted(&self, hash: &Hash) -> Option<Policy> {
        adopted(&self.folder, hash).ok().flatten()
    }

    /// The enrolled key with this serial.
    pub fn enrolled(&self, serial: Serial) -> Option<Enrolled> {
        self.enrolled_keys().into_iter().find(|key| key.facts.serial == serial)
    }

    /// The enrolled key with this id.
    pub fn key(&self, id: &KeyId) -> Option<Enrolled> {
        self.enrolled_keys().into_iter().find(|key| key.id == *id)
    }

    /// The policy of that hash, if it is in force or was.
    pub fn policy_named(&self, hash: &Hash) -> Option<Policy> {
        match *hash == self.policy.hash {
            true => Some(self.policy.clone()),
            false => adopted(&self.folder, hash).ok().flatten(),
        }
    }

    /// Makes a record durable in the journal.
    pub fn append(&mut self, chain: &str, record: &Record) -> Result<(), KitError> {
        self.journal.append(&self.folder, chain, record)?;
        Ok(())
    }

    /// Bytes of a sealed file, checked against its record: `Ok(None)` if absent, `Err(true)`-like states are findings.
    pub fn sealed_file(
        &self,
        name: &CredentialName,
        generation: &Generation,
        file: &str,
    ) -> Result<SealedFile, KitError> {
        let path = format!("{}/{file}", credentials::folder(name, generation));
        let expected = generation.facts.files.get(file);
        Ok(match (self.folder.read(&path)?, expected) {
            (None, _) => SealedFile::Missing(path),
            (Some(bytes), Some(hash)) if Hash::of(&bytes) == *hash => SealedFile::Intact(bytes),
            (Some(_), _) => SealedFile::Changed(path),
        })
    }
}

/// A file below `sealed/`, held against its record.
#[derive(Debug)]
pub enum SealedFile {
    /// The bytes that the record names.
    Intact(Vec<u8>),
    /// Other bytes, or not named by the record.
    Changed(String),
    /// Not there.
    Missing(String),
}

fn policy_name(hash: &Hash) -> String {
    hex::encode(hash.0)
}

/// Where the bytes of an adopted policy are kept.
pub fn policy_path(hash: &Hash) -> String {
    format!("policy/{}.toml", policy_name(hash))
}

fn adopted(folder: &Folder, hash: &Hash) -> Result<Option<Policy>, KitError> {
    let Some(bytes) = folder.read(&policy_path(hash))? else { return Ok(None) };
    if Hash::of(&bytes) != *hash {
        return Ok(None);
    }
    Ok(Policy::parse(&bytes).ok())
}

/// Replaces a record's reference to `list.json` by what that file says, if it is the file that the record names.
fn resolve_list(folder: &Folder, name: &CredentialName, generation: &mut Generation) -> Result<(), KitError> {
    let Some(hash) = generation.facts.list else { return Ok(()) };
    let path = format!("{}/list.json", credentials::folder(name, generation));
    let Some(bytes) = folder.read(&path)? else { return Ok(()) };
    if Hash::of(&bytes) == hash
        && let Ok(list) = serde_json::from_slice::<credentials::List>(&bytes)
        && list.files.keys().all(|file| credentials::is_name(file))
        && credentials::is_parallel(&generation.facts.factors, &list.envelopes, &list.recipients)
    {
        generation.facts.recipients = list.recipients;
        generation.facts.envelopes = list.envelopes;
        generation.facts.files.extend(list.files);
    }
    Ok(())
}
