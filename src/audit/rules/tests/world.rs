//! A practice kit of several keys, made of real signed records, in a ledger in memory.

use super::*;
use crate::attestation::Serial;

/// When the ledger is asked: an hour after the last of the sample times.
pub(super) const NOW: i64 = NOON + 2 * 3_600;

/// A day, in seconds.
pub(super) const DAY: i64 = 86_400;

/// Of every opening, unless a test says otherwise.
pub(super) const INCIDENT: &str = "2026-11-21-database-down";

/// What is sealed and opened.
pub(super) const CREDENTIAL: &str = "core-db/root";

/// Keys of one kit: the first founds it, all are admitted. Each has a FIDO2 side.
pub(super) struct World {
    pub(super) keys: Vec<Writer>,
    pub(super) fido2: Vec<Authenticator>,
    pub(super) policy: Vec<u8>,
    /// Sealings so far.
    pub(super) sealed: Vec<Record>,
    pub(super) trust: Option<Trust>,
    pub(super) received: i64,
    pub(super) now: i64,
    /// Claimed time of the next record, if it is not the chain's.
    pub(super) clock: Option<i64>,
}

impl World {
    pub(super) fn new(count: u8) -> Self {
        World::founded(count, KitKind::Practice, &template("harbour", KitKind::Practice))
    }

    pub(super) fn founded(count: u8, kind: KitKind, policy: &str) -> Self {
        World::made(count, kind, policy, |_, _| {})
    }

    /// The same; `change` has a say in the enrolment of each key, by its number.
    pub(super) fn made(
        count: u8,
        kind: KitKind,
        policy: &str,
        change: impl Fn(usize, &mut KeyEnrolled),
    ) -> Self {
        let mut keys: Vec<Writer> = (1..=count).map(Writer::new).collect();
        let mut fido2: Vec<Authenticator> = keys.iter().map(Writer::authenticator).collect();
        for (number, (key, side)) in keys.iter_mut().zip(&mut fido2).enumerate() {
            let mut enrolment = key.fido2_enrolment(side);
            if let Event::KeyEnrolled(facts) = &mut enrolment {
                change(number, facts);
            }
            key.write(enrolment);
        }
        // The issuer of the sample records.
        let policy =
            policy.replace("https://example.org/breakglass", "https://records.example.org").into_bytes();
        let facts =
            KitFounded { name: "harbour".into(), kind, policy: Hash::of(&policy), attestation_root: None };
        let founding = keys[0].write(Event::KitFounded(facts));
        for key in &mut keys {
            key.kit = Some(founding.hash());
        }
        let mut world = World {
            keys,
            fido2,
            policy,
            sealed: Vec::new(),
            trust: Some(Trust::Words),
            received: NOON + 3_600,
            now: NOW,
            clock: None,
        };
        for key in 1..count as usize {
            // While one key is alone its word is enough; then two, with the quorum of the template.
            for by in 0..key.min(2) {
                world.admit(key, by);
            }
        }
        world
    }

    /// A kit that was opened once, rotated, closed, its PINs changed.
    pub(super) fn lived(count: u8) -> Self {
        let mut world = World::new(count);
        world.seal(1, 2);
        world.open(1);
        world.seal(2, 2);
        world.close(Verdict::Real);
        world.change_pins();
        world
    }

    /// The same, and the rest of what its incident left is done.
    pub(super) fn settled(count: u8) -> Self {
        let mut world = World::lived(count);
        world.review("dana");
        for key in 0..usize::from(count) {
            world.word(&format!("return {}", world.keys[key].serial));
        }
        world.word(&format!("account {CREDENTIAL}"));
        world.export();
        world
    }

    pub(super) fn kit(&self) -> Hash {
        self.keys[0].kit.expect("founded")
    }

    pub(super) fn id(&self, key: usize) -> KeyId {
        KeyId::of(&self.keys[key].verifying_key())
    }

    /// The next record of that key, before it is signed: it knows the heads of all others and the policy.
    pub(super) fn draft(&mut self, key: usize, event: Event) -> Draft {
        let seen = self
            .keys
            .iter()
            .enumerate()
            .filter(|(other, writer)| *other != key && !writer.records.is_empty())
            .map(|(_, writer)| {
                let last = writer.records.last().expect("not empty");
                (writer.name(), (last.link.seq, last.hash()))
            })
            .collect();
        self.keys[key].seen = seen;
        let mut draft = self.keys[key].draft(event);
        draft.link.policy = Some(Hash::of(&self.policy));
        draft.iat = self.clock.unwrap_or(draft.iat);
        draft
    }

    /// Signs it and adds it to its chain.
    pub(super) fn sign(&mut self, key: usize, draft: Draft) -> Record {
        let record = self.keys[key].sign(draft);
        self.keys[key].records.push(record.clone());
        record
    }

    pub(super) fn write(&mut self, key: usize, event: Event) -> Record {
        let draft = self.draft(key, event);
        self.sign(key, draft)
    }

    pub(super) fn admit(&mut self, key: usize, by: usize) -> Record {
        let (id, enrolment) = (self.id(key), self.keys[key].records[0].hash());
        let serial: Serial = self.keys[key].serial;
        let change = Change::Admit { key: id, enrolment }.hash(&self.kit());
        self.write(by, Event::KeyAdmitted(KeyAdmitted { change, serial, key: id, enrolment }))
    }

    /// `by` signs the retirement of `key` as of that record.
    pub(super) fn retire(&mut self, key: usize, by: usize, last_seq: u64) -> Record {
        let (id, serial) = (self.id(key), self.keys[key].serial);
        let change = Change::Retire { key: id, last_seq }.hash(&self.kit());
        let facts = KeyRetired { change, serial, key: id, last_seq, why: "lost".into() };
        self.write(by, Event::KeyRetired(facts))
    }

    /// `by` signs the adoption of a policy.
    pub(super) fn adopt(&mut self, policy: &[u8], by: usize) -> Record {
        let policy = Hash::of(policy);
        let change = Change::Adopt { policy }.hash(&self.kit());
        self.write(by, Event::PolicyAdopted(PolicyAdopted { change, policy }))
    }

    /// Seals that generation to all keys, both factors.
    pub(super) fn seal(&mut self, generation: u64, threshold: u8) -> Record {
        let facts = self.sealing(generation, threshold);
        let record = self.write(0, Event::CredentialSealed(facts));
        self.sealed.push(record.clone());
        record
    }

    pub(super) fn sealing(&self, generation: u64, threshold: u8) -> CredentialSealed {
        let envelope =
            |key: &Writer| crate::record::sample::envelope(key.serial, generation as u8).recipient.id();
        CredentialSealed {
            credential: CREDENTIAL.into(),
            generation,
            pending: false,
            threshold,
            factors: vec!["piv".into(), "fido2".into()],
            folder: format!("{generation}-0a1b2c3d"),
            recipients: (0..self.keys.len()).map(|key| self.id(key)).collect(),
            envelopes: self.keys.iter().map(|key| Some(envelope(key))).collect(),
            files: [("payload.age".to_owned(), Hash::of(b"payload"))].into(),
            list: None,
        }
    }

    pub(super) fn intent(&self) -> OpenIntent {
        let sealed = self.sealed.last().expect("something is sealed");
        let Event::CredentialSealed(facts) = &sealed.event else { panic!("a sealing") };
        OpenIntent {
            credential: CREDENTIAL.into(),
            generation: facts.generation,
            sealed: sealed.hash(),
            emergency: "pam-outage".into(),
            reason: "PAM cluster lost quorum".into(),
            operator: "ada".into(),
            presence: true,
            tries: 3,
            overrides: vec![],
            consent: None,
        }
    }

    /// An intent and its assertion.
    pub(super) fn begin(&mut self, key: usize) -> Record {
        let intent = Event::OpenIntent(self.intent());
        let intent = self.write(key, intent);
        let asserted = self.fido2[key].asserted(&intent, None);
        self.write(key, asserted);
        intent
    }

    /// A whole opening with every key, `generation` of which is the newest sealed.
    pub(super) fn open(&mut self, generation: u64) -> Record {
        let intents = (0..self.keys.len()).map(|key| self.begin(key).hash()).collect();
        let facts =
            OpenReleased { credential: CREDENTIAL.into(), generation, intents, output: "terminal".into() };
        self.write(self.keys.len() - 1, Event::OpenReleased(facts))
    }

    pub(super) fn close(&mut self, verdict: Verdict) -> Record {
        let facts = IncidentClosed { verdict, outcome: "quorum restored".into(), switched_off: vec![] };
        self.write(0, Event::IncidentClosed(facts))
    }

    pub(super) fn review(&mut self, by: &str) -> Record {
        let (text, judgement) = ("as it should be".to_owned(), Judgement::Agree);
        let facts = IncidentReviewed { by: by.into(), judgement, text, lesson: None };
        self.write(0, Event::IncidentReviewed(facts))
    }

    /// A signed export of all that there is.
    pub(super) fn export(&mut self) -> Record {
        let head = |key: &Writer| {
            let last = key.records.last().expect("enrolled");
            (key.name(), (last.link.seq, last.hash()))
        };
        let heads = self.keys.iter().map(head).collect();
        self.write(0, Event::Exported(Exported { count: 1, bundle: Hash::of(b"bundle"), heads }))
    }

    /// A word that this was done.
    pub(super) fn word(&mut self, debt: &str) -> Record {
        let facts = DebtDischarged { debt: debt.into(), by: "dana".into(), how: "done".into() };
        self.write(0, Event::DebtDischarged(facts))
    }

    pub(super) fn change_pins(&mut self) {
        for key in 0..self.keys.len() {
            let facts = crate::record::event::KeyPinChanged { what: "pin".into() };
            self.write(key, Event::KeyPinChanged(facts));
        }
    }

    /// A witness and its assertion.
    pub(super) fn witness(&mut self, key: usize) -> Record {
        let witness = self.write(key, Event::KeyWitness(KeyWitness { nonce: Random([9; 32]) }));
        let asserted = self.fido2[key].asserted(&witness, None);
        self.write(key, asserted)
    }

    /// A drill that is begun, and its assertion.
    pub(super) fn begin_drill(&mut self, key: usize) -> Record {
        let sealed = self.sealed.last().expect("something is sealed");
        let Event::CredentialSealed(facts) = &sealed.event else { panic!("a sealing") };
        let facts = DrillBegun {
            credential: CREDENTIAL.into(),
            generation: facts.generation,
            sealed: sealed.hash(),
            operator: "ada".into(),
            witness: None,
            presence: true,
            tries: 3,
        };
        let begun = self.write(key, Event::DrillBegun(facts));
        let asserted = self.fido2[key].asserted(&begun, None);
        self.write(key, asserted);
        begun
    }

    /// A whole drill, which proves something unless it failed.
    pub(super) fn drill(&mut self, key: usize, failed: Option<&str>) -> Record {
        let begun = self.begin_drill(key);
        let Event::DrillBegun(facts) = &begun.event else { panic!("a drill") };
        let facts = DrillEnded {
            credential: facts.credential.clone(),
            generation: facts.generation,
            begun: begun.hash(),
            proven: failed.is_none(),
            seconds: 41,
            commands: 23,
            touches: 4,
            failed: failed.map(str::to_owned),
        };
        self.write(key, Event::DrillEnded(facts))
    }

    /// The name of a key's chain.
    pub(super) fn chain(&self, key: usize) -> String {
        self.keys[key].name()
    }

    /// The ledger with all of it.
    pub(super) fn ledger(&self) -> Sqlite {
        let mut ledger = Sqlite::in_memory();
        for key in &self.keys {
            self.put(&mut ledger, &key.records);
        }
        ledger.put_policy(&self.policy).unwrap();
        if let Some(trust) = &self.trust {
            ledger.put_trust(&self.kit(), trust, None, NOON).unwrap();
        }
        ledger
    }

    /// Stores records of a key as an import would, verified by the key that they name.
    pub(super) fn put(&self, ledger: &mut Sqlite, records: &[Record]) {
        let judged: Vec<(Record, Signature)> = records
            .iter()
            .map(|record| {
                let enrolled = |key: &&Writer| key.records.iter().any(|record| record.link.seq == 0);
                let mut keys = self.keys.iter().filter(enrolled);
                let key = keys.find(|key| KeyId::of(&key.verifying_key()) == record.kid);
                let signature = match key.map(|key| record.verify(&key.verifying_key())) {
                    Some(Ok(())) => Signature::Good,
                    Some(Err(_)) => Signature::Bad,
                    None => Signature::Unknown,
                };
                (record.clone(), signature)
            })
            .collect();
        ledger.store(&judged, self.received).unwrap();
    }

    pub(super) fn assess(&self) -> Assessment {
        assess(&mut self.ledger(), &self.kit(), self.now).unwrap()
    }
}
