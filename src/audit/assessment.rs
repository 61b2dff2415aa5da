//! What the records of one kit come to: findings, incidents, keys, credentials, and what can be said of their silence.
//! Plain values, derived anew each time; reports only tell them.

use serde::Serialize;

use super::finding::Finding;
use crate::attestation::Serial;
use crate::record::event::{KitKind, MintKind};
use crate::record::hash::{Hash, KeyId};

/// A kit as its records show it at a time.
#[derive(Debug, Clone, Serialize)]
pub struct Assessment {
    /// Kit id.
    pub kit: Hash,
    /// Its name, by the founding record.
    pub name: String,
    /// Real or practice.
    pub kind: KitKind,
    /// The kit words.
    pub words: String,
    /// Who the auditor said may vouch for it, in words; `None`: nobody has confirmed it, so nothing of it is proven.
    pub trusted: Option<String>,
    /// When this was derived, Unix seconds: what is overdue is overdue then.
    pub at: i64,
    /// Records in the ledger.
    pub records: u64,
    /// Everything found, the gravest first.
    pub findings: Vec<Finding>,
    /// Oldest first.
    pub incidents: Vec<Incident>,
    /// What keys that did not belong, or no more, signed as if of incidents, in the order of the chains. It makes none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outside: Vec<Outside>,
    /// By serial number.
    pub keys: Vec<KeyStatement>,
    /// By name.
    pub credentials: Vec<CredentialState>,
    /// Oldest first.
    pub drills: Vec<Drill>,
}

/// When something happened: what the machine claimed, and what is known. Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Interval {
    /// By the clock of the machine. Never an order.
    pub claimed: i64,
    /// Not before; `None` where nothing bounds it.
    pub lower: Option<i64>,
    /// Not after: when the ledger first held it, or a record that came after it.
    pub upper: Option<i64>,
}

impl Interval {
    /// How long ago it was, at least: a clock that ran ahead makes nothing newer than what is known.
    pub fn age(&self, now: i64) -> i64 {
        now.saturating_sub(self.upper.map_or(self.claimed, |upper| self.claimed.min(upper)))
    }
}

/// Where a record stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Serial number of its key.
    pub serial: Serial,
    /// Chain, `<serial>-<kid8>`.
    pub chain: String,
    /// Place in it.
    pub seq: u64,
    /// SHA-256 of the record.
    pub hash: Hash,
    /// When.
    pub time: Interval,
}

/// Everything between the first opening for one reason and its close.
#[derive(Debug, Clone, Serialize)]
pub struct Incident {
    /// Its name (`txn`).
    pub name: String,
    /// The first and the last claimed time of its records.
    pub claimed: (i64, i64),
    /// In the order of the chains.
    pub openings: Vec<Opening>,
    /// What was minted for it, in the order of the chains.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mintings: Vec<Minting>,
    /// The close that is in force, if it has one.
    pub closed: Option<Closing>,
    /// Every close on record, by claimed time: that one, and those after which it was used again, or that another follows.
    pub closes: Vec<Closing>,
    /// Judgements of it, in the order of the chains.
    pub reviews: Vec<Reviewed>,
    /// What it leaves to be done.
    pub debts: Vec<Debt>,
}

/// Something of an incident that was signed by a key which did not belong to the kit, or no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outside {
    /// The record.
    pub record: Place,
    /// The event's name.
    pub event: &'static str,
    /// The incident that it names.
    pub incident: String,
    /// The credential, or the table of the policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
}

/// One opening: the intents of one or more keys, and what came of them.
#[derive(Debug, Clone, Serialize)]
pub struct Opening {
    /// `platform/account`.
    pub credential: String,
    /// Which generation.
    pub generation: u64,
    /// By the name in the policy.
    pub operator: String,
    /// Which emergency of the policy.
    pub emergency: String,
    /// In the person's words.
    pub reason: String,
    /// The incident.
    pub incident: String,
    /// `open.intent` of each key.
    pub intents: Vec<Place>,
    /// `open.released`; `None`: the secret may have been disclosed all the same.
    pub released: Option<Place>,
    /// Where it went: `terminal`, `fd`, `stdout`.
    pub output: Option<String>,
    /// What was overridden: identifier and the person's reason.
    pub overrides: Vec<(String, String)>,
    /// The approvals that it names, as far as the ledger has them. Whether each counts, findings say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approved>,
    /// The approvers whom it says it went on without.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
}

/// One minting: what a key signed, or may have signed.
#[derive(Debug, Clone, Serialize)]
pub struct Minting {
    /// What.
    pub kind: MintKind,
    /// Which table of the policy.
    pub rule: String,
    /// As platforms name what was minted; assertions are minted several at once.
    pub numbers: Vec<String>,
    /// As whom it lets somebody in.
    pub accounts: Vec<String>,
    /// By the name in the policy.
    pub operator: String,
    /// Which emergency of the policy.
    pub emergency: String,
    /// In the person's words.
    pub reason: String,
    /// From when it holds, Unix seconds.
    pub from: i64,
    /// The first second in which it does not hold any more.
    pub until: i64,
    /// Serial number of the key.
    pub key: Serial,
    /// `mint.intent`.
    pub intent: Place,
    /// `mint.issued`; `None`: it may exist all the same.
    pub issued: Option<Place>,
    /// How it was handed out.
    pub output: Option<String>,
    /// What was overridden: identifier and the person's reason.
    pub overrides: Vec<(String, String)>,
    /// Which numbers were taken back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<Revoked>,
}

/// A number that was taken back.
#[derive(Debug, Clone, Serialize)]
pub struct Revoked {
    /// Which.
    pub number: String,
    /// The first record that does.
    pub record: Place,
    /// In the person's words.
    pub why: String,
}

/// An approval that an opening names.
#[derive(Debug, Clone, Serialize)]
pub struct Approved {
    /// Who approved, by the name in the policy.
    pub approver: String,
    /// The record.
    pub record: Place,
}

/// The close of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Closing {
    /// The record.
    pub record: Place,
    /// `real`, `drill`, `misuse` or `false-alarm`.
    pub verdict: String,
    /// In the person's words.
    pub outcome: String,
}

/// A judgement of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reviewed {
    /// The record.
    pub record: Place,
    /// Who judges, by the name in the policy.
    pub by: String,
    /// `agree` or `disagree`.
    pub judgement: String,
    /// In the person's words.
    pub text: String,
    /// What the policy should learn.
    pub lesson: Option<String>,
    /// Whether they had opened for it, so that it does not count.
    pub by_operator: bool,
    /// Whether something was opened for it afterwards, so that it does not count.
    pub early: bool,
}

impl Reviewed {
    /// Whether somebody else judged the whole incident.
    pub fn counts(&self) -> bool {
        !self.by_operator && !self.early
    }
}

/// Something that an incident leaves to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Debt {
    /// What, as a sentence.
    pub what: String,
    /// The credential that has to be rotated, where that is it: from `done` on its old secret opens nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotates: Option<String>,
    /// The credential that has to be rotated because the keys that were used could have opened it too, where that is it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposed: Option<String>,
    /// As `discharge` names it, where a person's word discharges it: `return 20000001`, `sessions jump-hosts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub word: Option<String>,
    /// What has to be put back, where that is it, in the words of the close.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restores: Option<String>,
    /// Whether it is that the records are to be given to the auditor.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub uploads: bool,
    /// The record that discharged it.
    pub done: Option<Place>,
}

/// One drill: a key that was to prove that it would open a credential.
#[derive(Debug, Clone, Serialize)]
pub struct Drill {
    /// `platform/account`.
    pub credential: String,
    /// Which generation.
    pub generation: u64,
    /// The record that began it.
    pub begun: Place,
    /// The record that ended it; `None`: it proves nothing.
    pub ended: Option<Place>,
    /// Whether the key proved itself.
    pub proven: bool,
    /// What failed.
    pub failed: Option<String>,
}

/// One key of a kit, and how far its silence proves anything.
#[derive(Debug, Clone, Serialize)]
pub struct KeyStatement {
    /// Serial number.
    pub serial: Serial,
    /// Key id.
    pub key: KeyId,
    /// Chain.
    pub chain: String,
    /// `enrolled`, `admitted`, `retired` or `frozen`.
    pub standing: &'static str,
    /// Firmware, as attested.
    pub firmware: String,
    /// Where it lies, by its last check-in, else by the policy; or who has it.
    pub place: Option<String>,
    /// Who the policy says keeps it.
    pub custodian: Option<String>,
    /// Whether its attestations were verified, and against which root.
    pub attested: Result<String, String>,
    /// Its newest record.
    pub last: Option<Place>,
    /// Its newest record with a FIDO2 assertion that verifies, and the counter there.
    pub last_proof: Option<(Place, u32)>,
    /// The record that ended its newest drill in which it proved itself.
    pub last_drill: Option<Place>,
    /// What is known of each stretch of its chain, oldest first.
    pub periods: Vec<Period>,
    /// Where it was taken, and put away, oldest first.
    pub moves: Vec<KeyMove>,
}

/// A key that was taken out of its bag, or put into one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyMove {
    /// The record.
    pub record: Place,
    /// `out` or `in`.
    pub what: &'static str,
    /// The number of the bag: as it was read, or its new one.
    pub bag: String,
    /// How its seal was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seal: Option<&'static str>,
    /// Where it was put.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Why it was taken out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Who moved it.
    pub person: String,
    /// Who saw it.
    pub witness: String,
}

/// What is known of the time between two of a key's records, or since its last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Period {
    /// Claimed time of the record that begins it.
    pub from: i64,
    /// Claimed time of the record that ends it; `None`: up to now.
    pub to: Option<i64>,
    /// What is known.
    pub use_of_it: Use,
}

/// Whether a key was used beyond its records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    /// The FIDO2 counter proves that nothing else used it.
    ProvenUnused,
    /// Its counter moved further than the records account for: at least, or possibly, so often.
    Used {
        /// How often.
        times: u32,
        /// Whether that is certain.
        certain: bool,
    },
    /// It cannot be told, for this reason.
    CannotBeProven(String),
}

/// One credential.
#[derive(Debug, Clone, Serialize)]
pub struct CredentialState {
    /// `platform/account`.
    pub name: String,
    /// The generation in force.
    pub generation: Option<u64>,
    /// When it was sealed.
    pub sealed: Option<Place>,
    /// How many keys it takes.
    pub threshold: u8,
    /// `piv`, `fido2`.
    pub factors: Vec<String>,
    /// Serial numbers of the keys it is sealed to.
    pub keys: Vec<Serial>,
    /// Whether a generation that was opened, or may have been, is still in force, and no policy waives its rotation.
    pub rotation_due: bool,
}
