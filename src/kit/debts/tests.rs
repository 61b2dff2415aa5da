//! What an incident leaves to be done, and what discharges it, record by record.

use super::*;
use crate::kit::credentials;
use crate::kit::roster::{self, Change};
use crate::record::event::*;
use crate::record::hash::KeyId;
use crate::record::sample::Writer;

/// Two keys of one kit, of which each knows all that was signed before.
struct World(Vec<Writer>);

const INCIDENT: &str = "2026-11-21-database-down"; // that of every sample record that names one

impl World {
    /// `core-db/root` is sealed to the first key, `core-fw/admin` to both, `core-lb/root` takes both, `core-sw/root` only
    /// the second.
    fn new() -> Self {
        let mut world = World(vec![Writer::founder(1), Writer::new(2)]);
        let enrolment = world.0[1].enrolment();
        let enrolment = world.0[1].write(enrolment).hash();
        let kit = world.0[0].kit.unwrap();
        world.0[1].kit = Some(kit);
        let (key, serial) = (world.id(1), world.0[1].serial);
        let change = Change::Admit { key, enrolment }.hash(&kit);
        world.write(0, Event::KeyAdmitted(KeyAdmitted { change, serial, key, enrolment }));
        for (name, threshold, keys) in [
            ("core-db/root", 1, &[0][..]),
            ("core-fw/admin", 1, &[0, 1]),
            ("core-lb/root", 2, &[0, 1]),
            ("core-sw/root", 1, &[1]),
        ] {
            world.seal(name, 1, false, threshold, keys);
        }
        world
    }

    fn id(&self, key: usize) -> KeyId {
        KeyId::of(&self.0[key].verifying_key())
    }

    fn write(&mut self, by: usize, event: Event) -> Hash {
        let other = &self.0[1 - by];
        let head = other.records.last().map(|last| (other.name(), (last.link.seq, last.hash())));
        self.0[by].seen = head.into_iter().collect();
        self.0[by].write(event).hash()
    }

    fn seal(&mut self, name: &str, generation: u64, pending: bool, threshold: u8, keys: &[usize]) -> Hash {
        let facts = CredentialSealed {
            credential: name.into(),
            generation,
            pending,
            threshold,
            factors: vec!["piv".into()],
            folder: format!("{generation}-0a1b2c3d"),
            recipients: keys.iter().map(|key| self.id(*key)).collect(),
            envelopes: vec![],
            files: BTreeMap::from([("payload.age".into(), Hash::of(b"payload"))]),
            list: None,
        };
        self.write(0, Event::CredentialSealed(facts))
    }

    fn rotate(&mut self, name: &str, generation: u64, threshold: u8, keys: &[usize]) {
        let sealed = self.seal(name, generation, true, threshold, keys);
        let credential = name.to_owned();
        self.write(0, Event::CredentialConfirmed(CredentialConfirmed { credential, generation, sealed }));
    }

    fn put_away(&mut self, key: usize) {
        let facts = KeyCheckedIn {
            serial: self.0[key].serial,
            key: self.id(key),
            place: "safe A".into(),
            bag: "0502".into(),
            person: "ada".into(),
            witness: "bob".into(),
        };
        self.write(0, Event::KeyCheckedIn(facts));
    }

    fn open(&mut self, by: usize, name: &str) {
        let facts = OpenIntent {
            credential: name.into(),
            generation: 1,
            sealed: Hash::of(b"sealed"),
            emergency: "outage".into(),
            reason: "down".into(),
            operator: "ada".into(),
            presence: true,
            tries: 3,
            overrides: vec![],
            consent: None,
        };
        self.write(by, Event::OpenIntent(facts));
    }

    fn close(&mut self, switched_off: &[&str]) {
        let switched_off = switched_off.iter().map(ToString::to_string).collect();
        let facts = IncidentClosed { verdict: Verdict::Drill, outcome: "back".into(), switched_off };
        self.write(0, Event::IncidentClosed(facts));
    }

    fn word(&mut self, debt: &str) {
        let facts = DebtDischarged { debt: debt.into(), by: "dana".into(), how: "done".into() };
        self.write(0, Event::DebtDischarged(facts));
    }

    fn pin(&mut self, by: usize, what: &str) {
        self.write(by, Event::KeyPinChanged(KeyPinChanged { what: what.into() }));
    }

    fn review(&mut self, by: &str) {
        let (text, judgement) = ("fine".to_owned(), Judgement::Agree);
        let facts = IncidentReviewed { by: by.into(), judgement, text, lesson: None };
        self.write(0, Event::IncidentReviewed(facts));
    }

    fn export(&mut self) {
        let head = |writer: &Writer| {
            let last = writer.records.last().unwrap();
            (writer.name(), (last.link.seq, last.hash()))
        };
        let heads = self.0.iter().map(head).collect();
        self.write(0, Event::Exported(Exported { count: 9, bundle: Hash::of(b"bundle"), heads }));
    }

    fn debts(&self) -> Vec<Debt> {
        let names: Vec<String> = self.0.iter().map(Writer::name).collect();
        let records: Vec<(&str, &Record)> = self
            .0
            .iter()
            .zip(&names)
            .flat_map(|(writer, name)| writer.records.iter().map(|record| (name.as_str(), record)))
            .collect();
        let text = crate::kit::policy::template("harbour", KitKind::Practice);
        let policy = crate::kit::policy::Policy::parse(text.as_bytes()).unwrap();
        let roster = roster::derive(records.iter().copied(), &|_| Some(policy.clone())).unwrap();
        let sealed = credentials::derive(&roster, records.iter().map(|(_, record)| *record));
        derive(&roster, &sealed, &|_| Vec::new(), records.into_iter()).remove(INCIDENT).unwrap_or_default()
    }

    fn open_debts(&self) -> Vec<String> {
        let open = self.debts().into_iter().filter(|debt| debt.done.is_none());
        open.map(|debt| debt.what.to_string()).collect()
    }
}

/// What the opening of `core-db/root` with the first key leaves.
const LEFT: [&str; 6] = [
    "rotate core-db/root",
    "rotate core-fw/admin", // it opens with that key, too
    "change-pin 20000001",
    "return 20000001",
    "account core-db/root",
    "upload",
];

#[test]
fn an_opening_leaves_all_that_its_opener_could_have_read_and_taken() {
    let mut world = World::new();
    assert_eq!(world.debts(), []);
    world.open(0, "core-db/root");
    let review = format!("review {INCIDENT}");
    assert_eq!(world.open_debts(), [&LEFT[..], &[&review]].concat());
    assert!(world.debts()[0].what == What::Rotate("core-db/root".parse().unwrap(), true));
    assert!(world.debts()[1].what == What::Rotate("core-fw/admin".parse().unwrap(), false));
    // With the second key, too, what takes both is within reach, and what is the second's alone.
    world.open(1, "core-fw/admin");
    let rotate: Vec<String> =
        world.open_debts().into_iter().filter(|debt| debt.starts_with("rotate")).collect();
    assert_eq!(
        rotate,
        ["rotate core-db/root", "rotate core-fw/admin", "rotate core-lb/root", "rotate core-sw/root"]
    );
}

/// What is signed after the opening; and which debts are no more then.
#[test]
fn each_debt_is_discharged_by_its_own_record_and_by_no_other() {
    type Signs = fn(&mut World);
    let review = format!("review {INCIDENT}");
    let cases: &[(&str, Signs, &[&str])] = &[
        ("nothing", |_| {}, &[]),
        ("a close", |world| world.close(&[]), &[]),
        ("a sealing that waits", |world| _ = world.seal("core-db/root", 2, true, 1, &[0]), &[]),
        ("a rotation", |world| world.rotate("core-db/root", 2, 1, &[1]), &["rotate core-db/root"]),
        ("of the other", |world| world.rotate("core-fw/admin", 2, 1, &[0]), &["rotate core-fw/admin"]),
        ("its PIN", |world| world.pin(0, "pin"), &["change-pin 20000001"]),
        ("its PIN by the PUK", |world| world.pin(0, "unblock"), &["change-pin 20000001"]),
        ("its PUK", |world| world.pin(0, "puk"), &[]),
        ("the PIN of another", |world| world.pin(1, "pin"), &[]),
        ("the key is back", |world| world.word("return 20000001"), &["return 20000001"]),
        ("another is back", |world| world.word("return 20000002"), &[]),
        ("the key is put away", |world| world.put_away(0), &["return 20000001"]),
        ("another is put away", |world| world.put_away(1), &[]),
        ("the account is gone", |world| world.word("account core-db/root"), &["account core-db/root"]),
        ("a word for a rotation", |world| world.word("rotate core-db/root"), &[]),
        ("a word for the PIN", |world| world.word("change-pin 20000001"), &[]),
        ("an export", World::export, &["upload"]),
        ("a review", |world| world.review("dana"), &[&review]),
        ("of the operator's own", |world| world.review("ada"), &[]),
    ];
    for (what, signs, gone) in cases {
        let mut world = World::new();
        world.open(0, "core-db/root");
        signs(&mut world);
        let all = [&LEFT[..], &[&review]].concat();
        let left: Vec<&str> = all.into_iter().filter(|debt| !gone.contains(debt)).collect();
        assert_eq!(world.open_debts(), left, "after {what}");
        let done = world.debts().into_iter().filter_map(|debt| debt.done).count();
        assert_eq!(done, gone.len(), "{what}: each is shown with its record");
    }
}

#[test]
fn what_was_signed_before_the_opening_discharges_nothing() {
    let mut world = World::new();
    world.open(0, "core-db/root");
    world.pin(0, "pin");
    world.word("return 20000001");
    world.put_away(0);
    world.word("account core-db/root");
    world.review("dana");
    world.export();
    world.open(0, "core-db/root");
    assert_eq!(world.open_debts(), [&LEFT[..], &[&format!("review {INCIDENT}")]].concat());
}

#[test]
fn a_generation_that_was_within_reach_is_no_way_out() {
    let mut world = World::new();
    // Sealed before the opening, to the key that was used, and confirmed after it: it may have been read as well.
    let sealed = world.seal("core-db/root", 2, true, 1, &[0]);
    world.open(0, "core-db/root");
    let credential = "core-db/root".to_owned();
    world.write(0, Event::CredentialConfirmed(CredentialConfirmed { credential, generation: 2, sealed }));
    assert!(world.open_debts().contains(&"rotate core-db/root".into()));
    world.rotate("core-db/root", 3, 1, &[0]);
    assert!(!world.open_debts().contains(&"rotate core-db/root".into()));
}

#[test]
fn what_was_no_longer_in_force_need_not_be_rotated() {
    let mut world = World::new();
    world.rotate("core-fw/admin", 2, 1, &[1]);
    world.open(0, "core-db/root");
    assert!(!world.debts().iter().any(|debt| debt.what.to_string() == "rotate core-fw/admin"));
}

#[test]
fn what_was_switched_off_is_owed_until_it_is_put_back() {
    let mut world = World::new();
    world.open(0, "core-db/root");
    world.word("restore the SCP");
    world.close(&["the SCP", "MFA for admins"]);
    let restore = |world: &World| -> Vec<String> {
        world.open_debts().into_iter().filter(|debt| debt.starts_with("restore")).collect()
    };
    assert_eq!(restore(&world).len(), 2, "a word before it was owed is none");
    world.word("restore the SCP");
    assert_eq!(restore(&world), ["restore MFA for admins"]);
}

#[test]
fn a_close_after_the_export_is_to_be_given_too_and_a_checkpoint_does() {
    let mut world = World::new();
    world.open(0, "core-db/root");
    world.export();
    world.close(&[]);
    assert!(world.open_debts().contains(&"upload".into()));
    let origin = "audit.example.org/ledger".into();
    let facts = LedgerAnchored { checkpoint: Hash::of(b"checkpoint"), origin, size: 9 };
    world.write(1, Event::LedgerAnchored(facts));
    assert!(!world.open_debts().contains(&"upload".into()));
}

#[test]
fn names_are_quoted_for_the_shell_where_they_must_be() {
    for (text, word) in [
        ("INC-4711", "INC-4711"),
        ("return 23112", "'return 23112'"),
        ("it's down", r"'it'\''s down'"),
        ("$(rm)", "'$(rm)'"),
        ("", "''"),
    ] {
        assert_eq!(quoted(text), word);
    }
}
