//! What a journal's line is of: what journald saw goes before what the line says.

use super::*;

const ACCEPTED: &str = "Accepted password for root from 192.0.2.7 port 5 ssh2";

/// One entry with these fields, in both exports.
fn both(fields: &[(&str, &str)], message: &str) -> [String; 2] {
    let fields =
        [&[("__REALTIME_TIMESTAMP", "1795262400000000")][..], fields, &[("MESSAGE", message)]].concat();
    let json: Vec<String> = fields.iter().map(|(name, value)| format!("{name:?}:{value:?}")).collect();
    let export: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    [format!("{{{}}}\n", json.join(",")), export.concat() + "\n"]
}

#[test]
fn a_line_that_says_it_is_of_sshd_must_come_from_sshd() {
    let sshd = ("SYSLOG_IDENTIFIER", "sshd");
    for fields in [
        vec![sshd],
        vec![sshd, ("_COMM", "sshd"), ("_UID", "0")],
        vec![("SYSLOG_IDENTIFIER", "sshd-session"), ("_COMM", "sshd-session"), ("_UID", "0")],
        vec![("_COMM", "sshd-auth"), ("_UID", "0")],
        vec![("SYSLOG_IDENTIFIER", "other"), ("_COMM", "sshd")],
    ] {
        for log in both(&fields, ACCEPTED) {
            let (found, summary) = rows(Format::Journal, Settings::default(), log.as_bytes());
            assert_eq!(found, [row(1, 0, "root", "192.0.2.7", true)], "{log}");
            assert_eq!(summary.unreadable, 0, "{log}");
        }
    }
    for (fields, expected) in [
        (vec![sshd, ("_COMM", "myapp"), ("_UID", "1000")], "its _COMM is myapp: not from sshd"),
        (vec![sshd, ("_COMM", "logger"), ("_UID", "0")], "its _COMM is logger: not from sshd"),
        // A program of somebody's own, called sshd.
        (vec![sshd, ("_COMM", "sshd"), ("_UID", "1000")], "its _UID is 1000: not from sshd"),
        (vec![sshd, ("_UID", "1000")], "its _UID is 1000: not from sshd"),
    ] {
        for log in both(&fields, ACCEPTED) {
            let (found, summary) = rows(Format::Journal, Settings::default(), log.as_bytes());
            assert_eq!(found, [], "{log}");
            assert!(why(&summary)[0].1.contains(expected), "{:?}", summary.first_unreadable);
        }
    }
    // sshd says goodbye as the user who was logged in.
    for log in
        both(&[sshd, ("_COMM", "sshd"), ("_UID", "1000")], "Disconnected from user ada 192.0.2.7 port 5")
    {
        assert_eq!(rows(Format::Journal, Settings::default(), log.as_bytes()).1.unreadable, 0);
    }
}

#[test]
fn a_session_of_pam_is_opened_by_root_or_by_su() {
    let message = |service: &str| {
        format!("pam_unix({service}:session): session opened for user root(uid=0) by ada(uid=1000)")
    };
    for (program, user, logins) in [("su", "1000", 1), ("login", "0", 1), ("logger", "1000", 0)] {
        let service = if program == "logger" { "login" } else { program };
        let fields = [("SYSLOG_IDENTIFIER", service), ("_COMM", program), ("_UID", user)];
        for log in both(&fields, &message(service)) {
            let (found, summary) = rows(Format::Journal, Settings::default(), log.as_bytes());
            assert_eq!((found.len(), summary.unreadable), (logins, 1 - logins as u64), "{log}");
        }
    }
}
