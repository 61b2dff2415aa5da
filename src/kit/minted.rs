//! What keys of the kit minted, or may have, and what of it was taken back: derived from the records, for the lists that
//! platforms get.

use std::collections::{BTreeMap, BTreeSet};

use p256::ecdsa::VerifyingKey;

use crate::attestation::Serial;
use crate::kit::credentials::belongs;
use crate::kit::order::in_order;
use crate::kit::roster::Standing;
use crate::kit::{Enrolled, Kit};
use crate::mint::jwt::TokenId;
use crate::mint::{KeyIdentity, Numbers, spellings, ssh};
use crate::record::event::{Event, MintKind};
use crate::record::hash::{Hash, KeyId};
use crate::record::token::Record;

/// One number, as `mint.intent` has it: without an outcome, too, it may exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minted {
    /// What.
    pub kind: MintKind,
    /// As platforms name it.
    pub number: String,
    /// The key that minted it.
    pub key: Serial,
    /// The incident.
    pub incident: String,
    /// Which table of the policy.
    pub rule: String,
    /// Who asked.
    pub operator: String,
    /// The first second in which it does not hold any more, Unix seconds.
    pub until: i64,
}

/// The record that took something back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenBack {
    /// Its hash.
    pub record: Hash,
    /// The key that signed it, and its place in that chain.
    pub place: (Serial, u64),
    /// When it claims to be from, Unix seconds.
    pub at: i64,
}

/// Everything that was minted, and what of it is good no more.
#[derive(Debug, Default)]
pub struct Ledger {
    /// In the order of the chains.
    pub minted: Vec<Minted>,
    /// Numbers that were taken back one by one, whether minted on record or not.
    revoked: BTreeMap<(MintKind, Serial, String), TakenBack>,
    /// Keys of which nothing of a kind is trusted any more.
    withdrawn: BTreeMap<(MintKind, KeyId), TakenBack>,
}

/// Of that kit, by the records of keys that belong.
pub fn minted(kit: &Kit) -> Ledger {
    let mut ledger = Ledger::default();
    let Some(roster) = &kit.roster else { return ledger };
    let told = kit.journal.records().filter(|(_, record)| {
        let of_minting =
            matches!(record.event, Event::KeyEnrolled(_) | Event::MintIntent(_) | Event::MintRevoked(_));
        of_minting && (record.link.seq == 0 || belongs(roster, record))
    });
    // Whose serial number it is at that time: a key that is provisioned anew is another one.
    let mut keys: BTreeMap<Serial, BTreeSet<KeyId>> = BTreeMap::new();
    for (_, record) in in_order(told, |record| record.iat) {
        if let Event::KeyEnrolled(_) = record.event {
            keys.entry(record.serial).or_default().insert(record.kid);
        }
        ledger.take(record, &keys);
    }
    ledger
}

impl Ledger {
    fn take(&mut self, record: &Record, keys: &BTreeMap<Serial, BTreeSet<KeyId>>) {
        match &record.event {
            Event::MintIntent(facts) => self.minted.extend(facts.numbers.iter().map(|number| Minted {
                kind: facts.kind,
                number: number.clone(),
                key: record.serial,
                incident: record.txn.clone().unwrap_or_default(),
                rule: facts.rule.clone(),
                operator: facts.operator.clone(),
                until: facts.until,
            })),
            Event::MintRevoked(facts) => {
                let place = (record.serial, record.link.seq);
                let by = TakenBack { record: record.hash(), place, at: record.iat };
                // Of certificates only the list of their own key tells servers.
                let listed = record.serial == facts.key && facts.list.is_some();
                for number in facts.numbers.iter().filter(|_| facts.kind != MintKind::X509 || listed) {
                    self.revoked.entry((facts.kind, facts.key, number.clone())).or_insert_with(|| by.clone());
                }
                let ended = keys.get(&facts.key).into_iter().flatten().filter(|_| facts.altogether);
                for id in ended {
                    self.withdrawn.entry((facts.kind, *id)).or_insert_with(|| by.clone());
                }
            }
            _ => {}
        }
    }

    /// The record that took that number back.
    pub fn taken_back(&self, kind: MintKind, key: Serial, number: &str) -> Option<&TakenBack> {
        self.revoked.get(&(kind, key, number.to_owned()))
    }

    /// The record by which nothing of that kind is trusted any more that this key signs.
    pub fn withdrawn(&self, kind: MintKind, key: &KeyId) -> Option<&TakenBack> {
        self.withdrawn.get(&(kind, *key))
    }

    /// Everything that was minted with that number, however it is spelled; or under that key id.
    pub fn named(&self, number: &str) -> Vec<&Minted> {
        let wanted = spellings(number);
        let same = |one: &&Minted| {
            one.number == number
                || one.bytes().is_some_and(|bytes| wanted.contains(&bytes))
                || one.identity().is_some_and(|identity| identity.text() == number)
        };
        self.minted.iter().filter(same).collect()
    }

    /// Whether that number ended so long before `now` that no list need have it. Of what no record minted, nobody knows.
    pub fn is_over(&self, kind: MintKind, key: Serial, number: &str, now: i64) -> bool {
        let of_it = |one: &&Minted| (one.kind, one.key, one.number.as_str()) == (kind, key, number);
        self.minted.iter().find(of_it).is_some_and(|one| one.until.saturating_add(ENDED) < now)
    }

    /// What a key revocation list says of that authority. One that was retired is revoked whole, too: hosts that have not got
    /// the new file of authorities trust it still.
    pub fn for_ssh(&self, kit: &Kit) -> Vec<ssh::Revoked> {
        let of_key = |key: Enrolled| {
            let point = key.facts.minting.get(&MintKind::Ssh.slot().to_string())?;
            let retired = matches!(key.standing, Standing::Retired { .. });
            let altogether = retired || self.withdrawn(MintKind::Ssh, &key.id).is_some();
            let numbers =
                self.revoked.keys().filter(|(kind, by, _)| (*kind, *by) == (MintKind::Ssh, key.facts.serial));
            let serials: Vec<u64> = numbers.filter_map(|(.., number)| number.parse().ok()).collect();
            let named = self
                .minted
                .iter()
                .filter(|one| serials.iter().any(|serial| serial.to_string() == one.number));
            let identities = named.filter_map(|one| Some(one.identity()?.text())).collect();
            let authority = VerifyingKey::from(point.0);
            let one = ssh::Revoked { authority, serials, identities, altogether };
            (one.altogether || !one.serials.is_empty()).then_some(one)
        };
        kit.enrolled_keys().into_iter().filter_map(of_key).collect()
    }

    /// Whether a key of the kit minted that once and is not trusted to any more: platforms are to be told.
    pub fn has_ended(&self, kit: &Kit, kind: MintKind) -> bool {
        let slot = kind.slot().to_string();
        kit.enrolled_keys().iter().filter(|key| key.facts.minting.contains_key(&slot)).any(|key| {
            matches!(key.standing, Standing::Retired { .. }) || self.withdrawn(kind, &key.id).is_some()
        })
    }

    /// The tokens that resource servers are to refuse.
    pub fn token_ids(&self) -> Vec<TokenId> {
        let of_tokens =
            self.revoked.keys().filter(|(kind, ..)| !matches!(kind, MintKind::Ssh | MintKind::X509));
        of_tokens.filter_map(|(.., number)| number.parse().ok()).collect()
    }
}

/// So long after its end a certificate stays on a list, in seconds: a day. Then no clock takes it for good.
const ENDED: i64 = 86_400;

impl Minted {
    fn bytes(&self) -> Option<Vec<u8>> {
        bytes_of(self.kind, &self.number)
    }

    fn identity(&self) -> Option<KeyIdentity> {
        identity_of(self.kind, &self.number, &self.incident, &self.operator)
    }
}

/// A number as a record has it, as bytes without leading zeros; `None` for a `jti`, which is text.
pub fn bytes_of(kind: MintKind, number: &str) -> Option<Vec<u8>> {
    match kind {
        MintKind::Ssh => crate::mint::of_decimal(number),
        MintKind::X509 => Some(hex::decode(number).ok()?.into_iter().skip_while(|byte| *byte == 0).collect()),
        MintKind::Token | MintKind::Assertion => None,
    }
}

/// The key id of an SSH certificate with that number, minted for that incident and operator; `None` of other kinds.
pub fn identity_of(kind: MintKind, number: &str, incident: &str, operator: &str) -> Option<KeyIdentity> {
    let number: u64 = (kind == MintKind::Ssh).then(|| number.parse().ok())??;
    let (incident, operator) = (incident.parse().ok()?, operator.parse().ok()?);
    Some(KeyIdentity { incident, operator, numbers: Numbers::of_ssh(number) })
}

/// The key and the kind that a number names by itself, of the keys of this kit; for what no record minted.
pub fn names_a_key(kit: &Kit, number: &str) -> Option<(MintKind, Serial, String)> {
    let made = |kind: MintKind, key: Serial| {
        let slot = kind.slot().to_string();
        kit.enrolled(key).is_some_and(|key| key.facts.minting.contains_key(&slot))
    };
    spellings(number).into_iter().find_map(|bytes| {
        if let Some(numbers) = Numbers::of_x509(&bytes).filter(|numbers| made(MintKind::X509, numbers.key)) {
            return Some((MintKind::X509, numbers.key, hex::encode(&bytes)));
        }
        let numbers = Numbers::of_ssh_bytes(&bytes)?;
        made(MintKind::Ssh, numbers.key).then(|| (MintKind::Ssh, numbers.key, numbers.ssh().to_string()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minted(kind: MintKind, number: &str) -> Minted {
        Minted {
            kind,
            number: number.into(),
            key: Serial(23_112),
            incident: "INC-1".into(),
            rule: "jump-hosts".into(),
            operator: "ada".into(),
            until: 1_000_000,
        }
    }

    #[test]
    fn a_number_is_found_however_it_is_spelled_and_by_its_key_id() {
        let numbers = Numbers { key: Serial(23_112), record: 18 };
        let x509 = hex::encode(numbers.x509([0xAB; 8]));
        let ledger = Ledger {
            minted: vec![
                minted(MintKind::Ssh, &numbers.ssh().to_string()),
                minted(MintKind::X509, &x509),
                minted(MintKind::Token, "AAECAwQFBgcICQoLDA0ODw"),
            ],
            ..Ledger::default()
        };
        let found = |number: &str| ledger.named(number).iter().map(|one| one.kind).collect::<Vec<_>>();
        assert_eq!(found(&numbers.ssh().to_string()), [MintKind::Ssh]);
        assert_eq!(found(&format!("{:x}", numbers.ssh())), [MintKind::Ssh]);
        assert_eq!(found("bg|inc=INC-1|op=ada|rec=23112/18"), [MintKind::Ssh]);
        assert_eq!(found(&x509.to_uppercase()), [MintKind::X509]);
        assert_eq!(found("AAECAwQFBgcICQoLDA0ODw"), [MintKind::Token]);
        assert!(found("4711").is_empty() && found("").is_empty() && found("a/b").is_empty());
    }

    #[test]
    fn what_has_ended_for_a_day_leaves_the_list() {
        let ledger = Ledger { minted: vec![minted(MintKind::X509, "42")], ..Ledger::default() };
        let is_over = |number: &str, now| ledger.is_over(MintKind::X509, Serial(23_112), number, now);
        assert!(!is_over("42", 1_086_400) && is_over("42", 1_086_401));
        assert!(!is_over("43", i64::MAX), "nobody knows when that ends");
    }
}
