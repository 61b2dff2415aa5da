use super::*;
use crate::device::fido2::wire::{Outcome, Secret};

/// A shell as helper. `$id` is that of the request.
fn shell(script: &str, limit: Duration) -> Helper {
    let script = format!(r#"id=$(sed 's/.*"id":\([0-9]*\).*/\1/'); {script}"#);
    Helper::new("sh", ["-c", &script], Limits { plain: limit, touch: limit * 2 })
}

fn ask(script: &str) -> Result<Reply, HelperError> {
    shell(script, Duration::from_secs(20)).ask(Path::new("/dev/hidraw0"), Work::Tries)
}

const REPLY: &str = r#"printf '{"id":%s,"requests":2,"touches":0,"outcome":{"tries":8}}' "$id""#;

#[test]
fn one_reply_to_that_request_is_taken() {
    let reply = ask(REPLY).unwrap();
    assert!(matches!((reply.requests, &reply.outcome), (2, Outcome::Tries(8))), "{reply:?}");
    // Its talk on stderr goes nowhere.
    assert!(ask(&format!("echo noise >&2; {REPLY}")).is_ok());
}

#[test]
fn anything_but_one_reply_to_that_request_is_refused() {
    for (script, words) in [
        ("echo nonsense", "not one reply"),
        (":", "not one reply"),
        ("printf '\\377\\376'", "not one reply"),
        (&format!("{REPLY}; {REPLY}"), "not one reply"),
        (&format!("echo '- Touch the sensor'; {REPLY}"), "not one reply"),
        (&format!("id=1; {REPLY}"), "another request"),
        ("yes", "more than a reply"),
        ("head -c 65537 /dev/zero", "more than a reply"),
    ] {
        let said = ask(script).expect_err(script);
        assert!(said.to_string().contains(words), "{script}: {said}");
    }
}

#[test]
fn how_it_ended_is_told() {
    for (script, gave_up) in [
        ("exit 101", true),
        ("kill -ABRT $$", true),
        ("exit 1", false),
        ("kill -KILL $$", false),
        ("kill -SEGV $$", false),
    ] {
        let ended = ask(script).expect_err(script);
        assert_eq!(matches!(ended, HelperError::GaveUp), gave_up, "{script}: {ended}");
        assert_eq!(matches!(ended, HelperError::Ended(_)), !gave_up, "{script}: {ended}");
    }
    // A reply counts for nothing if the end is not a good one.
    assert!(matches!(ask(&format!("{REPLY}; exit 3")), Err(HelperError::Ended(_))));
    let nowhere = Helper::new("/nowhere/breakglass", [VERB], Limits::default());
    assert!(matches!(nowhere.ask(Path::new("/dev/null"), Work::Info), Err(HelperError::NotStarted(_))));
}

/// Whether a process of that number runs; a zombie does.
fn exists(process: &str) -> bool {
    Path::new("/proc").join(process.trim()).exists()
}

#[test]
fn one_that_hangs_is_ended_at_its_limit_and_gone() {
    let folder = tempfile::tempdir().unwrap();
    let note = folder.path().join("pid");
    for script in [
        "exec sleep 1000",
        // It answers, and stays.
        &format!("{REPLY}; exec sleep 1000"),
        &format!("{REPLY}; exec >&-; exec sleep 1000"),
        // It cannot be asked to end.
        "trap '' INT TERM HUP; while :; do sleep 1; done",
    ] {
        let script = format!("echo $$ > '{}'; {script}", note.display());
        let begun = Instant::now();
        let helper = shell(&script, Duration::from_millis(700));
        let ended = helper.ask(Path::new("/dev/hidraw0"), Work::Tries).expect_err(&script);
        assert!(matches!(ended, HelperError::TimedOut(0)), "{script}: {ended}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{script}: {:?}", begun.elapsed());
        assert!(!exists(&std::fs::read_to_string(&note).unwrap()), "{script}");
    }
}

#[test]
fn one_that_leaves_another_with_its_pipe_is_not_waited_for_longer() {
    let begun = Instant::now();
    let helper = shell(&format!("sleep 3 & {REPLY}"), Duration::from_millis(700));
    let ended = helper.ask(Path::new("/dev/hidraw0"), Work::Tries).expect_err("the pipe is open");
    assert!(matches!(ended, HelperError::TimedOut(_)), "{ended}");
    assert!(begun.elapsed() < Duration::from_millis(2500), "{:?}", begun.elapsed());
}

#[test]
fn a_touch_is_waited_for_longer() {
    let helper = shell(":", Duration::from_secs(7));
    let create = Work::Create { pin: Secret::new(vec![]), user: vec![], challenge: vec![] };
    assert_eq!(helper.limit(&create), Duration::from_secs(14));
    assert_eq!(helper.limit(&Work::Info), Duration::from_secs(7));
}

#[test]
fn the_secret_is_in_the_pipe_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let (seen, note) = (folder.path().join("seen"), folder.path().join("request"));
    let pin = "8-secret-9";
    let script = format!(
        "cat > '{}'; {{ tr '\\0' ' ' < /proc/$$/cmdline; cat /proc/$$/environ; }} > '{}'",
        note.display(),
        seen.display()
    );
    let helper = Helper::new("sh", ["-c", &script], Limits::default());
    let work = Work::SetPin { new: Secret::new(pin.into()) };
    assert!(matches!(helper.ask(Path::new("/dev/hidraw0"), work), Err(HelperError::Garbage(_))));
    let request = std::fs::read_to_string(note).unwrap();
    let seen = String::from_utf8_lossy(&std::fs::read(seen).unwrap()).into_owned();
    assert!(request.contains(&hex::encode(pin)), "{request}");
    assert!(seen.starts_with("breakglass -c"), "{seen}");
    assert!(!seen.contains(pin) && !seen.contains(&hex::encode(pin)), "{seen}");
}

#[test]
fn one_that_reads_nothing_does_not_hold_us_up() {
    let challenge = vec![7; 30_000];
    let work = Work::Create { pin: Secret::new(vec![1; 8]), user: vec![1], challenge };
    let helper = Helper::new("sh", ["-c", "exit 0"], Limits::default());
    assert!(matches!(helper.ask(Path::new("/dev/hidraw0"), work), Err(HelperError::Garbage(_))));
    let work = Work::Create { pin: Secret::new(vec![]), user: vec![1], challenge: vec![7; 40_000] };
    assert!(matches!(helper.ask(Path::new("/dev/hidraw0"), work), Err(HelperError::TooLong(_))));
}
