//! Whether what was minted is what the policy and the key allow, and came to its end on record.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::VerifyingKey;

use crate::attestation::Serial;
use crate::audit::assess::mints::{Issued, Mint, minting_keys};
use crate::audit::assess::{Case, Told, judged_by};
use crate::audit::finding::{Finding, Severity, Sort};
use crate::audit::time::{At, TOLERANCE};
use crate::kit::debts::quoted;
use crate::kit::policy::Policy;
use crate::mint::jwt::TokenId;
use crate::mint::x509::{Authority, Signed, SignedList};
use crate::mint::{BACKDATED, Numbers};
use crate::record::event::MintKind;

/// A finding about an intent.
fn about(case: &Case, mint: &Mint, rule: &'static str, severity: Severity, text: String) -> Finding {
    case.found(mint.at, mint.incident, Finding::new(rule, Sort::Wrong, severity, text))
}

/// `record 1-ab/3, jump-hosts, SSH certificate 85899771289337864`.
fn minting(case: &Case, mint: &Mint) -> String {
    let numbers = match &mint.facts.numbers[..] {
        [] => "without a number".to_owned(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    };
    format!("{}, {}, {} {numbers}", case.named(mint.at), mint.facts.rule, mint.facts.kind.singular())
}

/// A minting that was begun and of which no record tells the end: it may exist all the same.
pub(super) fn mint_no_outcome(case: &Case, _: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    for mint in case.mints.intents.iter().filter(|mint| mint.issued.is_none()) {
        let text = format!("{}: no record tells the end: it may exist all the same", minting(case, mint));
        let facts = &mint.facts;
        let numbers: Vec<String> = facts.numbers.iter().map(|number| quoted(number)).collect();
        let taken_back = facts.numbers.iter().all(|number| mint.revocations(case, number).next().is_some());
        let finding = match taken_back || facts.until < case.now {
            true => Finding::new("MINT-NO-OUTCOME", Sort::Note, Severity::Low, text),
            false => Finding::new("MINT-NO-OUTCOME", Sort::Due, Severity::High, text)
                .then(format!("breakglass revoke {} --why …", numbers.join(" "))),
        };
        findings.push(case.found(mint.at, mint.incident, finding.possibly()));
    }
    findings
}

/// An outcome whose intent the ledger has not.
pub(super) fn mint_intent_lacking(case: &Case, _: &Told) -> Vec<Finding> {
    let lacking = case.mints.issued.iter().filter(|issued| issued.intent.is_none());
    lacking
        .map(|issued| {
            let text = format!(
                "{}: a {} was handed out, and the intent that it names is not in the ledger",
                case.named(issued.at),
                issued.facts.kind.singular()
            );
            case.found(
                issued.at,
                issued.incident,
                Finding::new("MINT-INTENT-LACKING", Sort::CannotCheck, Severity::Medium, text),
            )
            .then("import the whole chain of that key")
        })
        .collect()
}

/// An outcome of something else than its intent, or a second one.
pub(super) fn mint_mismatch(case: &Case, _: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, issued) in case.mints.issued.iter().enumerate() {
        let Some(mint) = issued.intent.map(|intent| &case.mints.intents[intent]) else { continue };
        let why = mismatch(case, mint, issued, index);
        let Some(why) = why else { continue };
        let text = format!("{}: {why}", minting(case, mint));
        let finding = case.found(
            issued.at,
            issued.incident,
            Finding::new("MINT-MISMATCH", Sort::Wrong, Severity::High, text),
        );
        findings.push(finding.on([case.hash(mint.at)]));
    }
    findings
}

/// In what an outcome does not fit its intent.
fn mismatch(case: &Case, mint: &Mint, issued: &Issued, index: usize) -> Option<String> {
    let named = case.named(issued.at);
    if case.records.chain[mint.at as usize] != case.records.chain[issued.at as usize] {
        return Some(format!("{named} of another key says that it was handed out"));
    }
    if mint.issued != Some(index) {
        return Some(format!("{named} says for a second time that it was handed out"));
    }
    if mint.facts.kind != issued.facts.kind {
        return Some(format!("{named} says that a {} was handed out", issued.facts.kind.singular()));
    }
    // Fewer, if the key was pulled before it had signed all; at least one.
    let (begun, given) = (mint.facts.numbers.len(), issued.facts.credentials.len());
    if !(1..=begun).contains(&given) {
        return Some(format!("{named} says that {given} were handed out, and {begun} were begun"));
    }
    (mint.incident != issued.incident)
        .then(|| format!("{named} says that it was for {:?}", case.names.get(issued.incident)))
}

/// Minted otherwise than the policy, by which it was judged, allows.
pub(super) fn mint_policy(case: &Case, _: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    for mint in &case.mints.intents {
        let Some(policy) = judged_by(case, mint.at) else { continue };
        let why = against(policy, mint);
        if why.is_empty() {
            continue;
        }
        let text = format!("{}: {}", minting(case, mint), why.join("; "));
        findings.push(about(case, mint, "MINT-POLICY", Severity::High, text));
    }
    findings
}

/// What of it the policy does not allow.
fn against(policy: &Policy, mint: &Mint) -> Vec<String> {
    let facts = &mint.facts;
    let Some(rule) = policy.mint_rule(&facts.rule) else {
        return vec![format!("the policy lets nothing be minted as {:?}", facts.rule)];
    };
    let mut why = Vec::new();
    if rule.says.kind() != facts.kind {
        why.push(format!("by the policy it is for {}", rule.says.kind().plural()));
    }
    if let Err(refusal) = policy.may_mint(rule, &facts.operator, &facts.emergency) {
        why.push(refusal.to_string());
    }
    let longest = rule.longest.seconds().saturating_add(BACKDATED.cast_signed());
    if facts.until.saturating_sub(facts.from) > longest {
        let seconds = facts.until.saturating_sub(facts.from).saturating_sub(BACKDATED.cast_signed());
        why.push(format!("it holds for {seconds} s, and the policy allows {}", rule.longest));
    }
    if facts.accounts != rule.says.accounts() {
        let (said, allowed) = (facts.accounts.join(" "), rule.says.accounts().join(" "));
        why.push(format!("it lets in as {said:?}, and the policy allows {allowed:?}"));
    }
    why
}

/// A number that does not name its key and record.
pub(super) fn mint_number(case: &Case, _: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    for mint in &case.mints.intents {
        let key = case.chain(mint.at).serial;
        let record = u32::try_from(case.seq(mint.at)).ok();
        let own = record.map(|record| Numbers { key, record });
        let fits = |number: &String| match mint.facts.kind {
            MintKind::Ssh => own.is_some_and(|own| own.ssh().to_string() == *number),
            MintKind::X509 => hex::decode(number).is_ok_and(|bytes| {
                own.is_some() && Numbers::of_x509(&bytes) == own && hex::encode(&bytes) == *number
            }),
            _ => number.parse::<TokenId>().is_ok(),
        };
        let Some(other) = mint.facts.numbers.iter().find(|number| !fits(number)) else { continue };
        let text = match mint.facts.kind {
            MintKind::Ssh | MintKind::X509 => format!(
                "{}: the number {other} does not name key {key} and record {}",
                minting(case, mint),
                case.seq(mint.at)
            ),
            _ => format!("{}: {other:?} is no jti of ours", minting(case, mint)),
        };
        findings.push(about(case, mint, "MINT-NUMBER", Severity::High, text));
    }
    findings
}

/// One number for several credentials: the log of a platform leads to either.
pub(super) fn mint_number_reused(case: &Case, _: &Told) -> Vec<Finding> {
    let mut uses: BTreeMap<(MintKind, &str), Vec<At>> = BTreeMap::new();
    for mint in &case.mints.intents {
        for number in &mint.facts.numbers {
            uses.entry((mint.facts.kind, number)).or_default().push(mint.at);
        }
    }
    let reused = uses.into_iter().filter(|(_, records)| records.len() > 1);
    reused
        .map(|((kind, number), records)| {
            let named: BTreeSet<String> = records.iter().take(5).map(|at| case.named(*at)).collect();
            let named = named.into_iter().collect::<Vec<_>>().join(", ");
            let text = format!("{} {number} was minted {} times: {named}", kind.singular(), records.len());
            Finding::new("MINT-NUMBER-REUSED", Sort::Wrong, Severity::High, text)
                .on(case.hashes(&records))
                .at(case.claimed(records[0]))
        })
        .collect()
}

/// Minted by a key that was not made for it.
pub(super) fn mint_no_slot(case: &Case, _: &Told) -> Vec<Finding> {
    let enrolled: BTreeSet<_> = case.enrolments.iter().map(|(_, record)| record.kid).collect();
    let keys = minting_keys(case);
    let without = case.mints.intents.iter().filter(|mint| {
        let key = case.chain(mint.at).key;
        let slot = mint.facts.kind.slot().to_string();
        enrolled.contains(&key) && !keys.get(&key).is_some_and(|facts| facts.minting.contains_key(&slot))
    });
    without
        .map(|mint| {
            let (key, slot) = (case.chain(mint.at).serial, mint.facts.kind.slot());
            let text = format!(
                "{}: key {key} was enrolled without a key in {slot}: what signed it no attestation vouches for",
                minting(case, mint)
            );
            about(case, mint, "MINT-NO-SLOT", Severity::High, text)
        })
        .collect()
}

/// Minted by a key after that was trusted no more.
pub(super) fn mint_withdrawn(case: &Case, _: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    for mint in &case.mints.intents {
        let withdrawn = || {
            let all = case.mints.revoked.iter();
            all.filter(|one| one.withdraws(case, mint.facts.kind, mint.at)).map(|one| one.at)
        };
        let Some((at, certain)) = later_than(case, mint.at, withdrawn) else { continue };
        let text = format!(
            "{}: {} had said before that nothing of key {} is trusted any more",
            minting(case, mint),
            case.named(at),
            case.chain(mint.at).serial
        );
        findings.push(
            about(case, mint, "MINT-WITHDRAWN", Severity::Critical, text)
                .on([case.hash(at)])
                .possibly_if(!certain)
                .then(format!("breakglass key retire {} --why …", case.chain(mint.at).serial)),
        );
    }
    findings
}

/// Which of these a record came after, and whether that is certain.
fn later_than<I: Iterator<Item = At>>(case: &Case, later: At, earlier: impl Fn() -> I) -> Option<(At, bool)> {
    let lower = case.bounds.lower[later as usize];
    let certain = earlier().find(|at| {
        let upper = case.bounds.upper[*at as usize];
        case.knew(later, *at) || lower.is_some_and(|lower| !case.clock_in_doubt && lower > upper)
    });
    let possible = || {
        earlier().find(|at| {
            let claimed = case.claimed(later).saturating_sub(case.claimed(*at));
            !case.knew(*at, later) && claimed > TOLERANCE
        })
    };
    certain.map(|at| (at, true)).or_else(|| possible().map(|at| (at, false)))
}

/// Minted for an incident after that was closed.
pub(super) fn mint_after_close(case: &Case, _: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    for mint in &case.mints.intents {
        let closes = || {
            let of_it = case.closes.iter().filter(|close| close.incident == mint.incident);
            of_it.filter(|close| case.belongs(close.at)).map(|close| close.at)
        };
        let Some((close, certain)) = later_than(case, mint.at, closes) else { continue };
        let incident = case.names.get(mint.incident);
        let text = format!("{}: minted after {incident} had been closed", minting(case, mint));
        findings.push(
            about(case, mint, "MINT-AFTER-CLOSE", Severity::High, text)
                .on([case.hash(close)])
                .possibly_if(!certain),
        );
    }
    findings
}

/// Something that the program refused, and a person overrode to mint.
pub(super) fn mint_override(case: &Case, _: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    for mint in &case.mints.intents {
        for one in &mint.facts.overrides {
            let text = format!(
                "{}: minted although {} spoke against it: {}",
                minting(case, mint),
                one.rule,
                one.why
            );
            let finding = about(case, mint, "MINT-OVERRIDE", Severity::Medium, text);
            findings.push(Finding { sort: Sort::Note, ..finding });
        }
    }
    findings
}

/// An authority's certificate that is not what platforms should trust: of another key, of no authority, or not its own.
pub(super) fn mint_authority(case: &Case, _: &Told) -> Vec<Finding> {
    let keys = minting_keys(case);
    let mut findings = Vec::new();
    for (at, facts) in &case.mints.authorities {
        let chain = case.chain(*at);
        let point = keys.get(&chain.key).and_then(|key| key.minting.get(&MintKind::X509.slot().to_string()));
        let decoded =
            STANDARD.decode(&facts.certificate).and_then(|der| Ok((der, STANDARD.decode(&facts.list)?)));
        let why = match (point, decoded) {
            (None, _) => "the key was enrolled without a key in 84".to_owned(),
            (_, Err(_)) => "it, or its list, is no base64".to_owned(),
            (Some(point), Ok((certificate, list))) => match unfit(&certificate, &list, &point.0.into()) {
                None => continue,
                Some(why) => why,
            },
        };
        let text = format!(
            "{}: the certificate of the authority of key {} is not what it should be: {why}",
            case.named(*at),
            chain.serial
        );
        findings.push(
            Finding::new("MINT-AUTHORITY", Sort::Wrong, Severity::Critical, text)
                .on([case.hash(*at)])
                .at(case.claimed(*at))
                .then("take it out of every trust store that has it"),
        );
    }
    findings
}

/// Why that certificate, or its list, is not of an authority with that key.
fn unfit(certificate: &[u8], list: &[u8], key: &VerifyingKey) -> Option<String> {
    let Ok(certificate) = Signed::from_der(certificate) else {
        return Some("it is no certificate".to_owned());
    };
    match Authority::of(&certificate, key) {
        Err(why) => Some(why.to_string()),
        Ok(authority) => SignedList::of(list, &authority).err().map(|why| format!("its list: {why}")),
    }
}

/// Something was taken back that no record minted.
pub(super) fn mint_revoked_unknown(case: &Case, _: &Told) -> Vec<Finding> {
    let minted: BTreeSet<(MintKind, Serial, &str)> = case
        .mints
        .intents
        .iter()
        .flat_map(|mint| {
            let serial = case.chain(mint.at).serial;
            mint.facts.numbers.iter().map(move |number| (mint.facts.kind, serial, number.as_str()))
        })
        .collect();
    let mut findings = Vec::new();
    for one in &case.mints.revoked {
        let facts = &one.facts;
        let known = |number: &&String| minted.contains(&(facts.kind, facts.key, number.as_str()));
        let unknown: Vec<&str> =
            facts.numbers.iter().filter(|number| !known(number)).map(String::as_str).collect();
        if unknown.is_empty() {
            continue;
        }
        let text = format!(
            "{}: {} {} was taken back, and no record says that key {} minted it: it was minted outside the tool, or its record is lacking",
            case.named(one.at),
            facts.kind.singular(),
            unknown.join(", "),
            facts.key
        );
        findings.push(
            Finding::new("MINT-REVOKED-UNKNOWN", Sort::CannotCheck, Severity::Medium, text)
                .on([case.hash(one.at)])
                .at(case.claimed(one.at))
                .then("import the whole chain of that key; reconcile the logs of platforms that trust it"),
        );
    }
    findings
}
