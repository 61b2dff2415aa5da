//! What OpenSSH and PAM write when somebody logs in, or fails to. (OpenSSH: `auth_log` in auth.c; Linux-PAM:
//! pam_unix's session and auth messages.)

use super::trace::{self, Trace};

/// A login, as a message tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tried<'a> {
    pub(super) account: &'a str,
    pub(super) from: Option<&'a str>,
    pub(super) success: bool,
    /// The certificate, where it was one.
    pub(super) trace: Option<Trace>,
}

/// PAM services whose sessions need nobody's secret, and sshd, whose own message says more.
const NO_LOGIN: [&str; 15] = [
    "sshd",
    "cron",
    "crond",
    "atd",
    "anacron",
    "systemd-user",
    "sudo",
    "sudo-i",
    "runuser",
    "runuser-l",
    "polkit-1",
    "gdm-launch-environment",
    "lightdm-greeter",
    "sddm-greeter",
    "su-greeter",
];

/// Whether a line shows that its machine logs logins: sshd says them at its own default level, and so does PAM. Neither needs to be
/// switched on, so any line of theirs will do.
pub(super) fn logs_logins(program: &str, message: &str) -> bool {
    program.starts_with("sshd") || message.starts_with("pam_")
}

/// What that program's message says of a login, if it does.
pub(super) fn tried<'a>(program: &str, message: &'a str) -> Option<Tried<'a>> {
    if let Some(rest) = message.strip_prefix("message repeated ") {
        // rsyslog: "message repeated 3 times: [ … ]".
        let inner = rest.split_once(": [ ")?.1.strip_suffix(']')?;
        return tried(program, inner);
    }
    // Since 9.8 a connection is served by sshd-session, and authenticated by sshd-auth.
    if program.starts_with("sshd") { sshd(message) } else { None }.or_else(|| pam(message))
}

fn sshd(message: &str) -> Option<Tried<'_>> {
    let message = message.strip_prefix("error: ").unwrap_or(message);
    if let Some(rest) = message.strip_prefix("Accepted ") {
        let (method, who) = rest.split_once(" for ")?;
        // Whoever was let in has an account, whose name has no blank; what a certificate says of itself may have any.
        let (who, key) = who.split_once(" ssh2: ").unwrap_or((who, ""));
        let trace = (method == "publickey").then(|| trace::of_sshd(key)).flatten();
        return ssh_name(who, true).map(|tried| Tried { trace, ..tried });
    }
    if let Some(rest) = message.strip_prefix("Failed ") {
        let (method, who) = rest.split_once(" for ")?;
        // "none" is how a client asks which methods there are.
        return if method == "none" {
            None
        } else {
            ssh_name(who.strip_prefix("invalid user ").unwrap_or(who), false)
        };
    }
    if let Some(who) = message.strip_prefix("maximum authentication attempts exceeded for ") {
        return ssh_name(who.strip_prefix("invalid user ").unwrap_or(who), false);
    }
    if let Some(rest) = message.strip_prefix("User ") {
        let (who, _) = rest.rsplit_once(" not allowed because ").or_else(|| rest.rsplit_once(" from "))?;
        let (account, from) = who.rsplit_once(" from ")?;
        return Some(Tried { account, from: Some(from), success: false, trace: None });
    }
    if let Some(rest) = message.strip_prefix("ROOT LOGIN REFUSED FROM ") {
        return Some(Tried { account: "root", from: rest.split(' ').next(), success: false, trace: None });
    }
    None
}

/// `NAME from ADDRESS port N …`. The name is the stranger's text, the end is the server's: so it is read from the end.
fn ssh_name(who: &str, success: bool) -> Option<Tried<'_>> {
    let (account, rest) = who.rsplit_once(" from ")?;
    Some(Tried { account, from: rest.split(' ').next(), success, trace: None })
}

/// `pam_unix(SERVICE:session): session opened for user NAME(uid=0) by …` and
/// `pam_unix(SERVICE:auth): authentication failure; … rhost=… user=NAME`.
fn pam(message: &str) -> Option<Tried<'_>> {
    let rest = message.strip_prefix("pam_")?;
    let (module, rest) = rest.split_once("): ")?;
    let (service, kind) = module.split_once('(')?.1.split_once(':')?;
    if NO_LOGIN.contains(&service) {
        return None;
    }
    match kind {
        "session" => {
            let (name, by) = rest.strip_prefix("session opened for user ")?.rsplit_once(" by ")?;
            let account = name.split_once("(uid=").map_or(name, |(name, _)| name);
            let by = by.trim();
            // From root it needs no secret.
            let from_root = by == "(uid=0)" || by.starts_with("root(uid=0)");
            let su = matches!(service, "su" | "su-l");
            let from = by.split_once("(uid=").map(|(name, _)| name).filter(|name| !name.is_empty());
            (!(su && from_root)).then_some(Tried { account, from, success: true, trace: None })
        }
        "auth" => {
            let facts = rest.strip_prefix("authentication failure; ")?;
            let account = facts.rsplit_once(" user=")?.1;
            let from = facts.rsplit_once("rhost=").and_then(|(_, rest)| rest.split(' ').next());
            Some(Tried { account, from: from.filter(|from| !from.is_empty()), success: false, trace: None })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<'a>(program: &str, message: &'a str) -> Option<(&'a str, Option<&'a str>, bool)> {
        tried(program, message).map(|tried| (tried.account, tried.from, tried.success))
    }

    #[test]
    fn logins_and_failures_are_told_apart() {
        let from = Some("192.0.2.7");
        for (message, expected) in [
            ("Accepted password for admin from 192.0.2.7 port 50022 ssh2", ("admin", from, true)),
            (
                "Accepted publickey for admin from 192.0.2.7 port 5 ssh2: ED25519 SHA256:abc",
                ("admin", from, true),
            ),
            ("Accepted keyboard-interactive/pam for admin from 192.0.2.7 port 5 ssh2", ("admin", from, true)),
            ("Failed password for admin from 192.0.2.7 port 5 ssh2", ("admin", from, false)),
            ("Failed password for invalid user oracle from 192.0.2.7 port 5 ssh2", ("oracle", from, false)),
            (
                "message repeated 3 times: [ Failed password for admin from 192.0.2.7 port 5 ssh2]",
                ("admin", from, false),
            ),
            (
                "error: maximum authentication attempts exceeded for admin from 192.0.2.7 port 5 ssh2 [preauth]",
                ("admin", from, false),
            ),
            (
                "User admin from 192.0.2.7 not allowed because not listed in AllowUsers",
                ("admin", from, false),
            ),
            ("ROOT LOGIN REFUSED FROM 192.0.2.7 port 5", ("root", from, false)),
        ] {
            assert_eq!(of("sshd", message), Some(expected), "{message}");
            assert_eq!(of("sshd-session", message), Some(expected), "{message}");
        }
        for message in [
            "Failed none for invalid user x from 192.0.2.7 port 5 ssh2",
            "pam_unix(sshd:session): session opened for user admin(uid=0) by (uid=0)",
            "Connection closed by 192.0.2.7 port 5",
            "Accepted password",
            "",
        ] {
            assert_eq!(of("sshd", message), None, "{message}");
        }
    }

    #[test]
    fn a_name_cannot_pretend_to_be_another() {
        // The user name is "admin from 198.51.100.1 port 1 ssh2".
        let message =
            "Failed password for invalid user admin from 198.51.100.1 port 1 ssh2 from 192.0.2.7 port 5 ssh2";
        let read = of("sshd", message).unwrap();
        assert_eq!(read, ("admin from 198.51.100.1 port 1 ssh2", Some("192.0.2.7"), false));
        // Another program that repeats what a stranger said.
        assert_eq!(of("myapp", "Accepted password for admin from 192.0.2.7 port 5 ssh2"), None);
    }

    #[test]
    fn the_console_and_su_are_logins_too() {
        assert_eq!(
            of("login", "pam_unix(login:session): session opened for user root(uid=0) by LOGIN(uid=0)"),
            Some(("root", Some("LOGIN"), true))
        );
        assert_eq!(
            of("su", "pam_unix(su:session): session opened for user root(uid=0) by ada(uid=1000)"),
            Some(("root", Some("ada"), true))
        );
        assert_eq!(
            of("su", "pam_unix(su:session): session opened for user admin(uid=9) by root(uid=0)"),
            None
        );
        assert_eq!(
            of("CRON", "pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)"),
            None
        );
        assert_eq!(
            of(
                "login",
                "pam_unix(login:auth): authentication failure; logname=LOGIN uid=0 euid=0 tty=/dev/tty1 ruser= rhost=  user=root"
            ),
            Some(("root", None, false))
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String, at in 0..6usize) {
            let start = ["", "Accepted ", "Failed x for ", "User ", "pam_unix(su:session): ", "message repeated "][at];
            tried("sshd", &format!("{start}{text}"));
        }
    }
}
