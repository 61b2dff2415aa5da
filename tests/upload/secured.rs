//! Push and receive over TLS, with certificates and a token.

use crate::site::{Site, said};

#[test]
fn records_go_over_mutual_tls_once_and_a_receipt_comes_back() {
    let site = Site::new(20);
    let receiver = site.receiver();
    let pushed =
        site.push(&receiver.url, &["--receipt", "receipt.txt", "--public", "ledger.key.pub", "--json"]);
    assert_eq!(pushed.status.code(), Some(0), "{}", said(&pushed));
    let told: serde_json::Value = serde_json::from_slice(&pushed.stdout).unwrap();
    assert_eq!((&told["accepted"], &told["receipt"]), (&44.into(), &"verified".into()));
    assert_eq!(told["notes"], serde_json::json!({}), "our own receiver keeps to RFC 8935");
    site.holds_all_once();
    // In the order of the chains.
    let sent: Vec<_> = site.writers.iter().flat_map(|w| w.records.iter().map(|r| r.hash())).collect();
    assert_eq!(site.arrived(), sent);
    let again = site.push(&receiver.url, &["--json"]);
    let told: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!((&told["accepted"], &told["before"]), (&0.into(), &44.into()));
    // Without the state they are sent again, and stored once.
    std::fs::remove_file(site.path("state")).unwrap();
    let again = site.push(&receiver.url, &["--json"]);
    let told: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!((&told["accepted"], again.status.code()), (&44.into(), Some(0)));
    site.holds_all_once();
    let (tally, code) = receiver.end();
    assert_eq!(code, Some(0));
    assert_eq!(
        tally,
        "44 stored · 44 known already · 0 lines set aside · 0 refused · the ledger failed 0 times\n"
    );
}

#[test]
fn who_cannot_show_who_it_is_sends_nothing() {
    let site = Site::new(1);
    site.write("wrong-token", b"another-token-of-32-characters-0");
    let receiver = site.receiver();
    let to = receiver.url.as_str();
    let base = ["push", "records.jws", "--patience", "2", "--to", to];
    let certificate = ["--client-cert", "ca-station.pem", "--client-key", "ca-station.key"];
    let stranger = ["--client-cert", "other-ca-station.pem", "--client-key", "other-ca-station.key"];
    let server = ["--client-cert", "ca-server.pem", "--client-key", "ca-server.key"];
    let token = ["--bearer-file", "token"];
    let ca = ["--ca", "ca.pem"];
    let cases: [(&[&[&str]], &str); 7] = [
        (&[&ca, &token], "CertificateRequired"),
        (&[&ca, &token, &stranger], "UnknownCA"),
        (&[&ca, &token, &server], "TLS"),
        (&[&ca, &certificate], "authentication_failed"),
        (&[&ca, &certificate, &["--bearer-file", "wrong-token"]], "authentication_failed"),
        (&[&["--ca", "other-ca.pem"], &token, &certificate], "UnknownIssuer"),
        (&[&token, &certificate], "UnknownIssuer"),
    ];
    for (options, why) in cases {
        let pushed = site.audit(&[&base[..], &options.concat()].concat());
        let said = said(&pushed);
        assert_eq!(pushed.status.code(), Some(8), "{options:?}: {said}");
        // What the receiver says may be lost with the connection; then the person is told what that can mean.
        let lost = said.contains("where it does not take this station's certificate");
        assert!(said.contains(why) || lost, "{options:?}: {said}");
        assert!(said.contains("0 sent and accepted") && said.contains("next: "), "{said}");
    }
    assert_eq!(site.arrived(), []);
    let (tally, _) = receiver.end();
    assert!(tally.contains("0 stored") && tally.contains("0 lines set aside"), "{tally}");
}

#[test]
fn of_stations_with_certificates_only_those_that_are_named_may_send() {
    let site = Site::new(1);
    let (mine, other) = (site.read("ca-station.sha256"), site.read("other-ca-station.sha256"));
    let receiver = site.receiver_at("127.0.0.1:0", &["--station", &other]);
    let pushed = site.push(&receiver.url, &[]);
    assert_eq!(pushed.status.code(), Some(8), "{}", said(&pushed));
    assert!(said(&pushed).contains("access_denied: this station may not send here"), "{}", said(&pushed));
    assert_eq!(site.arrived(), []);
    drop(receiver);
    std::fs::remove_file(site.path("state")).unwrap();
    let colons: Vec<String> =
        mine.as_bytes().chunks(2).map(|two| String::from_utf8_lossy(two).to_uppercase()).collect();
    let named = format!("sha256 Fingerprint={}", colons.join(":"));
    let receiver = site.receiver_at("127.0.0.1:0", &["--station", &other, "--station", &named]);
    let pushed = site.push(&receiver.url, &[]);
    assert_eq!(pushed.status.code(), Some(0), "{}", said(&pushed));
    site.holds_all_once();
}

#[test]
fn a_receiver_that_is_not_secured_is_not_started_by_mistake() {
    let site = Site::new(1);
    let cases: [(&[&str], &str); 5] = [
        (&["--listen", "127.0.0.1:0", "--anyone"], "--plain-http"),
        (&["--listen", "127.0.0.1:0", "--plain-http"], "--anyone"),
        (&["--listen", "0.0.0.0:0", "--plain-http", "--anyone"], "not on this machine alone"),
        (
            &[
                "--listen",
                "127.0.0.1:0",
                "--cert",
                "ca-server.pem",
                "--cert-key",
                "ca-station.key",
                "--anyone",
            ],
            "TLS",
        ),
        (
            &["--listen", "127.0.0.1:0", "--cert", "token", "--cert-key", "ca-server.key", "--anyone"],
            "no certificate",
        ),
    ];
    for (options, why) in cases {
        let refused = site.audit(&[&["receive"], options].concat());
        assert_eq!(refused.status.code(), Some(2), "{options:?}: {}", said(&refused));
        assert!(said(&refused).contains(why), "{options:?}: {}", said(&refused));
    }
    let refused = site.audit(&["push", "records.jws", "--to", "http://audit.example.org/"]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
}

#[test]
fn a_receiver_that_is_started_again_goes_on() {
    let site = Site::new(100);
    let receiver = site.receiver();
    let (to, address) = (receiver.url.clone(), receiver.address());
    let pushing = site.push_command(&to, &["--json"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    crate::site::wait_for("the first records", || site.arrived().len() > 10);
    let (_, code) = receiver.end();
    assert_eq!(code, Some(0));
    let receiver = site.receiver_at(&address, &[]);
    let output = pushing.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    drop(receiver);
    site.holds_all_once();
}
