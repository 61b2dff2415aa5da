//! What is wrong with a login that shows a minted credential, and how it is told.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::claim::Claim;
use super::{Issue, MintedLogin};
use crate::audit::finding::{Finding, Severity, Sort};
use crate::audit::ledger::Login;
use crate::audit::reconcile::matching::{TOLERANCE, occasions, time};
use crate::audit::reconcile::trace::{Trace, parts};
use crate::record::hash::Hash;

/// What is wrong with a login.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) rule: &'static str,
    severity: Severity,
    certain: bool,
    /// `SSH certificate 99265284112391`.
    pub(super) what: String,
    why: String,
    incident: Option<String>,
    records: Vec<Hash>,
}

impl Fault {
    pub(super) fn outside(what: String, why: String) -> Self {
        let (rule, severity) = ("LOGIN-NOT-MINTED", Severity::Critical);
        Fault { rule, severity, certain: true, what, why, incident: None, records: Vec::new() }
    }
}

/// What is wrong with a login, if anything is.
pub(super) fn fault(claim: &Claim<'_>, one: &MintedLogin) -> Option<Fault> {
    let shown = match &one.trace {
        Trace::Ssh { number, .. } => format!("SSH certificate {number}"),
        Trace::X509 { number, .. } => format!("client certificate {number}"),
        Trace::Name(name) => format!("client certificate of {name}"),
        Trace::Number { number, .. } => format!("number {number}"),
    };
    let issues = match claim {
        Claim::NotOurs => return None,
        Claim::Outside(why) => return Some(Fault::outside(shown, why.clone())),
        Claim::Of(issues) => issues,
    };
    let at = one.login.at;
    let fitting: Vec<&Issue> =
        issues.iter().copied().filter(|issue| issue.contradicted(&one.trace).is_none()).collect();
    // What it did not come by says nothing of when it held.
    let candidates = if fitting.is_empty() { issues } else { &fitting };
    let issue = candidates.iter().find(|issue| issue.holds(at)).or(candidates.last())?;
    let of = |rule, severity, certain, why| Fault {
        rule,
        severity,
        certain,
        what: shown.clone(),
        why,
        incident: Some(issue.incident.clone()),
        records: vec![issue.record],
    };
    if fitting.is_empty() {
        return issue.contradicted(&one.trace).map(|contradiction| match contradiction {
            Contradiction::Another(why) => {
                let text = format!("{why}: it is another certificate with that number");
                of("LOGIN-NOT-MINTED", Severity::Critical, true, text)
            }
            Contradiction::Account(account) => {
                let text = format!(
                    "as {account}, and its record says {}, in {}",
                    issue.accounts.join(" "),
                    issue.incident
                );
                of("LOGIN-OTHER-ACCOUNT", Severity::High, true, text)
            }
        });
    }
    if !issue.holds(at) {
        let text = format!(
            "which held from {} to {}: a platform let in what had ended, or had not begun",
            time(issue.window.0),
            time(issue.window.1)
        );
        return Some(of("LOGIN-NOT-IN-TIME", Severity::High, true, text));
    }
    // Under one name several may be good: all of them must have been taken back.
    let good: Vec<&&Issue> = fitting.iter().filter(|issue| issue.holds(at)).collect();
    let after =
        |issue: &&&Issue| issue.revoked.filter(|(claimed, ..)| at > claimed.saturating_add(TOLERANCE));
    if !good.is_empty() && good.iter().all(|issue| after(issue).is_some()) {
        let (claimed, latest, record) = after(good.last()?)?;
        let text = format!("which was taken back at {}: the list is not installed there", time(claimed));
        let mut fault = of("LOGIN-REVOKED", Severity::High, at > latest.saturating_add(TOLERANCE), text);
        fault.records.push(record);
        return Some(fault);
    }
    None
}

impl Issue {
    /// Why a login that shows this number did not come by what was minted with it.
    fn contradicted(&self, trace: &Trace) -> Option<Contradiction> {
        match trace {
            Trace::Ssh { identity, subject, .. } => {
                if self.identity().as_ref() != Some(identity) {
                    let why = format!("its record has another key id than {identity:?}");
                    return Some(Contradiction::Another(why));
                }
                let recorded = STANDARD_NO_PAD.encode(self.subject.0);
                (*subject != recorded)
                    .then(|| Contradiction::Another("its record names another key that got it".into()))
            }
            Trace::X509 { name, .. } if !name.is_empty() => {
                let parts = parts(name);
                let first = |of: &str| parts.iter().find(|(key, _)| *key == of).map(|(_, value)| *value);
                let fits = first("CN") == self.accounts.first().map(String::as_str)
                    && first("OU") == Some(self.incident.as_str());
                (!fits).then(|| Contradiction::Account(name.clone()))
            }
            Trace::Number { account, .. } if !account.is_empty() => {
                let own = [self.operator.clone(), format!("{}@{}", self.operator, self.incident)];
                let fits = self.accounts.contains(account) || own.contains(account);
                (!fits).then(|| Contradiction::Account(account.clone()))
            }
            Trace::X509 { .. } | Trace::Name(_) | Trace::Number { .. } => None,
        }
    }
}

/// What speaks against the number that a login shows.
enum Contradiction {
    /// It is another credential with that number.
    Another(String),
    /// It let somebody in as somebody else.
    Account(String),
}

/// Logins with one fault, of one log.
pub(super) struct Run {
    fault: Fault,
    pub(super) logins: Vec<Login>,
}

impl Run {
    pub(super) fn new(fault: Fault) -> Self {
        Run { fault, logins: Vec::new() }
    }

    pub(super) fn finding(mut self) -> Finding {
        self.logins.sort_by_key(|login| login.at);
        let Fault { rule, severity, certain, what, why, incident, records } = self.fault;
        let run: Vec<&Login> = self.logins.iter().collect();
        let (at, text) = (run[0].at, format!("a login with {what} {}: {why}", occasions(&run)));
        let next = match rule {
            "LOGIN-NOT-MINTED" => {
                "find out who logged in; then  breakglass revoke --altogether --key SERIAL --why …  in the kit whose key it names, and install what it exports"
            }
            "LOGIN-OTHER-ACCOUNT" => "find out who logged in, and why the platform takes it for that account",
            "LOGIN-NOT-IN-TIME" => "find out who logged in; set the clock of that platform",
            _ => "install the lists that  breakglass trust export  writes",
        };
        let finding = Finding::new(rule, Sort::Wrong, severity, text).on(records).at(at).then(next);
        let finding = finding.possibly_if(!certain);
        match incident {
            Some(incident) => finding.in_incident(incident),
            None => finding,
        }
    }
}
