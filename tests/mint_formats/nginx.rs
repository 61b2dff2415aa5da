//! nginx with the settings that are exported lets in whom it should, and its log leads to the record.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use breakglass::mint::x509::{self, RevokedCertificate, Signed};
use breakglass::mint::{SubjectKey, Window, trust};
use p256::pkcs8::{EncodePrivateKey, LineEnding};

use super::nginx_server::Nginx;
use super::sshd::{run, said, secret};
use super::tools::debian;
use super::{authority, client, holder, minting_key, now, of_two_keys, sign, window};

fn start(authorities: &str, revoked: &str) -> Nginx {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("breakglass_ca.pem"), authorities).expect("writes");
    fs::write(folder.path().join("breakglass_crl.pem"), revoked).expect("writes");
    let block = trust::nginx_block(&folder.path().display().to_string());
    Nginx::start(folder, trust::NGINX_LOG, &block)
}

/// Certificate and key as files.
fn files(nginx: &Nginx, certificate: &Signed, key: &SubjectKey) -> (PathBuf, PathBuf) {
    let (file, private) = (nginx.folder.path().join("c.pem"), nginx.folder.path().join("c.key"));
    fs::write(&file, certificate.pem()).expect("writes");
    secret(&private, key.expose_pem().as_bytes());
    (file, private)
}

#[test]
fn nginx_lets_in_who_holds_a_certificate_and_nobody_else() {
    let (ca, key) = (minting_key(5), holder());
    let (authority, own) = authority(&ca);
    let mint =
        |record, window| sign(client(&key, record, window).prepare(&authority).expect("a request"), &ca);
    let (good, revoked) = (mint(1, window()), mint(2, window()));
    let entry = RevokedCertificate { serial: revoked.serial().to_vec(), since: now() - 1 };
    let list = sign(x509::revocation_list(&own, &[entry], 1, now() - 10, None).expect("a list"), &ca).pem();
    let nginx = start(&own.pem(), &list);
    let get = |certificate: Option<&Signed>| {
        let own = certificate.map(|certificate| files(&nginx, certificate, &key));
        nginx.get(own.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path())))
    };
    assert_eq!(get(Some(&good)), "in\n200");
    for (refused, why) in [
        (Some(&revoked), "certificate revoked"),
        (Some(&mint(3, Window::new(now() - 100, 50, 0).expect("a window"))), "certificate has expired"),
        (None, "NONE"),
    ] {
        assert!(get(refused).ends_with("400"), "{why}");
        nginx.logged(why);
    }
    let [upper, ..] = x509::names_of_serial(good.serial());
    let dn = "dn=\"CN=breakglass-dba,OU=INC-4711,O=breakglass:cluster-admins\"";
    nginx.logged(&format!("verify=SUCCESS serial={upper} {dn}"));
}

#[test]
fn a_certificate_for_a_server_lets_nobody_in() {
    let ca = minting_key(5);
    let (_, own) = authority(&ca);
    let list = sign(x509::revocation_list(&own, &[], 1, now() - 10, None).expect("a list"), &ca).pem();
    let nginx = start(&own.pem(), &list);
    let at = nginx.folder.path();
    let pem = p256::SecretKey::from(&ca).to_pkcs8_pem(LineEnding::LF).expect("a key");
    secret(&at.join("ca.key"), pem.as_bytes());
    // Nothing here makes one; whoever had the authority's key could.
    let extensions = "basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\n";
    for (purpose, wanted) in [("serverAuth", "400"), ("clientAuth", "200")] {
        fs::write(at.join("extensions"), format!("{extensions}extendedKeyUsage={purpose}\n"))
            .expect("writes");
        let script = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout s.key -subj /CN=web -out s.csr && \
                      openssl x509 -req -in s.csr -CA breakglass_ca.pem -CAkey ca.key -CAcreateserial -days 1 -extfile extensions -out s.pem";
        let _ = debian("openssl", "openssl");
        let made = run(Command::new("sh").args(["-ec", script]).current_dir(at));
        assert!(made.status.success(), "{}", said(&made));
        let answer = nginx.get(Some((&at.join("s.pem"), &at.join("s.key"))));
        assert!(answer.ends_with(wanted), "{purpose}: {answer}");
    }
    nginx.logged("purpose");
}

#[test]
fn whatever_key_of_the_kit_minted_it_nginx_knows_it() {
    let key = holder();
    let (minted, authorities, lists) = of_two_keys(&key);
    let nginx = start(&authorities, &lists);
    for certificates in &minted {
        for (certificate, wanted) in certificates.iter().zip(["200", "400"]) {
            let (file, private) = files(&nginx, certificate, &key);
            let answer = nginx.get(Some((&file, &private)));
            assert!(answer.ends_with(wanted), "{answer}");
        }
    }
    nginx.logged("certificate revoked");
}
