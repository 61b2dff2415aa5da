//! What somebody brings across machines: a file; or, for `-`, lines on standard input that are typed, or that a scanner types
//! as it reads codes off another screen.

use std::io::{BufRead, Read};
use std::path::Path;

use super::desk::Desk;
use super::hint::Trouble;
use crate::record::codes::{Codes, PART};

/// Most bytes of a line that is typed or scanned: a terminal takes no more.
const LINE: u64 = 4_096;

/// So many lines that are parts of codes are read: with a scanner nobody needs more.
const MOST_PARTS: usize = 10_000;

/// Its bytes, no more than somewhat above `most`. At a terminal `what` is asked for, a line at a time: no more than `lines`, or
/// codes until they are whole.
pub(super) fn read(
    desk: &mut Desk,
    path: &Path,
    most: usize,
    lines: usize,
    what: &str,
) -> Result<Vec<u8>, Trouble> {
    match path == Path::new("-") {
        true => typed(desk, most, lines, what),
        false => file(path, most),
    }
}

/// A file, no more than somewhat above `most` bytes of it.
pub(super) fn file(path: &Path, most: usize) -> Result<Vec<u8>, Trouble> {
    let input = |cause| Trouble::Input { path: path.to_owned(), cause };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(input)?;
    file.take(most as u64 + 16).read_to_end(&mut bytes).map_err(input)?;
    Ok(bytes)
}

fn typed(desk: &mut Desk, most: usize, lines: usize, what: &str) -> Result<Vec<u8>, Trouble> {
    let mut text = Vec::new();
    let mut count = 0;
    let mut codes = Codes::default();
    let mut parts = 0;
    while count < lines && text.len() <= most && parts < MOST_PARTS {
        let Some(line) = next(desk, &question(what, count, &codes))? else { break };
        if !line.to_ascii_lowercase().starts_with(PART.as_bytes()) {
            text.extend_from_slice(&line);
            text.push(b'\n');
            count += 1;
            continue;
        }
        parts += 1;
        codes.text(line);
        if codes.nearest().is_some_and(|(known, of)| known == of) {
            let whole = codes.finish().bundles.pop();
            return whole.ok_or_else(|| Trouble::Usage(format!("the codes came whole, and what they hold cannot be read: have {what} shown as codes again, or bring its file")));
        }
    }
    match codes.nearest() {
        Some((known, of)) if text.is_empty() => Err(Trouble::Usage(format!(
            "{known} of {of} parts are known of {what}: run the same again and scan more of its codes"
        ))),
        _ => Ok(text),
    }
}

fn question(what: &str, lines: usize, codes: &Codes) -> String {
    match codes.nearest() {
        Some((known, of)) => format!("{known} of {of} parts known, scan more (Enter alone gives up): "),
        None if lines == 0 => format!("scan or type {what}, line by line: "),
        None => "the next line (Enter alone ends): ".to_owned(),
    }
}

/// The next line that is not empty, without its end; `None` at the end.
fn next(desk: &mut Desk, question: &str) -> Result<Option<Vec<u8>>, Trouble> {
    if desk.terminal.has_person() {
        return Ok(desk.terminal.ask_or_leave(question)?.map(String::into_bytes));
    }
    loop {
        let mut line = Vec::new();
        let wrong = |cause| Trouble::Input { path: "stdin".into(), cause };
        let read = std::io::stdin().lock().take(LINE).read_until(b'\n', &mut line).map_err(wrong)?;
        match line.trim_ascii() {
            _ if read == 0 => return Ok(None),
            [] => {}
            text => return Ok(Some(text.to_vec())),
        }
    }
}
