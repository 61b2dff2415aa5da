//! Two receivers that write into one PostgreSQL ledger.

use std::collections::HashSet;
use std::process::Stdio;
use std::time::Duration;

use crate::postgres::Server;
use crate::site::{Site, said};

#[test]
fn two_receivers_share_a_ledger_and_one_of_them_is_killed() {
    let server = Server::start(None);
    let ledger = server.url(&server.database());
    let site = Site::new(60);
    let more = ["--ledger", &ledger];
    let mut first = site.receiver_at("127.0.0.1:0", &more);
    let second = site.receiver_at("127.0.0.1:0", &more);
    let pushes = [(&first.url, "state-1"), (&second.url, "state-2")].map(|(to, state)| {
        let mut push = site.push_with_state(state, to, &["--json"]);
        push.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
    });
    std::thread::sleep(Duration::from_millis(150));
    let address = first.address();
    first.kill();
    first = site.receiver_at(&address, &more);
    for push in pushes {
        let output = push.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one object");
        assert_eq!(told["accepted"], site.hashes().len(), "{told}");
    }
    drop((first, second));
    let arrived = site.arrived_in(&ledger);
    assert_eq!(arrived.len(), site.hashes().len(), "nothing twice");
    assert_eq!(arrived.into_iter().collect::<HashSet<_>>(), site.hashes(), "nothing missing");
}
