//! ssh-keygen reads it; sshd with the drop-in that is exported lets in whom it should, and nobody else; ssh-agent forgets it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use breakglass::mint::ssh::{
    AgentAnswer, Permissions, PublicLine, Revoked, UserCertificate, add_to_agent, revocation_list,
};
use breakglass::mint::{SubjectKey, Window};
use p256::ecdsa::SigningKey;

use super::sshd::{Agent, PRINCIPAL, Sshd, keygen, run, said, secret};
use super::{holder, identity, label, minting_key, now, sign, window};

fn request(subject: &SubjectKey, record: u32) -> UserCertificate {
    UserCertificate {
        subject: PublicLine::of(subject.public()),
        principals: vec![label(PRINCIPAL)],
        sources: Vec::new(),
        command: None,
        permissions: Permissions::default(),
        window: window(),
        identity: identity(record),
    }
}

fn mint(ca: &SigningKey, request: UserCertificate) -> breakglass::mint::ssh::Signed {
    sign(request.prepare(ca.verifying_key(), [0x5A; 32]).expect("a request"), ca)
}

fn revoked(ca: &SigningKey) -> Revoked {
    Revoked { authority: *ca.verifying_key(), serials: vec![], identities: vec![], altogether: false }
}

#[test]
fn ssh_keygen_reads_certificates_lists_and_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ca, key) = (minting_key(3), holder());
    let certificate = mint(
        &ca,
        UserCertificate {
            sources: vec!["192.0.2.0/24".parse().expect("a network")],
            command: Some("uptime".into()),
            permissions: Permissions { terminal: true, forward_ports: true },
            ..request(&key, 18)
        },
    );
    let path = folder.path().join("id-cert.pub");
    fs::write(&path, certificate.line()).expect("writes");
    let shown = said(&run(keygen().arg("-L").arg("-f").arg(&path)));
    for wanted in [
        "Type: ecdsa-sha2-nistp256-cert-v01@openssh.com user certificate",
        &format!("Signing CA: ECDSA {}", breakglass::mint::ssh::fingerprint(ca.verifying_key())),
        "Key ID: \"bg|inc=INC-4711|op=ada|rec=23112/18\"",
        &format!("Serial: {}", 23_112u64 << 32 | 18),
        "force-command uptime",
        "source-address 192.0.2.0/24",
        "permit-port-forwarding",
        "permit-pty",
    ] {
        assert!(shown.contains(wanted), "{wanted} is not in\n{shown}");
    }
    secret(&folder.path().join("id"), key.expose_pem().as_bytes());
    let public = run(keygen().arg("-y").arg("-f").arg(folder.path().join("id")));
    assert_eq!(said(&public).trim(), PublicLine::of(key.public()).line().trim());
    let serial = certificate.serial();
    let others = SubjectKey::from_pem(&holder().expose_pem()).expect("a key");
    let other = folder.path().join("other-cert.pub");
    fs::write(&other, mint(&ca, request(&others, 19)).line()).expect("writes");
    for (revoked, both) in [
        (Revoked { serials: vec![serial, 4], ..revoked(&ca) }, false),
        (Revoked { identities: vec!["bg|inc=INC-4711|op=ada|rec=23112/18".into()], ..revoked(&ca) }, false),
        (Revoked { altogether: true, ..revoked(&ca) }, true),
    ] {
        let list = folder.path().join("krl");
        fs::write(&list, revocation_list(&[revoked], 2, now(), "kit").expect("a list")).expect("writes");
        let query = |path: &Path| run(keygen().arg("-Q").arg("-f").arg(&list).arg(path));
        assert!(said(&query(&path)).contains("REVOKED"), "{}", said(&query(&path)));
        assert_eq!(said(&query(&other)).contains("REVOKED"), both);
    }
    let empty = folder.path().join("empty");
    fs::write(&empty, revocation_list(&[], 1, now(), "kit").expect("a list")).expect("writes");
    let query = run(keygen().arg("-Q").arg("-f").arg(&empty).arg(&path));
    assert!(query.status.success() && said(&query).contains("ok"), "{}", said(&query));
}

fn is_in(sshd: &Sshd, request: UserCertificate, ca: &SigningKey, key: &SubjectKey, answer: &str) {
    let out = sshd.log_in(&mint(ca, request), key);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success() && text == answer, "{}\n{}", said(&out), sshd.log());
}

fn is_out(sshd: &Sshd, request: UserCertificate, ca: &SigningKey, key: &SubjectKey, why: &str) {
    let before = sshd.log().len();
    let out = sshd.log_in(&mint(ca, request), key);
    assert!(!out.status.success(), "{why}: {}", said(&out));
    let log = sshd.log();
    assert!(log[before..].contains(why), "{why} is not in\n{}", &log[before..]);
}

#[test]
fn sshd_lets_in_who_holds_a_certificate_and_nobody_else() {
    let (ca, key) = (minting_key(3), holder());
    let sshd = Sshd::start(ca.verifying_key(), None);
    let asked = |record| request(&key, record);
    is_in(&sshd, asked(1), &ca, &key, "in\n");
    // The log leads to the record: serial number, key id, authority.
    let line = format!("ID bg|inc=INC-4711|op=ada|rec=23112/1 (serial {})", 23_112u64 << 32 | 1);
    assert!(sshd.log().contains(&line), "{line} is not in\n{}", sshd.log());
    is_in(&sshd, UserCertificate { command: Some("echo forced".into()), ..asked(2) }, &ca, &key, "forced\n");
    let here = vec!["127.0.0.0/8".parse().expect("a network")];
    is_in(&sshd, UserCertificate { sources: here, ..asked(3) }, &ca, &key, "in\n");
    let elsewhere = vec!["192.0.2.0/24".parse().expect("a network")];
    is_out(&sshd, UserCertificate { sources: elsewhere, ..asked(4) }, &ca, &key, "not from a permitted");
    let past = Window::new(now() - 1_000, 900, 0).expect("a window");
    is_out(&sshd, UserCertificate { window: past, ..asked(5) }, &ca, &key, "expired");
    let future = Window::new(now() + 600, 900, 300).expect("a window");
    is_out(&sshd, UserCertificate { window: future, ..asked(6) }, &ca, &key, "not yet valid");
    // A clock that is up to five minutes ahead or behind locks nobody out.
    for clock in [now() + 290, now() - 290] {
        let window = Window::new(clock, 900, 300).expect("a window");
        is_in(&sshd, UserCertificate { window, ..asked(7) }, &ca, &key, "in\n");
    }
    let other = UserCertificate { principals: vec![label("root"), label("db")], ..asked(8) };
    is_out(&sshd, other, &ca, &key, "does not contain an authorized principal");
    is_out(&sshd, asked(9), &minting_key(4), &key, "Failed publickey"); // an authority that nobody trusts
    // Another one's certificate does not work with this key.
    assert!(!sshd.log_in(&mint(&ca, request(&holder(), 10)), &key).status.success());
    sshd.revoke(&[Revoked { serials: vec![identity(11).numbers.ssh()], ..revoked(&ca) }]);
    is_out(&sshd, asked(11), &ca, &key, "revoked by file");
    is_in(&sshd, asked(12), &ca, &key, "in\n");
    sshd.revoke(&[Revoked { identities: vec![identity(12).text()], ..revoked(&ca) }]);
    is_out(&sshd, asked(12), &ca, &key, "revoked by file");
    sshd.revoke(&[Revoked { altogether: true, ..revoked(&ca) }]);
    is_out(&sshd, asked(13), &ca, &key, "revoked by file");
    fs::remove_file(sshd.folder.path().join("breakglass.krl")).expect("it is there");
    assert!(!sshd.log_in(&mint(&ca, asked(14)), &key).status.success(), "the list must exist");
}

#[test]
fn the_authority_is_trusted_for_one_account_alone() {
    let (ca, key) = (minting_key(3), holder());
    let sshd = Sshd::start(ca.verifying_key(), Some("breakglass"));
    let certificate = UserCertificate {
        principals: vec![label(PRINCIPAL), label(&sshd.account.clone())],
        ..request(&key, 1)
    };
    assert!(!sshd.log_in(&mint(&ca, certificate), &key).status.success(), "{}", sshd.log());
}

#[test]
fn an_agent_holds_key_and_certificate_and_forgets_them() {
    let ca = minting_key(3);
    let (sshd, agent) = (Sshd::start(ca.verifying_key(), None), Agent::start());
    // Scalars of any shape are taken: with a high bit, and with leading zeros.
    for _ in 0..8 {
        let key = holder();
        let certificate = mint(&ca, request(&key, 1));
        assert_eq!(agent.ask(&add_to_agent(&certificate, &key, "INC-4711", 15)), AgentAnswer::Taken);
    }
    let out = run(sshd.ssh(&[]).env("SSH_AUTH_SOCK", agent.socket()));
    assert!(out.status.success(), "{}\n{}", said(&out), sshd.log());
    assert!(agent.list().contains("ECDSA-CERT"), "{}", agent.list());
    std::thread::sleep(Duration::from_secs(16));
    assert!(agent.list().contains("no identities"), "{}", agent.list());
    assert_eq!(agent.ask(&[0, 0, 0, 1, 25]), AgentAnswer::Refused);
}
