//! Lines that show a minted credential.

use super::*;
use crate::audit::reconcile::{Mapping, Trace};

fn traces(format: Format, settings: Settings, text: &str) -> Vec<(String, bool, Option<Trace>)> {
    let mut found = Vec::new();
    read(format, settings, &mut text.as_bytes(), &mut |sighting| {
        found.push((sighting.account, sighting.success, sighting.trace));
        ControlFlow::Continue(())
    })
    .unwrap();
    found
}

#[test]
fn sshd_names_number_key_and_authority_of_a_certificate() {
    let key = "ECDSA-CERT SHA256:mine ID bg|inc=INC-42|op=ada|rec=23112/7 (serial 99265284112391) CA ECDSA SHA256:ca";
    let line = format!(
        "Nov 21 12:00:00 fw sshd[71]: Accepted publickey for bgadmin from 192.0.2.7 port 5 ssh2: {key}\n"
    );
    let found = traces(Format::Ssh, dated(), &line);
    let [(account, true, Some(Trace::Ssh { number, authority, subject, identity }))] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!((account.as_str(), number.as_str()), ("bgadmin", "99265284112391"));
    assert_eq!((authority.as_str(), subject.as_str()), ("ca", "mine"));
    assert_eq!(identity, "bg|inc=INC-42|op=ada|rec=23112/7");
    // A key id that would pass for the end of another line.
    let line = line.replace("ID bg|", "ID x from 198.51.100.1 port 1 ssh2: bg|");
    let (found, _) = rows(Format::Ssh, dated(), line.as_bytes());
    assert_eq!(found, [row(1, 0, "bgadmin", "192.0.2.7", true)]);
}

#[test]
fn nginx_names_the_serial_number_and_the_subject() {
    let text = "\
192.0.2.7 [2026-11-21T12:00:00+00:00] \"GET / HTTP/1.1\" 200 verify=SUCCESS serial=4200AB dn=\"CN=ada,OU=INC-1,O=x\"
192.0.2.7 [2026-11-21T12:00:01+00:00] \"GET /a\\x22 200 verify=SUCCESS HTTP/1.1\" 400 verify=FAILED:certificate revoked serial=4200AC dn=\"CN=ada,OU=INC-1,O=x\"
192.0.2.8 [2026-11-21T12:00:02+00:00] \"GET / HTTP/1.1\" 400 verify=NONE serial=- dn=\"-\"
192.0.2.8 - - [21/Nov/2026:12:00:02 +0000] \"GET / HTTP/1.1\" 200 5
";
    let found = traces(Format::Nginx, dated(), text);
    let of = |number: &str| Some(Trace::X509 { number: number.into(), name: "CN=ada,OU=INC-1,O=x".into() });
    assert_eq!(found, [(String::new(), true, of("4200AB")), (String::new(), false, of("4200AC"))]);
    let (_, summary) = rows(Format::Nginx, dated(), text.as_bytes());
    assert_eq!((summary.from_to, summary.unreadable), (Some((NOON, NOON + 2)), 1));
}

#[test]
fn postgresql_names_the_subject() {
    let text = "\
2026-11-21 12:00:00.000 UTC [9] LOG:  connection authenticated: identity=\"CN=dba,OU=INC-42,O=Example\" method=cert (/etc/pg_hba.conf:1)
2026-11-21 12:00:00.001 UTC [9] LOG:  connection authorized: user=breakglass database=postgres SSL enabled
2026-11-21 12:00:00.002 UTC [9] LOG:  connection authenticated: identity=\"admin\" method=scram-sha-256 (/etc/pg_hba.conf:2)
";
    let found = traces(Format::Postgres, dated(), text);
    let name = Trace::Name("CN=dba,OU=INC-42,O=Example".into());
    assert_eq!(found, [(String::new(), true, Some(name)), ("breakglass".into(), true, None)]);
}

#[test]
fn a_column_of_numbers_needs_no_account() {
    let settings = |text: &str| Settings { mapping: Some(Mapping::parse(text).unwrap()), ..dated() };
    let text =
        "when,jti,who\n2026-11-21T12:00:00Z,AbC,ada\n2026-11-21T12:00:01Z,-,bob\n2026-11-21T12:00:02Z,,\n";
    let number =
        |number: &str, account: &str| Some(Trace::Number { number: number.into(), account: account.into() });
    let found = traces(Format::Csv, settings("time = \"when\"\nnumber = \"jti\"\n"), text);
    assert_eq!(found, [(String::new(), true, number("AbC", ""))]);
    let found = traces(Format::Csv, settings("time = \"when\"\nnumber = \"jti\"\naccount = \"who\"\n"), text);
    assert_eq!(found, [("ada".into(), true, number("AbC", "ada")), ("bob".into(), true, None)]);
    assert!(Mapping::parse("time = 1\n").is_err());
}
