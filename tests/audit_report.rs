//! The HTML report in a real browser: green only from what the reader brings, red for anything that was changed.

#[path = "support/audited.rs"]
#[allow(dead_code)]
mod audited;
#[path = "support/browser.rs"]
#[allow(dead_code)]
mod browser;

#[path = "support/tools.rs"]
#[allow(dead_code)]
mod tools;

#[path = "audit_report/telling.rs"]
mod telling;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use audited::{Audited, FOUNDED, data_centre, ledger, office, report};
use breakglass::audit::report::{MOST_EMBEDDED, Report, page};
use browser::Browser;

const REASON: &str = "PAM cluster lost quorum, db1 disk full";

/// The report of these kits as a file.
fn written(all: &[Audited]) -> String {
    written_with(all, |_| {})
}

/// The same, of what somebody made of it.
fn written_with(all: &[Audited], change: impl FnOnce(&mut Report)) -> String {
    let mut ledger = ledger(all);
    let mut report = report(&mut ledger, all, None);
    change(&mut report);
    let enclosed = report.enclose(&mut ledger, MOST_EMBEDDED).expect("records");
    page(&report, &enclosed).html
}

/// A browser, and a folder for the files that it opens.
struct Reader {
    browser: Browser,
    folder: tempfile::TempDir,
    opened: usize,
}

impl Reader {
    fn new() -> Self {
        Reader { browser: Browser::start(), folder: tempfile::tempdir().expect("a folder"), opened: 0 }
    }

    fn opens(&mut self, html: &str) {
        self.opened += 1;
        let path: PathBuf = self.folder.path().join(format!("{}.html", self.opened));
        std::fs::write(&path, html).expect("written");
        self.browser.open(&path);
    }

    /// Types these words for the kits in the order of the form, and asks for the verdict.
    fn brings(&self, words: &[String]) -> (String, String) {
        for (at, words) in words.iter().enumerate() {
            self.browser.types(&format!("#kit-{at}"), words);
        }
        self.browser.run("document.getElementById('verdict').dataset.state = 'asked'");
        self.browser.clicks("#anchors button");
        let begun = Instant::now();
        loop {
            let (state, text) = self.verdict();
            if state != "asked" {
                return (state, text);
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "no verdict");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn verdict(&self) -> (String, String) {
        let state = self.browser.run("return document.getElementById('verdict').dataset.state");
        let text = self.browser.run(
            "return [...document.querySelectorAll('#verdict-title, #verdict-text, #verdict-list')].map((e) => e.innerText).join('\\n')",
        );
        (state.as_str().expect("a state").to_owned(), text.as_str().expect("text").to_owned())
    }
}

/// Both kits, whole, and the words on their bags in the order of the form.
fn whole() -> (String, Vec<String>) {
    let all = [data_centre(REASON), office(false)];
    (written(&all), all.iter().map(Audited::words).collect())
}

#[test]
fn it_is_verified_only_from_what_the_reader_brings() {
    let mut reader = Reader::new();
    let (html, words) = whole();
    reader.opens(&html);
    let (state, text) = reader.verdict();
    assert_eq!(state, "unverified", "{text}");
    assert!(text.contains("Not verified yet") && text.contains("2 kits to go"), "{text}");
    assert!(!words.iter().any(|words| html.contains(words.as_str())), "the words stand in the file");

    let (state, text) = reader.brings(&[words[0].clone()]);
    assert_eq!(state, "unverified", "one kit of two: {text}");
    assert!(text.contains("1 kit to go"), "{text}");

    let (state, text) = reader.brings(&[words[1].clone(), words[0].clone()]);
    assert_eq!(state, "wrong", "the words of other kits: {text}");
    assert!(text.contains("DC1 emergency kit: what you typed is not this kit"), "{text}");

    let typed = words[1].to_uppercase().replace(' ', "  ");
    let (state, text) = reader.brings(&[words[0].clone(), typed]);
    assert_eq!(state, "verified", "{text}");
    assert!(text.contains("59 records in 5 chains and 11 FIDO2 assertions"), "{text}");
    // Verified as well: who judged each incident, and who said that what it left was done.
    let tells = |what: &str| assert!(html.contains(what), "the page does not tell {what}");
    tells("<h3>Review</h3>");
    tells("debt return 23112 · by carol · how seen by two, written on the bag");
    tells("name the console of db1 in the runbook");
    assert_eq!(reader.browser.console(), Vec::<String>::new());
}

#[test]
fn a_browser_that_lends_the_page_no_threads_verifies_it_too() {
    let mut reader = Reader::new();
    let (html, words) = whole();
    for (lent, refused) in
        [("worker-src blob:", "worker-src 'none'"), ("trusted-types verifier", "trusted-types 'none'")]
    {
        assert!(html.contains(lent));
        let html = html.replace(lent, refused);
        reader.opens(&html);
        let (state, text) = reader.brings(&words);
        assert_eq!(state, "verified", "{refused}: {text}");
        let line = records_of(&html)[20];
        reader.opens(&html.replace(line, &changed(line, line.len() - 40)));
        let (state, text) = reader.brings(&words);
        assert_eq!(state, "wrong", "{refused}: {text}");
    }
}

/// The lines of the records in a file.
fn records_of(html: &str) -> Vec<&str> {
    html.lines().filter(|line| line.starts_with("eyJ")).collect()
}

/// The line with another character at this place, of those that base64url has.
fn changed(line: &str, at: usize) -> String {
    let other = if line.as_bytes()[at] == b'A' { "B" } else { "A" };
    format!("{}{other}{}", &line[..at], &line[at + 1..])
}

#[test]
fn one_byte_of_one_record_turns_it_red_and_names_the_record() {
    let mut reader = Reader::new();
    let (html, words) = whole();
    let lines = records_of(&html);
    for (at, line) in lines.iter().enumerate().step_by(9) {
        // In the header, in the claims, in the signature, and in its last character.
        let dots: Vec<usize> = line.match_indices('.').map(|(dot, _)| dot).collect();
        for byte in [dots[0] - 9, (dots[0] + dots[1]) / 2, dots[1] + 20, line.len() - 1] {
            reader.opens(&html.replacen(line, &changed(line, byte), 1));
            let (state, text) = reader.brings(&words);
            assert_eq!(state, "wrong", "record {at}, byte {byte}: {text}");
            let record = breakglass::record::token::Record::parse(line.as_bytes()).expect("a record");
            let place = format!("{}/{}", record.chain_name(), record.link.seq);
            let number = format!("line {} of {}", at + 1, lines.len());
            assert!(text.contains(&place) || text.contains(&number), "{place} or {number}: {text}");
        }
    }
}

#[test]
fn a_record_that_is_taken_out_or_added_turns_it_red() {
    let mut reader = Reader::new();
    let (html, words) = whole();
    let lines = records_of(&html);
    for (at, line) in lines.iter().enumerate().step_by(6) {
        reader.opens(&html.replacen(&format!("{line}\n"), "", 1));
        let (state, text) = reader.brings(&words);
        assert_eq!(state, "wrong", "without record {at}: {text}");
    }
    // Two records in the other order are the same records; one twice is not.
    reader.opens(&html.replacen(
        &format!("{}\n{}\n", lines[3], lines[4]),
        &format!("{}\n{}\n", lines[4], lines[3]),
        1,
    ));
    assert_eq!(reader.brings(&words).0, "verified");
    reader.opens(&html.replacen(lines[3], &format!("{0}\n{0}", lines[3]), 1));
    assert_eq!(reader.brings(&words).0, "wrong");
}

#[test]
fn text_that_says_something_else_than_the_records_turns_it_red() {
    let mut reader = Reader::new();
    let (html, words) = whole();
    let all: [(&str, &str, &str); 7] = [
        ("the reason", REASON, "routine work, agreed with everybody"),
        ("the operator", "<dd>ada</dd>", "<dd>bob</dd>"),
        ("the credential", "<dd>core-fw/admin</dd>", "<dd>core-fw/guest</dd>"),
        ("the time", ">2026-09-22 03:12:00 UTC<", ">2026-09-22 13:12:00 UTC<"),
        ("a label", "<dt>reason</dt>", "<dt>approved</dt>"),
        (
            "what was overridden",
            "carol and erin not reachable, the phones are down too",
            "carol and erin agreed",
        ),
        ("who was not asked", "<dd>carol; erin</dd>", "<dd>nobody</dd>"),
    ];
    for (what, from, to) in all {
        assert!(html.contains(from), "{what}");
        reader.opens(&html.replacen(from, to, 1));
        let (state, text) = reader.brings(&words);
        assert_eq!(state, "wrong", "{what}: {text}");
        assert!(text.contains("is not what was signed"), "{what}: {text}");
    }
    // A page of an incident that is cut out.
    let begin = html.find("<section class=\"chapter incident\" data-incident=\"INC-4711\"").expect("a page");
    let end = begin + html[begin..].find("</section>").expect("its end") + "</section>".len();
    reader.opens(&format!("{}{}", &html[..begin], &html[end..]));
    let (state, text) = reader.brings(&words);
    assert_eq!(state, "wrong", "{text}");
    assert!(text.contains("INC-4711"), "{text}");
}

#[test]
fn what_the_report_itself_calls_wrong_is_said_and_not_green() {
    let mut reader = Reader::new();
    let all = [data_centre(REASON), office(true)];
    let words: Vec<String> = all.iter().map(Audited::words).collect();
    let html = written(&all);
    reader.opens(&html);
    let (state, text) = reader.brings(&words);
    assert_eq!(state, "stated", "{text}");
    assert!(
        text.contains("the report says so itself: 41200-") && text.contains("changed after it was signed"),
        "{text}"
    );
    // The same records, and a report that keeps silent about it.
    let fault = html.find("\"faults\":[\"").expect("a fault");
    let end = fault + html[fault..].find(']').expect("its end");
    reader.opens(&format!("{}\"faults\":[{}", &html[..fault], &html[end..]));
    let (state, text) = reader.brings(&words);
    assert_eq!(state, "wrong", "{text}");
    assert!(text.contains("41200-"), "{text}");
}

#[test]
fn hostile_text_stays_text() {
    let mut reader = Reader::new();
    let reasons = [
        "</script><script>document.title='owned'</script>",
        "</dd><img src=x onerror=\"document.title='owned'\">",
        "--><svg onload=document.title='owned'>",
        "\u{202e}nodnaba\u{202c} \u{1b}[2J\u{7}\r\n\u{0}\u{feff}\u{200b}",
        "' \" & &amp; &#60; \\u{202e} ${document.title='owned'} ]]> <!--<script>",
        "größte Not \u{1F525} 緊急 \u{fffd} \u{e0041}",
    ];
    for reason in reasons {
        let all = [data_centre(reason)];
        let words: Vec<String> = all.iter().map(Audited::words).collect();
        // What a ledger or a log may put into a finding, and names of people and places.
        let html = written_with(&all, |report| {
            let told = &mut report.kits[0];
            told.findings[0].text = reason.to_owned();
            told.findings[1].next = Some(reason.to_owned());
            told.keys[0].place = Some(reason.to_owned());
            told.trusted = Some(reason.to_owned());
        });
        reader.opens(&html);
        let (state, text) = reader.brings(&words);
        assert_eq!(state, "verified", "{reason:?}: {text}");
        let title = reader.browser.run("return document.title");
        assert_eq!(title, "Audit of emergency access, 2026-11-20");
        assert_eq!(
            reader
                .browser
                .run("return document.querySelectorAll('main img, main svg[onload], main script').length"),
            0
        );
        assert_eq!(reader.browser.run("return document.scripts.length"), 3);
        assert_eq!(reader.browser.console(), Vec::<String>::new(), "{reason:?}");
        let shown = reader.browser.run("return document.querySelector('.incident .told').textContent.match(/[\\u0000-\\u001f\\u202a-\\u202e\\ufeff\\u200b]/)");
        assert!(shown.is_null(), "{reason:?}: {shown}");
    }
}

#[test]
fn nothing_may_run_or_load_beside_its_own_script() {
    let mut reader = Reader::new();
    let (html, words) = whole();
    // What somebody puts in afterwards does not run, and the browser says so.
    let added = "<script>document.title='owned'</script><img src=\"https://example.org/x.png\" onerror=\"document.title='owned'\"><style>#verdict{display:none}</style>";
    reader.opens(&html.replacen("<main id=\"report\">", &format!("<main id=\"report\">{added}"), 1));
    reader.brings(&words);
    assert_eq!(reader.browser.run("return document.title"), "Audit of emergency access, 2026-11-20");
    assert_eq!(
        reader.browser.run("return getComputedStyle(document.getElementById('verdict')).display"),
        "block"
    );
    let said = reader.browser.console();
    assert!(said.iter().filter(|line| line.contains("Content Security Policy")).count() >= 3, "{said:?}");
    // A script that was changed does not run either: nothing is verified.
    let other = html.replacen("const WORDS = \"abandon ability", "const WORDS = \"ability abandon", 1);
    std::fs::write(reader.folder.path().join("other.html"), other).expect("written");
    let url = format!("file://{}", reader.folder.path().join("other.html").display());
    reader.browser.run(&format!("location.href = '{url}'"));
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(reader.verdict().0, "unverified");
    assert!(reader.browser.run("return document.body.dataset.checked ?? null").is_null());
}

#[test]
fn the_moves_of_keys_are_told_and_verified() {
    let mut reader = Reader::new();
    let mut kit = office(false);
    kit.takes_out(0, FOUNDED + 182 * 86_400, "7001", "a <b>visit</b>");
    let all = [kit];
    let html = written(&all);
    assert!(html.contains("found the seal of key 41200 broken") && html.contains("CUSTODY-SEAL"), "{html}");
    for words in ["key taken out", "key put away", "bank, bag 7003", "a &lt;b&gt;visit&lt;/b&gt;"] {
        assert!(html.contains(words), "{words}");
    }
    reader.opens(&html);
    let (state, text) = reader.brings(&[all[0].words()]);
    assert_eq!(state, "verified", "{text}");
}
