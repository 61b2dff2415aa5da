//! Who may decide what, and whether it was decided so.

use std::collections::{BTreeMap, BTreeSet};

use super::count;
use crate::audit::assess::{Case, Told};
use crate::audit::finding::{Finding, Severity, Sort};
use crate::audit::time::At;
use crate::kit::policy::Policy;
use crate::kit::roster::{Change, Roster, RosterError, Standing};
use crate::record::hash::Hash;

/// A policy that was in force is not in the ledger: who had a right to what cannot be told.
pub(super) fn policy_missing(case: &Case, _: &Told) -> Vec<Finding> {
    let Err(error) = &case.roster else { return Vec::new() };
    let RosterError::PolicyMissing(hash) = error else { return Vec::new() };
    let file = hex::encode(hash.0);
    let text = format!(
        "the policy {}… was in force and the ledger has not its bytes: who belonged, and whether openings were allowed, was not checked",
        &file[..8]
    );
    let finding = Finding::new("POLICY-MISSING", Sort::CannotCheck, Severity::High, text);
    vec![finding.on([case.kit]).then(format!("breakglass-audit import KIT/policy/{file}.toml"))]
}

/// Records that name a policy which was not in force where they were written.
pub(super) fn policy_not_in_force(case: &Case, _: &Told) -> Vec<Finding> {
    let Ok(roster) = &case.roster else { return Vec::new() };
    let terms = Terms::of(case, roster);
    let mut never: BTreeMap<Hash, Vec<At>> = BTreeMap::new();
    let mut stale: BTreeMap<(u32, Hash), Vec<At>> = BTreeMap::new();
    for at in case.all().filter(|at| case.belongs(*at)) {
        // These are written before a policy is in force as well.
        let early = ["key.enrolled", "kit.founded", "key.pin-changed", "exported"];
        let Some(policy) = case.policy_of(at) else { continue };
        if policy == roster.policy && roster.policies.len() == 1
            || early.contains(&case.records.event[at as usize])
        {
            continue;
        }
        match terms.at(case, at, &policy) {
            Term::InForce => {}
            Term::Never => never.entry(policy).or_default().push(at),
            Term::Replaced => stale.entry((case.records.chain[at as usize], policy)).or_default().push(at),
        }
    }
    let short = |policy: &Hash| hex::encode(&policy.0[..4]);
    let told = |records: &[At], severity, text| {
        Finding::new("POLICY-NOT-IN-FORCE", Sort::Wrong, severity, text)
            .on(case.hashes(records))
            .at(case.claimed(records[0]))
    };
    let mut findings: Vec<Finding> = never
        .iter()
        .map(|(policy, records)| {
            let text = format!(
                "{}, from {} on, name the policy {}…, which was never in force in this kit",
                count(records.len() as u64, "record"),
                case.named(records[0]),
                short(policy)
            );
            told(records, Severity::High, text)
        })
        .collect();
    findings.extend(stale.iter().map(|((_, policy), records)| {
        let text = format!(
            "{}, from {} on, name the policy {}… although their key knew that another had been put in its place",
            count(records.len() as u64, "record"),
            case.named(records[0]),
            short(policy)
        );
        told(records, Severity::Medium, text)
    }));
    findings
}

/// When each policy was in force, by the records that put it there.
struct Terms {
    /// Policies in the order in which they came into force, with those records.
    policies: Vec<(Hash, Option<At>)>,
}

enum Term {
    InForce,
    Never,
    Replaced,
}

impl Terms {
    fn of(case: &Case, roster: &Roster) -> Self {
        let find = |name: &str, seq: u64| {
            let chain = case.chains.iter().find(|chain| {
                chain.name == name && roster.keys.get(&chain.key).is_some_and(|m| m.chain == chain.name)
            })?;
            case.of_chain(chain).find(|at| case.seq(*at) == seq)
        };
        let policies = roster.policies.iter();
        Terms { policies: policies.map(|(hash, (chain, seq))| (*hash, find(chain, *seq))).collect() }
    }

    fn at(&self, case: &Case, at: At, policy: &Hash) -> Term {
        let Some(newest) = self.policies.iter().rposition(|(hash, _)| hash == policy) else {
            return Term::Never;
        };
        let replaced = self.policies.get(newest + 1).and_then(|(_, by)| *by);
        match replaced.is_some_and(|by| case.knew(at, by)) {
            true => Term::Replaced,
            false => Term::InForce,
        }
    }
}

/// The policy in force, if it is known.
fn in_force(case: &Case) -> Option<&Policy> {
    case.policies.get(&case.roster.as_ref().ok()?.policy)
}

/// Records that name another organisation's issuer than any policy of the kit.
pub(super) fn record_issuer(case: &Case, _: &Told) -> Vec<Finding> {
    let Ok(roster) = &case.roster else { return Vec::new() };
    let policies = || roster.policies.iter().filter_map(|(hash, _)| case.policies.get(hash));
    let mut findings = Vec::new();
    for ((_, issuer), (first, records)) in &case.issuers {
        let issuer = case.names.get(*issuer);
        if !case.belongs(*first) || policies().any(|policy| policy.issuer == issuer) {
            continue;
        }
        let text = format!(
            "{}, from {} on, name the issuer {issuer}, which no policy of this kit does",
            count(*records, "record"),
            case.named(*first)
        );
        findings.push(
            Finding::new("RECORD-ISSUER", Sort::Wrong, Severity::Medium, text)
                .on([case.hash(*first)])
                .at(case.claimed(*first)),
        );
    }
    findings
}

/// The policy in force contradicts the founding on whether the kit is real.
pub(super) fn policy_kind(case: &Case, _: &Told) -> Vec<Finding> {
    let (Some(policy), Some(founded)) = (in_force(case), &case.founded) else { return Vec::new() };
    let text = "the policy in force contradicts the founding record on whether this kit is real or practice";
    match policy.kind == founded.kind {
        true => Vec::new(),
        false => vec![Finding::new("POLICY-KIND", Sort::Wrong, Severity::Critical, text).on([case.kit])],
    }
}

/// The policy in force names another private attestation root than the founding.
pub(super) fn policy_root(case: &Case, _: &Told) -> Vec<Finding> {
    let (Some(policy), Some(founded)) = (in_force(case), &case.founded) else { return Vec::new() };
    let text = "the policy in force names another private attestation root than the founding record";
    match policy.attestation_root.as_deref().map(Hash::of) == founded.attestation_root {
        true => Vec::new(),
        false => vec![Finding::new("POLICY-ROOT", Sort::Wrong, Severity::Critical, text).on([case.kit])],
    }
}

/// Votes on keys and policy that their signers had no right to.
pub(super) fn roster_irregular(case: &Case, _: &Told) -> Vec<Finding> {
    let Ok(roster) = &case.roster else {
        let Err(RosterError::FoundedTwice(chains)) = &case.roster else { return Vec::new() };
        let text = format!("{} each claim to have founded this kit", chains.join(" and "));
        return vec![Finding::new("ROSTER-IRREGULAR", Sort::Wrong, Severity::Critical, text).on([case.kit])];
    };
    roster
        .irregular
        .iter()
        .map(|irregular| {
            let (name, seq) = &irregular.at;
            let of_name = case.chains.iter().filter(|chain| chain.name == *name);
            let at = of_name.flat_map(|chain| case.of_chain(chain)).find(|at| case.seq(*at) == *seq);
            let text = format!("record {name}/{seq}: {}; it does not count", irregular.what);
            let finding = match irregular.is_lacking() {
                true => Finding::new("ROSTER-IRREGULAR", Sort::CannotCheck, Severity::High, text)
                    .then("breakglass-audit import   of the bundle that begins with that key's enrolment"),
                false => Finding::new("ROSTER-IRREGULAR", Sort::Wrong, Severity::High, text),
            };
            match at {
                Some(at) => finding.on([case.hash(at)]).at(case.claimed(at)),
                None => finding,
            }
        })
        .collect()
}

/// Changes of keys or policy that lack signatures.
pub(super) fn change_pending(case: &Case, _: &Told) -> Vec<Finding> {
    let Ok(roster) = &case.roster else { return Vec::new() };
    let serial = |key| {
        roster.keys.get(key).map_or_else(|| "an unknown key".to_owned(), |m| m.enrolled.serial.to_string())
    };
    // Of an admission whose enrolment is lacking, ROSTER-IRREGULAR tells: no further signature helps it.
    let lacking = |change: &Change| match change {
        Change::Admit { key, enrolment } => {
            roster.keys.get(key).is_none_or(|member| member.enrolment != *enrolment)
        }
        _ => false,
    };
    roster
        .pending
        .iter()
        .filter(|pending| !(pending.wanting.is_nothing() && lacking(&pending.change)))
        .map(|pending| {
            let what = match &pending.change {
                Change::Admit { key, .. } => format!("admit {}", serial(key)),
                Change::Retire { key, .. } => format!("retire {}", serial(key)),
                Change::Adopt { policy } => format!("adopt the policy {}…", hex::encode(&policy.0[..4])),
            };
            let signers: Vec<String> = pending.signers.iter().map(serial).collect();
            let text = format!(
                "{what}: {} of {} signatures ({}){}; it has no effect",
                signers.len(),
                pending.needs,
                signers.join(", "),
                pending.wanting.beside_the_count()
            );
            Finding::new("CHANGE-PENDING", Sort::Due, Severity::Low, text)
                .then("the rest of the quorum signs it, or a policy is adopted that ends it")
        })
        .collect()
}

/// Keys that have retired each other.
pub(super) fn key_frozen(case: &Case, _: &Told) -> Vec<Finding> {
    of_standing(case, Standing::Frozen)
        .map(|(serial, enrolment)| {
            let text = format!("key {serial} is frozen: it and another key have retired each other");
            Finding::new("KEY-FROZEN", Sort::Due, Severity::High, text)
                .on([enrolment])
                .then(format!("breakglass key admit {serial}   or   breakglass key retire {serial} --why …"))
        })
        .collect()
}

/// Keys that are enrolled and not admitted.
pub(super) fn key_not_admitted(case: &Case, _: &Told) -> Vec<Finding> {
    let Ok(roster) = &case.roster else { return Vec::new() };
    let asked: BTreeSet<Hash> = roster
        .pending
        .iter()
        .filter_map(|pending| match &pending.change {
            Change::Admit { enrolment, .. } => Some(*enrolment),
            _ => None,
        })
        .collect();
    of_standing(case, Standing::Enrolled)
        .filter(|(_, enrolment)| !asked.contains(enrolment))
        .map(|(serial, enrolment)| {
            let text = format!("key {serial} is enrolled and not admitted: it opens nothing of this kit");
            Finding::new("KEY-NOT-ADMITTED", Sort::Note, Severity::Low, text).on([enrolment])
        })
        .collect()
}

fn of_standing(case: &Case, standing: Standing) -> impl Iterator<Item = (crate::attestation::Serial, Hash)> {
    let members = case.roster.iter().flat_map(|roster| roster.keys.values());
    members
        .filter(move |member| member.standing == standing)
        .map(|member| (member.enrolled.serial, member.enrolment))
}
