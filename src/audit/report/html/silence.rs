//! How complete all this is: what the silence of each key proves, what it cannot prove, and what nobody checked.

use maud::{Markup, html};

use super::{Book, front, told};
use crate::audit::assessment::{Assessment, KeyStatement, Period, Use};
use crate::audit::finding::{Finding, Sort};
use crate::audit::report::words::{day, stretch, time, visible};

/// A key of which nothing was heard for so long is named: 90 days, in seconds.
const SILENT: i64 = 90 * 86_400;

pub(super) fn completeness(book: &Book<'_>) -> Markup {
    html! {
        section #completeness .chapter {
            h2 { "How complete this is" }
            p {
                "A key that signs nothing leaves no record. Only a key whose FIDO2 side counts its uses can show that nothing is lacking, and only between two of its "
                "assertions. Everything else rests on the records that came in."
            }
            @for kit in &book.report.kits { (of_kit(book, kit)) }
        }
    }
}

fn of_kit(book: &Book<'_>, kit: &Assessment) -> Markup {
    let silent: Vec<&KeyStatement> = kit.keys.iter().filter(|key| silent(book, key)).collect();
    let all = kit.keys.iter().flat_map(|key| &key.periods);
    let from = all.clone().map(|period| period.from).min().unwrap_or(book.report.at);
    let span = (from, book.report.at.max(from + 1));
    html! {
        h3 { (book.report.name_of(kit)) }
        table {
            thead { tr { th scope="col" { "Key" } th scope="col" { "Last record" } th scope="col" { "Last proof by its counter" } th scope="col" { "What is known of its use since" } } }
            tbody {
                @for key in &kit.keys {
                    tr class=(if silent_for(book, key) >= SILENT { "due" } else { "" }) {
                        th scope="row" { (key.serial) }
                        td { @match &key.last { Some(last) => (told(book, &last.hash, "time", &time(last.time.claimed))), None => "none" } }
                        td {
                            @match &key.last_proof {
                                Some((place, counter)) => { (told(book, &place.hash, "time", &time(place.time.claimed))) br; span .small { "counter " (counter) ", record " (told(book, &place.hash, "place", &place.chain)) } }
                                None => "none",
                            }
                        }
                        td { @match key.periods.last() { Some(period) => (known(period)), None => "nothing" } }
                    }
                }
            }
        }
        @if kit.keys.is_empty() { p .warning { "The ledger holds the enrolment of no key of it: nothing is known of their use." } }
        @else if silent.is_empty() { p { "Every key was heard of within the last 90 days." } }
        @else {
            p .warning {
                "Not heard from: "
                @for (at, key) in silent.iter().enumerate() {
                    @if at > 0 { "; " }
                    "key " (key.serial)
                    @match &key.last { Some(last) => { " for " (stretch(last.time.age(book.report.at))) } None => ", ever" }
                }
                ". What it did since, if anything, is not known."
            }
        }
        @if kit.keys.iter().any(|key| !key.periods.is_empty()) {
            figure .periods {
                figcaption { "What is known of the use of each key, from " (day(span.0)) " to " (day(span.1)) }
                @for key in &kit.keys { (bar(key, span)) }
                p .legend aria-hidden="true" {
                    span .proven { "proven: no use but what is recorded" }
                    span .used { "used beyond its records" }
                    span .open { "cannot be proven" }
                }
            }
            (periods(kit))
        }
    }
}

fn silent_for(book: &Book<'_>, key: &KeyStatement) -> i64 {
    key.last.as_ref().map_or(i64::MAX, |last| last.time.age(book.report.at))
}

fn silent(book: &Book<'_>, key: &KeyStatement) -> bool {
    key.standing != "retired" && silent_for(book, key) >= SILENT
}

/// A bar of a thousand units, one stretch a rectangle. The table below says the same in words.
fn bar(key: &KeyStatement, (from, to): (i64, i64)) -> Markup {
    let at = |time: i64| ((time.clamp(from, to) - from) as i128 * 1_000 / (to - from) as i128) as i64;
    let class = |period: &Period| match &period.use_of_it {
        Use::ProvenUnused => "proven",
        Use::Used { .. } => "used",
        Use::CannotBeProven(_) => "open",
    };
    html! {
        div .bar {
            span { (key.serial) }
            svg viewBox="0 0 1000 20" preserveAspectRatio="none" aria-hidden="true" {
                rect .ground width="1000" height="20" {}
                @for period in &key.periods {
                    @let begin = at(period.from);
                    rect class=(class(period)) x=(begin) width=((at(period.to.unwrap_or(to)) - begin).max(2)) height="20" {}
                }
            }
        }
    }
}

/// Stretches of one kind that follow each other are told as one.
fn periods(kit: &Assessment) -> Markup {
    let mut rows: Vec<(u32, Period)> = Vec::new();
    for key in &kit.keys {
        for period in &key.periods {
            match rows.last_mut() {
                Some((serial, last))
                    if *serial == key.serial.0
                        && last.to == Some(period.from)
                        && last.use_of_it == period.use_of_it
                        && !matches!(period.use_of_it, Use::Used { .. }) =>
                {
                    last.to = period.to;
                }
                _ => rows.push((key.serial.0, period.clone())),
            }
        }
    }
    html! {
        table .periods {
            thead { tr { th scope="col" { "Key" } th scope="col" { "From" } th scope="col" { "To" } th scope="col" { "What is known" } } }
            tbody {
                @for (serial, period) in &rows {
                    tr {
                        th scope="row" { (serial) }
                        td { (day(period.from)) }
                        td { @match period.to { Some(to) => (day(to)), None => "now" } }
                        td { (known(period)) }
                    }
                }
            }
        }
    }
}

fn known(period: &Period) -> Markup {
    html! {
        @match &period.use_of_it {
            Use::ProvenUnused => "proven by its counter: no use but what is recorded",
            Use::Used { times, certain: true } => strong { "used at least " (times) @if *times == 1 { " time" } @else { " times" } " beyond its records: certain" },
            Use::Used { times, certain: false } => { "perhaps used up to " (times) @if *times == 1 { " time" } @else { " times" } " beyond its records" },
            Use::CannotBeProven(why) => { "cannot be proven: " (visible(why)) },
        }
    }
}

/// What nobody asked for, and what this report does without.
pub(super) fn not_checked(book: &Book<'_>) -> Markup {
    let all: Vec<&Finding> =
        book.report.findings().into_iter().filter(|one| one.sort == Sort::NotChecked).collect();
    let enclosed = book.enclosed;
    html! {
        section #unchecked .chapter {
            h2 { "What was not checked" }
            @if !all.is_empty() { (front::table(book, &all)) }
            ul {
                @if all.is_empty() { li { "The rules left nothing out that they could have checked with what they were given." } }
                @if enclosed.of > enclosed.records.len() as u64 {
                    li { "This file holds " (enclosed.records.len()) " of the " (enclosed.of) " records that the ledger holds of these kits. The others were checked when this report was made; your browser cannot check them again." }
                }
                li { "Attestation certificates: that a key is a genuine device was checked when this report was made, against roots that the program holds. Your browser does not check it again." }
                li { "Quorums and policies: your browser checks that each key was signed for by one that leads back to the founder. Whether enough keys signed was checked when this report was made." }
            }
        }
    }
}
