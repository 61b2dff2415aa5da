//! Minting with a key that is pulled out at the n-th command, for every n: afterwards the kit mints, the journal verifies, no
//! PIN try was spent, and no credential was given without its durable intent.

use breakglass::attestation::Serial;
use breakglass::device::DeviceError;
use breakglass::device::practice::{Fault, FaultPlan, PracticeReaders, Surroundings, Which};
use breakglass::kit::finding::Finding;
use breakglass::kit::folder::{Folder, FolderError, Lock};
use breakglass::kit::{Kit, KitError};
use breakglass::mint::SubjectKey;
use breakglass::mint::jwt::thumbprint;
use breakglass::minting::{self, Minted, MintingError, Subject, Wish};
use breakglass::record::chain::Depth;
use breakglass::record::hash::Hash;
use breakglass::signing::{SigningError, Station};

use super::practice::{Hand, keys_of};
use super::{MintingKit, ONE, recorded, wish};

fn mint(kit: &MintingKit, readers: &mut PracticeReaders, hand: &mut Hand) -> Result<Minted, MintingError> {
    let key = SubjectKey::generate(&mut rand_core::UnwrapErr(getrandom::SysRng));
    mint_as(kit, readers, hand, wish(&key, None))
}

fn mint_as(
    kit: &MintingKit,
    readers: &mut PracticeReaders,
    hand: &mut Hand,
    wish: Wish,
) -> Result<Minted, MintingError> {
    let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
    let (mut open, _lock, _) = written(kit)?;
    let now = open.journal.records().map(|(_, record)| record.iat).max().expect("records");
    let plan = minting::plan(&open, wish, now)?;
    let clock = move || now;
    let mut station =
        Station { readers, operator: hand, clock: &clock, rng: &mut rng, tool: &|| Hash([7; 32]) };
    minting::carry_out(&mut open, &plan, &mut station)
}

/// The kit, locked. A child that another test starts just now has the lock of the minting before, until it runs its program.
fn written(kit: &MintingKit) -> Result<(Kit, Lock, Vec<Finding>), KitError> {
    let begun = std::time::Instant::now();
    loop {
        match Kit::write(Folder::at(kit.path(), None), Depth::Links) {
            Err(KitError::Folder(FolderError::Busy { .. })) if begun.elapsed().as_secs() < 10 => {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            written => return written,
        }
    }
}

/// By a clock that nobody waits for: a touch that does not come takes no time.
fn readers(kit: &MintingKit) -> PracticeReaders {
    PracticeReaders::new(&keys_of(kit.path()), Surroundings::seeded(7).0)
}

fn tries_left(readers: &mut PracticeReaders) -> u8 {
    readers.key(Serial(ONE)).unwrap().with_model(|key, _| key.reference(Which::Pin).left).unwrap()
}

#[test]
fn a_key_pulled_at_every_command_gives_nothing_that_is_not_on_record() {
    for fault in [Fault::Remove, Fault::RemoveAfter, Fault::Reset] {
        let (mut n, mut unfinished) = (0, 0);
        loop {
            n += 1;
            let kit = MintingKit::new();
            let mut readers = readers(&kit);
            let plan = FaultPlan::new().at(n, fault.clone());
            readers.key(Serial(ONE)).unwrap().set_faults(plan.clone());
            let result = mint(&kit, &mut readers, &mut Hand::knowing());
            let finished = plan.commands_seen() < n;
            let told =
                format!("{fault:?} at command {n}: {:?}", result.as_ref().err().map(ToString::to_string));
            let now = kit.kit();
            assert_eq!(now.journal.damage(), None, "{told}");
            let (intents, issued) = recorded(&now);
            match &result {
                Ok(minted) => {
                    assert_eq!(intents.len(), 1, "{told}");
                    assert_eq!(intents[0].1.numbers, minted.numbers, "{told}");
                    assert_eq!(issued.len(), usize::from(minted.outcome.is_ok()), "{told}");
                }
                Err(_) => {
                    assert!(!finished && issued.is_empty(), "{told}");
                    unfinished += intents.len();
                }
            }
            plan.clear();
            readers.key(Serial(ONE)).unwrap().insert().unwrap();
            assert_eq!(tries_left(&mut readers), 3, "{told}");
            let again = mint(&kit, &mut readers, &mut Hand::knowing());
            let again = again.unwrap_or_else(|error| panic!("{told}, and then: {error}"));
            assert!(again.outcome.is_ok(), "{told}");
            if finished {
                break;
            }
        }
        assert!(n > 15, "only {n} commands were seen");
        assert!(unfinished > 0, "some end between the intent and the signature");
    }
}

/// Client assertions, three of them.
fn batch() -> Wish {
    let key = SubjectKey::generate(&mut rand_core::UnwrapErr(getrandom::SysRng));
    let subject = Subject::Assertions { proof: thumbprint(key.public()), count: 3 };
    Wish { rule: "log-in".into(), subject, ..wish(&key, None) }
}

#[test]
fn a_batch_that_is_cut_short_at_any_command_gives_what_was_signed_and_names_all() {
    let (mut n, mut cut, mut told_on_record) = (0, [0; 4], 0);
    for fault in [Fault::Remove, Fault::WithholdTouch] {
        loop {
            n += 1;
            let kit = MintingKit::new();
            let mut readers = readers(&kit);
            let plan = match fault {
                Fault::Remove => FaultPlan::new().at(n, Fault::Remove),
                _ => FaultPlan::new().from(n, fault.clone()),
            };
            readers.key(Serial(ONE)).unwrap().set_faults(plan.clone());
            let result = mint_as(&kit, &mut readers, &mut Hand::knowing(), batch());
            let finished = plan.commands_seen() < n;
            let told =
                format!("{fault:?} at command {n}: {:?}", result.as_ref().err().map(ToString::to_string));
            let (intents, issued) = recorded(&kit.kit());
            assert!(intents.iter().all(|(_, intent)| intent.numbers.len() == 3), "{told}");
            assert!(intents.iter().all(|(_, intent)| intent.digests.len() == 3), "{told}");
            match &result {
                Ok(minted) => {
                    let signed = minted.credentials.len();
                    cut[signed] += 1;
                    assert_eq!((intents.len(), &intents[0].1.numbers), (1, &minted.numbers), "{told}");
                    assert_eq!(signed < 3, minted.cut_short.is_some(), "{told}");
                    assert!(signed > 0, "{told}");
                    assert_eq!(issued.len(), usize::from(minted.outcome.is_ok()), "{told}");
                    assert!(issued.iter().all(|outcome| outcome.credentials.len() == signed), "{told}");
                    told_on_record += issued.len();
                }
                Err(_) => assert!(!finished && issued.is_empty(), "{told}"),
            }
            plan.clear();
            assert_eq!(tries_left_of(&kit, &mut readers), 3, "{told}");
            if finished {
                break;
            }
        }
        n = 0;
    }
    assert!(cut[1] > 0 && cut[2] > 0 && cut[3] > 0, "{cut:?}");
    assert!(told_on_record > 0);
}

fn tries_left_of(kit: &MintingKit, readers: &mut PracticeReaders) -> u8 {
    readers.key(Serial(ONE)).unwrap().insert().unwrap();
    assert_eq!(kit.kit().journal.damage(), None);
    tries_left(readers)
}

#[test]
fn a_touch_that_does_not_come_leaves_an_intent_and_no_credential() {
    let kit = MintingKit::new();
    let mut readers = readers(&kit);
    let key = readers.key(Serial(ONE)).unwrap();
    // From the command on that mints: everything before it is the same each time.
    let seen = FaultPlan::new();
    key.set_faults(seen.clone());
    mint(&kit, &mut readers, &mut Hand::knowing()).unwrap();
    let whole = seen.commands_seen();
    let mut refused = 0;
    for n in 1..=whole {
        let kit = MintingKit::new();
        let mut readers = self::readers(&kit);
        readers.key(Serial(ONE)).unwrap().set_faults(FaultPlan::new().from(n, Fault::WithholdTouch));
        let result = mint(&kit, &mut readers, &mut Hand::knowing());
        let (intents, issued) = recorded(&kit.kit());
        let untouched = |error: &MintingError| {
            matches!(error, MintingError::Key(SigningError::Device { cause: DeviceError::NotTouched, .. }))
        };
        match result {
            Ok(minted) => assert_eq!(issued.len(), usize::from(minted.outcome.is_ok())),
            Err(error) => {
                assert!(untouched(&error), "{error}");
                assert!(issued.is_empty());
                refused += intents.len();
            }
        }
        assert_eq!(tries_left(&mut readers), 3, "a missed touch is no wrong PIN");
    }
    assert!(refused > 0, "some had their intent on record");
}

#[test]
fn a_wrong_pin_is_sent_once_and_nothing_is_on_record() {
    let kit = MintingKit::new();
    let mut readers = readers(&kit);
    let mut hand = Hand::default();
    hand.pins.insert(ONE, vec!["11111111".into()]);
    assert!(mint(&kit, &mut readers, &mut hand).is_err());
    assert_eq!(tries_left(&mut readers), 2);
    assert!(recorded(&kit.kit()).0.is_empty());
}
