//! How long it takes to judge a ledger, and how that grows: every rule over so many records of one kit.
//!
//! `cargo bench --bench rules --all-features [-- N…]`, 100,000 and 1,000,000 if not said. The kit has six keys and does its
//! duties: it opens with two keys and FIDO2, releases, rotates, closes, changes the PINs, returns the keys, is reviewed,
//! exports or takes a checkpoint home, and begins again. Every signature is real, of records as of assertions. What is
//! measured is reading from SQLite, deriving, and judging; `us/record` is of processor time, so that a busy machine does not
//! change it.

#![allow(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::time::Instant;

use breakglass::attestation::{Firmware, Serial};
use breakglass::audit::assess::{assess, ledger_findings};
use breakglass::audit::checkpoint::{self, Checkpoint, tree::Tree};
use breakglass::audit::finding::Sort;
use breakglass::audit::ledger::sqlite::Sqlite;
use breakglass::audit::ledger::{Ledger, Signature, Trust};
use breakglass::kit::policy::template;
use breakglass::kit::roster::Change;
use breakglass::record::event::*;
use breakglass::record::hash::{Hash, KeyId};
use breakglass::record::token::{Draft, Link, Record, SEEN_MAX, chain_name};
use p256::ecdsa::SigningKey;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

/// 2026-11-21 12:00:00 UTC.
const NOON: i64 = 1_795_262_400;
const KEYS: u8 = SEEN_MAX as u8;

fn main() {
    let asked: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if asked.is_empty() { vec![100_000, 1_000_000] } else { asked };
    println!(
        "{:>10}  {:>12}  {:>10}  {:>10}  {:>13}  {:>9}  {:>13}",
        "records", "made in", "judged in", "processor", "us/record", "findings", "memory peak"
    );
    for size in sizes {
        row(size);
    }
}

fn row(size: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let begun = Instant::now();
    let mut ledger = Sqlite::open(&path, std::time::Duration::from_secs(5)).expect("a ledger");
    let mut kit = Kit::new();
    while kit.made < size {
        kit.incident();
        if kit.fresh.len() >= 10_000 {
            kit.store(&mut ledger);
        }
    }
    kit.store(&mut ledger);
    ledger.put_policy(&kit.policy).expect("stored");
    ledger.put_trust(&kit.id, &Trust::Words, None, NOON).expect("stored");
    let made = begun.elapsed();
    let (begun, spent) = (Instant::now(), processor());
    let assessment = assess(&mut ledger, &kit.id, kit.time).expect("judged");
    let of_ledger = ledger_findings(&mut ledger, kit.time).expect("judged");
    let (judged, spent) = (begun.elapsed(), processor() - spent);
    assert_eq!(assessment.records as usize, kit.made);
    assert_eq!(assessment.incidents.len(), kit.incidents);
    let worst: Vec<_> =
        assessment.findings.iter().filter(|finding| finding.sort <= Sort::CannotCheck).collect();
    assert!(worst.is_empty(), "{:?}", worst[0]);
    println!(
        "{:>10}  {:>10.1} s  {:>8.2} s  {:>8.2} s  {:>13.2}  {:>9}  {:>9} MiB",
        kit.made,
        made.as_secs_f64(),
        judged.as_secs_f64(),
        spent,
        spent * 1e6 / kit.made as f64,
        assessment.findings.len() + of_ledger.len(),
        peak()
    );
}

/// Processor seconds of this process so far (Linux: fields 14 and 15 of stat, in hundredths).
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

/// The most memory that this process ever held, MiB (Linux).
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}

/// One pair of keys of a simulated YubiKey: 9C and FIDO2.
struct Key {
    signing: EcdsaKeyPair,
    fido2: EcdsaKeyPair,
    public: p256::PublicKey,
    id: KeyId,
    serial: Serial,
    chain: String,
    head: Option<(u64, Hash)>,
    counter: u32,
}

fn pair(n: u8) -> (EcdsaKeyPair, p256::PublicKey) {
    let key = SigningKey::from_slice(&[n; 32]).expect("a scalar");
    let point = key.verifying_key().to_sec1_point(false);
    let pair = EcdsaKeyPair::from_private_key_and_public_key(
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        &[n; 32],
        point.as_bytes(),
        &SystemRandom::new(),
    )
    .expect("a key");
    assert_eq!(pair.public_key().as_ref(), point.as_bytes());
    (pair, key.verifying_key().into())
}

fn sign(pair: &EcdsaKeyPair, bytes: &[u8]) -> p256::ecdsa::Signature {
    let signature = pair.sign(&SystemRandom::new(), bytes).expect("signed");
    p256::ecdsa::Signature::from_slice(signature.as_ref()).expect("64 bytes")
}

struct Kit {
    id: Hash,
    policy: Vec<u8>,
    keys: Vec<Key>,
    time: i64,
    made: usize,
    incidents: usize,
    generation: u64,
    sealed: Hash,
    /// Not stored yet.
    fresh: Vec<(Record, Signature)>,
    /// Over all records, for checkpoints.
    tree: Tree,
    /// What came home: text, size, time. Not stored yet.
    checkpoints: Vec<(String, u64, i64)>,
}

impl Kit {
    fn new() -> Self {
        let keys = (1..=KEYS).map(|n| {
            let ((signing, public), (fido2, _)) = (pair(n), pair(0x40 + n));
            let id = KeyId::of(&public.into());
            let serial = Serial(20_000_000 + u32::from(n));
            let chain = chain_name(serial, &id);
            Key { signing, fido2, public, id, serial, chain, head: None, counter: 0 }
        });
        let mut kit = Kit {
            id: Hash([0; 32]),
            policy: template("bench", KitKind::Practice).into_bytes(),
            keys: keys.collect(),
            time: NOON,
            made: 0,
            incidents: 0,
            generation: 0,
            sealed: Hash([0; 32]),
            fresh: Vec::new(),
            tree: Tree::new([]),
            checkpoints: Vec::new(),
        };
        for key in 0..kit.keys.len() {
            let enrolment = kit.enrolment(key);
            kit.write(key, None, enrolment);
        }
        let facts = KitFounded {
            name: "bench".into(),
            kind: KitKind::Practice,
            policy: Hash::of(&kit.policy),
            attestation_root: None,
        };
        kit.id = kit.write(0, None, Event::KitFounded(facts));
        for key in 1..kit.keys.len() {
            for by in 0..key.min(2) {
                kit.admit(key, by);
            }
        }
        kit.seal();
        kit
    }

    fn store(&mut self, ledger: &mut Sqlite) {
        ledger.store(&std::mem::take(&mut self.fresh), self.time).expect("stored");
        for (text, size, at) in std::mem::take(&mut self.checkpoints) {
            ledger.put_checkpoint(&text, size, at).expect("stored");
        }
    }

    fn enrolment(&mut self, key: usize) -> Event {
        let signing = Point(self.keys[key].public);
        let proof = self.assertion(key, &enrolment_challenge(&signing));
        let key = &self.keys[key];
        let envelope = Envelope { salt: Random([7; 32]), recipient: AgeRecipient::of(&[7; 32]) };
        Event::KeyEnrolled(KeyEnrolled {
            serial: key.serial,
            firmware: Firmware::new(5, 7, 4),
            signing,
            sealing: signing,
            presence: Some(signing),
            minting: Default::default(),
            root: "practice".into(),
            attestations: [("82".into(), "MAA=".into()), ("9E".into(), "MAA=".into())].into(),
            overrides: vec![],
            fido2: Some(Box::new(Fido2Enrolled {
                aaguid: Aaguid([0xAA; 16]),
                firmware: None,
                credential: CredentialId::new(vec![0xC5; 64]).expect("64 bytes"),
                public: Point(pair(0x40 + (key.serial.0 % 100) as u8).1),
                pin: Fido2PinKind::Shared,
                profile: CounterProfile::Exact { step: 1 },
                proof,
                envelopes: vec![envelope],
            })),
        })
    }

    fn assertion(&mut self, key: usize, challenge: &[u8]) -> Assertion {
        let key = &mut self.keys[key];
        key.counter += 1;
        let party = Hash::of(b"breakglass.example");
        let data = [&party.0[..], &[0x05], &key.counter.to_be_bytes()].concat();
        let signature = sign(&key.fido2, &[&data[..], &Hash::of(challenge).0].concat());
        Assertion {
            data: AuthenticatorData::new(data).expect("37 bytes"),
            signature: DerSignature::new(signature.to_der().as_bytes().to_vec()).expect("a signature"),
        }
    }

    /// Signs the next record of that key.
    fn write(&mut self, key: usize, incident: Option<&str>, event: Event) -> Hash {
        self.time += 60;
        let others = self.keys.iter().enumerate().filter(|(other, _)| *other != key);
        let seen = others.filter_map(|(_, key)| Some((key.chain.clone(), key.head?))).collect();
        let by = &self.keys[key];
        let seq = by.head.map_or(0, |(seq, _)| seq + 1);
        let founded = self.id != Hash([0; 32]);
        let draft = Draft {
            kid: by.id,
            x5c: if seq == 0 { vec![vec![0x30, 0], vec![0x30, 0]] } else { vec![] },
            iss: "https://example.org/breakglass".into(),
            serial: by.serial,
            txn: incident.map(str::to_owned),
            jti: format!("{}-{seq}", by.serial),
            iat: self.time,
            link: Link {
                kit: founded.then_some(self.id),
                seq,
                prev: by.head.map(|(_, hash)| hash),
                seen,
                policy: founded.then(|| Hash::of(&self.policy)),
                tool: Hash::of(b"breakglass"),
            },
            event,
        };
        let input = draft.signing_input().expect("within the format");
        let signature = sign(&by.signing, input.bytes());
        let record = input.finish(&signature);
        let hash = record.hash();
        self.keys[key].head = Some((seq, hash));
        self.fresh.push((record, Signature::Good));
        self.tree.push(&hash);
        self.made += 1;
        hash
    }

    fn admit(&mut self, key: usize, by: usize) {
        let (id, serial) = (self.keys[key].id, self.keys[key].serial);
        let enrolment = self.fresh[key].0.hash();
        let change = Change::Admit { key: id, enrolment }.hash(&self.id);
        self.write(by, None, Event::KeyAdmitted(KeyAdmitted { change, serial, key: id, enrolment }));
    }

    fn seal(&mut self) {
        self.generation += 1;
        let mut envelope = [0; 8];
        envelope.copy_from_slice(&self.generation.to_be_bytes());
        let facts = CredentialSealed {
            credential: "core-db/root".into(),
            generation: self.generation,
            pending: false,
            threshold: 2,
            factors: vec!["piv".into(), "fido2".into()],
            folder: format!("{}-0a1b2c3d", self.generation),
            recipients: self.keys.iter().map(|key| key.id).collect(),
            envelopes: vec![Some(EnvelopeId(envelope)); self.keys.len()],
            files: [("payload.age".to_owned(), Hash::of(b"payload"))].into(),
            list: None,
        };
        self.sealed = self.write(0, None, Event::CredentialSealed(facts));
    }

    /// One incident from its first intent to its last duty: 15 records.
    fn incident(&mut self) {
        self.incidents += 1;
        let incident = format!("INC-{}", self.incidents);
        let first = self.incidents % self.keys.len();
        let pair = [first, (first + 1) % self.keys.len()];
        let intents = pair.map(|key| {
            let facts = OpenIntent {
                credential: "core-db/root".into(),
                generation: self.generation,
                sealed: self.sealed,
                emergency: "pam-outage".into(),
                reason: "PAM cluster lost quorum, db1 disk full".into(),
                operator: "ada".into(),
                presence: true,
                tries: 3,
                overrides: vec![],
                consent: None,
            };
            let over = self.write(key, Some(&incident), Event::OpenIntent(facts));
            let bytes = self.fresh.last().expect("just written").0.bytes().to_vec();
            let Assertion { data, signature } = self.assertion(key, &bytes);
            let facts = OpenAsserted { over, data, signature, next: None };
            self.write(key, Some(&incident), Event::OpenAsserted(facts));
            over
        });
        let facts = OpenReleased {
            credential: "core-db/root".into(),
            generation: self.generation,
            intents: intents.into(),
            output: "terminal".into(),
        };
        self.write(pair[1], Some(&incident), Event::OpenReleased(facts));
        self.seal();
        let outcome = "quorum restored".into();
        let facts = IncidentClosed { verdict: Verdict::Real, outcome, switched_off: vec![] };
        self.write(0, Some(&incident), Event::IncidentClosed(facts));
        for key in pair {
            self.write(key, None, Event::KeyPinChanged(KeyPinChanged { what: "pin".into() }));
        }
        let returns = pair.map(|key| format!("return {}", self.keys[key].serial));
        for debt in returns.into_iter().chain(["account core-db/root".into()]) {
            let facts = DebtDischarged { debt, by: "dana".into(), how: "seen by two".into() };
            self.write(0, Some(&incident), Event::DebtDischarged(facts));
        }
        let (by, text) = ("dana".into(), "as it should be".into());
        let facts = IncidentReviewed { by, judgement: Judgement::Agree, text, lesson: None };
        self.write(0, Some(&incident), Event::IncidentReviewed(facts));
        if self.incidents.is_multiple_of(2) {
            self.export();
        } else {
            self.anchor();
        }
    }

    fn export(&mut self) {
        let heads = self.keys.iter().filter_map(|key| Some((key.chain.clone(), key.head?))).collect();
        let facts = Exported { count: self.made as u64, bundle: Hash::of(b"bundle"), heads };
        self.write(0, None, Event::Exported(facts));
    }

    /// Takes home a checkpoint over all that there is. Its signature is left out: it was looked at when it came home.
    fn anchor(&mut self) {
        let (origin, size) = ("audit.example".to_owned(), self.tree.size());
        let checkpoint =
            Checkpoint { origin: origin.clone(), size, root: self.tree.root(), at: Some(self.time) };
        let text = checkpoint.text();
        let facts = LedgerAnchored { checkpoint: checkpoint::id(&text), origin, size };
        self.checkpoints.push((text, size, self.time));
        self.write(0, None, Event::LedgerAnchored(facts));
    }
}
