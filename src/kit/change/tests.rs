//! What each occasion asks, record by record.

use super::*;
use crate::kit::folder::{Folder, make_folder};
use crate::kit::policy::template;
use crate::kit::roster::Change;
use crate::record::chain::Depth;
use crate::record::event::*;
use crate::record::hash::{Hash, KeyId};
use crate::record::sample::{Writer, every_event, intent};

/// Keys 1 and 2 lie in safe A, 3 in safe B, kept by carol, who holds its PUK too.
const PEOPLE: &str = r#"
[[person]]
name = "carol"
roles = ["custodian", "operator"]
keys = [3]

[[key]]
serial = 1
place = "safe A"
puk = "ada"

[[key]]
serial = 2
place = "safe A"

[[key]]
serial = 3
place = "safe B"
puk = "carol"
"#;

/// Without carol and what she had.
const WITHOUT_CAROL: &str = r#"
[[key]]
serial = 1
place = "safe A"
puk = "ada"

[[key]]
serial = 2
place = "safe A"

[[key]]
serial = 3
place = "safe B"
puk = "ada"
"#;

struct World {
    keys: Vec<Writer>,
    texts: Vec<String>,
    /// The FIDO2 side of each key, by how its PIN is; none, if none is said.
    fido2: Option<Fido2PinKind>,
}

impl World {
    /// `core-db/root` takes two of all three, `core-fw/admin` opens with 1 or 3, `core-lb/root` takes 2 and 3, `core-sw/root`
    /// opens with 1 or 2.
    fn new() -> Self {
        Self::of(None)
    }

    /// The same of keys with a FIDO2 side.
    fn of(fido2: Option<Fido2PinKind>) -> Self {
        let mut world = World { keys: Vec::new(), texts: Vec::new(), fido2 };
        let policy = world.policy(PEOPLE);
        for n in 1..=3 {
            world.enrol(n);
        }
        let kind = KitKind::Practice;
        let founded = KitFounded { name: "test".into(), kind, policy, attestation_root: None };
        let kit = world.write(1, Event::KitFounded(founded)).hash();
        world.keys.iter_mut().for_each(|key| key.kit = Some(kit));
        world.admit(2, &[1]);
        world.admit(3, &[1, 2]);
        world.seal("core-db/root", 1, false, 2, &[1, 2, 3]);
        world.seal("core-fw/admin", 1, false, 1, &[1, 3]);
        world.seal("core-lb/root", 1, false, 2, &[2, 3]);
        world.seal("core-sw/root", 1, false, 1, &[1, 2]);
        world
    }

    /// Another `kit.toml`; its hash.
    fn policy(&mut self, tables: &str) -> Hash {
        self.texts.push(template("test", KitKind::Practice) + tables);
        Hash::of(self.texts.last().unwrap().as_bytes())
    }

    fn enrol(&mut self, n: u8) {
        let mut key = Writer::new(n);
        key.serial = Serial(n.into());
        key.kit = self.keys.first().and_then(|first| first.kit);
        let enrolment = match self.fido2 {
            None => key.enrolment(),
            Some(kind) => {
                let mut enrolment = key.fido2_enrolment(&mut key.authenticator());
                let Event::KeyEnrolled(facts) = &mut enrolment else { panic!("an enrolment") };
                facts.fido2.as_mut().unwrap().pin = kind;
                enrolment
            }
        };
        key.write(enrolment);
        self.keys.push(key);
    }

    fn key(&self, n: u8) -> &Writer {
        &self.keys[usize::from(n) - 1]
    }

    fn id(&self, n: u8) -> KeyId {
        KeyId::of(&self.key(n).verifying_key())
    }

    fn write(&mut self, by: u8, event: Event) -> crate::record::token::Record {
        let others = self.keys.iter().filter(|key| key.serial != Serial(by.into()));
        let seen = others.filter_map(|key| {
            let last = key.records.last()?;
            Some((key.name(), (last.link.seq, last.hash())))
        });
        let seen = seen.collect();
        let key = &mut self.keys[usize::from(by) - 1];
        key.seen = seen;
        key.write(event)
    }

    fn kit_id(&self) -> Hash {
        self.key(1).kit.unwrap()
    }

    fn admit(&mut self, n: u8, by: &[u8]) {
        let (key, serial, enrolment) = (self.id(n), Serial(n.into()), self.key(n).records[0].hash());
        let change = Change::Admit { key, enrolment }.hash(&self.kit_id());
        for by in by {
            self.write(*by, Event::KeyAdmitted(KeyAdmitted { change, serial, key, enrolment }));
        }
    }

    fn retire(&mut self, n: u8, why: &str, by: &[u8]) {
        let (key, serial) = (self.id(n), Serial(n.into()));
        let last_seq = self.key(n).records.last().unwrap().link.seq;
        let change = Change::Retire { key, last_seq }.hash(&self.kit_id());
        for by in by {
            self.write(*by, Event::KeyRetired(KeyRetired { change, serial, key, last_seq, why: why.into() }));
        }
    }

    fn adopt(&mut self, tables: &str, by: &[u8]) {
        let policy = self.policy(tables);
        let change = Change::Adopt { policy }.hash(&self.kit_id());
        for by in by {
            self.write(*by, Event::PolicyAdopted(PolicyAdopted { change, policy }));
        }
    }

    fn seal(&mut self, name: &str, generation: u64, pending: bool, threshold: u8, keys: &[u8]) -> Hash {
        let facts = CredentialSealed {
            credential: name.into(),
            generation,
            pending,
            threshold,
            factors: vec!["piv".into()],
            folder: format!("{generation}-0a1b2c3d"),
            recipients: keys.iter().map(|key| self.id(*key)).collect(),
            envelopes: vec![],
            files: [("payload.age".into(), Hash::of(b"payload"))].into(),
            list: None,
        };
        self.write(1, Event::CredentialSealed(facts)).hash()
    }

    fn rotate(&mut self, name: &str, generation: u64, threshold: u8, keys: &[u8]) {
        let sealed = self.seal(name, generation, true, threshold, keys);
        self.confirm(name, generation, sealed);
    }

    fn confirm(&mut self, name: &str, generation: u64, sealed: Hash) {
        let credential = name.to_owned();
        self.write(1, Event::CredentialConfirmed(CredentialConfirmed { credential, generation, sealed }));
    }

    fn open(&mut self, by: u8, name: &str, operator: &str) {
        let Event::OpenIntent(mut facts) = intent() else { panic!("an intent") };
        (facts.credential, facts.generation, facts.operator) = (name.into(), 1, operator.into());
        self.write(by, Event::OpenIntent(facts));
    }

    fn pin(&mut self, by: u8, what: &str) {
        self.write(by, Event::KeyPinChanged(KeyPinChanged { what: what.into() }));
    }

    fn put_away(&mut self, n: u8, person: &str) {
        let facts = KeyCheckedIn {
            serial: Serial(n.into()),
            key: self.id(n),
            place: "safe B".into(),
            bag: "0502".into(),
            person: person.into(),
            witness: "bob".into(),
        };
        self.write(1, Event::KeyCheckedIn(facts));
    }

    /// The kit on a disk, with the last `kit.toml`.
    fn kit(&self) -> (tempfile::TempDir, Kit) {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::at(dir.path(), None);
        folder.write_new("kit.toml", self.texts.last().unwrap().as_bytes()).unwrap();
        for text in &self.texts {
            let path = crate::kit::policy_path(&Hash::of(text.as_bytes()));
            folder.write_new(&path, text.as_bytes()).unwrap();
        }
        make_folder(&folder.journal()).unwrap();
        for key in &self.keys {
            folder.write_new(&format!("journal/{}.jws", key.name()), &key.journal()).unwrap();
        }
        let kit = Kit::read(folder, Depth::Every).unwrap();
        (dir, kit)
    }

    fn plan(&self, occasion: &Occasion, comes: Option<u32>) -> Plan {
        plan(&self.kit().1, occasion, comes.map(Serial)).unwrap()
    }

    /// `state what`, line by line.
    fn told(&self, occasion: &Occasion, comes: Option<u32>) -> Vec<String> {
        let word = |state: &State| match state {
            State::Done(Some(_)) => "done",
            State::Done(None) => "done, without a record",
            State::Next => "next",
            State::Then => "then",
            State::Waits(_) => "waits",
        };
        let steps = self.plan(occasion, comes).steps;
        steps.iter().map(|step| format!("{} {}", word(&step.state), step.what)).collect()
    }
}

const LOST: Occasion = Occasion::Lost(Serial(3));
const OUT: &str = "edit kit.toml: remove [[key]] serial = 3; take 3 out of the keys of carol";

fn carol() -> Occasion {
    Occasion::Leaves("carol".parse().unwrap())
}

/// The policy after key 3 was lost.
fn without_three() -> String {
    PEOPLE.replace("keys = [3]\n", "").split("\n[[key]]\nserial = 3").next().unwrap().to_owned()
}

#[test]
fn a_lost_key_from_the_first_step_to_the_last() {
    let mut world = World::new();
    let rest = |first: &str, second: &str| -> Vec<String> {
        let edit = format!("then {OUT}");
        let all = [
            first,
            second,
            "then rotate core-db/root",
            "then rotate core-lb/root",
            &edit,
            "waits adopt kit.toml",
        ];
        all.map(str::to_owned).into()
    };
    assert_eq!(world.told(&LOST, None), rest("next rotate core-fw/admin", "then retire 3"));
    let plan = world.plan(&LOST, None);
    let untouched: Vec<String> = plan.untouched.iter().map(|(name, why)| format!("{name}: {why}")).collect();
    assert_eq!(untouched, ["core-sw/root: it was never sealed to 3"]);
    let why: Vec<&str> = plan.steps.iter().map(|step| step.why.as_str()).collect();
    assert_eq!(
        why[..4],
        [
            "3 opens it alone: rotate it at once; 1 alone is left of its keys",
            "signed by nobody yet; wanting 2 more keys, of 1, 2",
            "1 of the 2 shares that open it is gone: worthless alone, and for good once it is sealed anew; it opens \
             only with all of 1, 2",
            "1 of the 2 shares that open it is gone: worthless alone, and for good once it is sealed anew; it opens \
             no more: it takes 2 keys, and 1 of its own are left",
        ]
    );
    let command = |plan: &Plan, step: usize| plan.steps[step].command(KitKind::Real).unwrap();
    assert_eq!(command(&plan, 0), "breakglass rotate core-fw/admin --to 1 --with 1");
    assert_eq!(command(&plan, 1), "breakglass key retire 3 --why lost --with 1");
    assert_eq!(command(&plan, 3), "breakglass rotate core-lb/root --to 1,2 --with 1");

    let sealed = world.seal("core-fw/admin", 2, true, 1, &[1]);
    let plan = world.plan(&LOST, None);
    assert_eq!(command(&plan, 0), "breakglass rotate core-fw/admin --confirm-pending --with 1");
    world.confirm("core-fw/admin", 2, sealed);
    world.retire(3, "lost", &[1]);
    assert_eq!(world.told(&LOST, None), rest("done rotate core-fw/admin", "next retire 3"));
    let plan = world.plan(&LOST, None);
    assert_eq!(plan.steps[1].why, "signed by 1; wanting 1 more key, of 2");
    assert_eq!(command(&plan, 1), "breakglass key retire 3 --why lost --with 2");
    world.retire(3, "lost", &[2]);
    assert_eq!(world.plan(&LOST, None).next().unwrap().what.to_string(), "rotate core-db/root");
    let told = unfinished(&world.kit().1);
    assert_eq!(
        (told[0].rule, told[0].text.as_str(), told[0].next.as_deref()),
        (
            "CHANGE-UNFINISHED",
            "key 3 was lost, and 4 steps are left, first: rotate core-db/root",
            Some("breakglass change --lost 3")
        )
    );
    world.rotate("core-db/root", 2, 2, &[1, 2]);
    world.rotate("core-lb/root", 2, 2, &[1, 2]);
    let edited = without_three();
    world.adopt(&edited, &[1]);
    assert_eq!(world.told(&LOST, None).last().unwrap(), "next adopt kit.toml");
    let change = world.texts.pop().unwrap();
    world.adopt(&edited, &[2]);
    assert_eq!(world.texts.last(), Some(&change));
    let plan = world.plan(&LOST, None);
    assert!(plan.steps.iter().all(|step| matches!(step.state, State::Done(Some(_)))), "{plan:#?}");
    assert_eq!((plan.left(), plan.notes.len(), unfinished(&world.kit().1)), (0, 0, vec![]));
}

#[test]
fn shares_that_are_gone_are_judged_by_threshold() {
    let mut world = World::new();
    world.retire(2, "worn", &[1, 3]);
    // Two of the three shares of core-db/root are gone now: both keys together open it.
    let plan = world.plan(&LOST, None);
    let step = &plan.steps[0];
    assert_eq!(
        (step.what.to_string().as_str(), step.why.as_str()),
        (
            "rotate core-db/root",
            "2, 3 open it together, and all are gone: rotate it at once; it opens no more: it takes 2 keys, and 1 of \
             its own are left"
        )
    );
    let State::Waits(what) = &step.state else { panic!("{step:?}") };
    assert_eq!(
        what,
        "for another key (--key SERIAL): it takes 2, and 1 is left; or seal it to fewer with -k"
    );
    // With the key that comes it can be sealed again.
    world.enrol(4);
    let told = world.told(&LOST, Some(4));
    for line in
        ["done provision 4", "then admit 4", "waits rotate core-db/root", "waits put 4 into a new bag"]
    {
        assert!(told.contains(&line.to_owned()), "{line}: {told:#?}");
    }
    world.admit(4, &[1, 3]);
    let plan = world.plan(&LOST, Some(4));
    assert_eq!(
        plan.steps[0].command(KitKind::Practice).unwrap(),
        "breakglass rotate core-db/root --generate --to 1,4 --with 1"
    );
    assert_eq!(plan.steps[0].state, State::Next);
    let edit = plan.steps.iter().find(|step| matches!(step.what, What::Edit(_))).unwrap();
    assert!(edit.what.to_string().ends_with("; add [[key]] serial = 4, with its place, bag and puk"));
}

#[test]
fn a_stolen_key_has_its_neighbours_looked_at() {
    let mut world = World::new();
    let stolen = Occasion::Stolen(Serial(2));
    let of = |world: &World| {
        let told = world.told(&stolen, None);
        told.into_iter().filter(|line| line.contains("look") || line.contains("retire")).collect::<Vec<_>>()
    };
    assert_eq!(of(&world), ["then retire 2", "waits look at 1"]);
    world.retire(2, "stolen", &[1, 3]);
    assert_eq!(of(&world), ["done retire 2", "then look at 1"]);
    let seen = KeyCheckedOut {
        serial: Serial(1),
        key: world.id(1),
        bag: String::new(),
        seal: SealSeen::Intact,
        person: "ada".into(),
        witness: "bob".into(),
        why: "a change".into(),
    };
    world.write(1, Event::KeyCheckedOut(seen));
    assert_eq!(of(&world), ["done retire 2", "done look at 1"]);
}

#[test]
fn who_leaves_has_read_kept_and_typed() {
    let mut world = World::new();
    world.open(1, "core-sw/root", "carol");
    world.open(2, "core-db/root", "ada");
    let first = [
        "next edit kit.toml: remove [[person]] name = \"carol\", and say who keeps 3 now; another puk than \"carol\" for \
         key 3",
        "waits adopt kit.toml",
        "then rotate core-sw/root",
        "then change the PIN of 1",
        "waits change the PIN of 3",
        "waits change the PUK of 3",
        "waits put 3 into a new bag",
        "waits rotate core-fw/admin",
    ];
    assert_eq!(world.told(&carol(), None), first);
    let plan = world.plan(&carol(), None);
    let untouched: Vec<String> = plan.untouched.iter().map(|(name, why)| format!("{name}: {why}")).collect();
    assert_eq!(
        untouched,
        [
            "core-db/root: carol opened none of it, and kept 1 of the 2 keys that it takes",
            "core-lb/root: carol opened none of it, and kept 1 of the 2 keys that it takes",
        ]
    );
    assert_eq!(plan.notes, ["whether 3 was used beside the records nothing can tell: it has no counter"]);

    // What is done before she is out of the policy does not count of what she keeps.
    world.pin(3, "pin");
    world.put_away(3, "ada");
    world.rotate("core-fw/admin", 2, 1, &[1, 3]);
    assert_eq!(world.told(&carol(), None), first);
    world.adopt(WITHOUT_CAROL, &[1, 2]);
    assert_eq!(unfinished(&world.kit().1)[0].next.as_deref(), Some("breakglass change --leaves carol"));
    assert_eq!(
        world.told(&carol(), None)[..3],
        ["done adopt kit.toml", "next rotate core-sw/root", "then change the PIN of 1"]
    );
    world.rotate("core-sw/root", 2, 1, &[1, 2]);
    world.pin(1, "pin");
    world.rotate("core-fw/admin", 3, 1, &[1, 3]);
    assert_eq!(
        world.told(&carol(), None).last().unwrap(),
        "waits rotate core-fw/admin",
        "the PIN of 3 is still hers"
    );
    world.pin(3, "unblock");
    world.pin(3, "puk");
    world.put_away(3, "carol");
    let told = world.told(&carol(), None);
    assert_eq!(
        told[5..],
        ["next put 3 into a new bag", "then rotate core-fw/admin"],
        "she put it away herself"
    );
    world.put_away(3, "ada");
    world.rotate("core-fw/admin", 4, 1, &[1, 3]);
    let plan = world.plan(&carol(), None);
    assert!(plan.steps.iter().all(|step| matches!(step.state, State::Done(Some(_)))), "{plan:#?}");
    assert_eq!(unfinished(&world.kit().1), []);
}

#[test]
fn who_leaves_knows_the_pin_of_a_key_that_they_minted_with() {
    let mut world = World::new();
    let minted = every_event().into_iter().find_map(|event| match event {
        Event::MintIntent(facts) => Some(MintIntent { operator: "carol".into(), ..facts }),
        _ => None,
    });
    world.write(2, Event::MintIntent(minted.unwrap()));
    assert!(world.told(&carol(), None).contains(&"then change the PIN of 2".to_owned()));
}

#[test]
fn a_fido2_pin_that_is_not_the_pin_is_changed_by_a_step_of_its_own() {
    let asked = |world: &World| {
        let told = world.told(&carol(), None);
        told.into_iter().filter(|step| step.contains(" PIN of ")).collect::<Vec<_>>()
    };
    // One PIN for both sides: one change, of both.
    let mut one = World::of(Some(Fido2PinKind::Shared));
    one.open(1, "core-sw/root", "carol");
    assert_eq!(asked(&one), ["then change the PIN of 1", "waits change the PIN of 3"]);
    one.pin(1, "pin");
    one.pin(1, "fido2");
    assert_eq!(asked(&one), ["done change the PIN of 1", "waits change the PIN of 3"]);

    let mut two = World::of(Some(Fido2PinKind::Own));
    two.open(1, "core-sw/root", "carol");
    assert_eq!(
        asked(&two),
        [
            "then change the PIN of 1",
            "then change the FIDO2 PIN of 1",
            "waits change the PIN of 3",
            "waits change the FIDO2 PIN of 3"
        ]
    );
    let plan = two.plan(&carol(), None);
    let step = plan.steps.iter().find(|step| step.what == What::Fido2Pin(Serial(1))).unwrap();
    assert_eq!(step.command(KitKind::Real).as_deref(), Some("breakglass key pin 1 --what fido2"));
    two.adopt(WITHOUT_CAROL, &[1, 2]);
    for key in [1, 3] {
        two.pin(key, "pin");
        two.pin(key, "fido2-own");
    }
    assert!(asked(&two).iter().all(|step| step.starts_with("done ")), "{:?}", asked(&two));
}

#[test]
fn who_joins_with_a_key_and_without() {
    let mut world = World::new();
    let erin = Occasion::Joins("erin".parse().unwrap());
    assert_eq!(
        world.told(&erin, None),
        ["next edit kit.toml: add [[person]] name = \"erin\", roles = […]", "waits adopt kit.toml"]
    );
    assert_eq!(
        world.told(&erin, Some(4)),
        [
            "next provision 4",
            "waits admit 4",
            "then edit kit.toml: add [[person]] name = \"erin\", roles = […], keys = [4]; add [[key]] serial = 4, with its \
         place, bag and puk",
            "waits adopt kit.toml",
            "waits put 4 into a new bag",
        ]
    );
    world.enrol(4);
    world.admit(4, &[1, 3]);
    let person = "\n[[person]]\nname = \"erin\"\nroles = [\"custodian\"]\nkeys = [4]\n";
    let place = "\n[[key]]\nserial = 4\nplace = \"safe B\"\n";
    world.adopt(&format!("{PEOPLE}{person}{place}"), &[2, 3]);
    assert_eq!(
        world.told(&erin, Some(4)),
        ["done provision 4", "done admit 4", "done adopt kit.toml", "next put 4 into a new bag"]
    );
    let plan = world.plan(&erin, Some(4));
    assert_eq!(
        plan.untouched[1].1,
        "it opens as before; to be opened with 4 too it is rotated:  breakglass rotate core-fw/admin --to 1,3,4"
    );
    world.put_away(4, "erin");
    assert_eq!(world.plan(&erin, Some(4)).left(), 0);
}

#[test]
fn what_cannot_be_planned() {
    let (_dir, kit) = World::new().kit();
    let mallory = Occasion::Leaves("mallory".parse().unwrap());
    for (occasion, comes, error) in [
        (Occasion::Lost(Serial(9)), None, "key 9 is not enrolled in this kit"),
        (LOST, Some(3), "key 3 cannot come in its own place"),
        (mallory, None, "no policy of this kit ever named mallory; people of the policy: ada, carol"),
    ] {
        let found = plan(&kit, &occasion, comes.map(Serial)).unwrap_err();
        assert_eq!(found.to_string(), error);
    }
}

#[test]
fn a_kit_whose_only_key_is_lost_waits_for_ever() {
    let mut world = World::new();
    world.retire(3, "worn", &[1, 2]);
    world.retire(2, "worn", &[1, 3]);
    world.retire(2, "worn", &[1]);
    let lost = Occasion::Lost(Serial(1));
    let plan = world.plan(&lost, None);
    let retire = plan.steps.iter().find(|step| matches!(step.what, What::Retire(..))).unwrap();
    assert_eq!(retire.state, State::Waits("for ever: no other key belongs that could sign".to_owned()));
    assert!(plan.next().is_none_or(|step| matches!(step.what, What::Edit(_))), "{plan:#?}");
}
