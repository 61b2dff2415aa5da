//! Two practice kits as an auditor meets them: three incidents, a counter that jumped, a record that was edited afterwards,
//! a key that nobody has heard of for months. Every record is signed by a sample key and imported into a real ledger.

use std::collections::BTreeMap;

use breakglass::attestation::{self, Serial};
use breakglass::audit::assess::{assess, ledger_findings};
use breakglass::audit::ledger::sqlite::Sqlite;
use breakglass::audit::ledger::{Ledger, Signature, Trust};
use breakglass::audit::report::Report;
use breakglass::kit::policy::template;
use breakglass::kit::roster::Change;
use breakglass::kit::words::kit_words;
use breakglass::record::event::{
    Consent, CredentialSealed, DebtDischarged, DrillBegun, DrillEnded, Event, Exported, IncidentClosed,
    IncidentReviewed, Judgement, KeyAdmitted, KeyCheckedIn, KeyCheckedOut, KeyPinChanged, KeyRetired,
    KeyWitness, KitFounded, KitKind, MintIntent, MintIssued, MintKind, MintRevoked, OpenIntent, OpenReleased,
    Override, Random, SealSeen, Verdict,
};
use breakglass::record::hash::{Hash, KeyId};
use breakglass::record::token::Record;
use breakglass::record::{event, hash, token};

#[path = "../../src/record/sample.rs"]
mod sample;

use sample::{Authenticator, Writer};

/// 2026-05-04 08:00:00 UTC.
pub(crate) const FOUNDED: i64 = 1_777_881_600;
/// 2026-11-20 09:00:00 UTC: when the report is made.
pub(crate) const NOW: i64 = 1_795_165_200;
const DAY: i64 = 86_400;
/// When bundles came in.
const IMPORTS: [i64; 4] = [FOUNDED + 30 * DAY, FOUNDED + 97 * DAY, FOUNDED + 150 * DAY, NOW - 3_600];

/// A kit that is written, record after record.
pub(crate) struct Audited {
    pub(crate) name: &'static str,
    pub(crate) kit: Hash,
    pub(crate) records: Vec<(Record, Signature)>,
    pub(crate) policy: Vec<u8>,
    keys: Vec<Writer>,
    fido2: Vec<Authenticator>,
    sealed: BTreeMap<String, Record>,
}

impl Audited {
    /// Keys by sample number, serial, place and bag; the first founds the kit.
    fn founded(name: &'static str, keys: &[(u8, u32, &str, &str, &str)], people: &[&str]) -> Self {
        let mut policy = template(name, KitKind::Practice)
            .replace("https://example.org/breakglass", "https://records.example.org");
        for person in people {
            policy += &format!("\n[[person]]\nname = {person:?}\nroles = [\"operator\", \"custodian\"]\n");
        }
        for (_, serial, place, bag, custodian) in keys {
            policy += &format!(
                "\n[[key]]\nserial = {serial}\nplace = {place:?}\nbag = {bag:?}\npuk = {custodian:?}\n"
            );
        }
        let writers = keys.iter().map(|(n, serial, ..)| {
            let mut writer = Writer::new(*n);
            writer.serial = Serial(*serial);
            writer
        });
        let keys: Vec<Writer> = writers.collect();
        let fido2 = keys.iter().map(Writer::authenticator).collect();
        let (kit, policy) = (Hash::of(b""), policy.into_bytes());
        let mut it = Audited { name, kit, records: vec![], policy, keys, fido2, sealed: BTreeMap::new() };
        for key in 0..it.keys.len() {
            let enrolment = it.keys[key].fido2_enrolment(&mut it.fido2[key]);
            it.write(key, FOUNDED + 600 * key as i64, None, enrolment);
        }
        let facts = KitFounded {
            name: name.into(),
            kind: KitKind::Practice,
            policy: Hash::of(&it.policy),
            attestation_root: None,
        };
        it.kit = it.write(0, FOUNDED + 3_600, None, Event::KitFounded(facts)).hash();
        for key in &mut it.keys {
            key.kit = Some(it.kit);
        }
        for key in 1..it.keys.len() {
            for by in 0..key.min(2) {
                let (id, enrolment) = (it.id(key), it.keys[key].records[0].hash());
                let change = Change::Admit { key: id, enrolment }.hash(&it.kit);
                let facts = KeyAdmitted { change, serial: it.keys[key].serial, key: id, enrolment };
                it.write(
                    by,
                    FOUNDED + 3_600 + 300 * key as i64 + 60 * by as i64,
                    None,
                    Event::KeyAdmitted(facts),
                );
            }
        }
        it
    }

    fn id(&self, key: usize) -> KeyId {
        KeyId::of(&self.keys[key].verifying_key())
    }

    /// The words on its bags.
    pub(crate) fn words(&self) -> String {
        kit_words(&self.kit).join(" ")
    }

    /// Signs this with that key at that time; it has seen all others.
    fn write(&mut self, key: usize, at: i64, txn: Option<&str>, event: Event) -> Record {
        let others = self
            .keys
            .iter()
            .enumerate()
            .filter(|(other, writer)| *other != key && !writer.records.is_empty());
        let heads = others.map(|(_, writer)| {
            let last = writer.records.last().expect("not empty");
            (writer.name(), (last.link.seq, last.hash()))
        });
        let seen = heads.collect();
        let writer = &mut self.keys[key];
        writer.seen = seen;
        let mut draft = writer.draft(event);
        (draft.iat, draft.txn) = (at, txn.map(str::to_owned));
        draft.link.policy = Some(Hash::of(&self.policy));
        let record = writer.sign(draft);
        writer.records.push(record.clone());
        self.records.push((record.clone(), Signature::Good));
        record
    }

    /// Somebody looks at a key: its FIDO2 side counts.
    fn witness(&mut self, key: usize, at: i64) {
        let nonce = Random(Hash::of(&at.to_be_bytes()).0);
        let seen = self.write(key, at, None, Event::KeyWitness(KeyWitness { nonce }));
        let asserted = self.fido2[key].asserted(&seen, None);
        self.write(key, at + 5, None, asserted);
    }

    /// A drill of that credential with that key.
    pub(crate) fn drill(&mut self, key: usize, at: i64, credential: &str, failed: Option<&str>) {
        let intent = self.intent(credential, "gil", "", "");
        let begun = self.write(
            key,
            at,
            None,
            Event::DrillBegun(DrillBegun {
                credential: credential.into(),
                generation: intent.generation,
                sealed: intent.sealed,
                operator: intent.operator,
                witness: failed.is_none().then(|| "hana".into()),
                presence: true,
                tries: 3,
            }),
        );
        let asserted = self.fido2[key].asserted(&begun, None);
        self.write(key, at + 9, None, asserted);
        let ended = DrillEnded {
            credential: credential.into(),
            generation: intent.generation,
            begun: begun.hash(),
            proven: failed.is_none(),
            seconds: 41,
            commands: 23,
            touches: 4,
            failed: failed.map(str::to_owned),
        };
        self.write(key, at + 41, None, Event::DrillEnded(ended));
    }

    fn seal(&mut self, at: i64, credential: &str, generation: u64, threshold: u8) -> Record {
        let number = self.records.len() as u8; // an envelope of its own for each sealing
        let envelope = |key: &Writer| sample::envelope(key.serial, number).recipient.id();
        let facts = CredentialSealed {
            credential: credential.into(),
            generation,
            pending: false,
            threshold,
            factors: vec!["piv".into(), "fido2".into()],
            folder: format!("{generation}-0a1b2c3d"),
            recipients: (0..self.keys.len()).map(|key| self.id(key)).collect(),
            envelopes: self.keys.iter().map(|key| Some(envelope(key))).collect(),
            files: [("payload.age".to_owned(), Hash::of(b"payload"))].into(),
            list: None,
        };
        let record = self.write(0, at, None, Event::CredentialSealed(facts));
        self.sealed.insert(credential.into(), record.clone());
        record
    }

    /// Opens a credential with these keys, and hands it out.
    pub(crate) fn open(&mut self, at: i64, incident: &str, keys: &[usize], facts: OpenIntent) {
        let mut intents = Vec::new();
        let mut at = at;
        for key in keys {
            let intent = self.write(*key, at, Some(incident), Event::OpenIntent(facts.clone()));
            let asserted = self.fido2[*key].asserted(&intent, None);
            self.write(*key, at + 9, Some(incident), asserted);
            intents.push(intent.hash());
            at += 61;
        }
        let OpenIntent { credential, generation, .. } = facts;
        let facts = OpenReleased { credential, generation, intents, output: "terminal".into() };
        self.write(*keys.last().expect("a key"), at - 48, Some(incident), Event::OpenReleased(facts));
    }

    pub(crate) fn intent(
        &self,
        credential: &str,
        operator: &str,
        emergency: &str,
        reason: &str,
    ) -> OpenIntent {
        let sealed = &self.sealed[credential];
        let Event::CredentialSealed(facts) = &sealed.event else { panic!("a sealing") };
        OpenIntent {
            credential: credential.into(),
            generation: facts.generation,
            sealed: sealed.hash(),
            emergency: emergency.into(),
            reason: reason.into(),
            operator: operator.into(),
            presence: true,
            tries: 3,
            overrides: vec![],
            consent: None,
        }
    }

    /// New PINs for these keys, and the close.
    pub(crate) fn close(&mut self, at: i64, incident: &str, keys: &[usize], verdict: Verdict, outcome: &str) {
        for key in keys {
            for what in ["pin", "fido2"] {
                self.write(
                    *key,
                    at - 300 + 60 * *key as i64,
                    None,
                    Event::KeyPinChanged(KeyPinChanged { what: what.into() }),
                );
            }
        }
        let facts = IncidentClosed { verdict, outcome: outcome.into(), switched_off: vec![] };
        self.write(keys[0], at, Some(incident), Event::IncidentClosed(facts));
    }

    /// The first two other keys retire this one, as of its last record now.
    pub(crate) fn retire(&mut self, key: usize, at: i64) {
        let (id, last_seq) = (self.id(key), self.keys[key].records.len() as u64 - 1);
        let change = Change::Retire { key: id, last_seq }.hash(&self.kit);
        let others: Vec<usize> = (0..self.keys.len()).filter(|other| *other != key).take(2).collect();
        for by in others {
            let serial = self.keys[key].serial;
            let facts = KeyRetired { change, serial, key: id, last_seq, why: "stolen".into() };
            self.write(by, at + by as i64, None, Event::KeyRetired(facts));
        }
    }

    /// Two people take a key out of its bag, whose seal is broken, and put it into another.
    pub(crate) fn takes_out(&mut self, key: usize, at: i64, bag: &str, why: &str) {
        let (serial, id) = (self.keys[key].serial, self.id(key));
        let (person, witness) = ("gil".to_owned(), "hana".to_owned());
        let out = KeyCheckedOut {
            serial,
            key: id,
            bag: bag.into(),
            seal: SealSeen::Broken,
            person: person.clone(),
            witness: witness.clone(),
            why: why.into(),
        };
        self.write(key, at, None, Event::KeyCheckedOut(out));
        let back =
            KeyCheckedIn { serial, key: id, place: "bank".into(), bag: "7003".into(), person, witness };
        self.write(key, at + 3_600, None, Event::KeyCheckedIn(back));
    }

    /// Something is minted with that key for that incident, handed out, and taken back an hour later.
    pub(crate) fn mint(&mut self, key: usize, at: i64, incident: &str) {
        let record = self.keys[key].records.len() as u64;
        let serial = self.keys[key].serial;
        let number = (u64::from(serial.0) << 32 | record).to_string();
        let facts = MintIntent {
            kind: MintKind::Ssh,
            rule: "jump-hosts".into(),
            emergency: "pam-outage".into(),
            reason: "the jump hosts ask PAM".into(),
            operator: "ada".into(),
            accounts: vec!["breakglass".into()],
            numbers: vec![number.clone()],
            subject: Hash::of(b"subject"),
            digests: vec![Hash::of(b"digest")],
            from: at - 300,
            until: at + 900,
            presence: true,
            tries: 3,
            overrides: vec![],
        };
        let intent = self.write(key, at, Some(incident), Event::MintIntent(facts));
        let (kind, credentials) = (MintKind::Ssh, vec![Hash::of(b"certificate")]);
        let facts = MintIssued { kind, intent: intent.hash(), credentials, output: "agent".into() };
        self.write(key, at + 5, Some(incident), Event::MintIssued(facts));
        let why = "the laptop was left behind".into();
        let facts =
            MintRevoked { kind, key: serial, numbers: vec![number], altogether: false, why, list: None };
        self.write(key, at + 3_600, Some(incident), Event::MintRevoked(facts));
    }

    /// All that an incident left is done: keys back, the account made anew, somebody else has judged it, and all of it was
    /// exported.
    fn settle(&mut self, at: i64, incident: &str, keys: &[usize], credential: &str, reviewer: &str) {
        let returns = keys.iter().map(|key| format!("return {}", self.keys[*key].serial));
        let debts: Vec<String> = returns.chain([format!("account {credential}")]).collect();
        for debt in debts {
            let how = "seen by two, written on the bag".into();
            let facts = DebtDischarged { debt, by: reviewer.into(), how };
            self.write(keys[0], at, Some(incident), Event::DebtDischarged(facts));
        }
        let facts = IncidentReviewed {
            by: reviewer.into(),
            judgement: Judgement::Agree,
            text: "opened because nothing else was left, and closed in good time".into(),
            lesson: Some("name the console of db1 in the runbook".into()),
        };
        self.write(keys[0], at + 600, Some(incident), Event::IncidentReviewed(facts));
        let heads = self.keys.iter().map(|writer| {
            let last = writer.records.last().expect("enrolled");
            (writer.name(), (last.link.seq, last.hash()))
        });
        let heads = heads.collect();
        let facts = Exported { count: self.records.len() as u64, bundle: Hash::of(b"bundle"), heads };
        self.write(keys[0], at + 1_200, None, Event::Exported(facts));
    }

    /// Another time in that record, under the signature of the old: what a person with an editor does.
    fn edit(&mut self, which: &Record) {
        let mut draft = (**which).clone();
        draft.iat += 40 * DAY;
        let other = Writer::new(99).sign(draft);
        let signature = which.bytes().rsplit(|byte| *byte == b'.').next().expect("a signature");
        let bytes = [other.signing_input(), b".", signature].concat();
        let edited = Record::parse(&bytes).expect("a record");
        let place = self.records.iter_mut().find(|(record, _)| record == which).expect("it is there");
        *place = (edited, Signature::Bad);
    }
}

/// A data centre's kit of three keys: one incident that was done with, one that was not, and a counter that jumped.
pub(crate) fn data_centre(reason: &str) -> Audited {
    let keys = [
        (1, 23112, "safe A", "0417", "carol"),
        (2, 23115, "safe A", "0418", "carol"),
        (3, 30877, "safe B", "0102", "erin"),
    ];
    let mut kit = Audited::founded("DC1 emergency kit", &keys, &["bob", "carol", "erin"]);
    kit.seal(FOUNDED + DAY, "core-db/root", 1, 2);
    kit.seal(FOUNDED + DAY + 400, "core-fw/admin", 1, 1);
    for key in [2, 1, 0] {
        kit.witness(key, FOUNDED + 92 * DAY + 900 * (3 - key as i64));
    }
    let night = FOUNDED + 141 * DAY - 17_280; // 03:12
    kit.open(night, "INC-4711", &[0, 1], kit.intent("core-db/root", "ada", "pam-outage", reason));
    kit.seal(night + 3_000, "core-db/root", 2, 2);
    kit.seal(night + 3_060, "core-fw/admin", 2, 1); // the same keys could have opened it, too
    kit.close(
        night + 3_480,
        "INC-4711",
        &[0, 1],
        Verdict::Real,
        "PAM restored from the standby, db1 disk replaced",
    );
    kit.settle(night + 4_200, "INC-4711", &[0, 1], "core-db/root", "carol");
    kit.witness(0, FOUNDED + 160 * DAY);
    kit.fido2[0].counter += 1; // once more than the records say
    kit.witness(0, FOUNDED + 168 * DAY);
    let reason = "both firewalls drop management traffic after the upgrade";
    let mut facts = kit.intent("core-fw/admin", "bob", "network-outage", reason);
    let why = "carol and erin not reachable, the phones are down too";
    facts.overrides = vec![Override { rule: "review".into(), why: why.into() }];
    facts.consent = Some(Consent { skipped: vec!["carol".into(), "erin".into()], ..Consent::default() });
    kit.open(FOUNDED + 190 * DAY + 7_200, "INC-4820", &[0], facts);
    kit
}

/// An office's kit of two keys, one of whose records somebody edited after it was signed, where `edited`.
pub(crate) fn office(edited: bool) -> Audited {
    let keys = [(11, 41200, "reception safe", "7001", "gil"), (12, 41207, "board room safe", "7002", "hana")];
    let mut kit = Audited::founded("Harbour office kit", &keys, &["femi", "gil", "hana"]);
    let first = kit.seal(FOUNDED + 2 * DAY, "vault/unseal", 1, 1);
    let at = FOUNDED + 120 * DAY + 30_000;
    let reason = "identity provider rejects every administrator";
    kit.open(at, "INC-4802", &[1], kit.intent("vault/unseal", "femi", "lockout", reason));
    kit.seal(at + 4_200, "vault/unseal", 2, 1);
    kit.close(at + 5_400, "INC-4802", &[1], Verdict::Drill, "quarterly exercise, 90 minutes in all");
    kit.settle(at + 6_000, "INC-4802", &[1], "vault/unseal", "hana");
    kit.witness(0, FOUNDED + 180 * DAY);
    kit.witness(1, FOUNDED + 181 * DAY);
    if edited {
        kit.edit(&first);
    }
    kit
}

/// A kit whose keys were looked at, and opened now and then, until it has so many records.
pub(crate) fn looked_at(records: usize) -> Audited {
    let keys = [
        (21, 50001, "safe A", "1", "carol"),
        (22, 50002, "safe A", "2", "carol"),
        (23, 50003, "safe B", "3", "carol"),
    ];
    let mut kit = Audited::founded("Large kit", &keys, &["carol"]);
    kit.seal(FOUNDED + DAY, "core-db/root", 1, 1);
    let mut round = 0;
    while kit.records.len() + 9 <= records {
        let at = FOUNDED + 2 * DAY + round * 1_200;
        let key = round as usize % 3;
        match round % 50 {
            0 => {
                let incident = format!("INC-{round}");
                kit.open(
                    at,
                    &incident,
                    &[key],
                    kit.intent("core-db/root", "ada", "pam-outage", "a rehearsal of many"),
                );
                kit.seal(at + 60, "core-db/root", 2 + round as u64 / 50, 1);
                kit.close(at + 600, &incident, &[key], Verdict::Drill, "done");
            }
            _ => kit.witness(key, at),
        }
        round += 1;
    }
    kit
}

/// A ledger in memory into which these kits were imported, now and then; each is trusted by its words.
pub(crate) fn ledger(all: &[Audited]) -> Sqlite {
    let mut ledger = Sqlite::in_memory();
    fill(&mut ledger, all);
    ledger
}

/// Imports these kits.
pub(crate) fn fill(ledger: &mut Sqlite, all: &[Audited]) {
    for one in all {
        let mut from = i64::MIN;
        for at in IMPORTS {
            let new: Vec<_> =
                one.records.iter().filter(|(record, _)| (from..at).contains(&record.iat)).cloned().collect();
            ledger.store(&new, at).expect("a ledger in memory takes records");
            from = at;
        }
        ledger.put_policy(&one.policy).expect("a policy");
        ledger.put_trust(&one.kit, &Trust::Words, None, IMPORTS[0] + 600).expect("trust");
    }
}

/// What the rules say of these kits.
pub(crate) fn report(ledger: &mut Sqlite, all: &[Audited], since: Option<i64>) -> Report {
    let kits = all.iter().map(|one| assess(ledger, &one.kit, NOW).expect("an assessment")).collect();
    let findings = ledger_findings(ledger, NOW).expect("findings");
    Report::new(kits, findings, since, NOW)
}
