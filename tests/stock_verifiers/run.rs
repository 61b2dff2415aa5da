//! The three stock verifiers, each run over a bundle as its user would: what it says of each line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// npm jose, in Node.
pub(crate) fn npm_jose(bundle: &Path, jwks: &Path) -> Vec<bool> {
    let node = tools().join("node");
    let mut command = Command::new("node");
    command.arg("--experimental-global-webcrypto"); // what Node 18 of Debian 12 needs, and later ones have anyway
    command.arg(script("verify.mjs")).arg(&node).arg(bundle).arg(jwks);
    words(
        &mut command,
        &format!("scripts/install.sh test, or npm install --prefix {} jose@6", node.display()),
    )
}

/// PyJWT, in Python.
pub(crate) fn pyjwt(bundle: &Path, jwks: &Path) -> Vec<bool> {
    let venv = tools().join("venv");
    let mut command = Command::new(venv.join("bin/python"));
    command.arg(script("verify.py")).arg(bundle).arg(jwks);
    let install = format!(
        "scripts/install.sh test, or python3 -m venv {0} && {0}/bin/pip install PyJWT cryptography",
        venv.display()
    );
    words(&mut command, &install)
}

/// Debian's jose, a line at a time.
pub(crate) fn debian_jose(bundle: &Path, jwks: &Path) -> Vec<bool> {
    let line = tempfile::NamedTempFile::new().expect("a file for one line");
    let bundle = fs::read(bundle).expect("the bundle");
    let verified = |text: &[u8]| {
        fs::write(&line, text).expect("one line is written");
        let ran =
            Command::new("jose").args(["jws", "ver", "-i"]).arg(line.path()).arg("-k").arg(jwks).output();
        ran.expect("jose is missing: apt-get install jose").status.success()
    };
    bundle.split(|byte| *byte == b'\n').filter(|text| !text.is_empty()).map(verified).collect()
}

/// Folder of the programs that the tests compare with.
#[allow(
    clippy::disallowed_methods,
    reason = "a test is at the edge: where its tools lie comes from the environment"
)]
fn tools() -> PathBuf {
    let set = std::env::var_os("BREAKGLASS_TOOLS").map(PathBuf::from);
    set.unwrap_or_else(|| {
        PathBuf::from(std::env::var_os("HOME").expect("a home")).join(".cache/breakglass-tools")
    })
}

/// A script of this folder.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stock_verifiers").join(name)
}

/// What a script says of each line.
fn words(command: &mut Command, install: &str) -> Vec<bool> {
    let ran = command.output().unwrap_or_else(|error| panic!("{error}; install it: {install}"));
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{told}\nif it is missing, install it: {install}");
    let word = |line: &str| match line {
        "good" => true,
        "bad" => false,
        other => panic!("{other}"),
    };
    String::from_utf8_lossy(&ran.stdout).lines().map(word).collect()
}
