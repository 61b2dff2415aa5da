//! The first pages: what this is about, whether it is verified, what is wrong and what is due.

use maud::{Markup, html};

use super::{Book, named, records};
use crate::audit::finding::{Claim, Finding, Severity, Sort};
use crate::audit::report::text::sort_word;
use crate::audit::report::words::{count, day, time, visible};
use crate::record::event::KitKind;

/// Title, kits, and the figures that a board asks for.
pub(super) fn cover(book: &Book<'_>) -> Markup {
    let report = book.report;
    let incidents: usize = report.kits.iter().map(|kit| kit.incidents.len()).sum();
    let open = report.kits.iter().flat_map(|kit| &kit.incidents).filter(|one| one.closed.is_none()).count();
    let keys: usize = report.kits.iter().map(|kit| kit.keys.len()).sum();
    let of = |sorts: &[Sort]| report.findings().iter().filter(|one| sorts.contains(&one.sort)).count();
    let figures = [
        ("wrong", of(&[Sort::Wrong]), "wrong"),
        ("due", of(&[Sort::Due]), "due"),
        ("unknown", of(&[Sort::CannotRead, Sort::CannotCheck]), "cannot be checked"),
        ("", incidents, if incidents == 1 { "incident" } else { "incidents" }),
        ("", open, "not closed"),
        ("", keys, if keys == 1 { "key" } else { "keys" }),
    ];
    html! {
        header .cover {
            p .kind { "Audit report" }
            h1 { "Emergency access" }
            p .when {
                "Made " (time(report.at))
                @if let Some(since) = report.since { ", for the time since " (day(since)) }
                " by breakglass-audit " (report.version)
            }
            table .kits {
                thead { tr { th scope="col" { "Kit" } th scope="col" { "Identity" } th scope="col" { "Records" } th scope="col" { "Confirmed by" } } }
                tbody {
                    @for kit in &report.kits {
                        tr {
                            th scope="row" {
                                (book.report.name_of(kit))
                                @if kit.kind == KitKind::Practice { " " span .chip { "PRACTICE" } }
                            }
                            td { code { (kit.kit) } }
                            td .number { (kit.records) }
                            td { @match &kit.trusted { Some(by) => (visible(by)), None => strong { "nobody: nothing of it is proven" } } }
                        }
                    }
                }
            }
            ul .figures {
                @for (class, number, word) in figures {
                    li class=(if number == 0 { "" } else { class }) { b { (number) } " " span { (word) } }
                }
            }
        }
    }
}

/// Where the script says what it found. Until then: not verified.
pub(super) fn verdict(book: &Book<'_>) -> Markup {
    let enclosed = book.enclosed;
    html! {
        section #verdict data-state="unverified" aria-labelledby="verdict-title" {
            div .banner role="status" aria-live="polite" {
                p .sign aria-hidden="true" { "?" }
                div {
                    h2 #verdict-title { "Not verified yet" }
                    p #verdict-text {
                        "This file holds " (records(enclosed.records.len()))
                        " as they were signed. Your browser can verify them, offline, once you say which kit this is about."
                    }
                }
            }
            noscript { p { "Scripts do not run here, so nothing has been verified. The last chapter says how to verify without them." } }
            ul #verdict-list hidden {}
            form #anchors autocomplete="off" {
                fieldset {
                    legend { "From the bag, not from this file" }
                    p { "Type the six words that are printed on the bags of each kit, or the kit's identity as you know it from elsewhere. What the file says of itself proves nothing." }
                    @for (number, kit) in book.report.kits.iter().enumerate() {
                        p .field {
                            label for=(format!("kit-{number}")) { (book.report.name_of(kit)) }
                            input id=(format!("kit-{number}")) data-kit=(kit.kit) type="text" spellcheck="false" autocapitalize="none" placeholder="six words";
                            output for=(format!("kit-{number}")) {}
                        }
                    }
                    details {
                        summary { "or a key set (JWKS) that you have from elsewhere" }
                        label for="jwks" { "Key set" }
                        textarea #jwks rows="5" spellcheck="false" {}
                    }
                    button type="submit" { "Verify" }
                }
            }
        }
    }
}

/// What is wrong, what is due, what cannot be known; the gravest first.
pub(super) fn findings(book: &Book<'_>) -> Markup {
    let all = book.report.findings();
    let chapters = [
        ("Wrong", vec![Sort::Wrong], "Nothing that was checked is wrong."),
        ("Due", vec![Sort::Due], "Nothing is due."),
        ("Cannot be read or checked", vec![Sort::CannotRead, Sort::CannotCheck], ""),
    ];
    html! {
        section #findings .chapter {
            h2 { "What is wrong, and what is due" }
            @for (title, sorts, none) in chapters {
                @let these: Vec<&Finding> = all.iter().filter(|one| sorts.contains(&one.sort)).copied().collect();
                @if !these.is_empty() || !none.is_empty() { h3 { (title) } }
                @if these.is_empty() && !none.is_empty() { p { (none) } }
                @if !these.is_empty() { (table(book, &these)) }
            }
            @let left = book.report.left_out;
            @if left.incidents > 0 {
                p .small { (count(left.incidents, "incident", "incidents")) " that had ended before, with nothing left to do, and " (count(left.notes, "note", "notes")) " are not told here." }
            }
        }
    }
}

/// Findings as a table.
pub(super) fn table(book: &Book<'_>, findings: &[&Finding]) -> Markup {
    html! {
        table .findings {
            thead { tr { th scope="col" { "What" } th scope="col" { "Of" } th scope="col" { "How grave" } th scope="col" { "Rests on" } } }
            tbody { @for finding in findings { (row(book, finding)) } }
        }
    }
}

fn row(book: &Book<'_>, finding: &Finding) -> Markup {
    const SHOWN: usize = 4;
    html! {
        tr .(sort_class(finding.sort)) {
            td {
                p .sentence { (book.sentence(&finding.text)) }
                p .small {
                    code { (finding.rule) }
                    @if let Some(at) = finding.at { " · " (day(at)) }
                    @if let Some(next) = &finding.next { br; "To do: " (book.sentence(next)) }
                }
            }
            td {
                @if let Some(name) = book.report.kit_name(finding.kit.as_ref()) { (name) }
                @if let Some(incident) = &finding.incident { br; span .small { (visible(incident)) } }
            }
            td { (severity(finding.severity)) @if matches!(finding.sort, Sort::Wrong | Sort::Due) { br; span .small { (claim(finding.claim)) } } }
            td .small {
                @for hash in finding.records.iter().take(SHOWN) { (named(book, hash)) br; }
                @if finding.records.len() > SHOWN { "and " (finding.records.len() - SHOWN) " more" }
            }
        }
    }
}

fn sort_class(sort: Sort) -> String {
    sort_word(sort).replace(' ', "-")
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
        Severity::Info => "for information",
    }
}

const fn claim(claim: Claim) -> &'static str {
    match claim {
        Claim::Certain => "certain",
        Claim::Possible => "possible",
    }
}
