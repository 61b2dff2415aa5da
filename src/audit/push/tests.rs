use std::collections::VecDeque;
use std::path::PathBuf;

use super::*;
use crate::record::sample::{Writer, journal};

/// A receiver by its answers, one after the other; then it accepts.
#[derive(Default)]
struct Scripted {
    answers: VecDeque<Result<Answer, Cut>>,
    got: Vec<Vec<u8>>,
}

impl Post for Scripted {
    fn post(&mut self, record: &[u8]) -> Result<Answer, Cut> {
        self.got.push(record.to_vec());
        self.answers.pop_front().unwrap_or(Ok(status(202)))
    }
}

/// Hand-moved time.
#[derive(Default)]
struct Hands(Duration);

impl Pace for Hands {
    fn now(&self) -> Duration {
        self.0
    }
    fn wall_clock(&self) -> i64 {
        0
    }
    fn sleep(&mut self, wait: Duration) {
        self.0 += wait;
    }
}

fn status(status: u16) -> Answer {
    Answer { status, has_language: true, ..Answer::default() }
}

fn refusal(err: &str) -> Answer {
    Answer { body: format!(r#"{{"err":"{err}","description":"no"}}"#).into(), ..status(400) }
}

fn cut() -> Cut {
    Cut { text: "connection reset".into(), again: true }
}

const SETTINGS: Settings = Settings { go_on: false, refused_too: false, patience: Duration::from_secs(300) };

/// Two chains of four records each, in one bundle.
struct Bundle {
    folder: tempfile::TempDir,
    writers: [Writer; 2],
}

impl Bundle {
    fn new() -> Self {
        let writers = [1, 2].map(|n| {
            let mut writer = Writer::founder(n);
            writer.open(2);
            writer
        });
        let folder = tempfile::tempdir().unwrap();
        let bytes = [writers[0].journal(), writers[1].journal()].concat();
        std::fs::write(folder.path().join("records.jws"), bytes).unwrap();
        Bundle { folder, writers }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn records(&self) -> Vec<Vec<u8>> {
        self.writers.iter().flat_map(|w| w.records.iter().map(|record| record.bytes().to_vec())).collect()
    }

    fn state(&self) -> State {
        State::open(&self.path("state"), "https://audit.example.org/").unwrap()
    }

    fn push(&self, state: &mut State, post: &mut Scripted, settings: Settings) -> (Summary, Duration) {
        let queue = Queue::of(&[self.path("records.jws")]).unwrap();
        let mut hands = Hands::default();
        let summary = push(&queue, state, post, settings, &mut hands, &mut || 7, &mut |_| ()).unwrap();
        assert_eq!(summary.settled() + summary.left, 8, "{summary:?}");
        (summary, hands.0)
    }
}

#[test]
fn every_record_is_sent_once_as_it_is_and_in_order() {
    let bundle = Bundle::new();
    let mut post = Scripted::default();
    let (summary, spent) = bundle.push(&mut bundle.state(), &mut post, SETTINGS);
    assert_eq!(post.got, bundle.records());
    assert_eq!((summary.accepted, summary.left, spent), (8, 0, Duration::ZERO));
    assert_eq!(summary.ended, Ended::Whole);
    // And again: nothing is left to send.
    let mut post = Scripted::default();
    let (summary, _) = bundle.push(&mut bundle.state(), &mut post, SETTINGS);
    assert_eq!((summary.before, post.got.len()), (8, 0));
    // Without the state all of it is sent again.
    let mut post = Scripted::default();
    bundle.push(&mut State::forgetful(), &mut post, SETTINGS);
    assert_eq!(post.got, bundle.records());
}

#[test]
fn a_lost_answer_leads_to_the_same_bytes_again() {
    let bundle = Bundle::new();
    let answers = [Ok(status(202)), Err(cut()), Ok(status(503)), Ok(status(202))].into();
    let mut post = Scripted { answers, ..Scripted::default() };
    let (summary, spent) = bundle.push(&mut bundle.state(), &mut post, SETTINGS);
    let records = bundle.records();
    assert_eq!(post.got[..4], [&records[0], &records[1], &records[1], &records[1]].map(Clone::clone));
    assert_eq!(post.got[4..], records[2..]);
    assert_eq!(summary.accepted, 8);
    assert!(spent > Duration::from_millis(600), "{spent:?}");
}

#[test]
fn patience_ends_and_the_next_push_goes_on() {
    let bundle = Bundle::new();
    let mut post = Scripted::default();
    post.answers.extend([Ok(status(202)), Ok(status(202)), Ok(status(202))]);
    post.answers.extend((0..1000).map(|_| Err(cut())));
    let (summary, spent) = bundle.push(&mut bundle.state(), &mut post, SETTINGS);
    assert_eq!(summary.ended, Ended::GaveUp { why: "connection reset".into() });
    assert_eq!((summary.accepted, summary.left), (3, 5));
    assert!(spent <= SETTINGS.patience, "{spent:?}");
    assert!(post.got.len() < 25, "{} tries in five minutes", post.got.len());
    let mut post = Scripted::default();
    let (summary, _) = bundle.push(&mut bundle.state(), &mut post, SETTINGS);
    assert_eq!((summary.before, summary.accepted), (3, 5));
    assert_eq!(post.got, bundle.records()[3..]);
}

#[test]
fn what_the_receiver_asks_to_wait_is_waited_but_not_beyond_patience() {
    let bundle = Bundle::new();
    let busy = |after: &str| Ok(Answer { retry_after: Some(after.into()), ..status(429) });
    let mut post = Scripted { answers: [busy("100")].into(), ..Scripted::default() };
    let (summary, spent) = bundle.push(&mut State::forgetful(), &mut post, SETTINGS);
    assert_eq!((summary.accepted, spent.as_secs()), (8, 100));
    let mut post = Scripted { answers: [busy("301")].into(), ..Scripted::default() };
    let (summary, spent) = bundle.push(&mut State::forgetful(), &mut post, SETTINGS);
    assert_eq!((post.got.len(), spent), (1, Duration::ZERO));
    assert!(matches!(summary.ended, Ended::GaveUp { .. }));
}

#[test]
fn a_refused_record_holds_back_its_chain_and_no_other() {
    let bundle = Bundle::new();
    let mut post = Scripted::default();
    post.answers.extend([Ok(status(202)), Ok(refusal("invalid_key"))]);
    let (summary, _) = bundle.push(&mut bundle.state(), &mut post, SETTINGS);
    assert_eq!((summary.accepted, summary.held_back, summary.refused.len()), (5, 2, 1));
    let refused = &summary.refused[0];
    assert_eq!(
        (refused.seq, refused.err.as_str(), refused.description.as_str()),
        (Some(1), "invalid_key", "no")
    );
    assert_eq!(
        (&refused.chain, refused.hash),
        (&bundle.writers[0].name(), bundle.writers[0].records[1].hash())
    );
    let records = bundle.records();
    assert_eq!(post.got, [&records[..2], &records[4..]].concat());
    // It is told again, not sent again.
    let mut post = Scripted::default();
    let (summary, _) = bundle.push(&mut bundle.state(), &mut post, SETTINGS);
    assert_eq!((summary.before, summary.held_back, post.got.len()), (5, 2, 0));
    assert_eq!(&summary.refused[0], refused);
    // Who wants to goes on behind it; or sends it again.
    let mut post = Scripted::default();
    let (summary, _) = bundle.push(&mut bundle.state(), &mut post, Settings { go_on: true, ..SETTINGS });
    assert_eq!((summary.accepted, summary.held_back, summary.refused.len()), (2, 0, 1));
    assert_eq!(post.got, records[2..4]);
    let mut post = Scripted::default();
    let (summary, _) =
        bundle.push(&mut bundle.state(), &mut post, Settings { refused_too: true, ..SETTINGS });
    assert_eq!((summary.accepted, summary.before, summary.refused.len()), (1, 7, 0));
    assert_eq!(post.got, records[1..2]);
}

#[test]
fn what_is_not_about_the_record_is_no_refusal_of_it() {
    let bundle = Bundle::new();
    let hopeless = Err(Cut { text: "TLS: no".into(), again: false });
    for answer in [Ok(refusal("authentication_failed")), Ok(status(404)), Ok(status(302)), hopeless] {
        let mut post = Scripted { answers: [Ok(status(202)), answer].into(), ..Scripted::default() };
        let mut state = State::forgetful();
        let (summary, _) = bundle.push(&mut state, &mut post, SETTINGS);
        assert_eq!((summary.accepted, summary.left, summary.refused.len(), post.got.len()), (1, 7, 0, 2));
        assert!(matches!(summary.ended, Ended::Stopped { .. }));
        assert_eq!(state.of(&bundle.writers[0].records[1].hash()), None);
    }
}

#[test]
fn departures_of_the_receiver_are_counted() {
    let bundle = Bundle::new();
    let mut post = Scripted::default();
    post.answers.extend((0..8).map(|_| Ok(status(200))));
    let (summary, _) = bundle.push(&mut State::forgetful(), &mut post, SETTINGS);
    assert_eq!(summary.accepted, 8);
    assert_eq!(summary.notes, BTreeMap::from([("200 instead of 202".into(), 8)]));
}

#[test]
fn damage_is_sent_too_and_told_by_its_place() {
    let bundle = Bundle::new();
    let mut file = b"damage\n".to_vec();
    file.extend(journal(&bundle.writers[0].records));
    std::fs::write(bundle.path("damaged.jws"), file).unwrap();
    let queue = Queue::of(&[bundle.path("damaged.jws")]).unwrap();
    let mut post = Scripted { answers: [Ok(refusal("invalid_request"))].into(), ..Scripted::default() };
    let mut told = Vec::new();
    let summary = push(
        &queue,
        &mut State::forgetful(),
        &mut post,
        SETTINGS,
        &mut Hands::default(),
        &mut || 0,
        &mut |news| {
            if let Told::Refused(refused) = news {
                told.push(refused.clone());
            }
        },
    )
    .unwrap();
    assert_eq!((summary.accepted, summary.held_back), (4, 0));
    assert_eq!(summary.refused, told);
    assert!(told[0].chain.starts_with("line 1 of ") && told[0].seq.is_none());
}
