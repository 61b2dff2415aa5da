//! Whether an opening had the consent that the policy asks for. One judgement for the one who opens, for the check of a
//! kit and for the auditor. Pure.

use std::fmt;

use crate::attestation::Serial;
use crate::kit::name::CredentialName;
use crate::kit::policy::{Approval, Policy};
use crate::record::event::{Event, RequestApproved};
use crate::record::hash::Hash;
use crate::record::token::Record;

/// An opening, as its intent says it.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// `platform/account`.
    pub credential: &'a str,
    /// Which generation.
    pub generation: u64,
    /// Who opens.
    pub operator: &'a str,
    /// Which emergency of the policy.
    pub emergency: &'a str,
    /// The incident.
    pub incident: &'a str,
    /// The claimed time, Unix seconds.
    pub at: i64,
    /// The policy that its record names.
    pub policy: Hash,
    /// The request that it names.
    pub request: Option<Hash>,
}

/// An approval, as its record says it.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// The record.
    pub record: Hash,
    /// Whose key signed it.
    pub serial: Serial,
    /// Its claimed time, Unix seconds.
    pub at: i64,
    /// The incident.
    pub incident: &'a str,
    /// The policy that it names.
    pub policy: Option<Hash>,
    /// What it says.
    pub facts: &'a RequestApproved,
}

impl<'a> Given<'a> {
    /// From the record, if it is an approval.
    pub fn of(record: &'a Record) -> Option<Self> {
        let Event::RequestApproved(facts) = &record.event else { return None };
        Some(Given {
            record: record.hash(),
            serial: record.serial,
            at: record.iat,
            incident: record.txn.as_deref().unwrap_or_default(),
            policy: record.link.policy,
            facts,
        })
    }
}

/// Why an approval does not count for an opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// Signed by who opens, or with a key that they keep.
    BySelf,
    /// Signed with a key whose keeper the policy does not name as an approver, or in another's name.
    NoRole,
    /// For something else: the member that differs, what it says, and what was opened.
    Other(&'static str, String, String),
    /// Under another policy.
    OtherPolicy,
    /// Its time was over, by the claimed times.
    Expired,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::BySelf => f.write_str("it was signed by the one who opens"),
            Flaw::NoRole => f.write_str("the policy does not name the keeper of its key as an approver"),
            Flaw::Other(member, says, opened) => write!(f, "it is for the {member} {says}, not {opened}"),
            Flaw::OtherPolicy => f.write_str("it was given under another policy"),
            Flaw::Expired => f.write_str("it had expired"),
        }
    }
}

/// What the approvals of an opening come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Who approved, each once.
    pub approved: Vec<String>,
    /// Approvals that do not count, and why.
    pub flaws: Vec<(Hash, Flaw)>,
    /// How many the policy asks for.
    pub needs: usize,
    /// Whether an operator may go on with fewer.
    pub may_go_on: bool,
    /// The approvers who have not approved, and could have been asked.
    pub not_asked: Vec<String>,
}

impl Judged {
    /// Whether as many approved as the policy asks for.
    pub fn enough(&self) -> bool {
        self.approved.len() >= self.needs
    }
}

/// Who is to be told of an opening afterwards by the policy. Whoever was passed over is told, too: the record names them.
pub fn to_tell(policy: &Policy, credential: &str, operator: &str) -> Vec<String> {
    let approval = credential.parse::<CredentialName>().ok().map(|name| policy.terms(&name).approval);
    match approval {
        Some(Approval::Notify) => {
            policy.approvers_beside(operator).into_iter().map(|person| person.name.to_string()).collect()
        }
        _ => Vec::new(),
    }
}

/// Judges an opening by the policy it was made under.
pub fn judge(policy: &Policy, opening: &Opening<'_>, given: &[Given<'_>]) -> Judged {
    let mut judged =
        Judged { approved: Vec::new(), flaws: Vec::new(), needs: 0, may_go_on: true, not_asked: Vec::new() };
    let Ok(name) = opening.credential.parse::<CredentialName>() else { return judged };
    let terms = policy.terms(&name);
    (judged.needs, judged.may_go_on) = (terms.approval.number(), terms.open_unapproved);
    for one in given {
        match flaw(policy, opening, one, terms.grant.seconds()) {
            Some(flaw) => judged.flaws.push((one.record, flaw)),
            None if judged.approved.contains(&one.facts.approver) => {}
            None => judged.approved.push(one.facts.approver.clone()),
        }
    }
    let others = policy.approvers_beside(opening.operator).into_iter().map(|person| person.name.to_string());
    judged.not_asked = others.filter(|name| !judged.approved.contains(name)).collect();
    judged
}

fn flaw(policy: &Policy, opening: &Opening<'_>, given: &Given<'_>, grant: i64) -> Option<Flaw> {
    let facts = given.facts;
    let keeper = policy.keeper(given.serial).map(|person| person.name.as_str());
    if facts.approver == opening.operator || keeper == Some(opening.operator) {
        return Some(Flaw::BySelf);
    }
    let approver = policy.approver(given.serial).map(|person| person.name.as_str());
    if approver != Some(facts.approver.as_str()) {
        return Some(Flaw::NoRole);
    }
    let generation = [facts.generation, opening.generation].map(|number| number.to_string());
    let pairs = [
        ("credential", facts.credential.as_str(), opening.credential),
        ("generation", &generation[0], &generation[1]),
        ("operator", &facts.operator, opening.operator),
        ("emergency", &facts.emergency, opening.emergency),
        ("incident", given.incident, opening.incident),
    ];
    if let Some((member, says, opened)) = pairs.into_iter().find(|(_, says, opened)| says != opened) {
        return Some(Flaw::Other(member, says.to_owned(), opened.to_owned()));
    }
    if opening.request != Some(facts.request) {
        let opened = opening.request.map_or("none".to_owned(), |request| request.short());
        return Some(Flaw::Other("request", facts.request.short(), opened));
    }
    if given.policy != Some(opening.policy) {
        return Some(Flaw::OtherPolicy);
    }
    // Whatever the request says, nothing lasts longer than the policy grants from the signature on.
    let until = facts.until.min(given.at.saturating_add(grant));
    (opening.at > until).then_some(Flaw::Expired)
}

#[cfg(test)]
mod tests;
