//! Asking for an approval, giving it, and opening by it, through the program: two stories over real pcscd with virtual
//! YubiKeys, each of which ends before the auditor's rules, and what goes wrong on practice keys.

#[path = "support/pcsc.rs"]
mod pcsc;
#[path = "support/practice.rs"]
#[allow(dead_code)]
mod practice;
#[path = "support/real.rs"]
mod real;
#[path = "support/terminal.rs"]
mod terminal;
#[path = "stock_verifiers/run.rs"]
#[allow(dead_code)]
mod verifiers;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use breakglass::attestation::pem_or_der;
use breakglass::audit::assess::{assess, ledger_findings};
use breakglass::audit::assessment::Assessment;
use breakglass::audit::finding::{Finding, Sort};
use breakglass::audit::import::import;
use breakglass::audit::ledger::sqlite::Sqlite;
use breakglass::audit::ledger::{Ledger, Trust};
use breakglass::kit::Kit;
use breakglass::kit::folder::Folder;
use breakglass::kit::request::{Asked, KIND, Request};
use breakglass::record::chain::Depth;
use breakglass::record::event::{Event, OpenIntent, Random};
use breakglass::record::token::Record;
use practice::{PIN, PracticeKit};
use real::{Life, ONE, ROOT_SECRET, Said, THREE, TWO, pin_line};

/// Ada opens and keeps one key; bob and carol approve with one each; dana audits. `line` is for core-db.
fn people(text: &str, keys: [u32; 3], line: &str) -> String {
    let text = text.replacen("contact = \"\"", &format!("keys = [{}]", keys[0]), 1);
    text + &format!(
        r#"
[[person]]
name = "bob"
roles = ["approver"]
contact = "+49 30 1234"
keys = [{}]

[[person]]
name = "carol"
roles = ["approver"]
keys = [{}]

[[person]]
name = "erin"
roles = ["custodian"]

[[credential]]
name = "core-db/*"
{line}
"#,
        keys[1], keys[2]
    )
}

/// A kit with that in its policy, adopted.
fn life(line: &str) -> Life {
    let life = Life::start();
    let toml = life.kit().join("kit.toml");
    let text = std::fs::read_to_string(&toml).unwrap();
    std::fs::write(&toml, people(&text, [ONE, TWO, THREE], line)).unwrap();
    for serial in [ONE, TWO] {
        let name = serial.to_string();
        let adopt = ["policy", "adopt", "--with", &name, "--confirm", "adopt policy"];
        life.run(&adopt, &[pin_line(serial)]).done();
    }
    life.pins_sent();
    life
}

/// Ada asks to open core-db/root; the file and what was said.
fn asks(life: &Life, incident: &str) -> (PathBuf, Said) {
    let words = ["request", "core-db/root", "--emergency", "pam-outage", "--incident", incident];
    let more = ["--reason", "PAM lost quorum", "--operator", "ada", "--document", "passport"];
    let seen = ["--number", "C01X00T47", "--seen-by", "erin"];
    let out = life.path("requests").display().to_string();
    std::fs::create_dir_all(&out).unwrap();
    let said = life.run(&[&words[..], &more, &seen, &["--out", &out]].concat(), &[]).done();
    (written(&said), said)
}

/// The file that was written last.
fn written(said: &Said) -> PathBuf {
    let text = said.text();
    let line = text.lines().rfind(|line| line.starts_with("wrote ")).unwrap_or_else(|| panic!("{said}"));
    PathBuf::from(&line["wrote ".len()..])
}

/// That key approves the request, in that copy of the kit.
fn approves(life: &Life, kit: &Path, request: &Path, with: u32) -> Said {
    let (kit, request, with_name) =
        (kit.display().to_string(), request.display().to_string(), with.to_string());
    let words = ["--kit", &kit, "approve", &request, "--with", &with_name, "--confirm", "approve core-db"];
    let out = life.path(&format!("from-{with}")).display().to_string();
    std::fs::create_dir_all(&out).unwrap();
    life.run(&[&words[..], &["--out", &out]].concat(), &[pin_line(with)])
}

/// Ada opens by these approvals, with the other words.
fn opens(life: &Life, approvals: &[&Path], keys: &[u32], more: &[&str]) -> Said {
    let files: Vec<String> = approvals.iter().map(|path| path.display().to_string()).collect();
    let files: Vec<&str> = files.iter().flat_map(|path| ["--approval", path]).collect();
    let pins: Vec<String> = keys.iter().map(|serial| pin_line(*serial)).collect();
    life.run(&[&["open"], &files[..], &["--confirm", "open core-db"], more].concat(), &pins)
}

fn words_of(request: &Path) -> String {
    Request::parse(&std::fs::read(request).unwrap()).unwrap().words()
}

fn kit(path: &Path) -> Kit {
    Kit::read(Folder::at(path, None), Depth::Every).unwrap()
}

/// Now, as the machine claims it.
#[allow(clippy::disallowed_methods, reason = "a test is at the edge")]
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

/// What the auditor makes of the exported records.
fn audited(life: &Life) -> (Assessment, Vec<Finding>) {
    let to = life.path("for-the-auditor").display().to_string();
    let one = ONE.to_string();
    life.run(&["records", "export", &to, "--with", &one], &[pin_line(ONE)]).done();
    let bundle = std::fs::read(life.path("for-the-auditor/records.jws")).unwrap();
    let kit = kit(&life.kit());
    let (id, at) = (kit.id().unwrap(), now() + 60);
    let mut ledger = Sqlite::in_memory();
    import(&mut ledger, "stick", &mut &bundle[..], at, &mut |_, _| {}).unwrap();
    for entry in std::fs::read_dir(life.kit().join("policy")).unwrap() {
        ledger.put_policy(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
    }
    let root = std::fs::read(life.world.root_certificate()).unwrap();
    ledger.put_trust(&id, &Trust::Words, Some(&pem_or_der(&root).unwrap()), at).unwrap();
    let assessment = assess(&mut ledger, &id, at).unwrap();
    let mut findings = assessment.findings.clone();
    findings.extend(ledger_findings(&mut ledger, at).unwrap());
    (assessment, findings)
}

/// Rules that tell something wrong, or of approvals.
fn telling(findings: &[Finding]) -> Vec<(&str, Sort)> {
    let tells = |one: &&Finding| {
        one.sort == Sort::Wrong || one.rule.starts_with("APPROVAL-") || one.rule.starts_with("OPEN-")
    };
    findings.iter().filter(tells).map(|one| (one.rule, one.sort)).collect()
}

/// What the intents on record rest on.
fn intents(kit: &Kit) -> Vec<OpenIntent> {
    let intent = |record: &Record| match &record.event {
        Event::OpenIntent(facts) => Some(facts.clone()),
        _ => None,
    };
    kit.journal.records().filter_map(|(_, record)| intent(record)).collect()
}

/// PAM is down at night; one other has to say yes. Bob does, on his own copy of the kit, after ada's own try was refused.
#[test]
fn a_pam_outage_with_an_approval() {
    let life = life("approval = 1");
    let bobs = life.path("bobs");
    real::copy(&life.kit(), &bobs);

    // A request with little time, for later.
    let short = request_until(&life, 25);
    approves(&life, &bobs, &short, TWO).done();
    let expiring = only_file(&life.path(&format!("from-{TWO}")));
    let expired_at = std::time::Instant::now() + Duration::from_secs(26);

    // Without an approval nothing is opened, and no PIN is asked.
    life.pins_sent();
    life.open("core-db/root", &[ONE, THREE], &[]).refused(
        1,
        &[
            "core-db/root needs the approval of 1, and nobody gave it.",
            "nothing was opened.",
            "ask for it:  breakglass request core-db/root --emergency … --incident … --reason …",
            "who can approve it: bob, carol",
        ],
    );
    assert_eq!(life.pins_sent(), [0, 0, 0]);

    let (request, said) = asks(&life, "INC-4711");
    let words = words_of(&request);
    said.says(&[
        "passport C01X00T47, seen by erin",
        &format!("words     {words}"),
        "give it to bob (+49 30 1234) or carol",
    ]);

    // Nobody approves what they ask for, whatever key they hold.
    approves(&life, &life.kit(), &request, ONE).refused(
        1,
        &[
            &format!("ada asks for it, and key {ONE} is theirs: nobody approves what they ask for."),
            "nothing was changed.",
            &format!("who may: bob with {TWO}, carol with {THREE}"),
        ],
    );
    assert_eq!(life.pins_sent(), [0, 0, 0]);

    let approved = approves(&life, &bobs, &request, TWO).done();
    let approval = written(&approved);
    approved.says(&[
        "ada asks to open core-db/root, generation 1",
        "known by  passport C01X00T47, seen by erin",
        &format!("you are   bob, with key {TWO}"),
        &format!("words     {words}"),
        "bob has approved it",
    ]);
    // Lost and written again: nothing is signed twice.
    std::fs::remove_file(&approval).unwrap();
    life.pins_sent();
    approves(&life, &bobs, &request, TWO).done().says(&["bob approved it already"]);
    assert_eq!(life.pins_sent(), [0, 0, 0]);

    // For another incident it does not count; nor would it for somebody else.
    let other = opens(&life, &[&approval], &[ONE, THREE], &["--incident", "INC-9"]);
    other.refused(
        1,
        &[
            "the approval of bob does not count: it is for the incident INC-4711, not INC-9.",
            "nothing was opened.",
            "have just this opening approved:  breakglass request …        or leave it away, where the policy lets you go on",
        ],
    );
    assert_eq!(life.pins_sent(), [0, 0, 0]);

    // What it says needs no typing. The record of bob's key is in this copy from now on, with the one before it.
    let opened = opens(&life, &[&approval], &[ONE, THREE], &["--key", &format!("{ONE},{THREE}")]);
    opened
        .gave(ROOT_SECRET)
        .says(&["for       ada, pam-outage, INC-4711", &format!("approval  by bob     words  {words}")]);
    let now_here = kit(&life.kit());
    let approvals: Vec<&Record> = now_here
        .journal
        .records()
        .map(|(_, record)| record)
        .filter(|record| matches!(record.event, Event::RequestApproved(_)))
        .collect();
    assert_eq!(approvals.len(), 2);
    let hash = Request::parse(&std::fs::read(&request).unwrap()).unwrap().hash();
    for intent in intents(&now_here) {
        let consent = intent.consent.expect("an approval");
        assert_eq!((consent.request, &consent.approvals[..]), (Some(hash), &[approvals[1].hash()][..]));
        assert!(consent.skipped.is_empty());
    }
    // The number of the passport is in the request alone.
    for (_, record) in now_here.journal.records() {
        let text = String::from_utf8_lossy(record.signing_input()).into_owned();
        let payload = text.split('.').nth(1).unwrap().to_owned();
        use base64::Engine;
        let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
        assert!(!String::from_utf8_lossy(&payload).contains("C01X00T47"));
    }

    // Once is once.
    life.pins_sent();
    let again = opens(&life, &[&approval], &[ONE, THREE], &[]);
    again.refused(
        1,
        &[
            "the approval of bob does not count: its request was used already, for INC-4711; each is good for one opening.",
            "nothing was opened.",
            "have just this opening approved:  breakglass request …        or leave it away, where the policy lets you go on",
        ],
    );
    std::thread::sleep(expired_at.saturating_duration_since(std::time::Instant::now()));
    opens(&life, &[&expiring], &[ONE, THREE], &[]).refused(
        1,
        &[
            "the approval of bob does not count: it had expired.",
            "nothing was opened.",
            "have just this opening approved:  breakglass request …        or leave it away, where the policy lets you go on",
        ],
    );
    assert_eq!(life.pins_sent(), [0, 0, 0]);

    life.run(&["records", "verify"], &[]).done();
    let (assessment, findings) = audited(&life);
    assert_eq!(telling(&findings), [], "{findings:#?}");
    let opening = &assessment.incidents[0].openings[0];
    assert_eq!((opening.approvals.len(), opening.approvals[0].approver.as_str()), (1, "bob"));
}

/// Two others have to say yes, and it is night: bob does, carol does not answer. The policy lets ada go on.
#[test]
fn two_of_three_at_night_and_one_who_was_not_asked() {
    let life = life("approval = 2\nopen-unapproved = true");
    let (request, _) = asks(&life, "INC-4711");
    let approval = written(&approves(&life, &life.kit(), &request, TWO).done());
    let words = words_of(&request);
    opens(&life, &[&approval], &[ONE, THREE], &["--key", &format!("{ONE},{THREE}")]).gave(ROOT_SECRET).says(&[
        &format!(
            "approval  by bob; the policy lets you go on, and the record will name who was not asked: carol     words  {words}"
        ),
        "tell carol",
        "the notices, ready to be sent:  breakglass notify INC-4711 --out DIR",
    ]);
    for intent in intents(&kit(&life.kit())) {
        let consent = intent.consent.expect("something");
        assert_eq!((consent.approvals.len(), &consent.skipped[..]), (1, &["carol".to_owned()][..]));
    }
    let verified = life.run(&["records", "verify"], &[]).done();
    assert!(verified.text().contains("allowed by the policy. not asked: carol"), "{verified}");
    assert!(life.run(&["status"], &[]).text().contains("breakglass notify INC-4711 --out DIR"));

    // Who was passed over is told: a notice, and the records that any JOSE library verifies.
    let out = life.path("notices");
    life.run(&["notify", "--out", &out.display().to_string()], &[]).done().says(&[
        "send each notice with the records and jwks.json",
        "breakglass discharge INC-4711 'notify carol' --by NAME --how …",
    ]);
    let named = |start: &str| -> Vec<PathBuf> {
        let all = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
        all.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(start)).collect()
    };
    let notices = named("notice-");
    assert_eq!(notices.len(), 1);
    let text = std::fs::read_to_string(&notices[0]).unwrap();
    for part in
        ["to carol", "opened    core-db/root, generation 1", "pam-outage: PAM lost quorum", "not asked carol"]
    {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let records = named("records-").remove(0);
    let good = verifiers::pyjwt(&records, &out.join("jwks.json"));
    // Three enrolments, bob's approval, two intents with their assertions, the outcome: all that the notice lists but
    // the enrolments.
    assert!(good.len() >= 6 && good.iter().all(|good| *good), "{good:?}");
    assert_eq!(text.lines().filter(|line| line.starts_with("  400000")).count(), good.len() - 3);
    let words = ["discharge", "INC-4711", "notify carol", "--by", "ada", "--how", "sent by mail"];
    let (one, word) = (ONE.to_string(), "discharge notify carol");
    life.run(&[&words[..], &["--with", &one, "--confirm", word]].concat(), &[pin_line(ONE)]).done();

    let (assessment, findings) = audited(&life);
    assert_eq!(telling(&findings), [("OPEN-SKIPPED", Sort::Note)], "{findings:#?}");
    let told = findings.iter().find(|one| one.rule == "OPEN-SKIPPED").unwrap();
    assert!(
        told.text.ends_with("and it had that of bob; allowed by the policy. not asked: carol"),
        "{}",
        told.text
    );
    let debts = &assessment.incidents[0].debts;
    assert!(debts.iter().any(|debt| debt.what == "tell carol of it" && debt.done.is_some()), "{debts:#?}");
}

/// A request as the program makes it, but for that it ends so soon.
fn request_until(life: &Life, seconds: i64) -> PathBuf {
    let kit = kit(&life.kit());
    let request = Request::of(Asked {
        breakglass: KIND.into(),
        kit: kit.id().unwrap(),
        policy: kit.policy.hash,
        credential: "core-db/root".into(),
        generation: 1,
        emergency: "pam-outage".parse().unwrap(),
        incident: "INC-4711".into(),
        reason: "PAM lost quorum".into(),
        operator: "ada".parse().unwrap(),
        document: "badge".into(),
        number: String::new(),
        seen_by: "erin".parse().unwrap(),
        at: now(),
        until: now() + seconds,
        nonce: Random([9; 32]),
    });
    let path = life.path("short.json");
    std::fs::write(&path, request.unwrap().bytes()).unwrap();
    path
}

fn only_file(folder: &Path) -> PathBuf {
    let mut files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.next().expect("a file")
}

mod on_practice_keys {
    //! What goes wrong, without a reader.

    use super::*;

    fn ruled(line: &str) -> PracticeKit {
        let kit = PracticeKit::new();
        let toml = kit.path().join("kit.toml");
        let text = std::fs::read_to_string(&toml).unwrap();
        std::fs::write(&toml, people(&text, [23112, 23115, 30877], line)).unwrap();
        for serial in ["23112", "23115"] {
            let adopt = ["policy", "adopt", "--with", serial, "--confirm", "adopt policy"];
            practice::done(&kit.run(&adopt, &[&format!("{serial} pin {PIN}")]));
        }
        kit
    }

    fn request(kit: &PracticeKit, change: impl Fn(&mut Asked)) -> PathBuf {
        let read = super::kit(kit.path());
        let mut asked = Asked {
            breakglass: KIND.into(),
            kit: read.id().unwrap(),
            policy: read.policy.hash,
            credential: "core-db/root".into(),
            generation: 1,
            emergency: "pam-outage".parse().unwrap(),
            incident: "INC-4711".into(),
            reason: "PAM lost quorum \u{202E}of".into(),
            operator: "ada".parse().unwrap(),
            document: "passport".into(),
            number: "C01X00T47".into(),
            seen_by: "erin".parse().unwrap(),
            at: now(),
            until: now() + 1_800,
            nonce: Random([9; 32]),
        };
        change(&mut asked);
        let request = Request::of(asked).unwrap();
        let path = kit.path().join(request.file_name());
        std::fs::write(&path, request.bytes()).unwrap();
        path
    }

    fn approve(kit: &PracticeKit, request: &Path, with: &str) -> std::process::Output {
        let (request, out) = (request.display().to_string(), kit.path().display().to_string());
        let words = ["approve", &request, "--with", with, "--out", &out, "--confirm", "approve core-db"];
        kit.run(&words, &[&format!("{with} pin {PIN}")])
    }

    fn says(output: &std::process::Output, code: i32, part: &str) {
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(part), "{part}\n{text}");
    }

    #[test]
    fn a_request_that_does_not_fit_is_refused_before_any_pin() {
        let kit = ruled("approval = 1");
        type Change = fn(&mut Asked);
        let cases: &[(Change, &str, &str)] = &[
            (|asked| asked.kit.0[0] ^= 1, "23115", "the request is for another kit"),
            (|asked| asked.policy.0[0] ^= 1, "23115", "under another policy"),
            (|asked| (asked.at, asked.until) = (now() - 90, now() - 1), "23115", "the request has expired"),
            (|asked| asked.until = now() + 7_300, "23115", "lasts longer than the policy grants"),
            (|asked| asked.operator = "bob".parse().unwrap(), "30877", "\"bob\" is not an operator"),
            (
                |asked| asked.emergency = "boredom".parse().unwrap(),
                "23115",
                "\"boredom\" is not an emergency",
            ),
            (|asked| asked.seen_by = "mallory".parse().unwrap(), "23115", "the policy has no mallory"),
            (|asked| asked.seen_by = "ada".parse().unwrap(), "23115", "nobody vouches for themselves"),
        ];
        for (change, with, part) in cases {
            let output = approve(&kit, &request(&kit, change), with);
            says(&output, 1, part);
            assert!(
                !String::from_utf8_lossy(&output.stderr).contains("head read"),
                "a key was asked: {part}"
            );
        }
        let broken = kit.path().join("broken.json");
        std::fs::write(&broken, "{}").unwrap();
        says(&approve(&kit, &broken, "23115"), 1, "not a request");
        // What turns the direction of text is shown as what it is.
        let good = approve(&kit, &request(&kit, |_| ()), "23115");
        says(&good, 0, "because   PAM lost quorum \\u{202e}of");
    }

    #[test]
    fn an_approval_that_was_changed_or_is_of_no_key_of_the_kit_opens_nothing() {
        let kit = ruled("approval = 1");
        let file = request(&kit, |_| ());
        practice::done(&approve(&kit, &file, "23115"));
        let names = std::fs::read_dir(kit.path()).unwrap().map(|entry| entry.unwrap().path());
        let approval = names.into_iter().find(|path| path.to_string_lossy().contains("/approval-")).unwrap();
        let open = |path: &Path| {
            let path = path.display().to_string();
            let pins = PracticeKit::pins(2);
            let pins: Vec<&str> = pins.iter().map(String::as_str).collect();
            kit.run(&["open", "--approval", &path, "--confirm", "open core-db"], &pins)
        };
        let bytes = std::fs::read(&approval).unwrap();
        let changed = kit.path().join("changed.txt");
        // In the signature of the last record.
        let mut other = bytes.clone();
        let at = other.len() - 40;
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        std::fs::write(&changed, other).unwrap();
        says(&open(&changed), 1, "is not signed by that key");
        // Another number of the passport.
        let text = String::from_utf8(bytes.clone()).unwrap().replace("C01X00T47", "C01X00T48");
        std::fs::write(&changed, text).unwrap();
        says(&open(&changed), 1, "its last record is not the approval of its request");
        says(&open(&file), 1, "this is a request that nobody has approved yet");
        // In a kit that does not know the key.
        let stranger = PracticeKit::new();
        let path = approval.display().to_string();
        let output = stranger.run(&["open", "--approval", &path], &[]);
        says(&output, 1, "the policy does not name the keeper of its key as an approver");
        practice::done(&open(&approval));
    }

    #[test]
    fn approvals_that_rest_on_what_this_copy_lacks_count_and_are_not_in_the_way() {
        let kit = ruled("approval = 2");
        let file = request(&kit, |_| ()).display().to_string();
        let other = tempfile::tempdir().unwrap();
        practice::copy(kit.path(), other.path());
        let out = other.path().display().to_string();
        // Bob's key has seen what carol's had signed on the other copy.
        for with in ["30877", "23115"] {
            let words = ["approve", &file, "--with", with, "--out", &out, "--confirm", "approve core-db"];
            practice::done(&practice::run(other.path(), &words, &[&format!("{with} pin {PIN}")]));
        }
        let of = |serial: &str| {
            let names = std::fs::read_dir(other.path()).unwrap().map(|entry| entry.unwrap().path());
            let end = format!("-{serial}.txt");
            names
                .into_iter()
                .find(|path| path.to_string_lossy().ends_with(&end))
                .unwrap()
                .display()
                .to_string()
        };
        let (bob, carol) = (of("23115"), of("30877"));
        let approved = || {
            let read = super::kit(kit.path());
            read.journal
                .records()
                .filter(|(_, record)| matches!(record.event, Event::RequestApproved(_)))
                .count()
        };
        let one = kit.run(&["open", "--approval", &bob, "--confirm", "open core-db"], &[]);
        says(&one, 1, "which 23115 had seen. the approval of bob counts, and is not put into its journal");
        says(&one, 1, "core-db/root needs the approval of 2, and only bob gave it");
        assert_eq!(approved(), 0);
        // In whatever order they are given.
        let words = ["open", "--approval", &bob, "--approval", &carol, "--approval", &bob];
        let pins = PracticeKit::pins(2);
        let pins: Vec<&str> = pins.iter().map(String::as_str).collect();
        let both = kit.run(&[&words[..], &["--confirm", "open core-db"]].concat(), &pins);
        practice::done(&both);
        says(&both, 0, "approval  by carol, bob");
        assert_eq!(approved(), 2);
        let verified = kit.run(&["records", "verify"], &[]);
        practice::done(&verified);
    }

    #[test]
    fn what_stopped_half_way_is_opened_again_by_the_same_approval() {
        let kit = ruled("approval = 1");
        practice::done(&approve(&kit, &request(&kit, |_| ()), "23115"));
        let names = std::fs::read_dir(kit.path()).unwrap().map(|entry| entry.unwrap().path());
        let approval = names.into_iter().find(|path| path.to_string_lossy().contains("/approval-")).unwrap();
        let approval = approval.display().to_string();
        let words = ["open", "--approval", &approval, "--confirm", "open core-db", "--key", "23112,30877"];
        let (one, three) = (format!("23112 pin {PIN}"), format!("30877 pin {PIN}"));
        practice::done(&kit.run(&["practice", "remove", "30877"], &[]));
        assert!(!kit.run(&words, &[&one, &three]).status.success());
        assert_eq!(intents(&super::kit(kit.path())).len(), 1);
        practice::done(&kit.run(&["practice", "insert", "30877"], &[]));
        practice::done(&kit.run(&words, &[&one, &three]));
        says(&kit.run(&words, &[&one, &three]), 1, "its request was used already");
        let verified = kit.run(&["records", "verify"], &[]);
        assert!(!String::from_utf8_lossy(&verified.stdout).contains("APPROVAL-"), "{verified:?}");
    }

    /// The approval of bob's that is in the folder of the kit.
    fn given(kit: &PracticeKit) -> Vec<u8> {
        let names = std::fs::read_dir(kit.path()).unwrap().map(|entry| entry.unwrap().path());
        let given = names.into_iter().find(|path| path.to_string_lossy().contains("/approval-")).unwrap();
        let bytes = std::fs::read(&given).unwrap();
        std::fs::remove_file(given).unwrap();
        bytes
    }

    /// Runs it with that on standard input, and PINs on another descriptor.
    fn typed(kit: &PracticeKit, arguments: &[&str], pins: &[String], input: &[u8]) -> std::process::Output {
        use std::io::Write;
        let folder = tempfile::tempdir().unwrap();
        let pin_file = folder.path().join("pins");
        std::fs::write(&pin_file, pins.join("\n") + "\n").unwrap();
        let mut child = std::process::Command::new("sh")
            .args(["-c", "exec 3< \"$PINS\"; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_breakglass"), "--kit"])
            .arg(kit.path())
            .args(["--pin-fd", "3"])
            .args(arguments)
            .env("PINS", &pin_file)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // What is whole is not read to its end.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    /// The texts of so many of the codes that `approve --qr` shows, each on a line, as a scanner types them.
    fn codes(approval: &[u8], which: impl Fn(usize) -> bool) -> Vec<u8> {
        let packed = breakglass::record::packed::pack(approval);
        let mut encoder = ur::Encoder::bytes(&packed, 200).unwrap();
        let all: Vec<String> =
            (0..6 * encoder.fragment_count()).map(|_| encoder.next_part().unwrap().to_uppercase()).collect();
        let seen =
            all.into_iter().enumerate().filter(|(index, _)| which(*index)).map(|(_, text)| text + "\r\n");
        seen.rev().collect::<String>().into_bytes()
    }

    #[test]
    fn a_request_and_an_approval_cross_without_a_file() {
        let kit = ruled("approval = 1");
        let asked = std::fs::read(request(&kit, |_| ())).unwrap();
        let pin = |serial: &str| vec![format!("{serial} pin {PIN}")];
        let out = kit.path().display().to_string();
        // The request's one line, as its code gives it.
        let words = ["approve", "-", "--with", "23115", "--out", &out, "--confirm", "approve core-db"];
        practice::done(&typed(&kit, &words, &pin("23115"), &asked));
        let approval = given(&kit);
        let open = ["open", "--approval", "-", "--confirm", "open core-db", "--key", "23112,30877"];
        let pins = [pin("23112"), pin("30877")].concat();
        // Some codes, and not all of them: nothing is opened.
        let few = typed(&kit, &open, &pins, &codes(&approval, |index| index < 2));
        says(&few, 2, "2 of ");
        says(&few, 2, "parts are known of the approval: run the same again and scan more of its codes");
        says(&typed(&kit, &open, &pins, b""), 1, "line 1: not a request");
        says(&typed(&kit, &open, &pins, &asked), 1, "this is a request that nobody has approved yet");
        // In any order, and every third was missed.
        let opened = typed(&kit, &open, &pins, &codes(&approval, |index| index % 3 != 1));
        practice::done(&opened);
        says(&opened, 0, "approval  by bob");
        says(&typed(&kit, &open, &pins, &approval), 1, "its request was used already");
    }

    #[test]
    fn at_a_terminal_an_approval_is_typed_or_scanned_line_by_line() {
        let kit = ruled("approval = 1");
        let sit = |words: &[&str]| {
            let mut script = std::process::Command::new(pcsc::tools::debian("script", "bsdutils"));
            script.current_dir(kit.path()).env_remove("BREAKGLASS_KIT");
            terminal::Person::sit_down(script, &[&[env!("CARGO_BIN_EXE_breakglass")], words].concat())
        };
        practice::done(&approve(&kit, &request(&kit, |_| ()), "23115"));
        let approval = given(&kit);
        // By its lines: whoever gives up in the middle has opened nothing.
        let mut person = sit(&["open", "--approval", "-"]);
        let lines = String::from_utf8(approval.clone()).unwrap();
        let mut lines = lines.lines();
        person.answer("scan or type the approval, line by line: ", lines.next().unwrap());
        person.answer("the next line (Enter alone ends): ", "");
        let (code, shown) = person.end();
        assert_eq!(code, Some(1), "{shown}");
        assert!(shown.contains("this is a request that nobody has approved yet"), "{shown}");
        // By its codes: as soon as these are whole it goes on.
        let texts = String::from_utf8(codes(&approval, |_| true)).unwrap();
        let mut person = sit(&["open", "--approval", "-", "--key", "23112,30877"]);
        person.wait_for("line by line: ");
        for text in texts.lines() {
            person.line(text.trim());
            if person.wait_for_any(&["parts known, scan more", "type  open core-db"]).unwrap().0 == 1 {
                break;
            }
        }
        person.line("open core-db");
        person.answer("PIN for 23112 (3 of 3 tries left): ", PIN);
        person.answer("PIN for 30877 (3 of 3 tries left): ", PIN);
        person.answer("press Enter to show it: ", "q");
        let (code, shown) = person.end();
        assert_eq!(code, Some(0), "{shown}");
    }
}
