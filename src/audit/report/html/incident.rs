//! One page per incident: who, why, what, when at the earliest and at the latest, with which keys, and what it left to do.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::{Book, front, mark, rows, times, told};
use crate::audit::assessment::{Assessment, Incident, Minting, Opening, Place};
use crate::audit::finding::{Finding, Sort};
use crate::audit::report::words::{count, day, stretch, time, visible};
use crate::record::hash::Hash;

/// The newest incidents of a kit, each on a page; the older ones a line each.
pub(super) fn pages(book: &Book<'_>, kit: &Assessment) -> Markup {
    let (older, newest) = book.report.pages(kit);
    html! {
        @for incident in newest.iter().rev() { (page(book, kit, incident)) }
        @if !older.is_empty() {
            section .chapter {
                h2 { "Older incidents of " (book.report.name_of(kit)) }
                p { (count(older.len(), "incident", "incidents")) " before those above." }
                table {
                    thead { tr { th scope="col" { "Incident" } th scope="col" { "Began" } th scope="col" { "Opened" } th scope="col" { "By" } th scope="col" { "Closed" } th scope="col" { "Left to do" } } }
                    tbody { @for incident in older.iter().rev() { (line(incident)) } }
                }
            }
        }
    }
}

fn line(incident: &Incident) -> Markup {
    let all = |of: fn(&Opening) -> &str, minted: fn(&Minting) -> &str| {
        let opened = incident.openings.iter().map(|opening| visible(of(opening)));
        let mut all: Vec<String> = opened.collect();
        all.extend(incident.mintings.iter().map(|minting| visible(minted(minting))));
        all.dedup();
        all.join(", ")
    };
    html! {
        tr {
            th scope="row" { (visible(&incident.name)) }
            td { (day(incident.claimed.0)) }
            td { (all(|opening| &opening.credential, |minting| &minting.rule)) }
            td { (all(|opening| &opening.operator, |minting| &minting.operator)) }
            td { @match &incident.closed { Some(closing) => (visible(&closing.verdict)), None => "no" } }
            td .number { (incident.debts.iter().filter(|debt| debt.done.is_none()).count()) }
        }
    }
}

fn page(book: &Book<'_>, kit: &Assessment, incident: &Incident) -> Markup {
    // A finding about several incidents names none: it is found by the records that it rests on.
    let own: BTreeSet<&Hash> = acts(incident).map(|place| &place.hash).collect();
    let about = |one: &&Finding| match &one.incident {
        Some(name) => *name == incident.name,
        None => one.records.iter().any(|record| own.contains(record)),
    };
    let findings: Vec<&Finding> =
        kit.findings.iter().filter(|one| one.sort < Sort::NotChecked).filter(about).collect();
    let open = incident.debts.iter().filter(|debt| debt.done.is_none()).count();
    html! {
        section .chapter.incident data-incident=(visible(&incident.name)) {
            p .kind { "Incident · " (book.report.name_of(kit)) }
            h2 { (visible(&incident.name)) }
            ul .facts {
                li { b { (day(incident.claimed.0)) } " " span { "began, as claimed" } }
                li { b { (stretch(incident.claimed.1 - incident.claimed.0)) } " " span { "first to last record" } }
                li { b { (incident.openings.len()) } " " span { @if incident.openings.len() == 1 { "opening" } @else { "openings" } } }
                @if !incident.mintings.is_empty() {
                    li { b { (incident.mintings.len()) } " " span { "minted" } }
                }
                @match &incident.closed {
                    Some(closing) => li { b { (visible(&closing.verdict)) } " " span { "closed as" } },
                    None => li .bad { b { "open" } " " span { "not closed" } },
                }
                li class=(if open > 0 { "bad" } else { "" }) { b { (open) " of " (incident.debts.len()) } " " span { "left to do" } }
            }
            @if !findings.is_empty() {
                h3 { "Found" }
                (front::table(book, &findings))
            }
            @for (number, one) in incident.openings.iter().enumerate() { (opening(book, incident, number, one)) }
            @for one in &incident.mintings { (minting(book, one)) }
            @for closing in &incident.closes {
                h3 { "Close" }
                @if incident.closed.as_ref() != Some(closing) {
                    p .warning { "It was used again after that, or another close follows: this one is not in force." }
                }
                @if book.told.contains_key(&closing.record.hash) { (rows(book, &closing.record.hash)) }
                @else { p { (visible(&closing.verdict)) ": " (visible(&closing.outcome)) } }
                (signed(book, &[("close", &closing.record)]))
            }
            @for review in &incident.reviews {
                h3 { "Review" }
                @if book.told.contains_key(&review.record.hash) { (rows(book, &review.record.hash)) }
                @else { p { (visible(&review.by)) ", " (visible(&review.judgement)) ": " (visible(&review.text)) } }
                @if review.by_operator { p .warning { "By someone who opened for it: it does not count." } }
                @else if review.early { p .warning { "Something was opened for it afterwards: it does not count." } }
                (signed(book, &[("review", &review.record)]))
            }
            (debts(book, incident))
        }
    }
}

/// The records by which something was opened or minted for it, or it was closed.
fn acts(incident: &Incident) -> impl Iterator<Item = &Place> {
    let opened = incident.openings.iter().flat_map(|one| one.intents.iter().chain(&one.released));
    let minted = incident.mintings.iter().flat_map(|one| [&one.intent].into_iter().chain(&one.issued));
    opened.chain(minted).chain(incident.closes.iter().map(|one| &one.record))
}

fn opening(book: &Book<'_>, incident: &Incident, number: usize, one: &Opening) -> Markup {
    let mut records: Vec<(&str, &Place)> = one.intents.iter().map(|place| ("about to open", place)).collect();
    records.splice(0..0, one.approvals.iter().map(|one| ("approved", &one.record)));
    records.extend(one.released.as_ref().map(|place| ("secret handed out", place)));
    let first = one.intents.first().filter(|place| book.told.contains_key(&place.hash));
    html! {
        h3 {
            @if incident.openings.len() > 1 { "Opening " (number + 1) ": " } @else { "Opening of " }
            (visible(&one.credential))
        }
        @match first {
            Some(place) => (rows(book, &place.hash)),
            None => {
                p .small { "The records of this opening are not in this file; this is what the ledger says of them." }
                dl .told {
                    dt { "operator" } dd { (visible(&one.operator)) }
                    dt { "emergency" } dd { (visible(&one.emergency)) }
                    dt { "reason" } dd { (visible(&one.reason)) }
                }
            }
        }
        @if one.released.is_none() {
            p .warning { "No record says that the secret was handed out, or that it was not. It may have been disclosed." }
        }
        @for one in &one.approvals {
            @if book.told.contains_key(&one.record.hash) { h4 { "Approved" } (rows(book, &one.record.hash)) }
        }
        @if !one.skipped.is_empty() {
            p .warning { "Not asked for approval: " (one.skipped.iter().map(|name| visible(name)).collect::<Vec<_>>().join(", ")) "." }
        }
        (signed(book, &records))
        @for place in one.intents.iter().skip(1).chain(&one.released).filter(|place| book.told.contains_key(&place.hash)) {
            p .small.line { (told(book, &place.hash, "place", "")) ": " (told(book, &place.hash, "title", "")) ", " (told(book, &place.hash, "line", "")) }
        }
    }
}

/// So many revocations of one minting get a line among its records.
const MOST_REVOKED: usize = 20;

fn minting(book: &Book<'_>, one: &Minting) -> Markup {
    let mut records: Vec<(&str, &Place)> = vec![("about to mint", &one.intent)];
    records.extend(one.issued.as_ref().map(|place| ("minted", place)));
    for revoked in one.revoked.iter().take(MOST_REVOKED) {
        records.push(("revoked", &revoked.record));
    }
    html! {
        h3 { "Minted: " (visible(&one.rule)) ", " (one.kind.singular()) }
        @if book.told.contains_key(&one.intent.hash) { (rows(book, &one.intent.hash)) }
        @else {
            p .small { "The records of this minting are not in this file; this is what the ledger says of them." }
            dl .told {
                dt { "operator" } dd { (visible(&one.operator)) }
                dt { "accounts" } dd { (visible(&one.accounts.join("; "))) }
                dt { "number" } dd { (visible(&one.numbers.join("; "))) }
                dt { "holds from" } dd { (time(one.from)) }
                dt { "until" } dd { (time(one.until)) }
                dt { "emergency" } dd { (visible(&one.emergency)) }
                dt { "reason" } dd { (visible(&one.reason)) }
            }
        }
        @if one.issued.is_none() {
            p .warning { "No record says that it was handed out, or that it was not. It may exist all the same." }
        }
        @for revoked in &one.revoked {
            p { "Revoked: " (visible(&revoked.number)) ", since " (time(revoked.record.time.claimed)) ". " (visible(&revoked.why)) }
        }
        (signed(book, &records))
        @for (_, place) in records.iter().skip(1).filter(|(_, place)| book.told.contains_key(&place.hash)) {
            p .small.line { (told(book, &place.hash, "place", "")) ": " (told(book, &place.hash, "title", "")) ", " (told(book, &place.hash, "line", "")) }
        }
    }
}

/// The records of an act: which key, when as claimed, not before, not after.
fn signed(book: &Book<'_>, records: &[(&str, &Place)]) -> Markup {
    html! {
        table .signed {
            thead { tr {
                th scope="col" { "Signed" } th scope="col" { "Key" } th scope="col" { "Claimed time" }
                th scope="col" { "Not before" } th scope="col" { "Not after" } th scope="col" { "Signature" }
            } }
            tbody {
                @for (what, place) in records {
                    tr {
                        th scope="row" { (what) br; span .small { (told(book, &place.hash, "place", &format!("{}/{}", place.chain, place.seq))) } }
                        td { (place.serial) }
                        (times(book, place))
                        td { @if book.told.contains_key(&place.hash) { (mark(&place.hash)) } @else { "not in this file" } }
                    }
                }
            }
        }
    }
}

/// Whether that record is a person's word that something was done, in this file.
fn discharge(book: &Book<'_>, place: &Place) -> bool {
    book.told.get(&place.hash).is_some_and(|told| told.is("debt.discharged"))
}

fn debts(book: &Book<'_>, incident: &Incident) -> Markup {
    html! {
        @if !incident.debts.is_empty() {
            h3 { "What it left to do" }
            table .debts {
                thead { tr { th scope="col" { "" } th scope="col" { "What" } th scope="col" { "Done by" } } }
                tbody {
                    @for debt in &incident.debts {
                        tr class=(if debt.done.is_some() { "" } else { "due" }) {
                            td { @if debt.done.is_some() { "done" } @else { strong { "open" } } }
                            td { (visible(&debt.what)) }
                            td {
                                @if let Some(place) = &debt.done {
                                    (told(book, &place.hash, "place", &format!("{}/{}", place.chain, place.seq)))
                                    ", " (told(book, &place.hash, "time", &day(place.time.claimed)))
                                    @if discharge(book, place) {
                                        br; span .small { (told(book, &place.hash, "line", "")) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
