//! Pure judgements of a minting: does the adopted policy allow it, can the key do it, can the clock be right.

use p256::ecdsa::VerifyingKey;

use super::{Identity, MintingError, Plan, Wish};
use crate::attestation::Serial;
use crate::kit::authorities::Certified;
use crate::kit::policy::{Kind, MintRule};
use crate::kit::roster::Standing;
use crate::kit::{Enrolled, Kit, KitError};
use crate::mint::{BACKDATED, Label, NotALabel, Window};
use crate::record::event::Override;

/// Longest reason, in bytes.
const REASON: usize = 256;

pub(super) fn plan(kit: &Kit, wish: Wish, now: i64) -> Result<Plan, MintingError> {
    kit.founded()?;
    let rule = allowed(kit, &wish)?.clone();
    let seconds = seconds(&rule, wish.minutes)?;
    let identity = Identity {
        incident: label(&wish.incident)?,
        operator: label(&wish.operator)?,
        issuers: kit.policy.issuers().cloned().collect(),
    };
    let overrides = overrides(kit, &wish, now)?;
    let authority = minting_key(kit, wish.key, rule.says.kind())?;
    let window = Window::new(u64::try_from(now).unwrap_or(0), seconds, BACKDATED)?;
    let certified = match rule.says.kind() {
        Kind::X509 => Some(certified(kit, wish.key, window)?),
        _ => None,
    };
    kit.folder.reserve().map_err(KitError::from)?;
    Ok(Plan { wish, rule, seconds, overrides, authority, certified, identity })
}

fn label(text: &str) -> Result<Label, NotALabel> {
    text.parse()
}

pub(super) fn rule<'k>(kit: &'k Kit, name: &str, kind: Kind) -> Result<&'k MintRule, MintingError> {
    let rule = kit.policy.mint_rule(name).ok_or_else(|| {
        let same = kit.policy.mint_rules.iter().filter(|rule| rule.says.kind() == kind);
        MintingError::NoRule {
            name: name.to_owned(),
            known: same.map(|rule| rule.name.to_string()).collect(),
        }
    })?;
    match rule.says.kind() == kind {
        true => Ok(rule),
        false => Err(MintingError::OtherKind { name: name.to_owned(), kind: rule.says.kind() }),
    }
}

/// The table, for that person and emergency.
fn allowed<'k>(kit: &'k Kit, wish: &Wish) -> Result<&'k MintRule, MintingError> {
    let rule = rule(kit, &wish.rule, wish.subject.kind())?;
    let refuse = |what: String| Err(MintingError::Policy(what));
    if let Err(refusal) = kit.policy.may_mint(rule, &wish.operator, &wish.emergency) {
        return refuse(refusal.to_string());
    }
    if wish.reason.trim().is_empty() || wish.reason.len() > REASON {
        return refuse(format!("a reason is 1 to {REASON} bytes of text"));
    }
    Ok(rule)
}

fn seconds(rule: &MintRule, minutes: Option<u32>) -> Result<u64, MintingError> {
    let longest = u64::try_from(rule.longest.seconds()).unwrap_or(0);
    match minutes.map(|minutes| u64::from(minutes) * 60) {
        None => Ok(longest),
        Some(seconds @ 1..) if seconds <= longest => Ok(seconds),
        Some(_) => Err(MintingError::Policy(format!("{} is minted for {} at most", rule.name, rule.longest))),
    }
}

fn overrides(kit: &Kit, wish: &Wish, now: i64) -> Result<Vec<Override>, MintingError> {
    let mut overrides = Vec::new();
    let mut accept = |rule: &str, why: &Option<String>, error: MintingError| match why {
        Some(why) if !why.trim().is_empty() => {
            overrides.push(Override { rule: rule.into(), why: why.clone() });
            Ok(())
        }
        _ => Err(error),
    };
    if let Some(damage) = kit.journal.damage() {
        accept("damage", &wish.accept_damage, MintingError::Damage(damage))?;
    }
    if let Some(lack) = crate::kit::check::lacking(kit).into_iter().next() {
        accept("gap", &wish.caution.accept_gap, MintingError::Lacks(lack.text))?;
    }
    let ahead = wish.clock_there.map_or(0, |there| now.saturating_sub(there));
    // By more than a credential reaches back.
    if let Some(behind) = kit.clock_behind(now).filter(|behind| *behind > BACKDATED.cast_signed()) {
        accept("clock", &wish.accept_clock, MintingError::Clock { behind })?;
    } else if ahead.unsigned_abs() > BACKDATED {
        accept("clock", &wish.accept_clock, MintingError::ClockThere { ahead })?;
    }
    Ok(overrides)
}

/// What servers trust the key by. What is minted does not outlast it. One that is good only later has a record that is later than the
/// clock, which [`overrides`] has told of.
fn certified(kit: &Kit, serial: Serial, window: Window) -> Result<Certified, MintingError> {
    let certified = kit.authority(serial).ok_or_else(|| {
        let others = kit.authorities().into_iter().map(|one| one.serial).collect();
        MintingError::NoAuthority { serial, others }
    })?;
    let until = certified.certificate.until();
    match until < window.until() {
        true => Err(MintingError::AuthorityEnds { serial, until }),
        false => Ok(certified),
    }
}

/// The public key of the slot, as the enrolment has it.
pub(super) fn minting_key(kit: &Kit, serial: Serial, kind: Kind) -> Result<VerifyingKey, MintingError> {
    let slot = kind.slot().to_string();
    let admitted = |key: &Enrolled| key.standing == Standing::Admitted;
    let key = kit.enrolled(serial).filter(admitted).ok_or(MintingError::NotAdmitted(serial))?;
    let point = key.facts.minting.get(&slot).ok_or_else(|| {
        let keys = kit.enrolled_keys();
        let able = keys.iter().filter(|key| admitted(key) && key.facts.minting.contains_key(&slot));
        MintingError::NotMade { serial, kind, others: able.map(|key| key.facts.serial).collect() }
    })?;
    if let Some(by) = crate::kit::minted::minted(kit).withdrawn(kind, &key.id) {
        return Err(MintingError::Withdrawn { serial, kind, record: by.record });
    }
    Ok(VerifyingKey::from(point.0))
}
