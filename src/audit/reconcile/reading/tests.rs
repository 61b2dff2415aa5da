//! Each format by samples, and by bytes that are none. What real servers write is read in `tests/audit_reconcile.rs`; the
//! samples of Windows and Entra were written by hand after the vendors' documentation that each reader names.

use super::*;

mod journal;
mod minted;
mod postgres;
mod windows;

/// 2026-11-21 12:00:00 UTC.
pub(super) const NOON: i64 = 1_795_262_400;

/// Line, seconds after noon, account, from, success.
pub(super) type Row = (u64, i64, String, String, bool);

pub(super) fn rows(format: Format, settings: Settings, bytes: &[u8]) -> (Vec<Row>, Summary) {
    let mut found = Vec::new();
    let summary = read(format, settings, &mut &bytes[..], &mut |sighting| {
        let from = sighting.from.unwrap_or_default();
        found.push((sighting.line, sighting.at - NOON, sighting.account, from, sighting.success));
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(summary.hash, Hash::of(bytes), "all of it was read");
    (found, summary)
}

pub(super) fn row(line: u64, after: i64, account: &str, from: &str, success: bool) -> Row {
    (line, after, account.into(), from.into(), success)
}

fn dated() -> Settings {
    let mut clock = Clock::default();
    clock.file_time = Some(NOON + 3_600);
    Settings { clock, ..Settings::default() }
}

fn why(summary: &Summary) -> Vec<(u64, &str)> {
    summary.first_unreadable.iter().map(|one| (one.line, one.why.as_str())).collect()
}

#[test]
fn every_header_of_syslog_gives_the_same_login() {
    let message = "Accepted publickey for admin from 192.0.2.7 port 50022 ssh2: ED25519 SHA256:x";
    for header in [
        "Nov 21 12:00:00 fw sshd[71]: ",
        "<38>Nov 21 12:00:00 fw sshd[71]: ",
        "Nov 21 12:00:00 sshd[71]: ",
        "Nov 21 12:00:00 2026 fw sshd[71]: ",
        "2026-11-21T12:00:00.123456+00:00 fw sshd[71]: ",
        "2026-11-21T13:00:00+01:00 fw sshd-session[71]: ",
        "<38>1 2026-11-21T12:00:00.5Z fw sshd 71 - - ",
        "1 2026-11-21T12:00:00Z fw sshd 71 - [timeQuality tzKnown=\"1\" x=\"a\\]b\"][y] ",
    ] {
        let text = format!("{header}{message}\n");
        let (found, summary) = rows(Format::Ssh, dated(), text.as_bytes());
        assert_eq!(found, [row(1, 0, "admin", "192.0.2.7", true)], "{header}");
        assert_eq!(
            (summary.pieces, summary.unreadable, summary.from_to),
            (1, 0, Some((NOON, NOON))),
            "{header}"
        );
    }
}

#[test]
fn a_year_after_the_time_counts_and_a_host_of_four_digits_is_a_host() {
    let message = "Accepted password for admin from 192.0.2.7 port 5 ssh2\n";
    // No date of a file, and no --year: the line says it.
    let log = format!("Nov 21 12:00:00 2026 fw sshd[1]: {message}Nov 21 12:00:00 2025 fw sshd[1]: {message}");
    let (found, summary) = rows(Format::Ssh, Settings::default(), log.as_bytes());
    let admin = |line, after| row(line, after, "admin", "192.0.2.7", true);
    assert_eq!((found, summary.unreadable), (vec![admin(1, 0), admin(2, -365 * 86_400)], 0));
    let mut host = None;
    for (log, expected) in [
        ("Nov 21 12:00:00 2026 sshd[1]: ", "2026"),
        ("Nov 21 12:00:00 2026 fw sshd[1]: ", "fw"),
        ("Nov 21 12:00:00 2100 sshd[1]: ", "2100"),
    ] {
        let log = format!("{log}{message}");
        read(Format::Ssh, dated(), &mut log.as_bytes(), &mut |sighting| {
            host = sighting.host;
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(host.as_deref(), Some(expected), "{log}");
    }
}

#[test]
fn lines_that_cannot_be_read_are_named_and_the_rest_is_read() {
    let log = b"Nov 21 11:00:00 fw kernel: up\r\n\r\nscratched \xFF\xFE\nNov 31 12:00:00 fw sshd[1]: x\n\
        Nov 21 12:00:00 fw sshd[9]: Failed password for admin from 192.0.2.7 port 5 ssh2";
    let (found, summary) = rows(Format::Ssh, dated(), log);
    assert_eq!(found, [row(5, 0, "admin", "192.0.2.7", false)]);
    assert_eq!(summary.from_to, Some((NOON - 3_600, NOON)));
    assert_eq!(why(&summary), [(3, "does not begin with a time"), (4, "no such day")]);
    assert_eq!(summary.pieces, 4);
    assert_eq!(summary.notes.len(), 2);
    // Without year and date of a file, nothing is guessed.
    let (found, summary) = rows(Format::Ssh, Settings::default(), log);
    assert!(found.is_empty() && summary.from_to.is_none());
    assert_eq!(summary.unreadable, 4);
}

#[test]
fn many_lines_that_cannot_be_read_are_counted() {
    let log = "x\n".repeat(1_000);
    let (_, summary) = rows(Format::Ssh, dated(), log.as_bytes());
    assert_eq!((summary.unreadable, summary.first_unreadable.len()), (1_000, MOST_UNREADABLE));
}

#[test]
fn a_journal_as_json_is_read() {
    let log = r#"{"__REALTIME_TIMESTAMP":"1795262400999999","_HOSTNAME":"fw","SYSLOG_IDENTIFIER":"sshd","MESSAGE":"Accepted password for admin from 192.0.2.7 port 5 ssh2"}
{"__REALTIME_TIMESTAMP":"1795262401000000","_SOURCE_REALTIME_TIMESTAMP":"1795262402000000","_COMM":"su","MESSAGE":[112,97,109,95,117,110,105,120,40,115,117,58,115,101,115,115,105,111,110,41,58,32,115,101,115,115,105,111,110,32,111,112,101,110,101,100,32,102,111,114,32,117,115,101,114,32,114,111,111,116,40,117,105,100,61,48,41,32,98,121,32,97,100,97,40,117,105,100,61,49,41]}
{"__REALTIME_TIMESTAMP":"1795262403000000","SYSLOG_IDENTIFIER":["sshd","sshd"],"MESSAGE":null}
{"MESSAGE":"x"}
{"__REALTIME_TIMESTAMP":
"#;
    let (found, summary) = rows(Format::Journal, Settings::default(), log.as_bytes());
    assert_eq!(found, [row(1, 0, "admin", "192.0.2.7", true), row(2, 2, "root", "ada", true)]);
    assert_eq!(summary.from_to, Some((NOON, NOON + 3)));
    assert_eq!(summary.first_unreadable.iter().map(|one| one.line).collect::<Vec<_>>(), [4, 5]);
}

#[test]
fn a_journal_as_export_is_read_binary_fields_included() {
    let mut log =
        b"__CURSOR=s=1\n__REALTIME_TIMESTAMP=1795262400000000\n_HOSTNAME=fw\nSYSLOG_IDENTIFIER=sshd\n\
        MESSAGE=Accepted password for admin from 192.0.2.7 port 5 ssh2\n\n\
        __REALTIME_TIMESTAMP=1795262405000000\n_COMM=sshd\nMESSAGE\n"
            .to_vec();
    let message = b"Failed password for invalid user a\nb from 192.0.2.8 port 5 ssh2";
    log.extend_from_slice(&(message.len() as u64).to_le_bytes());
    log.extend_from_slice(message);
    log.extend_from_slice(
        b"\nOTHER\n\x03\0\0\0\0\0\0\0\n\n\n\n\n__REALTIME_TIMESTAMP=1795262406000000\nMESSAGE=x\n",
    );
    let (found, summary) = rows(Format::Journal, Settings::default(), &log);
    assert_eq!(found, [row(1, 0, "admin", "192.0.2.7", true), row(7, 5, "a b", "192.0.2.8", false)]);
    assert_eq!((summary.pieces, summary.unreadable), (3, 0));
    // A length beyond the end is said, not believed.
    let cut = b"__REALTIME_TIMESTAMP=1795262400000000\nMESSAGE\n\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7Fabc";
    let (found, summary) = rows(Format::Journal, Settings::default(), cut);
    assert!(found.is_empty());
    assert_eq!(summary.unreadable, 1);
}

#[test]
fn postgres_by_prefixes_of_several_kinds() {
    for prefix in [
        "2026-11-21 12:00:00.123 UTC [71] ",
        "2026-11-21 13:00:00 +01 [71]: [3-1] user=x,db=y,app=z,client=192.0.2.9 ",
        "1795262400.123 [71] ",
        "db1 2026-11-21 12:00:00.123 GMT [71] postgres@app ",
    ] {
        let text = format!(
            "{prefix}LOG:  connection received: host=192.0.2.7 port=5432\n\
             {prefix}LOG:  connection authorized: user=admin database=app application_name=psql SSL enabled\n\
             {prefix}FATAL:  password authentication failed for user \"admin\"\n\
             {prefix}DETAIL:  Connection matched pg_hba.conf line 1: \"local all all scram-sha-256\"\n\
             \tmore of it\n"
        );
        let (found, summary) = rows(Format::Postgres, Settings::default(), text.as_bytes());
        let from = "192.0.2.7";
        assert_eq!(found, [row(2, 0, "admin", from, true), row(3, 0, "admin", from, false)], "{prefix}");
        assert_eq!(summary.unreadable, 0, "{prefix}: {:?}", summary.first_unreadable);
    }
    let (_, summary) =
        rows(Format::Postgres, Settings::default(), b"LOG:  connection authorized: user=admin\nx\n");
    let lines: Vec<u64> = summary.first_unreadable.iter().map(|one| one.line).collect();
    assert_eq!(lines, [1, 2]);
}

#[test]
fn postgres_refusals_of_every_kind() {
    for message in [
        "Ident authentication failed for user \"admin\"",
        "no pg_hba.conf entry for host \"192.0.2.7\", user \"admin\", database \"app\", no encryption",
        "pg_hba.conf rejects connection for host \"192.0.2.7\", user \"admin\", database \"app\"",
        "role \"admin\" does not exist",
        "role \"admin\" is not permitted to log in",
    ] {
        let text = format!("2026-11-21 12:00:00.123 UTC [71] FATAL:  {message}\n");
        let (found, _) = rows(Format::Postgres, Settings::default(), text.as_bytes());
        assert_eq!(found, [row(1, 0, "admin", "", false)], "{message}");
    }
}

#[test]
fn postgres_csvlog_and_jsonlog() {
    let csv = "2026-11-21 12:00:00.123 UTC,\"admin\",\"app\",71,\"192.0.2.7:5000\",65.1,2,\"authentication\",2026-11-21 12:00:00 UTC,3/1,0,LOG,00000,\"connection authorized: user=admin database=app\",,,,,,,,,\"\",\"client backend\",,0\n\
        2026-11-21 12:00:05.123 UTC,\"ada\",\"app\",72,\"[local]\",65.1,2,\"idle\",2026-11-21 12:00:00 UTC,3/1,0,ERROR,42601,\"syntax error\nin \"\"two\"\" lines\",,,,,,,,,\"\",\"client backend\",,0\n\
        2026-11-21 12:00:06.123 UTC,\"admin\",\"app\",72,\"[local]\",65.1,2,\"authentication\",2026-11-21 12:00:00 UTC,3/1,0,FATAL,28P01,\"password authentication failed for user \"\"admin\"\"\",,,,,,,,,\"\",\"client backend\",,0\n\
        1,2\n";
    let (found, summary) = rows(Format::Postgres, Settings::default(), csv.as_bytes());
    assert_eq!(found, [row(1, 0, "admin", "192.0.2.7", true), row(4, 6, "admin", "[local]", false)]);
    assert_eq!(why(&summary), [(5, "2 columns, and a csvlog has 14 at least")]);
    let json = r#"{"timestamp":"2026-11-21 12:00:00.123 UTC","user":"admin","dbname":"app","pid":7,"remote_host":"[local]","error_severity":"LOG","message":"connection authorized: user=admin database=app"}
{"pid":7}"#;
    let (found, summary) = rows(Format::Postgres, Settings::default(), json.as_bytes());
    assert_eq!(found, [row(1, 0, "admin", "[local]", true)]);
    assert_eq!(summary.first_unreadable[0].line, 2);
}

#[test]
fn entra_sign_ins_from_graph_from_the_portal_and_from_azure_monitor() {
    let sign_in = |second: u8, code: u32| {
        format!(
            "{{\n \"id\": \"x\",\n \"createdDateTime\": \"2026-11-21T12:00:0{second}Z\",\n \"userPrincipalName\": \"bg1@example.org\",\n \
             \"ipAddress\": \"192.0.2.7\",\n \"isInteractive\": true,\n \"status\": {{\"errorCode\": {code}, \"failureReason\": \"a ] \\\" }} b\"}},\n \"location\": null}}"
        )
    };
    let (one, two) = (sign_in(0, 0), sign_in(5, 50126));
    let expected =
        [row(1, 0, "bg1@example.org", "192.0.2.7", true), row(2, 5, "bg1@example.org", "192.0.2.7", false)];
    let unlined = |text: String| text.replace('\n', "");
    for log in [
        format!("{}\n{}\n", unlined(one.clone()), unlined(two.clone())),
        format!("[{},\n{}]", unlined(one.clone()), unlined(two.clone())),
        format!(
            "{{\"@odata.context\":\"c\",\"value\":[{},\n{}],\"@odata.nextLink\":\"n\"}}",
            unlined(one.clone()),
            unlined(two.clone())
        ),
        // Two pages, one after the other.
        format!(
            "{{\"value\": [{}]}}\n{{\"@odata.x\":[1],\"value\":[{}]}}",
            unlined(one.clone()),
            unlined(two.clone())
        ),
        format!(
            "{{\"time\":\"2026-11-21T12:00:00Z\",\"category\":\"SignInLogs\",\"resultType\":\"0\",\"properties\":{}}}\n{{\"time\":\"2020-01-01T00:00:00Z\",\"properties\":{}}}",
            unlined(one.clone()),
            unlined(two.clone())
        ),
    ] {
        let (found, summary) = rows(Format::Entra, Settings::default(), log.as_bytes());
        assert_eq!(found, expected, "{log}");
        assert_eq!(summary.unreadable, 0, "{log}");
    }
    let log = format!("[\n{one},\n{{\"createdDateTime\": 5}},\n{two}\n]\n");
    let (found, summary) = rows(Format::Entra, Settings::default(), log.as_bytes());
    assert_eq!(found.iter().map(|row| row.0).collect::<Vec<_>>(), [2, 11]);
    assert_eq!(summary.first_unreadable[0].line, 10);
}

#[test]
fn any_csv_by_a_mapping() {
    let mapping = Mapping::parse(
        "time = \"Date (UTC)\"\naccount = \"Username\"\nsource = \"IP address\"\n\
         success = { column = \"Status\", values = [\"Success\"], failures = [\"Failure\"] }\n",
    )
    .unwrap();
    let log = "Date (UTC),Username,IP address,Status\n2026-11-21T12:00:00Z,\"bg1\",192.0.2.7,Success\n\
        2026-11-21T12:00:01Z,bg1,,Failure\n2026-11-21T12:00:02Z,bg1,,Interrupted\nyesterday,bg1,,Success\n\"2026\n";
    let settings = || Settings { mapping: Some(mapping.clone()), ..Settings::default() };
    let (found, summary) = rows(Format::Csv, settings(), log.as_bytes());
    assert_eq!(found, [row(2, 0, "bg1", "192.0.2.7", true), row(3, 1, "bg1", "", false)]);
    assert_eq!(summary.from_to, Some((NOON, NOON + 2)));
    assert_eq!(why(&summary)[0], (5, "\"yesterday\" is no time of RFC 3339"));
    assert_eq!(summary.first_unreadable[1].line, 6);

    let mapping = Mapping::parse(
        "time = 2\naccount = 1\ntime_format = \"unix-ms\"\ndelimiter = \";\"\nno_heading = true\n",
    );
    let settings = Settings { mapping: Some(mapping.unwrap()), ..Settings::default() };
    let (found, _) = rows(Format::Csv, settings, b"root;1795262400999\n");
    assert_eq!(found, [row(1, 0, "root", "", true)]);
    for wrong in [
        "time = 1",
        "time = 1\naccount = 0",
        "time = 1\naccount = \"x\"\nno_heading = true",
        "time = 1\naccount = 2\ndelimiter = \"\u{e4}\"",
        "tim = 1",
    ] {
        assert!(Mapping::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_name_with_a_quote_in_it_hides_no_row() {
    let mapping = Mapping::parse("time = 1\naccount = 2\nsource = 3\nno_heading = true\n").unwrap();
    let log = "2026-11-21T12:00:00Z,bg\"1,192.0.2.7\n2026-11-21T12:00:01Z,bg1,192.0.2.8\n\
        2026-11-21T12:00:02Z,\"b\"\"g\n1\",192.0.2.9\n2026-11-21T12:00:03Z,\"bg\"1\",192.0.2.9\n2026-11-21T12:00:04Z,bg1,\n";
    let settings = Settings { mapping: Some(mapping), ..Settings::default() };
    let (found, summary) = rows(Format::Csv, settings, log.as_bytes());
    let expected = [
        row(1, 0, "bg\"1", "192.0.2.7", true),
        row(2, 1, "bg1", "192.0.2.8", true),
        row(3, 2, "b\"g\n1", "192.0.2.9", true),
        row(5, 3, "bg1\"", "192.0.2.9", true),
        row(6, 4, "bg1", "", true),
    ];
    assert_eq!((found, summary.unreadable, summary.pieces), (expected.to_vec(), 0, 5));
}

#[test]
fn an_object_that_was_cut_off_takes_no_other_with_it() {
    let entry = |second: u8| {
        format!(
            "{{\"__REALTIME_TIMESTAMP\":\"17952624{second:02}000000\",\"SYSLOG_IDENTIFIER\":\"sshd\",\"MESSAGE\":\"Accepted password for admin from 192.0.2.7 port 5 ssh2\"}}\n"
        )
    };
    let log = format!("{}{}\n{}{}", entry(0), &entry(1)[..90], entry(2), entry(3));
    let (found, summary) = rows(Format::Journal, Settings::default(), log.as_bytes());
    let expected = [(1, 0), (3, 2), (4, 3)].map(|(line, at)| row(line, at, "admin", "192.0.2.7", true));
    assert_eq!((found, summary.unreadable, summary.pieces), (expected.to_vec(), 1, 4));
    assert_eq!(summary.first_unreadable[0].line, 2);
}

#[test]
fn a_reader_that_is_told_to_stop_stops() {
    let log = "Nov 21 12:00:00 fw sshd[9]: Failed password for admin from 192.0.2.7 port 5 ssh2\n".repeat(10);
    let mut seen = 0;
    let summary = read(Format::Ssh, dated(), &mut log.as_bytes(), &mut |_| {
        seen += 1;
        if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((seen, summary.unwrap().pieces), (3, 3));
}

/// Endless text, of which no more than a cap may be held.
struct Endless(u64, u8);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(usize::try_from(self.0).unwrap_or(usize::MAX));
        buffer[..count].fill(self.1);
        self.0 -= count as u64;
        Ok(count)
    }
}

#[test]
fn what_never_ends_is_passed_over() {
    const LENGTH: u64 = 20 * 1024 * 1024;
    let end = b"\nNov 21 12:00:00 fw sshd[9]: Failed password for admin from 192.0.2.7 port 5 ssh2\n";
    let mut lines = 0;
    let mut log = Endless(LENGTH, b'x').chain(&end[..]);
    let summary = read(Format::Ssh, dated(), &mut log, &mut |_| {
        lines += 1;
        ControlFlow::Continue(())
    });
    assert_eq!((lines, summary.unwrap().unreadable), (1, 1));
    for (format, start) in [
        (Format::Entra, &b"{\"a\":\""[..]),
        (Format::Windows, b"Id,TimeCreated\n\""),
        (Format::Journal, b"MESSAGE="),
        (Format::Journal, b"MESSAGE\n\xFF\xFF\xFF\xFF\0\0\0\0"),
        (Format::Entra, b"[1"),
        (Format::Csv, b"a,b\n\""),
    ] {
        let mut log = start.chain(Endless(LENGTH, b'x'));
        let summary =
            read(format, Settings::default(), &mut log, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(summary.unreadable, 1, "{format:?} {start:?}");
    }
}

pub(super) const FORMATS: [Format; 6] =
    [Format::Ssh, Format::Journal, Format::Postgres, Format::Entra, Format::Windows, Format::Csv];

proptest::proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(format in 0..6usize, start in 0..8usize, bytes: Vec<u8>, text: String) {
        let starts: [&[u8]; 8] = [
            b"", b"{\"value\":[{", b"[{\"Event\":{\"System\":{", b"Id,TimeCreated,Message\n4624,2026-11-21 12:00:00,\"",
            b"MESSAGE\n\x05\0\0\0\0\0\0\0", b"2026-11-21 12:00:00.1 UTC,\"", b"\xFF\xFE", b"<38>1 2026-11-21T12:00:00Z a sshd 1 - [",
        ];
        let mapping = Some(Mapping { time: Column::Number(1), account: Column::Number(2), ..Mapping::default() });
        let input = [starts[start], &bytes[..], text.as_bytes()].concat();
        let settings = Settings { mapping, ..dated() };
        let summary = read(FORMATS[format], settings, &mut &input[..], &mut |_| ControlFlow::Continue(())).unwrap();
        proptest::prop_assert!(summary.unreadable <= summary.pieces);
        proptest::prop_assert_eq!(summary.hash, Hash::of(&input));
    }
}

use super::super::table::Column;
