//! What of a log counts as looked at: its time, as far as it would show a login there.

use std::collections::{BTreeMap, BTreeSet};

use super::accounts::Accounts;
use super::reading::{Format, Stretch, Summary};

/// What a log does not cover, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotCovered {
    /// A credential, or what else was looked for.
    pub what: String,
    /// Why, and what to do about it.
    pub why: String,
}

impl Format {
    /// Why such a log covers nothing where it shows no login of anybody, and what to switch on.
    fn without_logins(self) -> &'static str {
        match self {
            Format::Ssh | Format::Journal => {
                "no line of sshd or PAM is in it: give the log that they write to (auth, authpriv)"
            }
            Format::Postgres => {
                "no connection of anybody is in it, so that it would not show a login either: switch on  log_connections = on"
            }
            Format::Nginx | Format::Entra => "no line of it can be read",
            Format::Windows => {
                "no logon of anybody is in it, so that it would not show a login either: switch on  auditpol /set /subcategory:Logon \
                 /success:enable /failure:enable  and export 4624, 4625, 4648, 4768, 4771 and 4776"
            }
            Format::Csv => {
                "no row of it is a login of anybody: export those that are, or correct  success  in the mapping"
            }
        }
    }
}

impl Summary {
    /// What this log covers of the credentials that it is about: of each the time, or why there is none. An account that is bound to a
    /// machine is covered by that machine's lines; a credential with accounts on several is, where lines of all are.
    pub fn covered<'a>(
        &self,
        format: Format,
        accounts: &'a Accounts,
        log: &'a str,
    ) -> (BTreeMap<&'a str, (i64, i64)>, Vec<NotCovered>) {
        let (mut covered, mut not) = (BTreeMap::new(), Vec::new());
        for (credential, machines) in accounts.machines(log) {
            match self.on(format, &machines) {
                Ok(from_to) => {
                    covered.insert(credential, from_to);
                }
                Err(why) => not.push(NotCovered { what: credential.to_owned(), why }),
            }
        }
        (covered, not)
    }

    /// The time of the whole of it, if it would show a login of anybody.
    ///
    /// # Errors
    /// Why it covers nothing.
    pub fn whole(&self, format: Format) -> Result<(i64, i64), String> {
        self.on(format, &BTreeSet::from([None]))
    }

    fn on(&self, format: Format, machines: &BTreeSet<Option<&str>>) -> Result<(i64, i64), String> {
        let (mut from, mut to) = (i64::MIN, i64::MAX);
        for machine in machines {
            let stretch = match machine {
                None => Stretch { from_to: self.from_to, shows_logins: self.shows_logins },
                Some(host) => {
                    let of_it = self.hosts.get(&host.to_ascii_lowercase()).copied().unwrap_or_default();
                    if of_it.from_to.is_none() && self.from_to.is_some() {
                        return Err(format!(
                            "no line of it names the machine {host}: give the log that has its lines, or correct  host  in the map"
                        ));
                    }
                    of_it
                }
            };
            let (first, last) = stretch.from_to.ok_or("no time is in any of it")?;
            if !stretch.shows_logins {
                let of = machine.map(|host| format!("of {host}: ")).unwrap_or_default();
                return Err(of + format.without_logins());
            }
            (from, to) = (from.max(first), to.min(last));
        }
        match from <= to {
            true => Ok((from, to)),
            false => Err("the lines of its machines have no time in common: give each machine's log a name of its own, and  log  in the map".into()),
        }
    }
}

impl Accounts {
    /// Why nothing is looked for in a log of that name, where the map names accounts of others.
    pub fn none_in(&self, log: &str) -> Option<NotCovered> {
        if self.is_empty() || self.of_log(log).next().is_some() {
            return None;
        }
        let logs: Vec<&str> = self.logs().into_iter().collect();
        Some(NotCovered {
            what: "the account map".into(),
            why: format!(
                "no account of it is looked for in the log {log}: its logs are {}. give one of these as --name, or correct  log  in the map",
                logs.join(", ")
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::super::reading::{Settings, read_of};
    use super::*;

    const LOG: &str = "2026-11-21T10:00:00Z fw1 sshd[1]: Server listening\n2026-11-21T11:00:00Z FW1 sshd[1]: Server listening\n\
        2026-11-21T12:00:00Z db9 sshd[1]: Server listening\n2026-11-21T12:00:00Z web kernel: up\n";

    fn covered(map: &str, log: &str) -> Result<(i64, i64), String> {
        let accounts = Accounts::parse(map).unwrap();
        let mut each = |_| ControlFlow::Continue(());
        let hosts = accounts.hosts("x");
        let summary =
            read_of(Format::Ssh, Settings::default(), &hosts, &mut log.as_bytes(), &mut each).unwrap();
        let (covered, mut not) = summary.covered(Format::Ssh, &accounts, "x");
        covered.get("core-fw/admin").copied().ok_or_else(|| not.pop().unwrap().why)
    }

    fn on(hosts: &[&str]) -> String {
        let entry = |host: &&str| format!("[[account]]\ncredential = \"core-fw/admin\"\nhost = {host:?}\n");
        hosts.iter().map(entry).collect()
    }

    #[test]
    fn an_account_of_a_machine_is_covered_by_its_lines_alone() {
        const TEN: i64 = 1_795_255_200;
        assert_eq!(covered("[[account]]\ncredential = \"core-fw/admin\"\n", LOG), Ok((TEN, TEN + 7_200)));
        assert_eq!(covered(&on(&["fw1"]), LOG), Ok((TEN, TEN + 3_600)));
        assert_eq!(covered(&on(&["DB9"]), LOG), Ok((TEN + 7_200, TEN + 7_200)));
        for (hosts, expected) in [
            (&["fw2"][..], "no line of it names the machine fw2"),
            (&["fw1", "fw2"], "no line of it names the machine fw2"),
            (&["fw1", "db9"], "no time in common"),
            (&["web"], "of web: no line of sshd or PAM is in it"),
        ] {
            let why = covered(&on(hosts), LOG).unwrap_err();
            assert!(why.contains(expected), "{why}");
        }
        assert_eq!(covered(&on(&["fw1"]), "").unwrap_err(), "no time is in any of it");
    }

    #[test]
    fn each_format_says_what_shows_that_it_shows_logins() {
        let mapping = "time = 1\naccount = 2\nno_heading = true\nsuccess = { column = 3, values = [\"in\"], failures = [\"no\"] }";
        for (format, log, shows) in [
            (Format::Ssh, "2026-11-21T10:00:00Z fw1 kernel: up", false),
            (Format::Ssh, "2026-11-21T10:00:00Z fw1 CRON[1]: pam_unix(cron:session): session opened", true),
            (
                Format::Journal,
                r#"{"__REALTIME_TIMESTAMP":"1","SYSLOG_IDENTIFIER":"sshd","MESSAGE":"x"}"#,
                true,
            ),
            (Format::Journal, r#"{"__REALTIME_TIMESTAMP":"1","_COMM":"x","MESSAGE":"x"}"#, false),
            (Format::Windows, r#"{"EventTime":"2026-11-21T10:00:00Z","EventID":4634}"#, false),
            (
                Format::Windows,
                r#"{"EventTime":"2026-11-21T10:00:00Z","EventID":4624,"TargetUserName":"x"}"#,
                true,
            ),
            (Format::Entra, r#"{"createdDateTime":"2026-11-21T10:00:00Z"}"#, true),
            (
                Format::Nginx,
                "192.0.2.8 [2026-11-21T12:00:02+00:00] \"GET / HTTP/1.1\" 400 verify=NONE serial=- dn=\"-\"",
                true,
            ),
            (Format::Csv, "2026-11-21T12:00:02Z,a,maybe", false),
            (Format::Csv, "2026-11-21T12:00:02Z,a,no", true),
        ] {
            let mapping = super::super::Mapping::parse(mapping).ok();
            let settings = Settings { mapping, ..Settings::default() };
            let mut each = |_| ControlFlow::Continue(());
            let summary = read_of(format, settings, &[], &mut log.as_bytes(), &mut each).unwrap();
            assert!(
                summary.from_to.is_some() && summary.unreadable == 0,
                "{log}: {:?}",
                summary.first_unreadable
            );
            assert_eq!(summary.whole(format).is_ok(), shows, "{log}");
        }
    }

    #[test]
    fn a_log_that_the_map_does_not_know_is_told_which_it_knows() {
        let map = "[[account]]\ncredential = \"core-fw/admin\"\nlog = \"w\"\n";
        let accounts = Accounts::parse(map).unwrap();
        assert_eq!(accounts.none_in("w"), None);
        assert!(accounts.none_in("other").unwrap().why.contains("its logs are w."));
        assert_eq!(Accounts::default().none_in("other"), None, "only minted credentials are looked for");
    }
}
