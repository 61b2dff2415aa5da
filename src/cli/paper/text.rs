//! Pages as text: for a printer that knows nothing else, and for the screen.

use super::{Block, Form, Sheets};

/// As wide as paper and a terminal are.
const WIDTH: usize = 80;

/// Every page, with a line between them.
pub(super) fn text(sheets: &Sheets) -> String {
    let mut out = String::new();
    for (at, page) in sheets.pages.iter().enumerate() {
        if at > 0 {
            let line = if sheets.form == Form::Cards { "- " } else { "==" };
            out.push_str(&format!("\n{}\n\n", line.repeat(WIDTH / 2).trim_end()));
        }
        out.push_str(&format!("{}\n", page.title));
        for block in &page.blocks {
            out.push_str(&of(block));
        }
    }
    out
}

fn of(block: &Block) -> String {
    match block {
        Block::Heading(heading) => format!("\n{heading}\n"),
        Block::Text(text) => format!("{}\n", wrapped(text, 0)),
        Block::Facts(facts) => {
            let widest = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
            facts
                .iter()
                .map(|(name, value)| format!("{name:<widest$}   {}\n", wrapped(value, widest + 3)))
                .collect()
        }
        Block::Steps(steps) => steps
            .iter()
            .enumerate()
            .map(|(at, step)| format!("{:>2}  {}\n", at + 1, wrapped(step, 4)))
            .collect(),
        Block::Exactly(lines) => lines.trim_end().lines().map(|line| format!("    {line}\n")).collect(),
        Block::Blank(what) => format!("\n{what:<16} {}\n", "_".repeat(WIDTH - 17)),
    }
}

/// Broken between words; the lines after the first are indented. Lines of its own stay.
fn wrapped(text: &str, indent: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if !line.is_empty() && indent + line.chars().count() + 1 + word.chars().count() > WIDTH {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines.join(&format!("\n{:indent$}", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_between_words_and_indented() {
        let text = wrapped(&"word ".repeat(20), 4);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[1].starts_with("    word") && lines.iter().all(|line| line.len() <= WIDTH), "{text}");
    }

    #[test]
    fn what_is_to_be_typed_is_never_broken() {
        let command = "x".repeat(200);
        assert_eq!(of(&Block::Exactly(command.clone())), format!("    {command}\n"));
    }
}
