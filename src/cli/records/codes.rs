//! A bundle as codes for a camera: a page to print with one code for each record, and codes that follow each other on the
//! terminal. No stick has to cross the gap.

use std::fmt::Write;
use std::io::IsTerminal;

use qrcode::render::{svg, unicode::Dense1x2};
use qrcode::{EcLevel, QrCode};

use crate::cli::desk::Desk;
use crate::cli::terminal::{Tty, escape};
use crate::record::packed::pack;
use crate::record::token::Record;

/// Bytes of the packed bundle in one code: 35 lines of a terminal with its margin.
const FRAGMENT: usize = 200;

/// Bytes that fit one code at the lowest error correction (ISO/IEC 18004, version 40, byte mode).
const LARGEST: usize = 2_953;

/// The codes of a bundle, without end: any few more than [`Codes::fewest`] of them give it back (BCR-2020-005).
pub(super) struct Codes {
    encoder: ur::Encoder<'static>,
}

impl Codes {
    /// `None` for an empty bundle.
    pub(super) fn of(bundle: &[u8]) -> Option<Self> {
        let encoder = ur::Encoder::bytes(&pack(bundle), FRAGMENT).ok()?;
        (!bundle.is_empty()).then_some(Codes { encoder })
    }

    /// How many codes it takes if none is missed.
    pub(super) fn fewest(&self) -> usize {
        self.encoder.fragment_count()
    }

    /// The next code for a terminal, black on white, with its margin.
    pub(super) fn next_frame(&mut self) -> Option<String> {
        let text = self.encoder.next_part().ok()?.to_uppercase();
        let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
        let drawn = code.render::<Dense1x2>().dark_color(Dense1x2::Dark).light_color(Dense1x2::Light).build();
        Some(drawn)
    }
}

/// One code for a terminal with that text as it is, which any reader shows; `None` if it is too long for one.
pub(in crate::cli) fn plain(text: &[u8]) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    Some(code.render::<Dense1x2>().dark_color(Dense1x2::Dark).light_color(Dense1x2::Light).build())
}

/// Shows the lines as codes that follow each other, where somebody can point a camera at them.
pub(in crate::cli) fn show(desk: &mut Desk, lines: &[u8]) {
    let Some(mut codes) = Codes::of(lines) else { return };
    let (fewest, seconds) = (codes.fewest(), codes.fewest().div_ceil(5));
    let Some(tty) = watched(desk) else { return };
    let below = format!("{fewest} codes at least, {seconds} s; any key ends it");
    let shown = tty.show_codes(&mut || codes.next_frame(), &below);
    desk.terminal.say(&match shown < fewest {
        true => format!("{shown} codes were shown, and it takes {fewest}: not all can have been read"),
        false => format!("{shown} codes were shown; it takes {fewest} and a few more for those missed"),
    });
}

/// Shows the text in one code until a key is pressed, with `below` under it.
pub(in crate::cli) fn show_plain(desk: &mut Desk, text: &[u8], below: &str) {
    let Some(code) = plain(text) else { return };
    let Some(tty) = watched(desk) else { return };
    let needed = code.lines().count() + 2;
    match tty.lines() {
        // What scrolls away at the top no camera reads.
        Some(lines) if lines < needed => desk.terminal.say(&format!(
            "no code is shown of {}: it takes {needed} lines, and this terminal has {lines}",
            escape(below)
        )),
        _ => {
            tty.show_codes(&mut || Some(code.clone()), &format!("{}; any key ends it", escape(below)));
        }
    }
}

/// The terminal, if somebody looks at it; says so where nobody does.
fn watched(desk: &mut Desk) -> Option<&mut Tty> {
    if desk.terminal.tty.is_none() || !std::io::stdout().is_terminal() {
        desk.terminal.say("no codes are shown: there is no terminal");
        return None;
    }
    desk.terminal.tty.as_mut()
}

/// A page with one code for each line of the bundle; what is too long for one takes several that follow each other.
pub(super) fn page(bundle: &[u8], kit: &str) -> String {
    let mut html = String::from(HEAD);
    let _ = write!(html, "<h1>{}</h1>", markup(kit));
    for (index, line) in bundle.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate() {
        let (title, hash) = match Record::parse(line) {
            Ok(record) => (
                format!("{} {}/{}", record.event.name(), record.serial, record.link.seq),
                format!("SHA-256 {}", record.hash()),
            ),
            Err(error) => (format!("a line that is no record: {error}"), String::new()),
        };
        let codes = codes_of(line);
        for (part, code) in codes.iter().enumerate() {
            let parts = match codes.len() {
                1 => String::new(),
                count => format!(", part {} of {count}", part + 1),
            };
            let _ = write!(
                html,
                "<figure>{}<figcaption>{}. {}{parts}<br>{hash}</figcaption></figure>",
                picture(code),
                index + 1,
                markup(&title)
            );
        }
    }
    html.push_str("</html>\n");
    html
}

/// The record itself, so that any reader of codes gives the JWS; or parts of it.
fn codes_of(line: &[u8]) -> Vec<QrCode> {
    if line.len() <= LARGEST
        && let Ok(code) = QrCode::with_error_correction_level(line, EcLevel::L)
    {
        return vec![code];
    }
    let Ok(mut encoder) = ur::Encoder::bytes(&pack(line), 1_000) else { return Vec::new() };
    let text = (0..encoder.fragment_count()).filter_map(|_| encoder.next_part().ok());
    text.filter_map(|text| QrCode::with_error_correction_level(text.to_uppercase(), EcLevel::L).ok())
        .collect()
}

fn picture(code: &QrCode) -> String {
    let picture = code.render::<svg::Color>().min_dimensions(600, 600).build();
    picture.split_once("?>").map_or(picture.clone(), |(_, svg)| svg.to_owned())
}

fn markup(text: &str) -> String {
    escape(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

const HEAD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>records</title>\
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
<style>body{font:14px sans-serif;margin:12mm}figure{break-inside:avoid;margin:0 0 10mm}svg{width:130mm;height:130mm}\
figcaption{font-family:monospace;overflow-wrap:anywhere}</style>";
