//! Tokens and client assertions: minted by the program with a virtual YubiKey over real PC/SC, and used with what it hands out
//! and curl, at an authorisation server made of npm oidc-provider and a resource server made of npm jose.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass::mint::SubjectKey;
use breakglass::mint::jwt::{deny_list, key_set, thumbprint};
use serde_json::Value;

use super::pcsc::Settings;
use super::practice::done;
use super::real::{KEYS, Life, ONE, PROGRAM, admit, complete, pin_line, provision};
use super::sshd::{run, said};
use super::tools::{debian, folder};

/// What may be minted of tokens, for a kit.toml.
pub(super) const RULES: &str = r#"
[[mint]]
name = "api"
kind = "token"
issuer = "urn:example:emergency"
resource = "https://api.example"
client = "breakglass"
scopes = ["read"]

[[mint]]
name = "elsewhere"
kind = "token"
issuer = "urn:example:emergency"
resource = "https://other.example"
client = "breakglass"
scopes = ["read"]

[[mint]]
name = "by-another"
kind = "token"
issuer = "https://as.example"
resource = "https://api.example"
client = "breakglass"
scopes = ["read"]

[[mint]]
name = "log-in"
kind = "assertion"
client = "breakglass"
server = "https://as.example"
token-endpoint = "https://as.example/token"
scopes = ["read"]
"#;

/// A server of node; ended with its input when dropped.
pub(super) struct Server {
    child: Child,
    _input: Option<ChildStdin>,
    /// What it says first: where it is.
    pub(super) at: String,
    log: PathBuf,
}

impl Server {
    pub(super) fn start(script: &str, arguments: &[&str], log: &Path) -> Self {
        let mut child = Command::new(debian("node", "nodejs"))
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(script))
            .arg(folder().join("node"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(log).expect("a file"))
            .spawn()
            .expect("node runs");
        let mut at = String::new();
        let _ = BufReader::new(child.stdout.take().expect("piped")).read_line(&mut at);
        let server =
            Server { _input: child.stdin.take(), child, at: at.trim().to_owned(), log: log.to_owned() };
        assert!(server.at.starts_with("http"), "{script}: {}", server.log());
        server
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A resource server that has this key set, and a clock that is ahead by so many seconds.
pub(super) fn resource_server(keys: &Path, denied: &Path, ahead: &str) -> Server {
    let (set, list) = (keys.display().to_string(), denied.display().to_string());
    let log = denied.with_extension("log");
    Server::start("tests/mint_formats/resource_server.mjs", &[&set, &list, "listen", ahead], &log)
}

/// The curl line that was handed out, as a person runs it.
pub(super) fn handed(script: &Path, words: &[&str]) -> Output {
    let path = format!("{}:/usr/bin:/bin", Path::new(PROGRAM).parent().expect("a folder").display());
    let mut shell = Command::new("sh");
    shell.arg(script).args(words).env("PATH", path);
    debian("curl", "curl");
    run(shell.stdin(Stdio::null()))
}

pub(super) fn curl(words: &[&str]) -> String {
    let out = run(Command::new(debian("curl", "curl")).args(["--silent", "--show-error"]).args(words));
    assert!(out.status.success(), "{words:?}: {}", said(&out));
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

/// `token proof`.
pub(super) fn proof(key: &Path, words: &[&str]) -> String {
    let out = run(Command::new(PROGRAM).args(["token", "proof", "--key"]).arg(key).args(words));
    done(&out);
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

pub(super) fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Claims of a token.
pub(super) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64url")).expect("JSON")
}

/// What asks for a minting, but how it is confirmed and where it goes.
pub(super) fn words<'w>(kind: &'w str, rule: &'w str) -> Vec<&'w str> {
    let why = ["--emergency", "pam-outage", "--incident", "INC-4711", "--reason", "PAM lost quorum"];
    [&["mint", kind, rule][..], &why, &["--operator", "ada"]].concat()
}

/// A real kit of one virtual YubiKey that mints, its key set in `trust`, and the answer of the program to each minting.
struct World {
    life: Life,
}

impl World {
    fn new(endpoint: &str) -> Self {
        let life = Life::blank(&Settings::usual(&KEYS[..1]));
        life.run(&["init", "--name", "DC1 emergency kit"], &[]).done();
        complete(&life.kit(), &life.world);
        let toml = life.kit().join("kit.toml");
        let written = text(&toml).replace("# mints = ", "mints = ")
            + &RULES.replace("https://as.example/token", endpoint);
        std::fs::write(&toml, written).expect("kit.toml");
        provision(&life, ONE, &[]).done();
        admit(&life, ONE, ONE).done();
        let trust = life.path("trust").display().to_string();
        life.run(&["trust", "export", &trust], &[]).done();
        std::fs::write(life.path("nothing"), "").expect("writes");
        World { life }
    }

    fn keys(&self) -> PathBuf {
        self.life.path("trust/token/jwks.json")
    }

    /// Mints into a new folder of that name.
    fn mint(&self, kind: &str, rule: &str, out: &str, more: &[&str]) -> super::real::Said {
        let folder = self.life.path(out).display().to_string();
        let word = format!("mint {rule}");
        let asked = [&words(kind, rule)[..], &["--out", &folder, "--confirm", &word], more].concat();
        self.life.run(&asked, &[pin_line(ONE)])
    }
}

#[test]
fn a_resource_server_takes_a_token_of_a_virtual_yubikey_and_nothing_else() {
    let world = World::new("https://as.example/token");
    let life = &world.life;
    let _ = life.pins_sent();
    let said = world.mint("token", "api", "login", &[]).done();
    let said = said.says(&["signed and on disk", "to mint it with 85", "minted api: token", "use it:  sh "]);
    assert_eq!(life.pins_sent(), [3], "to sign the intent, to mint, to sign the outcome: {said}");
    let server = resource_server(&world.keys(), &life.path("nothing"), "0");
    let url = format!("{}/things", server.at);
    // What was handed out gets in, again and again, and the server knows whose record that is.
    let script = life.path("login/curl.sh");
    for query in ["", "?id=1"] {
        let out = handed(&script, &["GET", &format!("{url}{query}")]);
        let answer = super::said(&out);
        assert!(answer.starts_with("200 ada@INC-4711 INC-4711 4000001/"), "{answer}{}", server.log());
    }
    let token = text(&life.path("login/token")).trim().to_owned();
    let (key, held) = (life.path("login/key.pem"), life.path("login/token").display().to_string());
    let whole = ["--method", "GET", "--url", &url, "--token", &held];
    let send = |scheme: &str, token: &str, proof: &str| {
        let (header, proof) = (format!("Authorization: {scheme} {token}"), format!("DPoP: {proof}"));
        curl(&["-H", &header, "-H", &proof, &url])
    };
    let fresh = || proof(&key, &whole);
    // A proof is good once.
    let first = fresh();
    assert!(send("DPoP", &token, &first).starts_with("200 "));
    assert_eq!(send("DPoP", &token, &first), "401 replay");
    // For its bearer it is worth nothing.
    assert_eq!(send("Bearer", &token, &fresh()), "401 scheme");
    assert_eq!(curl(&["-H", &format!("Authorization: Bearer {token}"), &url]), "401 scheme");
    assert_eq!(curl(&["-H", &format!("Authorization: DPoP {token}"), &url]), "401 proof");
    let other = life.path("other");
    done(&run(Command::new(PROGRAM).args(["mint", "key", "--out"]).arg(&other)));
    let elsewhere = format!("{}/other", server.at);
    for (refused, made) in [
        ("401 htm", proof(&key, &["--method", "POST", "--url", &url, "--token", &held])),
        ("401 htu", proof(&key, &["--method", "GET", "--url", &elsewhere, "--token", &held])),
        ("401 ath", proof(&key, &["--method", "GET", "--url", &url])),
        ("401 jkt", proof(&other.join("key.pem"), &whole)),
    ] {
        assert_eq!(send("DPoP", &token, &made), refused);
    }
    // For another resource, and of another issuer, though by the same key.
    for rule in ["elsewhere", "by-another"] {
        world.mint("token", rule, rule, &[]).done();
        assert_eq!(
            super::said(&handed(&life.path(rule).join("curl.sh"), &["GET", &url])).trim(),
            "401 token"
        );
    }
    // Nothing of one kind passes for another.
    world.mint("assertion", "log-in", "assertions", &[]).done();
    let assertion = text(&life.path("assertions/assertion-1"));
    assert_eq!(send("DPoP", &assertion, &fresh()), "401 token");
    assert_eq!(send("DPoP", &fresh(), &fresh()), "401 token");
    assert_eq!(send("DPoP", &token, &token), "401 proof");
    assert_eq!(send("DPoP", &token, &assertion), "401 proof");
    // Clocks that differ by less than five minutes lock nobody out; what is past is past; what was taken back is not taken.
    let denied = life.path("denied");
    let id = claims(&token)["jti"].as_str().expect("a jti").parse().expect("an id");
    std::fs::write(&denied, deny_list(&[id])).expect("writes");
    for (ahead, list, wanted) in [
        ("-240", life.path("nothing"), "200 "),
        ("240", life.path("nothing"), "200 "),
        ("330", life.path("nothing"), "401 token"),
        ("0", denied, "401 denied"),
    ] {
        let server = resource_server(&world.keys(), &list, ahead);
        let out = handed(&script, &["GET", &format!("{}/things", server.at)]);
        assert!(super::said(&out).starts_with(wanted), "{ahead}: {}{}", super::said(&out), server.log());
    }
    life.run(&["records", "verify"], &[]).done();
}

/// A port that nobody listens on now.
fn port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

#[test]
fn an_authorisation_server_takes_each_assertion_of_a_virtual_yubikey_once() {
    // The policy names the endpoint before the server can have the key set.
    let port = port().to_string();
    let endpoint = format!("http://127.0.0.1:{port}/token");
    let world = World::new(&endpoint);
    let life = &world.life;
    let start = |keys: &Path, port: &str, log: &str| {
        let keys = keys.display().to_string();
        Server::start("tests/minting/authorization_server.mjs", &[&keys, port], &life.path(log))
    };
    let server = start(&world.keys(), &port, "as.log");
    assert_eq!(server.at, endpoint);
    let _ = life.pins_sent();
    let said = world.mint("assertion", "log-in", "login", &["--count", "6"]).done();
    let said =
        said.says(&["1 PIN, 7 to 8 touches", "to mint 1 of 6 with 85", "minted log-in: 6 client assertions"]);
    assert_eq!(life.pins_sent(), [8], "the intent, six, the outcome: {said}");
    let (key, script) = (life.path("login/key.pem"), life.path("login/curl.sh"));
    let prove = |url: &str| proof(&key, &["--method", "POST", "--url", url]);
    let nth = |n: u32| text(&life.path(&format!("login/assertion-{n}")));
    let refused = |server: &Server, why: &str, code: u32, assertion: &str, proof: Option<&str>| {
        let said = ask(&server.at, assertion, proof);
        assert!(said.starts_with(&code.to_string()), "{said}\n{}", server.log());
        let log = server.log();
        assert!(log.lines().last().is_some_and(|line| line.contains(why)), "{why}: {log}");
    };
    // An assertion and a proof, by what was handed out, give a token that is bound to our key.
    let out = super::said(&handed(&script, &["1"]));
    let answer: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}\n{}", server.log()));
    assert_eq!(answer["token_type"], "DPoP", "{out}");
    let token = answer["access_token"].as_str().expect("a token");
    let own = SubjectKey::from_pem(&text(&key)).expect("a key");
    assert_eq!(claims(token)["cnf"]["jkt"], thumbprint(own.public()).to_string(), "{out}");
    // The same again.
    refused(&server, "only be used once", 401, &nth(1), Some(&prove(&endpoint)));
    // A try that fails uses it up; the next of the batch works.
    refused(&server, "not provided", 400, &nth(2), None);
    refused(&server, "only be used once", 401, &nth(2), Some(&prove(&endpoint)));
    let used = prove(&endpoint);
    assert!(ask(&endpoint, &nth(3), Some(&used)).starts_with("200"), "{}", server.log());
    // A proof is good once, too, and for that URL.
    refused(&server, "Replay", 400, &nth(4), Some(&used));
    refused(&server, "invalid_dpop_proof", 400, &nth(5), Some(&prove("https://as.example/token")));
    // A server that does not know the key that minted.
    let strange = SubjectKey::generate(&mut rand_core::UnwrapErr(getrandom::SysRng));
    let set = life.path("strange.json");
    std::fs::write(&set, key_set(&[*strange.public()])).expect("writes");
    let other = start(&set, "0", "other.log");
    refused(&other, "no applicable key", 401, &nth(6), Some(&prove(&other.at)));
    // No token of another kind passes for an assertion.
    world.mint("token", "api", "token", &[]).done();
    for text in [text(&life.path("token/token")).trim().to_owned(), prove(&endpoint)] {
        assert!(ask(&endpoint, &text, Some(&prove(&endpoint))).starts_with("401"), "{}", server.log());
    }
    // Nor its own token for one of the emergency issuer.
    let resource = resource_server(&world.keys(), &life.path("nothing"), "0");
    let url = format!("{}/things", resource.at);
    let theirs = life.path("theirs");
    std::fs::write(&theirs, token).expect("writes");
    let made = proof(&key, &["--method", "GET", "--url", &url, "--token", &theirs.display().to_string()]);
    let header = format!("Authorization: DPoP {token}");
    assert_eq!(curl(&["-H", &header, "-H", &format!("DPoP: {made}"), &url]), "401 token");
}

/// Asks a token endpoint with that assertion; the status, then what it answers.
fn ask(endpoint: &str, assertion: &str, proof: Option<&str>) -> String {
    let kind = "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let assertion = format!("client_assertion={assertion}");
    let proof = proof.map(|proof| format!("DPoP: {proof}"));
    let mut words = vec!["-i", "-d", "grant_type=client_credentials", "-d", "scope=read", "-d", kind];
    words.extend(["-d", &assertion]);
    words.extend(proof.iter().flat_map(|proof| ["-H", proof]));
    let answer = curl(&[&words[..], &[endpoint]].concat());
    answer.split_once(' ').expect("HTTP and a status").1.to_owned()
}

#[test]
fn a_key_that_is_pulled_in_the_middle_of_a_batch_leaves_what_it_signed() {
    let world = World::new("https://as.example/token");
    let life = &world.life;
    let five = ["--count", "5"];
    life.world.order("4000001 heard");
    world.mint("assertion", "log-in", "whole", &five).done();
    let heard = life.world.order("4000001 heard");
    let signing =
        heard.split(' ').enumerate().filter(|(_, header)| *header == "00871185").map(|(at, _)| at + 1);
    let third = signing.clone().nth(2).expect("five signatures");
    assert_eq!(signing.count(), 5);
    life.world.order(&format!("4000001 remove-at {third}"));
    let said = world.mint("assertion", "log-in", "cut", &five);
    assert_eq!(said.code, Some(3), "{said}");
    let said = said.says(&[
        "tell the auditor that the outcome could not be signed",
        "minted log-in: 2 of 5 client assertions; the record names all 5",
        "use each once:  sh ",
        "sessions log-in",
        "taken out",
    ]);
    let mut names: Vec<_> = std::fs::read_dir(life.path("cut"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    assert_eq!(names, ["assertion-1", "assertion-2", "curl.sh", "key.pem"], "{said}");
    life.world.order("4000001 clear");
    life.world.remove(ONE);
    life.world.insert(ONE);
    assert_eq!(life.world.tries(ONE), (3, 3));
    // The record names all five; the two that are there are two of them.
    let shown = life.run(&["incident", "show", "INC-4711", "--json"], &[]).done().json();
    let [whole, cut] = &shown["mintings"].as_array().expect("a list")[..] else { panic!("{shown:#}") };
    assert_eq!((whole["output"].as_str(), cut["output"].as_str()), (Some("files"), None));
    for (n, number) in cut["numbers"].as_array().expect("a list").iter().enumerate() {
        let path = life.path(&format!("cut/assertion-{}", n + 1));
        assert_eq!(path.exists(), n < 2);
        if n < 2 {
            assert_eq!(claims(&text(&path))["jti"], *number);
        }
    }
    life.run(&["records", "verify"], &[]).done();
    world.mint("assertion", "log-in", "again", &[]).done();
}
