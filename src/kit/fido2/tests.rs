use super::*;
use crate::kit::folder::{Folder, make_folder};
use crate::kit::policy::template;
use crate::record::chain::Depth;
use crate::record::event::{KitFounded, KitKind};
use crate::record::sample::{Authenticator, Writer, envelope, intent};

/// A kit of one key with FIDO2, which founded it.
struct Sample {
    writer: Writer,
    authenticator: Authenticator,
}

impl Sample {
    fn new() -> Self {
        let mut writer = Writer::new(1);
        let mut authenticator = writer.authenticator();
        let enrolment = writer.fido2_enrolment(&mut authenticator);
        writer.write(enrolment);
        let policy = Hash::of(template("test", KitKind::Practice).as_bytes());
        let founded =
            KitFounded { name: "test".into(), kind: KitKind::Practice, policy, attestation_root: None };
        writer.kit = Some(writer.write(Event::KitFounded(founded)).hash());
        Sample { writer, authenticator }
    }

    fn id(&self) -> KeyId {
        KeyId::of(&self.writer.verifying_key())
    }

    fn kit(&self) -> (tempfile::TempDir, Kit) {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::at(dir.path(), None);
        let text = template("test", KitKind::Practice);
        folder.write_new("kit.toml", text.as_bytes()).unwrap();
        folder.write_new(&crate::kit::policy_path(&Hash::of(text.as_bytes())), text.as_bytes()).unwrap();
        make_folder(&folder.journal()).unwrap();
        folder.write_new(&format!("journal/{}.jws", self.writer.name()), &self.writer.journal()).unwrap();
        (dir, Kit::read(folder, Depth::Every).unwrap())
    }

    /// The short names of what sealing would take, and how many envelopes are unused.
    fn next(&self) -> (EnvelopeId, usize) {
        let side = self.kit().1.fido2(&self.id()).unwrap();
        (side.next_envelope().id, side.unused())
    }

    fn seal(&mut self, generation: u64, to: Option<EnvelopeId>) {
        let (factors, envelopes) = match to {
            Some(_) => (vec![PIV.to_owned(), FIDO2.to_owned()], vec![to]),
            None => (vec![PIV.to_owned()], vec![]),
        };
        let facts = CredentialSealed {
            credential: "core-db/root".into(),
            generation,
            pending: false,
            threshold: 1,
            factors,
            folder: format!("{generation}-0a1b2c3d"),
            recipients: vec![self.id()],
            envelopes,
            files: Default::default(),
            list: None,
        };
        self.writer.write(Event::CredentialSealed(facts));
    }

    /// An opening that brings the n-th envelope.
    fn open(&mut self, n: u8) {
        let over = self.writer.write(intent());
        let asserted = self.authenticator.asserted(&over, Some(envelope(self.writer.serial, n)));
        self.writer.write(asserted);
    }

    fn envelope(&self, n: u8) -> EnvelopeId {
        envelope(self.writer.serial, n).recipient.id()
    }
}

#[test]
fn the_oldest_unused_envelope_is_next_and_the_newest_again_when_all_are_used() {
    let mut sample = Sample::new();
    let [one, two, three] = [1, 2, 3].map(|n| sample.envelope(n));
    assert_eq!(sample.next(), (one, 2));
    sample.seal(1, Some(one));
    assert_eq!(sample.next(), (two, 1));
    sample.seal(2, None);
    assert_eq!(sample.next(), (two, 1), "PIV alone uses none");
    sample.open(3);
    assert_eq!(sample.next(), (two, 2));
    sample.seal(3, Some(three));
    assert_eq!(sample.next(), (two, 1), "the oldest that is unused, not the next in turn");
    sample.seal(4, Some(two));
    assert_eq!(sample.next(), (three, 0));
    assert_eq!(sample.kit().1.fido2(&sample.id()).unwrap().reused().count(), 0);
    sample.seal(5, Some(three));
    let side = sample.kit().1.fido2(&sample.id()).unwrap();
    let reused: Vec<_> = side.reused().map(|pooled| (pooled.id, pooled.used.len())).collect();
    assert_eq!(reused, [(three, 2)]);
}

#[test]
fn the_envelope_of_a_generation_is_found_by_its_short_name() {
    let mut sample = Sample::new();
    sample.seal(1, Some(sample.envelope(2)));
    sample.seal(2, None);
    sample.seal(3, Some(sample.envelope(7)));
    let (_dir, kit) = sample.kit();
    let id = sample.id();
    let generations = &kit.credentials.values().next().unwrap().generations;
    let found = kit.envelope_for(&generations[0], &id).unwrap();
    assert_eq!(found, Some(envelope(sample.writer.serial, 2)));
    assert!(generations[0].by_files() && generations[0].asks_fido2());
    assert_eq!(kit.envelope_for(&generations[1], &id), Ok(None));
    assert!(!generations[1].by_files() && !generations[1].asks_fido2());
    let unknown = kit.envelope_for(&generations[2], &id).unwrap_err();
    assert_eq!((unknown.serial, unknown.envelope), (sample.writer.serial, sample.envelope(7)));
    let other = KeyId(Hash::of(b"other"));
    assert_eq!(kit.envelope_for(&generations[0], &other), Ok(None));
    assert!(kit.fido2(&other).is_none());
}

#[test]
fn an_envelope_without_a_good_assertion_of_this_key_is_not_taken() {
    let mut sample = Sample::new();
    let over = sample.writer.write(intent());
    let mut stranger = Writer::new(9).authenticator();
    let forged = stranger.asserted(&over, Some(envelope(sample.writer.serial, 66)));
    sample.writer.write(forged);
    let side = sample.kit().1.fido2(&sample.id()).unwrap();
    assert_eq!(side.envelopes.len(), 2);
    sample.open(3);
    sample.open(3);
    assert_eq!(sample.kit().1.fido2(&sample.id()).unwrap().envelopes.len(), 3, "the same twice is one");
}

#[test]
fn a_sealing_whose_envelopes_do_not_fit_its_recipients_does_not_count() {
    let parallel = |factors: &[&str], envelopes: &[Option<EnvelopeId>], recipients: usize| {
        let factors: Vec<String> = factors.iter().map(ToString::to_string).collect();
        credentials::is_parallel(&factors, envelopes, &vec![KeyId(Hash::of(b"key")); recipients])
    };
    let some = Some(EnvelopeId([1; 8]));
    assert!(parallel(&[PIV], &[], 2));
    assert!(parallel(&[PIV, FIDO2], &[some, None], 2));
    assert!(!parallel(&[PIV], &[some], 1));
    assert!(!parallel(&[PIV, FIDO2], &[some], 2));
    assert!(!parallel(&[PIV, FIDO2], &[None, None], 2));
    assert!(!parallel(&[PIV, FIDO2], &[], 2));
    let mut sample = Sample::new();
    sample.seal(1, Some(sample.envelope(1)));
    let Event::CredentialSealed(mut facts) = sample.writer.records[2].event.clone() else { panic!() };
    facts.envelopes.push(None);
    facts.generation = 2;
    sample.writer.write(Event::CredentialSealed(facts));
    let (_dir, kit) = sample.kit();
    assert_eq!(kit.credentials.values().next().unwrap().generations.len(), 1);
}

fn order<'a>(
    name: &'a CredentialName,
    secret: &'a crate::secret::Plaintext,
    about: &'a crate::kit::sealed::About,
    recipients: &'a [crate::kit::Enrolled],
    factors: crate::kit::policy::Factors,
) -> crate::kit::sealing::Order<'a> {
    crate::kit::sealing::Order {
        name,
        generation: 1,
        pending: false,
        secret,
        about,
        recipients,
        threshold: 1,
        factors,
    }
}

#[test]
fn sealing_takes_the_next_envelope_without_the_key_and_the_record_names_it() {
    use crate::kit::policy::Factors;
    use crate::kit::sealing::{SealingError, choose, write};
    let mut sample = Sample::new();
    let (dir, kit) = sample.kit();
    let name: CredentialName = "core-db/root".parse().unwrap();
    let secret = crate::secret::Plaintext::new(zeroize::Zeroizing::new(b"hunter2".to_vec()));
    let about = crate::kit::sealed::About {
        platform: "core-db".into(),
        account: "root".into(),
        user_name: String::new(),
        log_in_at: String::new(),
        runbook: String::new(),
    };
    let keys = kit.enrolled_keys();
    let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
    let (event, sealed) =
        write(&kit, &order(&name, &secret, &about, &keys, Factors::Held), &mut rng).unwrap();
    let Event::CredentialSealed(facts) = &event else { panic!() };
    assert_eq!(
        (&facts.factors[..], &facts.envelopes[..]),
        (&[PIV.into(), FIDO2.into()][..], &[Some(sample.envelope(1))][..])
    );
    let chain = sample.writer.name();
    let files: Vec<&String> = facts.files.keys().collect();
    assert_eq!(files, [&format!("{chain}.age"), &format!("{chain}.fido2"), "about.toml", "payload.age"]);
    assert_eq!(sealed.proof.subsets, 1);
    sample.writer.write(event);
    assert_eq!(sample.next(), (sample.envelope(2), 1));

    // The record is in the kit: what is asked at opening is what was sealed to, and the text beside it says so.
    std::fs::write(dir.path().join(format!("journal/{chain}.jws")), sample.writer.journal()).unwrap();
    let kit = Kit::read(Folder::at(dir.path(), None), Depth::Every).unwrap();
    let generation = &kit.credentials[&name].generations[0];
    let envelope = kit.envelope_for(generation, &sample.id()).unwrap().unwrap();
    assert_eq!(envelope.recipient.id(), sample.envelope(1));
    let rules: Vec<_> = crate::kit::check::sealed(&kit).unwrap();
    assert_eq!(rules, []);

    let piv = write(&kit, &order(&name, &secret, &about, &keys, Factors::Piv), &mut rng).unwrap().0;
    let Event::CredentialSealed(facts) = piv else { panic!() };
    assert_eq!((&facts.factors[..], facts.envelopes.len()), (&[PIV.to_owned()][..], 0));
    assert!(!facts.files.contains_key(&format!("{chain}.age")));

    let mut without = keys.clone();
    without[0].id = KeyId(Hash::of(b"a key that has no FIDO2"));
    let refused = choose(&kit, &without, Factors::Both).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("sealing to FIDO2 was asked for, and {} is enrolled without it", sample.writer.serial)
    );
    assert!(matches!(refused, SealingError::WithoutFido2(_)));
    assert_eq!(choose(&kit, &without, Factors::Held).unwrap(), [None]);
}

/// With the longest names, as many keys as stand in the record, and an open.intent's worth of other members.
#[test]
fn a_sealing_with_fido2_fits_in_its_record() {
    let sample = Sample::new();
    let hash = |n: u8| Hash::of(&[n]);
    let mut files: std::collections::BTreeMap<String, Hash> =
        [("payload.age".to_owned(), hash(0)), ("about.toml".to_owned(), hash(1))].into();
    for n in 0..3 {
        files.insert(format!("{}-0a1b2c{n:02x}.age", u32::MAX), hash(n));
        files.insert(format!("{}-0a1b2c{n:02x}.fido2", u32::MAX), hash(n));
    }
    let facts = CredentialSealed {
        credential: format!("{}/{}", "p".repeat(64), "a".repeat(64)),
        generation: 1_000_000,
        pending: false,
        threshold: 2,
        factors: vec![PIV.into(), FIDO2.into()],
        folder: "1000000-0a1b2c3d".into(),
        recipients: (0..3).map(|n| KeyId(hash(n))).collect(),
        envelopes: vec![Some(EnvelopeId([7; 8])); 3],
        files,
        list: None,
    };
    let mut draft = sample.writer.draft(Event::CredentialSealed(facts));
    draft.iss = format!("https://{}", "o".repeat(120));
    draft.jti = "f".repeat(32);
    let bytes = draft.signing_input().unwrap().bytes().len();
    assert!(bytes + 87 <= crate::record::token::WRITTEN_CAP, "{bytes}");
}

#[test]
fn the_fido2_pin_is_the_piv_pin_as_the_last_change_of_either_says() {
    let mut sample = Sample::new();
    let shared = |sample: &Sample| sample.kit().1.fido2_pin_shared(&sample.id());
    assert!(shared(&sample), "enrolled so");
    for (what, expected) in [
        ("puk", true),
        ("pin", false),
        ("fido2", true),
        ("unblock", false),
        ("pin", false),
        ("puk", false),
        ("fido2", true),
        ("fido2-own", false),
        ("pin", false),
    ] {
        sample.writer.write(Event::KeyPinChanged(KeyPinChanged { what: what.into() }));
        assert_eq!(shared(&sample), expected, "after {what}");
    }
    assert!(!sample.kit().1.fido2_pin_shared(&KeyId(Hash::of(b"other"))));
}

#[test]
fn a_fido2_pin_of_its_own_is_the_piv_pin_only_once_set_so() {
    let mut writer = Writer::new(1);
    let mut authenticator = writer.authenticator();
    let Event::KeyEnrolled(mut facts) = writer.fido2_enrolment(&mut authenticator) else { unreachable!() };
    facts.fido2.as_mut().unwrap().pin = Fido2PinKind::Own;
    writer.write(Event::KeyEnrolled(facts));
    let policy = Hash::of(template("test", KitKind::Practice).as_bytes());
    let founded = KitFounded { name: "test".into(), kind: KitKind::Practice, policy, attestation_root: None };
    writer.kit = Some(writer.write(Event::KitFounded(founded)).hash());
    let mut sample = Sample { writer, authenticator };
    assert!(!sample.kit().1.fido2_pin_shared(&sample.id()));
    sample.writer.write(Event::KeyPinChanged(KeyPinChanged { what: "fido2".into() }));
    assert!(sample.kit().1.fido2_pin_shared(&sample.id()));
}
