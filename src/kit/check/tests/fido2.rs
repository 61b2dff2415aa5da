//! Keys with FIDO2: what their counters and envelopes show in a kit, and in a bundle of it.

use super::*;
use crate::kit::credentials::List;
use crate::record::bundle::Bundle;
use crate::record::event::{CounterProfile, CredentialSealed, EnvelopeId, KeyWitness, OpenAsserted, Random};
use crate::record::sample::{Authenticator, envelope};

/// A kit of one key with FIDO2 and a credential that asks for it.
struct Sample {
    keys: Keys,
    authenticator: Authenticator,
    sealed: Hash,
}

impl Sample {
    fn new(profile: CounterProfile) -> Self {
        let mut writer = Writer::new(1);
        let mut authenticator = writer.authenticator();
        let Event::KeyEnrolled(mut facts) = writer.fido2_enrolment(&mut authenticator) else { panic!() };
        facts.fido2.as_mut().unwrap().profile = profile;
        writer.write(Event::KeyEnrolled(facts));
        let policy = Hash::of(template("test", KitKind::Practice).as_bytes());
        let facts =
            KitFounded { name: "test".into(), kind: KitKind::Practice, policy, attestation_root: None };
        writer.kit = Some(writer.write(Event::KitFounded(facts)).hash());
        let mut sample = Sample { keys: Keys(vec![writer]), authenticator, sealed: Hash([0; 32]) };
        sample.sealed = sample.seal(1, Some(1), None);
        sample
    }

    fn writer(&mut self) -> &mut Writer {
        &mut self.keys.0[0]
    }

    fn id_of(&self, n: u8) -> EnvelopeId {
        envelope(self.keys.0[0].serial, n).recipient.id()
    }

    /// Seals a generation to that envelope, or by PIV alone; or to a list that is not there.
    fn seal(&mut self, generation: u64, to: Option<u8>, list: Option<Hash>) -> Hash {
        let envelopes = to.map(|n| Some(self.id_of(n)));
        let facts = CredentialSealed {
            credential: "core-db/root".into(),
            generation,
            pending: false,
            threshold: 1,
            factors: match envelopes.is_some() || list.is_some() {
                true => vec!["piv".into(), "fido2".into()],
                false => vec!["piv".into()],
            },
            folder: format!("{generation}-0a1b2c3d"),
            recipients: if list.is_some() { vec![] } else { vec![self.keys.id(0)] },
            envelopes: envelopes.into_iter().collect(),
            files: BTreeMap::new(),
            list,
        };
        self.writer().write(Event::CredentialSealed(facts)).hash()
    }

    /// The intent of an opening of what that record sealed.
    fn intent(&mut self, sealed: Hash) -> Record {
        let Event::OpenIntent(mut facts) = intent() else { panic!() };
        facts.credential = "core-db/root".into();
        facts.sealed = sealed;
        self.writer().write(Event::OpenIntent(facts))
    }

    fn assert(&mut self, over: &Record) {
        let asserted = self.authenticator.asserted(over, None);
        self.writer().write(asserted);
    }

    fn open(&mut self) {
        let over = self.intent(self.sealed);
        self.assert(&over);
    }

    /// What the counters show in the kit; the same must show in a bundle of it.
    fn counted(&self) -> Vec<(&'static str, Weight, String)> {
        let (_dir, kit) = self.keys.kit(KitKind::Practice);
        let short = |findings: Vec<Finding>| -> Vec<(&'static str, Weight, String)> {
            let ours = ["COUNTER-", "ASSERTION-"];
            let ours =
                findings.into_iter().filter(|one| ours.iter().any(|start| one.rule.starts_with(start)));
            ours.map(|one| (one.rule, one.weight, one.text)).collect()
        };
        let mut in_kit = short(counters(&kit));
        in_kit.sort_by_key(|(_, weight, _)| *weight);
        let in_bundle = short(bundle(&Bundle::of(kit.journal.chains()).into_bytes()).findings);
        assert_eq!(in_kit, in_bundle);
        in_kit
    }
}

use crate::kit::finding::Weight;

const EXACT: CounterProfile = CounterProfile::Exact { step: 1 };

#[test]
fn nothing_is_found_while_the_journal_accounts_for_the_counter() {
    let mut sample = Sample::new(EXACT);
    sample.open();
    sample.open();
    assert_eq!(sample.counted(), []);
}

#[test]
fn a_use_outside_the_kit_is_certain_on_a_key_with_a_fixed_step() {
    let mut sample = Sample::new(EXACT);
    sample.open();
    sample.authenticator.assert(b"opened by something else");
    sample.authenticator.assert(b"again");
    sample.open();
    let name = sample.keys.0[0].name();
    let text = format!(
        "key 20000001, record {name}/6: 2 times more than the journal says: FIDO2 was used outside this kit, with this or another credential; that is certain"
    );
    assert_eq!(sample.counted(), [("COUNTER-JUMP", Weight::Wrong, text)]);
}

#[test]
fn on_any_other_key_it_is_possible_and_told_once() {
    let mut sample = Sample::new(CounterProfile::Monotonic);
    sample.authenticator.step = 5;
    sample.open();
    sample.open();
    let found = sample.counted();
    let [("COUNTER-JUMP", Weight::Note, text)] = &found[..] else { panic!("{found:?}") };
    assert!(text.contains("it is possible") && text.contains("by 8 more"), "{text}");
    assert!(!text.contains("certain"), "{text}");
}

#[test]
fn a_copy_of_the_key_is_certain() {
    let mut sample = Sample::new(CounterProfile::Monotonic);
    sample.open();
    sample.authenticator.step = 0;
    sample.open();
    sample.authenticator.counter = 3;
    sample.open();
    let found = sample.counted();
    let rules: Vec<_> = found.iter().map(|(rule, weight, _)| (*rule, *weight)).collect();
    assert_eq!(rules, [("COUNTER-STANDSTILL", Weight::Wrong), ("COUNTER-REGRESS", Weight::Wrong)]);
}

#[test]
fn an_opening_without_assertion_may_have_been_disclosed_and_accounts_for_a_use() {
    let mut sample = Sample::new(EXACT);
    let over = sample.intent(sample.sealed);
    sample.authenticator.assert(over.bytes());
    sample.open();
    let witness = sample.writer().write(Event::KeyWitness(KeyWitness { nonce: Random([1; 32]) }));
    let found = sample.counted();
    let rules: Vec<_> = found.iter().map(|(rule, weight, _)| (*rule, *weight)).collect();
    let note = Weight::Note;
    let expected = [("ASSERTION-MISSING", note), ("COUNTER-EXPLAINED", note), ("ASSERTION-MISSING", note)];
    assert_eq!(rules, expected);
    assert!(found[0].2.contains("core-db/root, generation 3: it may have been disclosed"), "{}", found[0].2);
    sample.assert(&witness);
    assert_eq!(sample.counted().len(), 2);
}

#[test]
fn only_openings_that_ask_this_key_for_fido2_need_an_assertion() {
    let mut sample = Sample::new(EXACT);
    let by_piv = sample.seal(2, None, None);
    sample.intent(by_piv);
    let of_a_list = sample.seal(3, None, Some(Hash::of(b"a list that is lost")));
    sample.intent(of_a_list);
    sample.intent(Hash::of(b"a sealing that nobody knows"));
    assert_eq!(sample.counted(), []);
}

#[test]
fn a_forged_assertion_is_found() {
    let mut sample = Sample::new(EXACT);
    let over = sample.intent(sample.sealed);
    let Event::OpenAsserted(facts) = sample.authenticator.asserted(&over, None) else { panic!() };
    let forged = OpenAsserted { over: sample.keys.0[0].records[1].hash(), ..facts };
    sample.writer().write(Event::OpenAsserted(forged));
    let found = sample.counted();
    let rules: Vec<_> = found.iter().map(|(rule, weight, _)| (*rule, *weight)).collect();
    assert_eq!(rules, [("ASSERTION-INVALID", Weight::Wrong), ("ASSERTION-MISSING", Weight::Note)]);
    assert!(found[0].2.ends_with("the assertion's signature does not verify"), "{}", found[0].2);
}

#[test]
fn an_envelope_that_two_generations_share_is_told() {
    let mut sample = Sample::new(EXACT);
    let reused_in = |sample: &Sample| reused(&sample.keys.kit(KitKind::Practice).1);
    sample.seal(2, Some(2), None);
    assert_eq!(reused_in(&sample), []);
    sample.seal(3, Some(2), None);
    let found = reused_in(&sample);
    assert_eq!((found[0].rule, found[0].weight), ("ENVELOPE-REUSED", Weight::Note));
    assert!(
        found[0].text.contains("core-db/root, generation 2; core-db/root, generation 3"),
        "{}",
        found[0].text
    );
}

#[test]
fn a_text_beside_a_file_that_says_something_else_is_found() {
    let mut sample = Sample::new(EXACT);
    let name = format!("{}.fido2", sample.keys.0[0].name());
    let outer = |n: u8| crate::kit::sealed::Outer {
        envelope: envelope(sample.keys.0[0].serial, n),
        credential: crate::record::event::CredentialId::new(vec![0xC5; 64]).unwrap(),
    };
    let (good, other) = (outer(2).sidecar(), outer(1).sidecar());
    let kit_with = |text: Option<&str>, n: u8| {
        let mut sample = Sample::new(EXACT);
        sample.seal(2, Some(n), None);
        let Event::CredentialSealed(mut facts) = sample.keys.0[0].records[3].event.clone() else { panic!() };
        sample.writer().records.pop();
        facts.files.extend(text.map(|text| (name.clone(), Hash::of(text.as_bytes()))));
        sample.writer().write(Event::CredentialSealed(facts));
        let (dir, kit) = sample.keys.kit(KitKind::Practice);
        if let Some(text) = text {
            kit.folder.write_new(&format!("sealed/core-db/root/2-0a1b2c3d/{name}"), text.as_bytes()).unwrap();
        }
        let findings = sealed(&kit).unwrap();
        drop(dir);
        let of_two = findings.into_iter().filter(|one| one.text.contains("generation 2"));
        of_two.map(|one| (one.rule, one.text)).collect::<Vec<_>>()
    };
    assert_eq!(kit_with(Some(&good), 2), []);
    let found = kit_with(Some(&other), 2);
    assert_eq!(found[0].0, "SEALED-SIDECAR");
    assert!(
        found[0].1.ends_with("it has the salt of another envelope than the record names"),
        "{}",
        found[0].1
    );
    assert_eq!(kit_with(None, 2)[0].0, "SEALED-SIDECAR");
    assert_eq!(kit_with(Some(&good), 9)[0].0, "ENVELOPE-UNKNOWN");
    sample.open();
}

#[test]
fn a_list_brings_its_envelopes() {
    let mut sample = Sample::new(EXACT);
    let list = List {
        recipients: vec![sample.keys.id(0), KeyId(Hash::of(b"other"))],
        envelopes: vec![Some(sample.id_of(2)), None],
        files: BTreeMap::new(),
    };
    let bytes = serde_json::to_vec(&list).unwrap();
    sample.seal(2, None, Some(Hash::of(&bytes)));
    let (dir, kit) = sample.keys.kit(KitKind::Practice);
    kit.folder.write_new("sealed/core-db/root/2-0a1b2c3d/list.json", &bytes).unwrap();
    let kit = Kit::read(Folder::at(dir.path(), None), Depth::Every).unwrap();
    let generation = &kit.credentials.values().next().unwrap().generations[1];
    assert_eq!(generation.envelope_of(&sample.keys.id(0)), Some(sample.id_of(2)));
    assert_eq!(kit.fido2(&sample.keys.id(0)).unwrap().unused(), 0);
}

#[test]
fn a_bundle_that_was_cut_or_has_no_end_says_so() {
    let mut sample = Sample::new(EXACT);
    sample.open();
    let (_dir, kit) = sample.keys.kit(KitKind::Practice);
    let open = Bundle::of(kit.journal.chains());
    let end = sample.writer().write(Event::Exported(open.exported()));
    let whole = open.clone().end(&end).unwrap();
    let rules = |bytes: &[u8]| -> Vec<&'static str> {
        bundle(bytes).findings.iter().map(|finding| finding.rule).collect()
    };
    assert_eq!(rules(&whole), ["BUNDLE-ALONE"]);
    assert_eq!((bundle(&whole).records, bundle(&whole).chains, bundle(&whole).generations), (6, 1, 1));
    assert_eq!(rules(&open.into_bytes()), ["BUNDLE-END", "BUNDLE-ALONE"]);
    assert_eq!(rules(&whole[..whole.len() - 5]), ["BUNDLE-END", "BUNDLE-ALONE"]);
    let mut damaged = whole.clone();
    damaged[40] = b'!';
    assert_eq!(bundle(&damaged).findings[0].weight, Weight::Wrong);
}
