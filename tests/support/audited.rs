//! Two kits as an auditor meets them: three incidents, a counter that jumped, a record that was edited afterwards, a key
//! that nobody has heard of for months. Signed by sample keys, so that everything but the attestations verifies.

use std::collections::BTreeMap;

use breakglass::attestation::{self, Serial};
use breakglass::audit::assessment::{
    Assessment, Closing, CredentialState, Debt, Incident, Interval, KeyStatement, Opening, Period, Place, Use,
};
use breakglass::audit::finding::{Finding, Severity, Sort};
use breakglass::audit::ledger::sqlite::Sqlite;
use breakglass::audit::ledger::{Held, Ledger, Signature};
use breakglass::kit::words::kit_words;
use breakglass::record::event::{
    CredentialSealed, Event, KeyAdmitted, KeyWitness, KitFounded, KitKind, OpenIntent, OpenReleased,
    Override, Random,
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

/// One key that writes, and its counter.
pub(crate) struct Pen {
    pub(crate) writer: Writer,
    pub(crate) fido2: Authenticator,
    pub(crate) held: Vec<Held>,
}

impl Pen {
    fn new(n: u8, serial: u32, at: i64) -> Self {
        let mut writer = Writer::new(n);
        writer.serial = Serial(serial);
        let mut fido2 = writer.authenticator();
        let enrolment = writer.fido2_enrolment(&mut fido2);
        let mut pen = Pen { writer, fido2, held: Vec::new() };
        pen.write(at, None, enrolment);
        pen
    }

    /// Signs this at that time.
    pub(crate) fn write(&mut self, at: i64, txn: Option<&str>, event: Event) -> Record {
        let mut draft = self.writer.draft(event);
        draft.iat = at;
        draft.txn = txn.map(str::to_owned);
        let record = self.writer.sign(draft);
        self.writer.records.push(record.clone());
        self.held.push(Held { record: record.clone(), signature: Signature::Good, received: at + 3 * DAY });
        record
    }

    /// The FIDO2 side signs that record.
    fn counted(&mut self, at: i64, txn: Option<&str>, over: &Record) -> Record {
        let event = self.fido2.asserted(over, None);
        self.write(at, txn, event)
    }

    /// Somebody looked at the key.
    pub(crate) fn witness(&mut self, at: i64) -> Record {
        let nonce = Random(Hash::of(&at.to_be_bytes()).0);
        let seen = self.write(at, None, Event::KeyWitness(KeyWitness { nonce }));
        self.counted(at + 5, None, &seen)
    }

    fn has_seen(&mut self, other: &Pen) {
        let last = other.writer.records.last().expect("a record");
        self.writer.seen.insert(other.writer.name(), (last.link.seq, last.hash()));
    }

    fn id(&self) -> KeyId {
        KeyId::of(&self.writer.verifying_key())
    }

    fn head(&self) -> Place {
        place(self.writer.records.last().expect("a record"))
    }
}

fn place(record: &Record) -> Place {
    Place {
        serial: record.serial,
        chain: record.chain_name(),
        seq: record.link.seq,
        hash: record.hash(),
        time: Interval {
            claimed: record.iat,
            lower: Some(record.iat - 2 * DAY),
            upper: Some(record.iat + 3 * DAY),
        },
    }
}

fn intent(credential: &str, operator: &str, emergency: &str, reason: &str) -> Event {
    Event::OpenIntent(OpenIntent {
        credential: credential.into(),
        generation: 2,
        sealed: Hash::of(credential.as_bytes()),
        emergency: emergency.into(),
        reason: reason.into(),
        operator: operator.into(),
        presence: true,
        tries: 3,
        overrides: vec![],
    })
}

fn released(credential: &str, intents: &[&Record]) -> Event {
    Event::OpenReleased(OpenReleased {
        credential: credential.into(),
        generation: 2,
        intents: intents.iter().map(|record| record.hash()).collect(),
        output: "terminal".into(),
    })
}

fn sealed(credential: &str, generation: u64, threshold: u8) -> Event {
    Event::CredentialSealed(CredentialSealed {
        credential: credential.into(),
        generation,
        pending: false,
        threshold,
        factors: vec!["piv".into(), "fido2".into()],
        folder: format!("{generation}-0a1b2c3d"),
        recipients: vec![],
        envelopes: vec![],
        files: BTreeMap::from([("list.json".into(), Hash::of(b"list"))]),
        list: Some(Hash::of(b"list")),
    })
}

/// A kit's assessment and its records.
pub(crate) struct Audited {
    pub(crate) assessment: Assessment,
    pub(crate) held: Vec<Held>,
}

impl Audited {
    /// The words on its bags.
    pub(crate) fn words(&self) -> String {
        kit_words(&self.assessment.kit).join(" ")
    }
}

/// The keys of a kit: the first founds it and admits the others.
fn kit(name: &str, keys: &[(u8, u32)]) -> (Hash, Vec<Pen>) {
    let mut pens: Vec<Pen> = Vec::new();
    let mut id = None;
    for (at, (n, serial)) in keys.iter().enumerate() {
        let mut pen = Pen::new(*n, *serial, FOUNDED + 600 * at as i64);
        let day = FOUNDED + 3_600 + 300 * at as i64;
        if let Some(founder) = pens.first_mut() {
            pen.writer.kit = id;
            let admit = Event::KeyAdmitted(KeyAdmitted {
                change: Hash::of(&[*n]),
                serial: pen.writer.serial,
                key: pen.id(),
                enrolment: pen.held[0].record.hash(),
            });
            founder.has_seen(&pen);
            founder.write(day, None, admit);
        } else {
            let founding = Event::KitFounded(KitFounded {
                name: name.into(),
                kind: KitKind::Real,
                policy: Hash::of(b"policy"),
                attestation_root: None,
            });
            let founding = pen.write(day, None, founding);
            id = Some(founding.hash());
            pen.writer.kit = id;
        }
        pens.push(pen);
    }
    (id.expect("a founder"), pens)
}

fn assessment(kit: Hash, name: &str, held: &[Held]) -> Assessment {
    Assessment {
        kit,
        name: name.into(),
        kind: KitKind::Real,
        words: kit_words(&kit).join(" "),
        trusted: Some("kit words, compared on 2026-05-11".into()),
        at: NOW,
        records: held.len() as u64,
        findings: Vec::new(),
        incidents: Vec::new(),
        keys: Vec::new(),
        credentials: Vec::new(),
    }
}

fn statement(pen: &Pen, place: &str, custodian: &str, periods: Vec<Period>) -> KeyStatement {
    let asserted = pen.held.iter().rev().find(|held| matches!(held.record.event, Event::OpenAsserted(_)));
    KeyStatement {
        serial: pen.writer.serial,
        key: pen.id(),
        chain: pen.writer.name(),
        standing: "admitted",
        firmware: "5.7.4".into(),
        place: Some(place.into()),
        custodian: Some(custodian.into()),
        attested: Ok("Yubico's root of 2024".into()),
        last: Some(pen.head()),
        last_proof: asserted.map(|held| (self::place(&held.record), pen.fido2.counter)),
        periods,
    }
}

fn period(from: i64, to: Option<i64>, use_of_it: Use) -> Period {
    Period { from, to, use_of_it }
}

fn incident(name: &str, records: &[&Record], openings: Vec<Opening>) -> Incident {
    let times = records.iter().map(|record| record.iat);
    let claimed = (times.clone().min().expect("a record"), times.max().expect("a record"));
    Incident { name: name.into(), claimed, openings, closed: None, debts: Vec::new() }
}

fn opening(name: &str, intents: &[&Record], released: Option<&Record>) -> Opening {
    let Event::OpenIntent(facts) = &intents[0].event else { panic!("an intent") };
    Opening {
        credential: facts.credential.clone(),
        generation: facts.generation,
        operator: facts.operator.clone(),
        emergency: facts.emergency.clone(),
        reason: facts.reason.clone(),
        incident: name.into(),
        intents: intents.iter().map(|record| place(record)).collect(),
        released: released.map(place),
        output: released.map(|_| "terminal".into()),
        overrides: facts.overrides.iter().map(|one| (one.rule.clone(), one.why.clone())).collect(),
    }
}

fn debt(what: &str, done: Option<&Record>) -> Debt {
    Debt { what: what.into(), rotates: None, done: done.map(place) }
}

fn credential(
    name: &str,
    generation: u64,
    at: &Record,
    threshold: u8,
    pens: &[Pen],
    due: bool,
) -> CredentialState {
    CredentialState {
        name: name.into(),
        generation: Some(generation),
        sealed: Some(place(at)),
        threshold,
        factors: vec!["piv".into(), "fido2".into()],
        keys: pens.iter().map(|pen| pen.writer.serial).collect(),
        rotation_due: due,
    }
}

const UNKNOWN: &str = "no assertion since; what was done with it leaves no trace until the next";

/// A data centre's kit of three keys: one incident that was done with, one that was not, and a counter that jumped.
pub(crate) fn data_centre(reason: &str) -> Audited {
    let name = "DC1 emergency kit";
    let (id, mut pens) = kit(name, &[(1, 23112), (2, 23115), (3, 30877)]);
    let [one, two, three] = &mut pens[..] else { unreachable!("three keys") };
    one.write(FOUNDED + DAY, None, sealed("core-db/root", 2, 2));
    let firewall = one.write(FOUNDED + DAY + 400, None, sealed("core-fw/admin", 2, 1));
    three.has_seen(one);
    three.witness(FOUNDED + 92 * DAY);
    two.witness(FOUNDED + 93 * DAY);
    let june = one.witness(FOUNDED + 93 * DAY + 900);

    // INC-4711: two keys, 58 minutes, done with.
    let night = FOUNDED + 141 * DAY - 17_280; // 03:12
    let what = intent("core-db/root", "ada", "pam-outage", reason);
    let first = one.write(night, Some("INC-4711"), what.clone());
    let counted = one.counted(night + 9, Some("INC-4711"), &first);
    two.has_seen(one);
    let second = two.write(night + 61, Some("INC-4711"), what);
    two.counted(night + 70, Some("INC-4711"), &second);
    let out = two.write(night + 74, Some("INC-4711"), released("core-db/root", &[&first, &second]));
    one.has_seen(two);
    let rotated = one.write(night + 3_480, None, sealed("core-db/root", 3, 2));
    let october = one.witness(FOUNDED + 160 * DAY);
    let mut done = incident(
        "INC-4711",
        &[&first, &out, &rotated],
        vec![opening("INC-4711", &[&first, &second], Some(&out))],
    );
    done.closed = Some(Closing {
        record: place(&rotated),
        verdict: "real".into(),
        outcome: "PAM restored from the standby".into(),
    });
    done.debts = vec![
        debt("rotate core-db/root", Some(&rotated)),
        debt("change the PINs of 23112 and 23115", Some(&rotated)),
        debt("bring the records to the auditor", Some(&rotated)),
    ];

    // The counter moves once more than the records say.
    one.fido2.counter += 1;
    let jump = one.witness(FOUNDED + 168 * DAY);
    let recent = FOUNDED + 190 * DAY;
    let (begin, overridden) = {
        let Event::OpenIntent(mut facts) = intent(
            "core-fw/admin",
            "bob",
            "network-outage",
            "both firewalls drop management traffic after the upgrade",
        ) else {
            unreachable!("an intent")
        };
        facts.overrides = vec![Override {
            rule: "APPROVAL".into(),
            why: "carol and dana not reachable, phone is down too".into(),
        }];
        (recent + 7_200, Event::OpenIntent(facts))
    };
    let third = one.write(begin, Some("INC-4820"), overridden);
    one.counted(begin + 8, Some("INC-4820"), &third);
    let out = one.write(begin + 12, Some("INC-4820"), released("core-fw/admin", &[&third]));
    let mut open = incident("INC-4820", &[&third, &out], vec![opening("INC-4820", &[&third], Some(&out))]);
    open.debts = vec![
        debt("close the incident", None),
        debt("rotate core-fw/admin", None),
        debt("review by somebody else than bob", None),
        debt("bring the records to the auditor", Some(&out)),
    ];

    let held: Vec<Held> = pens.iter().flat_map(|pen| pen.held.clone()).collect();
    let mut told = assessment(id, name, &held);
    told.findings = vec![
        Finding::new("COUNTER-JUMP", Sort::Wrong, Severity::Critical, "key 23112 was used once between 2026-10-11 and 2026-10-19 without a record: its counter moved by 2 where the records account for 1")
            .of(id).on([october.hash(), jump.hash()]).at(jump.iat).then("ask the custodian of safe A; rotate what 23112 can open"),
        Finding::new("INCIDENT-OPEN", Sort::Due, Severity::High, "INC-4820 has not been closed for 10 days").of(id).in_incident("INC-4820").on([third.hash()]).at(third.iat).then("breakglass close INC-4820"),
        Finding::new("ROTATE-USED", Sort::Due, Severity::High, "core-fw/admin was handed out on 2026-11-10 and has not been rotated").of(id).in_incident("INC-4820").on([out.hash()]).at(out.iat).then("breakglass rotate core-fw/admin"),
        Finding::new("DRILL-WITNESS", Sort::CannotCheck, Severity::Medium, "key 30877 has not been heard from for 107 days").of(id).on([three_last(&pens)]).then("breakglass inventory with 30877, then import the records"),
        Finding::new("LOG-NONE", Sort::NotChecked, Severity::Info, "login logs of core-fw: none given").of(id).then("breakglass-audit reconcile LOG"),
        Finding::new("APPROVAL-NONE", Sort::Note, Severity::Low, "INC-4820 was opened without an approval, as the policy allows").of(id).in_incident("INC-4820").on([third.hash()]).at(third.iat),
    ];
    told.incidents = vec![done, open];
    let start = FOUNDED;
    told.keys = vec![
        statement(
            &pens[0],
            "safe A, bag 0417",
            "carol",
            vec![
                period(start, Some(june.iat), Use::ProvenUnused),
                period(june.iat, Some(counted.iat), Use::ProvenUnused),
                period(counted.iat, Some(october.iat), Use::ProvenUnused),
                period(october.iat, Some(jump.iat), Use::Used { times: 1, certain: true }),
                period(jump.iat, Some(third.iat), Use::ProvenUnused),
                period(third.iat, None, Use::CannotBeProven(UNKNOWN.into())),
            ],
        ),
        statement(
            &pens[1],
            "safe A, bag 0418",
            "carol",
            vec![
                period(start, Some(second.iat), Use::ProvenUnused),
                period(second.iat, None, Use::CannotBeProven(UNKNOWN.into())),
            ],
        ),
        statement(
            &pens[2],
            "safe B, bag 0102",
            "erin",
            vec![
                period(start, Some(FOUNDED + 92 * DAY), Use::ProvenUnused),
                period(FOUNDED + 92 * DAY, None, Use::CannotBeProven(UNKNOWN.into())),
            ],
        ),
    ];
    told.credentials = vec![
        credential("core-db/root", 3, &rotated, 2, &pens, false),
        credential("core-fw/admin", 2, &firewall, 1, &pens[..2], true),
    ];
    Audited { assessment: told, held }
}

fn three_last(pens: &[Pen]) -> Hash {
    pens[2].head().hash
}

/// An office's kit of two keys, one of whose records somebody edited after it was signed, where `edited`.
pub(crate) fn office(edited: bool) -> Audited {
    let name = "Harbour office kit";
    let (id, mut pens) = kit(name, &[(11, 41200), (12, 41207)]);
    let [one, two] = &mut pens[..] else { unreachable!("two keys") };
    let vault = one.write(FOUNDED + 2 * DAY, None, sealed("vault/unseal", 2, 1));
    two.witness(FOUNDED + 150 * DAY);
    let at = FOUNDED + 120 * DAY + 30_000;
    let first = two.write(
        at,
        Some("INC-4802"),
        intent("vault/unseal", "femi", "lockout", "identity provider rejects every administrator"),
    );
    two.counted(at + 7, Some("INC-4802"), &first);
    let out = two.write(at + 11, Some("INC-4802"), released("vault/unseal", &[&first]));
    let rotated = one.write(at + 5_400, None, sealed("vault/unseal", 3, 1));
    one.witness(FOUNDED + 180 * DAY);
    let last = two.witness(FOUNDED + 181 * DAY);
    let mut all =
        incident("INC-4802", &[&first, &out, &rotated], vec![opening("INC-4802", &[&first], Some(&out))]);
    all.closed = Some(Closing {
        record: place(&rotated),
        verdict: "drill".into(),
        outcome: "quarterly exercise".into(),
    });
    all.debts = vec![debt("rotate vault/unseal", Some(&rotated))];
    let mut held: Vec<Held> = pens.iter().flat_map(|pen| pen.held.clone()).collect();
    let mut findings = vec![];
    if edited {
        // The sealing of the first day is another one now: the signature of the old over it.
        let original = held.iter_mut().find(|held| held.record.hash() == vault.hash()).expect("it is held");
        let text = String::from_utf8(vault.bytes().to_vec()).expect("text");
        let (signed, signature) = text.rsplit_once('.').expect("a signature");
        let forged = Writer::new(99);
        let mut draft = (*vault).clone();
        draft.iat += 40 * DAY;
        let other = forged.sign(draft);
        let bytes = String::from_utf8(other.bytes().to_vec()).expect("text");
        let (input, _) = bytes.rsplit_once('.').expect("a signature");
        assert_ne!(input, signed);
        let record = Record::parse(format!("{input}.{signature}").as_bytes()).expect("a record");
        *original = Held { record: record.clone(), signature: Signature::Bad, received: original.received };
        findings.push(
            Finding::new(
                "RECORD-SIGNATURE",
                Sort::Wrong,
                Severity::Critical,
                format!("record {}/{} was changed after it was signed", record.chain_name(), record.link.seq),
            )
            .of(id)
            .on([record.hash()])
            .at(record.iat)
            .then("ask for the kit's other copy, and keep this one as evidence"),
        );
    }
    let mut told = assessment(id, name, &held);
    findings.push(
        Finding::new("LOG-NONE", Sort::NotChecked, Severity::Info, "login logs of vault: none given").of(id),
    );
    told.findings = findings;
    told.incidents = vec![all];
    told.keys = vec![
        statement(
            &pens[0],
            "reception safe",
            "gil",
            vec![
                period(FOUNDED, Some(FOUNDED + 180 * DAY), Use::ProvenUnused),
                period(FOUNDED + 180 * DAY, None, Use::CannotBeProven(UNKNOWN.into())),
            ],
        ),
        statement(
            &pens[1],
            "board room safe",
            "hana",
            vec![
                period(FOUNDED, Some(last.iat), Use::ProvenUnused),
                period(last.iat, None, Use::CannotBeProven(UNKNOWN.into())),
            ],
        ),
    ];
    told.credentials = vec![credential("vault/unseal", 3, &rotated, 1, &pens, false)];
    Audited { assessment: told, held }
}

/// A kit whose one key was looked at so often that it has so many records.
pub(crate) fn looked_at(records: usize) -> Audited {
    let (id, mut pens) = kit("Large kit", &[(21, 50001), (22, 50002), (23, 50003)]);
    let mut total: usize = pens.iter().map(|pen| pen.held.len()).sum();
    let mut incidents = Vec::new();
    let mut at = FOUNDED + DAY;
    while total + 3 <= records {
        at += 3_600;
        let pen = &mut pens[total % 3];
        match total % 10 {
            0 => {
                let name = format!("INC-{total}");
                let first = pen.write(
                    at,
                    Some(&name),
                    intent("core-db/root", "ada", "pam-outage", "a rehearsal of many"),
                );
                pen.counted(at + 3, Some(&name), &first);
                let out = pen.write(at + 9, Some(&name), released("core-db/root", &[&first]));
                incidents.push(incident(&name, &[&first, &out], vec![opening(&name, &[&first], Some(&out))]));
                total += 3;
            }
            _ => {
                pen.witness(at);
                total += 2;
            }
        }
    }
    while total < records {
        pens[0].write(at + 60, None, sealed("core-db/root", total as u64, 1));
        total += 1;
    }
    let held: Vec<Held> = pens.iter().flat_map(|pen| pen.held.clone()).collect();
    let mut told = assessment(id, "Large kit", &held);
    told.incidents = incidents;
    told.keys = pens.iter().map(|pen| statement(pen, "safe", "carol", vec![])).collect();
    Audited { assessment: told, held }
}

/// A ledger in memory that holds the records of these kits.
pub(crate) fn ledger(all: &[Audited]) -> Sqlite {
    let mut ledger = Sqlite::in_memory();
    for one in all {
        let records: Vec<_> = one.held.iter().map(|held| (held.record.clone(), held.signature)).collect();
        ledger.store(&records, NOW).expect("a ledger in memory takes records");
    }
    ledger
}
