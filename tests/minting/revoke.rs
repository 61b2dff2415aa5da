//! What was minted is taken back: a real sshd refuses it once it has what is exported then, and nothing else.

use std::path::Path;
use std::process::Output;

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::authority::certified_kit;
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
    let strangers: Vec<String> = (100..108)
        .map(|record| {
            hex::encode(
                breakglass::mint::Numbers { key: breakglass::attestation::Serial(ONE), record }.x509([7; 8]),
            )
        })
        .collect();
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
