//! Attestation against certificates that other tools made: our own vectors, and real keys' where they are at hand.

use std::io::Write;
use std::path::{Path, PathBuf};

use breakglass::attestation::{
    AttestationError, AttestedKey, BindError, Description, Expected, Firmware, FormFactor, KeyFacts,
    PinPolicy, Root, Roots, Serial, Slot, TouchPolicy, bind, pem_or_der, verify,
};
use proptest::prelude::*;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/attestation");

fn der(path: impl AsRef<Path>) -> Vec<u8> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    pem_or_der(&bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn vector(name: &str) -> Vec<u8> {
    der(Path::new(VECTORS).join(name))
}

fn own_roots() -> Roots {
    Roots::real(Some(&vector("root.pem"))).unwrap()
}

fn signing() -> KeyFacts {
    verify(&vector("signing.pem"), &vector("device.pem"), &own_roots()).unwrap()
}

fn p256(facts: &KeyFacts) -> p256::PublicKey {
    match &facts.key {
        AttestedKey::P256(key) => *key,
        other => panic!("not P-256: {other:?}"),
    }
}

#[test]
fn each_vector_has_the_verdict_of_the_index() {
    let index = std::fs::read_to_string(Path::new(VECTORS).join("index.tsv")).unwrap();
    let mut cases = 0;
    for row in index.lines().skip(1) {
        let [leaf, device, root, expected] = row.split('\t').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let verdict = Roots::real(Some(&vector(root)))
            .and_then(|roots| verify(&vector(leaf), &vector(device), &roots))
            .map_or_else(|error| error.to_string(), |_| "ok".into());
        assert_eq!(verdict, expected, "{leaf} {device} {root}");
        cases += 1;
    }
    assert!(cases > 50, "the index has only {cases} cases");
}

#[test]
fn the_facts_are_those_that_were_written() {
    let facts = signing();
    assert_eq!(facts.serial, Some(Serial(20_260_101)));
    assert_eq!(facts.firmware, Firmware::new(5, 7, 4));
    assert_eq!(
        (facts.slot, facts.pin_policy, facts.touch_policy),
        (0x9C, PinPolicy::Always, TouchPolicy::Cached)
    );
    assert_eq!(facts.form_factor, Some(FormFactor::UsbCKeychain));
    assert!(!facts.fips && !facts.cspn);
    assert_eq!(facts.chain, ["CN=Example Org PIV Attestation", "CN=Example Org Attestation Root"]);
    assert!(matches!(&facts.root, Root::Private(sha256) if sha256.len() == 64));

    let marked = verify(&vector("fips.pem"), &vector("device-fips-cspn.pem"), &own_roots()).unwrap();
    assert_eq!((marked.fips, marked.cspn, marked.form_factor), (true, true, Some(FormFactor::UsbCKeychain)));
    let by_form_alone = verify(&vector("fips.pem"), &vector("device.pem"), &own_roots()).unwrap();
    assert_eq!((by_form_alone.fips, by_form_alone.cspn), (true, false));
}

#[test]
fn the_description_has_stable_names() {
    let facts = signing();
    let Root::Private(root) = &facts.root else { panic!("{:?}", facts.root) };
    let point: Box<[u8]> = p256(&facts).to_sec1_bytes();
    let expected = serde_json::json!({
        "serial": 20260101, "firmware": "5.7.4", "slot": "9C", "algorithm": "P-256",
        "public_key": hex::encode(point), "generated_on_key": true,
        "pin_policy": "always", "touch_policy": "cached", "form_factor": "USB-C keychain", "fips": false, "cspn": false,
        "root": "private", "root_name": root,
        "chain": ["CN=Example Org PIV Attestation", "CN=Example Org Attestation Root"],
    });
    let described = Description::from(&facts);
    assert_eq!(serde_json::to_value(&described).unwrap(), expected);
}

#[test]
fn binding_names_the_first_fact_that_differs() {
    let facts = signing();
    let expected = Expected::new(Serial(20_260_101), Firmware::new(5, 7, 4), Slot::Signing, p256(&facts));
    assert_eq!(bind(&facts, &expected), Ok(()));

    let other = verify(&vector("sealing.pem"), &vector("device.pem"), &own_roots()).unwrap();
    let (attested, slot) = (Serial(20_260_101), Slot::Signing);
    let policy = (PinPolicy::Always, TouchPolicy::Cached);
    let with = |change: fn(&mut Expected)| {
        let mut changed = expected.clone();
        change(&mut changed);
        bind(&facts, &changed).unwrap_err()
    };
    assert_eq!(with(|e| e.serial = Serial(1)), BindError::Serial { attested, expected: Serial(1) });
    let (new, old) = (Firmware::new(5, 7, 4), Firmware::new(5, 7, 3));
    assert_eq!(
        with(|e| e.firmware = Firmware::new(5, 7, 3)),
        BindError::Firmware { attested: new, expected: old }
    );
    assert_eq!(with(|e| e.slot = Slot::Sealing), BindError::Slot { attested: 0x9C, expected: Slot::Sealing });
    assert_eq!(
        bind(&facts, &Expected { key: p256(&other), ..expected.clone() }),
        Err(BindError::Key { slot })
    );
    for wrong in [(PinPolicy::Once, TouchPolicy::Cached), (PinPolicy::Always, TouchPolicy::Never)] {
        let expected = Expected { policy: wrong, ..expected.clone() };
        assert_eq!(
            bind(&facts, &expected),
            Err(BindError::Policy { slot, attested: policy, expected: wrong })
        );
    }
    let silent = verify(&vector("no-serial.pem"), &vector("device.pem"), &own_roots()).unwrap();
    assert_eq!(bind(&silent, &Expected { key: p256(&silent), ..expected.clone() }), Err(BindError::NoSerial));
    let p384 = verify(&vector("p384.pem"), &vector("device.pem"), &own_roots()).unwrap();
    assert_eq!(bind(&p384, &expected), Err(BindError::Key { slot }));
}

#[test]
fn real_and_practice_roots_never_meet() {
    let (leaf, device, root) = (vector("signing.pem"), vector("device.pem"), vector("root.pem"));
    let practice = verify(&leaf, &device, &Roots::practice(&root).unwrap()).unwrap();
    assert!(matches!(practice.root, Root::Practice(_)));
    let real = verify(&leaf, &device, &Roots::real(None).unwrap());
    assert!(matches!(real, Err(AttestationError::UnknownIssuer { .. })), "{real:?}");
}

/// Changes in any bit of either certificate, those outside the signed part included.
#[test]
fn every_flipped_bit_is_refused() {
    for (leaf, device, root) in [
        ("signing.pem", "device.pem", "root.pem"),
        ("under-p256-device.pem", "device-p256.pem", "root.pem"),
        ("signing.pem", "device-under-rsa-root.pem", "root-rsa.pem"),
    ] {
        let roots = Roots::real(Some(&vector(root))).unwrap();
        let (leaf, device) = (vector(leaf), vector(device));
        for bit in 0..leaf.len() * 8 {
            let changed = verify(&flipped(&leaf, bit), &device, &roots);
            assert!(changed.is_err(), "bit {bit} of the leaf: {changed:?}");
        }
        for bit in 0..device.len() * 8 {
            let changed = verify(&leaf, &flipped(&device, bit), &roots);
            assert!(changed.is_err(), "bit {bit} of the device certificate: {changed:?}");
        }
    }
}

fn flipped(der: &[u8], bit: usize) -> Vec<u8> {
    let mut changed = der.to_vec();
    changed[bit / 8] ^= 1 << (bit % 8);
    changed
}

proptest! {
    #[test]
    fn cut_grown_and_patched_certificates_are_refused(
        which in any::<bool>(), at in any::<prop::sample::Index>(), remove in 0usize..40, insert in prop::collection::vec(any::<u8>(), 0..40)
    ) {
        let (leaf, device) = (vector("signing.pem"), vector("device.pem"));
        let mut changed = if which { leaf.clone() } else { device.clone() };
        let from = at.index(changed.len() + 1);
        let to = (from + remove).min(changed.len());
        changed.splice(from..to, insert);
        let roots = own_roots();
        if which && changed != leaf {
            prop_assert!(verify(&changed, &device, &roots).is_err());
        } else if !which && changed != device {
            prop_assert!(verify(&leaf, &changed, &roots).is_err());
        }
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let device = vector("device.pem");
        prop_assert!(verify(&bytes, &device, &own_roots()).is_err());
        prop_assert!(verify(&vector("signing.pem"), &bytes, &own_roots()).is_err());
        prop_assert!(Roots::practice(&bytes).is_err());
        let _ = pem_or_der(&bytes);
    }
}

/// The folder of real certificates: public data that is read where it lies and not copied here.
fn real_certificates() -> Option<PathBuf> {
    #[allow(clippy::disallowed_methods, reason = "the edge of a test: where the shared data lie")]
    let shared = std::env::var_os("BREAKGLASS_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let folder = shared.join("data/attestation");
    if folder.is_dir() {
        return Some(folder);
    }
    // Once, and straight to the stream, so that the test harness does not keep it back.
    static SAID: std::sync::Once = std::sync::Once::new();
    let line =
        format!("not checked: the attestations of real keys, because {} is not there\n", folder.display());
    SAID.call_once(|| std::io::stderr().write_all(line.as_bytes()).expect("standard error takes a line"));
    None
}

/// What the folder's INDEX.md says of each valid pair.
struct Real {
    pair: &'static str,
    firmware: Firmware,
    serial: Option<u32>,
    slot: u8,
    p384: bool,
    policy: (PinPolicy, TouchPolicy),
    form_factor: Option<FormFactor>,
    fips: bool,
    root: &'static str,
    chain_length: usize,
}

#[rustfmt::skip]
const REAL: [Real; 8] = {
    use FormFactor::*;
    use PinPolicy as Pin;
    use TouchPolicy as Touch;
    const PIV: &str = "CN=Yubico PIV Root CA Serial 263751";
    const U2F: &str = "CN=Yubico U2F Root CA Serial 457200631";
    const NEW: &str = "CN=Yubico Attestation Root 1";
    const fn v(major: u8, minor: u8, patch: u8) -> Firmware { Firmware::new(major, minor, patch) }
    [
        Real { pair: "piv-go/validchain2018", firmware: v(4, 3, 7), serial: None, slot: 0x9A, p384: false, policy: (Pin::Once, Touch::Never), form_factor: None, fips: false, root: U2F, chain_length: 2 },
        Real { pair: "sigstore/10550341", firmware: v(4, 4, 5), serial: Some(10550341), slot: 0x9C, p384: false, policy: (Pin::Always, Touch::Always), form_factor: None, fips: true, root: PIV, chain_length: 2 },
        Real { pair: "sshcerts/yubikey_5ci", firmware: v(5, 2, 4), serial: Some(11778047), slot: 0x93, p384: true, policy: (Pin::Never, Touch::Cached), form_factor: Some(UsbCLightning), fips: false, root: PIV, chain_length: 2 },
        Real { pair: "sigstore/13078778", firmware: v(5, 2, 6), serial: Some(13078778), slot: 0x9C, p384: false, policy: (Pin::Always, Touch::Always), form_factor: Some(UsbCKeychain), fips: false, root: PIV, chain_length: 2 },
        Real { pair: "sigstore/14454335", firmware: v(5, 2, 7), serial: Some(14454335), slot: 0x9C, p384: false, policy: (Pin::Always, Touch::Always), form_factor: Some(UsbCKeychain), fips: false, root: PIV, chain_length: 2 },
        Real { pair: "piv-go/validchain", firmware: v(5, 4, 3), serial: Some(15732500), slot: 0x9A, p384: false, policy: (Pin::Once, Touch::Never), form_factor: Some(UsbCNano), fips: false, root: PIV, chain_length: 2 },
        Real { pair: "sigstore/14833186", firmware: v(5, 4, 3), serial: Some(14833186), slot: 0x9C, p384: false, policy: (Pin::Always, Touch::Always), form_factor: Some(UsbAKeychain), fips: false, root: PIV, chain_length: 2 },
        Real { pair: "sshcerts/yubikey_5c_5_7_4", firmware: v(5, 7, 4), serial: Some(33162554), slot: 0x82, p384: true, policy: (Pin::Never, Touch::Always), form_factor: Some(UsbCKeychain), fips: false, root: NEW, chain_length: 4 },
    ]
};

fn real_pair(folder: &Path, pair: &str) -> (Vec<u8>, Vec<u8>) {
    (der(folder.join(format!("{pair}_key_cert.pem"))), der(folder.join(format!("{pair}_device_cert.pem"))))
}

#[test]
fn real_keys_are_recognised() {
    let Some(folder) = real_certificates() else { return };
    let roots = Roots::real(None).unwrap();
    for real in &REAL {
        let (leaf, device) = real_pair(&folder, real.pair);
        let facts = verify(&leaf, &device, &roots).unwrap_or_else(|e| panic!("{}: {e}", real.pair));
        assert_eq!(facts.firmware, real.firmware, "{}", real.pair);
        assert_eq!(facts.serial.map(|serial| serial.0), real.serial, "{}", real.pair);
        assert_eq!(facts.slot, real.slot, "{}", real.pair);
        assert_eq!(matches!(facts.key, AttestedKey::P384(_)), real.p384, "{}", real.pair);
        assert_eq!(matches!(facts.key, AttestedKey::P256(_)), !real.p384, "{}", real.pair);
        assert_eq!((facts.pin_policy, facts.touch_policy), real.policy, "{}", real.pair);
        assert_eq!(facts.form_factor, real.form_factor, "{}", real.pair);
        assert_eq!((facts.fips, facts.cspn), (real.fips, false), "{}", real.pair);
        assert_eq!(facts.root, Root::Yubico(real.root.into()), "{}", real.pair);
        assert_eq!(facts.chain.len(), real.chain_length, "{}: {:?}", real.pair, facts.chain);
    }
}

#[test]
fn real_certificates_of_two_devices_or_of_nobody_are_refused() {
    let Some(folder) = real_certificates() else { return };
    let roots = Roots::real(None).unwrap();
    for pair in ["piv-go/invalidchain", "piv-go/invalidchain2"] {
        let (leaf, device) = real_pair(&folder, pair);
        let verdict = verify(&leaf, &device, &roots);
        assert!(matches!(verdict, Err(AttestationError::BadSignature { .. })), "{pair}: {verdict:?}");
    }
    let (leaf, device) = real_pair(&folder, "sigstore/76651934");
    let verdict = verify(&leaf, &device, &roots);
    assert!(matches!(verdict, Err(AttestationError::UnknownIssuer { .. })), "{verdict:?}");
}

#[test]
fn real_keys_are_refused_by_a_practice_kit_and_when_changed() {
    let Some(folder) = real_certificates() else { return };
    let practice = Roots::practice(&vector("root.pem")).unwrap();
    let real = Roots::real(None).unwrap();
    for Real { pair, .. } in &REAL {
        let (leaf, device) = real_pair(&folder, pair);
        let verdict = verify(&leaf, &device, &practice);
        assert!(matches!(verdict, Err(AttestationError::UnknownIssuer { .. })), "{pair}: {verdict:?}");
        for byte in 0..leaf.len() {
            assert!(
                verify(&flipped(&leaf, byte * 8), &device, &real).is_err(),
                "{pair}: byte {byte} of the leaf"
            );
        }
        for byte in 0..device.len() {
            assert!(verify(&leaf, &flipped(&device, byte * 8), &real).is_err(), "{pair}: byte {byte} of F9");
        }
    }
}
