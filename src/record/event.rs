//! The vocabulary of events: what a record can say. One enum, one struct of facts per event.
//!
//! `doc/record-format.md` lists the same names with the same fields; a test compares the two.

mod approval;
mod credential;
mod custody;
mod drill;
mod fido2;
mod incident;
mod key;
mod matter;
mod mint;
mod opening;
mod point;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::hash::Hash;
use super::strict;

pub use approval::{Consent, RequestApproved};
pub use credential::{CredentialConfirmed, CredentialSealed};
pub use custody::{KeyCheckedIn, KeyCheckedOut, SealSeen};
pub use drill::{DrillBegun, DrillEnded};
pub use fido2::envelope_ids;
pub use fido2::{
    Aaguid, AgeRecipient, Assertion, AuthenticatorData, CounterProfile, CredentialId, DerSignature, Envelope,
    EnvelopeId, Fido2Enrolled, Fido2PinKind, KeyWitness, MAX_ENVELOPES, NotARecipient, OpenAsserted, Random,
    WrongLength, enrolment_challenge,
};
pub use incident::{DebtDischarged, IncidentClosed, IncidentReviewed, Judgement, Verdict};
pub use key::{KeyAdmitted, KeyEnrolled, KeyPinChanged, KeyRetired};
pub use matter::Matter;
pub use mint::{MintAuthority, MintIntent, MintIssued, MintKind, MintRevoked};
pub use opening::{OpenIntent, OpenReleased};
pub use point::Point;

/// What the URI of each event begins with; its name follows. A name reserved for examples (RFC 2606) until the project
/// owns one: it is compared as text and never fetched.
pub const EVENT_BASE: &str = "https://breakglass.example/event/v1/";

/// Every event, by its name: the last part of its URI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Event {
    /// A key was provisioned; its attestations. Always `seq` 0 of its chain.
    KeyEnrolled(KeyEnrolled),
    /// The first key founded a kit. The hash of this record is the kit id.
    KitFounded(KitFounded),
    /// A signature for the admission of a key.
    KeyAdmitted(KeyAdmitted),
    /// A signature for the retirement of a key.
    KeyRetired(KeyRetired),
    /// A signature for the adoption of a policy.
    PolicyAdopted(PolicyAdopted),
    /// The PIN, PUK or FIDO2 PIN of the signing key was changed.
    KeyPinChanged(KeyPinChanged),
    /// A credential was sealed.
    CredentialSealed(CredentialSealed),
    /// A pending generation became the current one.
    CredentialConfirmed(CredentialConfirmed),
    /// Somebody is about to open a credential with this key. Durable before anything is unwrapped.
    OpenIntent(OpenIntent),
    /// The key's FIDO2 side has signed a record of its chain. Durable before anything is unwrapped.
    OpenAsserted(OpenAsserted),
    /// The credential was put together and is handed out.
    OpenReleased(OpenReleased),
    /// A bundle was written; ends it.
    Exported(Exported),
    /// Records are lost for good, and a person goes on without them.
    GapAccepted(GapAccepted),
    /// The key's FIDO2 side is about to be asked to sign this record, so that its counter is seen.
    KeyWitness(KeyWitness),
    /// An incident has ended, in the judgement of the person who says so.
    IncidentClosed(IncidentClosed),
    /// The kit has got a checkpoint of the auditor's ledger: whatever follows is later than it.
    LedgerAnchored(LedgerAnchored),
    /// A key was taken out of its bag, by two people.
    KeyCheckedOut(KeyCheckedOut),
    /// A key was put into a bag, and that into its place, by two people.
    KeyCheckedIn(KeyCheckedIn),
    /// Somebody says that something which an incident left to be done was done.
    DebtDischarged(DebtDischarged),
    /// Somebody else judges an incident.
    IncidentReviewed(IncidentReviewed),
    /// Somebody is about to prove that this key would open a credential. Durable before anything is unwrapped.
    DrillBegun(DrillBegun),
    /// What that drill came to. Nothing was put together, nothing handed out.
    DrillEnded(DrillEnded),
    /// An approver said yes to a request.
    RequestApproved(RequestApproved),
    /// This key is about to mint a credential. Durable before it signs that.
    MintIntent(MintIntent),
    /// The credential was minted and is handed out.
    MintIssued(MintIssued),
    /// The certificate of this key's slot 84 for itself, and the list of what it takes back.
    MintAuthority(MintAuthority),
    /// Something that was minted is taken back, or all that a key can mint.
    MintRevoked(MintRevoked),
}

impl Event {
    /// The name of every event, in the order of the enum.
    pub const NAMES: [&str; 27] = [
        "key.enrolled",
        "kit.founded",
        "key.admitted",
        "key.retired",
        "policy.adopted",
        "key.pin-changed",
        "credential.sealed",
        "credential.confirmed",
        "open.intent",
        "open.asserted",
        "open.released",
        "exported",
        "gap.accepted",
        "key.witness",
        "incident.closed",
        "ledger.anchored",
        "key.checked-out",
        "key.checked-in",
        "debt.discharged",
        "incident.reviewed",
        "drill.begun",
        "drill.ended",
        "request.approved",
        "mint.intent",
        "mint.issued",
        "mint.authority",
        "mint.revoked",
    ];

    /// The last part of this event's URI.
    pub const fn name(&self) -> &'static str {
        let index = match self {
            Event::KeyEnrolled(_) => 0,
            Event::KitFounded(_) => 1,
            Event::KeyAdmitted(_) => 2,
            Event::KeyRetired(_) => 3,
            Event::PolicyAdopted(_) => 4,
            Event::KeyPinChanged(_) => 5,
            Event::CredentialSealed(_) => 6,
            Event::CredentialConfirmed(_) => 7,
            Event::OpenIntent(_) => 8,
            Event::OpenAsserted(_) => 9,
            Event::OpenReleased(_) => 10,
            Event::Exported(_) => 11,
            Event::GapAccepted(_) => 12,
            Event::KeyWitness(_) => 13,
            Event::IncidentClosed(_) => 14,
            Event::LedgerAnchored(_) => 15,
            Event::KeyCheckedOut(_) => 16,
            Event::KeyCheckedIn(_) => 17,
            Event::DebtDischarged(_) => 18,
            Event::IncidentReviewed(_) => 19,
            Event::DrillBegun(_) => 20,
            Event::DrillEnded(_) => 21,
            Event::RequestApproved(_) => 22,
            Event::MintIntent(_) => 23,
            Event::MintIssued(_) => 24,
            Event::MintAuthority(_) => 25,
            Event::MintRevoked(_) => 26,
        };
        Event::NAMES[index]
    }

    /// The reasons people typed, each with the name of its member.
    pub fn reasons(&self) -> Vec<(&'static str, &str)> {
        let overrides: &[Override] = match self {
            Event::KeyEnrolled(facts) => &facts.overrides,
            Event::OpenIntent(facts) => &facts.overrides,
            Event::MintIntent(facts) => &facts.overrides,
            _ => &[],
        };
        let own = match self {
            Event::KeyRetired(facts) => Some(("why", facts.why.as_str())),
            Event::OpenIntent(facts) => Some(("reason", facts.reason.as_str())),
            Event::GapAccepted(facts) => Some(("why", facts.why.as_str())),
            Event::IncidentClosed(facts) => Some(("outcome", facts.outcome.as_str())),
            Event::KeyCheckedOut(facts) => Some(("why", facts.why.as_str())),
            Event::DebtDischarged(facts) => Some(("how", facts.how.as_str())),
            Event::IncidentReviewed(facts) => Some(("text", facts.text.as_str())),
            Event::DrillEnded(facts) => facts.failed.as_deref().map(|failed| ("failed", failed)),
            Event::RequestApproved(facts) => Some(("reason", facts.reason.as_str())),
            Event::MintIntent(facts) => Some(("reason", facts.reason.as_str())),
            Event::MintRevoked(facts) => Some(("why", facts.why.as_str())),
            _ => None,
        };
        let more: Vec<(&'static str, &str)> = match self {
            Event::IncidentClosed(facts) => {
                facts.switched_off.iter().map(|what| ("switched_off", what.as_str())).collect()
            }
            Event::IncidentReviewed(facts) => {
                facts.lesson.iter().map(|lesson| ("lesson", lesson.as_str())).collect()
            }
            _ => Vec::new(),
        };
        let overrides = overrides.iter().map(|one| ("why", one.why.as_str()));
        own.into_iter().chain(more).chain(overrides).collect()
    }
}

/// Something the tool refuses, that a person overrode with a word on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// Identifier of what was overridden, such as `YSA-2024-03`, `gap`, `damage`.
    pub rule: String,
    /// The person's reason, at most 256 bytes.
    pub why: String,
}

/// Whether a kit holds real secrets on real keys, or is for rehearsal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub enum KitKind {
    /// Attested keys only.
    Real,
    /// Practice keys only; seals only text it generated.
    Practice,
}

// From text alone: derived, it would be read from `{"real":null}` too.
impl TryFrom<String> for KitKind {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "real" => Ok(KitKind::Real),
            "practice" => Ok(KitKind::Practice),
            _ => Err("a kit is real or practice"),
        }
    }
}

/// Facts of `kit.founded`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KitFounded {
    /// The kit's name, for people.
    pub name: String,
    /// Real or practice, once and for all.
    pub kind: KitKind,
    /// SHA-256 of the policy in force from the start.
    pub policy: Hash,
    /// SHA-256 of the private attestation root (DER), if the kit accepts one beside Yubico's.
    #[serde(default, deserialize_with = "strict::present", skip_serializing_if = "Option::is_none")]
    pub attestation_root: Option<Hash>,
}

/// Facts of `policy.adopted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyAdopted {
    /// The change that is signed; equal for all who sign the same.
    pub change: Hash,
    /// SHA-256 of the policy's exact bytes.
    pub policy: Hash,
}

/// Facts of `exported`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exported {
    /// Records in the bundle before this one.
    #[serde(deserialize_with = "strict::integer")]
    pub count: u64,
    /// SHA-256 over the bundle's bytes before this line.
    pub bundle: Hash,
    /// Head of each chain in the bundle: sequence number and hash, by chain name (`serial-kid8`).
    #[serde(deserialize_with = "strict::heads")]
    pub heads: BTreeMap<String, (u64, Hash)>,
}

/// Facts of `gap.accepted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GapAccepted {
    /// What is accepted: SHA-256 over the damage and the gaps of the journal as they were (`doc/kit-format.md`). Whatever
    /// comes to it later is not accepted.
    pub damage: Hash,
    /// The person's reason, at most 256 bytes.
    pub why: String,
}

/// Facts of `ledger.anchored`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerAnchored {
    /// SHA-256 of the checkpoint's exact text.
    pub checkpoint: Hash,
    /// The name of the ledger, as the checkpoint's first line gives it; at most 256 bytes.
    pub origin: String,
    /// How many records the ledger held.
    #[serde(deserialize_with = "strict::integer")]
    pub size: u64,
}
