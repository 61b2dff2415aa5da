//! The page's way through the two layers of a key with FIDO2. What the key answers is computed here, in the form that
//! `fido2-assert` prints it in; that program itself reads the text beside each file, as far as that goes without a key.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use breakglass::device::fido2::HmacSecret;
use breakglass::kit::sealed::{Outer, SealTo, Sealed, envelope_of, seal};
use breakglass::record::event::CredentialId;
use breakglass::secret::Plaintext;
use getrandom::SysRng;
use p256::SecretKey;
use p256::elliptic_curve::Generate;
use rand_core::UnwrapErr;
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::page::{block, block_with};
use crate::{SECRET, SoftKey, bash, pcsc, success};

/// What the n-th key answers to its salt.
fn answer(n: u8) -> [u8; 32] {
    let mut answer = [0x40 + n; 32];
    answer[0] = 0xFF;
    answer
}

/// A credential sealed to soft keys with FIDO2, the n-th of them with serial n, in a folder.
struct Nested {
    folder: TempDir,
    keys: Vec<SoftKey>,
    sealed: Sealed,
}

impl Nested {
    /// The last key has PIV alone.
    fn of(count: u8, threshold: u8) -> Self {
        let mut rng = UnwrapErr(SysRng);
        let keys: Vec<SoftKey> =
            (0..count).map(|_| SoftKey(SecretKey::generate_from_rng(&mut rng))).collect();
        let outer = |n: u8| Outer {
            envelope: envelope_of([n; 32], &HmacSecret::new(answer(n))),
            credential: CredentialId::new(vec![n; 64]).expect("64 bytes"),
        };
        let to: Vec<SealTo> = (1..=count)
            .zip(&keys)
            .map(|(n, key)| SealTo {
                name: format!("{n}-aaaaaaaa"),
                point: key.0.public_key(),
                fido2: (n < count || count == 1).then(|| outer(n)),
            })
            .collect();
        let secret = Plaintext::new(Zeroizing::new(SECRET.to_vec()));
        let sealed = seal(&secret, &to, threshold, &mut rng).expect("sealed");
        let folder = tempfile::tempdir().expect("a folder");
        for file in &sealed.files {
            fs::write(folder.path().join(&file.name), &file.bytes).expect("written");
        }
        for script in ["envelope.py", "join.py"] {
            fs::write(folder.path().join(script), block(&format!("python {script}"))).expect("written");
        }
        Nested { folder, keys, sealed }
    }

    /// Runs a block of the page. `fido2-assert` gives what the n-th key answers, if it is asked as that key is;
    /// the plugin's part is played by a file that the test wrote.
    fn run(&self, n: u8, block: &str) -> Output {
        let lines =
            ["hash", "breakglass.example", "authdata", "signature", &STANDARD.encode(answer(n))].join("\\n");
        let asked = format!("-G -h -v -p -i ./{n}-aaaaaaaa.fido2 /dev/hidraw7");
        let fido2 = format!(r#"fido2-assert() {{ test "$*" = "{asked}" && printf '{lines}\n'; }}"#);
        bash(&format!("set -euo pipefail; {fido2}\nSEALED=.\nSERIAL={n}\n{block}"), self.folder.path())
    }

    fn fido2(&self, n: u8) -> Vec<u8> {
        let block = block_with("sh fido2", &[("SERIAL=", &n.to_string()), ("DEVICE=", "/dev/hidraw7")]);
        success(self.run(n, &block));
        self.read(&format!("inner-{n}.age"))
    }

    /// What the key and the plugin would make of a file: the n-th key's share or identity.
    fn by_piv(&mut self, n: u8, file: &[u8], shares: bool) {
        let payload = &self.sealed.files[0].bytes;
        let key = &mut self.keys[usize::from(n) - 1];
        let me = key.0.public_key();
        let text = match shares {
            true => breakglass::kit::sealed::unwrap_share(file, &me, key).expect("a share").expose_text(),
            false => {
                // That it is the payload's identity is held by opening; its text comes from age's own decryption.
                let opened = breakglass::kit::sealed::open_by_file(file, payload, &me, key).expect("opened");
                assert_eq!(opened.expose_bytes(), SECRET);
                return;
            }
        };
        fs::write(self.folder.path().join(format!("share-{n}.txt")), &*text).expect("written");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

#[test]
fn the_printed_script_makes_ages_identity_of_what_the_key_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("envelope.py"), block("python envelope.py")).expect("written");
    let run = |answer: &str| {
        fs::write(folder.path().join("answer.txt"), answer).expect("written");
        Command::new("python3")
            .args(["-I", "envelope.py", "answer.txt"])
            .current_dir(&folder)
            .output()
            .expect("python3")
    };
    let recipient = |identity: &[u8]| {
        fs::write(folder.path().join("identity.txt"), identity).expect("written");
        let keygen = pcsc::tools::debian("age-keygen", "age");
        success(
            Command::new(keygen).arg("-y").arg(folder.path().join("identity.txt")).output().expect("runs"),
        )
    };
    for secret in [[0; 32], [0xFF; 32], answer(1), std::array::from_fn(|at| at as u8)] {
        let identity = success(run(&format!("a\nb\nc\nd\n{}\n", STANDARD.encode(secret))));
        let ours = HmacSecret::new(secret).recipient();
        assert_eq!(String::from_utf8(recipient(&identity)).expect("text").trim_end(), ours);
    }
    for wrong in ["a\nb\nc\nd\nAAAA\n".to_owned(), format!("a\nb\nc\nd\n{}\n", STANDARD.encode([1; 64]))] {
        let output = run(&wrong);
        assert!(!output.status.success() && output.stdout.is_empty());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said, "the fifth line is not 32 bytes: was fido2-assert given -h?\n");
    }
}

#[test]
fn the_script_needs_nothing_but_python_and_fits_on_paper() {
    let script = block("python envelope.py");
    let imports: Vec<&str> = script.lines().filter(|line| line.contains("import")).collect();
    assert_eq!(imports, ["import base64, sys"]);
    assert!(script.lines().count() <= 20, "short enough to type in");
    assert!(script.lines().all(|line| line.len() <= 80), "narrow enough to print");
}

#[test]
fn shares_of_keys_with_and_without_fido2_open_the_payload_by_the_page() {
    let mut nested = Nested::of(3, 2);
    for with_fido2 in [1, 2] {
        let inner = nested.fido2(with_fido2);
        nested.by_piv(with_fido2, &inner, true);
    }
    let join = |nested: &Nested| success(nested.run(1, &block("sh join")));
    assert_eq!(join(&nested), SECRET);
    // One of them with the key that has PIV alone.
    fs::remove_file(nested.folder.path().join("share-1.txt")).expect("there");
    let file = nested.read("3-aaaaaaaa.age");
    nested.by_piv(3, &file, true);
    assert_eq!(join(&nested), SECRET);
}

#[test]
fn where_one_key_is_enough_its_inner_file_holds_the_payloads_identity() {
    let mut nested = Nested::of(1, 1);
    let inner = nested.fido2(1);
    nested.by_piv(1, &inner, false);
    // Without the key's answer the outer layer does not open.
    let other = block_with("sh fido2", &[("SERIAL=", "1"), ("DEVICE=", "/dev/hidraw7")])
        .replace("envelope.py answer.txt > envelope.txt", "envelope.py other.txt > envelope.txt");
    let line = STANDARD.encode(answer(2));
    fs::write(nested.folder.path().join("other.txt"), format!("a\nb\nc\nd\n{line}\n")).expect("written");
    assert!(!nested.run(1, &other).status.success());
    // The last block opens the payload by the identity, whatever brought it.
    let (payload, identity) = made_by_age(nested.folder.path());
    fs::write(nested.folder.path().join("payload.age"), payload).expect("written");
    fs::write(nested.folder.path().join("share-1.txt"), identity).expect("written");
    assert_eq!(success(nested.run(1, &block("sh fido2-one"))), SECRET);
}

/// The secret as age encrypts it, and the identity that opens it.
fn made_by_age(folder: &Path) -> (Vec<u8>, Vec<u8>) {
    let script = format!(
        "age-keygen -o made.txt && printf %s '{}' | age -e -i made.txt > made.age",
        std::str::from_utf8(SECRET).expect("text")
    );
    success(bash(&script, folder));
    let read = |name: &str| fs::read(folder.join(name)).expect("made");
    // One line without line feed, as sealing writes it.
    let text = String::from_utf8(read("made.txt")).expect("text");
    let line = text.lines().last().expect("its identity").as_bytes().to_vec();
    (read("made.age"), line)
}

#[test]
fn stock_fido2_assert_reads_the_text_beside_a_file() {
    let nested = Nested::of(1, 1);
    let program = pcsc::tools::debian("fido2-assert", "fido2-tools");
    let run = |file: &str| {
        let mut assert = Command::new(&program);
        let assert = assert.args(["-G", "-h", "-d", "-i", file, "/dev/null"]).current_dir(&nested.folder);
        let output = assert.output().expect("it runs");
        assert!(!output.status.success(), "/dev/null is no key");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = run("1-aaaaaaaa.fido2");
    assert!(said.contains("relying party id: breakglass.example"), "{said}");
    assert!(said.contains(&"01 ".repeat(16)), "the credential's id: {said}");
    assert!(said.contains("fido_dev_open") && !said.contains("input error"), "{said}");
    let text = String::from_utf8(nested.read("1-aaaaaaaa.fido2")).expect("text");
    let cut = text.rsplit_once('\n').and_then(|(text, _)| text.rsplit_once('\n')).expect("four lines").0;
    fs::write(nested.folder.path().join("cut.fido2"), format!("{cut}\n")).expect("written");
    assert!(run("cut.fido2").contains("input error"), "without the salt it is refused");
}
