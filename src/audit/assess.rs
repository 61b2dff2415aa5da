//! One kit as its records show it: read once from the ledger, judged by the rules, told as an [`Assessment`].

use std::collections::BTreeMap;

use super::assessment::{Assessment, CredentialState, Drill, Incident, KeyStatement, Outside};
use super::finding::{Finding, Sort};
use super::ledger::{Evidence, LedgerError, Trust};
use super::reconcile::MintedLogin;
use super::{reconcile, rules};
use crate::kit::words::kit_words;
use crate::record::event::KitKind;
use crate::record::hash::Hash;

pub mod case;
pub mod consents;
mod credentials;
mod debts;
mod drills;
mod exposed;
pub mod facts;
mod gather;
mod governance;
pub mod handed;
mod incidents;
mod keys;
pub mod mints;
pub mod names;
mod periods;
mod reader;
mod weave;

pub use case::Case;
pub use consents::judged_by;
pub use incidents::pin_changed;
pub use keys::unchecked;

/// What the records of that kit come to, at that time by the auditor's clock.
///
/// Reads the records twice, those that say what the kit is first, and keeps a few words for each.
///
/// # Errors
/// Those of the ledger. A kit that no record names gives an assessment of nothing.
pub fn assess(evidence: &mut dyn Evidence, kit: &Hash, now: i64) -> Result<Assessment, LedgerError> {
    let mut case = gather::gather(evidence, kit, now)?;
    let told = Told::of(&case);
    let mut findings = rules::of_kit(&case, &told);
    let (logins, covers) = &case.logins;
    // Where no log was given, that is told once for each credential, not for each opening.
    if !(logins.is_empty() && covers.is_empty()) {
        findings.extend(reconcile::findings(kit, &told.incidents, logins, covers));
    }
    let names = told.credentials.iter().map(|credential| credential.name.as_str());
    findings.extend(reconcile::unlogged(kit, names, covers));
    findings.extend(told_by_logs(&mut case).findings);
    sort(&mut findings);
    Ok(Assessment {
        kit: *kit,
        name: case.founded.as_ref().map(|founded| founded.name.clone()).unwrap_or_default(),
        kind: case.founded.as_ref().map_or(KitKind::Real, |founded| founded.kind),
        words: kit_words(kit).join(" "),
        trusted: trusted(&case),
        at: now,
        records: case.records.hash.len() as u64 + case.bad.len() as u64,
        findings,
        incidents: told.incidents,
        outside: outside(&case),
        keys: told.keys,
        credentials: told.credentials,
        drills: told.drills,
    })
}

/// What of incidents keys signed that did not belong, or no more.
fn outside(case: &Case) -> Vec<Outside> {
    let told = |one: &facts::Outside| Outside {
        record: case.place(one.at),
        event: case.records.event[one.at as usize],
        incident: case.names.get(one.incident).to_owned(),
        what: one.what.as_deref().map(str::to_owned),
    };
    case.outside.iter().map(told).collect()
}

/// What is wrong with the ledger as a whole: lines that are no records, bundles that were cut, keys of no kit.
///
/// # Errors
/// Those of the ledger.
pub fn ledger_findings(evidence: &mut dyn Evidence, now: i64) -> Result<Vec<Finding>, LedgerError> {
    let mut findings = rules::of_ledger(&rules::ledger::Books::read(evidence, now)?);
    findings.extend(of_no_kit(evidence, now)?);
    sort(&mut findings);
    Ok(findings)
}

/// What logins with minted credentials show of this kit.
fn told_by_logs(case: &mut Case) -> reconcile::Judged {
    let (logins, covers) = std::mem::take(&mut case.minted_logins);
    mints::known(case).judge(&case.kit, MintedLogin::of(logins), &covers)
}

/// Logins with minted credentials that name no kit of the ledger. Where there are none, nothing is read.
fn of_no_kit(evidence: &mut dyn Evidence, now: i64) -> Result<Vec<Finding>, LedgerError> {
    let (logins, _) = evidence.minted_logins()?;
    let mut left = MintedLogin::of(logins);
    for row in evidence.kits()? {
        if left.is_empty() {
            break;
        }
        let case = gather::gather(evidence, &row.kit, now)?;
        left = mints::known(&case).judge(&row.kit, left, &[]).others;
    }
    Ok(reconcile::Known::of_no_kit(left))
}

/// What people are told of a kit, and some rules rest on.
#[derive(Debug)]
pub struct Told {
    /// Oldest first.
    pub incidents: Vec<Incident>,
    /// By serial number.
    pub keys: Vec<KeyStatement>,
    /// By name.
    pub credentials: Vec<CredentialState>,
    /// Oldest first.
    pub drills: Vec<Drill>,
    /// Openings for which approvals were asked or given, as the incidents tell them.
    pub consents: Vec<consents::Weighed>,
}

impl Told {
    /// Derives it.
    pub fn of(case: &Case) -> Self {
        let incidents = incidents::incidents(case);
        Told {
            consents: consents::consents(case, &incidents),
            incidents,
            keys: keys::keys(case),
            credentials: credentials::credentials(case),
            drills: drills::drills(case),
        }
    }
}

/// The gravest first: by sort, by weight, what is certain before what is possible, then by rule.
fn sort(findings: &mut [Finding]) {
    findings.sort_by(|one, other| {
        let key = |finding: &Finding| {
            (finding.sort, finding.severity, finding.claim != super::finding::Claim::Certain, finding.rule)
        };
        key(one).cmp(&key(other))
    });
}

/// Who the auditor said may vouch for the kit.
fn trusted(case: &Case) -> Option<String> {
    let day = |at: i64| super::time::day(at);
    match case.row.trust.as_ref()? {
        (Trust::Words, at) => Some(format!("the kit words were compared on {}", day(*at))),
        (Trust::Pinned(keys), at) => {
            let count = keys.len();
            let s = if count == 1 { "" } else { "s" };
            Some(format!("{count} key{s} given on {}", day(*at)))
        }
    }
}

/// How many findings are of each sort, in the order of reports.
pub fn tally(findings: &[Finding]) -> BTreeMap<Sort, usize> {
    let mut tally = BTreeMap::new();
    for finding in findings {
        *tally.entry(finding.sort).or_default() += 1;
    }
    tally
}
