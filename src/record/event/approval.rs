//! What records say of approvals: that an approver said yes to a request, and what an opening rests on beside the word of
//! the one who opens. Evidence, not a lock.

use serde::{Deserialize, Serialize};

use crate::record::hash::Hash;
use crate::record::strict;

/// Facts of `request.approved`. The record's `txn` is the incident. The request itself is a file; its hash stands for all
/// that it says, also for the number of the document by which the operator was known, which is in no record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestApproved {
    /// SHA-256 of the request's exact bytes.
    pub request: Hash,
    /// `platform/account`.
    pub credential: String,
    /// Which generation.
    #[serde(deserialize_with = "strict::integer")]
    pub generation: u64,
    /// Which emergency of the policy.
    pub emergency: String,
    /// Who asks, by the name in the policy.
    pub operator: String,
    /// In their words, at most 256 bytes.
    pub reason: String,
    /// How they were known: the kind of document, or that the one who saw them knows them.
    pub document: String,
    /// Who saw them, by the name in the policy.
    pub seen_by: String,
    /// Until when it may be used, Unix seconds.
    #[serde(deserialize_with = "strict::time")]
    pub until: i64,
    /// Who says yes, by the name in the policy: the keeper of the key that signs.
    pub approver: String,
}

/// What an opening rests on beside the operator's own word: `consent` of `open.intent`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// SHA-256 of the request; there where something approves it.
    #[serde(default, deserialize_with = "strict::present", skip_serializing_if = "Option::is_none")]
    pub request: Option<Hash>,
    /// The `request.approved` records, by hash.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Hash>,
    /// Where too few approved and the policy lets the operator go on: the approvers who did not, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
}

impl Consent {
    /// Whether it says something, and names a request where it names approvals of one, and only there.
    pub(in crate::record) fn is_whole(&self) -> bool {
        self.request.is_some() != self.approvals.is_empty()
            && !(self.approvals.is_empty() && self.skipped.is_empty())
    }
}
