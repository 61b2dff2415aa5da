//! One kit: who keeps which key and where, what is sealed, and everything that happened, in the order of claimed time.

use maud::{Markup, html};

use super::{Book, front, mark, records, told};
use crate::audit::assessment::{Assessment, Drill, Outside};
use crate::audit::finding::{Finding, Sort};
use crate::audit::ledger::Held;
use crate::audit::report::words::{day, stretch, time, visible};

/// So many of the newest records are told of each kit.
const MOST_ROWS: usize = 1_000;

/// So many of the newest drills.
const MOST_DRILLS: usize = 100;

pub(super) fn pages(book: &Book<'_>, kit: &Assessment) -> Markup {
    let notes: Vec<&Finding> = kit.findings.iter().filter(|one| one.sort == Sort::Note).collect();
    html! {
        section .chapter.kit {
            p .kind { "Kit" }
            h2 { (book.report.name_of(kit)) }
            h3 { "Custody" }
            (custody(book, kit))
            (moves(book, kit))
            h3 { "Drills" }
            (drills(book, kit))
            (outside(book, kit))
            h3 { "What is sealed" }
            (credentials(book, kit))
            @if !notes.is_empty() {
                h3 { "Good to know" }
                (front::table(book, &notes))
            }
            h3 { "Timeline" }
            (timeline(book, kit))
        }
    }
}

fn custody(book: &Book<'_>, kit: &Assessment) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Key" } th scope="col" { "Standing" } th scope="col" { "Lies in" } th scope="col" { "Kept by" }
                th scope="col" { "Firmware" } th scope="col" { "Attested by" } th scope="col" { "Last heard of" }
            } }
            tbody {
                @for key in &kit.keys {
                    tr {
                        th scope="row" { (key.serial) }
                        td { (key.standing) }
                        td { (key.place.as_deref().map_or("not said".into(), visible)) }
                        td { (key.custodian.as_deref().map_or("not said".into(), visible)) }
                        td { (key.firmware) }
                        td { @match &key.attested { Ok(root) => (visible(root)), Err(why) => strong { (visible(why)) } } }
                        td {
                            @match &key.last {
                                Some(last) => { (told(book, &last.hash, "time", &time(last.time.claimed))) br; span .small { (stretch(last.time.age(book.report.at))) " ago" } }
                                None => strong { "never" },
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Where keys were taken, and put away: by two people each time, who signed number and seal.
fn moves(book: &Book<'_>, kit: &Assessment) -> Markup {
    let moves = super::super::moves(kit);
    let all: usize = kit.keys.iter().map(|key| key.moves.len()).sum();
    if moves.is_empty() {
        return html! { p .small { "No record says that a key was taken out of its bag, or put into one." } };
    }
    html! {
        table .timeline {
            thead { tr { th scope="col" { "Claimed time" } th scope="col" { "Key" } th scope="col" { "What" } th scope="col" { "Signature" } } }
            tbody {
                @for (serial, one) in &moves {
                    @let hash = one.record.hash;
                    tr {
                        td { (told(book, &hash, "time", &time(one.record.time.claimed))) }
                        th scope="row" { (serial) }
                        td { b { (told(book, &hash, "title", "")) } " " span .small { (told(book, &hash, "line", "")) } }
                        td { (mark(&hash)) }
                    }
                }
            }
        }
        @if moves.len() < all { p .small { "The newest " (moves.len()) " of " (all) " moves." } }
    }
}

/// What keys signed as if of incidents that did not belong, or no more: it is told here and makes no incident.
fn outside(book: &Book<'_>, kit: &Assessment) -> Markup {
    let enclosed = |one: &&Outside| book.told.contains_key(&one.record.hash);
    let all: Vec<&Outside> = kit.outside.iter().filter(enclosed).collect();
    html! {
        @if !kit.outside.is_empty() {
            h3 { "Signed by keys that did not belong" }
            p .warning { "These keys were retired, or never admitted: what they signed makes no incident and ends none. What they opened may be known to whoever had them." }
            table .timeline data-outside="" {
                thead { tr { th scope="col" { "Claimed time" } th scope="col" { "Record" } th scope="col" { "What" } th scope="col" { "Signature" } } }
                tbody {
                    @for one in &all {
                        @let hash = one.record.hash;
                        tr {
                            td { (told(book, &hash, "time", &time(one.record.time.claimed))) }
                            th scope="row" { (told(book, &hash, "place", "")) }
                            td { b { (told(book, &hash, "title", "")) } " " span .small { (told(book, &hash, "line", "")) } }
                            td { (mark(&hash)) }
                        }
                    }
                }
            }
            @if all.len() < kit.outside.len() {
                p .small { (records(kit.outside.len() - all.len())) " more of them are not in this file." }
            }
        }
    }
}

/// The newest first.
fn drills(book: &Book<'_>, kit: &Assessment) -> Markup {
    let since = |drill: &&Drill| book.report.since.is_none_or(|since| drill.begun.time.claimed >= since);
    let all: Vec<&Drill> = kit.drills.iter().rev().filter(since).collect();
    if all.is_empty() {
        return html! { p { "No drill is on record: that a key opens what is sealed to it, only openings have shown." } };
    }
    html! {
        table {
            thead { tr {
                th scope="col" { "Claimed time" } th scope="col" { "Key" } th scope="col" { "Credential" } th scope="col" { "By" }
                th scope="col" { "Watched by" } th scope="col" { "Seconds" } th scope="col" { "What it came to" }
            } }
            tbody {
                @for drill in all.iter().take(MOST_DRILLS) {
                    @let begun = &drill.begun.hash;
                    tr class=(if drill.proven { "" } else { "due" }) {
                        td { (told(book, begun, "time", &time(drill.begun.time.claimed))) }
                        th scope="row" { (drill.begun.serial) }
                        td { (told(book, begun, "credential", &drill.credential)) ", generation " (drill.generation) }
                        td { (told(book, begun, "operator", "not enclosed")) }
                        td { (told(book, begun, "witness", "not enclosed")) }
                        td .number { @if let Some(ended) = &drill.ended { (told(book, &ended.hash, "seconds", "not enclosed")) } }
                        td {
                            @match (&drill.ended, &drill.failed) {
                                (Some(ended), Some(failed)) => { strong { "failed" } ": " (told(book, &ended.hash, "failed", failed)) }
                                (Some(_), None) if drill.proven => "proven",
                                (Some(_), None) => strong { "failed" },
                                (None, _) => strong { "no end on record" },
                            }
                        }
                    }
                }
            }
        }
        @if all.len() > MOST_DRILLS { p .small { "The newest " (MOST_DRILLS) " of " (all.len()) "." } }
    }
}

fn credentials(book: &Book<'_>, kit: &Assessment) -> Markup {
    if kit.credentials.is_empty() {
        return html! { p { "No record says that anything was sealed." } };
    }
    html! {
        table {
            thead { tr {
                th scope="col" { "Credential" } th scope="col" { "Generation" } th scope="col" { "Sealed" }
                th scope="col" { "Takes" } th scope="col" { "Keys" } th scope="col" { "Rotation" }
            } }
            tbody {
                @for one in &kit.credentials {
                    tr {
                        th scope="row" { (visible(&one.name)) }
                        td .number { (one.generation.map_or("none".into(), |number| number.to_string())) }
                        td { @if let Some(sealed) = &one.sealed { (told(book, &sealed.hash, "time", &day(sealed.time.claimed))) } }
                        td { (one.threshold) " of " (one.keys.len()) br; span .small { (one.factors.join(" and ")) } }
                        td { @for (at, serial) in one.keys.iter().enumerate() { @if at > 0 { ", " } (serial) } }
                        td { @if one.rotation_due { strong { "due" } } @else { "none due" } }
                    }
                }
            }
        }
    }
}

/// Everything that happened, by claimed time: the order of the chains is what is proven.
fn timeline(book: &Book<'_>, kit: &Assessment) -> Markup {
    let chains: Vec<&str> = kit.keys.iter().map(|key| key.chain.as_str()).collect();
    let mut all: Vec<&Held> = book
        .enclosed
        .records
        .iter()
        .filter(|held| {
            held.record.link.kit == Some(kit.kit) || chains.contains(&held.record.chain_name().as_str())
        })
        .filter(|held| book.report.since.is_none_or(|since| held.record.iat >= since))
        .collect();
    all.sort_by_key(|held| (held.record.iat, held.record.chain_name(), held.record.link.seq));
    let older = all.len().saturating_sub(MOST_ROWS);
    html! {
        p .small {
            "By claimed time. Only the order within one key's chain is proven; a clock can be set to anything."
            @if older > 0 { " The newest " (MOST_ROWS) " are told; " (records(older)) " before them are in this file and verified with it." }
        }
        table .timeline {
            thead { tr { th scope="col" { "Claimed time" } th scope="col" { "Record" } th scope="col" { "What" } th scope="col" { "Signature" } } }
            tbody {
                @for held in &all[older..] {
                    @let hash = held.record.hash();
                    tr id=(format!("r-{hash}")) {
                        td { (told(book, &hash, "time", "")) }
                        td { (told(book, &hash, "place", "")) }
                        td { b { (told(book, &hash, "title", "")) } " " span .small { (told(book, &hash, "line", "")) } }
                        td { (mark(&hash)) }
                    }
                }
            }
        }
    }
}
