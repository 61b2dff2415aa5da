//! `mint x509`: what lies in the folder afterwards, what crosses a gap and what does not, and servers of others, with what is
//! exported, that let in whom they should, over real PC/SC with a virtual YubiKey.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use breakglass::kit::Kit;
use breakglass::kit::folder::Folder;
use breakglass::mint::{SubjectKey, x509};
use breakglass::record::chain::Depth;
use breakglass::record::hash::Hash;
use serde_json::Value;
use x509_cert::der::DecodePem;

use super::authority::{certified_kit, openssl};
use super::database::Database;
use super::nginx_server::Nginx;
use super::practice::{self, PIN, add_to_policy, done};
use super::sshd::{run, said};
use super::tools::debian;
use super::{MintingKit, ONE, RULES, minting_client, recorded};

/// The certificates of a file, the first of which is somebody's.
fn chain(pem: &[u8]) -> Vec<x509::Signed> {
    let read = x509_cert::Certificate::load_pem_chain(pem).expect("certificates");
    let signed = |one| x509_cert::der::Encode::to_der(&one).expect("DER");
    read.into_iter().map(|one| x509::Signed::from_der(&signed(one)).expect("a certificate")).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_client_certificate_is_on_record_and_lies_with_what_programs_want() {
    let kit = certified_kit();
    let out = kit.mint_client("cluster", &[]);
    done(&out);
    let text = said(&out);
    for wanted in [
        "signed and on disk",
        "minted cluster: client certificate",
        "PGSERVICEFILE=",
        "curl --cert",
        "kubectl --user breakglass",
        "CN=ada,OU=INC-4711,O=breakglass:cluster-admins",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let folder = kit.folder();
    let wanted = [
        "aws_config",
        "ca.pem",
        "certificate.pem",
        "exec-credential.json",
        "key.pem",
        "kubeconfig",
        "pg_service.conf",
    ];
    assert_eq!(names(&folder), wanted);
    for name in wanted {
        let mode = folder.join(name).metadata().expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        assert!(
            !fs::read_to_string(folder.join(name)).expect("text").contains("\n\n\n"),
            "{name} has no room left over"
        );
    }
    let read = kit.kit();
    let (intents, issued) = recorded(&read);
    let ([(seq, intent)], [outcome]) = (&intents[..], &issued[..]) else { panic!("one of each") };
    let certificates = chain(&fs::read(folder.join("certificate.pem")).expect("a file"));
    let [own, authority] = &certificates[..] else { panic!("two certificates") };
    assert_eq!(intent.numbers, [hex::encode(own.serial())]);
    assert!(intent.numbers[0].starts_with(&format!("42{ONE:08x}{seq:08x}")), "{}", intent.numbers[0]);
    assert_eq!(outcome.credentials, [Hash::of(&own.der())]);
    assert_eq!((own.from(), own.until() + 1), (intent.from.cast_unsigned(), intent.until.cast_unsigned()));
    assert_eq!(authority, &read.authorities()[0].certificate);
    assert_eq!(fs::read_to_string(folder.join("ca.pem")).expect("a file"), authority.pem());
    // The key is the one that was certified.
    let key = openssl(&["pkey", "-in", "key.pem", "-pubout"], &folder);
    assert_eq!(key, openssl(&["x509", "-in", "certificate.pem", "-noout", "-pubkey"], &folder));
    openssl(
        &["verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", "ca.pem", "certificate.pem"],
        &folder,
    );
    // Nothing is written over.
    let again = kit.mint_client("cluster", &[]);
    assert_eq!(again.status.code(), Some(1), "{}", said(&again));
    assert!(said(&again).contains("is there already"), "{}", said(&again));
}

/// A request of openssl in that folder, with its key.
fn request(folder: &Path) -> PathBuf {
    let new = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    openssl(
        &[&new[..], &["-keyout", "own.key", "-subj", "/CN=whoever/O=system:masters", "-out", "own.csr"]]
            .concat(),
        folder,
    );
    folder.join("own.csr")
}

#[test]
fn a_request_that_crossed_a_gap_is_certified_and_only_public_things_go_back() {
    let kit = certified_kit();
    let beside = tempfile::tempdir().expect("a folder");
    let csr = request(beside.path());
    done(&kit.mint_client("cluster", &["--request", &csr.display().to_string()]));
    let folder = kit.folder();
    assert_eq!(names(&folder), ["ca.pem", "certificate.pem"]);
    let shown =
        openssl(&["x509", "-in", "certificate.pem", "-noout", "-subject", "-nameopt", "RFC2253"], &folder);
    // Names come from the policy, not from the request.
    assert_eq!(shown.trim(), "subject=CN=ada,OU=INC-4711,O=breakglass:cluster-admins");
    let public = openssl(&["pkey", "-in", "own.key", "-pubout"], beside.path());
    assert_eq!(public, openssl(&["x509", "-in", "certificate.pem", "-noout", "-pubkey"], &folder));
    fs::remove_dir_all(&folder).expect("it is there");
    // A request whose maker does not have the key; a private key; no request.
    let before = kit.kit().journal.count();
    let mut bytes =
        x509_cert::request::CertReq::from_pem(fs::read(&csr).expect("a file")).expect("a request");
    let mut signature = bytes.signature.raw_bytes().to_vec();
    let last = signature.len() - 1;
    signature[last] ^= 1;
    bytes.signature = x509_cert::der::asn1::BitString::from_bytes(&signature).expect("bits");
    let forged = beside.path().join("forged.der");
    fs::write(&forged, x509_cert::der::Encode::to_der(&bytes).expect("DER")).expect("writes");
    for (file, why) in [
        (forged, "its signature is not of the key that it is for"),
        (beside.path().join("own.key"), "it is a private key"),
        (kit.path().join("kit.toml"), "it is no certificate request"),
    ] {
        let out = kit.mint_client("cluster", &["--request", &file.display().to_string()]);
        assert_eq!(out.status.code(), Some(2), "{}", said(&out));
        assert!(said(&out).contains(why), "{why}: {}", said(&out));
        assert!(!folder.exists());
    }
    assert_eq!(kit.kit().journal.count(), before, "nothing was signed");
}

#[test]
fn masters_of_a_cluster_are_minted_only_where_the_policy_spells_it_out() {
    let kit = certified_kit();
    let table =
        "\n[[mint]]\nname = \"masters\"\nkind = \"x509\"\nuser = \"ada\"\ngroups = [\"system:masters\"]\n";
    let toml = kit.path().join("kit.toml");
    let text = fs::read_to_string(&toml).expect("kit.toml");
    fs::write(&toml, format!("{text}{table}")).expect("writes");
    let adopt = kit.run(&["policy", "adopt", "--with", "23112", "--confirm", "adopt policy"]);
    assert!(!adopt.status.success());
    assert!(said(&adopt).contains("system-masters = true"), "{}", said(&adopt));
    let out = kit.mint_client("masters", &[]);
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    fs::write(&toml, text).expect("writes");
    add_to_policy(kit.path(), &format!("{table}system-masters = true\n"));
    let out = kit.mint_client("masters", &[]);
    done(&out);
    assert!(said(&out).contains("which no binding takes back"), "{}", said(&out));
    let shown = openssl(
        &["x509", "-in", "certificate.pem", "-noout", "-subject", "-nameopt", "RFC2253"],
        &kit.folder(),
    );
    assert_eq!(shown.trim(), "subject=CN=ada,OU=INC-4711,O=system:masters");
}

#[test]
fn nothing_is_left_where_nothing_was_minted() {
    let kit = certified_kit();
    let words = kit.client_words("cluster", &[]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let wrong = practice::run(kit.path(), &words, &["23112 pin 11111111"]);
    assert!(!wrong.status.success());
    assert!(!kit.folder().exists(), "files that were made for it are taken away again");
    fs::create_dir(kit.folder()).expect("a folder");
    fs::write(kit.folder().join("mine"), "mine").expect("writes");
    let wrong = practice::run(kit.path(), &words, &["23112 pin 11111111"]);
    assert!(!wrong.status.success());
    assert_eq!(names(&kit.folder()), ["mine"]);
}

/// Runs a minting under strace, with a fault at the `n`-th fsync; how many it saw.
fn with_fault(kit: &MintingKit, n: usize) -> (Output, usize) {
    use std::io::Write;
    let log = tempfile::NamedTempFile::new().expect("a file");
    let mut child = Command::new(debian("strace", "strace"))
        .args(["-f", "-qq", "-e", "trace=fsync", "-e", &format!("inject=fsync:error=ENOSPC:when={n}"), "-o"])
        .arg(log.path())
        .arg(env!("CARGO_BIN_EXE_breakglass"))
        .arg("--kit")
        .arg(kit.path())
        .args(["--pin-fd", "0"])
        .args(kit.client_words("cluster", &[]))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("strace runs");
    let pin = format!("{ONE} pin {PIN}\n");
    child.stdin.take().expect("a pipe").write_all(pin.as_bytes()).expect("a line fits");
    let output = child.wait_with_output().expect("it ends");
    let log = fs::read_to_string(log.path()).expect("a log");
    (output, log.matches("fsync(").count())
}

#[test]
fn a_disk_that_fails_after_minting_does_not_lose_the_certificate() {
    let (whole, calls) = with_fault(&certified_kit(), 10_000);
    done(&whole);
    let kit = certified_kit();
    // The last six are of the files but for the key: the certificate is the first of them.
    let (out, _) = with_fault(&kit, calls - 5);
    assert_eq!(out.status.code(), Some(5), "{}", said(&out));
    let stderr = String::from_utf8_lossy(&out.stderr);
    for wanted in ["certificate.pem", "it was minted already", "its records stand", "beside the key"] {
        assert!(stderr.contains(wanted), "{wanted}: {stderr}");
    }
    let (intents, issued) = recorded(&kit.kit());
    assert_eq!((intents.len(), issued.len()), (1, 1), "{stderr}");
    let printed = chain(&out.stdout);
    assert_eq!(issued[0].credentials, [Hash::of(&printed[0].der())]);
    // With the key that is there it is good.
    let pem = fs::read_to_string(kit.folder().join("key.pem")).expect("the key stayed");
    let key = SubjectKey::from_pem(&pem).expect("a key");
    assert_eq!(breakglass::mint::jwt::thumbprint(key.public()), intents[0].1.subject);
}

/// Exports for servers whose files lie in `folder`, and puts them there; where the rest was written.
fn install(life: &super::real::Life, name: &str, folder: &Path) -> PathBuf {
    let out = life.path(name);
    let at = folder.display().to_string();
    let words = ["--server-folder", &at, "--network", "127.0.0.1/32"];
    life.run(&[&["trust", "export", &out.display().to_string()][..], &words].concat(), &[]).done();
    for name in ["breakglass_ca.pem", "breakglass_crl.pem"] {
        let there = folder.join(name);
        fs::copy(out.join("x509").join(name), &there).expect("a copy");
        fs::set_permissions(&there, fs::Permissions::from_mode(0o644)).expect("the server reads it");
    }
    out.join("x509")
}

fn text(path: PathBuf) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn kubectl_reads_a_group_as_text_whatever_it_is_called() {
    for group in ["breakglass:cluster-admins", "yes", "4711", "@on-call", "1e3", "on-call:"] {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let label = group.parse().expect("a label");
        fs::write(file.path(), breakglass::mint::trust::kubernetes_binding(&label)).expect("writes");
        let mut kubectl = Command::new(super::tools::kubectl());
        kubectl.args(["label", "--local", "-o", "json", "read=yes", "-f"]).arg(file.path());
        let out = run(&mut kubectl);
        let read: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{}", said(&out)));
        assert_eq!(read["subjects"][0]["name"], group);
    }
}

/// kubectl with a configuration of somebody's own, that knows the server and no user, and the one that was minted beside it.
fn kubectl(nginx: &Nginx, minted: &Path, user: &str) -> Output {
    let own = nginx.folder.path().join("own-kubeconfig");
    let server = nginx.url();
    let cluster =
        format!("- name: c\n  cluster:\n    server: {server}\n    insecure-skip-tls-verify: true\n");
    let contexts = "contexts:\n- name: x\n  context:\n    cluster: c\ncurrent-context: x\n";
    fs::write(&own, format!("apiVersion: v1\nkind: Config\nclusters:\n{cluster}{contexts}")).expect("writes");
    let mut kubectl = Command::new(super::tools::kubectl());
    kubectl.env("KUBECONFIG", format!("{}:{}", own.display(), minted.display()));
    kubectl.env("HOME", nginx.folder.path());
    run(kubectl.args(["--user", user, "get", "--raw", "/"]))
}

#[test]
fn a_virtual_yubikey_over_pcscd_mints_what_postgresql_nginx_and_kubectl_take() {
    use super::pcsc::Settings;
    use super::real::{KEYS, Life, ONE, PROGRAM, Said, admit, complete, pin_line, pin_pipe, provision};
    let life = Life::blank(&Settings::usual(&KEYS[..1]));
    life.run(&["init", "--name", "DC1 emergency kit"], &[]).done();
    complete(&life.kit(), &life.world);
    let toml = life.kit().join("kit.toml");
    let policy = text(toml.clone());
    fs::write(&toml, policy.replace("# mints = ", "mints = ") + RULES).expect("kit.toml");
    let told = provision(&life, ONE, &[]).done();
    assert!(told.stderr.contains("breakglass trust authority --key 4000001"), "{told}");
    admit(&life, ONE, ONE).done();
    let _ = life.pins_sent();
    let words = ["trust", "authority", "--confirm", "authority 4000001"];
    life.run(&words, &[pin_line(ONE)])
        .done()
        .says(&["touch 4000001", "is an authority for client certificates"]);
    assert_eq!(life.pins_sent(), [3], "for the certificate, for the list, for the record");

    // What servers have in advance. Of PostgreSQL, one of the two names that may be minted.
    let (of_nginx, of_postgres) =
        (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let exported = install(&life, "for-nginx", of_nginx.path());
    let (log, block) = (text(exported.join("nginx-log.conf")), text(exported.join("nginx-server.conf")));
    let nginx = Nginx::start(of_nginx, &log, &block);
    let exported = install(&life, "for-postgres", of_postgres.path());
    let [access, lines, settings] =
        ["pg_hba.conf", "pg_ident.conf", "postgresql.conf"].map(|name| text(exported.join(name)));
    assert_eq!(lines.lines().count(), 2, "{lines}");
    let line = lines.lines().find(|line| line.contains("CN=ada,")).expect("a line");
    let database = Database::start(of_postgres, &access, &format!("{line}\n"), &settings);
    let binding = text(exported.join("kubernetes-binding.yaml"));
    assert!(
        binding.contains("\n---\n") && binding.contains("  name: \"breakglass:cluster-admins\"\n"),
        "{binding}"
    );
    let anchor: Value =
        serde_json::from_str(&text(exported.join("aws-trust-anchor-4000001.json"))).expect("JSON");
    let data = &anchor["source"]["sourceData"]["x509CertificateData"];
    assert_eq!(*data, text(exported.join("breakglass_ca.pem")));

    // Minted now, for somebody else, and by a clock that was slow: expired.
    let out = |name: &str| life.path(name).display().to_string();
    let word = |rule: &str| format!("mint {rule}");
    let mint = |rule: &str, folder: &str, more: &[&str]| {
        let (out, word) = (out(folder), word(rule));
        let words = [&minting_client(rule)[..], &["--out", &out, "--confirm", &word], more].concat();
        life.run(&words, &[pin_line(ONE)]).done()
    };
    mint("cluster", "good", &[]).says(&[
        "signed and on disk",
        "touch 4000001",
        "to mint it with 84",
        "minted cluster",
    ]);
    assert_eq!(life.pins_sent(), [3], "to sign the intent, to mint, to sign the outcome");
    mint("reading", "other", &[]);
    let faketime = debian("faketime", "faketime").display().to_string();
    let (folder, word) = (out("expired"), word("cluster"));
    let slow = ["--out", &folder, "--confirm", &word, "--accept-clock", "its battery is flat"];
    let words = [&minting_client("cluster")[..], &slow].concat();
    let (lines, number) = pin_pipe(&[pin_line(ONE)]);
    let number = number.to_string();
    let before =
        ["env", "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1", &faketime, "-f", "-20m", PROGRAM];
    let mut command = life.command_by(&before, &[&["--pin-fd", &number][..], &words].concat());
    Said::new(&words, command.output().expect("it runs")).done();
    drop(lines);

    let pair = |name: &str| (life.path(name).join("certificate.pem"), life.path(name).join("key.pem"));
    let own = chain(&fs::read(pair("good").0).expect("a file")).remove(0);
    let [upper, _, decimal] = x509::names_of_serial(own.serial());

    // PostgreSQL: by the service file, and what it logs of it; then who is refused.
    let service = life.path("good/pg_service.conf");
    let came = database.connect_by(&service, "breakglass", "breakglass");
    let wanted = format!("/O=breakglass:cluster-admins/OU=INC-4711/CN=ada|{decimal}\n");
    assert_eq!(String::from_utf8_lossy(&came.stdout), wanted, "{}", said(&came));
    for (role, who, why) in [
        ("other", Some("good"), "no pg_hba.conf entry"),
        ("breakglass", Some("expired"), "expired"),
        ("breakglass", Some("other"), "certificate authentication failed"),
        ("breakglass", None, "certificate"),
    ] {
        let own = who.map(pair);
        let refused = database.connect(role, own.as_ref().map(|(file, key)| (file.as_path(), key.as_path())));
        assert!(!refused.status.success() && said(&refused).contains(why), "{why}: {}", said(&refused));
    }

    // nginx: the same of HTTPS. Its own certificate is one for servers, and of nobody that it trusts.
    let get = |(file, key): &(PathBuf, PathBuf)| nginx.get(Some((file, key)));
    assert_eq!(get(&pair("good")), "in\n200");
    nginx.logged(&format!("verify=SUCCESS serial={upper} dn=\"CN=ada,OU=INC-4711,"));
    let answer = get(&pair("expired"));
    assert!(answer.ends_with("400"), "{answer}");
    nginx.logged("certificate has expired");
    assert!(nginx.get(None).ends_with("400"));
    let at = nginx.folder.path();
    assert!(get(&(at.join("server.pem"), at.join("server.key"))).ends_with("400"));

    // kubectl: the plugin as it was written, in version 1, and as an older kubectl asks for it.
    let kubeconfig = life.path("good/kubeconfig");
    let answer = kubectl(&nginx, &kubeconfig, "breakglass");
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "in\n", "{}", said(&answer));
    let older = nginx.folder.path().join("older-kubeconfig");
    fs::write(&older, text(kubeconfig).replace("k8s.io/v1 #", "k8s.io/v1beta1 #")).expect("writes");
    let answer = kubectl(&nginx, &older, "breakglass");
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "in\n", "{}", said(&answer));
    let answer = kubectl(&nginx, &life.path("expired/kubeconfig"), "breakglass");
    assert!(!answer.status.success(), "{}", said(&answer));

    // Across a gap.
    let beside = tempfile::tempdir().expect("a folder");
    let csr = request(beside.path()).display().to_string();
    mint("cluster", "back", &["--request", &csr]);
    assert_eq!(names(&life.path("back")), ["ca.pem", "certificate.pem"]);
    assert_eq!(get(&(life.path("back/certificate.pem"), beside.path().join("own.key"))), "in\n200");

    life.run(&["records", "verify"], &[]).done();
    let kit = Kit::read(Folder::at(&life.kit(), None), Depth::Every).expect("the kit");
    assert_eq!((recorded(&kit).0.len(), recorded(&kit).1.len()), (4, 4));
}
