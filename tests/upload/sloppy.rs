//! Receivers that depart from RFC 8935: each connection is answered with the bytes that the test gives.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::site::{Site, said};

const OK: &str = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Answers one request a connection, the n-th as `answer` says: the bodies that came, in order.
fn serve(answer: impl Fn(usize, &mut TcpStream) + Send + 'static) -> (String, Arc<Mutex<Vec<Vec<u8>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let to = format!("http://{}/", listener.local_addr().expect("an address"));
    let got = Arc::new(Mutex::new(Vec::new()));
    let bodies = Arc::clone(&got);
    thread::spawn(move || {
        for (n, stream) in listener.incoming().enumerate() {
            let mut stream = stream.expect("a connection");
            if let Some(body) = request(&mut stream) {
                bodies.lock().unwrap().push(body);
                answer(n, &mut stream);
            }
        }
    });
    (to, got)
}

/// The body of a request.
fn request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some(head) = text.find("\r\n\r\n") {
            let lower = text[..head].to_lowercase();
            let length =
                lower.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
            let length: usize = length.parse().expect("a number");
            while bytes.len() < head + 4 + length {
                let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
                bytes.extend_from_slice(&part[..read]);
            }
            return Some(bytes[head + 4..].to_vec());
        }
    }
}

fn text(answer: &str) -> impl Fn(usize, &mut TcpStream) + Send + 'static {
    let answer = answer.to_owned();
    move |_, stream| drop(stream.write_all(answer.as_bytes()))
}

fn push(site: &Site, to: &str, more: &[&str]) -> (Option<i32>, String) {
    let all = [&["push", "records.jws", "--to", to, "--state", "state"], more].concat();
    let output = site.audit(&all);
    (output.status.code(), said(&output))
}

fn records(site: &Site) -> Vec<Vec<u8>> {
    site.read("records.jws").lines().map(|line| line.as_bytes().to_vec()).collect()
}

#[test]
fn an_answer_of_200_is_taken_and_said() {
    let site = Site::new(0);
    let (to, got) = serve(text("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"));
    let (code, told) = push(&site, &to, &[]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("departs from RFC 8935: 200 instead of 202 (4 times)"), "{told}");
    assert_eq!(*got.lock().unwrap(), records(&site));
}

#[test]
fn a_page_is_never_taken_for_an_acceptance() {
    let site = Site::new(0);
    let page =
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 7\r\nConnection: close\r\n\r\n<login>";
    let (to, _) = serve(text(page));
    let (code, told) = push(&site, &to, &["--patience", "2"]);
    assert_eq!(code, Some(8), "{told}");
    assert!(told.contains("0 sent and accepted") && told.contains("200 with a page"), "{told}");
}

#[test]
fn an_error_page_is_tried_again_until_it_works() {
    let site = Site::new(0);
    let (to, got) = serve(|n, stream| {
        let page = "HTTP/1.1 500 Oh\r\nContent-Type: text/html\r\nContent-Length: 12\r\nConnection: close\r\n\r\n<h1>oh</h1>\n";
        drop(stream.write_all(if n < 2 { page } else { OK }.as_bytes()));
    });
    let (code, told) = push(&site, &to, &[]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("status 500; again in"), "{told}");
    let records = records(&site);
    assert_eq!(*got.lock().unwrap(), [&records[..1], &records[..1], &records].concat());
}

#[test]
fn a_cut_connection_and_a_lost_answer_lead_to_the_same_bytes_again() {
    let site = Site::new(0);
    let (to, got) = serve(|n, stream| {
        let begun = "HTTP/1.1 202 Acc";
        match n {
            0 => {}                                        // cut without a word: the record had arrived
            1 => drop(stream.write_all(begun.as_bytes())), // cut in the answer
            _ => drop(stream.write_all(OK.as_bytes())),
        }
    });
    let (code, told) = push(&site, &to, &[]);
    assert_eq!(code, Some(0), "{told}");
    let records = records(&site);
    assert_eq!(*got.lock().unwrap(), [&records[..1], &records[..1], &records].concat());
}

#[test]
fn a_redirect_is_not_followed() {
    let site = Site::new(0);
    let (elsewhere, stolen) = serve(text(OK));
    let (to, _) = serve(text(&format!(
        "HTTP/1.1 307 Moved\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )));
    let (code, told) = push(&site, &to, &[]);
    assert_eq!(code, Some(8), "{told}");
    assert!(told.contains("a redirect to") && told.contains("not followed"), "{told}");
    assert!(stolen.lock().unwrap().is_empty());
}

#[test]
fn a_refusal_without_code_and_language_is_a_refusal() {
    let site = Site::new(0);
    let (to, _) = serve(|n, stream| {
        let refused = "HTTP/1.1 400 No\r\nContent-Type: text/plain\r\nContent-Length: 9\r\nConnection: close\r\n\r\nbad \x1b[2Jno";
        drop(stream.write_all(if n == 0 { refused } else { OK }.as_bytes()));
    });
    let (code, told) = push(&site, &to, &[]);
    assert_eq!(code, Some(6), "{told}");
    assert!(told.contains("2 sent and accepted · 0 accepted before · 1 refused · 1 held back"), "{told}");
    assert!(told.contains("400 without Content-Language") && told.contains("400 without a code"), "{told}");
    assert!(!told.contains('\x1b'), "what strangers write cannot move the cursor: {told:?}");
    let (code, told) = push(&site, &to, &["--go-on"]);
    assert_eq!(code, Some(6), "{told}");
    assert!(told.contains("1 sent and accepted · 2 accepted before · 1 refused"), "{told}");
}

#[test]
fn an_endless_body_ends_at_a_limit() {
    let site = Site::new(0);
    let (to, _) = serve(|_, stream| {
        let head = "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut going = stream.write_all(head.as_bytes()).is_ok();
        let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
        while going {
            going = stream.write_all(chunk.as_bytes()).is_ok();
        }
    });
    let began = Instant::now();
    let (code, told) = push(&site, &to, &[]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("202 with a body (4 times)"), "{told}");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[test]
fn who_does_not_answer_is_not_waited_for_for_ever() {
    let site = Site::new(0);
    let (to, _) = serve(|_, _| thread::sleep(Duration::from_secs(3600)));
    let began = Instant::now();
    let (code, told) = push(&site, &to, &["--timeout", "1", "--patience", "3"]);
    assert_eq!(code, Some(8), "{told}");
    assert!(told.contains("timeout") && told.contains("run the same again"), "{told}");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[test]
fn who_is_busy_is_asked_again_when_it_says() {
    let site = Site::new(0);
    let (to, got) = serve(|n, stream| {
        let busy = "HTTP/1.1 429 Busy\r\nRetry-After: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        drop(stream.write_all(if n == 0 { busy } else { OK }.as_bytes()));
    });
    let began = Instant::now();
    let (code, told) = push(&site, &to, &[]);
    assert_eq!(code, Some(0), "{told}");
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(got.lock().unwrap().len(), 5);
}

#[test]
fn where_nobody_listens_nothing_is_lost() {
    let site = Site::new(0);
    let (code, told) = push(&site, "http://127.0.0.1:1/", &["--patience", "1"]);
    assert_eq!(code, Some(8), "{told}");
    assert!(told.contains("0 sent and accepted") && told.contains("4 not sent"), "{told}");
}
