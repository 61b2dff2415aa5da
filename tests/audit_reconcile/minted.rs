//! Certificates that a kit minted, and one that its key signed for another program, on a real sshd: what the log shows of each.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use breakglass::attestation::{Serial, Slot};
use breakglass::device::Readers;
use breakglass::device::practice::{PracticeReaders, Surroundings};
use breakglass::kit::Kit;
use breakglass::kit::folder::Folder;
use breakglass::mint::ssh::{Permissions, PublicLine, UserCertificate};
use breakglass::mint::x509::ClientCertificate;
use breakglass::mint::{KeyIdentity, Numbers, SubjectKey, Unsigned, Window};
use breakglass::record::chain::Depth;
use breakglass::secret::Pin;
use p256::ecdsa::VerifyingKey;

use super::database::Database;
use super::nginx_server::Nginx;
use super::practice::{self, PIN, PUK, done, keys_of};
use super::sshd::{Sshd, run, said, secret};
use super::{Auditor, line, now, rules};

const ONE: u32 = 23112;

const RULES: &str = r#"
[[mint]]
name = "jump-hosts"
kind = "ssh"
principals = ["breakglass"]

[[mint]]
name = "database"
kind = "x509"
user = "dba"
groups = ["breakglass"]
"#;

/// A practice kit of one key that mints, with its folder.
fn minting() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |words: &[&str], pins: &[&str]| practice::run(folder.path(), words, pins);
    done(&run(&["init", "--practice", "--name", "DC1 emergency kit"], &[]));
    let toml = folder.path().join("kit.toml");
    let text = std::fs::read_to_string(&toml).expect("kit.toml").replace("# mints = ", "mints = ");
    std::fs::write(&toml, text + RULES).expect("kit.toml");
    let serial = ONE.to_string();
    done(&run(&["practice", "new", "--serial", &serial, "--fido2", "none"], &[]));
    let new = [format!("{serial} new-pin {PIN}"), format!("{serial} new-puk {PUK}")];
    let provision = ["key", "provision", "--serial", &serial, "--confirm", &serial];
    done(&run(&provision, &new.each_ref().map(String::as_str)));
    done(&run(&["key", "admit", &serial, "--confirm", "found 23112"], &[&format!("{serial} pin {PIN}")]));
    folder
}

fn on_kit(folder: &tempfile::TempDir, words: &[&str]) -> Output {
    practice::run(folder.path(), words, &[&format!("{ONE} pin {PIN}")])
}

fn kit(folder: &tempfile::TempDir) -> Kit {
    Kit::read(Folder::at(folder.path(), None), Depth::Every).expect("the kit")
}

fn authority(folder: &tempfile::TempDir) -> VerifyingKey {
    VerifyingKey::from(kit(folder).enrolled(Serial(ONE)).expect("enrolled").facts.minting["83"].0)
}

/// What another program would do that has the key, its PIN and a touch: sign with a slot, and leave no record.
fn signed_outside<T>(folder: &tempfile::TempDir, slot: Slot, unsigned: Unsigned<T>) -> T {
    let mut readers = PracticeReaders::new(&keys_of(folder.path()), Surroundings::of_this_machine());
    let mut key = readers.connect(Serial(ONE)).expect("the key");
    let pin = Pin::parse(PIN.as_bytes()).expect("a PIN");
    let signature = key.sign_minted(slot, unsigned.key(), &pin, &unsigned.digest()).expect("signs");
    unsigned.finish(&signature).expect("a signature")
}

/// A login with a certificate that is on no record.
fn outside_the_tool(folder: &tempfile::TempDir, sshd: &Sshd, numbers: Numbers) -> Output {
    let subject = SubjectKey::generate(&mut rand_core::UnwrapErr(getrandom::SysRng));
    let now = u64::try_from(now()).expect("after 1970");
    let certificate = UserCertificate {
        subject: PublicLine::of(subject.public()),
        principals: vec!["breakglass".parse().expect("a label")],
        sources: vec![],
        command: None,
        permissions: Permissions::default(),
        window: Window::new(now, 900, 300).expect("a window"),
        identity: KeyIdentity {
            incident: "INC-4711".parse().expect("a label"),
            operator: "ada".parse().expect("a label"),
            numbers,
        },
    };
    let unsigned = certificate.prepare(&authority(folder), [7; 32]).expect("it is whole");
    let certificate = signed_outside(folder, Slot::SshAuthority, unsigned);
    sshd.log_in(&certificate, &subject)
}

/// What the server said of logins that it let in, as a syslog file would have it.
fn syslog(sshd: &Sshd, after: i64) -> String {
    let accepted = |line: &&str| line.starts_with("Accepted publickey");
    let log = sshd.log();
    log.lines().filter(accepted).map(|text| line(after, text)).collect()
}

#[test]
fn what_a_key_signed_outside_the_tool_shows_in_the_log_of_a_real_sshd() {
    let folder = minting();
    let sshd = Sshd::start(&authority(&folder), None);
    let out = folder.path().join("minted").display().to_string();
    let why = ["--emergency", "pam-outage", "--incident", "INC-4711", "--reason", "PAM lost quorum"];
    let mint = [&["mint", "ssh", "jump-hosts", "--operator", "ada"][..], &why].concat();
    done(&on_kit(&folder, &[&mint[..], &["--out", &out, "--confirm", "mint jump-hosts"]].concat()));
    let login = run(&mut sshd.ssh_configured(&format!("{out}/config")));
    assert!(login.status.success(), "{}\n{}", said(&login), sshd.log());

    let auditor = Auditor::at(folder.path());
    let arguments = ["--format", "ssh", "--minted", "--name", "fw"];
    let reconciled = |auditor: &Auditor, name: &str, log: String| {
        let log = line(-90_000, "up") + &log + &line(90_000, "still up");
        auditor.reconcile(&auditor.write(name, log), &arguments)
    };
    let (code, object) = reconciled(&auditor, "good.log", syslog(&sshd, 0));
    assert_eq!((code, rules(&object)), (0, vec![]), "{object}");
    assert_eq!(object["logs"][0]["minted"]["logins"], 1, "{object}");

    // The number of the next record, which is not there; then the number of the one that is.
    let recorded = breakglass::mint::Numbers::of_ssh(minted_number(&sshd.log()));
    for (name, numbers, why) in [
        ("next.log", Numbers { record: recorded.record + 7, ..recorded }, "no record has that number"),
        ("same.log", recorded, "its record names another key that got it"),
    ] {
        let sshd = Sshd::start(&authority(&folder), None);
        let login = outside_the_tool(&folder, &sshd, numbers);
        assert!(login.status.success(), "{}\n{}", said(&login), sshd.log());
        let auditor = Auditor::at(folder.path());
        let (code, object) = reconciled(&auditor, name, syslog(&sshd, 0));
        assert_eq!(code, 6, "{object}");
        let found = &object["findings"][0];
        assert_eq!(
            (found["rule"].as_str(), found["severity"].as_str()),
            (Some("LOGIN-NOT-MINTED"), Some("critical"))
        );
        assert!(found["text"].as_str().expect("text").contains(why), "{why}: {object}");
        // `check` says the same from the ledger alone.
        let check = auditor.run(&["check", "--json"]);
        assert!(String::from_utf8_lossy(&check.stdout).contains("LOGIN-NOT-MINTED"));
    }

    // After its end, and after it was taken back.
    let (_, object) = reconciled(&Auditor::at(folder.path()), "late.log", syslog(&sshd, 1_300));
    assert_eq!(rules(&object)[0], "LOGIN-NOT-IN-TIME", "{object}");
    let revoke = ["revoke", "--incident", "INC-4711", "--why", "left behind", "--confirm", "revoke INC-4711"];
    done(&on_kit(&folder, &revoke));
    let (_, object) = reconciled(&Auditor::at(folder.path()), "revoked.log", syslog(&sshd, 600));
    assert_eq!(rules(&object)[0], "LOGIN-REVOKED", "{object}");
    // An authority of somebody else's is none of ours.
    let other = syslog(&sshd, 0).replace("CA ECDSA SHA256:", "CA ECDSA SHA256:x");
    let (code, object) = reconciled(&Auditor::at(folder.path()), "other.log", other);
    assert_eq!((code, rules(&object)), (0, vec!["MINT-WITHOUT-LOGIN"]), "{object}");
}

fn minted_number(log: &str) -> u64 {
    let (_, rest) = log.split_once("(serial ").expect("a serial number");
    rest.split_once(')').expect("its end").0.parse().expect("a number")
}

/// Exports for servers whose files lie in `folder`, and puts them there.
fn install(kit: &tempfile::TempDir, name: &str, folder: &Path) -> PathBuf {
    let (out, at) = (kit.path().join(name), folder.display().to_string());
    let words = ["--server-folder", &at, "--network", "127.0.0.1/32"];
    done(&on_kit(kit, &[&["trust", "export", &out.display().to_string()][..], &words].concat()));
    for name in ["breakglass_ca.pem", "breakglass_crl.pem"] {
        let there = folder.join(name);
        fs::copy(out.join("x509").join(name), &there).expect("a copy");
        fs::set_permissions(&there, fs::Permissions::from_mode(0o644)).expect("the server reads it");
    }
    out.join("x509")
}

/// A client certificate of that incident that is on no record, and its key, as files.
fn outside_certificate(folder: &tempfile::TempDir, incident: &str) -> (PathBuf, PathBuf) {
    let subject = SubjectKey::generate(&mut rand_core::UnwrapErr(getrandom::SysRng));
    let now = u64::try_from(now()).expect("after 1970");
    let certificate = ClientCertificate {
        subject: *subject.public(),
        user: "dba".parse().expect("a label"),
        incident: incident.parse().expect("a label"),
        groups: vec!["breakglass".parse().expect("a label")],
        masters: false,
        window: Window::new(now, 900, 300).expect("a window"),
        number: Numbers { key: Serial(ONE), record: 4_711 }.x509([7; 8]),
    };
    let authority = kit(folder).authorities().remove(0).authority;
    let unsigned = certificate.prepare(&authority).expect("it is whole");
    let signed = signed_outside(folder, Slot::X509Authority, unsigned);
    let (file, key) = (folder.path().join("outside.pem"), folder.path().join("outside.key"));
    fs::write(&file, signed.pem()).expect("writes");
    secret(&key, subject.expose_pem().as_bytes());
    (file, key)
}

#[test]
fn client_certificates_show_in_the_logs_of_a_real_nginx_and_a_real_postgresql() {
    let folder = minting();
    done(&on_kit(&folder, &["trust", "authority", "--confirm", "authority 23112"]));
    let (its_folder, of_postgres) =
        (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let text = |path: PathBuf| fs::read_to_string(path).expect("text");
    let exported = install(&folder, "for-nginx", its_folder.path());
    let (log, block) = (text(exported.join("nginx-log.conf")), text(exported.join("nginx-server.conf")));
    let nginx = Nginx::start(its_folder, &log, &block);
    let exported = install(&folder, "for-postgres", of_postgres.path());
    let [access, names, settings] =
        ["pg_hba.conf", "pg_ident.conf", "postgresql.conf"].map(|name| text(exported.join(name)));
    let logged = "logging_collector = on\nlog_directory = 'log'\nlog_filename = 'pg.log'\nlog_file_mode = 0644\n\
        log_timezone = 'UTC'\nlc_messages = 'C'\n";
    let database = Database::start(of_postgres, &access, &names, &(settings + logged));

    let minted = folder.path().join("minted");
    let out = minted.display().to_string();
    let why = ["--emergency", "pam-outage", "--incident", "INC-4711", "--reason", "PAM lost quorum"];
    let mint = [&["mint", "x509", "database", "--operator", "ada"][..], &why].concat();
    done(&on_kit(&folder, &[&mint[..], &["--out", &out, "--confirm", "mint database"]].concat()));
    let (file, key) = (minted.join("certificate.pem"), minted.join("key.pem"));
    let come = |file: &Path, key: &Path, incident: &str| {
        assert_eq!(nginx.get(Some((file, key))), "in\n200");
        nginx.logged(&format!("OU={incident},"));
        let psql = database.connect("breakglass", Some((file, key)));
        assert!(psql.status.success(), "{}", said(&psql));
    };
    let of_nginx = || fs::read_to_string(nginx.folder.path().join("access")).expect("the log");
    let reconciled = |format: &str, log: String| {
        let auditor = Auditor::at(folder.path());
        let (code, object) = auditor
            .reconcile(&auditor.write("log", log), &["--format", format, "--minted", "--name", format]);
        (code, rules(&object).into_iter().map(str::to_owned).collect::<Vec<_>>(), object)
    };
    let of_postgres =
        || database.server.psql("postgres", "SELECT pg_read_file('log/pg.log')").expect("the log");
    come(&file, &key, "INC-4711");
    for (format, log) in [("nginx", of_nginx()), ("postgres", of_postgres())] {
        let (code, found, object) = reconciled(format, log);
        assert_eq!((code, found), (0, vec![]), "{object}");
        assert_eq!(object["logs"][0]["minted"]["logins"], 1, "{object}");
    }
    let (file, key) = outside_certificate(&folder, "INC-9");
    come(&file, &key, "INC-9");
    for (format, log) in [("nginx", of_nginx()), ("postgres", of_postgres())] {
        let (code, found, object) = reconciled(format, log);
        assert_eq!((code, found), (6, vec!["LOGIN-NOT-MINTED".to_owned()]), "{object}");
        assert_eq!(object["logs"][0]["minted"]["logins"], 2, "{object}");
    }
}
