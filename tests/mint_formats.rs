//! What is minted, judged by the programs that will judge it in an emergency: ssh-keygen, sshd and ssh-agent, openssl,
//! PostgreSQL, nginx, and a resource server made of npm jose. The minting keys are in software here; what they sign is the same.

use breakglass::attestation::Serial;
use breakglass::mint::x509::{Authority, ClientCertificate};
use breakglass::mint::{BACKDATED, KeyIdentity, Label, Numbers, SubjectKey, Unsigned, Window, x509};
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::hazmat::PrehashSigner;

#[path = "support/database.rs"]
mod database;
#[path = "support/nginx.rs"]
mod nginx_server;
#[path = "support/postgres.rs"]
#[allow(dead_code)]
mod postgres;
#[path = "support/sshd.rs"]
mod sshd;
#[path = "support/tools.rs"]
#[allow(dead_code)]
mod tools;

#[path = "mint_formats/certificates.rs"]
mod certificates;
#[path = "mint_formats/nginx.rs"]
mod nginx;
#[path = "mint_formats/ssh.rs"]
mod ssh;
#[path = "mint_formats/tokens.rs"]
mod tokens;

/// Seconds since 1970.
#[allow(clippy::disallowed_methods, reason = "the servers compare with what the clock says now")]
fn now() -> u64 {
    jiff::Timestamp::now().as_second().try_into().expect("after 1970")
}

fn minting_key(byte: u8) -> SigningKey {
    SigningKey::from_slice(&[byte; 32]).expect("a scalar")
}

fn holder() -> SubjectKey {
    SubjectKey::generate(&mut rand_core::UnwrapErr(getrandom::SysRng))
}

fn label(text: &str) -> Label {
    text.parse().expect("a label")
}

/// Fifteen minutes from now.
fn window() -> Window {
    Window::new(now(), 900, BACKDATED).expect("a window")
}

fn identity(record: u32) -> KeyIdentity {
    KeyIdentity {
        incident: label("INC-4711"),
        operator: label("ada"),
        numbers: Numbers { key: Serial(23_112), record },
    }
}

fn sign<T>(unsigned: Unsigned<T>, key: &SigningKey) -> T {
    let signature = key.sign_prehash(&unsigned.digest()).expect("signs");
    unsigned.finish(&signature).expect("our own signature")
}

/// An authority for client certificates, and its own certificate.
fn authority(key: &SigningKey) -> (Authority, x509::Signed) {
    let authority = Authority::new(key.verifying_key(), "DC1 emergency kit", Serial(23_112)).expect("a name");
    let number = Numbers { key: Serial(23_112), record: 0 }.x509([7; 8]);
    let own = x509::authority(&authority, number, now() - 60, 10 * 365 * 86_400).expect("a form");
    let own = sign(own, key);
    (authority, own)
}

/// Two keys of a kit: what each minted, the certificates of both as authorities, and the lists of both, on which the third of
/// each stands.
fn of_two_keys(subject: &SubjectKey) -> (Vec<[x509::Signed; 2]>, String, String) {
    let (mut minted, mut bundle, mut lists) = (Vec::new(), String::new(), String::new());
    for (byte, serial) in [(5, 23_112), (6, 23_115)] {
        let key = minting_key(byte);
        let authority =
            Authority::new(key.verifying_key(), "DC1 emergency kit", Serial(serial)).expect("a name");
        let number = |record, byte| Numbers { key: Serial(serial), record }.x509([byte; 8]);
        let own = x509::authority(&authority, number(0, 7), now() - 60, x509::LASTS).expect("a form");
        let own = sign(own, &key);
        let one = |record| {
            let certificate = ClientCertificate { number: number(record, 8), ..client(subject, 1, window()) };
            sign(certificate.prepare(&authority).expect("a request"), &key)
        };
        let revoked = x509::RevokedCertificate { serial: number(3, 8).to_vec(), since: now() - 1 };
        let list = x509::revocation_list(&own, &[revoked], 1, now() - 10, None).expect("a list");
        minted.push([one(2), one(3)]);
        bundle += &own.pem();
        lists += &sign(list, &key).pem();
    }
    (minted, bundle, lists)
}

fn client(subject: &SubjectKey, record: u32, window: Window) -> ClientCertificate {
    ClientCertificate {
        subject: *subject.public(),
        user: label("breakglass-dba"),
        incident: label("INC-4711"),
        groups: vec![label("breakglass:cluster-admins")],
        masters: false,
        window,
        number: identity(record).numbers.x509([8; 8]),
    }
}
