//! What the machine shows of itself below `/proc`, `/sys` and `/etc`. Reads only; what cannot be read is not there.

use std::path::{Path, PathBuf};

/// A running program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    pub name: String,
    pub pid: u32,
}

/// Programs that are known to take a reader or a YubiKey for themselves.
const HOLDERS: [&str; 8] = [
    "scdaemon",
    "yubikey-agent",
    "keepassxc",
    "gsd-smartcard",
    "pcsc_scan",
    "ykman",
    "pkcs11-register",
    "yubico-authenticat", // as the kernel cuts it
];

/// Everything that runs, by name as the kernel keeps it (15 characters).
pub(super) fn programs() -> Vec<Program> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let name = std::fs::read_to_string(entry.path().join("comm")).ok()?.trim_end().to_owned();
            Some(Program { name, pid })
        })
        .collect()
}

/// Those that may hold a key: by their name, because they have loaded the PC/SC library, or because a YubiKey's USB device
/// is open in them.
pub(super) fn holders(programs: &[Program], usb: &[Usb]) -> Vec<Program> {
    let by_name = |program: &&Program| {
        HOLDERS
            .iter()
            .any(|name| name.starts_with(program.name.as_str()) && program.name.len() >= name.len().min(15))
    };
    let opens = |program: &&Program| {
        let Ok(descriptors) = std::fs::read_dir(format!("/proc/{}/fd", program.pid)) else { return false };
        program.name != "pcscd"
            && descriptors
                .flatten()
                .filter_map(|entry| std::fs::read_link(entry.path()).ok())
                .any(|target| usb.iter().any(|device| device.node == target))
    };
    let speaks = |program: &&Program| {
        let loaded = std::fs::read_to_string(format!("/proc/{}/maps", program.pid)).unwrap_or_default();
        program.name != "pcscd"
            && program.pid != std::process::id()
            && loaded.lines().any(|line| line.contains("/libpcsclite.so"))
    };
    let may = |program: &&Program| by_name(program) || opens(program) || speaks(program);
    programs.iter().filter(may).cloned().collect()
}

/// A YubiKey as the kernel sees it on USB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Usb {
    /// Port, such as `1-2`.
    pub port: String,
    /// `/dev/bus/usb/BBB/DDD`
    pub node: PathBuf,
    /// Whether it shows a smart card interface (CCID, class 0b).
    pub ccid: bool,
}

/// Every device of Yubico's (vendor 1050).
pub(super) fn yubikeys(devices: &Path) -> Vec<Usb> {
    let Ok(entries) = std::fs::read_dir(devices) else { return Vec::new() };
    let text = |path: PathBuf| std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let names: Vec<(String, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
        .collect();
    names
        .iter()
        .filter(|(_, path)| text(path.join("idVendor")).as_deref() == Some("1050"))
        .map(|(port, path)| {
            let number = |name| text(path.join(name)).and_then(|text| text.parse::<u16>().ok()).unwrap_or(0);
            let ccid = names
                .iter()
                .filter(|(name, _)| name.starts_with(&format!("{port}:")))
                .any(|(_, interface)| text(interface.join("bInterfaceClass")).as_deref() == Some("0b"));
            let node = format!("/dev/bus/usb/{:03}/{:03}", number("busnum"), number("devnum"));
            Usb { port: port.clone(), node: node.into(), ccid }
        })
        .collect()
}

/// Whether one of these is there.
pub(super) fn any_exists(paths: &[&str]) -> bool {
    paths.iter().any(|path| Path::new(path).exists())
}

/// Swap areas in use, by name.
pub(super) fn swaps() -> Vec<String> {
    let text = std::fs::read_to_string("/proc/swaps").unwrap_or_default();
    text.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// What an environment variable is set to. Empty is as good as not set.
#[allow(
    clippy::disallowed_methods,
    reason = "the edge: doctor looks at the environment that the person works in"
)]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(|value| value.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yubikeys_are_found_with_what_they_show() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        for (port, vendor, device) in [("1-1", "1050", "7"), ("1-2", "1050", "8"), ("2-1", "046d", "3")] {
            write(&format!("{port}/idVendor"), &format!("{vendor}\n"));
            write(&format!("{port}/busnum"), "1\n");
            write(&format!("{port}/devnum"), &format!("{device}\n"));
        }
        write("1-1:1.0/bInterfaceClass", "0b\n");
        write("1-2:1.0/bInterfaceClass", "03\n");
        let mut found = yubikeys(folder.path());
        found.sort_by(|a, b| a.port.cmp(&b.port));
        let usb = |port: &str, device: &str, ccid| Usb {
            port: port.into(),
            node: format!("/dev/bus/usb/001/{device}").into(),
            ccid,
        };
        assert_eq!(found, [usb("1-1", "007", true), usb("1-2", "008", false)]);
        assert_eq!(yubikeys(&folder.path().join("absent")), []);
    }

    #[test]
    fn known_holders_are_told_by_the_name_that_the_kernel_keeps() {
        let program = |name: &str| Program { name: name.into(), pid: 0 };
        let running = [program("scdaemon"), program("yubico-authenti"), program("scd"), program("pcscd")];
        let names: Vec<String> = holders(&running, &[]).into_iter().map(|program| program.name).collect();
        assert_eq!(names, ["scdaemon", "yubico-authenti"]);
    }

    #[test]
    fn this_program_runs() {
        assert!(programs().iter().any(|program| program.pid == std::process::id()));
    }
}
