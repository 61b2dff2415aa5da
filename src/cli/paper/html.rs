//! Pages for a browser to print: no script, nothing from elsewhere, every text escaped.

use super::{Block, Form, Sheets};
use crate::cli::terminal;

/// The whole page.
pub(super) fn page(sheets: &Sheets) -> String {
    let form = match sheets.form {
        Form::Sheets => "sheets",
        Form::Cards => "cards",
    };
    let title = escaped(&sheets.title);
    let pages: String = sheets
        .pages
        .iter()
        .map(|page| {
            let blocks: String = page.blocks.iter().map(of).collect();
            format!("<section>\n<h1>{}</h1>\n{blocks}</section>\n", escaped(&page.title))
        })
        .collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>{title}</title>\n<style>\n{}</style>\n</head>\n\
         <body class=\"{form}\">\n{pages}</body>\n</html>\n",
        include_str!("page.css")
    )
}

fn of(block: &Block) -> String {
    match block {
        Block::Heading(heading) => format!("<h2>{}</h2>\n", escaped(heading)),
        Block::Text(text) => format!("<p>{}</p>\n", escaped(text)),
        Block::Facts(facts) => {
            let rows = facts.iter().map(|(name, value)| {
                format!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escaped(name), escaped(value))
            });
            format!("<table>\n{}</table>\n", rows.collect::<String>())
        }
        Block::Steps(steps) => {
            let items = steps.iter().map(|step| format!("<li>{}</li>\n", escaped(step)));
            format!("<ol>\n{}</ol>\n", items.collect::<String>())
        }
        Block::Exactly(lines) => format!("<pre>{}</pre>\n", escaped(lines.trim_end())),
        Block::Blank(what) => format!("<p class=\"blank\"><span>{}</span></p>\n", escaped(what)),
    }
}

/// Text as text: nothing in it is markup, and what would hide or turn the direction of reading is shown.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in terminal::escape(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::paper::Page;

    #[test]
    fn no_text_of_a_kit_becomes_markup() {
        let evil = "<script>alert('x')</script>\u{202e}&\"";
        let blocks = vec![
            Block::Heading(evil.into()),
            Block::Text(evil.into()),
            Block::Facts(vec![(evil.into(), evil.into())]),
            Block::Steps(vec![evil.into()]),
            Block::Exactly(evil.into()),
            Block::Blank(evil.into()),
        ];
        let pages = vec![Page { title: evil.into(), blocks }];
        let page = page(&Sheets { title: evil.into(), form: Form::Sheets, pages });
        assert!(!page.contains("<script") && !page.contains('\u{202e}'), "{page}");
        assert_eq!(
            page.matches("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;\\u{202e}&amp;&quot;").count(),
            9
        );
    }
}
