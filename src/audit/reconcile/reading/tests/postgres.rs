//! PostgreSQL's log as strangers and users of the database would like to write it.

use super::*;

const AT: &str = "2026-11-21 12:00:00.123 UTC [71] ";

fn of(log: &str) -> (Vec<Row>, Summary) {
    rows(Format::Postgres, Settings::default(), log.as_bytes())
}

/// Nothing was found, and that line is named with that reason.
fn refused(log: &str, line: u64, expected: &str) {
    let (found, summary) = of(log);
    assert_eq!(found, [], "{log}");
    let named = why(&summary);
    assert!(named.iter().any(|(at, why)| *at == line && why.contains(expected)), "{log}{named:?}");
    assert!(!summary.shows_logins, "{log}");
}

#[test]
fn a_name_in_the_prefix_makes_no_login_and_hides_none() {
    // As PostgreSQL 15 wrote it for  psql -U 'LOG:  connection authorized: user=root database='.
    refused(
        &format!(
            "{AT}LOG:  connection authorized: user=root database=@postgres FATAL:  password authentication failed for user \"LOG:  connection authorized: user=root database=\"\n"
        ),
        1,
        "may be a login or not: it has LOG, FATAL, LOG in one line",
    );
    // With the subject of a certificate, and where a field follows.
    let identity = "LOG:  connection authenticated: identity=\"CN=x\" method=cert";
    refused(&format!("{AT}{identity}@db DETAIL:  x\n"), 1, "may be a login or not");
    // A user called so, and an application: the login is said, and neither taken nor dropped.
    for line in [
        "ERROR:  @db LOG:  connection authorized: user=ERROR:   database=db",
        "admin@db LOG:  connection authorized: user=admin database=db application_name=HINT:  ",
        "DEBUG1:  @db FATAL:  password authentication failed for user \"DEBUG1:  \"",
    ] {
        refused(&format!("{AT}{line}\n"), 1, "may be a login or not");
    }
    let many = "HINT:  ".repeat(17);
    refused(
        &format!("{AT}{many}LOG:  connection authorized: user=root\n"),
        1,
        "HINT, HINT, HINT in one line",
    );
}

#[test]
fn a_statement_makes_no_login() {
    let forged = "LOG:  connection authorized: user=root database=x";
    let error = format!("{AT}bob@db ERROR:  syntax error at or near \"LOG\" at character 1\n");
    for word in ["STATEMENT", "DETAIL", "CONTEXT", "QUERY", "HINT", "LOCATION", "BACKTRACE", "NOTICE"] {
        refused(&format!("{error}{AT}bob@db {word}:  {forged}\n"), 2, "may be a login or not");
    }
    // What is no login in either reading is none, and can be read.
    for message in ["ERROR:  syntax error at or near \"LOG:  \"", "STATEMENT:  SELECT 'FATAL:  x'"] {
        let (found, summary) = of(&format!("{AT}bob@db {message}\n"));
        assert_eq!((found.len(), summary.unreadable), (0, 0), "{message}");
    }
    // One severity, and not that of the server's own word.
    for message in
        ["NOTICE:  connection authorized: user=root database=x", "ERROR:  role \"admin\" does not exist"]
    {
        let (found, summary) = of(&format!("{AT}bob@db {message}\n"));
        assert_eq!((found.len(), summary.unreadable), (0, 0), "{message}");
    }
}

#[test]
fn what_a_session_says_with_raise_log_is_no_login() {
    let login = format!("{AT}LOG:  connection authorized: user=root database=x\n");
    for next in ["CONTEXT:  PL/pgSQL function inline_code_block line 1 at RAISE", "STATEMENT:  DO $$ …"] {
        refused(&format!("{login}{AT}{next}\n"), 1, "RAISE LOG");
    }
    // Of another process it is another's; and the last line of a log is told, too.
    let other = "2026-11-21 12:00:00.123 UTC [72] STATEMENT:  x\n";
    for log in [format!("{login}{other}"), login.clone(), format!("{login}{login}")] {
        let (found, summary) = of(&log);
        assert_eq!(found[0], row(1, 0, "root", "", true), "{log}");
        assert_eq!((found.len(), summary.unreadable), (log.matches("LOG").count(), 0), "{log}");
    }
    // The other two forms say what the process was at.
    let csv = |tag: &str, context: &str| {
        format!(
            "2026-11-21 12:00:00.123 UTC,\"bob\",\"app\",71,\"192.0.2.7:5000\",65.1,2,\"{tag}\",2026-11-21 12:00:00 UTC,3/1,0,LOG,00000,\"connection authorized: user=root database=x\",,,,,\"{context}\",,,,\"\",\"client backend\",,0\n"
        )
    };
    refused(&csv("DO", ""), 1, "RAISE LOG");
    refused(&csv("", "PL/pgSQL function"), 1, "RAISE LOG");
    assert_eq!(of(&csv("", "")).0.len(), 1, "update_process_title is off");
    let json = r#"{"timestamp":"2026-11-21 12:00:00.123 UTC","error_severity":"LOG","ps":"DO","message":"connection authorized: user=root database=x"}"#;
    refused(json, 1, "RAISE LOG");
    let (found, summary) = of(&json.replace("\"LOG\"", "\"NOTICE\""));
    assert_eq!((found.len(), summary.unreadable), (0, 0));
}

#[test]
fn a_name_with_a_line_break_makes_no_login() {
    let forged = "2026-11-21 12:00:00 LOG:  connection authorized: user=root";
    let failed = " FATAL:  password authentication failed for user \"x\n\ty\"\n";
    // The line before is broken off; or the one after.
    refused(&format!("{AT}x\n{forged}\n{AT}@db{failed}"), 2, "right after a line that broke off");
    refused(&format!("{AT}LOG:  \n{forged}\n@db{failed}"), 2, "right before a line that is not whole");
    // Nor does it stretch what the log covers.
    let (_, summary) = of(&format!("{AT}x\n2020-01-01 12:00:00 LOG:  x\n{AT}LOG:  checkpoint complete\n"));
    assert_eq!(summary.from_to, None);
    let later = format!("{AT}LOG:  checkpoint complete\n").repeat(3);
    let (_, summary) = of(&format!("{AT}x\n2020-01-01 12:00:00 LOG:  x\n{later}"));
    assert_eq!(summary.from_to, Some((NOON, NOON)));
    // Nor does it show that connections are logged.
    for log in [
        format!("{AT}x\n2026-11-21 12:00:00 LOG:  connection received: host=x\n"),
        format!("{AT}LOG:  \n2026-11-21 12:00:00 LOG:  connection received: host=x\n@db{failed}"),
        format!("{AT}LOG:  connection received: host=x\n{AT}CONTEXT:  PL/pgSQL function\n"),
    ] {
        let (_, summary) = of(&log);
        assert!(
            !summary.shows_logins && !why(&summary).iter().any(|(_, why)| why.contains("login")),
            "{log}"
        );
    }
    // A login that comes later is one.
    let quiet = format!("{AT}LOG:  checkpoint complete\n").repeat(3);
    let (found, _) = of(&format!("cp: cannot stat\n{quiet}{AT}LOG:  connection authorized: user=root\n"));
    assert_eq!(found, [row(5, 0, "root", "", true)]);
}

#[test]
fn a_verbose_log_is_read() {
    let log = format!(
        "{AT}LOG:  00000: connection authorized: user=admin database=x\n{AT}LOCATION:  PerformAuthentication, postinit.c:292\n"
    );
    assert_eq!(of(&log).0, [row(1, 0, "admin", "", true)]);
    refused(&format!("{log}{AT}STATEMENT:  DO\n"), 1, "RAISE LOG");
}

#[test]
fn a_log_shows_logins_only_where_a_connection_is_in_it() {
    let lines = |message: &str| format!("{AT}LOG:  checkpoint starting: time\n{AT}{message}\n");
    for (message, shows) in [
        ("LOG:  checkpoint complete", false),
        // Logged even where log_connections is off.
        ("FATAL:  password authentication failed for user \"admin\"", false),
        ("LOG:  connection received: host=192.0.2.7 port=5432", true),
        ("LOG:  connection authorized: user=other database=x", true),
    ] {
        let summary = of(&lines(message)).1;
        assert_eq!((summary.shows_logins, summary.from_to), (shows, Some((NOON, NOON))), "{message}");
        assert_eq!(summary.whole(Format::Postgres).is_ok(), shows, "{message}");
    }
    let why = of(&lines("LOG:  x")).1.whole(Format::Postgres).unwrap_err();
    assert!(why.contains("log_connections = on"), "{why}");
}
