//! Drills on practice keys: one key and one credential through every step but the combination, whatever the key and the
//! sealing are of; what is refused before any PIN; what a key that is pulled out or not touched leaves behind.

#[path = "support/practice.rs"]
#[allow(dead_code)]
mod practice;

use breakglass::attestation::Serial;
use breakglass::device::Tries;
use breakglass::device::practice::{Fault, FaultPlan, PracticeReaders, Surroundings, Which};
use breakglass::kit::Kit;
use breakglass::kit::coverage::{Means, coverage};
use breakglass::kit::folder::Folder;
use breakglass::kit::{check, due};
use breakglass::operator::{Ask, Operator, Unanswered};
use breakglass::record::chain::Depth;
use breakglass::record::event::{DrillBegun, DrillEnded, Event};
use breakglass::record::hash::Hash;
use breakglass::secret::{Fido2Pin, Pin};
use breakglass::signing::Station;
use breakglass::unlock::UnlockError;
use breakglass::unlock::drill::{self, Drilled, Wish};
use practice::{Hand, PIN, PracticeKit, SERIALS, done, keys_of};

const ONE: u32 = 23112;
const DAY: i64 = 86_400;

fn readers(kit: &PracticeKit) -> PracticeReaders {
    PracticeReaders::new(&keys_of(kit.path()), Surroundings::of_this_machine())
}

fn read(kit: &PracticeKit) -> Kit {
    Kit::read(Folder::at(kit.path(), None), Depth::Every).expect("the kit")
}

fn wish(credential: &str, key: u32) -> Wish {
    Wish {
        credential: credential.parse().expect("a name"),
        generation: None,
        key: Serial(key),
        operator: "ada".into(),
        witness: Some("dana".into()),
        spend_last_try: false,
    }
}

fn drill_at(
    kit: &PracticeKit,
    readers: &mut PracticeReaders,
    hand: &mut dyn Operator,
    wish: Wish,
    at: i64,
) -> Result<Drilled, UnlockError> {
    let (mut kit, _lock, _) = Kit::write(Folder::at(kit.path(), None), Depth::Links)?;
    let plan = drill::plan(&kit, wish)?;
    let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
    let mut station =
        Station { readers, operator: hand, clock: &|| at, rng: &mut rng, tool: &|| Hash([7; 32]) };
    drill::carry_out(&mut kit, &plan, &mut station)
}

fn drill(
    kit: &PracticeKit,
    readers: &mut PracticeReaders,
    hand: &mut dyn Operator,
    wish: Wish,
) -> Result<Drilled, UnlockError> {
    drill_at(kit, readers, hand, wish, 1_790_000_000)
}

/// Names of the events of that key's chain that are not of the making of the kit.
fn events(kit: &Kit, serial: u32) -> Vec<&'static str> {
    let chain = kit.enrolled(Serial(serial)).expect("enrolled").chain;
    let names = kit.journal.records().filter(|(of, _)| *of == chain).map(|(_, record)| record.event.name());
    names.filter(|name| name.starts_with("drill") || name.starts_with("open")).collect()
}

fn begun_and_ended(kit: &Kit) -> (DrillBegun, DrillEnded) {
    let (mut begun, mut ended) = (None, None);
    for (_, record) in kit.journal.records() {
        match &record.event {
            Event::DrillBegun(facts) => begun = Some((record.hash(), facts.clone())),
            Event::DrillEnded(facts) => ended = Some(facts.clone()),
            _ => {}
        }
    }
    let ((hash, begun), ended) = (begun.expect("begun"), ended.expect("ended"));
    assert_eq!(ended.begun, hash);
    (begun, ended)
}

/// Rules of everything that is found against the kit, notes included.
fn found(kit: &Kit) -> Vec<&'static str> {
    let roots = breakglass::device::practice::root_certificate().expect("the practice CA");
    let roots = breakglass::attestation::Roots::practice(&roots).expect("a root");
    check::everything(kit, &roots).expect("a medium").into_iter().map(|finding| finding.rule).collect()
}

fn means(kit: &Kit, credential: &str, serial: u32) -> Means {
    let rows = coverage(kit).credentials;
    let row = rows.iter().find(|row| row.credential == credential).expect("a row");
    row.keys[&serial.to_string()]
}

/// What is otherwise in a wish.
type Change = fn(&mut Wish);

/// What a whole drill of that sealing with that key leaves, of the touches that it takes.
fn proves(kit: &PracticeKit, credential: &str, key: u32, expected: &[&str], touches: u64) {
    // Of one place: no other key is needed.
    let mut readers = readers(kit);
    for other in SERIALS.into_iter().filter(|serial| *serial != key) {
        readers.key(Serial(other)).unwrap().remove().unwrap();
    }
    let mut hand = Hand::knowing();
    assert_eq!(means(&read(kit), credential, key), Means::NotYet);
    let drilled = drill(kit, &mut readers, &mut hand, wish(credential, key)).unwrap();
    assert!(drilled.failure.is_none() && drilled.ended.is_ok(), "{drilled:?}");
    assert_eq!(hand.asked, [key], "one PIN");
    assert_eq!(drilled.touches, touches);
    assert!(drilled.commands > 10, "{}", drilled.commands);
    let now = read(kit);
    assert_eq!(events(&now, key), expected);
    let (begun, ended) = begun_and_ended(&now);
    assert_eq!((begun.operator.as_str(), begun.witness.as_deref()), ("ada", Some("dana")));
    assert_eq!((begun.presence, begun.tries), (true, 3));
    assert_eq!((ended.proven, ended.commands, ended.touches), (true, drilled.commands, touches));
    assert_eq!(means(&now, credential, key), Means::Proven);
    assert_eq!(found(&now), [""; 0], "no opening, no incident, no counter astray");
    let due: Vec<&str> = due::due(&now, 1_790_000_000).iter().map(|finding| finding.rule).collect();
    assert!(!due.iter().any(|rule| rule.starts_with("ROTATE") || rule.starts_with("INCIDENT")), "{due:?}");
}

#[test]
fn a_key_that_opens_alone_by_piv_proves_itself() {
    proves(&PracticeKit::of_piv_alone(), "core-fw/admin", ONE, &["drill.begun", "drill.ended"], 2);
}

#[test]
fn a_share_by_piv_proves_itself_without_the_others() {
    proves(&PracticeKit::of_piv_alone(), "core-db/root", 30877, &["drill.begun", "drill.ended"], 2);
}

#[test]
fn both_factors_prove_themselves_and_the_counter_accounts_for_it() {
    let expected = ["drill.begun", "open.asserted", "drill.ended"];
    for (credential, key) in [("core-fw/admin", ONE), ("core-db/root", 23115)] {
        let kit = PracticeKit::new();
        proves(&kit, credential, key, &expected, 4);
        let now = read(&kit);
        let enrolled = now.enrolled(Serial(key)).unwrap();
        assert_eq!(check::since_last(&now, &enrolled.chain), Some(check::Since::Unused));
        let side = now.fido2(&enrolled.id).unwrap();
        assert_eq!(side.envelopes.len(), side.facts.envelopes.len() + 1, "it made the next envelope");
    }
}

#[test]
fn a_drill_is_due_90_days_after_the_last_proof_of_that_key() {
    let kit = PracticeKit::new();
    let sealed = read(&kit).credentials.values().map(|one| one.generations[0].sealed_at).max().unwrap();
    let due = |at: i64| -> Vec<String> {
        let all = due::due(&read(&kit), at);
        all.into_iter().filter(|one| one.rule == "DRILL-DUE").filter_map(|one| one.next).collect()
    };
    assert_eq!(due(sealed + 80 * DAY), [""; 0]);
    drill_at(&kit, &mut readers(&kit), &mut Hand::knowing(), wish("core-fw/admin", ONE), sealed + 80 * DAY)
        .unwrap();
    let of = |name: &str, key: u32| format!("breakglass drill {name} --key {key}");
    let then = due(sealed + 91 * DAY);
    assert_eq!(then.len(), 5, "{then:?}");
    assert!(!then.contains(&of("core-fw/admin", ONE)) && then.contains(&of("core-fw/admin", 30877)));
    assert!(due(sealed + 170 * DAY).contains(&of("core-fw/admin", ONE)));
    // What is due is not told a second time as not shown.
    let notes = due::due(&read(&kit), sealed + 91 * DAY);
    assert!(notes.iter().all(|one| one.rule != "KEY-UNPROVEN"), "{notes:?}");
}

#[test]
fn an_opening_is_a_proof_as_well() {
    let kit = PracticeKit::new();
    let mut readers = readers(&kit);
    let opened = practice::wish("core-fw/admin", &[ONE]);
    practice::open(&kit, &mut readers, &mut Hand::knowing(), opened).unwrap();
    let plan = drill::plan(&read(&kit), wish("core-fw/admin", ONE)).unwrap();
    assert_eq!(plan.last, Some(1_790_000_000));
}

#[test]
fn what_cannot_be_proven_is_refused_before_any_pin() {
    let kit = PracticeKit::new();
    let refused = |kit: &PracticeKit, wish: Wish| {
        let mut hand = Hand::knowing();
        let error = drill(kit, &mut readers(kit), &mut hand, wish).unwrap_err();
        assert!(hand.asked.is_empty() && hand.touches.is_empty());
        error.to_string()
    };
    let with = |change: Change| {
        let mut wish = wish("core-fw/admin", ONE);
        change(&mut wish);
        wish
    };
    let cases: [(Change, &str); 6] = [
        (|wish| wish.operator = "dana".into(), "\"dana\" is neither operator nor custodian; these are: ada"),
        (|wish| wish.witness = Some("ada".into()), "nobody watches themselves"),
        (|wish| wish.witness = Some("eve".into()), "\"eve\" is not in the policy; who is: ada, dana"),
        (|wish| wish.generation = Some(7), "core-fw/admin has no such generation; it has: 1"),
        (|wish| wish.key = Serial(4711), "key 4711 is not enrolled in this kit"),
        (|wish| wish.credential = "core-fw/other".parse().unwrap(), "core-fw/other is not in this kit"),
    ];
    for (change, says) in cases {
        let said = refused(&kit, with(change));
        assert!(said.contains(says), "{said}");
    }
    let sealed = kit.path().join("sealed/core-fw/admin");
    let folder = std::fs::read_dir(sealed).unwrap().next().unwrap().unwrap().path();
    let file = |start: &str| {
        let mut paths = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let named = |path: &std::path::PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with(start) && name.ends_with(".age")
        };
        paths.find(named).unwrap()
    };
    let own = std::fs::read(file("23112")).unwrap();
    std::fs::write(file("23112"), b"other").unwrap();
    assert!(refused(&kit, wish("core-fw/admin", ONE)).contains("is not the file that was sealed"));
    std::fs::write(file("23112"), own).unwrap();
    std::fs::remove_file(file("payload")).unwrap();
    assert!(refused(&kit, wish("core-fw/admin", ONE)).contains("payload.age is missing"));
}

#[test]
fn a_retired_key_and_a_damaged_journal_are_refused() {
    let kit = PracticeKit::new();
    for with in ["23112", "23115"] {
        let words = ["key", "retire", "30877", "--why", "lost", "--with", with, "--confirm", "retire 30877"];
        done(&kit.run(&words, &[&format!("{with} pin {PIN}")]));
    }
    let error =
        drill(&kit, &mut readers(&kit), &mut Hand::knowing(), wish("core-db/root", 30877)).unwrap_err();
    assert_eq!(error.to_string(), "key 30877 was retired");

    let kit = PracticeKit::new();
    let journal = std::fs::read_dir(kit.path().join("journal")).unwrap().map(|entry| entry.unwrap().path());
    let chain = journal.into_iter().find(|path| path.to_string_lossy().contains("23112")).unwrap();
    let text = std::fs::read_to_string(&chain).unwrap();
    let lines: Vec<&str> =
        text.lines().enumerate().filter(|(at, _)| *at != 3).map(|(_, line)| line).collect();
    std::fs::write(&chain, lines.join("\n") + "\n").unwrap();
    let mut hand = Hand::knowing();
    let error = drill(&kit, &mut readers(&kit), &mut hand, wish("core-db/root", 23115)).unwrap_err();
    assert!(matches!(error, UnlockError::Damage(_)), "{error}");
    assert!(hand.asked.is_empty());
}

/// A person who marks where the touch is asked for that unwraps.
struct Marking {
    hand: Hand,
    plan: FaultPlan,
    unwraps_at: Option<usize>,
}

impl Operator for Marking {
    fn pin(&mut self, ask: Ask, serial: Serial, tries: Option<Tries>) -> Result<Pin, Unanswered> {
        self.hand.pin(ask, serial, tries)
    }
    fn fido2_pin(&mut self, serial: Serial, left: u8) -> Result<Fido2Pin, Unanswered> {
        self.hand.fido2_pin(serial, left)
    }
    fn touch(&mut self, serial: Serial, purpose: &str) {
        if purpose.contains("unwraps") && self.unwraps_at.is_none() {
            self.unwraps_at = Some(self.plan.commands_seen() + 1);
        }
        self.hand.touch(serial, purpose);
    }
    fn confirm(&mut self, text: &str, word: &str) -> Result<bool, Unanswered> {
        self.hand.confirm(text, word)
    }
    fn swap(&mut self, text: &str) -> Result<(), Unanswered> {
        self.hand.swap(text)
    }
    fn progress(&mut self, text: &str) {
        self.hand.progress(text);
    }
}

/// A drill of `core-fw/admin` with these faults; where the touch that unwraps was asked for.
fn marked(kit: &PracticeKit, plan: FaultPlan) -> (Drilled, usize) {
    let mut readers = readers(kit);
    readers.key(Serial(ONE)).unwrap().set_faults(plan.clone());
    let mut person = Marking { hand: Hand::knowing(), plan, unwraps_at: None };
    let drilled = drill(kit, &mut readers, &mut person, wish("core-fw/admin", ONE)).unwrap();
    (drilled, person.unwraps_at.expect("it was asked for"))
}

#[test]
fn a_touch_that_is_withheld_is_on_record_as_a_failure() {
    let (drilled, n) = marked(&PracticeKit::new(), FaultPlan::new());
    assert!(drilled.failure.is_none());
    let kit = PracticeKit::new();
    let withheld = (n..n + 3).fold(FaultPlan::new(), |plan, n| plan.at(n, Fault::WithholdTouch));
    let (drilled, _) = marked(&kit, withheld);
    let failure = drilled.failure.expect("nobody touched it").to_string();
    assert_eq!(failure, "key 23112: the key was not touched in time");
    assert!(drilled.ended.is_ok());
    let now = read(&kit);
    let (_, ended) = begun_and_ended(&now);
    assert_eq!((ended.proven, ended.failed, ended.touches), (false, Some(failure), 6));
    assert_eq!(means(&now, "core-fw/admin", ONE), Means::NotYet);
    assert_eq!(found(&now), [""; 0]);
    // Once is not enough to fail.
    let kit = PracticeKit::new();
    let (drilled, _) = marked(&kit, FaultPlan::new().at(n, Fault::WithholdTouch));
    assert!(drilled.failure.is_none() && drilled.touches == 5, "{drilled:?}");
}

/// The key is pulled out at every command and request of a drill: it is no opening, accuses nobody, and can be done again.
#[test]
fn a_key_pulled_at_every_command_proves_nothing_and_can_be_drilled_again() {
    let (mut begun, mut n) = (0, 0);
    loop {
        n += 1;
        let kit = PracticeKit::new();
        let mut readers = readers(&kit);
        let key = readers.key(Serial(ONE)).unwrap();
        let plan = FaultPlan::new().at(n, Fault::Remove);
        key.set_faults(plan.clone());
        let outcome = drill(&kit, &mut readers, &mut Hand::knowing(), wish("core-fw/admin", ONE));
        let finished = plan.commands_seen() < n;
        plan.clear();
        key.insert().unwrap();
        assert_eq!(key.with_model(|key, _| key.reference(Which::Pin).left).unwrap(), 3, "at {n}");
        let now = read(&kit);
        let proven = matches!(&outcome, Ok(drilled) if drilled.failure.is_none() && drilled.ended.is_ok());
        assert_eq!(means(&now, "core-fw/admin", ONE) == Means::Proven, proven, "at {n}: {outcome:?}");
        let rules = found(&now);
        let fine = ["ASSERTION-MISSING", "DRILL-NO-END"];
        assert!(rules.iter().all(|rule| fine.contains(rule)), "at {n}: {rules:?}");
        let unended =
            events(&now, ONE).contains(&"drill.begun") && !events(&now, ONE).contains(&"drill.ended");
        assert_eq!(rules.contains(&"DRILL-NO-END"), unended, "at {n}");
        begun += usize::from(unended);
        assert!(now.credentials.values().all(|credential| credential.openings.is_empty()));
        let again = drill(&kit, &mut readers, &mut Hand::knowing(), wish("core-fw/admin", ONE)).unwrap();
        assert!(again.failure.is_none() && again.ended.is_ok(), "at {n}: {again:?}");
        let rules = found(&read(&kit));
        let fine = ["ASSERTION-MISSING", "COUNTER-EXPLAINED"];
        assert!(rules.iter().all(|rule| fine.contains(rule)), "then, {n}: {rules:?}");
        if finished {
            assert!(proven);
            break;
        }
    }
    assert!(begun > 4, "{begun} drills came to no end");
}
