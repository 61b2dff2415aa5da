//! Logins with minted credentials against the records of their minting. A number that no record has was minted outside the
//! tool: somebody signed with the key's slot, or has a key that platforms take for it. Nothing else shows that.

use std::collections::{BTreeMap, BTreeSet};

use super::matching::TOLERANCE;
use super::matching::cover::Covered;
use super::trace::Trace;
use crate::attestation::Serial;
use crate::audit::finding::{Finding, Severity, Sort};
use crate::audit::ledger::{LogCover, Login};
use crate::kit::minted::{bytes_of, identity_of};
use crate::record::event::MintKind;
use crate::record::hash::Hash;

mod claim;
mod fault;

pub(in crate::audit) use claim::sorted;
use claim::{Claim, Index};
use fault::{Fault, Run, fault};

/// Identifiers of what is found of minted credentials alone.
pub const OF_MINTED: [&str; 5] =
    ["LOGIN-NOT-MINTED", "LOGIN-OTHER-ACCOUNT", "LOGIN-NOT-IN-TIME", "LOGIN-REVOKED", "MINT-WITHOUT-LOGIN"];

/// One number of one minting, as its record has it.
#[derive(Debug, Clone)]
pub struct Issue {
    /// What it is.
    pub kind: MintKind,
    /// As platforms name it.
    pub number: String,
    /// As whom it lets somebody in.
    pub accounts: Vec<String>,
    /// The incident.
    pub incident: String,
    /// Who asked.
    pub operator: String,
    /// Thumbprint of the key that got it.
    pub subject: Hash,
    /// From when to when it holds, Unix seconds.
    pub window: (i64, i64),
    /// The record.
    pub record: Hash,
    /// When it was taken back: as claimed, and at the latest; and by which record.
    pub revoked: Option<(i64, i64, Hash)>,
}

/// What the records of one kit say of what it mints.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Fingerprints of the authorities for SSH, as OpenSSH writes them after `SHA256:`.
    pub authorities: BTreeSet<String>,
    /// Serial numbers of the keys that mint.
    pub keys: BTreeSet<Serial>,
    /// User and groups of the client certificates that a policy of the kit allows, or a record names.
    pub names: BTreeSet<Vec<String>>,
    /// Every number.
    pub issues: Vec<Issue>,
}

/// A login, with what it shows.
#[derive(Debug, Clone)]
pub struct MintedLogin {
    /// What the log shows.
    pub trace: Trace,
    /// The login.
    pub login: Login,
}

impl MintedLogin {
    /// Of logins as the ledger keeps them; what is none of a minted credential is left out.
    pub fn of(logins: Vec<Login>) -> Vec<Self> {
        let read = |login: Login| Some(MintedLogin { trace: Trace::parse(&login.credential)?, login });
        logins.into_iter().filter_map(read).collect()
    }
}

/// What the logins show beside the records of one kit.
#[derive(Debug, Default)]
pub struct Judged {
    /// What was found.
    pub findings: Vec<Finding>,
    /// Logins that name nothing of this kit.
    pub others: Vec<MintedLogin>,
}

impl Known {
    /// Everything that logins and mintings of one kit show together. Pure.
    pub fn judge(&self, kit: &Hash, logins: Vec<MintedLogin>, covers: &[LogCover]) -> Judged {
        let index = Index::of(self);
        let mut runs: BTreeMap<(&'static str, String, String), Run> = BTreeMap::new();
        let mut used: BTreeSet<(Hash, &str)> = BTreeSet::new();
        let mut others = Vec::new();
        for one in logins {
            let claim = index.claim(self, &one.trace);
            if let Claim::NotOurs = claim {
                others.push(one);
                continue;
            }
            if !one.login.success {
                continue; // refused: nothing came of it
            }
            if let Claim::Of(issues) = &claim {
                let in_time = issues.iter().filter(|issue| issue.holds(one.login.at));
                used.extend(in_time.map(|issue| (issue.record, issue.number.as_str())));
            }
            let Some(fault) = fault(&claim, &one) else { continue };
            let run = runs.entry((fault.rule, fault.what.clone(), one.login.log.clone()));
            let run = run.or_insert_with(|| Run::new(fault));
            run.logins.push(one.login);
        }
        let mut findings: Vec<Finding> = runs.into_values().map(Run::finding).collect();
        findings.extend(self.unused(&used, covers));
        findings.extend(self.unlogged(covers));
        Judged { findings: findings.into_iter().map(|finding| finding.of(*kit)).collect(), others }
    }

    /// Logins that no kit of the ledger claims, and that show a number of a log in which every number is one of ours.
    pub fn of_no_kit(logins: Vec<MintedLogin>) -> Vec<Finding> {
        let mut runs: BTreeMap<(String, String), Run> = BTreeMap::new();
        for one in logins.into_iter().filter(|one| one.login.success) {
            let (Trace::X509 { number, .. } | Trace::Number { number, .. }) = &one.trace else { continue };
            let why = "no record of any kit in this ledger has that number".to_owned();
            let what = format!("number {number}");
            let run = runs.entry((what.clone(), one.login.log.clone()));
            let run = run.or_insert_with(|| Run::new(Fault::outside(what, why)));
            run.logins.push(one.login);
        }
        runs.into_values().map(Run::finding).collect()
    }

    /// Minted, in a time that logs cover, and not used as far as they show.
    fn unused(&self, used: &BTreeSet<(Hash, &str)>, covers: &[LogCover]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for issue in &self.issues {
            let covered = Covered::of(covers.iter().filter(|cover| shows(cover, issue.kind)));
            if used.contains(&(issue.record, issue.number.as_str()))
                || !covered.holds(issue.window.0, issue.window.1)
            {
                continue;
            }
            let text = format!(
                "{} was minted in {} for {}, and no log that was given shows a login with it",
                issue.named(),
                issue.incident,
                issue.operator
            );
            findings.push(
                Finding::new("MINT-WITHOUT-LOGIN", Sort::Note, Severity::Info, text)
                    .at(issue.window.0)
                    .in_incident(&issue.incident)
                    .on([issue.record]),
            );
        }
        findings
    }

    /// What was minted, and of which no log was given at all.
    fn unlogged(&self, covers: &[LogCover]) -> Vec<Finding> {
        let kinds: BTreeSet<MintKind> = self.issues.iter().map(|issue| issue.kind).collect();
        let unseen = kinds.into_iter().filter(|kind| !covers.iter().any(|cover| shows(cover, *kind)));
        unseen
            .map(|kind| {
                let text = format!("{} were minted, and no log of them was given: what was minted outside the tool cannot be seen", kind.plural());
                Finding::new("LOGIN-UNCOVERED", Sort::NotChecked, Severity::Info, text)
                    .then("breakglass-audit reconcile LOG --format … --minted")
            })
            .collect()
    }
}

/// Whether that log would show what was minted of that kind.
fn shows(cover: &LogCover, kind: MintKind) -> bool {
    let Some(of) = cover.credential.strip_prefix(super::MINTED) else { return false };
    match kind {
        MintKind::Ssh | MintKind::X509 => of == kind.name() || of == "any",
        _ => of == "any",
    }
}

impl Issue {
    fn bytes(&self) -> Option<Vec<u8>> {
        bytes_of(self.kind, &self.number)
    }

    fn identity(&self) -> Option<String> {
        Some(identity_of(self.kind, &self.number, &self.incident, &self.operator)?.text())
    }

    fn holds(&self, at: i64) -> bool {
        (self.window.0.saturating_sub(TOLERANCE)..=self.window.1.saturating_add(TOLERANCE)).contains(&at)
    }

    fn named(&self) -> String {
        format!("{} {}", self.kind.singular(), self.number)
    }
}

#[cfg(test)]
mod tests;
