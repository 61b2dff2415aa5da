//! What is minted, read back by the libraries that others use, and what is refused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use proptest::prelude::*;
use serde_json::Value;

use super::jwt::{AccessToken, Audience, Binding, ClientAssertion, Proof, TokenId};
use super::ssh::{Permissions, PublicLine, Revoked, UserCertificate};
use super::x509::{
    Authority, ClientCertificate, NotAList, NotAnAuthority, RequestError, RevokedCertificate, SignedList,
    SigningRequest,
};
use super::*;
use crate::attestation::Serial;
use crate::record::hash::KeyId;

/// 2026-11-29T06:00:00Z.
const NOW: u64 = 1_795_932_000;

fn minting_key(byte: u8) -> SigningKey {
    SigningKey::from_slice(&[byte; 32]).unwrap()
}

fn holder() -> SubjectKey {
    struct Nines;
    impl rand_core::TryRng for Nines {
        type Error = std::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(9)
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Ok(9)
        }
        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
            bytes.fill(9);
            Ok(())
        }
    }
    impl rand_core::TryCryptoRng for Nines {}
    SubjectKey::generate(&mut Nines)
}

fn label(text: &str) -> Label {
    text.parse().unwrap()
}

fn window() -> Window {
    Window::new(NOW, 900, BACKDATED).unwrap()
}

fn identity() -> KeyIdentity {
    KeyIdentity {
        incident: label("INC-4711"),
        operator: label("ada"),
        numbers: Numbers { key: Serial(23_112), record: 18 },
    }
}

fn sign<T>(unsigned: Unsigned<T>, key: &SigningKey) -> Result<T, MintError> {
    let signature = key.sign_prehash(&unsigned.digest()).unwrap();
    unsigned.finish(&signature)
}

fn user_certificate() -> UserCertificate {
    UserCertificate {
        subject: PublicLine::of(holder().public()),
        principals: vec![label("breakglass"), label("db")],
        sources: vec!["192.0.2.0/24".parse().unwrap(), "::1".parse().unwrap()],
        command: Some("systemctl restart pam".into()),
        permissions: Permissions { terminal: true, forward_ports: false },
        window: window(),
        identity: identity(),
    }
}

#[test]
fn an_ssh_certificate_says_what_was_asked_for_and_nothing_else() {
    let ca = minting_key(3);
    let signed = sign(user_certificate().prepare(ca.verifying_key(), [1; 32]).unwrap(), &ca).unwrap();
    let read = ssh_key::Certificate::from_openssh(signed.line().trim_end()).unwrap();
    let fingerprint = ssh::fingerprint(ca.verifying_key()).parse().unwrap();
    read.validate_at(NOW, [&fingerprint]).unwrap();
    assert_eq!((read.valid_after(), read.valid_before()), (NOW - 300, NOW + 900));
    assert_eq!(read.valid_principals(), ["breakglass", "db"]);
    assert_eq!(read.key_id(), "bg|inc=INC-4711|op=ada|rec=23112/18");
    assert_eq!(Numbers::of_ssh(read.serial()), identity().numbers);
    let options: Vec<_> = read.critical_options().iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        options,
        [("force-command", "systemctl restart pam"), ("source-address", "192.0.2.0/24,::1/128")]
    );
    let extensions: Vec<_> = read.extensions().keys().map(String::as_str).collect();
    assert_eq!(extensions, ["permit-pty"]);
    assert_eq!(ssh_key::Certificate::from_bytes(&signed.blob()).unwrap().serial(), signed.serial());
}

/// It is made in memory that is wiped, however long the certificate is; a debug build watches over that.
#[test]
fn what_an_agent_gets_has_room_for_the_longest_certificate() {
    let key = minting_key(3);
    let long = UserCertificate {
        command: Some("c".repeat(1_024)),
        sources: (0..=255).map(|n| format!("2001:db8:{n:x}:ffff:ffff::/80").parse().unwrap()).collect(),
        ..user_certificate()
    };
    for certificate in [long, user_certificate()] {
        let signed = sign(certificate.prepare(key.verifying_key(), [1; 32]).unwrap(), &key).unwrap();
        let request = ssh::add_to_agent(&signed, &holder(), &identity().text(), 900);
        let scalar = holder().expose_scalar();
        assert!(request.windows(32).any(|part| part == &scalar[..]));
        assert_eq!(request[..4], u32::try_from(request.len() - 4).unwrap().to_be_bytes());
    }
}

#[test]
fn an_ssh_certificate_for_everybody_or_with_a_strange_command_is_refused() {
    let ca = minting_key(3);
    let nobody = UserCertificate { principals: Vec::new(), ..user_certificate() };
    assert!(matches!(nobody.prepare(ca.verifying_key(), [1; 32]), Err(MintError::Nothing("principal"))));
    for command in [String::new(), "a\nb".into(), "ä".into(), "x".repeat(1_025)] {
        let strange = UserCertificate { command: Some(command), ..user_certificate() };
        assert!(matches!(strange.prepare(ca.verifying_key(), [1; 32]), Err(MintError::Text { .. })));
    }
}

#[test]
fn another_keys_signature_finishes_nothing() {
    let (ca, other) = (minting_key(3), minting_key(4));
    let key = ca.verifying_key();
    assert!(matches!(
        sign(user_certificate().prepare(key, [1; 32]).unwrap(), &other),
        Err(MintError::Signature)
    ));
    let (authority, _) = authority_of(&ca);
    assert!(matches!(sign(client().prepare(&authority).unwrap(), &other), Err(MintError::Signature)));
    assert!(matches!(
        sign(access(Binding::Proof(jwt::thumbprint(key))).prepare(key).unwrap(), &other),
        Err(MintError::Signature)
    ));
}

#[test]
fn what_will_be_signed_depends_on_everything_that_is_asked_for() {
    let key = *minting_key(3).verifying_key();
    let digest = |request: UserCertificate, nonce| request.prepare(&key, nonce).unwrap().digest();
    let first = digest(user_certificate(), [1; 32]);
    assert_eq!(first, digest(user_certificate(), [1; 32]));
    assert_ne!(first, digest(user_certificate(), [2; 32]));
    assert_ne!(first, digest(UserCertificate { command: None, ..user_certificate() }, [1; 32]));
}

#[test]
fn a_revocation_list_of_ssh_is_as_the_protocol_draws_it() {
    let authority = *minting_key(3).verifying_key();
    let empty = ssh::revocation_list(&[], 1, NOW, "kit").unwrap();
    let head = [
        &b"SSHKRL\n\0"[..],
        &1u32.to_be_bytes(),
        &1u64.to_be_bytes(),
        &NOW.to_be_bytes(),
        &0u64.to_be_bytes(),
        &0u32.to_be_bytes(),
        &3u32.to_be_bytes(),
        b"kit",
    ];
    assert_eq!(empty, head.concat());
    let nothing = Revoked { authority, serials: vec![], identities: vec![], altogether: false };
    assert_eq!(ssh::revocation_list(std::slice::from_ref(&nothing), 1, NOW, "kit").unwrap(), empty);
    let one = Revoked {
        serials: vec![7, 3, 7],
        identities: vec!["b".into(), "a".into()],
        altogether: true,
        ..nothing
    };
    let list = ssh::revocation_list(&[one], 1, NOW, "kit").unwrap();
    assert_eq!(list[empty.len()], 1, "a section of certificates");
    let serials = [&[0x20][..], &16u32.to_be_bytes(), &3u64.to_be_bytes(), &7u64.to_be_bytes()].concat();
    assert_eq!(list.windows(serials.len()).filter(|part| *part == serials).count(), 1);
    let names = [&[0x23][..], &10u32.to_be_bytes(), &[0, 0, 0, 1, b'a', 0, 0, 0, 1, b'b']].concat();
    assert_eq!(list.windows(names.len()).filter(|part| *part == names).count(), 1);
}

fn authority_of(key: &SigningKey) -> (Authority, x509::Signed) {
    let authority = Authority::new(key.verifying_key(), "DC1 emergency kit", Serial(23_112)).unwrap();
    let number = Numbers { key: Serial(23_112), record: 0 }.x509([7; 8]);
    let own = x509::authority(&authority, number, NOW - 100, x509::LASTS).unwrap();
    let own = sign(own, key).unwrap();
    (authority, own)
}

fn client() -> ClientCertificate {
    ClientCertificate {
        subject: *holder().public(),
        user: label("breakglass-dba"),
        incident: label("INC-4711"),
        groups: vec![label("breakglass:cluster-admins")],
        masters: false,
        window: window(),
        number: identity().numbers.x509([8; 8]),
    }
}

#[test]
fn a_client_certificate_names_the_incident_and_leads_to_its_record() {
    use x509_cert::der::Decode;
    let ca = minting_key(5);
    let (authority, _) = authority_of(&ca);
    let signed = sign(client().prepare(&authority).unwrap(), &ca).unwrap();
    let read = x509_cert::Certificate::from_der(&signed.der()).unwrap();
    let tbs = read.tbs_certificate();
    assert_eq!(tbs.subject().to_string(), "CN=breakglass-dba,OU=INC-4711,O=breakglass:cluster-admins");
    assert_eq!(tbs.issuer().to_string(), "CN=breakglass emergency CA 23112,O=DC1 emergency kit");
    assert_eq!(tbs.validity().not_before.to_unix_duration().as_secs(), NOW - 300);
    assert_eq!(tbs.validity().not_after.to_unix_duration().as_secs(), NOW + 899);
    assert_eq!(Numbers::of_x509(signed.serial()), Some(identity().numbers));
    assert_eq!(x509::names_of_serial(signed.serial())[0], "4200005A48000000120808080808080808");
}

#[test]
fn an_authority_is_known_by_what_its_own_key_signed() {
    let (ca, other) = (minting_key(5), minting_key(6));
    let (authority, own) = authority_of(&ca);
    let key = ca.verifying_key();
    let read = Authority::of(&x509::Signed::from_der(&own.der()).unwrap(), key).unwrap();
    // What is minted under the name that was read is minted under the same name.
    let issuer = |authority: &Authority| client().prepare(authority).unwrap().digest();
    assert_eq!(issuer(&read), issuer(&authority));
    assert_eq!((own.from(), own.until()), (NOW - 100, NOW - 100 + x509::LASTS));
    assert_eq!(Authority::of(&own, other.verifying_key()).unwrap_err(), NotAnAuthority::Key);
    // What it signs for others is none; nor what claims to be its own.
    let signed = sign(client().prepare(&authority).unwrap(), &ca).unwrap();
    assert_eq!(Authority::of(&signed, key).unwrap_err(), NotAnAuthority::Key);
    let for_itself = ClientCertificate { subject: *key, ..client() };
    let signed = sign(for_itself.prepare(&authority).unwrap(), &ca).unwrap();
    assert_eq!(Authority::of(&signed, key).unwrap_err(), NotAnAuthority::Issuer);
    let mut changed = own.der();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    let changed = x509::Signed::from_der(&changed).unwrap();
    assert_eq!(Authority::of(&changed, key).unwrap_err(), NotAnAuthority::Signature);
}

#[test]
fn a_list_is_taken_from_its_authority_alone() {
    let (ca, other) = (minting_key(5), minting_key(6));
    let (authority, own) = authority_of(&ca);
    let entry = RevokedCertificate { serial: identity().numbers.x509([8; 8]).to_vec(), since: NOW };
    let list = |own, number, ca| {
        sign(x509::revocation_list(own, std::slice::from_ref(&entry), number, NOW, None).unwrap(), ca)
    };
    for number in [0, 1, 127, 128, u64::MAX] {
        let signed = list(&own, number, &ca).unwrap();
        let read = SignedList::of(&signed.der(), &authority).unwrap();
        assert_eq!(read, signed);
        assert_eq!((read.number(), read.revoked()), (number, vec![entry.clone()]));
        assert_eq!(read.until(), Some(own.until()));
    }
    let (_, of_other) = authority_of(&other);
    let foreign = list(&of_other, 1, &other).unwrap();
    assert_eq!(SignedList::of(&foreign.der(), &authority), Err(NotAList::Signature)); // of the same name
    let named = Authority::new(ca.verifying_key(), "another kit", Serial(23_112)).unwrap();
    assert_eq!(SignedList::of(&list(&own, 1, &ca).unwrap().der(), &named), Err(NotAList::Issuer));
    assert_eq!(SignedList::of(b"0", &authority), Err(NotAList::Form));
}

#[test]
fn masters_of_a_cluster_are_made_only_when_spelled_out() {
    let (authority, _) = authority_of(&minting_key(5));
    for name in ["system:masters", "System:Masters"] {
        let masters = ClientCertificate { groups: vec![label(name)], ..client() };
        assert!(matches!(masters.prepare(&authority), Err(MintError::Masters)));
        assert!(ClientCertificate { masters: true, ..masters }.prepare(&authority).is_ok());
    }
    let nobody = ClientCertificate { groups: Vec::new(), ..client() };
    assert!(matches!(nobody.prepare(&authority), Err(MintError::Nothing(_))));
}

#[test]
fn an_organisation_that_is_no_part_of_a_name_is_refused() {
    let key = *minting_key(5).verifying_key();
    for bad in ["", "a\nb", &"x".repeat(65)] {
        assert!(matches!(Authority::new(&key, bad, Serial(1)), Err(MintError::Text { .. })), "{bad:?}");
    }
}

#[test]
fn a_list_of_certificates_lasts_as_long_as_its_authority() {
    use x509_cert::der::DecodePem;
    let ca = minting_key(5);
    let (_, own) = authority_of(&ca);
    let entry = RevokedCertificate { serial: identity().numbers.x509([8; 8]).to_vec(), since: NOW };
    for (revoked, count) in [(vec![], None), (vec![entry.clone()], Some(1))] {
        let pem = sign(x509::revocation_list(&own, &revoked, 4, NOW, None).unwrap(), &ca).unwrap().pem();
        let list =
            x509_cert::crl::CertificateList::<x509_cert::certificate::Rfc5280>::from_pem(&pem).unwrap();
        assert_eq!(list.tbs_cert_list.revoked_certificates.map(|list| list.len()), count);
        let end = list.tbs_cert_list.next_update.unwrap().to_unix_duration().as_secs();
        assert_eq!(end, NOW - 100 + 10 * 365 * 86_400);
    }
}

fn access(binding: Binding) -> AccessToken {
    AccessToken {
        issuer: "urn:example:emergency".parse().unwrap(),
        resource: "https://api.example".parse().unwrap(),
        client: label("breakglass"),
        scopes: vec![label("read"), label("write")],
        identity: identity(),
        binding,
        window: window(),
        id: TokenId([6; 16]),
    }
}

fn assertion() -> ClientAssertion {
    ClientAssertion {
        client: label("breakglass"),
        audience: Audience::Issuer("https://as.example".parse().unwrap()),
        emergency_issuers: vec!["urn:example:emergency".parse().unwrap()],
        window: window(),
        id: TokenId([5; 16]),
    }
}

fn part(token: &str, index: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap()).unwrap()
}

#[test]
fn an_access_token_is_bound_and_leads_to_its_record() {
    let key = minting_key(6);
    let kid = KeyId::of(key.verifying_key()).to_string();
    let jkt = jwt::thumbprint(holder().public());
    let token = sign(access(Binding::Proof(jkt)).prepare(key.verifying_key()).unwrap(), &key).unwrap();
    assert_eq!(part(&token, 0), serde_json::json!({"alg": "ES256", "typ": "at+jwt", "kid": kid}));
    assert_eq!(
        part(&token, 1),
        serde_json::json!({
            "iss": "urn:example:emergency", "sub": "ada@INC-4711", "aud": "https://api.example",
            "client_id": "breakglass", "scope": "read write", "jti": TokenId([6; 16]).to_string(),
            "iat": NOW - 300, "nbf": NOW - 300, "exp": NOW + 900, "cnf": {"jkt": jkt.to_string()},
            "incident": "INC-4711", "record": "23112/18",
        })
    );
    let token = sign(access(Binding::Certificate(jkt)).prepare(key.verifying_key()).unwrap(), &key).unwrap();
    assert_eq!(part(&token, 1)["cnf"], serde_json::json!({"x5t#S256": jkt.to_string()}));
}

#[test]
fn a_token_is_bound_to_the_first_certificate_of_a_file_as_it_lies_with_its_authority() {
    let ca = minting_key(5);
    let (authority, own) = authority_of(&ca);
    let signed = sign(client().prepare(&authority).unwrap(), &ca).unwrap();
    let wanted = Some(Binding::Certificate(signed.thumbprint()));
    let (one, chain) = (signed.pem(), signed.pem() + &own.pem());
    for text in [&one, &chain, &format!("\n{chain}\n"), &chain.replace('\n', "\r\n"), &one.trim().to_owned()]
    {
        assert_eq!(Binding::to_certificate(text.as_bytes()), wanted, "{text}");
    }
    assert_eq!(Binding::to_certificate(&signed.der()), wanted);
    let key = holder().expose_pem();
    for none in ["", "hello", &key, &format!("{}{one}", *key), &format!("{one}{}", *key), &one[..200]] {
        assert_eq!(Binding::to_certificate(none.as_bytes()), None, "{none}");
    }
    assert_eq!(Binding::to_certificate(&[signed.der(), vec![0]].concat()), None);
}

#[test]
fn an_assertion_is_for_one_server_and_of_its_own_type() {
    let key = minting_key(6);
    let token = sign(assertion().prepare(key.verifying_key()).unwrap(), &key).unwrap();
    assert_eq!(part(&token, 0)["typ"], "client-authentication+jwt");
    assert_eq!(
        part(&token, 1),
        serde_json::json!({
            "iss": "breakglass", "sub": "breakglass", "aud": "https://as.example",
            "jti": TokenId([5; 16]).to_string(), "iat": NOW, "exp": NOW + 900,
        })
    );
    let audience = Audience::TokenEndpoint("https://as.example/token".parse().unwrap());
    let old = ClientAssertion { audience, ..assertion() };
    let token = sign(old.prepare(key.verifying_key()).unwrap(), &key).unwrap();
    assert_eq!(
        (&part(&token, 0)["typ"], &part(&token, 1)["aud"]),
        (&"JWT".into(), &"https://as.example/token".into())
    );
}

#[test]
fn a_client_is_never_named_as_the_issuer_is() {
    let key = *minting_key(6).verifying_key();
    let client = label("urn:example:emergency");
    let wrong = ClientAssertion { client: client.clone(), ..assertion() };
    assert!(matches!(wrong.prepare(&key), Err(MintError::ClientIsIssuer(_))));
    let wrong = AccessToken { client, ..access(Binding::Proof(jwt::thumbprint(&key))) };
    assert!(matches!(wrong.prepare(&key), Err(MintError::ClientIsIssuer(_))));
    let wrong = AccessToken { scopes: Vec::new(), ..access(Binding::Proof(jwt::thumbprint(&key))) };
    assert!(matches!(wrong.prepare(&key), Err(MintError::Nothing("scope"))));
}

#[test]
fn a_proof_is_for_one_request() {
    let key = holder();
    let url = "https://api.example/things?id=1#x";
    let proof =
        Proof { method: "GET", url, token: Some("a.b.c"), nonce: None, now: NOW, id: TokenId([4; 16]) };
    let text = proof.sign(&key).unwrap();
    let header = part(&text, 0);
    assert_eq!((&header["typ"], &header["jwk"]["crv"]), (&"dpop+jwt".into(), &"P-256".into()));
    assert!(header["jwk"].get("d").is_none());
    let claims = part(&text, 1);
    assert_eq!(claims["htu"], "https://api.example/things");
    assert_eq!(claims["ath"], URL_SAFE_NO_PAD.encode(Sha256::digest("a.b.c")));
    assert!(claims.get("nonce").is_none());
    for url in ["ftp://x/", "https:///x", "http://api.example/", "https://a b", "", "https://"] {
        assert!(Proof { url, ..proof.clone() }.sign(&key).is_err(), "{url}");
    }
    for url in
        ["http://localhost.example/", "http://localhost:9@example/", "http://127.0.0.1x/", "http://[::1]x/"]
    {
        assert!(Proof { url, ..proof.clone() }.sign(&key).is_err(), "{url} is not this machine");
    }
    for method in ["", "get", "GET "] {
        assert!(Proof { method, ..proof.clone() }.sign(&key).is_err(), "{method}");
    }
    for url in ["http://127.0.0.1:9/x", "http://localhost/@", "http://[::1]:9/x", "http://[::1]"] {
        assert!(Proof { url, ..proof.clone() }.sign(&key).is_ok(), "{url}");
    }
}

#[test]
fn identifiers_are_read_as_they_are_written() {
    let id = TokenId([0xFE; 16]);
    assert_eq!(id.to_string().parse::<TokenId>().unwrap(), id);
    for bad in ["", "short", "!!!!!!!!!!!!!!!!!!!!!!", &id.to_string()[1..]] {
        assert!(bad.parse::<TokenId>().is_err(), "{bad}");
    }
    let other = TokenId([1; 16]);
    assert_eq!(jwt::deny_list(&[id, other, id]), format!("{other}\n{id}\n"));
    for bad in
        ["", "example", "https:", "a b:c", "1:x", "urn:a b", "urn:ä", &format!("urn:{}", "x".repeat(512))]
    {
        assert!(bad.parse::<jwt::Uri>().is_err(), "{bad}");
    }
}

#[test]
fn a_holders_key_is_the_same_after_its_file() {
    let key = holder();
    assert_eq!(SubjectKey::from_pem(&key.expose_pem()).unwrap().public(), key.public());
    assert!(SubjectKey::from_pem("nothing").is_none());
    assert_eq!(format!("{key:?}"), "SubjectKey");
}

#[test]
fn what_kubectl_reads_holds_both_halves() {
    let ca = minting_key(5);
    let (authority, _) = authority_of(&ca);
    let signed = sign(client().prepare(&authority).unwrap(), &ca).unwrap();
    let line = x509::exec_credential("v1", &signed, &holder(), window());
    let value: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&value["apiVersion"], &value["kind"]),
        (&"client.authentication.k8s.io/v1".into(), &"ExecCredential".into())
    );
    assert_eq!(value["status"]["expirationTimestamp"], "2026-11-29T06:15:00Z");
    assert_eq!(value["status"]["clientCertificateData"], signed.pem());
    assert!(value["status"]["clientKeyData"].as_str().unwrap().starts_with("-----BEGIN PRIVATE KEY-----\n"));
}

/// `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=ada`, and one of RSA.
const REQUEST: &str = include_str!("x509/request.pem");
const RSA_REQUEST: &str = include_str!("x509/request_rsa.pem");

#[test]
fn a_request_gives_its_key_and_no_name() {
    let read = SigningRequest::parse(REQUEST.as_bytes()).unwrap();
    let der = pem_body(REQUEST);
    assert_eq!(SigningRequest::parse(&der).unwrap(), read);
    assert_eq!(SigningRequest::parse(RSA_REQUEST.as_bytes()), Err(RequestError::Key));
    for (text, error) in [
        ("", RequestError::Length(0)),
        (&*"x".repeat(16_385), RequestError::Length(16_385)),
        ("hello", RequestError::Form),
        ("-----BEGIN EC PRIVATE KEY-----\n", RequestError::Private),
        (&REQUEST[..100], RequestError::Form),
        (&format!("{REQUEST}{REQUEST}"), RequestError::Form),
    ] {
        assert_eq!(SigningRequest::parse(text.as_bytes()), Err(error), "{text}");
    }
    let mut last = der.clone();
    *last.last_mut().unwrap() ^= 1;
    assert_eq!(SigningRequest::parse(&last), Err(RequestError::Signature));
    for index in 0..der.len() {
        let mut bad = der.clone();
        bad[index] ^= 1;
        assert!(SigningRequest::parse(&bad).is_err(), "byte {index} changed");
        assert!(SigningRequest::parse(&der[..index]).is_err(), "cut at {index}");
    }
}

#[test]
fn a_request_of_our_own_is_one_of_these() {
    let key = holder();
    let text = x509::request(&key).unwrap();
    assert_eq!(SigningRequest::parse(text.as_bytes()).unwrap().key(), key.public());
    assert!(text.len() < 500, "{} bytes in one code", text.len());
}

fn pem_body(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    base64::engine::general_purpose::STANDARD.decode(body).unwrap()
}

proptest! {
    #[test]
    fn any_bytes_are_a_request_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = SigningRequest::parse(&bytes);
        let armoured = format!(
            "-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n",
            base64::engine::general_purpose::STANDARD.encode(&bytes)
        );
        let _ = SigningRequest::parse(armoured.as_bytes());
    }

    #[test]
    fn a_certificate_of_any_length_ends_when_it_should(lifetime in 1..=LONGEST, backdated in 0..=MOST_BACKDATED) {
        let ca = minting_key(3);
        let window = Window::new(NOW, lifetime, backdated).unwrap();
        let request = UserCertificate { window, ..user_certificate() };
        let signed = sign(request.prepare(ca.verifying_key(), [1; 32]).unwrap(), &ca).unwrap();
        let read = ssh_key::Certificate::from_openssh(signed.line().trim_end()).unwrap();
        prop_assert_eq!((read.valid_after(), read.valid_before()), (NOW - backdated, NOW + lifetime));
    }

    #[test]
    fn text_that_is_a_uri_is_one_word_of_json(text in "\\PC{0,40}") {
        if let Ok(uri) = text.parse::<jwt::Uri>() {
            prop_assert_eq!(serde_json::to_string(uri.as_str()).unwrap(), format!("\"{text}\""));
        }
    }
}
