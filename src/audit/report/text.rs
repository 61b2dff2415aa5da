//! A report as text: one line a finding, an incident, a key.

use std::fmt::Write;

use super::Report;
use super::words::{count, day, stretch, time, visible};
use crate::audit::assessment::{Assessment, Incident, KeyStatement, Minting, Use};
use crate::audit::finding::{Claim, Finding, Sort};

/// The whole report, each line with its line feed.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    let since =
        report.since.map_or(String::new(), |since| format!(", of what happened since {}", day(since)));
    line(&mut out, "report", &format!("made {}{since}", time(report.at)));
    for kit in &report.kits {
        let trust = kit.trusted.as_deref().unwrap_or("nobody has confirmed it: nothing of it is proven");
        let records = count(kit.records as usize, "record", "records");
        line(
            &mut out,
            "kit",
            &format!("{}   {}   {records}, {}", report.name_of(kit), kit.words, visible(trust)),
        );
    }
    out.push('\n');
    findings(&mut out, report);
    for kit in &report.kits {
        let of = match report.kits.len() {
            0 | 1 => String::new(),
            _ => format!("{}: ", report.name_of(kit)),
        };
        for incident in kit.incidents.iter().rev() {
            line(&mut out, "incident", &format!("{of}{}", in_brief(incident)));
            for minting in &incident.mintings {
                line(&mut out, "minted", &minted(minting));
            }
        }
    }
    if report.left_out.incidents > 0 {
        let number = count(report.left_out.incidents, "incident", "incidents");
        line(&mut out, "not told", &format!("{number} that had been closed before, with nothing left to do"));
    }
    for kit in &report.kits {
        keys(&mut out, &report.name_of(kit), kit, report.at);
    }
    out
}

fn line(out: &mut String, what: &str, text: &str) {
    let _ = writeln!(out, "{what:<14} {text}");
}

/// What a sort of findings is called.
pub(super) const fn sort_word(sort: Sort) -> &'static str {
    match sort {
        Sort::Wrong => "wrong",
        Sort::Due => "due",
        Sort::CannotRead => "cannot read",
        Sort::CannotCheck => "cannot check",
        Sort::NotChecked => "not checked",
        Sort::Note => "note",
    }
}

fn findings(out: &mut String, report: &Report) {
    let all = report.findings();
    if !all.iter().any(|finding| matches!(finding.sort, Sort::Wrong | Sort::Due)) {
        line(out, "wrong or due", "nothing");
    }
    for finding in all {
        let of = match report.kit_name(finding.kit.as_ref()) {
            Some(name) if report.kits.len() > 1 => format!("{name}: "),
            _ => String::new(),
        };
        let text = format!("{:<18} {of}{}{}", finding.rule, visible(&finding.text), sure(finding));
        line(out, sort_word(finding.sort), &text);
        if let Some(next) = &finding.next {
            line(out, "", &format!("{:<18} {}", "", visible(next)));
        }
    }
    out.push('\n');
}

/// How sure, where that says something.
fn sure(finding: &Finding) -> &'static str {
    match (finding.sort, finding.claim) {
        (Sort::Wrong, Claim::Certain) => "   certain",
        (_, Claim::Possible) => "   possible",
        _ => "",
    }
}

/// `INC-4711  ada, pam-outage, 58 min, core-db/root, closed as real; 1 of 3 still to be done`.
fn in_brief(incident: &Incident) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut add = |text: String| {
        if !words.contains(&text) {
            words.push(text);
        }
    };
    for opening in &incident.openings {
        add(visible(&opening.operator));
        add(visible(&opening.emergency));
        add(visible(&opening.credential));
        for one in &opening.approvals {
            add(format!("approved by {}", visible(&one.approver)));
        }
        for name in &opening.skipped {
            add(format!("{} not asked", visible(name)));
        }
    }
    for minting in &incident.mintings {
        add(visible(&minting.operator));
        add(visible(&minting.emergency));
        add(visible(&minting.rule));
    }
    add(stretch(incident.claimed.1 - incident.claimed.0));
    add(match &incident.closed {
        Some(closing) => format!("closed as {}", visible(&closing.verdict)),
        None => "not closed".into(),
    });
    let open = incident.debts.iter().filter(|debt| debt.done.is_none()).count();
    let debts = match (open, incident.debts.len()) {
        (_, 0) => String::new(),
        (0, all) => format!("; all {all} that it left is done"),
        (open, all) => format!("; {open} of {all} still to be done"),
    };
    format!("{}   {}   {}{debts}", visible(&incident.name), day(incident.claimed.0), words.join(", "))
}

/// `SSH certificate 85899771289337864   as breakglass, … to …, by ada with 20000001; revoked on 2026-11-21`.
fn minted(minting: &Minting) -> String {
    let end = match &minting.output {
        Some(output) => format!("to {}", visible(output)),
        None => "no record tells the end: it may exist all the same".into(),
    };
    let mut text = format!(
        "{} {}   as {}, {} to {}, by {} with {}; {end}",
        minting.kind.singular(),
        visible(&minting.numbers.join(", ")),
        visible(&minting.accounts.join(" ")),
        time(minting.from),
        time(minting.until),
        visible(&minting.operator),
        minting.key
    );
    for one in &minting.revoked {
        let _ = write!(text, "; {} revoked {}", visible(&one.number), time(one.record.time.claimed));
    }
    text
}

fn keys(out: &mut String, name: &str, kit: &Assessment, now: i64) {
    for key in &kit.keys {
        let place = key.place.as_deref().map_or(String::new(), |place| format!(", {}", visible(place)));
        let heard = match &key.last {
            Some(last) => format!("heard of {} ago", stretch(last.time.age(now))),
            None => "never heard of".into(),
        };
        line(
            out,
            "key",
            &format!("{} ({name}){place}   {}, {heard}, {}", key.serial, key.standing, proof(key)),
        );
    }
}

/// What the newest stretch of a key's chain shows.
fn proof(key: &KeyStatement) -> String {
    match key.periods.last().map(|period| &period.use_of_it) {
        Some(Use::ProvenUnused) => "proven unused since".into(),
        Some(Use::Used { times, certain }) => {
            let claim = if *certain { "used" } else { "perhaps used" };
            format!("{claim} {times} times beyond its records")
        }
        Some(Use::CannotBeProven(why)) => format!("use since cannot be told: {}", visible(why)),
        None => "nothing known of its use".into(),
    }
}
