//! What a stick, another copy, or one key of many may hold to harm a kit: none of it takes a record or a secret away.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;

use breakglass::attestation;
use breakglass::record::event::{CredentialSealed, Event, KitFounded, KitKind};
use breakglass::record::hash::Hash;
use breakglass::record::{event, hash, token};

#[path = "../src/record/sample.rs"]
mod sample;
#[path = "support/practice.rs"]
#[allow(dead_code)]
mod support;

use sample::Writer;
use support::{PIN, PracticeKit, copy, done, keys_of, run};

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn journal_of(kit: &Path, serial: &str) -> PathBuf {
    let names = std::fs::read_dir(kit.join("journal")).unwrap().map(|entry| entry.unwrap().path());
    names.into_iter().find(|path| path.file_name().unwrap().to_string_lossy().starts_with(serial)).unwrap()
}

fn another(kit: &PracticeKit) -> tempfile::TempDir {
    let other = tempfile::tempdir().unwrap();
    copy(kit.path(), other.path());
    other
}

fn keep_lines(path: &Path, count: usize) {
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, bytes.split_inclusive(|b| *b == b'\n').take(count).collect::<Vec<_>>().concat())
        .unwrap();
}

fn spoil_line(path: &Path, line: usize) {
    let bytes = std::fs::read(path).unwrap();
    let start: usize = bytes.split_inclusive(|b| *b == b'\n').take(line).map(<[u8]>::len).sum();
    let mut bytes = bytes;
    bytes[start + 200] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

fn merge(ours: &Path, theirs: &Path) -> Output {
    run(ours, &["kit", "merge", &theirs.display().to_string()], &[])
}

#[test]
fn a_damaged_copy_leaves_no_gap_in_ours() {
    let whole = PracticeKit::new();
    let (ours, theirs) = (another(&whole), another(&whole));
    for (serial, lines) in [("23112", 3), ("23115", 1)] {
        keep_lines(&journal_of(ours.path(), serial), lines);
    }
    spoil_line(&journal_of(theirs.path(), "23112"), 3);
    let before = std::fs::read(journal_of(ours.path(), "23112")).unwrap();
    let merged = merge(ours.path(), theirs.path());
    assert_eq!(merged.status.code(), Some(6), "{}", text(&merged));
    assert_eq!(std::fs::read(journal_of(ours.path(), "23112")).unwrap(), before);
    done(&merge(ours.path(), whole.path()));
    for serial in ["23112", "23115"] {
        let [ours, theirs] =
            [ours.path(), whole.path()].map(|kit| std::fs::read(journal_of(kit, serial)).unwrap());
        assert_eq!(ours, theirs);
    }
    done(&run(ours.path(), &["records", "verify"], &[]));
}

#[test]
fn a_damaged_journal_is_mended_from_a_whole_one_and_kept() {
    let whole = PracticeKit::new();
    let ours = another(&whole);
    let path = journal_of(ours.path(), "23112");
    spoil_line(&path, 3);
    let damaged = std::fs::read(&path).unwrap();
    assert_eq!(run(ours.path(), &["records", "verify"], &[]).status.code(), Some(6));
    done(&merge(ours.path(), whole.path()));
    assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(journal_of(whole.path(), "23112")).unwrap());
    let verified = run(ours.path(), &["records", "verify"], &[]);
    done(&verified);
    assert!(text(&verified).contains("as it was before a merge mended it"), "{}", text(&verified));
    let kept = std::fs::read_dir(ours.path().join("journal")).unwrap().map(|e| e.unwrap().path());
    let kept: Vec<PathBuf> = kept.filter(|path| path.to_string_lossy().contains(".damaged-")).collect();
    assert_eq!(std::fs::read(&kept[0]).unwrap(), damaged);
}

#[test]
fn a_copy_of_a_journal_beside_it_changes_nothing() {
    let kit = PracticeKit::new();
    let path = journal_of(kit.path(), "23112");
    // Shorter, and its name comes later: it must not be what records are appended to.
    let beside = path.with_file_name("zz copy of 23112.jws");
    std::fs::copy(&path, &beside).unwrap();
    keep_lines(&beside, 3);
    let status = run(kit.path(), &["records", "verify"], &[]);
    done(&status);
    assert!(text(&status).contains("zz copy of 23112 is a copy of journal 23112-"), "{}", text(&status));
    let pins = PracticeKit::pins(1);
    let pins: Vec<&str> = pins.iter().map(String::as_str).collect();
    let before = std::fs::read(&path).unwrap().len();
    done(&kit.run(&PracticeKit::opening("core-fw/admin"), &pins));
    assert!(std::fs::read(&path).unwrap().len() > before);
    // The other way round, it holds what the journal lacks: that is said, and nothing is sealed on top.
    std::fs::copy(&path, &beside).unwrap();
    keep_lines(&path, 5);
    let status = run(kit.path(), &["records", "verify"], &[]);
    assert_eq!(status.status.code(), Some(6), "{}", text(&status));
}

#[test]
fn what_a_key_remembers_of_the_kit_is_not_planned_over() {
    let kit = PracticeKit::new();
    let other = another(&kit);
    let rotate = ["rotate", "core-db/root", "--generate", "--with", "30877", "--confirm", "seal core-db"];
    let pin = format!("30877 pin {PIN}");
    done(&kit.run(&rotate, &[&pin]));
    copy(&keys_of(kit.path()), &keys_of(other.path()));
    let again = run(other.path(), &rotate, &[&pin]);
    assert_eq!(again.status.code(), Some(1), "{}", text(&again));
    assert!(text(&again).contains("was only on the key: credential.sealed"), "{}", text(&again));
    let third = run(other.path(), &rotate, &[&pin]);
    assert!(text(&third).contains("generation 2 of core-db/root is pending already"), "{}", text(&third));
}

/// A kit whose only key is a program that signs whatever it likes.
fn kit_of_a_program() -> (tempfile::TempDir, Writer) {
    let folder = tempfile::tempdir().unwrap();
    done(&run(folder.path(), &["init", "--practice", "--name", "harbour"], &[]));
    let policy = std::fs::read(folder.path().join("kit.toml")).unwrap();
    let hash = Hash::of(&policy);
    std::fs::create_dir(folder.path().join("policy")).unwrap();
    std::fs::write(folder.path().join(format!("policy/{}.toml", hex::encode(hash.0))), policy).unwrap();
    let mut writer = Writer::new(1);
    writer.write(writer.enrolment());
    let founding = writer.write(Event::KitFounded(KitFounded {
        name: "harbour".into(),
        kind: KitKind::Practice,
        policy: hash,
        attestation_root: None,
    }));
    writer.kit = Some(founding.hash());
    std::fs::create_dir_all(folder.path().join("journal")).unwrap();
    write_journal(folder.path(), &writer);
    (folder, writer)
}

fn write_journal(kit: &Path, writer: &Writer) {
    std::fs::write(kit.join(format!("journal/{}.jws", writer.name())), writer.journal()).unwrap();
}

#[test]
fn one_key_cannot_have_a_merge_write_where_it_likes() {
    let (ours, mut writer) = kit_of_a_program();
    let theirs = tempfile::tempdir().unwrap();
    copy(ours.path(), theirs.path());
    let sealed = CredentialSealed {
        credential: "core-db/root".into(),
        generation: 1,
        pending: false,
        threshold: 1,
        factors: vec!["piv".into()],
        folder: "1-0a1b2c3d".into(),
        recipients: vec![writer.records[0].kid],
        envelopes: vec![],
        files: BTreeMap::from([("../../../../kit.toml".into(), Hash::of(b"evil"))]),
        list: None,
    };
    writer.write(Event::CredentialSealed(sealed));
    write_journal(theirs.path(), &writer);
    std::fs::create_dir_all(theirs.path().join("sealed/core-db/root/1-0a1b2c3d")).unwrap();
    std::fs::create_dir_all(ours.path().join("sealed/core-db/root/1-0a1b2c3d")).unwrap();
    std::fs::write(theirs.path().join("kit.toml"), b"evil").unwrap();
    let before = std::fs::read(ours.path().join("kit.toml")).unwrap();
    let merged = merge(ours.path(), theirs.path());
    assert_eq!(std::fs::read(ours.path().join("kit.toml")).unwrap(), before, "{}", text(&merged));
    let verified = run(ours.path(), &["records", "verify"], &[]);
    assert!(text(&verified).contains("it names files outside its folder"), "{}", text(&verified));
}

#[test]
fn nothing_is_sealed_to_a_key_that_nobody_attests() {
    let (kit, _) = kit_of_a_program();
    let arguments = ["seal", "core-db/root", "--generate", "-k", "1", "--confirm", "seal core-db"];
    let sealed = run(kit.path(), &arguments, &[]);
    assert_eq!(sealed.status.code(), Some(6), "{}", text(&sealed));
    assert!(text(&sealed).contains("key 20000001 is not what its enrolment says"), "{}", text(&sealed));
}

#[test]
fn a_record_cannot_draw_lines_of_its_own_in_the_list() {
    let (kit, mut writer) = kit_of_a_program();
    let mut draft = writer.draft(sample::intent());
    draft.txn = Some("INC-1\n  99  a line that nobody signed".into());
    let record = writer.sign(draft);
    writer.records.push(record);
    write_journal(kit.path(), &writer);
    let listed = run(kit.path(), &["records", "list"], &[]);
    assert_eq!(String::from_utf8_lossy(&listed.stdout).lines().count(), 3, "{}", text(&listed));
}

#[test]
fn a_fido2_side_that_the_key_did_not_assert_to_is_no_side_of_it() {
    use breakglass::attestation::Roots;
    use breakglass::kit::enrolment::{EnrolmentError, check};
    use breakglass::record::event::{Aaguid, KeyEnrolled};
    use p256::ecdsa::signature::hazmat::PrehashSigner;

    let kit = PracticeKit::new();
    let enrolment = |serial: &str| {
        let bytes = std::fs::read(journal_of(kit.path(), serial)).unwrap();
        token::Record::parse(bytes.split(|b| *b == b'\n').next().unwrap()).unwrap()
    };
    let facts = |record: &token::Record| match &record.event {
        Event::KeyEnrolled(facts) => facts.clone(),
        other => panic!("{}", other.name()),
    };
    let (ours, others) = (enrolment("23112"), facts(&enrolment("23115")));
    let roots = Roots::practice(&breakglass::device::practice::root_certificate().unwrap()).unwrap();
    // Whoever has 9C can sign an enrolment that says anything of FIDO2; here any key does, as it is not what is checked.
    let checked = |change: &dyn Fn(&mut KeyEnrolled)| {
        let mut changed = facts(&ours);
        change(&mut changed);
        let draft = token::Draft {
            kid: ours.kid,
            x5c: ours.x5c.clone(),
            iss: ours.iss.clone(),
            serial: ours.serial,
            txn: None,
            jti: ours.jti.clone(),
            iat: ours.iat,
            link: ours.link.clone(),
            event: Event::KeyEnrolled(changed),
        };
        let input = draft.signing_input().unwrap();
        let signature: p256::ecdsa::Signature = Writer::new(9).key.sign_prehash(&input.digest()).unwrap();
        check(&input.finish(&signature), &roots)
    };
    let side = |facts: &mut KeyEnrolled| *facts.fido2.take().unwrap();
    checked(&|_| {}).unwrap();
    checked(&|facts| facts.fido2 = None).unwrap();
    let another_keys = checked(&|facts| facts.fido2.clone_from(&others.fido2));
    assert!(matches!(another_keys, Err(EnrolmentError::Proof(_))), "{another_keys:?}");
    let another_credential = checked(&|facts| {
        let public = others.fido2.as_ref().unwrap().public;
        facts.fido2 = Some(Box::new(event::Fido2Enrolled { public, ..side(facts) }));
    });
    assert!(matches!(another_credential, Err(EnrolmentError::Proof(_))), "{another_credential:?}");
    let no_model = checked(&|facts| {
        facts.fido2 = Some(Box::new(event::Fido2Enrolled { aaguid: Aaguid([0; 16]), ..side(facts) }));
    });
    assert!(matches!(no_model, Err(EnrolmentError::NoModel)), "{no_model:?}");
}
