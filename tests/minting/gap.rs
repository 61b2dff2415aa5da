//! Tokens on practice keys: for a key that stays on the connected machine, for a client certificate, and what is refused before
//! any PIN.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use breakglass::mint::SubjectKey;
use breakglass::mint::jwt::thumbprint;
use breakglass::record::hash::Hash;

use super::practice::{self, PIN, done};
use super::real::{PROGRAM, pin_pipe};
use super::sshd::{run, said};
use super::terminal::Person;
use super::token::{Server, claims, curl, handed, proof, resource_server, text, words};
use super::tools::debian;
use super::{MintingKit, recorded};

/// Runs the program on the practice kit with PINs on a descriptor of their own, and this on stdin.
fn with_stdin(kit: &MintingKit, words: &[&str], stdin: &str) -> Output {
    let (lines, number) = pin_pipe(&[format!("{} pin {PIN}", super::ONE)]);
    let mut command = Command::new(PROGRAM);
    command.arg("--kit").arg(kit.path()).args(["--pin-fd", &number.to_string()]).args(words);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let out = super::real::start(command, stdin.as_bytes()).wait_with_output().expect("it ends");
    drop(lines);
    out
}

#[test]
fn a_key_that_stays_on_the_connected_machine_gets_a_token_over_the_gap() {
    let kit = MintingKit::new();
    let there = kit.path().join("there");
    let out = run(Command::new(PROGRAM).args(["mint", "key", "--out"]).arg(&there));
    done(&out);
    let own = SubjectKey::from_pem(&text(&there.join("key.pem"))).expect("a key");
    let mode = std::os::unix::fs::PermissionsExt::mode;
    assert_eq!(mode(&std::fs::metadata(there.join("key.pem")).expect("it").permissions()) & 0o777, 0o600);
    let jwk = text(&there.join("public.jwk"));
    let thumbprint = thumbprint(own.public());
    assert!(
        said(&out).contains(jwk.trim()) && said(&out).contains(&thumbprint.to_string()),
        "{}",
        said(&out)
    );
    let request = text(&there.join("request.csr"));
    let request = breakglass::mint::x509::SigningRequest::parse(request.as_bytes()).expect("a request");
    assert_eq!(request.key(), own.public());
    let line = breakglass::mint::ssh::PublicLine::parse(text(&there.join("id.pub")).as_bytes());
    assert_eq!(line.expect("a line"), breakglass::mint::ssh::PublicLine::of(own.public()));
    // openssl and ssh-keygen read what is for them.
    let openssl = debian("openssl", "openssl");
    done(&run(Command::new(openssl)
        .args(["req", "-verify", "-noout", "-in"])
        .arg(there.join("request.csr"))));
    done(&run(super::keygen().arg("-lf").arg(there.join("id.pub"))));
    done(&run(super::keygen().arg("-yf").arg(there.join("key.pem"))));
    // Scanned as one line, brought as a file, or its thumbprint typed: what comes back is public, and for that key.
    let (file, typed) = (there.join("public.jwk").display().to_string(), thumbprint.to_string());
    let server = {
        let trust = kit.path().join("trust").display().to_string();
        done(&kit.run(&["trust", "export", &trust]));
        std::fs::write(kit.path().join("nothing"), "").expect("writes");
        resource_server(&kit.path().join("trust/token/jwks.json"), &kit.path().join("nothing"), "0")
    };
    for (name, by, stdin) in [
        ("scanned", ["--jwk", "-"], jwk.as_str()),
        ("brought", ["--jwk", &file], ""),
        ("typed", ["--thumbprint", &typed], ""),
    ] {
        let out = kit.path().join(name);
        let folder = out.display().to_string();
        let asked = [&words("token", "api")[..], &["--key", "23112", "--out", &folder], &by];
        let minted = with_stdin(&kit, &[&asked.concat()[..], &["--confirm", "mint api"]].concat(), stdin);
        done(&minted);
        assert!(
            said(&minted).contains(&format!("holder    who has the key {thumbprint}")),
            "{}",
            said(&minted)
        );
        let mut names: Vec<_> = std::fs::read_dir(&out)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["curl.sh", "token"]);
        for name in names {
            std::fs::copy(out.join(&name), there.join(&name)).expect("carried back");
        }
        let answer = said(&handed(&there.join("curl.sh"), &["GET", &format!("{}/things", server.at)]));
        assert!(answer.starts_with("200 ada@INC-4711"), "{name}: {answer}{}", server.log());
    }
    let (intents, issued) = recorded(&kit.kit());
    assert!(
        intents.iter().all(|(_, intent)| intent.subject == thumbprint && intent.until - intent.from == 600)
    );
    assert_eq!(issued[0].credentials, [Hash::of(text(&kit.path().join("scanned/token")).trim().as_bytes())]);
    // Assertions, too, and the key of their proofs stays where it is.
    let folder = kit.path().join("assertions").display().to_string();
    let asked =
        [&words("assertion", "log-in")[..], &["--key", "23112", "--out", &folder, "--jwk", "-"]].concat();
    let minted =
        with_stdin(&kit, &[&asked[..], &["--count", "2", "--confirm", "mint log-in"]].concat(), &jwk);
    done(&minted);
    assert!(!kit.path().join("assertions/key.pem").exists());
    let (intents, issued) = recorded(&kit.kit());
    let ((_, intent), outcome) = (intents.last().expect("an intent"), issued.last().expect("an outcome"));
    assert_eq!((intent.numbers.len(), intent.digests.len(), outcome.credentials.len()), (2, 2, 2));
    for (n, number) in intent.numbers.iter().enumerate() {
        let assertion = text(&kit.path().join(format!("assertions/assertion-{}", n + 1)));
        let (signed, _) = assertion.rsplit_once('.').expect("three parts");
        assert_eq!(intent.digests[n], Hash::of(signed.as_bytes()), "the record names what was signed");
        assert_eq!(outcome.credentials[n], Hash::of(assertion.as_bytes()));
        let claims = claims(&assertion);
        assert_eq!((&claims["jti"], &claims["aud"]), (&number.as_str().into(), &"https://as.example".into()));
        assert_eq!((&claims["iat"], &claims["exp"]), (&intent.from.into(), &intent.until.into()));
    }
}

#[test]
fn every_public_form_is_shown_as_a_code_at_a_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("mine").display().to_string();
    let script = Command::new(debian("script", "bsdutils"));
    let mut person = Person::sit_down(script, &[PROGRAM, "mint", "key", "--out", &out, "--qr"]);
    for form in ["for mint token, mint assertion", "for mint ssh", "for mint x509"] {
        person.wait_for(&format!("{form}; any key ends it"));
        person.keys("x");
    }
    let (code, shown) = person.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains('\u{2588}') || shown.contains('\u{2584}'), "it is drawn: {shown}");
}

#[test]
fn a_token_for_a_client_certificate_works_over_its_connection_alone() {
    let kit = MintingKit::new();
    let at = |name: &str| kit.path().join(name);
    let certificate = |name: &str| {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).expect("a certificate");
        let (file, key) = (at(&format!("{name}.pem")), at(&format!("{name}.key")));
        std::fs::write(&file, made.cert.pem()).expect("writes");
        super::sshd::secret(&key, made.signing_key.serialize_pem());
        (file.display().to_string(), key.display().to_string())
    };
    let [own, other, tls] = ["own", "other", "localhost"].map(certificate);
    let trust = at("trust").display().to_string();
    done(&kit.run(&["trust", "export", &trust]));
    let folder = at("login").display().to_string();
    let asked = [&words("token", "api")[..], &["--key", "23112", "--out", &folder, "--certificate", &own.0]];
    let out = kit.run(&[&asked.concat()[..], &["--confirm", "mint api"]].concat());
    done(&out);
    assert!(said(&out).contains("use it:  curl --cert "), "{}", said(&out));
    std::fs::write(at("nothing"), "").expect("writes");
    let (set, list) =
        (at("trust/token/jwks.json").display().to_string(), at("nothing").display().to_string());
    let listen = [&set, &list, "listen", "0", &tls.0, &tls.1];
    let server = Server::start("tests/mint_formats/resource_server.mjs", &listen, &at("log"));
    let header = format!("Authorization: Bearer {}", text(&at("login/token")).trim());
    let url = format!("{}/things", server.at);
    let send = |with: &[&str]| {
        curl(
            &[&["--cacert", &tls.0, "--connect-to", "::127.0.0.1:", "-k"], with, &["-H", &header, &url]]
                .concat(),
        )
    };
    assert!(send(&["--cert", &own.0, "--key", &own.1]).starts_with("200 ada@INC-4711"), "{}", server.log());
    assert_eq!(send(&["--cert", &other.0, "--key", &other.1]), "401 x5t");
    assert_eq!(send(&[]), "401 x5t");
    // The subject on record is the certificate.
    let claimed = claims(&text(&at("login/token")))["cnf"]["x5t#S256"].clone();
    assert_eq!(claimed, recorded(&kit.kit()).0[0].1.subject.to_string());
}

#[test]
fn what_no_token_is_minted_for_is_refused_before_any_pin() {
    let kit = MintingKit::new();
    let at = |name: &str| kit.path().join(name).display().to_string();
    let before = kit.kit().journal.count();
    let folder = at("minted");
    let there = kit.path().join("there");
    done(&run(Command::new(PROGRAM).args(["mint", "key", "--out"]).arg(&there)));
    std::fs::write(
        there.join("private.jwk"),
        text(&there.join("public.jwk")).replacen('{', "{\"d\":\"AA\",", 1),
    )
    .expect("writes");
    let refused = |words: &[&str], code: i32, why: &str| {
        let out = practice::run(kit.path(), words, &[]);
        assert_eq!(out.status.code(), Some(code), "{why}: {}", said(&out));
        assert!(said(&out).contains(why), "{why}: {}", said(&out));
    };
    let token = |rule, more: &[&'static str]| -> Vec<String> {
        let asked =
            [&words("token", rule)[..], &["--key", "23112", "--out", &folder, "--confirm", "x"], more];
        asked.concat().into_iter().map(str::to_owned).collect()
    };
    let assertion = |rule, more: &[&'static str]| -> Vec<String> {
        let asked =
            [&words("assertion", rule)[..], &["--key", "23112", "--out", &folder, "--confirm", "x"], more];
        asked.concat().into_iter().map(str::to_owned).collect()
    };
    let with = |mut words: Vec<String>, name: &str, value: String| {
        words.extend([name.to_owned(), value]);
        words
    };
    for (words, code, why) in [
        (token("nothing", &[]), 1, "it has: api, elsewhere, by-another"),
        (assertion("nothing", &[]), 1, "it has: log-in"),
        (token("log-in", &[]), 2, "log-in is for client assertions"),
        (assertion("api", &[]), 2, "api is for tokens"),
        (token("api", &["--minutes", "6"]), 1, "for 5 minutes at most"),
        (assertion("log-in", &["--count", "0"]), 2, "1..=10"),
        (assertion("log-in", &["--count", "11"]), 2, "1..=10"),
        (token("api", &["--thumbprint", "short"]), 2, "32 bytes in base64url"),
        (token("api", &["--jwk", "/nowhere"]), 2, "/nowhere"),
        (with(token("api", &[]), "--jwk", there.join("private.jwk").display().to_string()), 2, "private key"),
        (with(token("api", &[]), "--jwk", there.join("key.pem").display().to_string()), 2, "private key"),
        (
            with(token("api", &[]), "--jwk", there.join("id.pub").display().to_string()),
            2,
            "no public key in JSON",
        ),
        (
            with(token("api", &[]), "--certificate", there.join("key.pem").display().to_string()),
            2,
            "is no certificate",
        ),
        (token("api", &["--jwk", "-", "--certificate", "x"]), 2, "cannot be used with"),
        (token("api", &[]), 1, "not confirmed"),
        (assertion("log-in", &[]), 1, "not confirmed"),
    ] {
        refused(&words.iter().map(String::as_str).collect::<Vec<_>>(), code, why);
    }
    assert!(!kit.folder().exists(), "nothing was made");
    std::fs::create_dir_all(kit.folder()).expect("a folder");
    std::fs::write(kit.folder().join("assertion-7"), "mine").expect("writes");
    refused(
        &assertion("log-in", &[]).iter().map(String::as_str).collect::<Vec<_>>(),
        1,
        "assertion-7 is there already",
    );
    assert_eq!(kit.kit().journal.count(), before, "nothing was signed");
    // A proof is made with a key that is one, for a request that is one.
    let key = there.join("key.pem").display().to_string();
    let jwk = there.join("public.jwk").display().to_string();
    let url = ["--url", "https://api.example/things"];
    for (words, why) in [
        (vec!["--key", &jwk, "--method", "GET", url[0], url[1]], "is no key as breakglass writes it"),
        (vec!["--key", &key, "--method", "get", url[0], url[1]], "a method of HTTP, in capitals"),
        (vec!["--key", &key, "--method", "GET", "--url", "http://api.example/"], "https://host/path"),
        (vec!["--key", &key, "--method", "GET", url[0], url[1], "--token", &jwk], "holds no token"),
    ] {
        let out = run(Command::new(PROGRAM).args(["token", "proof"]).args(&words));
        assert_eq!(out.status.code(), Some(2), "{why}: {}", said(&out));
        assert!(said(&out).contains(why) && out.stdout.is_empty(), "{why}: {}", said(&out));
    }
    let nonce = proof(Path::new(&key), &["--method", "GET", url[0], url[1], "--nonce", "n-1"]);
    assert_eq!(claims(&nonce)["nonce"], "n-1");
}
