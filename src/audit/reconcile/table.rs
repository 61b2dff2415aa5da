//! Any CSV, by a mapping that says which columns mean what.

use csv::StringRecord;
use serde::Deserialize;

use super::clock::{Clock, iso, strptime, unix};
use super::reading::{Found, Reader, Report};
use super::trace::Trace;

/// Which columns mean what: a small TOML file. A column is the text of its heading, or its number from 1.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mapping {
    /// Column of the time.
    pub time: Column,
    /// Column of the account. Not needed where there is one of the number.
    pub account: Column,
    /// Column of the number of a minted credential: serial number, key id or `jti`. A row where it is empty has none.
    pub number: Option<Column>,
    /// Column of where the login came from.
    pub source: Option<Column>,
    /// Column of the machine that says so.
    pub host: Option<Column>,
    /// Which rows are logins that were let in. Without it all are.
    pub success: Option<Success>,
    /// `rfc3339` (as default; a time without zone is read by `--timezone`), `unix`, `unix-ms`, or a form of strptime such
    /// as `%d.%m.%Y %H:%M:%S`.
    pub time_format: Option<String>,
    /// What is between columns, by default a comma.
    pub delimiter: Option<char>,
    /// The first row is no heading: columns are numbers.
    pub no_heading: bool,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Column {
    /// From 1.
    Number(u16),
    /// The text of its heading.
    Heading(String),
}

impl Default for Column {
    fn default() -> Self {
        Column::Number(0)
    }
}

/// Which rows were let in, and which are logins at all.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Success {
    /// Column that says so.
    pub column: Column,
    /// What it says of a login that was let in.
    pub values: Vec<String>,
    /// What it says of one that was not. Without it, everything else.
    #[serde(default)]
    pub failures: Option<Vec<String>>,
}

/// Why a mapping is none.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// Not such TOML.
    #[error("{0}")]
    Toml(#[from] Box<toml::de::Error>),
    /// Lacks what every mapping needs.
    #[error("it needs `time` and `account` (or `number`), each a heading or a number from 1")]
    Lacking,
    /// Headings without a heading.
    #[error("it says `no_heading`, so every column is a number")]
    NoHeading,
    /// The delimiter is no single byte.
    #[error("the delimiter {0:?} is not one ASCII character")]
    Delimiter(char),
}

impl Mapping {
    /// From TOML.
    ///
    /// # Errors
    /// [`MappingError`], with the line where it is known.
    pub fn parse(text: &str) -> Result<Self, MappingError> {
        let mapping: Mapping = toml::from_str(text).map_err(Box::new)?;
        let account =
            (mapping.number.is_none() || mapping.account != Column::default()).then_some(&mapping.account);
        let columns = [
            Some(&mapping.time),
            account,
            mapping.number.as_ref(),
            mapping.source.as_ref(),
            mapping.host.as_ref(),
        ];
        let columns =
            columns.into_iter().flatten().chain(mapping.success.as_ref().map(|success| &success.column));
        for column in columns {
            match column {
                Column::Number(0) => return Err(MappingError::Lacking),
                Column::Heading(_) if mapping.no_heading => return Err(MappingError::NoHeading),
                _ => {}
            }
        }
        match mapping.delimiter {
            Some(delimiter) if !delimiter.is_ascii() => Err(MappingError::Delimiter(delimiter)),
            _ => Ok(mapping),
        }
    }
}

/// One row of CSV (RFC 4180).
pub(super) fn row(bytes: &[u8], delimiter: u8) -> Option<StringRecord> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(bytes);
    let mut row = csv::ByteRecord::new();
    reader.read_byte_record(&mut row).ok()?.then(|| StringRecord::from_byte_record_lossy(row))
}

/// Rows, by a mapping.
pub(super) struct Table {
    mapping: Mapping,
    heading: Option<StringRecord>,
}

impl Table {
    pub(super) fn new(mapping: Mapping) -> Self {
        Table { mapping, heading: None }
    }

    fn value<'a>(&self, row: &'a StringRecord, column: &Column) -> Option<&'a str> {
        let index = match column {
            Column::Number(number) => usize::from(*number).checked_sub(1)?,
            Column::Heading(heading) => {
                self.heading.as_ref()?.iter().position(|name| name.trim() == heading.trim())?
            }
        };
        row.get(index).map(str::trim)
    }
}

impl Reader for Table {
    fn piece(&mut self, line: u64, bytes: &[u8], clock: &mut Clock, report: &mut Report<'_>) {
        let delimiter = self.mapping.delimiter.map_or(b',', |delimiter| delimiter as u8);
        let Some(row) = row(bytes, delimiter) else { return report.unreadable(line, "no row of CSV") };
        if self.heading.is_none() && !self.mapping.no_heading {
            self.heading = Some(row);
            return;
        }
        let time = match self.value(&row, &self.mapping.time) {
            None => Err("no column of its time".to_owned()),
            Some(time) => when(time, self.mapping.time_format.as_deref(), clock),
        };
        let at = match time {
            Ok(at) => at,
            Err(why) => return report.unreadable(line, why),
        };
        let host = self.mapping.host.as_ref().and_then(|column| self.value(&row, column));
        let host = host.filter(|host| !host.is_empty());
        report.covers(at, host);
        let number = self.mapping.number.as_ref().map(|column| self.value(&row, column));
        let account = match (self.value(&row, &self.mapping.account), &number) {
            (Some(account), _) => account,
            (None, Some(_)) if self.mapping.account == Column::default() => "",
            (None, _) => return report.unreadable(line, "no column of its account"),
        };
        let number = match number {
            Some(None) => return report.unreadable(line, "no column of its number"),
            Some(number) => number.filter(|number| !matches!(*number, "" | "-")),
            None => None,
        };
        let success = match &self.mapping.success {
            None => true,
            Some(rule) => {
                let Some(value) = self.value(&row, &rule.column) else {
                    return report.unreadable(line, "no column that says whether it was let in");
                };
                let is_in = |values: &[String]| values.iter().any(|one| one.eq_ignore_ascii_case(value));
                match &rule.failures {
                    _ if is_in(&rule.values) => true,
                    Some(failures) if !is_in(failures) => return, // no login
                    _ => false,
                }
            }
        };
        if account.is_empty() && number.is_none() {
            return;
        }
        let source = self.mapping.source.as_ref().and_then(|column| self.value(&row, column));
        report.shows_logins(host);
        let found = Found { at, account, host, from: source, success };
        let trace =
            number.map(|number| Trace::Number { number: number.to_owned(), account: account.to_owned() });
        report.told(line, &String::from_utf8_lossy(bytes), &found, trace);
    }
}

/// A time, by its format.
pub(super) fn when(text: &str, format: Option<&str>, clock: &mut Clock) -> Result<i64, String> {
    match format {
        None | Some("rfc3339") => match iso(text) {
            Some(stamp) => clock.at(&stamp),
            None => Err(format!("{:?} is no time of RFC 3339", super::reading::brief(text))),
        },
        Some(form @ ("unix" | "unix-ms")) => unix(text, form == "unix-ms")
            .ok_or_else(|| format!("{:?} is no number", super::reading::brief(text))),
        Some(form) => strptime(clock, form, text),
    }
}
