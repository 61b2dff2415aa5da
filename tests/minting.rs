//! `mint`, through the program: on practice keys, and over real PC/SC with a virtual YubiKey, against a real sshd, PostgreSQL and
//! nginx that have what is exported of the key. What is refused, what is on record, and what an incident owes.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;

use breakglass::attestation::{Roots, Serial, Slot};
use breakglass::device::practice::root_certificate;
use breakglass::kit::Kit;
use breakglass::kit::enrolment::{EnrolmentError, check};
use breakglass::kit::folder::Folder;
use breakglass::mint::SubjectKey;
use breakglass::mint::ssh::{PublicLine, Revoked};
use breakglass::minting::{MintingError, Subject, Wish, plan};
use breakglass::record::chain::Depth;
use breakglass::record::event::{Event, KeyEnrolled, MintIntent, MintIssued};
use breakglass::signing::Caution;
use p256::ecdsa::VerifyingKey;
use serde_json::Value;

#[path = "minting/authority.rs"]
mod authority;
#[path = "support/database.rs"]
mod database;
#[path = "minting/faults.rs"]
mod faults;
#[path = "minting/gap.rs"]
mod gap;
#[path = "support/nginx.rs"]
mod nginx_server;
#[path = "support/pcsc.rs"]
mod pcsc;
#[path = "support/postgres.rs"]
#[allow(dead_code)]
mod postgres;
#[path = "support/practice.rs"]
#[allow(dead_code)]
mod practice;
#[path = "support/real.rs"]
mod real;
#[path = "minting/revoke.rs"]
mod revoke;
#[path = "minting/ssh.rs"]
mod ssh;
#[path = "support/sshd.rs"]
mod sshd;
#[path = "support/terminal.rs"]
mod terminal;
#[path = "minting/token.rs"]
mod token;
#[path = "minting/x509.rs"]
mod x509;
use pcsc::tools;
use practice::{PIN, PUK, done};
use sshd::{Agent, Sshd, keygen, said};

const ONE: u32 = 23112;
/// Provisioned before the policy wanted keys to mint.
const OLD: u32 = 23115;

/// What may be minted, for a kit.toml.
const RULES: &str = r#"
[[mint]]
name = "jump-hosts"
kind = "ssh"
emergencies = ["pam-outage"]
longest = "15m"
principals = ["breakglass"]
terminal = true

[[mint]]
name = "look"
kind = "ssh"
principals = ["breakglass"]
command = "echo looked"

[[mint]]
name = "cluster"
kind = "x509"
user = "ada"
groups = ["breakglass:cluster-admins"]

[[mint]]
name = "reading"
kind = "x509"
user = "bob"
groups = ["breakglass:db", "breakglass:readers"]
"#;

/// A practice kit, made once: a key that mints, and one that does not.
struct MintingKit(tempfile::TempDir);

impl MintingKit {
    fn new() -> Self {
        static MADE: OnceLock<MintingKit> = OnceLock::new();
        MADE.get_or_init(make).copied()
    }

    fn copied(&self) -> Self {
        let copy = MintingKit(tempfile::tempdir().expect("a folder"));
        practice::copy(self.path(), copy.path());
        copy
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        practice::run(self.path(), arguments, &[&format!("{ONE} pin {PIN}"), &format!("{OLD} pin {PIN}")])
    }

    fn kit(&self) -> Kit {
        Kit::read(Folder::at(self.path(), None), Depth::Every).expect("the kit")
    }

    fn folder(&self) -> PathBuf {
        self.path().join("minted")
    }

    fn mint(&self, rule: &str, more: &[&str]) -> Output {
        let out = self.folder().display().to_string();
        let word = format!("mint {rule}");
        let usual = [&minting(rule)[..], &["--confirm", &word, "--key", "23112"]].concat();
        match more.contains(&"--agent") {
            true => self.run(&[&usual[..], more].concat()),
            false => self.run(&[&usual[..], &["--out", &out], more].concat()),
        }
    }

    fn mint_client(&self, rule: &str, more: &[&str]) -> Output {
        let words = self.client_words(rule, more);
        self.run(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// All the words of a client certificate.
    fn client_words(&self, rule: &str, more: &[&str]) -> Vec<String> {
        let (out, word) = (self.folder().display().to_string(), format!("mint {rule}"));
        let usual = [&minting_client(rule)[..], &["--confirm", &word, "--key", "23112", "--out", &out], more];
        usual.concat().into_iter().map(str::to_owned).collect()
    }
}

/// The words of a client certificate but how it is confirmed, and where it goes.
fn minting_client(rule: &str) -> Vec<&str> {
    let mut words = minting(rule);
    words[1] = "x509";
    words
}

/// The words of a minting but how it is confirmed, and where it goes.
fn minting(rule: &str) -> Vec<&str> {
    let why = ["--emergency", "pam-outage", "--incident", "INC-4711", "--reason", "PAM lost quorum"];
    [&["mint", "ssh", rule][..], &why, &["--operator", "ada"]].concat()
}

fn make() -> MintingKit {
    let kit = MintingKit(tempfile::tempdir().expect("a folder"));
    done(&kit.run(&["init", "--practice", "--name", "DC1 emergency kit"]));
    let toml = kit.path().join("kit.toml");
    let text = std::fs::read_to_string(&toml).expect("kit.toml");
    let provision = |serial: u32| {
        let serial = serial.to_string();
        done(&kit.run(&["practice", "new", "--serial", &serial, "--fido2", "none"]));
        let new = [format!("{serial} new-pin {PIN}"), format!("{serial} new-puk {PUK}")];
        let arguments = ["key", "provision", "--serial", &serial, "--confirm", &serial];
        let out = practice::run(kit.path(), &arguments, &new.each_ref().map(String::as_str));
        done(&out);
        said(&out)
    };
    assert!(!provision(OLD).contains("which mints"));
    std::fs::write(&toml, text.replace("# mints = ", "mints = ") + RULES + token::RULES).expect("kit.toml");
    let told = provision(ONE);
    for slot in ["83, which mints SSH", "84, which mints client", "85, which mints tokens"] {
        assert!(told.contains(slot), "{slot}: {told}");
    }
    done(&kit.run(&["key", "admit", "23112", "--confirm", "found 23112"]));
    done(&kit.run(&["key", "admit", "23115", "--with", "23112", "--confirm", "admit 23115"]));
    kit
}

/// The public key that mints SSH certificates, as the enrolment has it.
fn authority(kit: &Kit, serial: u32) -> VerifyingKey {
    let key = kit.enrolled(Serial(serial)).expect("enrolled");
    VerifyingKey::from(key.facts.minting["83"].0)
}

/// What is on record of mintings.
fn recorded(kit: &Kit) -> (Vec<(u64, MintIntent)>, Vec<MintIssued>) {
    let (mut intents, mut issued) = (Vec::new(), Vec::new());
    for (_, record) in kit.journal.records() {
        match &record.event {
            Event::MintIntent(facts) => intents.push((record.link.seq, facts.clone())),
            Event::MintIssued(facts) => issued.push(facts.clone()),
            _ => {}
        }
    }
    (intents, issued)
}

fn ssh_with(sshd: &Sshd, config: &Path) -> Output {
    let config = config.display().to_string();
    sshd::run(&mut sshd.ssh_configured(&config))
}

#[test]
fn a_certificate_is_minted_logs_in_and_is_on_record() {
    let kit = MintingKit::new();
    let sshd = Sshd::start(&authority(&kit.kit(), ONE), None);
    let out = kit.mint("jump-hosts", &[]);
    done(&out);
    let config = kit.folder().join("config");
    let text = said(&out);
    assert!(text.contains(&format!("log in:  ssh -F {}", config.display())), "{text}");
    for wanted in [
        "signed and on disk",
        "minted jump-hosts: SSH certificate",
        "sessions jump-hosts",
        "change-pin 23112",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let login = ssh_with(&sshd, &config);
    assert!(login.status.success(), "{}\n{}", said(&login), sshd.log());
    let (intents, issued) = recorded(&kit.kit());
    let [(seq, intent)] = &intents[..] else { panic!("one intent") };
    let [outcome] = &issued[..] else { panic!("one outcome") };
    assert_eq!((intent.rule.as_str(), &intent.accounts[..]), ("jump-hosts", &["breakglass".to_owned()][..]));
    assert_eq!(intent.numbers, [(u64::from(ONE) << 32 | seq).to_string()]);
    assert_eq!(intent.until - intent.from, 15 * 60 + 300);
    assert_eq!(outcome.output, "files");
    // The log of the host leads to the record.
    let logged = format!("ID bg|inc=INC-4711|op=ada|rec=23112/{seq} (serial {})", intent.numbers[0]);
    assert!(sshd.log().contains(&logged), "{logged}: {}", sshd.log());
    // The record names exactly what was signed, and what came of it.
    let line = std::fs::read_to_string(kit.folder().join("id-cert.pub")).expect("a certificate");
    let blob = base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD,
        line.split(' ').nth(1).expect("its body").trim(),
    )
    .expect("base64");
    assert_eq!(outcome.credentials[0], breakglass::record::hash::Hash::of(&blob));
    let shown = said(&sshd::run(keygen().arg("-lf").arg(kit.folder().join("id-cert.pub"))));
    let thumbprint =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD_NO_PAD, intent.subject.0);
    assert!(shown.contains(&thumbprint), "{thumbprint}: {shown}");
    // Taken back by its number alone.
    let serials = vec![intent.numbers[0].parse().expect("a number")];
    let authority = authority(&kit.kit(), ONE);
    sshd.revoke(&[Revoked { authority, serials, identities: vec![], altogether: false }]);
    assert!(!ssh_with(&sshd, &config).status.success());
    done(&kit.run(&["records", "verify"]));
}

#[test]
fn a_folder_may_be_called_as_it_likes() {
    let kit = MintingKit::new();
    let sshd = Sshd::start(&authority(&kit.kit(), ONE), None);
    let folder = kit.path().join("100%h of \"INC-4711\" \\ $HOME");
    let out = folder.display().to_string();
    let words = ["--key", "23112", "--out", &out, "--confirm", "mint jump-hosts"];
    done(&kit.run(&[&minting("jump-hosts")[..], &words].concat()));
    let login = ssh_with(&sshd, &folder.join("config"));
    assert!(login.status.success(), "{}\n{}", said(&login), sshd.log());
}

#[test]
fn an_agent_gets_key_and_certificate_and_nothing_is_on_disk() {
    let kit = MintingKit::new();
    let (sshd, agent) = (Sshd::start(&authority(&kit.kit(), ONE), None), Agent::start());
    let socket = agent.socket().display().to_string();
    let out = kit.mint("look", &["--agent", "--agent-socket", &socket, "--minutes", "1", "--json"]);
    done(&out);
    let object: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    assert_eq!((&object["kind"], object["files"].as_array().map(Vec::len)), (&"ssh".into(), Some(0)));
    let login = sshd::run(sshd.ssh(&[]).env("SSH_AUTH_SOCK", agent.socket()));
    assert_eq!(String::from_utf8_lossy(&login.stdout), "looked\n", "{}\n{}", said(&login), sshd.log());
    assert!(agent.list().contains("ECDSA-CERT"), "{}", agent.list());
    assert!(!kit.folder().exists());
    let (intents, issued) = recorded(&kit.kit());
    assert_eq!((intents[0].1.until - intents[0].1.from, issued[0].output.as_str()), (360, "agent"));
}

#[test]
fn an_agent_that_does_not_take_it_leaves_its_records_and_says_so() {
    let (kit, agent) = (MintingKit::new(), Agent::start());
    // SSH_AGENTC_LOCK with the passphrase "x" (RFC 9987).
    assert_eq!(agent.ask(&[0, 0, 0, 6, 22, 0, 0, 0, 1, b'x']), breakglass::mint::ssh::AgentAnswer::Taken);
    let socket = agent.socket().display().to_string();
    let out = kit.mint("look", &["--agent", "--agent-socket", &socket]);
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    for wanted in ["did not take the certificate", "its records stand", "--out DIR"] {
        assert!(said(&out).contains(wanted), "{wanted}: {}", said(&out));
    }
    assert!(!said(&out).contains("nothing was changed"), "{}", said(&out));
    let (intents, issued) = recorded(&kit.kit());
    assert_eq!((intents.len(), issued.len()), (1, 1));
}

#[test]
fn a_public_key_that_crossed_a_gap_is_certified_and_no_private_one_is_made() {
    let kit = MintingKit::new();
    let sshd = Sshd::start(&authority(&kit.kit(), ONE), None);
    let own = kit.path().join("own");
    let made = sshd::run(keygen().args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&own));
    assert!(made.status.success(), "{}", said(&made));
    let public = own.with_extension("pub").display().to_string();
    let minted = kit.mint("jump-hosts", &["--public-key", &public]);
    done(&minted);
    let names: Vec<_> = std::fs::read_dir(kit.folder())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(names, ["id-cert.pub"]);
    let certificate = format!("CertificateFile={}", kit.folder().join("id-cert.pub").display());
    let own = own.display().to_string();
    // What the plan shows is what ssh-keygen shows of the key over there.
    let shown = said(&sshd::run(keygen().arg("-lf").arg(&public)));
    let fingerprint = shown.split(' ').nth(1).expect("a fingerprint");
    assert!(said(&minted).contains(&format!("holder    who has the key {fingerprint}")), "{}", said(&minted));
    let login = sshd::run(&mut sshd.ssh(&["-i", &own, "-o", &certificate, "-o", "IdentitiesOnly=yes"]));
    assert!(login.status.success(), "{}\n{}", said(&login), sshd.log());
    // A private key must not cross.
    std::fs::remove_dir_all(kit.folder()).expect("it is there");
    let out = kit.mint("jump-hosts", &["--public-key", &own]);
    assert_eq!(out.status.code(), Some(2), "{}", said(&out));
    assert!(said(&out).contains("it is a private key"), "{}", said(&out));
}

#[test]
fn what_is_not_allowed_is_refused_before_any_pin() {
    let kit = MintingKit::new();
    let before = kit.kit().journal.count();
    let refused = |words: &[&str], code: i32, why: &str| {
        let out = practice::run(kit.path(), words, &[]);
        assert_eq!(out.status.code(), Some(code), "{why}: {}", said(&out));
        assert!(said(&out).contains(why), "{why}: {}", said(&out));
    };
    let folder = kit.folder().display().to_string();
    let usual =
        |rule| [&minting(rule)[..], &["--key", "23112", "--out", &folder, "--confirm", "mint x"]].concat();
    let with = |rule, name: &str, value: &'static str| {
        let mut words = usual(rule);
        let at = words.iter().position(|word| *word == name).expect("an option");
        words[at + 1] = value;
        words
    };
    refused(&usual("nothing"), 1, "it has: jump-hosts, look");
    refused(&["mint", "ssh", "nothing", "--out", &folder], 1, "it has: jump-hosts, look");
    refused(&usual("cluster"), 2, "cluster is for client certificates");
    refused(&with("jump-hosts", "--emergency", "attack"), 1, "these are: pam-outage");
    refused(&with("jump-hosts", "--operator", "eve"), 1, "is not an operator");
    refused(&with("jump-hosts", "--reason", " "), 1, "a reason is");
    refused(&with("jump-hosts", "--incident", "INC 4711"), 2, "cannot stand in a certificate");
    refused(&with("jump-hosts", "--key", "23115"), 3, "keys that would do: 23112");
    refused(&[&usual("jump-hosts")[..], &["--minutes", "16"]].concat(), 1, "for 15 minutes at most");
    refused(&[&usual("jump-hosts")[..], &["--minutes", "0"]].concat(), 1, "for 15 minutes at most");
    refused(&usual("jump-hosts"), 1, "not confirmed");
    refused(&minting("jump-hosts"), 2, "--agent, or --out DIR");
    let no_agent = [&minting("jump-hosts")[..], &["--agent", "--agent-socket", "/nowhere"]].concat();
    refused(&no_agent, 2, "/nowhere");
    std::fs::create_dir_all(kit.folder()).expect("a folder");
    std::fs::write(kit.folder().join("config"), "mine").expect("writes");
    refused(&usual("jump-hosts"), 1, "config is there already");
    assert_eq!(kit.kit().journal.count(), before, "nothing was signed");
}

#[test]
fn what_is_exported_is_what_hosts_need() {
    let kit = MintingKit::new();
    let out = kit.path().join("trust");
    let folder = out.display().to_string();
    // A host that trusts another authority, and nobody as anybody.
    let sshd = Sshd::start(SubjectKey::generate(&mut rand_core::UnwrapErr(getrandom::SysRng)).public(), None);
    let there = |name: &str| sshd.folder.path().join(name);
    std::fs::write(there("breakglass_principals"), "").expect("writes");
    done(&kit.mint("jump-hosts", &[]));
    let config = kit.folder().join("config");
    assert!(!ssh_with(&sshd, &config).status.success());
    let host_folder = sshd.folder.path().display().to_string();
    let account = sshd.account.clone();
    done(&kit.run(&["trust", "export", &folder, "--account", &account, "--host-folder", &host_folder]));
    for name in ["breakglass_ca.pub", "breakglass_principals", "breakglass.krl"] {
        std::fs::copy(out.join("ssh").join(name), there(name)).expect("a copy");
    }
    let drop_in = std::fs::read_to_string(out.join("ssh/50-breakglass.conf")).expect("a file");
    let running = std::fs::read_to_string(there("config")).expect("a file");
    assert!(running.ends_with(&drop_in), "the server runs with what was exported");
    let login = ssh_with(&sshd, &config);
    assert!(login.status.success(), "{}\n{}", said(&login), sshd.log());
    let keys: Value =
        serde_json::from_slice(&std::fs::read(out.join("token/jwks.json")).expect("a file")).expect("JSON");
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(1), "of the key that was made to mint");
    // Nothing that was exported before is written over.
    assert_eq!(kit.run(&["trust", "export", &folder]).status.code(), Some(5));
    let wrong = kit.run(&["trust", "export", &format!("{folder}2"), "--host-folder", "/etc/ssh x"]);
    assert_eq!(wrong.status.code(), Some(2));
    // A key that was retired is trusted no more, and hosts are told so: its certificates are refused, even where the old file
    // of authorities is left.
    let retire = ["key", "retire", "23112", "--why", "lost", "--with", "23115", "--confirm", "retire 23112"];
    done(&kit.run(&retire));
    let after = kit.path().join("after");
    done(&kit.run(&["trust", "export", &after.display().to_string()]));
    assert_eq!(std::fs::read_to_string(after.join("ssh/breakglass_ca.pub")).expect("a file"), "");
    std::fs::copy(after.join("ssh/breakglass.krl"), there("breakglass.krl")).expect("a copy");
    assert!(!ssh_with(&sshd, &config).status.success());
}

#[test]
fn an_enrolment_whose_minting_keys_are_not_borne_out_is_refused() {
    let kit = MintingKit::new().kit();
    let roots = Roots::practice(&root_certificate().expect("the root")).expect("roots");
    let enrolment = kit.enrolled(Serial(ONE)).expect("enrolled").enrolment;
    let record = kit.journal.records().find(|(_, record)| record.hash() == enrolment).expect("its record").1;
    check(record, &roots).expect("as it was made");
    let Event::KeyEnrolled(made) = &record.event else { panic!("an enrolment") };
    let with = |change: &dyn Fn(&mut KeyEnrolled)| {
        let mut changed = (**record).clone();
        let Event::KeyEnrolled(facts) = &mut changed.event else { panic!("an enrolment") };
        change(facts);
        let input = changed.signing_input().expect("still a record");
        check(&input.finish(record.signature()), &roots)
    };
    let other = with(&|facts| {
        let _ = facts.minting.insert("83".into(), made.sealing);
    });
    assert!(matches!(other, Err(EnrolmentError::Binding { slot: Slot::SshAuthority, .. })), "{other:?}");
    let unattested = with(&|facts| drop(facts.attestations.remove("85")));
    assert!(matches!(unattested, Err(EnrolmentError::Missing(Slot::Tokens))), "{unattested:?}");
    let unknown = with(&|facts| {
        let _ = facts.minting.insert("9A".into(), made.sealing);
    });
    assert!(matches!(unknown, Err(EnrolmentError::NoMintingSlot(_))), "{unknown:?}");
}

/// An SSH certificate for that key.
fn wish(key: &SubjectKey, accept_clock: Option<&str>) -> Wish {
    Wish {
        rule: "jump-hosts".into(),
        emergency: "pam-outage".into(),
        incident: "INC-4711".into(),
        reason: "PAM lost quorum".into(),
        operator: "ada".into(),
        minutes: None,
        key: Serial(ONE),
        subject: Subject::Ssh(PublicLine::of(key.public())),
        output: "files".into(),
        accept_damage: None,
        accept_clock: accept_clock.map(str::to_owned),
        clock_there: None,
        caution: Caution::default(),
    }
}

#[test]
fn a_clock_that_is_behind_the_records_is_told_before_minting() {
    let kit = MintingKit::new();
    let key = SubjectKey::generate(&mut rand_core::UnwrapErr(getrandom::SysRng));
    let read = kit.kit();
    let newest = read.journal.records().map(|(_, record)| record.iat).max().expect("records");
    assert!(plan(&read, wish(&key, None), newest - 300).is_ok(), "five minutes lock nobody out");
    let behind = plan(&read, wish(&key, None), newest - 301);
    assert!(matches!(behind, Err(MintingError::Clock { behind: 301 })), "{behind:?}");
    let accepted = plan(&read, wish(&key, Some("the battery is flat")), newest - 301).expect("with a word");
    assert_eq!(accepted.overrides[0].rule, "clock");
    assert!(plan(&read, wish(&key, Some(" ")), newest - 301).is_err());
}

#[test]
fn a_clock_that_differs_from_the_one_there_is_told_before_minting() {
    let kit = MintingKit::new();
    let key = SubjectKey::generate(&mut rand_core::UnwrapErr(getrandom::SysRng));
    let read = kit.kit();
    let now = read.journal.records().map(|(_, record)| record.iat).max().expect("records") + 10_000;
    let with =
        |there, accept| plan(&read, Wish { clock_there: Some(there), ..wish(&key, accept) }, now).map(drop);
    for there in [now - 300, now, now + 300] {
        assert!(with(there, None).is_ok(), "five minutes lock nobody out");
    }
    for ahead in [301, -301] {
        let told = with(now - ahead, None);
        assert!(matches!(told, Err(MintingError::ClockThere { ahead: by }) if by == ahead), "{told:?}");
        assert!(with(now - ahead, Some("the one there is wrong")).is_ok());
    }
    let refused = kit.mint("look", &["--clock-there", "2020-02-29T11:00Z"]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("ahead of the one where it will be used"), "{}", said(&refused));
}

#[test]
fn a_gap_is_left_behind_only_for_a_reason() {
    let kit = MintingKit::new();
    done(&kit.mint("jump-hosts", &[]));
    std::fs::remove_dir_all(kit.folder()).expect("it is there");
    // Another stick, without the last two records of the key.
    let chain = kit.kit().enrolled(Serial(ONE)).expect("enrolled").chain;
    let path = kit.path().join("journal").join(format!("{chain}.jws"));
    let text = std::fs::read_to_string(&path).expect("a journal");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    std::fs::write(&path, lines[..lines.len() - 2].concat()).expect("a journal");
    let refused = kit.mint("jump-hosts", &[]);
    assert_eq!(refused.status.code(), Some(6), "{}", said(&refused));
    assert!(said(&refused).contains("breakglass mint … --accept-gap"), "{}", said(&refused));
    assert!(said(&refused).contains("nothing was minted"), "{}", said(&refused));
    for nothing in ["", " "] {
        let refused = kit.mint("jump-hosts", &["--accept-gap", nothing]);
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        assert!(said(&refused).contains("1 to 256 bytes of text"), "{}", said(&refused));
    }
    done(&kit.mint("jump-hosts", &["--accept-gap", "the other stick is lost"]));
    let overrides = recorded(&kit.kit()).0.pop().expect("an intent").1.overrides;
    assert!(overrides.iter().any(|one| one.rule == "gap"), "{overrides:?}");
}

#[test]
fn an_incident_that_only_minted_is_closed_and_owes_its_sessions() {
    let kit = MintingKit::new();
    done(&kit.mint("jump-hosts", &[]));
    let shown = said(&kit.run(&["incident", "show", "INC-4711"]));
    assert!(shown.contains("minted") && shown.contains("jump-hosts as breakglass"), "{shown}");
    let close = ["close", "INC-4711", "--verdict", "real", "--outcome", "PAM is back", "--with", "23112"];
    let closed = kit.run(&[&close[..], &["--confirm", "close INC-4711"]].concat());
    done(&closed);
    assert!(said(&closed).contains("sessions jump-hosts"), "{}", said(&closed));
    let status = kit.run(&["status"]);
    assert_eq!(status.status.code(), Some(1));
    assert!(said(&status).contains("end the sessions"), "{}", said(&status));
    let how = ["--by", "ada", "--how", "pkill -u breakglass on both hosts", "--with", "23112"];
    let discharge = [
        &["discharge", "INC-4711", "sessions jump-hosts"][..],
        &how,
        &["--confirm", "discharge sessions jump-hosts"],
    ];
    let discharged = kit.run(&discharge.concat());
    done(&discharged);
    let shown = said(&kit.run(&["incident", "show", "INC-4711"]));
    assert!(shown.contains("done  sessions jump-hosts"), "{shown}");
}
