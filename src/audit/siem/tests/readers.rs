//! Strict readers of CEF and RFC 5424, written after their documents and not after our writers. Each panics at whatever
//! departs from them.

use std::collections::BTreeMap;

/// Header (seven fields) and extension.
pub(super) fn cef(line: &str) -> (Vec<String>, BTreeMap<String, String>) {
    let mut header = vec![String::new()];
    let mut chars = line.char_indices();
    let extension = loop {
        let (at, c) = chars.next().expect("a header of seven fields");
        match c {
            '\\' => match chars.next() {
                Some((_, escaped @ ('\\' | '|'))) => header.last_mut().unwrap().push(escaped),
                other => panic!("{other:?} after a backslash in the header"),
            },
            '|' if header.len() == 7 => break &line[at + 1..],
            '|' => header.push(String::new()),
            c => header.last_mut().unwrap().push(c),
        }
    };
    // A key is what stands before an equals sign that is not escaped, back to the blank before it.
    let mut equals = Vec::new();
    let mut escaped = false;
    for (at, c) in extension.char_indices() {
        match c {
            _ if escaped => {
                assert!(matches!(c, '\\' | '=' | 'n' | 'r'), "{c:?} after a backslash in the extension");
                escaped = false;
            }
            '\\' => escaped = true,
            '=' => equals.push(at),
            _ => {}
        }
    }
    let begins = |at: usize| extension[..at].rfind(' ').map_or(0, |blank| blank + 1);
    let mut pairs = BTreeMap::new();
    for (index, at) in equals.iter().enumerate() {
        let key = &extension[begins(*at)..*at];
        assert!(!key.is_empty() && key.bytes().all(|c| c.is_ascii_alphanumeric()), "key {key:?}");
        let end = equals.get(index + 1).map_or(extension.len(), |next| begins(*next) - 1);
        let mut value = String::new();
        let mut chars = extension[at + 1..end].chars();
        while let Some(c) = chars.next() {
            value.push(if c == '\\' { chars.next().unwrap() } else { c });
        }
        assert!(pairs.insert(key.to_owned(), value).is_none(), "{key} twice");
    }
    (header, pairs)
}

/// A message of RFC 5424.
pub(super) struct Message {
    pub(super) facility: u8,
    pub(super) severity: u8,
    pub(super) name: String,
    pub(super) id: String,
    pub(super) element: String,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) message: String,
}

pub(super) fn rfc5424(line: &str) -> Message {
    let (priority, rest) = line.strip_prefix('<').unwrap().split_once('>').unwrap();
    let priority: u8 = priority.parse().unwrap();
    let rest = rest.strip_prefix("1 ").expect("version 1");
    let fields: Vec<&str> = rest.splitn(6, ' ').collect();
    let [time, host, name, process, id, rest] = fields[..] else { panic!("six fields") };
    if time != "-" {
        time.parse::<jiff::Timestamp>().unwrap();
        assert!(time.len() <= 32 && time.ends_with('Z') && time.as_bytes()[4] == b'-');
    }
    for (field, most) in [(host, 255), (name, 48), (process, 128), (id, 32)] {
        assert!(
            (1..=most).contains(&field.len()) && field.bytes().all(|c| (33..=126).contains(&c)),
            "{field:?}"
        );
    }
    let rest = rest.strip_prefix('[').expect("an element");
    let end = rest.find([' ', ']']).unwrap();
    let (element, mut rest) = rest.split_at(end);
    let is_name = |name: &str| {
        (1..=32).contains(&name.len())
            && name.bytes().all(|c| (33..=126).contains(&c) && !b"= ]\"".contains(&c))
    };
    assert!(is_name(element));
    let mut parameters = BTreeMap::new();
    while let Some(parameter) = rest.strip_prefix(' ') {
        let (name, value) = parameter.split_once("=\"").unwrap();
        assert!(is_name(name), "{name:?}");
        let mut text = String::new();
        let mut chars = value.char_indices();
        let end = loop {
            match chars.next().expect("a closing quote") {
                (at, '"') => break at + 1,
                (_, ']') => panic!("a bracket that is not escaped"),
                (_, '\\') => match chars.next() {
                    Some((_, c @ ('"' | '\\' | ']'))) => text.push(c),
                    other => panic!("{other:?} after a backslash"),
                },
                (_, c) => text.push(c),
            }
        };
        rest = &value[end..];
        parameters.insert(name.to_owned(), text);
    }
    let message = rest.strip_prefix(']').expect("the element's end").strip_prefix(' ').unwrap().to_owned();
    let (facility, severity) = (priority / 8, priority % 8);
    Message {
        facility,
        severity,
        name: name.into(),
        id: id.into(),
        element: element.into(),
        parameters,
        message,
    }
}
