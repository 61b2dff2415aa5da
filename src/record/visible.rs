//! Text that people wrote, as it may be shown: whoever has a key can sign anything.

/// Foreign text on one line: what could move a cursor, turn the direction of reading or hide is shown as `\u{202e}`.
pub fn visible(text: &str) -> String {
    shown(text, is_hidden)
}

/// The same of text that has lines of its own.
pub fn visible_lines(text: &str) -> String {
    shown(text, |c| c != '\n' && is_hidden(c))
}

fn shown(text: &str, hidden: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match hidden(c) {
            true => shown.extend(c.escape_unicode()),
            false => shown.push(c),
        }
    }
    shown
}

/// Control characters, characters that turn the direction of text, and invisible ones. The same set as `HIDDEN` in the
/// auditor's `page/bytes.js`.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}')
        || matches!(c, '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_move_the_cursor_or_begin_a_line_is_escaped() {
        assert_eq!(visible("a\x1b[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(visible("abc\u{202e}txt\u{2028}x"), "abc\\u{202e}txt\\u{2028}x");
        assert_eq!(visible("zwei\nzeilen, ä"), "zwei\\u{a}zeilen, ä");
        assert_eq!(visible_lines("zwei\nzeilen,\r ä"), "zwei\nzeilen,\\u{d} ä");
    }
}
