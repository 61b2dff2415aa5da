//! The two engines of the ledger do the same: each test here runs against an SQLite file and a PostgreSQL server.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use breakglass::attestation;
use breakglass::audit::ledger::{
    self, BundleEnd, Fate, Held, Imported, KitRow, Ledger, LedgerError, LogCover, Login, SetAside, Signature,
    Trust, Which,
};
use breakglass::record::hash::{Hash, KeyId};
use breakglass::record::token::Record;
use breakglass::record::{event, hash, token};
use event::{Event, KeyAdmitted};

#[path = "../src/record/sample.rs"]
mod sample;

#[path = "support/postgres.rs"]
#[allow(dead_code, reason = "shared between test programs")]
mod postgres;

use postgres::Server;
use sample::{NOON, Writer};

/// Where a ledger is to be: opened as often as wanted.
struct Place {
    name: String,
    kind: Kind,
}

enum Kind {
    Sqlite { path: PathBuf, _folder: tempfile::TempDir },
    Postgres { server: Arc<Server>, database: String },
}

impl Place {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ledger.db");
        Place { name: path.display().to_string(), kind: Kind::Sqlite { path, _folder: folder } }
    }

    /// One server for all tests that run at the same time.
    fn postgres() -> Self {
        static SERVER: OnceLock<std::sync::Mutex<Weak<Server>>> = OnceLock::new();
        let mut shared = SERVER.get_or_init(std::sync::Mutex::default).lock().expect("nobody panics here");
        let server = shared.upgrade().unwrap_or_else(|| Arc::new(Server::start(None)));
        *shared = Arc::downgrade(&server);
        let database = server.database();
        Place { name: server.url(&database), kind: Kind::Postgres { server, database } }
    }

    fn open(&self) -> Box<dyn Ledger> {
        ledger::open(&self.name).expect("a ledger")
    }

    /// Runs SQL behind the ledger's back.
    fn meddle(&self, sql: &str) {
        match &self.kind {
            Kind::Sqlite { path, .. } => {
                rusqlite::Connection::open(path).expect("opens").execute_batch(sql).expect("runs");
            }
            Kind::Postgres { server, database } => {
                let sql = format!("SET search_path = breakglass; {sql}");
                server.psql(database, &sql).expect("runs");
            }
        }
    }

    /// Sets the format that the ledger says it has.
    fn set_format(&self, format: u32) {
        self.meddle(&match &self.kind {
            Kind::Sqlite { .. } => format!("PRAGMA user_version = {format}"),
            Kind::Postgres { .. } => format!("UPDATE format SET version = {format}"),
        });
    }
}

/// Each case is a test of each engine.
macro_rules! of_each_engine {
    ($($case:ident)*) => {
        mod sqlite {
            $(#[test] fn $case() { super::$case(&super::Place::sqlite()); })*
        }
        mod postgresql {
            $(#[test] fn $case() { super::$case(&super::Place::postgres()); })*
        }
    };
}

of_each_engine! {
    a_record_is_held_once_with_its_bytes_and_its_signature
    arrivals_are_dense_and_never_change
    two_records_for_one_place_are_both_held
    an_enrolment_that_comes_late_verifies_what_came_before
    a_pinned_key_verifies_what_came_before
    a_chain_belongs_to_the_kit_that_admits_its_key
    a_forged_claim_brings_in_nothing_but_itself
    of_governance_are_all_that_change_the_kit
    keys_without_a_kit_are_listed
    lines_set_aside_are_kept_once_the_newest_first
    a_line_of_a_newer_version_is_set_aside_until_it_is_read
    imports_are_noted_in_order
    policies_are_kept_by_their_hash
    trust_is_kept_and_a_root_is_not_forgotten
    logins_belong_to_the_kits_that_hold_the_credential
    checkpoints_are_found_by_their_hash
    text_with_any_character_comes_back
    an_older_ledger_is_taken_further
    a_newer_ledger_is_refused_with_the_version
    what_is_something_else_is_no_ledger
    bytes_that_were_changed_are_found
    many_writers_at_once_lose_nothing_and_number_densely
    who_waits_too_long_is_told_that_it_is_busy
    nothing_of_a_call_that_fails_is_done
}

fn good(records: &[Record]) -> Vec<(Record, Signature)> {
    records.iter().map(|record| (record.clone(), Signature::Good)).collect()
}

fn unknown(records: &[Record]) -> Vec<(Record, Signature)> {
    records.iter().map(|record| (record.clone(), Signature::Unknown)).collect()
}

fn held(ledger: &mut dyn Ledger, kit: &Hash, which: Which) -> Vec<Held> {
    let mut held = Vec::new();
    ledger
        .records(kit, which, &mut |one| {
            held.push(one);
            ControlFlow::Continue(())
        })
        .expect("reads");
    held
}

fn hashes(held: &[Held]) -> Vec<Hash> {
    held.iter().map(|one| one.record.hash()).collect()
}

fn kit_row(ledger: &mut dyn Ledger, kit: &Hash) -> KitRow {
    ledger.kits().expect("reads").into_iter().find(|row| row.kit == *kit).expect("a kit")
}

/// A founder with so many openings.
fn founder(n: u8, openings: usize) -> (Hash, Writer) {
    let mut writer = Writer::founder(n);
    writer.open(openings);
    (writer.kit.expect("founded"), writer)
}

fn a_record_is_held_once_with_its_bytes_and_its_signature(place: &Place) {
    let (kit, writer) = founder(1, 20);
    let mut ledger = place.open();
    let mut twice = good(&writer.records);
    twice.push(twice[3].clone());
    let fates = ledger.store(&twice, NOON).expect("stores");
    assert!(fates[..22].iter().all(|fate| *fate == Fate::Stored(Signature::Good)));
    assert_eq!(fates[22], Fate::Known(Signature::Good));
    let again = place.open().store(&good(&writer.records), NOON + 1).expect("stores");
    assert!(again.iter().all(|fate| *fate == Fate::Known(Signature::Good)));
    let held = held(&mut *place.open(), &kit, Which::All);
    let bytes: Vec<_> = held.iter().map(|one| one.record.bytes()).collect();
    assert_eq!(bytes, writer.records.iter().map(Record::bytes).collect::<Vec<_>>());
    assert!(held.iter().all(|one| one.received == NOON && one.signature == Signature::Good));
    let kid = KeyId::of(&writer.verifying_key());
    assert_eq!(ledger.key(&kid).expect("reads"), Some(writer.verifying_key()));
    assert_eq!(ledger.key(&KeyId(kit)).expect("reads"), None);
    let row = kit_row(&mut *ledger, &kit);
    assert_eq!((row.records, row.trust, row.attestation_root), (22, None, None));
    let mut few = 0;
    ledger
        .records(&kit, Which::All, &mut |_| {
            few += 1;
            if few == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .expect("reads");
    assert_eq!(few, 3);
}

fn arrivals_are_dense_and_never_change(place: &Place) {
    let (_, writer) = founder(1, 30);
    let mut ledger = place.open();
    let mut order = Vec::new();
    for part in [10..20, 0..12, 5..32] {
        ledger.store(&good(&writer.records[part.clone()]), NOON).expect("stores");
        for record in &writer.records[part] {
            if !order.contains(&record.hash()) {
                order.push(record.hash());
            }
        }
        assert_eq!(ledger.size().expect("reads"), order.len() as u64);
        assert_eq!(ledger.arrivals(0, order.len() as u64).expect("reads"), order);
    }
    assert_eq!(ledger.arrivals(7, 9).expect("reads"), order[7..9]);
    assert_eq!(ledger.arrivals(9, 9).expect("reads"), []);
    assert_eq!(ledger.arrivals(30, 1_000_000).expect("reads"), order[30..]);
    place.meddle("DELETE FROM records WHERE arrival = 5");
    assert!(matches!(place.open().arrivals(0, 32), Err(LedgerError::Changed { .. })));
}

fn two_records_for_one_place_are_both_held(place: &Place) {
    let (kit, mut writer) = founder(1, 3);
    let mut draft = writer.draft(sample::intent());
    draft.jti = "the other".into();
    let other = writer.sign(draft);
    let one = writer.write(sample::intent());
    let mut forged = other.bytes().to_vec();
    let at = forged.len() - 40;
    forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
    let forged = Record::parse(&forged).expect("a record");
    let mut ledger = place.open();
    let all = [&writer.records[..], &[other.clone(), forged.clone()]].concat();
    ledger.store(&unknown(&all), NOON).expect("stores");
    let held = held(&mut *ledger, &kit, Which::All);
    assert!(held.is_sorted_by_key(|one| (one.record.link.seq, one.record.hash())));
    let signature = |record: &Record| {
        held.iter().find(|held| held.record.hash() == record.hash()).expect("held").signature
    };
    assert_eq!(signature(&one), Signature::Good);
    assert_eq!(signature(&other), Signature::Good);
    assert_eq!(signature(&forged), Signature::Bad);
}

fn an_enrolment_that_comes_late_verifies_what_came_before(place: &Place) {
    // More than are verified at a time.
    let (kit, writer) = founder(1, 1_100);
    let mut ledger = place.open();
    let mut late = unknown(&writer.records[1..]);
    let mut forged = writer.records[7].bytes().to_vec();
    let at = forged.len() - 40;
    forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
    late.push((Record::parse(&forged).expect("a record"), Signature::Unknown));
    let fates = ledger.store(&late, NOON).expect("stores");
    assert!(fates.iter().all(|fate| *fate == Fate::Stored(Signature::Unknown)));
    assert!(held(&mut *ledger, &kit, Which::All).iter().all(|one| one.signature == Signature::Unknown));
    let fates = place.open().store(&unknown(&writer.records[..3]), NOON + 9).expect("stores");
    let (stored, known) = (Fate::Stored(Signature::Good), Fate::Known(Signature::Good));
    assert_eq!(fates, [stored, known, known]);
    let held = held(&mut *ledger, &kit, Which::All);
    assert_eq!(held.len(), 1_103);
    let bad: Vec<_> = held.iter().filter(|one| one.signature != Signature::Good).collect();
    assert_eq!((bad.len(), bad[0].signature), (1, Signature::Bad));
    assert_eq!(bad[0].record.bytes(), forged);
    // And what comes now is verified at once, also by a program that has not read the enrolment itself.
    let one = unknown(&writer.records[9..10]);
    assert_eq!(place.open().store(&one, NOON).expect("stores"), [Fate::Known(Signature::Good)]);
}

fn a_pinned_key_verifies_what_came_before(place: &Place) {
    let (kit, writer) = founder(1, 3);
    let mut ledger = place.open();
    ledger.store(&unknown(&writer.records[1..4]), NOON).expect("stores");
    ledger.put_keys(&[writer.verifying_key()]).expect("pins");
    ledger.put_keys(&[writer.verifying_key()]).expect("pins again");
    let all = held(&mut *place.open(), &kit, Which::All);
    assert!(all.len() == 3 && all.iter().all(|one| one.signature == Signature::Good));
    let last = ledger.store(&unknown(&writer.records[4..]), NOON).expect("stores");
    assert_eq!(last, [Fate::Stored(Signature::Good)]);
}

fn a_chain_belongs_to_the_kit_that_admits_its_key(place: &Place) {
    let (kit, mut writer) = founder(1, 1);
    let mut other = Writer::new(2);
    let enrolment = other.enrolment();
    let enrolment = other.write(enrolment);
    let mut ledger = place.open();
    ledger.store(&unknown(&writer.records), NOON).expect("stores");
    ledger.store(&unknown(&other.records), NOON).expect("stores");
    assert_eq!(held(&mut *ledger, &kit, Which::All).len(), 3);
    let admitted = writer.write(Event::KeyAdmitted(KeyAdmitted {
        change: Hash::of(b"change"),
        serial: other.serial,
        key: KeyId::of(&other.verifying_key()),
        enrolment: enrolment.hash(),
    }));
    ledger.store(&unknown(&[admitted]), NOON).expect("stores");
    let held = held(&mut *ledger, &kit, Which::All);
    assert_eq!(held.len(), 5);
    assert_eq!(held[4].record.hash(), enrolment.hash());
    assert_eq!(kit_row(&mut *ledger, &kit).records, 5);
    assert_eq!(ledger.homeless().expect("reads"), []);
}

fn a_forged_claim_brings_in_nothing_but_itself(place: &Place) {
    let (kit, writer) = founder(1, 5);
    let (other, _) = founder(3, 0);
    // Somebody without the key says that the same key serves another kit.
    let mut stranger = Writer::new(9);
    stranger.records = writer.records.clone();
    stranger.kit = Some(other);
    let mut draft = stranger.draft(sample::intent());
    draft.kid = KeyId::of(&writer.verifying_key());
    draft.serial = writer.serial;
    let forged = stranger.sign(draft);
    let mut ledger = place.open();
    ledger.store(&unknown(&writer.records), NOON).expect("stores");
    let fate = ledger.store(&unknown(std::slice::from_ref(&forged)), NOON).expect("stores");
    assert_eq!(fate, [Fate::Stored(Signature::Bad)]);
    let claimed = held(&mut *ledger, &other, Which::All);
    // The enrolment names no kit, so it may be of either.
    assert_eq!(hashes(&claimed), [writer.records[0].hash(), forged.hash()]);
    assert_eq!(kit_row(&mut *ledger, &other).records, 2);
    assert_eq!(held(&mut *ledger, &kit, Which::All).len(), 8);
}

fn of_governance_are_all_that_change_the_kit(place: &Place) {
    let (kit, mut writer) = founder(1, 2);
    for event in sample::every_event().into_iter().skip(1) {
        writer.write(event);
    }
    let mut ledger = place.open();
    ledger.store(&good(&writer.records), NOON).expect("stores");
    let few = held(&mut *ledger, &kit, Which::Governance);
    let names: Vec<_> = few.iter().map(|one| one.record.event.name()).collect();
    let expected = [
        "key.enrolled",
        "kit.founded",
        "key.admitted",
        "key.retired",
        "policy.adopted",
        "key.pin-changed",
        "credential.sealed",
        "credential.confirmed",
        "gap.accepted",
    ];
    for name in expected {
        assert!(names.contains(&name), "{name}");
    }
    for name in ["open.intent", "open.asserted", "open.released", "exported", "key.witness"] {
        assert!(!names.contains(&name), "{name}");
    }
}

fn keys_without_a_kit_are_listed(place: &Place) {
    let mut writer = Writer::new(4);
    let enrolment = writer.enrolment();
    writer.write(enrolment);
    let mut ledger = place.open();
    ledger.store(&good(&writer.records), NOON).expect("stores");
    let (_, other) = founder(1, 1);
    ledger.store(&good(&other.records), NOON).expect("stores");
    let kid = KeyId::of(&writer.verifying_key());
    assert_eq!(ledger.homeless().expect("reads"), [(writer.serial, kid, 1)]);
}

fn line(number: u64, text: &str) -> SetAside {
    SetAside {
        source: "stick/a.jws".into(),
        line: number,
        bytes: text.into(),
        why: "not the three parts of a compact JWS, but 1".into(),
        unknown_event: false,
        received: NOON,
    }
}

fn lines_set_aside_are_kept_once_the_newest_first(place: &Place) {
    let mut ledger = place.open();
    let lines: Vec<_> = (1..=30).map(|number| line(number, "not a record")).collect();
    ledger.put_aside(&lines).expect("keeps");
    ledger.put_aside(&lines[..9]).expect("keeps");
    ledger.put_aside(&[line(3, "another")]).expect("keeps");
    let (few, count) = place.open().set_aside(3).expect("reads");
    assert_eq!(count, 31);
    assert_eq!(few, [line(3, "another"), lines[29].clone(), lines[28].clone()]);
    assert_eq!(ledger.set_aside(0).expect("reads"), (vec![], 31));
    // Those of a newer version, and the others, each with their own number.
    let newer = SetAside { unknown_event: true, ..line(40, "newer") };
    ledger.put_aside(&[newer.clone(), line(41, "the newest of all")]).expect("keeps");
    assert_eq!(ledger.set_aside_as(true, 1).expect("reads"), (vec![newer], 1));
    assert_eq!(ledger.set_aside_as(false, 1).expect("reads"), (vec![line(41, "the newest of all")], 32));
}

fn a_line_of_a_newer_version_is_set_aside_until_it_is_read(place: &Place) {
    let (_, writer) = founder(1, 1);
    let mut ledger = place.open();
    let mut newer = line(1, std::str::from_utf8(writer.records[1].bytes()).expect("text"));
    newer.unknown_event = true;
    let mut still = line(2, "still unknown");
    still.unknown_event = true;
    ledger.put_aside(&[newer.clone(), still.clone()]).expect("keeps");
    ledger.imported(&import(1)).expect("notes");
    assert_eq!(ledger.set_aside(9).expect("reads").1, 2);
    ledger.store(&good(&writer.records), NOON).expect("stores");
    ledger.imported(&import(2)).expect("notes");
    assert_eq!(ledger.set_aside(9).expect("reads"), (vec![still], 1));
}

fn import(n: u64) -> Imported {
    Imported {
        source: format!("stick/{n}.jws"),
        at: NOON + n as i64,
        read: 10 * n,
        stored: 5 * n,
        known: 3 * n,
        set_aside: 2 * n,
        bad: n,
        unverified: 0,
        end: [
            None,
            Some(BundleEnd::Whole),
            Some(BundleEnd::Other),
            Some(BundleEnd::Cut),
            Some(BundleEnd::Open),
        ][n as usize % 5],
        export: n.is_multiple_of(2).then(|| Hash::of(b"export")),
    }
}

fn imports_are_noted_in_order(place: &Place) {
    let mut ledger = place.open();
    for n in 1..=6 {
        ledger.imported(&import(n)).expect("notes");
    }
    assert_eq!(place.open().imports().expect("reads"), (1..=6).map(import).collect::<Vec<_>>());
}

fn policies_are_kept_by_their_hash(place: &Place) {
    let mut ledger = place.open();
    let hash = ledger.put_policy(b"quorum = 2\n").expect("keeps");
    assert_eq!(hash, Hash::of(b"quorum = 2\n"));
    assert_eq!(ledger.put_policy(b"quorum = 2\n").expect("keeps again"), hash);
    assert_eq!(place.open().policy(&hash).expect("reads").as_deref(), Some(&b"quorum = 2\n"[..]));
    assert_eq!(ledger.policy(&Hash::of(b"other")).expect("reads"), None);
    place.meddle("UPDATE policies SET bytes = hash");
    assert!(matches!(ledger.policy(&hash), Err(LedgerError::Changed { .. })));
}

fn trust_is_kept_and_a_root_is_not_forgotten(place: &Place) {
    let (kit, writer) = founder(1, 1);
    let mut ledger = place.open();
    ledger.store(&good(&writer.records), NOON).expect("stores");
    ledger.put_trust(&kit, &Trust::Words, Some(b"der"), NOON).expect("keeps");
    let row = kit_row(&mut *place.open(), &kit);
    assert_eq!(row.trust, Some((Trust::Words, NOON)));
    assert_eq!(row.attestation_root.as_deref(), Some(&b"der"[..]));
    let pinned = Trust::Pinned(vec![KeyId(Hash::of(b"1")), KeyId(Hash::of(b"2"))]);
    ledger.put_trust(&kit, &pinned, None, NOON + 1).expect("keeps");
    let row = kit_row(&mut *ledger, &kit);
    assert_eq!(row.trust, Some((pinned, NOON + 1)));
    assert_eq!(row.attestation_root.as_deref(), Some(&b"der"[..]));
    // A kit may be trusted before anything of it has come in.
    let other = Hash::of(b"to come");
    ledger.put_trust(&other, &Trust::Words, None, NOON).expect("keeps");
    assert_eq!(kit_row(&mut *ledger, &other).records, 0);
}

fn login(at: i64, credential: &str) -> Login {
    Login {
        log: "auth.log".into(),
        credential: credential.into(),
        at,
        from: (at % 2 == 0).then(|| "10.0.0.7".into()),
        success: at % 3 == 0,
        raw: format!("sshd[{at}]: Accepted"),
    }
}

fn logins_belong_to_the_kits_that_hold_the_credential(place: &Place) {
    let (kit, writer) = founder(1, 1); // opens vsphere/root
    let (other, bare) = founder(2, 0);
    let mut ledger = place.open();
    ledger.store(&good(&writer.records), NOON).expect("stores");
    ledger.store(&good(&bare.records), NOON).expect("stores");
    let logins: Vec<_> = [9, 3, 6, 4].map(|at| login(at, "vsphere/root")).into();
    let strange = [login(5, "elsewhere/root")];
    let cover = LogCover {
        log: "auth.log".into(),
        credential: "vsphere/root".into(),
        from_to: (NOON, NOON + 9),
        hash: Hash::of(b"log"),
    };
    for _ in 0..2 {
        ledger.put_logins(&logins, std::slice::from_ref(&cover)).expect("keeps");
    }
    ledger.put_logins(&strange, &[]).expect("keeps");
    let mut sorted = logins;
    sorted.sort_by_key(|login| login.at);
    assert_eq!(place.open().logins(&kit).expect("reads"), (sorted, vec![cover]));
    assert_eq!(ledger.logins(&other).expect("reads"), (vec![], vec![]));
}

fn checkpoints_are_found_by_their_hash(place: &Place) {
    let mut ledger = place.open();
    assert_eq!(ledger.newest_checkpoint().expect("reads"), None);
    ledger.put_checkpoint("one\n", 5, NOON).expect("keeps");
    ledger.put_checkpoint("two\n", 9, NOON + 1).expect("keeps");
    ledger.put_checkpoint("one\n", 5, NOON + 2).expect("keeps");
    assert_eq!(place.open().newest_checkpoint().expect("reads").as_deref(), Some("two\n"));
    assert_eq!(ledger.checkpoint_time(&Hash::of(b"one\n")).expect("reads"), Some(NOON));
    assert_eq!(ledger.checkpoint_time(&Hash::of(b"none")).expect("reads"), None);
}

fn text_with_any_character_comes_back(place: &Place) {
    let mut ledger = place.open();
    let mut odd = line(1, "\0\u{FFFF}\u{202E}'\";--\n");
    odd.source = "größe '; DROP TABLE records; --\u{1F525}".into();
    ledger.put_aside(std::slice::from_ref(&odd)).expect("keeps");
    assert_eq!(ledger.set_aside(1).expect("reads").0, [odd.clone()]);
    // PostgreSQL's text holds no NUL, so neither engine's does. The bytes are as they were.
    odd.why = "unknown event \"a\0b\"".into();
    odd.line = 2;
    ledger.put_aside(std::slice::from_ref(&odd)).expect("keeps");
    odd.why = "unknown event \"a\u{FFFD}b\"".into();
    assert_eq!(ledger.set_aside(1).expect("reads").0, [odd]);
}

fn an_older_ledger_is_taken_further(place: &Place) {
    let (kit, writer) = founder(1, 3);
    let mut ledger = place.open();
    ledger.store(&good(&writer.records), NOON).expect("stores");
    ledger.put_trust(&kit, &Trust::Words, None, NOON).expect("keeps");
    drop(ledger);
    // As format 1 was.
    place.meddle("DROP TABLE logins; DROP TABLE covers; DROP TABLE checkpoints");
    place.set_format(1);
    let mut ledger = place.open();
    assert_eq!(held(&mut *ledger, &kit, Which::All).len(), 5);
    assert_eq!(kit_row(&mut *ledger, &kit).trust, Some((Trust::Words, NOON)));
    ledger.put_checkpoint("one\n", 5, NOON).expect("keeps");
    drop(ledger);
    assert_eq!(place.open().newest_checkpoint().expect("reads").as_deref(), Some("one\n"));
}

fn a_newer_ledger_is_refused_with_the_version(place: &Place) {
    drop(place.open());
    place.set_format(99);
    let Err(error) = ledger::open(&place.name) else { panic!("a newer ledger was opened") };
    assert!(matches!(error, LedgerError::Newer { found: 99, newest: 2, .. }), "{error}");
}

fn what_is_something_else_is_no_ledger(place: &Place) {
    match &place.kind {
        Kind::Sqlite { path, .. } => {
            let other = rusqlite::Connection::open(path).expect("opens");
            other.execute_batch("CREATE TABLE of_another_program (id)").expect("runs");
            drop(other);
            let text = path.with_extension("txt");
            std::fs::write(&text, "this is a text and no database, and it has more than a page has of bytes")
                .expect("writes");
            let opened = ledger::open(&text.display().to_string());
            assert!(matches!(opened, Err(LedgerError::NotALedger { .. })));
        }
        Kind::Postgres { server, database } => {
            server
                .psql(database, "CREATE SCHEMA breakglass CREATE TABLE of_another_program (id int)")
                .expect("runs");
        }
    }
    assert!(matches!(ledger::open(&place.name), Err(LedgerError::NotALedger { .. })));
}

fn bytes_that_were_changed_are_found(place: &Place) {
    let (kit, writer) = founder(1, 3);
    let mut ledger = place.open();
    ledger.store(&good(&writer.records), NOON).expect("stores");
    place
        .meddle("UPDATE records SET bytes = (SELECT bytes FROM records WHERE arrival = 2) WHERE arrival = 4");
    let read = ledger.records(&kit, Which::All, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(read, Err(LedgerError::Changed { .. })), "{read:?}");
}

fn many_writers_at_once_lose_nothing_and_number_densely(place: &Place) {
    let (kit, writer) = founder(1, 400);
    let all = &writer.records;
    // All of them make the ledger, too.
    std::thread::scope(|scope| {
        for n in 0..6usize {
            scope.spawn(move || {
                let mut ledger = place.open();
                for part in all[n * 40..n * 40 + 202].chunks(17) {
                    ledger.store(&unknown(part), NOON).expect("stores");
                }
            });
        }
    });
    let mut ledger = place.open();
    let held = held(&mut *ledger, &kit, Which::All);
    assert_eq!(hashes(&held), all.iter().map(Record::hash).collect::<Vec<_>>());
    assert!(held.iter().all(|one| one.signature == Signature::Good));
    assert_eq!(ledger.size().expect("reads"), 402);
    let mut arrived = ledger.arrivals(0, 402).expect("reads");
    let mut expected = hashes(&held);
    arrived.sort();
    expected.sort();
    assert_eq!(arrived, expected);
}

fn who_waits_too_long_is_told_that_it_is_busy(place: &Place) {
    let (_, writer) = founder(1, 1);
    let mut ledger = ledger::open_waiting(&place.name, Duration::from_millis(200)).expect("opens");
    let busy = |ledger: &mut dyn Ledger| {
        let stored = ledger.store(&good(&writer.records), NOON);
        assert!(matches!(stored, Err(LedgerError::Busy { .. })), "{stored:?}");
    };
    match &place.kind {
        Kind::Sqlite { path, .. } => {
            let other = rusqlite::Connection::open(path).expect("opens");
            other.execute_batch("BEGIN IMMEDIATE").expect("locks");
            busy(&mut *ledger);
        }
        Kind::Postgres { server, database } => {
            std::thread::scope(|scope| {
                let hold = "SELECT pg_advisory_lock(1650945124); SELECT pg_sleep(3)";
                scope.spawn(|| server.psql(database, hold).expect("holds"));
                let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted";
                while server.psql(database, held).expect("looks") == "0\n" {
                    std::thread::sleep(Duration::from_millis(20));
                }
                busy(&mut *ledger);
            });
        }
    }
    let stored = ledger.store(&good(&writer.records), NOON).expect("stores when the other is gone");
    assert!(stored.iter().all(|fate| *fate == Fate::Stored(Signature::Good)));
}

fn nothing_of_a_call_that_fails_is_done(place: &Place) {
    let (kit, writer) = founder(1, 3);
    let mut ledger = place.open();
    let forbid = match &place.kind {
        Kind::Sqlite { .. } => {
            "CREATE TRIGGER refuse BEFORE INSERT ON records WHEN NEW.seq = 4
             BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        }
        Kind::Postgres { .. } => "ALTER TABLE records ADD CONSTRAINT refuse CHECK (seq <> 4)",
    };
    place.meddle(forbid);
    let stored = ledger.store(&good(&writer.records), NOON);
    assert!(matches!(stored, Err(LedgerError::Engine { .. })), "{stored:?}");
    assert_eq!(ledger.size().expect("reads"), 0);
    assert_eq!(ledger.kits().expect("reads"), []);
    place.meddle(match &place.kind {
        Kind::Sqlite { .. } => "DROP TRIGGER refuse",
        Kind::Postgres { .. } => "ALTER TABLE records DROP CONSTRAINT refuse",
    });
    // What it remembered of the failed call would be wrong now.
    ledger.store(&good(&writer.records), NOON).expect("stores");
    assert_eq!(held(&mut *ledger, &kit, Which::All).len(), 5);
}

mod over_tls {
    use super::postgres::{PASSWORD, Server, Tls};
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

    fn issuer(name: &str) -> CertifiedIssuer<'static, KeyPair> {
        let mut params = CertificateParams::new(vec![]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an issuer")
    }

    /// Certificate and key, PEM.
    fn certified(name: &str, by: &CertifiedIssuer<'static, KeyPair>) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.into()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        (params.signed_by(&key, by).expect("a certificate").pem(), key.serialize_pem())
    }

    #[test]
    fn the_server_is_known_by_what_the_url_asks_for() {
        let (ours, theirs) = (issuer("ours"), issuer("theirs"));
        let (certificate, key) = certified("localhost", &ours);
        let server = Server::start(Some(&Tls { certificate, key, clients: None }));
        let database = server.database();
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("writes");
            path.display().to_string()
        };
        let (good, bad) = (file("ours.pem", &ours.pem()), file("theirs.pem", &theirs.pem()));
        let passwords = file("pass", &format!("*:*:*:ada:{PASSWORD}\n"));
        let url =
            |host: &str, options: &str| format!("postgres://ada@{host}:{}/{database}?{options}", server.port);
        let open = |host: &str, options: &str| {
            ledger::open(&url(host, &format!("passfile={passwords}&{options}"))).map(|_| ())
        };
        open("localhost", &format!("sslrootcert={good}")).expect("the name and the issuer are right");
        open("localhost", &format!("sslmode=verify-full&sslrootcert={good}")).expect("the same, said");
        open("127.0.0.1", &format!("sslmode=verify-ca&sslrootcert={good}"))
            .expect("the name does not matter");
        open("127.0.0.1", "sslmode=require").expect("only who listens is kept out");
        for (host, options) in [
            ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={good}")),
            ("localhost", format!("sslmode=verify-full&sslrootcert={bad}")),
            ("localhost", format!("sslmode=verify-ca&sslrootcert={bad}")),
            ("localhost", format!("sslmode=require&sslrootcert={bad}")),
        ] {
            let refused = open(host, &options);
            let Err(LedgerError::Unreachable { text, .. }) = &refused else {
                panic!("{host} {options}: {refused:?}")
            };
            assert!(text.contains("certificate"), "{text}");
        }
        // The server itself speaks to nobody without TLS.
        assert!(matches!(open("localhost", "sslmode=disable"), Err(LedgerError::Engine { .. })));
        let wrong = format!("postgres://ada:wr0ng@localhost:{}/{database}?sslrootcert={good}", server.port);
        let Err(error) = ledger::open(&wrong) else { panic!("a wrong password opens") };
        let text = format!("{error} {error:?}");
        assert!(matches!(error, LedgerError::Engine { .. }) && !text.contains("wr0ng"), "{text}");
    }

    #[test]
    fn a_client_certificate_opens() {
        let ours = issuer("ours");
        let (certificate, key) = certified("localhost", &ours);
        let server = Server::start(Some(&Tls { certificate, key, clients: Some(ours.pem()) }));
        let database = server.database();
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("writes");
            path.display().to_string()
        };
        let (certificate, key) = certified("ada", &ours);
        let (root, certificate, key) =
            (file("root.pem", &ours.pem()), file("ada.pem", &certificate), file("ada.key", &key));
        let url = format!("postgres://ada@localhost:{}/{database}?sslrootcert={root}", server.port);
        let mut ledger = ledger::open(&format!("{url}&sslcert={certificate}&sslkey={key}")).expect("opens");
        let (_, writer) = founder(1, 50);
        ledger.store(&unknown(&writer.records), NOON).expect("stores");
        assert_eq!(ledger.size().expect("reads"), 52);
        assert!(ledger::open(&url).is_err());
        let half = ledger::open(&format!("{url}&sslcert={certificate}"));
        assert!(matches!(half, Err(LedgerError::NotALedger { .. })));
    }

    #[test]
    fn a_server_that_is_not_there_is_unreachable() {
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it").port();
        let opened = ledger::open(&format!("postgres://ada:s3cret@127.0.0.1:{port}/records?sslmode=disable"));
        let Err(error) = opened else { panic!("nobody answered") };
        assert!(matches!(error, LedgerError::Unreachable { .. }), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }
}
