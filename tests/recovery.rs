//! `doc/recovery.md` holds: what is sealed opens with stock tools and the script printed there, and nothing of ours.
//!
//! The blocks are taken from the document as a reader would copy them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass::device::{Agree, DeviceError};
use breakglass::kit::sealed::{SealTo, Sealed, Share, seal, unwrap_share};
use breakglass::secret::{Plaintext, SharedSecret};
use getrandom::SysRng;
use p256::elliptic_curve::Generate;
use p256::{PublicKey, SecretKey};
use rand_core::UnwrapErr;
use tempfile::TempDir;
use zeroize::Zeroizing;

#[path = "recovery/fido2.rs"]
mod fido2;
#[path = "recovery/on_keys.rs"]
mod on_keys;
#[path = "recovery/page.rs"]
mod page;
#[path = "support/pcsc.rs"]
mod pcsc;
#[path = "support/practice.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod practice;
#[path = "recovery/terminal.rs"]
mod terminal;

use page::block;

const SECRET: &[u8] = b"correct horse battery staple";

/// The ECDH of slot 82, in software: stands in for the key and the plugin where only what follows is tried.
struct SoftKey(SecretKey);

impl Agree for SoftKey {
    fn agree(&mut self, peer: &PublicKey) -> Result<SharedSecret, DeviceError> {
        Ok(SharedSecret::new((*self.0.diffie_hellman(peer).raw_secret_bytes()).into()))
    }
}

/// A credential sealed to soft keys, in a folder where the shares of some of them have been unwrapped.
struct Recovery {
    folder: TempDir,
    sealed: Sealed,
    keys: Vec<SoftKey>,
}

impl Recovery {
    fn of(count: usize, threshold: u8) -> Self {
        let mut rng = UnwrapErr(SysRng);
        let keys: Vec<SoftKey> =
            (0..count).map(|_| SoftKey(SecretKey::generate_from_rng(&mut rng))).collect();
        let name = |index, key: &SoftKey| SealTo {
            name: format!("{index}-aa"),
            point: key.0.public_key(),
            fido2: None,
        };
        let to: Vec<SealTo> = keys.iter().enumerate().map(|(index, key)| name(index, key)).collect();
        let secret = Plaintext::new(Zeroizing::new(SECRET.to_vec()));
        let sealed = seal(&secret, &to, threshold, &mut rng).expect("sealed");
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("payload.age"), &sealed.files[0].bytes).expect("written");
        fs::write(folder.path().join("join.py"), block("python join.py")).expect("written");
        Recovery { folder, sealed, keys }
    }

    fn share(&mut self, index: usize) -> Share {
        let key = &mut self.keys[index];
        let me = key.0.public_key();
        unwrap_share(&self.sealed.files[index + 1].bytes, &me, key).expect("a share")
    }

    fn write_share(&mut self, index: usize) {
        let text = self.share(index).expose_text();
        fs::write(self.path(&format!("share-{index}.txt")), &*text).expect("written");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a block of the page, with `rage` or `age` under the name `rage`.
    fn run(&self, block: &str, rage: &str) -> Output {
        let script = format!("set -euo pipefail; rage() {{ {rage} \"$@\"; }}\nSEALED=.\n{block}");
        bash(&script, self.folder.path())
    }

    fn join(&self, arguments: &[&str]) -> Output {
        let mut python = Command::new("python3");
        python.arg("-I").arg("join.py").args(arguments).current_dir(&self.folder);
        python.output().expect("python3 runs")
    }
}

fn bash(script: &str, folder: &Path) -> Output {
    let path = format!("{}:/usr/bin:/bin", pcsc::tools::rage().parent().expect("its folder").display());
    let mut bash = Command::new("bash");
    bash.arg("-c").arg(script).current_dir(folder).env("PATH", path);
    bash.output().expect("bash runs")
}

fn success(output: Output) -> Vec<u8> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn shares_joined_by_the_printed_script_open_the_payload_with_age_and_with_rage() {
    for (count, threshold, subsets) in [
        (2, 2, vec![vec![0, 1]]),
        (3, 2, vec![vec![0, 1], vec![0, 2], vec![2, 1]]),
        (5, 4, vec![vec![4, 0, 3, 2]]),
    ] {
        for subset in subsets {
            let mut recovery = Recovery::of(count, threshold);
            subset.iter().for_each(|index| recovery.write_share(*index));
            for tool in ["/usr/bin/age", "command rage"] {
                let opened = success(recovery.run(&block("sh join"), tool));
                assert_eq!(opened, SECRET, "{threshold} of {count}, {subset:?}, {tool}");
            }
        }
    }
}

#[test]
fn a_share_more_than_needed_does_no_harm() {
    let mut recovery = Recovery::of(3, 2);
    (0..3).for_each(|index| recovery.write_share(index));
    assert_eq!(success(recovery.run(&block("sh join"), "command rage")), SECRET);
}

#[test]
fn the_printed_script_says_what_is_wrong() {
    let mut recovery = Recovery::of(3, 3);
    (0..3).for_each(|index| recovery.write_share(index));
    let refusal = |arguments: &[&str]| {
        let output = recovery.join(arguments);
        assert!(!output.status.success() && output.stdout.is_empty());
        String::from_utf8(output.stderr).expect("text")
    };
    assert_eq!(refusal(&[]), "0 different shares, where 2 are needed\n");
    assert_eq!(refusal(&["share-0.txt", "share-1.txt"]), "2 different shares, where 3 are needed\n");
    let twice = ["share-0.txt", "share-1.txt", "share-0.txt"];
    assert_eq!(refusal(&twice), "2 different shares, where 3 are needed\n");
    fs::write(recovery.path("other.txt"), "breakglass share, version 2\nthreshold 2\nshare ab01\n")
        .expect("written");
    assert_eq!(refusal(&["other.txt", "share-1.txt"]), "other.txt is not a share\n");

    let mut other = Recovery::of(3, 3);
    fs::write(recovery.path("share-2.txt"), &*other.share(2).expose_text()).expect("written");
    let joined = success(recovery.join(&["share-0.txt", "share-1.txt", "share-2.txt"]));
    assert!(!joined.starts_with(b"AGE-SECRET-KEY-1"));
}

#[test]
fn the_printed_script_needs_nothing_but_python() {
    let script = block("python join.py");
    let imports: Vec<&str> = script.lines().filter(|line| line.contains("import")).collect();
    assert_eq!(imports, ["import sys"]);
    assert!(script.lines().count() <= 32, "short enough to type in");
    assert!(script.lines().all(|line| line.len() <= 80), "narrow enough to print");
}

#[test]
fn a_far_custodian_sends_a_share_by_plain_age() {
    let mut recovery = Recovery::of(3, 2);
    recovery.write_share(0);
    success(recovery.run(&block("sh far-identity"), "command rage"));
    let once = fs::read_to_string(recovery.path("once.txt")).expect("made by age-keygen");
    let public = once.lines().find_map(|line| line.strip_prefix("# public key: ")).expect("its public half");

    // The custodian's side: in place of the key and the plugin, the share as they would give it.
    fs::write(recovery.path("opened-by-the-key"), &*recovery.share(2).expose_text()).expect("written");
    let custodian = block("sh far-share")
        .replace("rage -d -i key.txt \"$SEALED/$SERIAL\"-*.age", "cat opened-by-the-key");
    assert!(custodian.starts_with("cat opened-by-the-key | rage -r"), "{custodian}");
    success(recovery.run(&format!("ONCE={public}\n{custodian}"), "command rage"));

    success(recovery.run(&block("sh far-join"), "command rage"));
    assert_eq!(success(recovery.run(&block("sh join"), "command rage")), SECRET);
}

#[test]
fn the_two_lines_show_what_records_say() {
    let recovery = Recovery::of(1, 1);
    let payloads = [r#"{"iss":"https://example.org"}"#, r#"{"reason":"größte Not"}"#];
    let token =
        |payload: &&str| format!("eyJhbGciOiJFUzI1NiJ9.{}.c2lnbmF0dXJl\n", URL_SAFE_NO_PAD.encode(payload));
    fs::write(recovery.path("1-aa.jws"), payloads.iter().map(token).collect::<String>()).expect("written");
    let shown = success(recovery.run(&format!("JOURNAL=1-aa.jws\n{}", block("sh records")), "command rage"));
    assert_eq!(String::from_utf8(shown).expect("text").lines().collect::<Vec<_>>(), payloads);
}

#[test]
fn what_age_encrypts_to_the_identity_is_what_our_payload_is() {
    let mut recovery = Recovery::of(2, 2);
    (0..2).for_each(|index| recovery.write_share(index));
    success(recovery.run(&block("sh join"), "command rage"));
    let remake = "age-keygen -y identity.txt > to.txt && printf other | /usr/bin/age -R to.txt > remade.age";
    success(recovery.run(remake, "command rage"));
    let remade = fs::read(recovery.path("remade.age")).expect("made by age");
    let shares = (0..2).map(|index| recovery.share(index)).collect();
    let opened = breakglass::kit::sealed::combine(shares, &remade).expect("opened");
    assert_eq!(opened.expose_bytes(), b"other");
}
