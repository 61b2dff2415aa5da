//! Programs that know nothing of us verify what we export, and refuse it when one byte is changed: npm jose, PyJWT,
//! Debian's jose, and openssl.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use breakglass::attestation;
use breakglass::record::bundle::Bundle;
use breakglass::record::chain::{Chain, Depth};
use breakglass::record::interop::{for_openssl, jwks};
use breakglass::record::token::Record;
use breakglass::record::{event, hash, token};
use p256::pkcs8::{EncodePrivateKey, LineEnding};

#[path = "stock_verifiers/run.rs"]
mod run;
#[path = "../src/record/sample.rs"]
mod sample;

use sample::Writer;

/// Lines of the bundle: each event once; the enrolment of the second key, its openings, and the end.
const LINES: usize = event::Event::NAMES.len() + 5;

/// Two keys with certificates that openssl made; together they have signed every event. The bundle, and the key set.
struct Exported {
    folder: tempfile::TempDir,
    writers: Vec<Writer>,
    bundle: Vec<u8>,
}

impl Exported {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let mut writers: Vec<Writer> = [1, 2].map(Writer::new).into();
        for writer in &mut writers {
            writer.x5c = vec![certificate(folder.path(), writer)];
            let enrolment = writer.enrolment();
            writer.write(enrolment);
        }
        for event in sample::every_event() {
            let founds = matches!(event, event::Event::KitFounded(_));
            let record = writers[0].write(event);
            if founds {
                writers.iter_mut().for_each(|writer| writer.kit = Some(record.hash()));
            }
        }
        let seen = (writers[0].name(), (10, writers[0].records[10].hash()));
        writers[1].seen.extend([seen]);
        writers[1].open(3);
        let chains: Vec<Chain> = writers.iter().map(read).collect();
        chains.iter().for_each(|chain| chain.check().expect("an intact chain"));
        let bundle = Bundle::of(&chains);
        let end = writers[1].write(event::Event::Exported(bundle.exported()));
        let bundle = bundle.end(&end).expect("its own end");
        fs::write(folder.path().join("jwks.json"), jwks(&chains)).expect("the key set is written");
        Exported { folder, writers, bundle }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn records(&self) -> impl Iterator<Item = (&Writer, &Record)> {
        self.writers.iter().flat_map(|writer| writer.records.iter().map(move |record| (writer, record)))
    }

    /// That `verify` finds each line of the bundle good, and with one character changed in one line that line bad and
    /// all others good: in the header, in the payload, in the signature, on the first line and in the middle.
    fn hold(&self, verify: impl Fn(&Path) -> Vec<bool>) {
        let path = self.path("bundle.jws");
        fs::write(&path, &self.bundle).expect("the bundle is written");
        let lines: Vec<&[u8]> = self.bundle.split_inclusive(|byte| *byte == b'\n').collect();
        assert_eq!(lines.len(), LINES);
        assert_eq!(verify(&path), [true; LINES]);
        for (line, of_256) in [(0, 10), (0, 128), (7, 5), (7, 100), (7, 250), (LINES - 1, 128)] {
            let mut changed: Vec<Vec<u8>> = lines.iter().map(|line| line.to_vec()).collect();
            let at = changed[line].len() * of_256 / 256;
            let byte = &mut changed[line][at];
            *byte = if *byte == b'A' { b'B' } else { b'A' };
            fs::write(&path, changed.concat()).expect("the bundle is written");
            let expected: Vec<bool> = (0..LINES).map(|at| at != line).collect();
            assert_eq!(verify(&path), expected, "line {line}, character {at}");
        }
    }
}

fn read(writer: &Writer) -> Chain {
    Chain::read(&writer.name(), &writer.journal(), Depth::Every)
}

/// A certificate of this key, in DER, as openssl makes it.
fn certificate(folder: &Path, writer: &Writer) -> Vec<u8> {
    let key = p256::SecretKey::from(&writer.key).to_pkcs8_pem(LineEnding::LF).expect("a private key in PEM");
    fs::write(folder.join("key.pem"), key.as_bytes()).expect("the key is written");
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-new",
            "-key",
            "key.pem",
            "-subj",
            "/CN=PIV Attestation 9c",
            "-outform",
            "DER",
        ])
        .current_dir(folder)
        .output()
        .expect("openssl is missing: apt-get install openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    made.stdout
}

#[test]
fn npm_jose_verifies_a_bundle() {
    let exported = Exported::new();
    exported.hold(|bundle| run::npm_jose(bundle, &exported.path("jwks.json")));
}

#[test]
fn pyjwt_verifies_a_bundle() {
    let exported = Exported::new();
    exported.hold(|bundle| run::pyjwt(bundle, &exported.path("jwks.json")));
}

#[test]
fn debian_jose_verifies_a_bundle() {
    let exported = Exported::new();
    exported.hold(|bundle| run::debian_jose(bundle, &exported.path("jwks.json")));
}

#[test]
fn openssl_verifies_a_record_by_the_command_that_we_print() {
    let exported = Exported::new();
    for (writer, record) in exported.records() {
        let proof = for_openssl(record, &writer.verifying_key());
        for (name, bytes) in &proof.files {
            fs::write(exported.path(name), bytes).expect("a file is written");
        }
        let says = || {
            let mut shell = Command::new("sh");
            let ran = shell.args(["-c", &proof.command]).current_dir(exported.folder.path()).output();
            let ran = ran.expect("a shell");
            (ran.status.success(), String::from_utf8_lossy(&ran.stdout).into_owned())
        };
        assert_eq!(says(), (true, "Verified OK\n".into()));
        for (name, bytes) in &proof.files[..2] {
            let mut changed = bytes.clone();
            let last = changed.len() - 1;
            changed[last] ^= 1;
            fs::write(exported.path(name), changed).expect("a file is written");
            assert_eq!(says(), (false, "Verification failure\n".into()), "{name}");
            fs::write(exported.path(name), bytes).expect("a file is written");
        }
        assert!(says().0);
    }
}
