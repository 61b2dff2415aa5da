//! What the report tells beside its verdict: in part, from a day on, for programs of others, and by the verb.

use std::process::{Command, Output};
use std::time::Duration;

use breakglass::audit::ledger::sqlite::Sqlite;
use breakglass::audit::report::{Enclosed, Report, page, script_hash, text};
use breakglass::record::event::Verdict;
use serde_json::Value;

use super::audited::{Audited, FOUNDED, data_centre, fill, ledger, looked_at, office, report};
use super::{REASON, Reader, records_of, tools, whole, written};

const DAY: i64 = 86_400;

/// The report of this kit with no more than so many of its records.
fn in_part(kit: Audited, most: usize) -> (Report, Enclosed) {
    let all = [kit];
    let mut ledger = ledger(&all);
    let report = report(&mut ledger, &all, None);
    let enclosed = report.enclose(&mut ledger, most).expect("records");
    (report, enclosed)
}

#[test]
fn a_part_of_the_records_is_verified_and_called_a_part() {
    let kit = looked_at(1_000);
    let words = kit.words();
    let (report, enclosed) = in_part(kit, 400);
    assert!((300..=400).contains(&enclosed.records.len()), "{}", enclosed.records.len());
    assert!(!enclosed.omitted.is_empty());
    let html = page(&report, &enclosed).html;
    let number = format!("This file holds {} of the {} records", enclosed.records.len(), enclosed.of);
    assert!(html.contains(&number));
    let mut reader = Reader::new();
    reader.opens(&html);
    let (state, text) = reader.brings(&[words]);
    assert_eq!(state, "verified", "{text}");
    // What is left out is known by place: one more is seen.
    let lines = records_of(&html);
    reader.opens(&html.replacen(&format!("{}\n", lines[lines.len() / 2]), "", 1));
    assert_eq!(reader.verdict().0, "wrong");
}

#[test]
fn drills_are_told_and_what_is_told_of_them_is_what_was_signed() {
    let mut kit = office(false);
    let failed = "key 41207: the key was not touched in time";
    kit.drill(0, FOUNDED + 184 * DAY, "vault/unseal", None);
    kit.drill(1, FOUNDED + 185 * DAY, "vault/unseal", Some(failed));
    let words = [kit.words()];
    let html = written(&[kit]);
    for part in ["<h3>Drills</h3>", ">hana<", failed, "DRILL-FAILED"] {
        assert!(html.contains(part), "{part}");
    }
    let mut reader = Reader::new();
    reader.opens(&html);
    let (state, text) = reader.brings(&words);
    assert_eq!(state, "verified", "{text}");
    reader.opens(&html.replace(">hana<", ">erin<"));
    let (state, text) = reader.brings(&words);
    assert_eq!(state, "wrong", "{text}");
    assert!(text.contains("is not what was signed"), "{text}");
}

#[test]
fn what_was_minted_is_told_with_number_window_and_since_when_it_is_revoked() {
    let mut kit = office(false);
    let at = FOUNDED + 184 * DAY; // 2026-11-04
    kit.mint(0, at, "INC-4901");
    let words = [kit.words()];
    let mut ledger = ledger(std::slice::from_ref(&kit));
    let told = text(&report(&mut ledger, std::slice::from_ref(&kit), None));
    let line = told.lines().find(|line| line.starts_with("minted")).expect("a line");
    for part in [
        "SSH certificate 1769",
        "as breakglass",
        "2026-11-0",
        "by ada with 41200; to agent",
        "revoked 2026-11-0",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let html = written(&[kit]);
    for part in [
        "Minted: jump-hosts, SSH certificate",
        "holds from",
        "the laptop was left behind",
        "TRUST-UNDONE",
        "SESSIONS-UNDONE",
    ] {
        assert!(html.contains(part), "{part}");
    }
    let mut reader = Reader::new();
    reader.opens(&html);
    let (state, text) = reader.brings(&words);
    assert_eq!(state, "verified", "{text}");
    // A page that does not tell of it is found out.
    let section =
        html.split("<h3>Minted: ").nth(1).expect("a section").split("<h3>").next().expect("its end");
    reader.opens(&html.replace(section, ""));
    let (state, text) = reader.brings(&words);
    assert!(state == "wrong" && text.contains("(mint.intent)") && text.contains("(mint.issued)"), "{text}");
    // The window, the number and the accounts are what was signed, letter for letter.
    let until = breakglass::audit::report::words::time(at + 900);
    for (part, other) in
        [(until.as_str(), "2026-11-30 00:00:00 UTC"), (">breakglass<", ">root<"), (">1769", ">1768")]
    {
        assert!(html.contains(part), "{part}");
        reader.opens(&html.replace(part, other));
        let (state, text) = reader.brings(&words);
        assert_eq!(state, "wrong", "{part}: {text}");
    }
}

#[test]
fn each_close_is_told_and_an_incident_that_was_used_again_is_no_contradiction() {
    let mut kit = office(false);
    let at = FOUNDED + 184 * DAY;
    kit.open(at, "INC-4802", &[0], kit.intent("vault/unseal", "femi", "lockout", "again"));
    kit.close(at + 900, "INC-4802", &[0], Verdict::Misuse, "it was not needed");
    kit.close(at + 1_800, "INC-4802", &[1], Verdict::Real, "it was");
    kit.mint(0, at + 7_200, "INC-4802");
    let words = [kit.words()];
    let html = written(&[kit]);
    assert_eq!(html.matches("<h3>Close</h3>").count(), 3);
    for part in ["this one is not in force", "INCIDENT-MISUSE", "CLOSE-DIFFERS"] {
        assert!(html.contains(part), "{part}");
    }
    let mut reader = Reader::new();
    reader.opens(&html);
    let (state, text) = reader.brings(&words);
    assert_eq!(state, "verified", "{text}");
    // A page that keeps silent about one of them is found out.
    let first = html.split("<h3>Close</h3>").nth(1).expect("a close");
    reader.opens(&html.replacen(first, "", 1));
    let (state, text) = reader.brings(&words);
    assert!(state == "wrong" && text.contains("(incident.closed)"), "{text}");
}

#[test]
fn the_page_of_an_incident_has_what_was_found_of_several_together() {
    let mut kit = office(false);
    let at = FOUNDED + 184 * DAY;
    for (number, incident) in ["INC-1", "INC-2"].into_iter().enumerate() {
        let facts = kit.intent("vault/unseal", "femi", "lockout", "again");
        kit.open(at + 900 * number as i64, incident, &[0], facts);
    }
    let html = written(&[kit]);
    for incident in ["INC-1", "INC-2"] {
        let page = html.split(&format!("data-incident=\"{incident}\"")).nth(1).expect("a page");
        let page = page.split("</section>").next().expect("its end");
        assert!(page.contains("ROTATE-USED"), "{page}");
    }
}

#[test]
fn what_is_printed_for_programs_has_only_what_the_document_names() {
    fn names(value: &Value, found: &mut std::collections::BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    found.insert(name.clone());
                    names(value, found);
                }
            }
            Value::Array(all) => all.iter().for_each(|value| names(value, found)),
            _ => {}
        }
    }
    let mut kit = data_centre(REASON);
    let at = FOUNDED + 195 * DAY;
    kit.drill(0, at, "core-db/root", Some("not touched"));
    kit.takes_out(0, at + 3_600, "7001", "a visit");
    kit.mint(0, at + 7_200, "INC-4901");
    kit.retire(2, at + 14_400);
    kit.open(at + 18_000, "INC-T", &[2], kit.intent("core-db/root", "ada", "pam-outage", "mine now"));
    let all = [kit, office(true)];
    let mut ledger = ledger(&all);
    let value = serde_json::to_value(report(&mut ledger, &all, Some(FOUNDED))).expect("JSON");
    let mut found = std::collections::BTreeSet::new();
    names(&value, &mut found);
    assert!(found.len() > 80, "{found:?}");
    let document = include_str!("../../doc/report.md");
    let lacking: Vec<&String> =
        found.iter().filter(|name| !document.contains(&format!("`{name}`"))).collect();
    assert!(lacking.is_empty(), "not in doc/report.md: {lacking:?}");
}

#[test]
fn what_a_stolen_key_opened_after_its_retirement_is_told_and_makes_no_incident() {
    let mut kit = data_centre(REASON);
    let at = FOUNDED + 195 * DAY;
    kit.retire(2, at);
    kit.open(at + 3_600, "INC-T", &[2], kit.intent("core-db/root", "ada", "pam-outage", "mine now"));
    let words = [kit.words()];
    let mut ledger = ledger(std::slice::from_ref(&kit));
    let report = report(&mut ledger, std::slice::from_ref(&kit), None);
    assert!(report.kits[0].incidents.iter().all(|incident| incident.name != "INC-T"));
    let told = text(&report);
    let line = told.lines().find(|line| line.contains("KEY-RETIRED-USED")).expect("a line");
    assert!(line.ends_with("; opened with it: core-db/root; for INC-T   certain"), "{line}");
    let html = written(&[kit]);
    assert!(html.contains("Signed by keys that did not belong") && html.contains("mine now"));
    let mut reader = Reader::new();
    reader.opens(&html);
    let (state, text) = reader.brings(&words);
    assert_eq!(state, "verified", "{text}");
    let section = html.split("Signed by keys that did not belong").nth(1).expect("a section");
    let section = section.split("</table>").next().expect("its end");
    reader.opens(&html.replacen(section, "", 1));
    let (state, text) = reader.brings(&words);
    assert!(state == "wrong" && text.contains("(open.intent)"), "{text}");
}

#[test]
fn from_a_day_on_an_older_incident_is_told_that_something_wrong_is_about() {
    let mut kit = office(false);
    let at = FOUNDED + 121 * DAY;
    kit.close(at, "INC-4802", &[1], Verdict::Misuse, "it was not needed");
    let all = [kit];
    let mut ledger = ledger(&all);
    let since = report(&mut ledger, &all, Some(FOUNDED + 170 * DAY));
    assert!(since.kits[0].incidents.iter().any(|incident| incident.name == "INC-4802"));
    assert_eq!(since.left_out.incidents, 0);
}

#[test]
fn a_key_set_stands_in_for_the_words() {
    let (html, _) = whole();
    let enrolment = |line: &&&str| -> Option<Value> {
        let record = breakglass::record::token::Record::parse(line.as_bytes()).ok()?;
        let breakglass::record::event::Event::KeyEnrolled(facts) = &record.event else { return None };
        let point = p256::ecdsa::VerifyingKey::from(facts.signing.0).to_sec1_point(false);
        let coordinate = |bytes: &[u8]| {
            use base64::Engine;
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
        };
        let bytes = point.as_bytes();
        Some(
            serde_json::json!({"kty": "EC", "crv": "P-256", "x": coordinate(&bytes[1..33]), "y": coordinate(&bytes[33..])}),
        )
    };
    let lines = records_of(&html);
    let keys: Vec<Value> = lines.iter().filter_map(|line| enrolment(&line)).collect();
    assert_eq!(keys.len(), 5);
    let mut reader = Reader::new();
    reader.opens(&html);
    let put = |keys: &[Value]| {
        let set = serde_json::json!({ "keys": keys }).to_string();
        reader.browser.run(&format!("document.getElementById('jwks').value = {}", Value::from(set)));
    };
    put(&keys);
    let (state, text) = reader.brings(&[]);
    assert_eq!(state, "verified", "{text}");
    // The founder of one kit is not among them.
    put(&keys[1..]);
    let (state, text) = reader.brings(&[]);
    assert_eq!(state, "wrong", "{text}");
    assert!(text.contains("is not in your key set"), "{text}");
    reader.browser.run("document.getElementById('jwks').value = '{'");
    assert_eq!(reader.brings(&[]).0, "wrong");
}

#[test]
fn from_a_day_on_only_what_is_over_is_left_out() {
    let all = [data_centre(REASON), office(false)];
    let mut ledger = ledger(&all);
    let told = report(&mut ledger, &all, Some(FOUNDED + 185 * DAY)); // 2026-11-05
    let names: Vec<&str> =
        told.kits.iter().flat_map(|kit| &kit.incidents).map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["INC-4820"], "INC-4711 and INC-4802 are over");
    assert!(
        told.findings().iter().any(|finding| finding.rule == "COUNTER-JUMP"),
        "wrong is wrong, whenever it was"
    );
    let lines = text(&told);
    assert!(
        lines.starts_with("report         made 2026-11-20 09:00:00 UTC, of what happened since 2026-11-05\n"),
        "{lines}"
    );
    assert!(lines.contains("not told       2 incidents that had been closed before"), "{lines}");
    let enclosed = told.enclose(&mut ledger, 1_000).expect("records");
    assert_eq!(enclosed.records.len(), 59, "the chains are whole all the same");
    let mut reader = Reader::new();
    reader.opens(&page(&told, &enclosed).html);
    let (state, text) = reader.brings(&[all[0].words(), all[1].words()]);
    assert_eq!(state, "verified", "{text}");
}

#[test]
fn the_commands_of_the_last_chapter_verify_the_file() {
    let html = written(&[data_centre(REASON), office(false)]);
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("report.html"), &html).expect("written");
    let (_, after) = html.split_once("<p>With PyJWT").expect("the chapter");
    let (_, code) = after.split_once("<pre><code>").expect("the commands");
    let (code, _) = code.split_once("</code></pre>").expect("their end");
    let code = code.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let python = tools::python();
    let folder_of_python = python.parent().expect("a folder").display().to_string();
    let run = |code: &str| -> Output {
        let code = format!("PATH={folder_of_python}:$PATH\n{code}");
        Command::new("bash").args(["-ec", &code]).current_dir(folder.path()).output().expect("bash runs")
    };
    let output = run(&code);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.ends_with("59 records verified\n") && said.contains("DC1 emergency kit"), "{said}");
    let line = records_of(&html)[7];
    std::fs::write(
        folder.path().join("report.html"),
        html.replacen(line, &super::changed(line, line.len() - 40), 1),
    )
    .expect("written");
    assert!(!run(&code).status.success(), "a changed record passes");
}

#[test]
fn the_verb_writes_a_new_file_and_says_what_is_in_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let mut ledger = Sqlite::open(&path, Duration::from_secs(5)).expect("a ledger");
    let all = [data_centre(REASON), office(true)];
    fill(&mut ledger, &all);
    drop(ledger);
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass-audit"));
        command
            .arg("--ledger")
            .arg(&path)
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .expect("it runs")
    };
    let output = run(&["report", "--html", "report.html", "--json"]);
    assert_eq!(output.status.code(), Some(6), "{}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!((said["records"].as_u64(), said["of"].as_u64()), (Some(59), Some(59)));
    assert_eq!(said["script"], script_hash());
    let html = std::fs::read_to_string(folder.path().join("report.html")).expect("the file");
    assert!(html.contains(&format!("script-src '{}'", script_hash())));
    let digest = breakglass::record::hash::Hash::of(html.as_bytes());
    assert_eq!(said["sha256"], hex::encode(digest.0));
    assert_eq!(run(&["report", "--html", "report.html"]).status.code(), Some(5), "it is there already");
    assert_eq!(std::fs::read_to_string(folder.path().join("report.html")).expect("the file"), html);

    let output = run(&["report", "--kit", &all[1].words(), "--since", "2026-10-01"]);
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(lines.contains("RECORD-CHANGED") && !lines.contains("DC1 emergency kit"), "{lines}");
    assert_eq!(run(&["report", "--since", "yesterday"]).status.code(), Some(2));
    let output = run(&["report", "--script-hash"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{}\n", script_hash()));
}

#[test]
fn kits_of_one_name_are_told_apart() {
    let all = [data_centre(REASON), office(false)];
    let mut ledger = ledger(&all);
    let mut report = report(&mut ledger, &all, None);
    let ids: Vec<String> = report.kits.iter().map(|kit| format!("({}…)", kit.kit.short())).collect();
    let enclosed = report.enclose(&mut ledger, 10).expect("records");
    let told = |report: &Report| text(report) + &page(report, &enclosed).html;
    assert!(ids.iter().all(|id| !told(&report).contains(id)));
    report.kits[1].name = format!("{} ", report.kits[0].name.to_uppercase());
    for id in ids {
        let lines = text(&report);
        for what in ["kit ", "incident ", "key "] {
            assert!(
                lines.lines().any(|line| line.starts_with(what) && line.contains(&id)),
                "{what}{id}\n{lines}"
            );
        }
        assert!(page(&report, &enclosed).html.contains(&id));
    }
}

#[test]
fn a_clock_that_ran_ahead_makes_no_key_recent() {
    let all = [office(false)];
    let mut ledger = ledger(&all);
    let mut report = report(&mut ledger, &all, None);
    let (now, enclosed) = (report.at, report.enclose(&mut ledger, 10).expect("records"));
    for key in &mut report.kits[0].keys {
        let last = key.last.as_mut().expect("heard of");
        (last.time.claimed, last.time.upper) = (now + 20_000 * DAY, Some(now - 200 * DAY));
    }
    let lines = text(&report);
    assert!(lines.contains("heard of 200 days ago") && !lines.contains("heard of 0 s ago"), "{lines}");
    let html = page(&report, &enclosed).html;
    assert!(html.contains("Not heard from") && html.contains("200 days ago"));
}
