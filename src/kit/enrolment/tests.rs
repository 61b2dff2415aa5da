use super::*;
use crate::kit::folder::{Folder, make_folder};
use crate::kit::policy::template;
use crate::record::chain::Depth;
use crate::record::event::KitKind;
use crate::record::sample::Writer;

/// A kit that holds these chains, not founded.
fn kit(writers: &[&Writer]) -> (tempfile::TempDir, Kit) {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::at(dir.path(), None);
    folder.write_new("kit.toml", template("test", KitKind::Practice).as_bytes()).unwrap();
    make_folder(&folder.journal()).unwrap();
    for writer in writers {
        folder.write_new(&format!("journal/{}.jws", writer.name()), &writer.journal()).unwrap();
    }
    (dir, Kit::read(folder, Depth::Every).unwrap())
}

/// What is said of each key, in order of serials.
fn alone(kit: &Kit) -> Vec<Option<Serial>> {
    let mut keys = kit.enrolled_keys();
    keys.sort_by_key(|key| key.facts.serial);
    let shared = |key: &Enrolled| match check_alone(kit, key) {
        Ok(()) => None,
        Err(EnrolmentError::SharedCredential(other)) => Some(other),
        Err(error) => panic!("{error}"),
    };
    keys.iter().map(shared).collect()
}

#[test]
fn one_fido2_side_is_of_one_key() {
    let (mut one, mut two, mut three) = (Writer::new(1), Writer::new(2), Writer::new(3));
    let mut authenticator = one.authenticator();
    for writer in [&mut one, &mut two] {
        let enrolment = writer.fido2_enrolment(&mut authenticator);
        writer.write(enrolment);
    }
    let enrolment = three.fido2_enrolment(&mut three.authenticator());
    three.write(enrolment);
    assert_eq!(alone(&kit(&[&one, &three]).1), [None, None]);
    assert_eq!(alone(&kit(&[&one, &two, &three]).1), [Some(two.serial), Some(one.serial), None]);
}

#[test]
fn who_only_claims_anothers_credential_does_not_keep_that_one_out() {
    let (mut one, mut two) = (Writer::new(1), Writer::new(2));
    let honest = one.fido2_enrolment(&mut one.authenticator());
    one.write(honest.clone());
    let (Event::KeyEnrolled(honest), Event::KeyEnrolled(mut claimed)) = (honest, two.enrolment()) else {
        unreachable!("enrolments")
    };
    claimed.fido2 = honest.fido2;
    two.write(Event::KeyEnrolled(claimed));
    assert_eq!(alone(&kit(&[&one, &two]).1), [None, Some(one.serial)]);
}
