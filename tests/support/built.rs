//! What the world is made of and is built from this tree.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{text, tools};

/// The example `virtual_yubikey`, built if it is not as new as its source: a test that is run alone does not build it.
pub(crate) fn virtual_yubikey() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            let profile = target_folder();
            let mut cargo = Command::new(env!("CARGO"));
            cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
            cargo.args([
                "build",
                "--quiet",
                "--locked",
                "--offline",
                "--example",
                "virtual_yubikey",
                "--target-dir",
            ]);
            cargo.arg(profile.parent().expect("a target folder"));
            if profile.ends_with("release") {
                cargo.arg("--release");
            }
            // With the features of this test: what both rest on is compiled once.
            if cfg!(feature = "audit") {
                cargo.arg("--all-features");
            }
            let output = cargo.output().expect("cargo starts");
            assert!(output.status.success(), "the virtual YubiKey does not build:\n{}", text(&output));
            profile.join("examples/virtual_yubikey")
        })
        .clone()
}

/// The program as it ships: the release build.
pub(crate) fn release() -> PathBuf {
    let target = target_folder().parent().expect("a target folder").to_owned();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.args(["build", "--quiet", "--release", "--locked", "--offline", "--target-dir"]).arg(&target);
    let output = cargo.output().expect("cargo starts");
    assert!(output.status.success(), "the release does not build:\n{}", text(&output));
    target.join("release/breakglass")
}

/// The virtual security key of the guest, a workspace of its own (`tests/vm/authenticator`).
pub(crate) fn authenticator() -> PathBuf {
    let target = target_folder().parent().expect("a target folder").join("vm");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vm/authenticator/Cargo.toml");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--release", "--locked", "--offline", "--manifest-path"]).arg(manifest);
    let output = cargo.arg("--target-dir").arg(&target).output().expect("cargo starts");
    let hint =
        "All it needs:  scripts/install.sh test    Of Debian:  apt-get install gcc libc6-dev libclang-dev";
    assert!(output.status.success(), "the virtual security key does not build. {hint}\n{}", text(&output));
    target.join("release/authenticator")
}

/// The driver of `readers.c`, compiled if it is older than its source.
pub(crate) fn readers_driver() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/readers.c");
            let driver = target_folder().join("breakglass-test-readers.so");
            let changed = |path: &Path| path.metadata().and_then(|file| file.modified()).ok();
            if changed(&driver) < changed(&source) {
                let scratch =
                    tempfile::NamedTempFile::new_in(target_folder()).expect("a file in the target folder");
                let headers = Command::new(tools::debian("pkg-config", "pkg-config"))
                    .args(["--cflags", "libpcsclite"])
                    .output()
                    .expect("pkg-config starts");
                assert!(
                    headers.status.success(),
                    "missing: apt-get install libpcsclite-dev\n{}",
                    text(&headers)
                );
                let mut compile = Command::new(tools::debian("cc", "gcc libc6-dev"));
                compile.args(["-shared", "-fPIC", "-O1", "-pthread"]);
                compile.args(String::from_utf8_lossy(&headers.stdout).split_whitespace());
                let output = compile.arg(&source).arg("-o").arg(scratch.path()).output().expect("cc starts");
                assert!(output.status.success(), "readers.c does not compile:\n{}", text(&output));
                scratch.persist(&driver).expect("the driver gets its name");
            }
            driver
        })
        .clone()
}

/// `TARGET/PROFILE`, in which this test lies in `deps`.
fn target_folder() -> PathBuf {
    let test = std::env::current_exe().expect("the test program");
    test.parent().and_then(Path::parent).expect("TARGET/PROFILE/deps/TEST").to_owned()
}
