//! Logs of real servers beside a real kit: OpenSSH on loopback, PostgreSQL, the headers that `logger` writes, journald where
//! it can be started. Each is read by the program, and its logins are held against openings that the program recorded.
#![cfg(feature = "audit")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[path = "support/postgres.rs"]
#[allow(dead_code)]
mod postgres;
#[path = "support/practice.rs"]
#[allow(dead_code)]
mod practice;
#[path = "support/tools.rs"]
#[allow(dead_code)]
mod tools;

#[path = "support/database.rs"]
mod database;
#[path = "audit_reconcile/journal.rs"]
mod journal;
#[path = "audit_reconcile/sshd.rs"]
mod logged;
#[path = "audit_reconcile/minted.rs"]
mod minted;
#[path = "support/nginx.rs"]
mod nginx_server;
#[path = "support/sshd.rs"]
mod sshd;

use practice::{PracticeKit, done};
use serde_json::Value;

/// An auditor's folder: a ledger with the records of that kit.
struct Auditor {
    folder: tempfile::TempDir,
}

impl Auditor {
    fn of(kit: &PracticeKit) -> Self {
        Auditor::at(kit.path())
    }

    fn at(kit: &Path) -> Self {
        let auditor = Auditor { folder: tempfile::tempdir().expect("a folder") };
        auditor.import_from(kit);
        auditor
    }

    fn import(&self, kit: &PracticeKit) {
        self.import_from(kit.path());
    }

    fn import_from(&self, kit: &Path) {
        let (journal, policy) = (kit.join("journal"), kit.join("policy"));
        let out = self.run(&["import", &journal.display().to_string(), &policy.display().to_string()]);
        assert!(matches!(out.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&out.stderr));
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut program = Command::new(env!("CARGO_BIN_EXE_breakglass-audit"));
        program.current_dir(self.folder.path()).env_remove("BREAKGLASS_LEDGER").args(arguments);
        program.output().expect("the program runs")
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).expect("writes");
        path
    }

    /// Reconciles and gives the exit code and the object.
    fn reconcile(&self, log: &Path, arguments: &[&str]) -> (i32, Value) {
        let log = log.display().to_string();
        let out = self.run(&[&["reconcile", "--json", &log], arguments].concat());
        let object = serde_json::from_slice(&out.stdout).unwrap_or_else(|_| {
            panic!("exit {:?}: {}", out.status.code(), String::from_utf8_lossy(&out.stderr))
        });
        (out.status.code().expect("an exit code"), object)
    }
}

/// Opens `core-fw/admin` in an incident.
fn open(kit: &PracticeKit) {
    let pins = PracticeKit::pins(3);
    let pins: Vec<&str> = pins.iter().map(String::as_str).collect();
    done(&kit.run(&PracticeKit::opening("core-fw/admin"), &pins));
}

fn rules(object: &Value) -> Vec<&str> {
    object["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|one| one["rule"].as_str().expect("a rule"))
        .collect()
}

fn credential(object: &Value) -> (u64, u64) {
    let one = &object["logs"][0]["credentials"][0];
    (one["logins"].as_u64().unwrap_or(0), one["failed"].as_u64().unwrap_or(0))
}

/// Seconds since 1970.
#[allow(clippy::disallowed_methods, reason = "the test compares with what real servers write now")]
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// A line of sshd in RFC 3339 form, so many seconds from now.
fn line(after: i64, message: &str) -> String {
    let at = jiff::Timestamp::from_second(now() + after).expect("a time");
    format!("{at} fw sshd[7]: {message}\n")
}

const ACCEPTED: &str = "Accepted password for admin from 192.0.2.7 port 5 ssh2";

#[test]
fn a_login_without_an_opening_is_wrong_and_with_one_it_is_not() {
    let kit = PracticeKit::new();
    let auditor = Auditor::of(&kit);
    let log = auditor.write("auth.log", line(-90_000, "up") + &line(0, ACCEPTED) + &line(90_000, "still up"));
    let arguments = ["--format", "ssh", "--credential", "core-fw/admin", "--name", "fw"];
    let (code, object) = auditor.reconcile(&log, &arguments);
    assert_eq!((code, rules(&object)), (6, vec!["LOGIN-WITHOUT-OPENING"]), "{object}");
    assert_eq!(object["findings"][0]["severity"], "critical");
    assert_eq!(object["logs"][0]["from_to"].as_array().map(Vec::len), Some(2));
    // `check` says the same from the ledger alone.
    let check = auditor.run(&["check", "--json"]);
    assert!(String::from_utf8_lossy(&check.stdout).contains("LOGIN-WITHOUT-OPENING"));
    // Once the opening's records have come in, the same log is no news.
    open(&kit);
    auditor.import(&kit);
    let (code, object) = auditor.reconcile(&log, &arguments);
    assert_eq!((code, rules(&object)), (0, vec![]), "{object}");
    // Read again, nothing is there twice.
    let out = auditor.run(&[
        "reconcile",
        &log.display().to_string(),
        "--format",
        "ssh",
        "--credential",
        "core-fw/admin",
        "--name",
        "fw",
    ]);
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(
        text.contains("core-fw/admin: 1 logins, 0 failed") && text.ends_with("nothing was found\n"),
        "{text}"
    );
}

#[test]
fn an_opening_that_nobody_used_and_one_that_no_log_covers_are_told() {
    let kit = PracticeKit::new();
    open(&kit);
    let auditor = Auditor::of(&kit);
    let arguments = ["--format", "ssh", "--credential", "core-fw/admin"];
    let quiet = auditor.write("quiet.log", line(-90_000, "up") + &line(90_000, "still up"));
    let (code, object) = auditor.reconcile(&quiet, &arguments);
    assert_eq!((code, rules(&object)), (1, vec!["OPENING-WITHOUT-LOGIN"]), "{object}");
    let auditor = Auditor::of(&kit);
    let early = auditor.write("early.log", line(-90_000, "up") + &line(-80_000, "still up"));
    let (code, object) = auditor.reconcile(&early, &arguments);
    assert_eq!((code, rules(&object)), (1, vec!["LOGIN-UNCOVERED"]), "{object}");
}

#[test]
fn a_log_that_cannot_show_a_login_covers_nothing_and_accuses_nobody() {
    let kit = PracticeKit::new();
    open(&kit);
    let map =
        |text: &str| format!("[[account]]\ncredential = \"core-fw/admin\"\naccount = \"admin\"\n{text}\n");
    let quiet = |host: &str| {
        let line = |after| line(after, "Server listening").replace(" fw ", &format!(" {host} "));
        line(-90_000) + &line(90_000)
    };
    let postgres = |message: &str| {
        let line = |after| line(after, "").replace("Z fw sshd[7]: ", &format!(" UTC [1] LOG:  {message}"));
        line(-90_000) + &line(90_000)
    };
    let (uncovered, due) = ("LOGIN-UNCOVERED", "OPENING-WITHOUT-LOGIN");
    for (format, bound, log, rule, why) in [
        ("ssh", "host = \"fw1\"", quiet("db9"), uncovered, Some("no line of it names the machine fw1")),
        ("ssh", "host = \"fw1\"", quiet("fw1"), due, None),
        ("postgres", "", postgres("checkpoint complete"), uncovered, Some("log_connections = on")),
        ("postgres", "", postgres("connection authorized: user=other database=x"), due, None),
    ] {
        let auditor = Auditor::of(&kit);
        let map = auditor.write("map.toml", map(bound)).display().to_string();
        let log = auditor.write("log", log);
        let (code, object) = auditor.reconcile(&log, &["--format", format, "--account-map", &map]);
        assert_eq!((code, rules(&object)), (1, vec![rule]), "{format}: {object}");
        let not_covered = object["logs"][0]["not_covered"][0]["why"].as_str();
        assert_eq!(not_covered.is_some(), why.is_some(), "{format}: {object}");
        assert!(not_covered.unwrap_or_default().contains(why.unwrap_or_default()), "{format}: {object}");
    }
    // A name that the map does not have: nothing is looked for, which is not nothing found.
    let auditor = Auditor::of(&kit);
    let map = auditor.write("map.toml", map("log = \"w\"")).display().to_string();
    let log = auditor.write("log", quiet("fw1")).display().to_string();
    let out = auditor.run(&["reconcile", &log, "--format", "ssh", "--account-map", &map, "--name", "other"]);
    let text = String::from_utf8_lossy(&out.stdout);
    assert_eq!(out.status.code(), Some(1), "{text}");
    assert!(text.contains("no account of it is looked for in the log other: its logs are w."), "{text}");
    assert!(!text.contains("nothing was found"), "{text}");
}

#[test]
fn what_cannot_be_read_or_is_not_said_ends_in_its_exit_code() {
    let kit = PracticeKit::new();
    let auditor = Auditor::of(&kit);
    let log = auditor.write("auth.log", "scratched\n".to_owned() + &line(0, "up"));
    let (code, object) = auditor.reconcile(&log, &["--format", "ssh", "--credential", "core-fw/admin"]);
    assert_eq!(code, 1);
    assert_eq!(object["logs"][0]["first_unreadable"][0]["line"], 1);
    let (code, object) = auditor.reconcile(&log, &["--format", "ssh", "--credential", "core-fw/nobody"]);
    assert_eq!((code, object["unknown"][0].as_str()), (1, Some("core-fw/nobody")));
    let log = log.display().to_string();
    for wrong in [
        vec!["reconcile", &log, "--format", "ssh"],
        vec!["reconcile", &log, "--format", "csv", "--credential", "core-fw/admin"],
        vec![
            "reconcile",
            &log,
            "--format",
            "ssh",
            "--credential",
            "core-fw/admin",
            "--timezone",
            "Mars/Olympus",
        ],
        vec![
            "reconcile",
            &log,
            "--format",
            "ssh",
            "--credential",
            "core-fw/admin",
            "--timezone",
            "../../etc/passwd",
        ],
        vec!["reconcile", &log, "--format", "ssh", "--credential", "core-fw"],
        vec!["reconcile", &log, "--format", "ssh", "--account-map", &log],
    ] {
        assert_eq!(auditor.run(&wrong).status.code(), Some(2), "{wrong:?}");
    }
    let gone = ["reconcile", "gone.log", "--format", "ssh", "--credential", "core-fw/admin"];
    assert_eq!(auditor.run(&gone).status.code(), Some(5));
}

#[test]
fn a_packed_log_and_zones_by_name_are_read() {
    use std::io::Write;
    let kit = PracticeKit::new();
    let auditor = Auditor::of(&kit);
    let path = auditor.folder.path().join("auth.log.2.gz");
    let mut packed = flate2::write::GzEncoder::new(
        std::fs::File::create(&path).expect("a file"),
        flate2::Compression::fast(),
    );
    packed
        .write_all(b"Jul 21 14:00:00 fw sshd[7]: Accepted password for root from 192.0.2.7 port 5 ssh2\n")
        .expect("writes");
    packed.finish().expect("ends");
    let map = auditor
        .write("map.toml", "[[account]]\ncredential = \"core-fw/admin\"\naccount = \"root\"\nlog = \"fw\"\n");
    let map = map.display().to_string();
    let arguments = [
        "--format",
        "ssh",
        "--account-map",
        &map,
        "--name",
        "fw",
        "--year",
        "2025",
        "--timezone",
        "Europe/Berlin",
    ];
    let (code, object) = auditor.reconcile(&path, &arguments);
    assert_eq!((code, rules(&object)), (6, vec!["LOGIN-WITHOUT-OPENING"]), "{object}");
    assert_eq!(object["findings"][0]["at"], 1_753_099_200, "12:00 UTC: {object}");
    assert_eq!(object["logs"][0]["notes"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_real_sshd_under_every_header_and_through_a_real_journal() {
    let kit = PracticeKit::new();
    open(&kit);
    let auditor = Auditor::of(&kit);
    let sshd = logged::Sshd::start();
    sshd.log_in();
    sshd.fail();
    let account = sshd.account.clone();
    let map = format!("[[account]]\ncredential = \"core-fw/admin\"\naccount = {account:?}\n");
    let map = auditor.write("map.toml", map).display().to_string();
    let (logs, said) = sshd.stop();
    for (name, log) in logs {
        let path = auditor.write(&name, &log);
        let arguments = ["--format", "ssh", "--account-map", &map, "--name", &name, "--timezone", "Etc/UTC"];
        let (_, object) = auditor.reconcile(&path, &arguments);
        let (logins, failed) = credential(&object);
        let text = String::from_utf8_lossy(&log);
        assert!(logins == 1 && failed >= 1, "{name}: {object}\n{text}");
        assert_eq!(object["logs"][0]["unreadable"], 0, "{name}: {object}\n{text}");
        let wrong = rules(&object).iter().filter(|rule| rule.contains("WITHOUT")).count();
        assert_eq!(wrong, 0, "the opening accounts for it: {object}");
    }
    // The same through journald, in both of its exports.
    let (json, export) = journal::of(&said);
    for (name, log) in [("journal.json", json), ("journal.export", export)] {
        let path = auditor.write(name, &log);
        let (_, object) = auditor.reconcile(&path, &["--format", "journal", "--account-map", &map]);
        let (logins, failed) = credential(&object);
        let text = String::from_utf8_lossy(&log);
        assert!(logins == 1 && failed >= 2, "{name}: {object}\n{text}");
        // What another program sent in sshd's name.
        assert_eq!(object["logs"][0]["unreadable"], 1, "{name}: {object}\n{text}");
        let why = object["logs"][0]["first_unreadable"][0]["why"].as_str().expect("a reason");
        assert!(why.contains("its _COMM is logger: not from sshd"), "{name}: {why}");
    }
}

/// PostgreSQL in each of its forms, and with several prefixes.
#[test]
fn a_real_postgresql_in_each_form_of_its_log() {
    let settings = "log_connections = on\nlogging_collector = on\nlog_destination = 'stderr,csvlog,jsonlog'\n\
        log_directory = 'log'\nlog_filename = 'pg.log'\nlog_file_mode = 0644\nlog_timezone = 'UTC'\nlc_messages = 'C'\n";
    let server = postgres::Server::start_with(None, settings);
    server.psql("postgres", "CREATE ROLE admin LOGIN PASSWORD 'right'").expect("a role");
    let psql = |password: &str| {
        let mut psql = Command::new(tools::debian("psql", "postgresql-client"));
        psql.args([
            "-X",
            "-w",
            "-h",
            "127.0.0.1",
            "-p",
            &server.port.to_string(),
            "-U",
            "admin",
            "-d",
            "postgres",
            "-c",
            "SELECT 1",
        ]);
        psql.env("PGPASSWORD", password).output().expect("psql runs").status.success()
    };
    let prefixes = ["%m [%p] ", "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ", "%n [%p] %q%u@%d "];
    for prefix in prefixes {
        server.psql("postgres", &format!("ALTER SYSTEM SET log_line_prefix = '{prefix}'")).expect("sets it");
        server.psql("postgres", "SELECT pg_reload_conf()").expect("reloads");
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert!(psql("right") && !psql("wrong"));
    }
    let read =
        |name: &str| server.psql("postgres", &format!("SELECT pg_read_file('log/{name}')")).expect("the log");
    let kit = PracticeKit::new();
    open(&kit);
    let auditor = Auditor::of(&kit);
    for name in ["pg.log", "pg.csv", "pg.json"] {
        let log = auditor.write(name, read(name));
        let (_, object) = auditor.reconcile(&log, &["--format", "postgres", "--credential", "core-fw/admin"]);
        assert_eq!(credential(&object), (prefixes.len() as u64, prefixes.len() as u64), "{name}: {object}");
        assert_eq!(object["logs"][0]["unreadable"], 0, "{name}: {object}");
        assert!(object["findings"].to_string().contains("127.0.0.1"), "{name}: {object}");
    }
}

/// What strangers and users of the database can have a real server write is no login, in no form of its log.
#[test]
fn a_real_postgresql_in_whose_log_others_write() {
    let settings = "log_connections = on\nlogging_collector = on\nlog_destination = 'stderr,csvlog,jsonlog'\n\
        log_line_prefix = '%m [%p] %q%u@%d '\nlog_directory = 'log'\nlog_filename = 'pg.log'\nlog_file_mode = 0644\n\
        log_timezone = 'UTC'\nlc_messages = 'C'\n";
    let server = postgres::Server::start_with(None, settings);
    let forged = "LOG:  connection authorized: user=admin";
    let line = format!("x\n2026-11-21 12:00:00 {forged}\n");
    for stranger in
        [&format!("{forged} database="), &line, "LOG:  connection authenticated: identity=\"a\" method=cert"]
    {
        let mut psql = Command::new(tools::debian("psql", "postgresql-client"));
        psql.args(["-X", "-w", "-h", "127.0.0.1", "-p", &server.port.to_string(), "-d", "postgres"]);
        let out = psql.args(["-U", stranger, "-c", "SELECT 1"]).env("PGPASSWORD", "x").output();
        assert!(!out.expect("psql runs").status.success(), "{stranger}");
    }
    let statement = format!("{forged} database=x");
    assert!(server.psql("postgres", &statement).is_err(), "it is no SQL");
    let raise = "DO $$ BEGIN RAISE LOG 'connection authorized: user=admin database=x'; END $$";
    server.psql("postgres", raise).expect("it raises");
    let kit = PracticeKit::new();
    let auditor = Auditor::of(&kit);
    for (name, lines) in [("pg.log", &[6, 30][..]), ("pg.csv", &[1, 1]), ("pg.json", &[1, 1])] {
        let text = server.psql("postgres", &format!("SELECT pg_read_file('log/{name}')")).expect("the log");
        let log = auditor.write(name, &text);
        let arguments = ["--format", "postgres", "--credential", "core-fw/admin", "--minted"];
        let (code, object) = auditor.reconcile(&log, &arguments);
        assert_eq!((code, credential(&object).0), (1, 0), "{name}: {object}\n{text}");
        assert_eq!(object["logs"][0]["minted"]["logins"], 0, "{name}: {object}\n{text}");
        let unreadable = object["logs"][0]["unreadable"].as_u64().expect("a number");
        assert!((lines[0]..=lines[1]).contains(&unreadable), "{name}: {object}\n{text}");
        assert!(object.to_string().contains("RAISE LOG"), "{name}: {object}");
    }
}
