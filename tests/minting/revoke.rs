//! What was minted is taken back: a real sshd refuses it once it has what is exported then, and nothing else.

use std::path::Path;
use std::process::{Command, Output};

use std::os::unix::fs::PermissionsExt;

use breakglass::attestation::Serial;
use breakglass::mint::Numbers;
use breakglass::record::event::{Event, MintKind, MintRevoked};
use serde_json::Value;

use super::authority::{certified_kit, with_key};
use super::database::Database;
use super::nginx_server::Nginx;
use super::practice::done;
use super::sshd::{self, Sshd, keygen, said};
use super::{MintingKit, ONE, authority, recorded, ssh_with};

const WHY: [&str; 2] = ["--why", "the laptop was left behind"];

/// With the key that mints nothing: who takes back needs no minting key.
fn revoke(kit: &MintingKit, words: &[&str], word: &str) -> Output {
    kit.run(&[&["revoke"][..], words, &WHY, &["--with", "23115", "--confirm", word]].concat())
}

fn install(kit: &MintingKit, folder: &str, sshd: &Sshd, names: &[&str]) {
    for name in names {
        std::fs::copy(kit.path().join(folder).join("ssh").join(name), sshd.folder.path().join(name))
            .expect("a copy");
    }
}

fn number(kit: &MintingKit) -> String {
    recorded(&kit.kit()).0.last().expect("an intent").1.numbers[0].clone()
}

fn lets_in(sshd: &Sshd, config: &Path) -> bool {
    ssh_with(sshd, config).status.success()
}

#[test]
fn what_an_incident_minted_is_taken_back_by_number_and_key_id_and_once() {
    let kit = MintingKit::new();
    let sshd = Sshd::start(&authority(&kit.kit(), ONE), None);
    done(&kit.mint("jump-hosts", &[]));
    let (config, lists) = (kit.folder().join("config"), kit.path().join("lists").display().to_string());
    assert!(lets_in(&sshd, &config));
    let out = revoke(&kit, &["--incident", "INC-4711", "--out", &lists], "revoke INC-4711");
    done(&out);
    let number = number(&kit);
    assert!(
        said(&out).contains(&format!("on record: SSH certificate {number} of 23112 is taken back")),
        "{}",
        said(&out)
    );
    install(&kit, "lists", &sshd, &["breakglass.krl"]);
    assert!(!lets_in(&sshd, &config));
    assert!(sshd.log().contains("revoked"), "{}", sshd.log());
    // By its number, and by its key id should somebody sign another number under it.
    let krl = kit.path().join("lists/ssh/breakglass.krl");
    let listed = said(&sshd::run(keygen().arg("-Qlf").arg(&krl)));
    let seq = recorded(&kit.kit()).0[0].0;
    for wanted in [format!("serial: {number}"), format!("id: bg|inc=INC-4711|op=ada|rec=23112/{seq}")] {
        assert!(listed.contains(&wanted), "{wanted}: {listed}");
    }
    // Again, it is said and not signed.
    let count = kit.kit().journal.count();
    let hexadecimal = format!("{:X}", number.parse::<u64>().expect("a number"));
    for words in [&["--incident", "INC-4711"][..], &[&hexadecimal], &[&number]] {
        let again = revoke(&kit, words, "no word is asked for");
        done(&again);
        assert!(said(&again).contains("is taken back already: record 23115/"), "{}", said(&again));
    }
    assert_eq!(kit.kit().journal.count(), count);
    // What is minted afterwards is good.
    std::fs::remove_dir_all(kit.folder()).expect("it is there");
    done(&kit.mint("jump-hosts", &[]));
    assert!(lets_in(&sshd, &config), "{}", sshd.log());
    done(&kit.run(&["records", "verify"]));
    let shown = said(&kit.run(&["incident", "show", "INC-4711"]));
    assert!(shown.contains("revoked"), "{shown}");
    // Who reviews sees what was minted.
    super::practice::add_person(kit.path(), "dana", "auditor");
    let words =
        ["review", "INC-4711", "--by", "dana", "--judgement", "agree", "--text", "fine", "--confirm", "no"];
    let review = said(&kit.run(&words));
    assert!(review.contains("review    INC-4711: 2 times opened for jump-hosts, by ada"), "{review}");
}

#[test]
fn a_key_that_is_trusted_no_more_leaves_the_export_and_hosts_refuse_all_of_it() {
    let kit = MintingKit::new();
    let sshd = Sshd::start(&authority(&kit.kit(), ONE), None);
    done(&kit.mint("jump-hosts", &[]));
    let config = kit.folder().join("config");
    assert!(lets_in(&sshd, &config));
    let shown = said(&kit.run(&["incident", "show", "INC-4711"]));
    assert!(shown.contains("due   trust 23112"), "{shown}");
    let out = revoke(&kit, &["--altogether", "--key", "23112", "--json"], "revoke all of 23112");
    done(&out);
    let object: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let kinds: Vec<&str> =
        object["revoked"].as_array().expect("a list").iter().filter_map(|one| one["kind"].as_str()).collect();
    assert_eq!(kinds, ["ssh", "x509", "token", "assertion"]);
    let folder = kit.path().join("trust").display().to_string();
    done(&kit.run(&["trust", "export", &folder]));
    let read = |name: &str| std::fs::read_to_string(kit.path().join("trust").join(name)).expect("a file");
    assert_eq!(read("ssh/breakglass_ca.pub"), "");
    let keys: Value = serde_json::from_str(&read("token/jwks.json")).expect("JSON");
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(0));
    // Even where the old file of authorities is left.
    install(&kit, "trust", &sshd, &["breakglass.krl"]);
    assert!(!lets_in(&sshd, &config));
    // Nothing that it mints afterwards is good either, and that it did is on record.
    std::fs::remove_dir_all(kit.folder()).expect("it is there");
    let refused = kit.mint("jump-hosts", &[]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("trusted no more"), "{}", said(&refused));
    let again = revoke(&kit, &["--altogether", "--key", "23112"], "no word is asked for");
    done(&again);
    assert!(said(&again).contains("tokens of 23112 are trusted no more already"), "{}", said(&again));
    let shown = said(&kit.run(&["incident", "show", "INC-4711"]));
    assert!(shown.contains("done  trust 23112"), "{shown}");
}

#[test]
fn a_revocation_that_only_the_key_remembers_is_known_before_it_mints() {
    let kit = MintingKit::new();
    let chain = kit.kit().enrolled(breakglass::attestation::Serial(ONE)).expect("a key").chain;
    let journal = kit.path().join(format!("journal/{chain}.jws"));
    let before = std::fs::read(&journal).expect("a journal");
    let words =
        ["revoke", "--altogether", "--key", "23112", "--kind", "ssh", "--why", "it was out of its bag"];
    done(&kit.run(&[&words[..], &["--with", "23112", "--confirm", "revoke all of 23112"]].concat()));
    // An older copy of the kit, by just that record.
    std::fs::write(&journal, before).expect("written");
    for what in ["was only on the key: mint.revoked", "trusted no more"] {
        let refused = kit.mint("jump-hosts", &[]);
        assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
        assert!(said(&refused).contains(what), "{what}: {}", said(&refused));
        assert!(!kit.folder().join("id-cert.pub").exists());
    }
    assert!(recorded(&kit.kit()).0.is_empty());
}

#[test]
fn what_a_platform_shows_and_no_record_has_is_taken_back_too() {
    let kit = MintingKit::new();
    let stranger = (u64::from(ONE) << 32 | 4_711).to_string();
    let out = revoke(&kit, &[&stranger], &format!("revoke {stranger}"));
    done(&out);
    assert!(said(&out).contains("no record says that SSH certificate"), "{}", said(&out));
    let jti = "AAECAwQFBgcICQoLDA0ODw";
    let unknown = revoke(&kit, &[jti], "x");
    assert_eq!(unknown.status.code(), Some(1), "{}", said(&unknown));
    assert!(said(&unknown).contains("--key SERIAL --kind KIND"), "{}", said(&unknown));
    let lists = kit.path().join("lists").display().to_string();
    let words = [jti, "--key", "23112", "--kind", "token", "--out", &lists];
    done(&revoke(&kit, &words, &format!("revoke {jti}")));
    let denied = std::fs::read_to_string(kit.path().join("lists/token/revoked-jti.txt")).expect("a file");
    assert_eq!(denied, format!("{jti}\n"));
    for (words, code, why) in [
        (&["--incident", "INC-1"][..], 1, "nothing was opened for an incident INC-1"),
        (&["--altogether", "--key", "23115"], 1, "was not made to mint anything"),
        (&["--altogether"], 2, "--key"),
        (&[], 2, "<NUMBER>"),
        (&["x", "--key", "23112", "--kind", "ssh"], 2, "is no number of a SSH certificate"),
    ] {
        let out = revoke(&kit, words, "x");
        assert_eq!(out.status.code(), Some(code), "{words:?}: {}", said(&out));
        assert!(said(&out).contains(why), "{why}: {}", said(&out));
    }
}

/// The number of a client certificate that no record has.
fn stranger(record: u32) -> String {
    hex::encode(Numbers { key: Serial(ONE), record }.x509([7; 8]))
}

/// Lines of the journal that take something back.
fn revocations(kit: &MintingKit) -> usize {
    kit.kit().journal.records().filter(|(_, record)| matches!(record.event, Event::MintRevoked(_))).count()
}

/// Exports for servers whose files lie in `folder`, and puts authorities and lists there; where the rest was written.
fn for_servers(kit: &MintingKit, name: &str, folder: &Path) -> std::path::PathBuf {
    let (out, at) = (kit.path().join(name), folder.display().to_string());
    let words = ["--server-folder", &at, "--network", "127.0.0.1/32"];
    done(&kit.run(&[&["trust", "export", &out.display().to_string()][..], &words].concat()));
    replace(&out, folder);
    out.join("x509")
}

fn replace(exported: &Path, folder: &Path) {
    for name in ["breakglass_ca.pem", "breakglass_crl.pem"] {
        let there = folder.join(name);
        std::fs::copy(exported.join("x509").join(name), &there).expect("a copy");
        std::fs::set_permissions(&there, std::fs::Permissions::from_mode(0o644))
            .expect("the server reads it");
    }
}

#[test]
fn a_client_certificate_is_on_the_list_that_its_key_signs_and_servers_refuse_it() {
    let kit = certified_kit();
    let mint = |name: &str| {
        done(&kit.mint_client("cluster", &[]));
        let to = kit.path().join(name);
        std::fs::rename(kit.folder(), &to).expect("moved");
        (to.join("certificate.pem"), to.join("key.pem"))
    };
    let (bad, good) = (mint("bad"), mint("good"));
    let number = recorded(&kit.kit()).0[0].1.numbers[0].clone();
    // Another key cannot sign it, and says who can.
    let out = revoke(&kit, &[&number.to_uppercase()], &format!("revoke {number}"));
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    assert!(
        said(&out).contains(&format!("breakglass revoke {number} --why … --with 23112")),
        "{}",
        said(&out)
    );
    let lists = kit.path().join("lists");
    let words = ["revoke", &number, "--why", "left behind", "--out", &lists.display().to_string()];
    done(&kit.run(&[&words[..], &["--confirm", &format!("revoke {number}")]].concat()));
    done(&kit.run(&["records", "verify"]));

    // Servers that have the export of before, then what is to be replaced.
    let (of_nginx, of_postgres) =
        (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let exported = for_servers(&kit, "for-nginx", of_nginx.path());
    replace(&lists, of_nginx.path());
    let text = |name: &str| std::fs::read_to_string(exported.join(name)).expect("text");
    let nginx = Nginx::start(of_nginx, &text("nginx-log.conf"), &text("nginx-server.conf"));
    let get = |pair: &(std::path::PathBuf, std::path::PathBuf)| nginx.get(Some((&pair.0, &pair.1)));
    assert_eq!(get(&good), "in\n200");
    assert!(get(&bad).ends_with("400"));
    nginx.logged("certificate revoked");
    let exported = for_servers(&kit, "for-postgres", of_postgres.path());
    let text = |name: &str| std::fs::read_to_string(exported.join(name)).expect("text");
    let database =
        Database::start(of_postgres, &text("pg_hba.conf"), &text("pg_ident.conf"), &text("postgresql.conf"));
    let connect = |pair: &(std::path::PathBuf, std::path::PathBuf)| {
        database.connect("breakglass", Some((&pair.0, &pair.1)))
    };
    assert!(connect(&good).status.success(), "{}", said(&connect(&good)));
    let refused = connect(&bad);
    assert!(!refused.status.success() && said(&refused).contains("revoked"), "{}", said(&refused));

    // A list holds so many; then the key is withdrawn, which any key can sign, and nothing is left to trust.
    let fits = revoke(&kit, &["--incident", "INC-4711", "--kind", "x509"], "revoke INC-4711");
    assert_eq!(fits.status.code(), Some(1), "one is left, and its key signs it: {}", said(&fits));
    let strangers: Vec<String> = (100..108).map(stranger).collect();
    let strangers: Vec<&str> = strangers.iter().map(String::as_str).collect();
    let full = revoke(&kit, &strangers, "revoke 8");
    assert!(said(&full).contains("would have 9 client certificates"), "{}", said(&full));
    let ended = revoke(&kit, &["--altogether", "--key", "23112", "--kind", "x509"], "revoke all of 23112");
    done(&ended);
    let after = kit.path().join("after");
    done(&kit.run(&["trust", "export", &after.display().to_string()]));
    assert!(after.join("ssh").exists() && !after.join("x509").exists());
    assert!(said(&kit.mint_client("cluster", &[])).contains("trusted no more"));
}

#[test]
fn where_the_lists_cannot_be_written_nothing_is_signed() {
    let kit = MintingKit::new();
    done(&kit.mint("jump-hosts", &[]));
    let count = kit.kit().journal.count();
    let folder = kit.path().join("lists");
    std::fs::create_dir(&folder).expect("a folder");
    for out in [folder.clone(), kit.path().join("no/such/folder")] {
        let out = out.display().to_string();
        let refused = revoke(&kit, &["--incident", "INC-4711", "--out", &out], "revoke INC-4711");
        assert_eq!(refused.status.code(), Some(5), "{}", said(&refused));
    }
    let why = "w".repeat(257);
    for why in ["", " ", &why] {
        let words = ["revoke", "--incident", "INC-4711", "--why", why, "--with", "23115"];
        let refused = kit.run(&[&words[..], &["--confirm", "revoke INC-4711"]].concat());
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        assert!(said(&refused).contains("1 to 256 bytes of text"), "{}", said(&refused));
    }
    assert_eq!(kit.kit().journal.count(), count, "nothing was signed");
    // Whoever does not confirm leaves no folder behind.
    let other = kit.path().join("other");
    let words = ["--incident", "INC-4711", "--out", &other.display().to_string()];
    assert_eq!(revoke(&kit, &words, "no").status.code(), Some(1));
    assert!(!other.exists());
    done(&revoke(&kit, &words, "revoke INC-4711"));
    assert!(other.join("ssh/breakglass.krl").exists());
}

#[test]
fn the_list_of_a_key_holds_no_more_than_it_can_whatever_incidents_they_are_of() {
    let kit = certified_kit();
    for incident in ["INC-1", "INC-2"] {
        for _ in 0..4 {
            let words = ["mint", "x509", "cluster", "--emergency", "pam-outage", "--incident", incident];
            let words = [&words[..], &["--reason", "PAM lost quorum", "--operator", "ada", "--key", "23112"]];
            let folder = kit.folder().display().to_string();
            done(&kit.run(&[&words.concat()[..], &["--out", &folder, "--confirm", "mint cluster"]].concat()));
            std::fs::remove_dir_all(kit.folder()).expect("it is there");
        }
    }
    let numbers: Vec<String> = recorded(&kit.kit()).0.iter().map(|(_, one)| one.numbers[0].clone()).collect();
    let one_more = stranger(100);
    let all: Vec<&str> = numbers.iter().chain([&one_more]).map(String::as_str).collect();
    let with = |numbers: &[&str], word: &str| {
        kit.run(&[&["revoke"][..], numbers, &WHY, &["--with", "23112", "--confirm", word]].concat())
    };
    let refused = with(&all, "revoke 9");
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("would have 9 client certificates, and 8 fit"), "{}", said(&refused));
    assert_eq!(revocations(&kit), 0);
    done(&with(&all[..8], "revoke 8"));
    assert_eq!(kit.kit().authority(Serial(ONE)).expect("one").list.revoked().len(), 8);
}

#[test]
fn certificates_of_a_key_that_was_retired_ask_for_no_list_that_it_cannot_sign() {
    let kit = certified_kit();
    done(&kit.mint_client("cluster", &[]));
    let number = recorded(&kit.kit()).0[0].1.numbers[0].clone();
    let retire = ["key", "retire", "23112", "--why", "lost", "--with", "23115", "--confirm", "retire 23112"];
    done(&kit.run(&retire));
    let count = kit.kit().journal.count();
    for words in [&["--incident", "INC-4711"][..], &[&number]] {
        let out = revoke(&kit, words, "no word is asked for");
        done(&out);
        assert!(said(&out).contains("is trusted no more already: key 23112 was retired"), "{}", said(&out));
        assert!(!said(&out).contains("--with 23112"), "a next step that is refused: {}", said(&out));
    }
    assert_eq!(kit.kit().journal.count(), count);
}

#[test]
fn a_record_without_the_list_of_its_key_takes_no_certificate_back() {
    let kit = certified_kit();
    done(&kit.mint_client("cluster", &[]));
    let number = recorded(&kit.kit()).0[0].1.numbers[0].clone();
    with_key(&kit, 0, |signer, station, open, _| {
        let (kind, key, numbers) = (MintKind::X509, Serial(ONE), vec![number.clone()]);
        let facts = MintRevoked { kind, key, numbers, altogether: false, why: "in words".into(), list: None };
        signer.sign(station, open, None, Event::MintRevoked(facts), "to sign").expect("a record");
    });
    let words = ["revoke", &number, "--with", "23112", "--confirm", &format!("revoke {number}")];
    let out = kit.run(&[&words[..], &WHY].concat());
    done(&out);
    assert!(said(&out).contains("on record: client certificate"), "{}", said(&out));
    assert_eq!(kit.kit().authority(Serial(ONE)).expect("one").list.revoked().len(), 1);
}

#[test]
fn a_key_that_knows_of_its_withdrawal_mints_nothing_on_a_stick_that_does_not() {
    let kit = MintingKit::new();
    let own = ["revoke", "--altogether", "--key", "23112", "--kind", "ssh", "--with", "23112"];
    done(&kit.run(&[&own[..], &WHY, &["--confirm", "revoke all of 23112"]].concat()));
    // The other stick: as it was before that record, which the key still carries.
    let chain = kit.kit().enrolled(Serial(ONE)).expect("enrolled").chain;
    let path = kit.path().join("journal").join(format!("{chain}.jws"));
    let text = std::fs::read_to_string(&path).expect("a journal");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    std::fs::write(&path, lines[..lines.len() - 1].concat()).expect("a journal");
    assert_eq!(revocations(&kit), 0);
    let first = kit.mint("jump-hosts", &[]);
    assert_eq!(first.status.code(), Some(1), "{}", said(&first));
    assert!(said(&first).contains("run it again"), "{}", said(&first));
    assert_eq!(revocations(&kit), 1, "it is back");
    let again = kit.mint("jump-hosts", &[]);
    assert!(said(&again).contains("trusted no more"), "{}", said(&again));
    assert!(recorded(&kit.kit()).0.is_empty() && !kit.folder().exists());
}

#[test]
fn what_is_on_record_is_told_although_a_later_record_failed() {
    let mut parts = 0;
    for n in 1..=12 {
        let kit = MintingKit::new();
        let words = ["--json", "revoke", "--altogether", "--key", "23112", "--with", "23115"];
        let words = [&words[..], &WHY, &["--confirm", "revoke all of 23112"]].concat();
        let inject = format!("inject=fsync,fdatasync:error=EIO:when={n}");
        let pins = kit.path().join("pins");
        std::fs::write(&pins, format!("23115 pin {}\n", super::PIN)).expect("a line");
        let mut strace = Command::new("/usr/bin/strace");
        strace.args(["-f", "-qq", "-e", "trace=fsync,fdatasync", "-e", &inject, "-o", "/dev/null"]);
        strace.arg(env!("CARGO_BIN_EXE_breakglass")).arg("--kit").arg(kit.path()).args(["--pin-fd", "0"]);
        strace.args(&words).stdin(std::fs::File::open(&pins).expect("a line"));
        let out = strace.output().expect("strace runs:  sudo apt-get install strace");
        let told: Option<Value> = serde_json::from_slice(&out.stdout).ok();
        let told = told.map_or(0, |object| object["revoked"].as_array().map_or(0, Vec::len));
        // A record whose sync failed may be there all the same; it was not acknowledged.
        let there = revocations(&kit);
        assert!(told == there || told + 1 == there, "{n}: {told} of {there}: {}", said(&out));
        parts += usize::from((1..4).contains(&told));
    }
    assert!(parts > 0, "some failed between two records");
}

#[test]
fn a_list_from_a_kit_that_is_damaged_or_lacks_records_is_not_passed_off_as_whole() {
    let kit = certified_kit();
    done(&kit.mint("jump-hosts", &[]));
    std::fs::remove_dir_all(kit.folder()).expect("it is there");
    done(&kit.mint_client("cluster", &[]));
    done(&revoke(&kit, &["--incident", "INC-4711", "--kind", "ssh"], "revoke INC-4711"));
    // Whoever has the stick changes a letter of the record that takes back.
    let chain = kit.kit().enrolled(Serial(super::OLD)).expect("enrolled").chain;
    let path = kit.path().join("journal").join(format!("{chain}.jws"));
    let mut bytes = std::fs::read(&path).expect("a journal");
    let at = bytes.len() - 20;
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    std::fs::write(&path, bytes).expect("a journal");
    assert_eq!(revocations(&kit), 0);
    let out = kit.path().join("trust").display().to_string();
    let number = recorded(&kit.kit()).0[1].1.numbers[0].clone();
    let confirm = format!("revoke {number}");
    let own = ["revoke", &number, "--with", "23112", "--confirm", &confirm];
    for words in [
        vec!["trust", "export", &out],
        [&["revoke", "--incident", "INC-4711", "--out", &out][..], &WHY].concat(),
        [&own[..], &WHY].concat(),
    ] {
        let refused = kit.run(&words);
        assert_eq!(refused.status.code(), Some(6), "{words:?}: {}", said(&refused));
        assert!(said(&refused).contains("kit merge DIR"), "{}", said(&refused));
    }
    assert!(!kit.path().join("trust").exists() && revocations(&kit) == 0);
    // What needs no list is taken back all the same; and with the damage on record, lists are written.
    let ssh = ["revoke", "--incident", "INC-4711", "--kind", "ssh", "--with", "23112"];
    done(&kit.run(&[&ssh[..], &WHY, &["--confirm", "revoke INC-4711"]].concat()));
    let accept = ["kit", "accept-gap", "--why", "the other stick is lost", "--with", "23112"];
    done(&kit.run(&[&accept[..], &["--confirm", "accept gap"]].concat()));
    done(&kit.run(&["trust", "export", &out]));
}
