//! A resource server made of npm jose (`resource_server.mjs`) takes a bound token with a fresh proof, and nothing else.

use std::fs;
use std::path::Path;
use std::process::Command;

use breakglass::mint::jwt::{self, AccessToken, Audience, Binding, ClientAssertion, Proof, TokenId};
use breakglass::mint::{BACKDATED, SubjectKey, Window};
use p256::ecdsa::SigningKey;
use serde_json::{Value, json};

use super::sshd::{run, said};
use super::tools::{debian, folder};
use super::{holder, identity, label, minting_key, now, sign};

const ISSUER: &str = "urn:example:emergency";
const RESOURCE: &str = "https://api.example";
const URL: &str = "https://api.example/things";

/// Another identifier each time.
fn id() -> TokenId {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("randomness");
    TokenId(bytes)
}

fn access(binding: Binding) -> AccessToken {
    AccessToken {
        issuer: ISSUER.parse().expect("a URI"),
        resource: RESOURCE.parse().expect("a URI"),
        client: label("breakglass"),
        scopes: vec![label("read")],
        identity: identity(18),
        binding,
        window: Window::new(now(), 300, BACKDATED).expect("a window"),
        id: id(),
    }
}

fn mint(token: &AccessToken, key: &SigningKey) -> String {
    sign(token.prepare(key.verifying_key()).expect("a request"), key)
}

fn proof(token: &str, key: &SubjectKey) -> String {
    proof_of(&Proof { method: "GET", url: URL, token: Some(token), nonce: None, now: now(), id: id() }, key)
}

fn proof_of(proof: &Proof, key: &SubjectKey) -> String {
    proof.sign(key).expect("a proof")
}

fn dpop(token: &str, proof: &str) -> Value {
    json!({"authorization": format!("DPoP {token}"), "dpop": proof})
}

/// What the server says to each request: `200`, or `401` and why.
fn serve(requests: &[Value], keys: &str, denied: &str) -> Vec<String> {
    let at = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = at.path().join(name);
        fs::write(&path, text).expect("writes");
        path
    };
    let lines: String = requests.iter().map(|request| format!("{request}\n")).collect();
    let out = run(Command::new(debian("node", "nodejs"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mint_formats/resource_server.mjs"))
        .arg(folder().join("node"))
        .args([file("keys.json", keys), file("denied", denied), file("requests", &lines)]));
    assert!(out.status.success(), "{}", said(&out));
    String::from_utf8_lossy(&out.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn a_resource_server_takes_a_bound_token_and_nothing_else() {
    let (key, strange, own) = (minting_key(6), minting_key(7), holder());
    let keys = jwt::key_set(&[*key.verifying_key()]);
    let binding = Binding::Proof(jwt::thumbprint(own.public()));
    let token = mint(&access(binding), &key);
    let first = proof(&token, &own);
    let assertion = ClientAssertion {
        client: label("breakglass"),
        audience: Audience::Issuer(RESOURCE.parse().expect("a URI")),
        emergency_issuers: vec![ISSUER.parse().expect("a URI")],
        window: Window::new(now(), 300, BACKDATED).expect("a window"),
        id: id(),
    };
    let assertion = sign(assertion.prepare(key.verifying_key()).expect("a request"), &key);
    let denied = AccessToken { id: id(), ..access(binding) };
    let past = Window::new(now() - 1_000, 300, BACKDATED).expect("a window");
    let expired = mint(&AccessToken { window: past, ..access(binding) }, &key);
    let for_other = mint(
        &AccessToken { resource: "https://other.example".parse().expect("a URI"), ..access(binding) },
        &key,
    );
    let from_other =
        mint(&AccessToken { issuer: "https://as.example".parse().expect("a URI"), ..access(binding) }, &key);
    let by_other = mint(&access(binding), &strange);
    let revoked = mint(&denied, &key);
    let wrong = |change: fn(Proof<'_>) -> Proof<'_>| {
        let whole = Proof { method: "GET", url: URL, token: Some(&token), nonce: None, now: now(), id: id() };
        proof_of(&change(whole), &own)
    };
    let certificate = breakglass::record::hash::Hash([9; 32]);
    let by_certificate = mint(&access(Binding::Certificate(certificate)), &key);
    let tls = |thumbprint: &str| json!({"authorization": format!("Bearer {by_certificate}"), "certificate": thumbprint});
    let cases = [
        ("200", dpop(&token, &first)),
        ("401 replay", dpop(&token, &first)),
        ("200", dpop(&token, &proof(&token, &own))),
        ("401 scheme", json!({"authorization": format!("Bearer {token}"), "dpop": proof(&token, &own)})),
        ("401 scheme", json!({"authorization": format!("Bearer {token}")})),
        ("401 proof", dpop(&token, "")),
        ("401 htm", dpop(&token, &wrong(|proof| Proof { method: "POST", ..proof }))),
        ("401 htu", dpop(&token, &wrong(|proof| Proof { url: "https://api.example/other", ..proof }))),
        ("401 ath", dpop(&token, &wrong(|proof| Proof { token: Some("another"), ..proof }))),
        ("401 iat", dpop(&token, &wrong(|proof| Proof { now: proof.now - 600, ..proof }))),
        ("401 jkt", dpop(&token, &proof(&token, &holder()))),
        ("401 token", dpop(&for_other, &proof(&for_other, &own))),
        ("401 token", dpop(&from_other, &proof(&from_other, &own))),
        ("401 token", dpop(&by_other, &proof(&by_other, &own))),
        ("401 token", dpop(&expired, &proof(&expired, &own))),
        ("401 denied", dpop(&revoked, &proof(&revoked, &own))),
        // No token of one kind passes for one of another.
        ("401 token", dpop(&assertion, &proof(&assertion, &own))),
        ("401 token", dpop(&first, &proof(&first, &own))),
        ("401 proof", dpop(&token, &token)),
        ("401 proof", dpop(&token, &assertion)),
        // Bound to the certificate of the connection.
        ("200", tls(&certificate.to_string())),
        ("401 x5t", tls(&breakglass::record::hash::Hash([8; 32]).to_string())),
        ("401 x5t", tls("")),
        ("401 scheme", dpop(&by_certificate, &proof(&by_certificate, &own))),
    ];
    let requests: Vec<Value> = cases.iter().map(|(_, request)| request.clone()).collect();
    let answers = serve(&requests, &keys, &jwt::deny_list(&[denied.id]));
    let wanted: Vec<&str> = cases.iter().map(|(answer, _)| *answer).collect();
    assert_eq!(answers, wanted);
}

#[test]
fn a_key_that_left_the_key_set_opens_nothing() {
    let (key, own) = (minting_key(6), holder());
    let token = mint(&access(Binding::Proof(jwt::thumbprint(own.public()))), &key);
    let request = dpop(&token, &proof(&token, &own));
    assert_eq!(serve(&[request], &jwt::key_set(&[*minting_key(7).verifying_key()]), ""), ["401 token"]);
}
