//! Sealing and opening on practice keys, through the session that speaks to real ones: what an opening costs, and what
//! a key that fails leaves behind.

use breakglass::attestation::{Serial, Slot};
use breakglass::device::piv::Session;
use breakglass::device::practice::{
    Authority, Fault, FaultPlan, PracticeCard, PracticeKey, Profile, SimulatedKey, Surroundings, Touch,
};
use breakglass::device::{Administer, ChangePin, DeviceError};
use breakglass::kit::sealed::{SealTo, UnsealError, combine, open_single, seal, unwrap_share};
use breakglass::secret::{ManagementKey, Pin, Plaintext};
use p256::PublicKey;
use zeroize::Zeroizing;

const SECRET: &[u8] = b"correct horse battery staple";

struct Holder {
    key: PracticeKey,
    point: PublicKey,
    around: Surroundings,
}

impl Holder {
    fn new(serial: u32, profile: Profile) -> Self {
        let (around, _) = Surroundings::seeded(serial.into());
        let authority = Authority::practice().expect("the practice CA");
        let model = SimulatedKey::new(Serial(serial), profile, authority, &around).expect("a key");
        let key = PracticeKey::in_memory(model, around.clone());
        let mut session = Session::connect(key.card(), around.random()).expect("a session");
        let (algorithm, _) = session.management_algorithm().expect("its algorithm");
        session.authenticate(&ManagementKey::factory(algorithm)).expect("the factory key");
        let point = session.generate(Slot::Sealing).expect("a key in 82");
        Holder { key, point, around }
    }

    /// A session in which the PIN has been verified.
    fn ready(&self) -> Session<PracticeCard> {
        let mut session = self.locked();
        session.verify_pin(&Pin::parse(b"123456").expect("a PIN")).expect("the factory PIN");
        session
    }

    fn locked(&self) -> Session<PracticeCard> {
        Session::connect(self.key.card(), self.around.random()).expect("a session")
    }
}

fn three() -> [Holder; 3] {
    [
        Holder::new(1, Profile::Firmware543),
        Holder::new(2, Profile::Firmware574),
        Holder::new(3, Profile::Firmware574),
    ]
}

fn sealed(holders: &[Holder], threshold: u8) -> Vec<Vec<u8>> {
    let name = |holder: &Holder| format!("{}-0a1b2c3d", holder.key.serial());
    let to: Vec<SealTo> = holders
        .iter()
        .map(|holder| SealTo { name: name(holder), point: holder.point, fido2: None })
        .collect();
    let (around, _) = Surroundings::seeded(99);
    let secret = Plaintext::new(Zeroizing::new(SECRET.to_vec()));
    let sealed = seal(&secret, &to, threshold, &mut *around.random()).expect("sealed");
    sealed.files.into_iter().map(|file| file.bytes).collect()
}

#[test]
fn each_of_three_keys_opens_by_one_command() {
    let holders = three();
    let files = sealed(&holders, 1);
    for holder in &holders {
        let mut session = holder.ready();
        let before = session.traffic().commands;
        let opened = open_single(&files[0], &holder.point, &mut session).expect("opened");
        assert_eq!(opened.expose_bytes(), SECRET);
        assert_eq!(session.traffic().commands - before, 1);
    }
}

#[test]
fn every_pair_of_three_keys_opens_by_one_command_each() {
    let holders = three();
    let files = sealed(&holders, 2);
    for pair in [[0, 1], [0, 2], [2, 1]] {
        let shares = pair.map(|index| {
            let mut session = holders[index].ready();
            let before = session.traffic().commands;
            let share =
                unwrap_share(&files[index + 1], &holders[index].point, &mut session).expect("a share");
            assert_eq!(session.traffic().commands - before, 1);
            share
        });
        assert_eq!(combine(shares.into(), &files[0]).expect("opened").expose_bytes(), SECRET);
    }
}

#[test]
fn a_key_that_the_file_is_not_for_gets_no_command() {
    let holders = three();
    let files = sealed(&holders[..2], 2);
    let mut session = holders[2].ready();
    let before = session.traffic().commands;
    for file in &files {
        let refused = open_single(file, &holders[2].point, &mut session);
        assert!(matches!(refused, Err(UnsealError::NotForThisKey)));
    }
    assert_eq!(session.traffic().commands, before);
}

#[test]
fn a_withheld_touch_is_said_and_can_be_given_next_time() {
    let holders = three();
    let files = sealed(&holders, 1);
    let mut session = holders[0].ready();
    holders[0].key.set_touch(Touch::NEVER).expect("in memory");
    let refused = open_single(&files[0], &holders[0].point, &mut session);
    assert!(matches!(refused, Err(UnsealError::Device(DeviceError::NotTouched))), "{refused:?}");
    holders[0].key.set_touch(Touch::AT_ONCE).expect("in memory");
    let opened = open_single(&files[0], &holders[0].point, &mut session).expect("opened");
    assert_eq!(opened.expose_bytes(), SECRET);
}

#[test]
fn without_the_pin_nothing_opens() {
    let holders = three();
    let files = sealed(&holders, 1);
    let refused = open_single(&files[0], &holders[0].point, &mut holders[0].locked());
    assert!(matches!(refused, Err(UnsealError::Device(DeviceError::NotTouched))), "{refused:?}");
}

#[test]
fn a_key_pulled_out_while_it_agrees_is_said_and_opens_after() {
    let holders = three();
    let files = sealed(&holders, 1);
    for fault in [Fault::Remove, Fault::RemoveAfter] {
        let mut session = holders[0].ready();
        holders[0].key.set_faults(FaultPlan::new().at(1, fault));
        let refused = open_single(&files[0], &holders[0].point, &mut session);
        assert!(matches!(refused, Err(UnsealError::Device(DeviceError::Removed { .. }))), "{refused:?}");
        holders[0].key.set_faults(FaultPlan::new());
        holders[0].key.insert().expect("in memory");
        let opened = open_single(&files[0], &holders[0].point, &mut holders[0].ready()).expect("opened");
        assert_eq!(opened.expose_bytes(), SECRET);
    }
}

/// Whatever bytes come back in place of the agreement, nothing but the right ones opens.
#[test]
fn a_key_that_answers_wrongly_opens_nothing() {
    let holders = three();
    let files = sealed(&holders, 1);
    let whole = 2 + 2 + 32 + 2;
    let mut faults = vec![Fault::Append(vec![0x90, 0x00]), Fault::Replace(vec![0x90, 0x00])];
    faults.extend((0..whole - 1).map(Fault::Truncate));
    faults.extend((0..whole).map(|byte| Fault::Flip { byte, mask: 0x04 }));
    for fault in faults {
        let mut session = holders[0].ready();
        holders[0].key.set_faults(FaultPlan::new().at(1, fault.clone()));
        let refused = open_single(&files[0], &holders[0].point, &mut session);
        let named = matches!(refused, Err(UnsealError::Device(_) | UnsealError::DoesNotOpen { .. }));
        assert!(named, "{fault:?}: {refused:?}");
    }
}
