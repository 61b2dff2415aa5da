//! systemd's journald in a namespace of its own, where its sockets and its journal are nobody else's.

use std::fs;
use std::process::Command;

use super::tools::{debian, debian_file};

/// Starts journald, hands it the lines from a program called sshd, one whose name has a control character, and one that another program
/// sends in sshd's name; and exports all. With a /proc of its own, since journald looks there for who sent a line.
const SCRIPT: &str = r#"
set -e
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/log/journal
"$1" 2>"$2/journald" &
for _ in $(seq 100); do [ -S /run/systemd/journal/dev-log ] && break; sleep 0.1; done
cp "$(command -v logger)" "$2/sshd"
{ cat "$2/said"; sleep 0.5; } | "$2/sshd" --socket /run/systemd/journal/dev-log --tag sshd --id=4711
{ echo "Accepted password for $3 from 198.51.100.9 port 5 ssh2"; sleep 0.5; } |
    logger --socket /run/systemd/journal/dev-log --tag sshd
printf 'SYSLOG_IDENTIFIER=sshd\nMESSAGE=Failed password for invalid user a\001b from 192.0.2.8 port 5 ssh2\n' >"$2/field"
"$2/sshd" --journald="$2/field"
printf 'SYSLOG_IDENTIFIER=sshd\nMESSAGE=Failed password for %s from 192.0.2.8 port 5 ssh2\n' "$3" >"$2/field"
"$2/sshd" --journald="$2/field"
for _ in $(seq 100); do
    journalctl --directory=/run/log/journal --no-pager --output=export >"$2/export" 2>/dev/null || true
    [ "$(grep -ac '192.0.2.8' "$2/export")" -ge 2 ] && break
    sleep 0.1
done
journalctl --directory=/run/log/journal --no-pager --output=json >"$2/json"
"#;

/// As JSON and in the export format.
pub(crate) fn of(said: &str) -> (Vec<u8>, Vec<u8>) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("said"), said).expect("writes");
    let journald = ["/lib/systemd/systemd-journald", "/usr/lib/systemd/systemd-journald"];
    let account = Command::new(debian("id", "coreutils")).arg("-un").output().expect("a name").stdout;
    let mut unshare = Command::new(debian("unshare", "util-linux"));
    unshare.args(["--mount", "--pid", "--fork", "--kill-child"]);
    if !rustix::process::getuid().is_root() {
        unshare.arg("--map-root-user");
    }
    unshare.args(["sh", "-c", SCRIPT, "sh"]).arg(debian_file(&journald, "systemd")).arg(folder.path());
    unshare.arg(String::from_utf8_lossy(&account).trim());
    let out = unshare.output().expect("unshare starts");
    let log = fs::read_to_string(folder.path().join("journald")).unwrap_or_default();
    assert!(out.status.success(), "{}\n{log}", String::from_utf8_lossy(&out.stderr));
    let read = |name: &str| fs::read(folder.path().join(name)).expect("an export");
    let export = read("export");
    assert!(memchr::memmem::find(&export, b"\nMESSAGE\n").is_some(), "a field that is no plain text");
    (read("json"), export)
}
