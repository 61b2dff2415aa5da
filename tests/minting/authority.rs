//! `trust authority`: a key certifies itself, once; before that it mints no client certificate, and a key that is pulled out
//! at any command leaves an authority that is whole on record, or none.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use breakglass::attestation::Serial;
use breakglass::device::practice::{Fault, FaultPlan, PracticeReaders, Surroundings, Which};
use breakglass::kit::Kit;
use breakglass::kit::folder::Folder;
use breakglass::mint::SubjectKey;
use breakglass::mint::x509::{RevokedCertificate, SignedList};
use breakglass::minting::authority::{self, Made};
use breakglass::minting::{MintingError, Subject, Wish, plan};
use breakglass::record::chain::Depth;
use breakglass::record::event::{Event, MintAuthority, MintKind, MintRevoked};
use breakglass::record::hash::Hash;
use breakglass::signing::{Caution, Signer, Station};
use serde_json::Value;

use super::practice::{Hand, done, keys_of};
use super::sshd::{run, said};
use super::tools::debian;
use super::{MintingKit, ONE, recorded, wish};

/// The words that make an authority of the first key.
pub(crate) const WORDS: [&str; 6] = ["trust", "authority", "--key", "23112", "--confirm", "authority 23112"];

/// The same kit, in which the first key is an authority.
pub(crate) fn certified_kit() -> MintingKit {
    static MADE: OnceLock<MintingKit> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let kit = MintingKit::new();
        done(&kit.run(&WORDS));
        kit
    });
    made.copied()
}

pub(crate) fn openssl(words: &[&str], folder: &Path) -> String {
    let out = run(Command::new(debian("openssl", "openssl")).args(words).current_dir(folder));
    assert!(out.status.success(), "{words:?}: {}", said(&out));
    said(&out)
}

#[test]
fn a_key_that_no_server_can_trust_mints_nothing_and_is_named_with_what_to_do() {
    let kit = MintingKit::new();
    let next = "breakglass trust authority --key 23112";
    let minted = kit.mint_client("cluster", &[]);
    assert_eq!(minted.status.code(), Some(1), "{}", said(&minted));
    for wanted in ["no certificate by which servers trust it", next] {
        assert!(said(&minted).contains(wanted), "{wanted}: {}", said(&minted));
    }
    assert!(!kit.folder().exists() && recorded(&kit.kit()).0.is_empty());
    let status = kit.run(&["status"]);
    assert!(said(&status).contains("AUTHORITY-MISSING") || said(&status).contains(next), "{}", said(&status));
    let out = kit.path().join("trust").display().to_string();
    let exported = kit.run(&["trust", "export", &out]);
    done(&exported);
    assert!(said(&exported).contains(next), "{}", said(&exported));
    assert!(!kit.path().join("trust/x509").exists());
}

#[test]
fn a_key_certifies_itself_once_and_it_is_on_record() {
    let kit = MintingKit::new();
    let unconfirmed = kit.run(&[&WORDS[..5], &["authority"]].concat());
    assert_eq!(unconfirmed.status.code(), Some(1), "{}", said(&unconfirmed));
    assert!(said(&unconfirmed).contains("CN=breakglass emergency CA 23112,O=DC1 emergency kit"));
    assert!(kit.kit().authorities().is_empty());
    let made = kit.run(&[&WORDS[..], &["--json"]].concat());
    done(&made);
    let object: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    let read = kit.kit();
    let [certified] = &read.authorities()[..] else { panic!("one authority") };
    assert_eq!(object["certificate"], certified.certificate.pem());
    assert_eq!(object["fingerprint"], hex::encode(certified.certificate.thumbprint().0));
    assert_eq!((certified.list.number(), certified.list.revoked().len()), (1, 0));
    assert!(read.lacking_authority().is_empty());
    assert!(kit.run(&["records", "verify"]).status.success());
    let told = said(&kit.run(&["records", "list"]));
    assert!(told.contains("mint.authority"), "{told}");
    // As others read what is exported.
    let folder = kit.path().join("trust");
    done(&kit.run(&["trust", "export", &folder.display().to_string()]));
    let at = folder.join("x509");
    let shown = openssl(&["x509", "-in", "breakglass_ca.pem", "-noout", "-text"], &at);
    for wanted in ["CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign", "ecdsa-with-SHA256", "prime256v1"] {
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }
    let list = openssl(
        &["crl", "-in", "breakglass_crl.pem", "-CAfile", "breakglass_ca.pem", "-noout", "-text"],
        &at,
    );
    assert!(list.contains("verify OK") && list.contains("No Revoked Certificates"), "{list}");
    // It is one already; another key was not made for it.
    let again = kit.run(&WORDS);
    assert_eq!(again.status.code(), Some(1), "{}", said(&again));
    assert!(said(&again).contains("has its certificate as an authority already"), "{}", said(&again));
    let other = kit.run(&["trust", "authority", "--key", "23115", "--confirm", "authority 23115"]);
    assert_eq!(other.status.code(), Some(3), "{}", said(&other));
}

fn make(kit: &MintingKit, readers: &mut PracticeReaders, later: i64) -> Result<Made, MintingError> {
    let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
    let (mut open, _lock, _) = Kit::write(Folder::at(kit.path(), None), Depth::Links)?;
    let now = open.journal.records().map(|(_, record)| record.iat).max().expect("records") + later;
    let plan = authority::plan(&open, Serial(ONE), Caution::default(), now)?;
    let mut hand = Hand::knowing();
    let clock = move || now;
    let tool = &|| Hash([7; 32]);
    let mut station = Station { readers, operator: &mut hand, clock: &clock, rng: &mut rng, tool };
    authority::carry_out(&mut open, &plan, &mut station)
}

fn readers(kit: &MintingKit) -> PracticeReaders {
    PracticeReaders::new(&keys_of(kit.path()), Surroundings::seeded(7).0)
}

/// Works with the first key, ready to sign and its PIN typed, on that kit.
pub(crate) fn with_key<T>(
    kit: &MintingKit,
    later: i64,
    work: impl FnOnce(&mut Signer, &mut Station, &mut Kit, u64) -> T,
) -> T {
    let (mut readers, mut hand) = (readers(kit), Hand::knowing());
    let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
    let (mut open, _lock, _) = Kit::write(Folder::at(kit.path(), None), Depth::Links).expect("the kit");
    let now = open.journal.records().map(|(_, record)| record.iat).max().expect("records") + later;
    let clock = move || now;
    let tool = &|| Hash([7; 32]);
    let mut station =
        Station { readers: &mut readers, operator: &mut hand, clock: &clock, rng: &mut rng, tool };
    let ready = Signer::ready(&mut station, &mut open, Serial(ONE), &Caution::default());
    let mut signer = ready.expect("ready");
    signer.ask_pin(&mut station).expect("a PIN");
    work(&mut signer, &mut station, &mut open, now.cast_unsigned())
}

#[test]
fn an_authority_is_made_anew_in_its_last_year_and_takes_back_what_it_took_back() {
    let kit = MintingKit::new();
    let mut readers = readers(&kit);
    let first = make(&kit, &mut readers, 0).expect("the first");
    // One is revoked: the list that says so counts from then on.
    let since = first.certificate.from() + 400;
    let revoked = [RevokedCertificate { serial: vec![b'B'; 17], since }];
    let list = with_key(&kit, 0, |signer, station, open, now| {
        let list =
            authority::sign_list(signer, station, &first.certificate, &revoked, 2, now).expect("a list");
        let event = Event::MintRevoked(MintRevoked {
            kind: MintKind::X509,
            key: Serial(ONE),
            numbers: vec![hex::encode(&revoked[0].serial)],
            altogether: false,
            why: "the laptop was left behind".into(),
            list: Some(STANDARD.encode(list.der())),
        });
        signer.sign(station, open, None, event, "to sign").expect("a record");
        list
    });
    assert_eq!(list.until(), Some(first.certificate.until()), "it ends no earlier than its authority");
    let certified = kit.kit().authority(Serial(ONE)).expect("one");
    assert_eq!((&certified.certificate, &certified.list), (&first.certificate, &list));
    let years = |years: i64| years * 365 * 86_400;
    assert!(matches!(make(&kit, &mut readers, years(8)), Err(MintingError::HasAuthority { .. })));
    let second = make(&kit, &mut readers, years(9)).expect("the second");
    let certified = kit.kit().authority(Serial(ONE)).expect("one");
    assert_eq!((&certified.certificate, &certified.list), (&second.certificate, &second.list));
    assert_eq!((certified.list.number(), certified.list.revoked()), (3, revoked.to_vec()));
    // Servers with the old certificate know the list, and what is minted: name and key are the same.
    assert!(SignedList::of(&list.der(), &certified.authority).is_ok());
}

/// Its record would have no room for them beside the certificate.
#[test]
fn an_authority_that_took_back_as_much_as_it_can_is_made_anew_without_what_has_ended() {
    let kit = certified_kit();
    for _ in 0..8 {
        done(&kit.mint_client("cluster", &[]));
        std::fs::remove_dir_all(kit.folder()).expect("it is there");
    }
    let words = ["revoke", "--incident", "INC-4711", "--why", "left behind", "--with", "23112"];
    done(&kit.run(&[&words[..], &["--confirm", "revoke INC-4711"]].concat()));
    let before = kit.kit().authority(Serial(ONE)).expect("one").list;
    assert_eq!(before.revoked().len(), 8);
    let made = make(&kit, &mut readers(&kit), 9 * 365 * 86_400).expect("the second");
    assert_eq!((made.list.revoked().len(), made.list.number()), (0, before.number() + 1));
}

#[test]
fn an_authority_that_was_made_by_a_clock_that_was_ahead_is_made_again() {
    let kit = MintingKit::new();
    let mut readers = readers(&kit);
    let year = 365 * 86_400;
    let early = make(&kit, &mut readers, year).expect("by the wrong clock");
    // By the right one nothing is minted unasked, which servers would refuse.
    let now = early.certificate.from().cast_signed() + 300 - year;
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    let subject = SubjectKey::generate(&mut random);
    let rule = "cluster".to_owned();
    let client = Wish { rule, subject: Subject::X509(*subject.public()), ..wish(&subject, None) };
    let refused = plan(&kit.kit(), client.clone(), now).map(drop);
    assert!(matches!(refused, Err(MintingError::Clock { .. })), "{refused:?}");
    let made = make(&kit, &mut readers, -year).expect("by the right clock");
    assert_eq!(made.certificate.from().cast_signed(), now - 300);
    let accepted = Wish { accept_clock: Some("it was ahead".into()), ..client };
    let planned = plan(&kit.kit(), accepted, now).expect("it is good now");
    assert_eq!(planned.certified.map(|one| one.certificate), Some(made.certificate));
}

#[test]
fn a_key_pulled_at_every_command_leaves_an_authority_that_is_whole_or_none() {
    for fault in [Fault::Remove, Fault::RemoveAfter, Fault::WithholdTouch] {
        let mut n = 0;
        loop {
            n += 1;
            let kit = MintingKit::new();
            let mut readers = readers(&kit);
            let plan = match fault {
                Fault::WithholdTouch => FaultPlan::new().from(n, fault.clone()),
                _ => FaultPlan::new().at(n, fault.clone()),
            };
            readers.key(Serial(ONE)).unwrap().set_faults(plan.clone());
            let result = make(&kit, &mut readers, 0);
            let finished = plan.commands_seen() < n;
            let told =
                format!("{fault:?} at command {n}: {:?}", result.as_ref().err().map(ToString::to_string));
            let read = kit.kit();
            assert_eq!(read.journal.damage(), None, "{told}");
            let records =
                read.journal.records().filter(|(_, record)| matches!(record.event, Event::MintAuthority(_)));
            assert_eq!(records.count(), usize::from(result.is_ok()), "{told}");
            assert_eq!(read.authorities().len(), usize::from(result.is_ok()), "{told}");
            plan.clear();
            let key = readers.key(Serial(ONE)).unwrap();
            key.insert().unwrap();
            assert_eq!(key.with_model(|key, _| key.reference(Which::Pin).left).unwrap(), 3, "{told}");
            match result {
                Ok(_) => {}
                Err(_) => {
                    drop(make(&kit, &mut readers, 0).unwrap_or_else(|error| panic!("{told}, then: {error}")))
                }
            }
            assert_eq!(kit.kit().authorities().len(), 1, "{told}");
            if finished {
                break;
            }
        }
        assert!(n > 12, "only {n} commands were seen");
    }
}

#[test]
fn a_record_that_nobody_bears_out_makes_no_authority() {
    let certified = certified_kit().kit().authority(Serial(ONE)).expect("one");
    let good = (STANDARD.encode(certified.certificate.der()), STANDARD.encode(certified.list.der()));
    let mut torn = certified.certificate.der();
    *torn.last_mut().expect("bytes") ^= 1;
    for (certificate, list, why) in [
        (STANDARD.encode(&torn), good.1.clone(), "its signature is not of the key"),
        ("AAAA".to_owned(), good.1.clone(), "no base64 of DER"),
        (good.0.clone(), good.0.clone(), "it is no list"),
    ] {
        let kit = certified_kit();
        with_key(&kit, 0, |signer, station, open, _| {
            let event = Event::MintAuthority(MintAuthority { certificate, list });
            signer.sign(station, open, None, event, "to sign").expect("a record");
        });
        // The one before still stands, and the record that does not hold is found.
        assert_eq!(kit.kit().authority(Serial(ONE)).as_ref(), Some(&certified), "{why}");
        let verified = kit.run(&["records", "verify"]);
        assert_eq!(verified.status.code(), Some(6), "{}", said(&verified));
        assert!(said(&verified).contains(why), "{why}: {}", said(&verified));
    }
}
