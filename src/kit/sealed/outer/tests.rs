use proptest::prelude::*;
use zeroize::Zeroizing;

use super::super::soft::{SeededRng, SoftKey};
use super::super::{
    Expected, MAX_PAYLOAD_FILE, SealError, SealTo, Sealed, Share, Tag, combine, inspect, open_by_file,
    open_single, seal, unwrap_share,
};
use super::*;
use crate::secret::Plaintext;

/// What the FIDO2 side of the n-th key answers.
fn answer(n: u8) -> HmacSecret {
    HmacSecret::new([n | 0x40; 32])
}

fn outer(n: u8) -> Outer {
    let credential = CredentialId::new(vec![n; 64]).unwrap();
    Outer { envelope: envelope_of([n; 32], &answer(n)), credential }
}

/// The first `nested` of so many keys have FIDO2.
fn keys(count: u8, nested: u8) -> Vec<SealTo> {
    (1..=count)
        .map(|n| SealTo {
            name: format!("{n}-aa"),
            point: SoftKey::nth(n).public(),
            fido2: (n <= nested).then(|| outer(n)),
        })
        .collect()
}

fn sealed(count: u8, threshold: u8, nested: u8) -> Sealed {
    let secret = Plaintext::new(Zeroizing::new(b"hunter2".to_vec()));
    seal(&secret, &keys(count, nested), threshold, &mut SeededRng::new(5)).unwrap()
}

fn file<'a>(sealed: &'a Sealed, name: &str) -> &'a [u8] {
    &sealed.files.iter().find(|file| file.name == name).unwrap_or_else(|| panic!("no {name}")).bytes
}

/// The inner file of the n-th key, opened by its FIDO2 side where it has one.
fn inner(sealed: &Sealed, n: u8, nested: bool) -> Vec<u8> {
    let file = file(sealed, &format!("{n}-aa.age"));
    if nested { open_envelope(file, &answer(n)).unwrap() } else { file.to_vec() }
}

#[test]
fn each_key_opens_by_both_factors_and_by_neither_alone() {
    let sealed = sealed(3, 1, 3);
    let names: Vec<&str> = sealed.files.iter().map(|file| file.name.as_str()).collect();
    let expected =
        ["payload.age", "1-aa.age", "2-aa.age", "3-aa.age", "1-aa.fido2", "2-aa.fido2", "3-aa.fido2"];
    assert_eq!(names, expected);
    assert_eq!((sealed.proof.subsets, sealed.proof.all), (3, true));
    let payload = file(&sealed, "payload.age");
    for n in 1..=3 {
        let mut key = SoftKey::nth(n);
        let inner = inner(&sealed, n, true);
        let opened = open_by_file(&inner, payload, &key.public(), &mut key).unwrap();
        assert_eq!((opened.expose_bytes(), key.agreements), (&b"hunter2"[..], 1));
        // PIV alone: neither the payload nor the nested file knows the key.
        let nested = file(&sealed, &format!("{n}-aa.age"));
        assert!(matches!(open_single(payload, &key.public(), &mut key), Err(UnsealError::NotForThisKey)));
        let by_piv = open_by_file(nested, payload, &key.public(), &mut key);
        assert!(matches!(by_piv, Err(UnsealError::NotForThisKey)));
        assert_eq!(key.agreements, 1);
        // FIDO2 alone: the inner file is for the PIV key.
        let other = SoftKey::nth(9);
        assert!(open_by_file(&inner, payload, &other.public(), &mut SoftKey::nth(9)).is_err());
        // The FIDO2 side of another key, or of another salt.
        assert!(matches!(open_envelope(nested, &answer(n ^ 3)), Err(UnsealError::OtherEnvelope)));
        assert!(matches!(open_envelope(&inner, &answer(n)), Err(UnsealError::OtherEnvelope)));
    }
}

#[test]
fn shares_are_nested_for_the_keys_that_have_fido2() {
    let sealed = sealed(4, 3, 2);
    let names: Vec<&str> = sealed.files.iter().map(|file| file.name.as_str()).collect();
    let expected =
        ["payload.age", "1-aa.age", "2-aa.age", "3-aa.age", "4-aa.age", "1-aa.fido2", "2-aa.fido2"];
    assert_eq!(names, expected);
    assert_eq!((sealed.proof.subsets, sealed.proof.all), (4, true));
    let share = |n: u8| -> Share {
        let mut key = SoftKey::nth(n);
        unwrap_share(&inner(&sealed, n, n <= 2), &key.public(), &mut key).unwrap()
    };
    for subset in [[1, 2, 3], [4, 3, 1], [2, 4, 3]] {
        let opened = combine(subset.map(share).into(), file(&sealed, "payload.age")).unwrap();
        assert_eq!(opened.expose_bytes(), b"hunter2");
    }
}

#[test]
fn one_key_of_a_mixed_kit_opens_by_piv_alone() {
    let sealed = sealed(2, 1, 1);
    let mut key = SoftKey::nth(2);
    let opened =
        open_by_file(&inner(&sealed, 2, false), file(&sealed, "payload.age"), &key.public(), &mut key);
    assert_eq!(opened.unwrap().expose_bytes(), b"hunter2");
}

#[test]
fn headers_say_for_whom_each_layer_is() {
    let sealed = sealed(2, 1, 1);
    let differences = |bytes: &[u8], expected| inspect(bytes).unwrap().differences(expected);
    assert_eq!(differences(file(&sealed, "payload.age"), Expected::Shares), []);
    assert_eq!(differences(file(&sealed, "1-aa.age"), Expected::Shares), []);
    let tag = [Tag::of(&SoftKey::nth(1).public())];
    assert_eq!(differences(&inner(&sealed, 1, true), Expected::Keys(&tag)), []);
    let tag = [Tag::of(&SoftKey::nth(2).public())];
    assert_eq!(differences(file(&sealed, "2-aa.age"), Expected::Keys(&tag)), []);
}

#[test]
fn an_identity_of_another_sealing_does_not_open() {
    let (first, second) = (sealed(1, 1, 1), sealed(1, 1, 1));
    let mut key = SoftKey::nth(1);
    let crossed =
        open_by_file(&inner(&second, 1, true), file(&first, "payload.age"), &key.public(), &mut key);
    assert!(matches!(crossed, Err(UnsealError::IdentityDoesNotFit)));
    // A share where an identity should be.
    let shares = sealed(2, 2, 2);
    let share = open_by_file(&inner(&shares, 1, true), file(&shares, "payload.age"), &key.public(), &mut key);
    assert!(matches!(share, Err(UnsealError::NoIdentity)));
}

#[test]
fn two_keys_with_one_envelope_are_refused() {
    let mut keys = keys(2, 2);
    keys[1].fido2 = keys[0].fido2.clone();
    let secret = Plaintext::new(Zeroizing::new(b"hunter2".to_vec()));
    let refused = seal(&secret, &keys, 1, &mut SeededRng::new(5));
    assert!(matches!(refused, Err(SealError::Duplicate { .. })));
}

#[test]
fn the_largest_files_are_within_the_limits_of_opening() {
    let sealed = sealed(40, 20, 40);
    let largest = sealed.files[1..=40].iter().map(|file| file.bytes.len()).max().unwrap();
    assert!(largest <= MAX_SHARE_FILE / 2, "{largest}");
    assert!(file(&sealed, "payload.age").len() <= MAX_PAYLOAD_FILE);
    let longest = Outer { credential: CredentialId::new(vec![1; 1023]).unwrap(), ..outer(1) };
    assert!(longest.sidecar().len() <= MAX_SIDECAR_FILE);
    assert_eq!(longest.check_sidecar(longest.sidecar().as_bytes()), Ok(()));
    let padded = [file(&sealed, "1-aa.age"), &vec![0; MAX_SHARE_FILE]].concat();
    assert!(matches!(open_envelope(&padded, &answer(1)), Err(UnsealError::TooLarge { .. })));
}

#[test]
fn the_text_beside_a_file_is_what_fido2_assert_reads() {
    let text = outer(7).sidecar();
    let lines: Vec<&str> = text.lines().collect();
    assert!(text.ends_with('\n'), "its lines are read by their line feeds");
    assert_eq!(lines[0], STANDARD.encode(Sha256::digest(b"breakglass recovery")));
    assert_eq!(lines[1], "breakglass.example");
    assert_eq!(STANDARD.decode(lines[2]).unwrap(), [7; 64]);
    assert_eq!(STANDARD.decode(lines[3]).unwrap(), [7; 32]);
    assert_eq!(lines.len(), 4);
}

#[test]
fn each_defect_of_that_text_is_named() {
    let good = outer(7).sidecar();
    let with = |line: usize, to: &str| {
        let mut lines: Vec<&str> = good.lines().collect();
        lines[line] = to;
        lines.join("\n") + "\n"
    };
    let other = outer(8).sidecar();
    let of_other: Vec<&str> = other.lines().collect();
    for (text, expected) in [
        (String::new(), SidecarError::Form),
        (good.trim_end().to_owned(), SidecarError::Form),
        (format!("{good}\n"), SidecarError::Form),
        (good.replace('\n', "\r\n"), SidecarError::RelyingParty),
        ("x".repeat(MAX_SIDECAR_FILE + 1), SidecarError::Form),
        (with(0, of_other[3]), SidecarError::RelyingParty),
        (with(1, "login.example"), SidecarError::RelyingParty),
        (with(2, of_other[2]), SidecarError::Credential),
        (with(3, of_other[3]), SidecarError::Salt),
    ] {
        assert_eq!(outer(7).check_sidecar(text.as_bytes()), Err(expected), "{text:?}");
    }
    assert_eq!(outer(7).check_sidecar(b"\xff\n\n\n\n"), Err(SidecarError::Form));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_changed_byte_anywhere_opens_nothing(at: prop::sample::Index, change in 1u8..=255) {
        let sealed = sealed(1, 1, 1);
        let mut nested = file(&sealed, "1-aa.age").to_vec();
        let at = at.index(nested.len());
        nested[at] ^= change;
        prop_assert!(open_envelope(&nested, &answer(1)).is_err());
        let cut = &file(&sealed, "1-aa.age")[..at];
        prop_assert!(open_envelope(cut, &answer(1)).is_err());
    }

    #[test]
    fn any_bytes_are_refused(
        header in prop::option::of("(-> X25519 [ -~]{0,60}\n[A-Za-z0-9+/]{0,64}\n){0,9}--- [A-Za-z0-9+/]{43}\n"),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let header = header.map(|lines| format!("age-encryption.org/v1\n{lines}")).unwrap_or_default();
        let hostile = [header.as_bytes(), &bytes].concat();
        prop_assert!(open_envelope(&hostile, &answer(1)).is_err());
        let mut key = SoftKey::nth(1);
        prop_assert!(open_by_file(&hostile, &hostile, &key.public(), &mut key).is_err());
        let _ = outer(1).check_sidecar(&hostile);
    }
}
