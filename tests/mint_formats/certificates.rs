//! openssl verifies them; PostgreSQL with the settings that are exported lets in whom it should, and nobody else.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use breakglass::mint::x509::{self, RevokedCertificate, Signed, SigningRequest};
use breakglass::mint::{SubjectKey, Window, trust};
use p256::ecdsa::SigningKey;

use super::database::Database;
use super::sshd::{run, said, secret};
use super::tools::debian;
use super::{authority, client, holder, label, minting_key, now, of_two_keys, sign, window};

fn openssl(arguments: &[&str], folder: &Path) -> Output {
    run(Command::new(debian("openssl", "openssl")).args(arguments).current_dir(folder))
}

/// PEM of what the authority takes back.
fn list(own: &Signed, serials: &[&[u8]], key: &SigningKey) -> String {
    let revoked: Vec<RevokedCertificate> = serials
        .iter()
        .map(|serial| RevokedCertificate { serial: serial.to_vec(), since: now() - 1 })
        .collect();
    sign(x509::revocation_list(own, &revoked, 1, now() - 10, None).expect("a list"), key).pem()
}

#[test]
fn openssl_verifies_what_is_good_and_refuses_what_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let ca = minting_key(5);
    let (authority, own) = authority(&ca);
    fs::write(at.join("ca.pem"), own.pem()).expect("writes");
    let key = holder();
    let mut serials = Vec::new();
    for (name, window) in [
        ("good", window()),
        ("revoked", window()),
        ("expired", Window::new(now() - 100, 50, 0).expect("a window")),
        ("early", Window::new(now() + 400, 50, 0).expect("a window")),
    ] {
        let record = u32::try_from(serials.len()).expect("few");
        let signed = sign(client(&key, record, window).prepare(&authority).expect("a request"), &ca);
        fs::write(at.join(format!("{name}.pem")), signed.pem()).expect("writes");
        serials.push(signed.serial().to_vec());
    }
    fs::write(at.join("crl.pem"), list(&own, &[&serials[1]], &ca)).expect("writes");
    for (name, wanted) in [
        ("good", "good.pem: OK"),
        ("revoked", "certificate revoked"),
        ("expired", "certificate has expired"),
        ("early", "certificate is not yet valid"),
    ] {
        let file = format!("{name}.pem");
        let arguments = [
            "verify",
            "-x509_strict",
            "-CAfile",
            "ca.pem",
            "-CRLfile",
            "crl.pem",
            "-crl_check",
            "-purpose",
            "sslclient",
            &file,
        ];
        let out = openssl(&arguments, at);
        assert!(said(&out).contains(wanted), "{name}: {}", said(&out));
        assert_eq!(out.status.success(), name == "good");
    }
    // It is no server's certificate, and signs none.
    let out = openssl(&["verify", "-CAfile", "ca.pem", "-purpose", "sslserver", "good.pem"], at);
    assert!(
        said(&out).contains("unsupported certificate purpose") || said(&out).contains("unsuitable"),
        "{}",
        said(&out)
    );
    let shown = said(&openssl(&["x509", "-in", "good.pem", "-noout", "-text", "-nameopt", "RFC2253"], at));
    for wanted in [
        "Subject: CN=breakglass-dba,OU=INC-4711,O=breakglass:cluster-admins",
        "CA:FALSE",
        "TLS Web Client Authentication",
        "Digital Signature",
        "42:00:00:5a:48:00:00:00:00",
    ] {
        assert!(shown.contains(wanted), "{wanted} is not in\n{shown}");
    }
    // The key is the one of the certificate, in a form that openssl reads.
    secret(&at.join("key.pem"), key.expose_pem().as_bytes());
    let public = said(&openssl(&["pkey", "-in", "key.pem", "-pubout"], at));
    assert_eq!(public, said(&openssl(&["x509", "-in", "good.pem", "-noout", "-pubkey"], at)));
}

#[test]
fn a_request_that_openssl_made_is_taken_as_pem_and_as_der() {
    let folder = tempfile::tempdir().expect("a folder");
    let new = [
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        "key.pem",
    ];
    let made = openssl(&[&new[..], &["-subj", "/CN=whoever", "-out", "request.pem"]].concat(), folder.path());
    assert!(made.status.success(), "{}", said(&made));
    let pem = fs::read(folder.path().join("request.pem")).expect("a file");
    let read = SigningRequest::parse(&pem).expect("a request");
    let as_der = ["req", "-in", "request.pem", "-outform", "DER", "-out", "request.der"];
    assert!(openssl(&as_der, folder.path()).status.success());
    let der = fs::read(folder.path().join("request.der")).expect("a file");
    assert_eq!(SigningRequest::parse(&der).expect("the same"), read);
    let key = fs::read_to_string(folder.path().join("key.pem")).expect("a file");
    assert_eq!(read.key(), SubjectKey::from_pem(&key).expect("openssl writes PKCS #8").public());
}

/// A database with the settings that are exported.
fn database(authorities: &str, revoked: &str) -> Database {
    let folder = tempfile::tempdir().expect("a folder");
    let files = folder.path().display().to_string();
    fs::write(folder.path().join("breakglass_ca.pem"), authorities).expect("writes");
    fs::write(folder.path().join("breakglass_crl.pem"), revoked).expect("writes");
    let role = label("breakglass");
    let (user, groups) = (label("breakglass-dba"), [label("breakglass:cluster-admins")]);
    let access = trust::postgres_hba(&role, "127.0.0.1/32");
    let names = trust::postgres_ident(&user, &groups, &role);
    Database::start(folder, &access, &names, &trust::postgres_settings(&files))
}

fn connect(database: &Database, role: &str, certificate: Option<&Signed>, key: &SubjectKey) -> Output {
    let (file, private) = (database.folder.path().join("c.pem"), database.folder.path().join("c.key"));
    secret(&private, key.expose_pem().as_bytes());
    fs::write(&file, certificate.map(Signed::pem).unwrap_or_default()).expect("writes");
    database.connect(role, certificate.map(|_| (file.as_path(), private.as_path())))
}

#[test]
fn postgresql_lets_in_who_holds_a_certificate_and_nobody_else() {
    let ca = minting_key(5);
    let (authority, own) = authority(&ca);
    let key = holder();
    let mint =
        |request: x509::ClientCertificate, ca| sign(request.prepare(&authority).expect("a request"), ca);
    let revoked = mint(client(&key, 2, window()), &ca);
    let database = database(&own.pem(), &list(&own, &[revoked.serial()], &ca));
    let good = mint(client(&key, 1, window()), &ca);
    let out = connect(&database, "breakglass", Some(&good), &key);
    let [_, _, decimal] = x509::names_of_serial(good.serial());
    let wanted = format!("/O=breakglass:cluster-admins/OU=INC-4711/CN=breakglass-dba|{decimal}\n");
    assert_eq!(String::from_utf8_lossy(&out.stdout), wanted, "{}", said(&out));
    let refused = |role, certificate: Option<&Signed>, why: &str| {
        let out = connect(&database, role, certificate, &key);
        assert!(!out.status.success() && said(&out).contains(why), "{why}: {}", said(&out));
    };
    refused("breakglass", Some(&revoked), "revoked");
    let expired = mint(client(&key, 3, Window::new(now() - 100, 50, 0).expect("a window")), &ca);
    refused("breakglass", Some(&expired), "expired");
    let mut other = client(&key, 4, window());
    other.user = label("somebody-else");
    refused("breakglass", Some(&mint(other, &ca)), "certificate authentication failed");
    refused("breakglass", None, "certificate");
    refused("other", Some(&good), "no pg_hba.conf entry");
    let foreign = minting_key(6);
    let (strange, _) = super::authority(&foreign);
    let signed = sign(client(&key, 5, window()).prepare(&strange).expect("a request"), &foreign);
    refused("breakglass", Some(&signed), "unknown ca");
}

#[test]
fn whatever_key_of_the_kit_minted_it_postgresql_knows_it() {
    let key = holder();
    let (minted, authorities, lists) = of_two_keys(&key);
    let database = database(&authorities, &lists);
    for [good, revoked] in &minted {
        let out = connect(&database, "breakglass", Some(good), &key);
        assert!(out.status.success(), "{}", said(&out));
        let out = connect(&database, "breakglass", Some(revoked), &key);
        assert!(!out.status.success() && said(&out).contains("revoked"), "{}", said(&out));
    }
}
