//! Kits whose records say things that the program never writes.

use std::collections::BTreeMap;

use super::*;
use crate::attestation::Roots;
use crate::kit::folder::{Folder, make_folder};
use crate::kit::policy::template;
use crate::kit::roster::Change;
use crate::record::chain::Depth;
use crate::record::event::{Exported, KeyAdmitted, KeyRetired, KitFounded, KitKind};
use crate::record::hash::KeyId;
use crate::record::sample::{Writer, intent};

mod approvals;
mod fido2;

/// Keys of one kit: the first founds it, all are enrolled.
struct Keys(Vec<Writer>);

impl Keys {
    fn new(count: u8) -> Self {
        Keys::under(count, KitKind::Practice)
    }

    /// A practice kit whose policy says this kind.
    fn under(count: u8, kind: KitKind) -> Self {
        let mut keys = Keys((1..=count).map(Writer::new).collect());
        for writer in &mut keys.0 {
            let enrolment = writer.enrolment();
            writer.write(enrolment);
        }
        let policy = Hash::of(template("test", kind).as_bytes());
        let facts =
            KitFounded { name: "test".into(), kind: KitKind::Practice, policy, attestation_root: None };
        let founding = keys.0[0].write(Event::KitFounded(facts));
        for writer in &mut keys.0 {
            writer.kit = Some(founding.hash());
        }
        keys
    }

    fn kit_id(&self) -> Hash {
        self.0[0].kit.expect("founded")
    }

    fn id(&self, key: usize) -> KeyId {
        KeyId::of(&self.0[key].verifying_key())
    }

    /// `by` signs the admission of `key`, having seen its enrolment.
    fn admit(&mut self, key: usize, by: usize) {
        let (id, enrolment, serial) = (self.id(key), self.0[key].records[0].hash(), self.0[key].serial);
        let change = Change::Admit { key: id, enrolment }.hash(&self.kit_id());
        self.see(by);
        self.0[by].write(Event::KeyAdmitted(KeyAdmitted { change, serial, key: id, enrolment }));
    }

    /// `by` signs the retirement of `key` as of that record.
    fn retire(&mut self, key: usize, by: usize, last_seq: u64) {
        let (id, serial) = (self.id(key), self.0[key].serial);
        let change = Change::Retire { key: id, last_seq }.hash(&self.kit_id());
        self.see(by);
        self.0[by].write(Event::KeyRetired(KeyRetired {
            change,
            serial,
            key: id,
            last_seq,
            why: "lost".into(),
        }));
    }

    /// The next record of `by` knows the heads of all others.
    fn see(&mut self, by: usize) {
        let heads = |writer: &Writer| {
            let last = writer.records.last().expect("enrolled");
            (writer.name(), (last.link.seq, last.hash()))
        };
        let own = self.0[by].name();
        let seen = self.0.iter().map(heads).filter(|(name, _)| *name != own).collect();
        self.0[by].seen = seen;
    }

    /// The kit in a folder, as it is read; the policy says `kind`.
    fn kit(&self, kind: KitKind) -> (tempfile::TempDir, Kit) {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::at(dir.path(), None);
        let text = template("test", kind);
        folder.write_new("kit.toml", text.as_bytes()).unwrap();
        folder.write_new(&crate::kit::policy_path(&Hash::of(text.as_bytes())), text.as_bytes()).unwrap();
        make_folder(&folder.journal()).unwrap();
        for writer in &self.0 {
            folder.write_new(&format!("journal/{}.jws", writer.name()), &writer.journal()).unwrap();
        }
        (dir, Kit::read(folder, Depth::Every).unwrap())
    }

    fn findings(&self) -> Vec<Finding> {
        journal(&self.kit(KitKind::Practice).1)
    }
}

fn rules(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.rule).collect()
}

#[test]
fn nothing_is_found_in_a_kit_of_two_keys() {
    let mut keys = Keys::new(2);
    keys.admit(1, 0);
    keys.see(1);
    keys.0[1].write(intent());
    assert_eq!(keys.findings(), []);
}

#[test]
fn an_opening_by_a_key_that_was_never_admitted_does_not_count() {
    let mut keys = Keys::new(2);
    keys.0[1].write(intent());
    let findings = keys.findings();
    assert_eq!(rules(&findings), ["RECORD-NO-RIGHT"]);
    let name = keys.0[1].name();
    assert_eq!(
        findings[0].text,
        format!("record {name}/1 (open.intent): its key is not admitted; it does not count")
    );
}

#[test]
fn a_retired_key_that_goes_on_is_found() {
    let mut keys = Keys::new(3);
    keys.admit(1, 0);
    keys.admit(2, 0);
    keys.admit(2, 1);
    keys.0[2].write(intent());
    for by in [0, 1] {
        keys.retire(2, by, 1);
    }
    assert_eq!(keys.findings(), []);
    keys.0[2].write(intent());
    let findings = keys.findings();
    assert_eq!(rules(&findings), ["RECORD-NO-RIGHT"]);
    assert!(findings[0].text.contains("/2 (open.intent): its key had been retired"), "{}", findings[0].text);
}

#[test]
fn a_record_of_another_kit_is_found() {
    let mut keys = Keys::new(1);
    keys.0[0].kit = Some(Hash::of(b"another kit"));
    keys.0[0].write(intent());
    assert_eq!(rules(&keys.findings()), ["RECORD-NO-RIGHT"]);
}

#[test]
fn what_a_record_or_an_export_has_seen_is_held_against_the_copy() {
    let mut keys = Keys::new(2);
    keys.admit(1, 0);
    let founder = keys.0[0].name();
    let third = keys.0[0].records[2].hash();
    keys.0[1].seen = BTreeMap::from([(founder.clone(), (1, Hash::of(b"another record")))]);
    keys.0[1].write(intent());
    keys.0[1].seen = BTreeMap::from([(founder.clone(), (2, third))]);
    let heads = BTreeMap::from([(founder.clone(), (4, Hash::of(b"a later record")))]);
    keys.0[1].write(Event::Exported(Exported { count: 7, bundle: Hash::of(b"bundle"), heads }));
    let findings = keys.findings();
    assert_eq!(rules(&findings), ["JOURNAL-LACKS", "JOURNAL-OTHER"]);
    let by = keys.0[1].name();
    assert_eq!(
        findings[0].text,
        format!("this copy of the kit lacks records 3 to 4 of {founder}, which record {by}/2 had seen")
    );
    assert_eq!(
        findings[1].text,
        format!("record {by}/1 had seen another record {founder}/1 than this copy holds")
    );
}

#[test]
fn what_a_key_of_nobody_claims_to_have_seen_is_not_believed() {
    let mut keys = Keys::new(2);
    let founder = keys.0[0].name();
    keys.0[1].seen = BTreeMap::from([(founder, (40, Hash::of(b"never")))]);
    let event = Event::KeyPinChanged(crate::record::event::KeyPinChanged { what: "pin".into() });
    keys.0[1].write(event);
    assert_eq!(keys.findings(), []);
}

#[test]
fn a_policy_that_contradicts_the_founding_is_found() {
    let keys = Keys::under(1, KitKind::Real);
    let (_dir, kit) = keys.kit(KitKind::Real);
    assert_eq!(rules(&journal(&kit)), ["POLICY-KIND"]);
}

#[test]
fn attestations_that_bear_nothing_out_are_found() {
    let keys = Keys::new(1);
    let (_dir, kit) = keys.kit(KitKind::Practice);
    let root = crate::device::practice::root_certificate().unwrap();
    let findings = everything(&kit, &Roots::practice(&root).unwrap()).unwrap();
    assert_eq!(rules(&findings), ["KEY-ATTESTED"]);
    assert!(findings[0].text.starts_with("key 20000001: the attestation of slot 9C"), "{}", findings[0].text);
}
