//! Requests written by hand, so that each header and each byte of the answer is seen.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass::audit::ledger;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, SigningKey};

use crate::hash::Hash;
use crate::sample::Writer;
use crate::site::{Running, Site, TOKEN};

/// What came back.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The code of a refusal that is written as RFC 8935 wants it.
    fn err(&self) -> String {
        assert_eq!(self.status, 400, "{}", self.body);
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.header("content-language"), Some("en"));
        let body: serde_json::Value = serde_json::from_str(&self.body).expect("JSON");
        assert!(body["description"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
        assert_eq!(body.as_object().expect("an object").len(), 2);
        body["err"].as_str().expect("a code").to_owned()
    }

    fn accepted(&self) {
        assert_eq!((self.status, self.body.as_str()), (202, ""), "{}", self.head);
        assert_eq!(self.header("content-length"), Some("0"));
    }
}

fn ask(receiver: &Running, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(receiver.address()).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
    stream.write_all(request).expect("it is sent");
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8(bytes).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

fn post_with(receiver: &Running, headers: &str, body: &[u8]) -> Answer {
    let head = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    ask(receiver, &[head.as_bytes(), body].concat())
}

fn post(receiver: &Running, body: &[u8]) -> Answer {
    post_with(receiver, "Content-Type: application/secevent+jwt\r\nAccept: application/json\r\n", body)
}

fn get(receiver: &Running, path: &str) -> Answer {
    ask(receiver, format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
}

/// That record with other claims, signed by that key.
fn signed(writer: &Writer, record: &[u8], claims: impl Fn(String) -> String) -> Vec<u8> {
    let parts: Vec<&[u8]> = record.split(|byte| *byte == b'.').collect();
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    let input = [parts[0], URL_SAFE_NO_PAD.encode(claims(text)).as_bytes()].join(&b'.');
    let key: &SigningKey = &writer.key;
    let signature: Signature = key.sign_prehash(&Hash::of(&input).0).unwrap();
    [&input, URL_SAFE_NO_PAD.encode(signature.normalize_s().to_bytes()).as_bytes()].join(&b'.')
}

fn set_aside(site: &Site) -> Vec<Vec<u8>> {
    let mut ledger = ledger::open(site.path("ledger.db").to_str().unwrap()).unwrap();
    ledger.set_aside(100).unwrap().0.into_iter().map(|line| line.bytes).collect()
}

#[test]
fn each_of_the_six_codes_is_answered_and_the_bytes_are_kept() {
    let site = Site::new(1);
    let receiver = site.plain_receiver(&["--anyone", "--issuer", "https://records.example.org"]);
    let writer = &site.writers[0];
    let record = writer.records[2].bytes();
    for record in &writer.records {
        post(&receiver, record.bytes()).accepted();
        post(&receiver, record.bytes()).accepted(); // and again
    }
    assert_eq!(site.arrived().len(), 3);
    // Not a record; a record that somebody else signed; of another organisation; meant for somebody.
    let damage = &record[..record.len() - 5];
    assert_eq!(post(&receiver, damage).err(), "invalid_request");
    let forged = signed(&site.writers[1], record, |claims| claims.replace("\"jti\":\"", "\"jti\":\"x"));
    assert_eq!(post(&receiver, &forged).err(), "invalid_key");
    let foreign = signed(writer, record, |claims| claims.replace("records.example.org", "other.example.org"));
    assert_eq!(post(&receiver, &foreign).err(), "invalid_issuer");
    let meant = signed(writer, record, |claims| claims.replacen('{', "{\"aud\":\"https://x\",", 1));
    assert_eq!(post(&receiver, &meant).err(), "invalid_audience");
    let kept = set_aside(&site);
    for bytes in [damage, &foreign, &meant] {
        assert!(kept.iter().any(|line| line == bytes), "{}", String::from_utf8_lossy(bytes));
    }
    assert!(site.arrived().contains(&Hash::of(&forged)), "a forged record is evidence");
    // A repeat is answered alike, and kept once.
    assert_eq!(post(&receiver, damage).err(), "invalid_request");
    assert_eq!(post(&receiver, &forged).err(), "invalid_key");
    assert_eq!(set_aside(&site).len(), kept.len());
    drop(receiver);
    let receiver = site.plain_receiver(&["--bearer-file", "token"]);
    assert_eq!(post(&receiver, b"from a stranger").err(), "authentication_failed");
    assert_eq!(set_aside(&site).len(), kept.len(), "strangers leave nothing here");
    let headers = format!("Content-Type: application/secevent+jwt\r\nAuthorization: Bearer {TOKEN}\r\n");
    post_with(&receiver, &headers, record).accepted();
    // access_denied: `of_stations_with_certificates_only_those_that_are_named_may_send`.
}

#[test]
fn what_comes_too_early_or_is_newer_is_stored_and_accepted() {
    let site = Site::new(1);
    let receiver = site.plain_receiver(&["--anyone"]);
    let writer = &site.writers[0];
    // Before its enrolment nobody can verify it; afterwards it is.
    post(&receiver, writer.records[2].bytes()).accepted();
    let newer =
        signed(writer, writer.records[2].bytes(), |claims| claims.replace("open.intent", "open.newer"));
    post(&receiver, &newer).accepted();
    assert_eq!(set_aside(&site), [newer]);
    // A fork is a finding, not a refusal.
    let fork =
        signed(writer, writer.records[2].bytes(), |claims| claims.replace("\"jti\":\"", "\"jti\":\"x"));
    post(&receiver, &fork).accepted();
    for record in &writer.records[..2] {
        post(&receiver, record.bytes()).accepted();
    }
    assert_eq!(site.arrived().len(), 4);
    drop(receiver);
    let mut ledger = ledger::open(site.path("ledger.db").to_str().unwrap()).unwrap();
    let mut found = Vec::new();
    let kit = writer.kit.unwrap();
    ledger
        .records(&kit, ledger::Which::All, &mut |held| {
            found.push(held.signature);
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(found, [ledger::Signature::Good; 4]);
}

/// What a station that cannot be trusted does with the order: pushed backwards, twice, and two chains through one another, the
/// ledger holds the same. What it leaves out or changes is found by the rules.
#[test]
fn any_order_makes_the_same_ledger() {
    let site = Site::new(4);
    let receiver = site.plain_receiver(&["--anyone"]);
    let [a, b] = &site.writers[..] else { panic!("two") };
    let mut order: Vec<&[u8]> = Vec::new();
    for (one, two) in a.records.iter().rev().zip(&b.records) {
        order.extend([two.bytes(), one.bytes(), two.bytes()]);
    }
    order.extend(a.records.iter().map(|record| record.bytes()));
    for bytes in order {
        post(&receiver, bytes).accepted();
    }
    drop(receiver);
    site.holds_all_once();
    let mut ledger = ledger::open(site.path("ledger.db").to_str().unwrap()).unwrap();
    let mut places = Vec::new();
    ledger
        .records(&a.kit.unwrap(), ledger::Which::All, &mut |held| {
            assert_eq!(held.signature, ledger::Signature::Good);
            places.push(held.record.link.seq);
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(places, (0..6).collect::<Vec<_>>());
}

#[test]
fn requests_that_are_none_are_answered() {
    let site = Site::new(0);
    let receiver = site.plain_receiver(&["--anyone"]);
    let record = site.writers[0].records[0].bytes();
    assert_eq!(post_with(&receiver, "Content-Type: application/json\r\n", record).err(), "invalid_request");
    assert_eq!(post_with(&receiver, "", record).err(), "invalid_request");
    let encoded = "Content-Type: application/secevent+jwt\r\nContent-Encoding: gzip\r\n";
    assert_eq!(post_with(&receiver, encoded, record).err(), "invalid_request");
    assert_eq!(post(&receiver, b"").err(), "invalid_request");
    let large = post(&receiver, &vec![b'a'; 65_537]);
    assert_eq!((large.status, large.header("content-language")), (413, Some("en")));
    assert_eq!(get(&receiver, "/").status, 405);
    assert_eq!(get(&receiver, "/elsewhere").status, 404);
    assert_eq!(get(&receiver, "/receipt/x").status, 404);
    assert_eq!(get(&receiver, &format!("/receipt/{}", Hash::of(b"unknown"))).status, 404);
    assert_eq!(ask(&receiver, b"nonsense\r\n\r\n").status, 400);
    assert_eq!(site.arrived(), []);
    post(&receiver, record).accepted();
}

#[test]
fn nobody_asks_too_often_and_nobody_stays_silent() {
    let site = Site::new(0);
    let receiver = site.plain_receiver(&["--anyone", "--rate", "2"]);
    let record = site.writers[0].records[0].bytes();
    let answers: Vec<Answer> = (0..8).map(|_| post(&receiver, record)).collect();
    let refused: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!((2..=5).contains(&refused.len()), "{}", refused.len());
    assert_eq!(refused[0].header("retry-after"), Some("1"));
    // Half a header, then now and then a byte: the connection ends all the same.
    let mut stream = TcpStream::connect(receiver.address()).unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: x\r\n").unwrap();
    let began = Instant::now();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    loop {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Err(error)
                if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) =>
            {
                assert!(began.elapsed() < Duration::from_secs(60), "still there");
                let _ = stream.write_all(b"x");
            }
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    assert!(began.elapsed() > Duration::from_secs(10), "{:?}", began.elapsed());
}

/// A slow line says nothing of the record: the station tries again, and does not take it for too large.
#[test]
fn a_body_that_breaks_off_or_comes_too_slowly_is_to_be_sent_again() {
    let site = Site::new(0);
    let receiver = site.plain_receiver(&["--anyone"]);
    let record = site.writers[0].records[0].bytes();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/secevent+jwt\r\nContent-Length: {}\r\n\r\n",
        record.len()
    );
    for cut in [true, false] {
        let mut stream = TcpStream::connect(receiver.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(&[head.as_bytes(), &record[..100]].concat()).unwrap();
        if cut {
            stream.shutdown(std::net::Shutdown::Write).unwrap();
        }
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes); // the connection ends
        let answer = String::from_utf8(bytes).unwrap();
        let ends = answer.to_lowercase().contains("connection: close");
        // To who has cut the line nothing need be said, but nothing that is final.
        assert!(
            (cut && answer.is_empty()) || (answer.starts_with("HTTP/1.1 408 ") && ends),
            "{cut}: {answer}"
        );
    }
    assert_eq!(site.arrived(), []);
    post(&receiver, record).accepted();
}

/// SQLite goes on with a file that has no name any more; a receiver does not.
#[test]
fn nothing_is_accepted_into_a_ledger_that_was_taken_away() {
    let site = Site::new(1);
    let receiver = site.plain_receiver(&["--anyone"]);
    let records = &site.writers[0].records;
    post(&receiver, records[0].bytes()).accepted();
    let proven = format!("/receipt/{}", records[0].hash());
    assert_eq!(get(&receiver, &proven).status, 200);
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        std::fs::remove_file(site.path(name)).unwrap();
    }
    let refused = post(&receiver, records[1].bytes());
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("2")), "{}", refused.body);
    assert_eq!(get(&receiver, &proven).status, 503);
    // Another ledger in its place: from then on it is that one, which holds nothing of the old.
    site.write("other.jws", records[2].bytes());
    assert!(site.audit(&["import", "other.jws"]).status.code().is_some_and(|code| code < 2));
    assert_eq!(get(&receiver, &proven).status, 404);
    post(&receiver, records[1].bytes()).accepted();
    assert_eq!(site.arrived(), [records[2].hash(), records[1].hash()]);
    // And replaced while it is open.
    std::fs::rename(site.path("ledger.db"), site.path("old.db")).unwrap();
    std::fs::copy(site.path("old.db"), site.path("ledger.db")).unwrap();
    assert_eq!(get(&receiver, "/checkpoint").status, 503);
    assert_eq!(get(&receiver, "/checkpoint").status, 200);
}

#[test]
fn connections_are_limited() {
    let site = Site::new(0);
    let receiver = site.plain_receiver(&["--anyone", "--connections", "8"]);
    let silent: Vec<TcpStream> = (0..2).map(|_| TcpStream::connect(receiver.address()).unwrap()).collect();
    std::thread::sleep(Duration::from_millis(300));
    let mut third = TcpStream::connect(receiver.address()).unwrap();
    third.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let _ = third.write_all(b"GET /checkpoint HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut bytes = Vec::new();
    let _ = third.read_to_end(&mut bytes);
    assert!(bytes.is_empty(), "{}", String::from_utf8_lossy(&bytes));
    drop(silent);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(get(&receiver, "/checkpoint").status, 200);
}
