//! Logins with minted credentials against the records of their minting. A number that no record has was minted outside the
//! tool: somebody signed with the key's slot, or has a key that platforms take for it. Nothing else shows that.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::matching::cover::Covered;
use super::matching::{TOLERANCE, time};
use super::trace::{Trace, parts};
use crate::attestation::Serial;
use crate::audit::finding::{Finding, Severity, Sort};
use crate::audit::ledger::{LogCover, Login};
use crate::kit::minted::{bytes_of, identity_of};
use crate::mint::{Numbers, of_decimal, spellings};
use crate::record::event::MintKind;
use crate::record::hash::Hash;

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

/// What a trace is to one kit.
enum Claim<'a> {
    /// Of another kit, or of none.
    NotOurs,
    /// It names this kit, and nothing that it minted.
    Outside(String),
    /// What it minted with that number, or all that it minted under that name.
    Of(Vec<&'a Issue>),
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
        let mut runs: BTreeMap<(&'static str, String), Run> = BTreeMap::new();
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
            let run = runs.entry((fault.rule, fault.what.clone())).or_insert_with(|| Run::new(fault));
            run.logins.push(one.login);
        }
        let mut findings: Vec<Finding> = runs.into_values().map(Run::finding).collect();
        findings.extend(self.unused(&used, covers));
        findings.extend(self.unlogged(covers));
        Judged { findings: findings.into_iter().map(|finding| finding.of(*kit)).collect(), others }
    }

    /// Logins that no kit of the ledger claims, and that show a number of a log in which every number is one of ours.
    pub fn of_no_kit(logins: Vec<MintedLogin>) -> Vec<Finding> {
        let mut runs: BTreeMap<String, Run> = BTreeMap::new();
        for one in logins.into_iter().filter(|one| one.login.success) {
            let (Trace::X509 { number, .. } | Trace::Number { number, .. }) = &one.trace else { continue };
            let why = "no record of any kit in this ledger has that number".to_owned();
            let what = format!("number {number}");
            let run = runs.entry(what.clone()).or_insert_with(|| Run::new(Fault::outside(what, why)));
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

/// By number, and by what a certificate says of itself.
struct Index<'a> {
    bytes: BTreeMap<Vec<u8>, Vec<&'a Issue>>,
    texts: BTreeMap<String, Vec<&'a Issue>>,
}

impl<'a> Index<'a> {
    fn of(known: &'a Known) -> Self {
        let mut index = Index { bytes: BTreeMap::new(), texts: BTreeMap::new() };
        for issue in &known.issues {
            if let Some(bytes) = issue.bytes() {
                index.bytes.entry(bytes).or_default().push(issue);
            }
            let texts = [Some(issue.number.clone()), issue.identity()];
            for text in texts.into_iter().flatten() {
                index.texts.entry(text).or_default().push(issue);
            }
        }
        index
    }

    /// What was minted with that number.
    fn by_number(&self, number: &str, kinds: &[MintKind]) -> Vec<&'a Issue> {
        let mut found: Vec<&Issue> = Vec::new();
        for bytes in spellings(number) {
            found.extend(self.bytes.get(&bytes).into_iter().flatten());
        }
        found.retain(|issue| kinds.contains(&issue.kind));
        found
    }

    fn claim(&self, known: &Known, trace: &Trace) -> Claim<'a> {
        match trace {
            Trace::Ssh { number, authority, .. } => {
                if !known.authorities.contains(authority) {
                    return Claim::NotOurs;
                }
                // sshd writes it in decimal.
                let bytes = of_decimal(number);
                let found = bytes.and_then(|bytes| self.bytes.get(&bytes)).into_iter().flatten();
                let found: Vec<&Issue> = found.copied().filter(|issue| issue.kind == MintKind::Ssh).collect();
                match found.is_empty() {
                    true => Claim::Outside("no record has that number".into()),
                    false => Claim::Of(found),
                }
            }
            Trace::X509 { number, .. } => match self.by_number(number, &[MintKind::X509]) {
                found if !found.is_empty() => Claim::Of(found),
                _ if spellings(number).iter().any(|bytes| known.made(bytes)) => {
                    Claim::Outside("it names a key of this kit, and no record has that number".into())
                }
                _ => Claim::NotOurs,
            },
            Trace::Name(name) => self.by_name(known, name),
            Trace::Number { number, .. } => {
                let by_text = self.texts.get(number).cloned().unwrap_or_default();
                match (by_text, self.by_number(number, &[MintKind::Ssh, MintKind::X509])) {
                    (found, _) | (_, found) if !found.is_empty() => Claim::Of(found),
                    _ if known.named(number) => {
                        Claim::Outside("it names a key of this kit, and no record has that number".into())
                    }
                    _ => Claim::NotOurs,
                }
            }
        }
    }

    fn by_name(&self, known: &Known, name: &str) -> Claim<'a> {
        let parts = parts(name);
        let all = |of: &'static str| {
            parts.iter().filter(move |(key, _)| *key == of).map(|(_, value)| (*value).to_owned())
        };
        let accounts = sorted(&all("CN").chain(all("O")).collect::<Vec<String>>());
        if !known.names.contains(&accounts) {
            return Claim::NotOurs;
        }
        let incident = all("OU").next().unwrap_or_default();
        let of_it = |issue: &&Issue| {
            issue.kind == MintKind::X509 && issue.incident == incident && sorted(&issue.accounts) == accounts
        };
        let mut found: Vec<&Issue> = self.texts.values().flatten().copied().filter(of_it).collect();
        found.sort_by_key(|issue| (issue.window, &issue.number));
        match found.is_empty() {
            true => Claim::Outside(format!(
                "no certificate for {} was minted in {incident:?}",
                accounts.join(" ")
            )),
            false => Claim::Of(found),
        }
    }
}

/// User first, then groups in their order: as `names` of [`Known`] has them.
pub(in crate::audit) fn sorted(accounts: &[String]) -> Vec<String> {
    let mut accounts = accounts.to_vec();
    let rest = 1.min(accounts.len());
    accounts[rest..].sort_unstable();
    accounts
}

impl Known {
    /// Whether a number of an X.509 certificate names a key of this kit.
    fn made(&self, bytes: &[u8]) -> bool {
        Numbers::of_x509(bytes).is_some_and(|numbers| self.keys.contains(&numbers.key))
    }

    /// Whether any text does: a number, or a key id.
    fn named(&self, number: &str) -> bool {
        let of_ssh = |bytes: &[u8]| {
            Numbers::of_ssh_bytes(bytes).is_some_and(|numbers| self.keys.contains(&numbers.key))
        };
        let by_number = |bytes: Vec<u8>| self.made(&bytes) || of_ssh(&bytes);
        let by_identity = number.strip_prefix("bg|").and_then(|rest| rest.rsplit_once("|rec="));
        let key = by_identity.and_then(|(_, place)| place.split('/').next()?.parse().ok());
        key.is_some_and(|key| self.keys.contains(&Serial(key)))
            || spellings(number).into_iter().any(by_number)
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

/// What is wrong with a login.
#[derive(Debug)]
struct Fault {
    rule: &'static str,
    severity: Severity,
    certain: bool,
    /// `SSH certificate 99265284112391`.
    what: String,
    why: String,
    incident: Option<String>,
    records: Vec<Hash>,
}

impl Fault {
    fn outside(what: String, why: String) -> Self {
        let (rule, severity) = ("LOGIN-NOT-MINTED", Severity::Critical);
        Fault { rule, severity, certain: true, what, why, incident: None, records: Vec::new() }
    }
}

/// What is wrong with a login, if anything is.
fn fault(claim: &Claim<'_>, one: &MintedLogin) -> Option<Fault> {
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
    let contradictions: Vec<Contradiction> =
        issues.iter().filter_map(|issue| issue.contradicted(&one.trace)).collect();
    let issue = issues.iter().find(|issue| issue.holds(at)).or(issues.last())?;
    let of = |rule, severity, certain, why| Fault {
        rule,
        severity,
        certain,
        what: shown.clone(),
        why,
        incident: Some(issue.incident.clone()),
        records: vec![issue.record],
    };
    if contradictions.len() == issues.len() {
        return contradictions.into_iter().next().map(|contradiction| match contradiction {
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
    let good: Vec<&&Issue> = issues.iter().filter(|issue| issue.holds(at)).collect();
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

/// Logins with one fault.
struct Run {
    fault: Fault,
    logins: Vec<Login>,
}

impl Run {
    fn new(fault: Fault) -> Self {
        Run { fault, logins: Vec::new() }
    }

    fn finding(mut self) -> Finding {
        self.logins.sort_by_key(|login| login.at);
        let Fault { rule, severity, certain, what, why, incident, records } = self.fault;
        let (first, last) = (&self.logins[0], &self.logins[self.logins.len() - 1]);
        let from = first.from.as_deref().map(|from| format!(" from {from}")).unwrap_or_default();
        let more = match self.logins.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more until {}", time(last.at)),
        };
        let text =
            format!("a login with {what} at {}{from}{more} (log {}): {why}", time(first.at), first.log);
        let next = match rule {
            "LOGIN-NOT-MINTED" => {
                "find out who logged in; then  breakglass revoke --altogether --key SERIAL --why …  in the kit whose key it names, and install what it exports"
            }
            "LOGIN-OTHER-ACCOUNT" => "find out who logged in, and why the platform takes it for that account",
            "LOGIN-NOT-IN-TIME" => "find out who logged in; set the clock of that platform",
            _ => "install the lists that  breakglass trust export  writes",
        };
        let finding = Finding::new(rule, Sort::Wrong, severity, text).on(records).at(first.at).then(next);
        let finding = finding.possibly_if(!certain);
        match incident {
            Some(incident) => finding.in_incident(incident),
            None => finding,
        }
    }
}

#[cfg(test)]
mod tests;
