//! Programs of others that the tests compare with. What is missing fails the test with the command that installs it.

use std::path::{Path, PathBuf};

/// A program of Debian, found in the usual folders.
pub(crate) fn debian(program: &str, package: &str) -> PathBuf {
    let folders = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];
    found(
        folders.iter().map(|folder| Path::new(folder).join(program)),
        program,
        &format!("apt-get install {package}"),
    )
}

/// A file of a Debian package.
pub(crate) fn debian_file(candidates: &[&str], package: &str) -> PathBuf {
    found(candidates.iter().map(PathBuf::from), candidates[0], &format!("apt-get install {package}"))
}

/// ykman 5 from PyPI.
pub(crate) fn ykman() -> PathBuf {
    in_tools("venv/bin/ykman", |folder| {
        format!(
            "python3 -m venv {folder}/venv && {folder}/venv/bin/pip install yubikey-manager PyJWT cryptography"
        )
    })
}

/// The Python that has PyJWT and cryptography.
pub(crate) fn python() -> PathBuf {
    in_tools("venv/bin/python", |folder| {
        format!(
            "python3 -m venv {folder}/venv && {folder}/venv/bin/pip install yubikey-manager PyJWT cryptography"
        )
    })
}

/// rage.
pub(crate) fn rage() -> PathBuf {
    in_tools("bin/rage", |folder| format!("cargo install --locked --root {folder} rage@0.12.1"))
}

/// age-plugin-yubikey.
pub(crate) fn age_plugin_yubikey() -> PathBuf {
    in_tools("bin/age-plugin-yubikey", |folder| {
        format!(
            "apt-get install libpcsclite-dev && cargo install --locked --root {folder} age-plugin-yubikey@0.5.1"
        )
    })
}

/// kubectl that knows version 1 of credential plugins, as it does since 1.22: Debian 12 has 1.20.
pub(crate) fn kubectl() -> PathBuf {
    let own = folder().join("kubectl/kubectl");
    let installed = Path::new("/usr/bin/kubectl").to_owned();
    found([own, installed].into_iter(), "kubectl", "scripts/install.sh test")
}

/// Folder of the guest's kernel, Debian's: `vmlinuz`, the modules, and `modules`, their names in the order of loading.
pub(crate) fn guest_kernel() -> PathBuf {
    in_tools("kernel", |_| "scripts/install.sh test".to_owned())
}

fn in_tools(path: &str, install: impl FnOnce(&str) -> String) -> PathBuf {
    let folder = folder();
    let install = install(&folder.display().to_string());
    found([folder.join(path)].into_iter(), path, &install)
}

/// `$BREAKGLASS_TOOLS`, by default `~/.cache/breakglass-tools`.
#[allow(clippy::disallowed_methods, reason = "the tests are an edge, and where their tools lie is a setting")]
pub(crate) fn folder() -> PathBuf {
    match std::env::var_os("BREAKGLASS_TOOLS") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(&std::env::var_os("HOME").expect("HOME is set")).join(".cache/breakglass-tools"),
    }
}

fn found(mut candidates: impl Iterator<Item = PathBuf>, what: &str, install: &str) -> PathBuf {
    candidates.find(|path| path.exists()).unwrap_or_else(|| {
        panic!("{what} is not installed. All of it:  scripts/install.sh test    Only this:  {install}")
    })
}
