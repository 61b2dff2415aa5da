//! One row of the advisory list, and the version ranges in it.

use std::cmp::Ordering;

/// A row of the list: tab separated id, package, date, kind, patched and unaffected ranges, title.
pub(crate) struct Advisory {
    pub(crate) id: String,
    package: String,
    not_affected: Vec<Range>,
}

impl Advisory {
    pub(crate) fn parse(row: &str) -> Self {
        let columns: Vec<&str> = row.split('\t').collect();
        assert_eq!(columns.len(), 7, "{row}");
        let ranges = [columns[4], columns[5]].into_iter().filter(|range| !range.is_empty());
        Advisory {
            id: columns[0].to_string(),
            package: columns[1].to_string(),
            not_affected: ranges.flat_map(|range| range.split("||")).map(Range::parse).collect(),
        }
    }

    pub(crate) fn concerns(&self, package: &str, version: &Version) -> bool {
        self.package == package && !self.not_affected.iter().any(|range| range.contains(version))
    }
}

/// Bounds that hold together: `>= 1.2.0, < 2.0.0`.
struct Range(Vec<(String, Version)>);

impl Range {
    fn parse(text: &str) -> Self {
        let bound = |part: &str| {
            let part = part.trim();
            let (sign, version) = part.split_at(part.find(|c: char| c.is_ascii_digit()).expect("a version"));
            (sign.trim().to_string(), Version::parse(version))
        };
        Range(text.split(',').map(bound).collect())
    }

    fn contains(&self, version: &Version) -> bool {
        self.0.iter().all(|(sign, bound)| match sign.as_str() {
            ">=" => version >= bound,
            ">" => version > bound,
            "<" => version < bound,
            "<=" => version <= bound,
            "=" => version == bound,
            "^" => version >= bound && version.compatible_with(bound),
            other => panic!("the sign {other} is not known"),
        })
    }
}

/// A version ordered as Semantic Versioning 2.0.0 section 11 says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Version {
    numbers: [u64; 3],
    prerelease: Vec<Identifier>,
}

/// Part of a pre-release; numbers come before words.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier {
    Number(u64),
    Word(String),
}

impl Version {
    pub(crate) fn parse(text: &str) -> Self {
        let text = text.trim().split('+').next().expect("split gives at least one part");
        let (release, prerelease) = text.split_once('-').unwrap_or((text, ""));
        let mut numbers = [0; 3];
        for (slot, number) in numbers.iter_mut().zip(release.split('.')) {
            *slot = number.parse().unwrap_or_else(|_| panic!("{text} is no version"));
        }
        let identifier =
            |part: &str| part.parse().map_or_else(|_| Identifier::Word(part.to_string()), Identifier::Number);
        let prerelease = prerelease.split('.').filter(|part| !part.is_empty()).map(identifier).collect();
        Version { numbers, prerelease }
    }

    /// Whether both have the same left-most number that is not zero, and the same zeros before it.
    fn compatible_with(&self, other: &Version) -> bool {
        let significant = other.numbers.iter().position(|number| *number != 0).unwrap_or(2);
        self.numbers[..=significant] == other.numbers[..=significant]
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let released = |version: &Version| version.prerelease.is_empty();
        (&self.numbers, released(self), &self.prerelease).cmp(&(
            &other.numbers,
            released(other),
            &other.prerelease,
        ))
    }
}

#[test]
fn versions_are_ordered_as_semantic_versioning_says() {
    let ascending =
        ["0.9.9", "0.10.0-rc.2", "0.10.0-rc.19", "0.10.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0"];
    for pair in ascending.windows(2) {
        assert!(Version::parse(pair[0]) < Version::parse(pair[1]), "{pair:?}");
    }
    assert_eq!(Version::parse("1.2.3+build"), Version::parse("1.2.3"));
}

#[test]
fn advisory_ranges_are_read_right() {
    let row = |patched: &str, unaffected: &str| {
        Advisory::parse(&format!("RUSTSEC-2000-0001\tsample\t2000-01-01\t\t{patched}\t{unaffected}\ttitle"))
    };
    let concerns = |advisory: &Advisory, version: &str| advisory.concerns("sample", &Version::parse(version));

    let never_patched = row("", "");
    assert!(concerns(&never_patched, "99.0.0"));
    assert!(!never_patched.concerns("other", &Version::parse("99.0.0")));

    let backported = row("^ 0.6.4 || >= 0.9.1, < 1.0.0 || > 1.0.0", "< 0.6.0");
    for affected in ["0.6.0", "0.6.3", "0.7.0", "0.9.0", "1.0.0"] {
        assert!(concerns(&backported, affected), "{affected}");
    }
    for safe in ["0.5.9", "0.6.4", "0.6.99", "0.9.1", "1.0.1", "2.0.0"] {
        assert!(!concerns(&backported, safe), "{safe}");
    }
    assert!(concerns(&row(">= 2.0.0", ""), "2.0.0-rc.1"), "a pre-release comes before its patched release");
    assert!(!concerns(&row("= 1.1.0", "<= 0.3.0"), "1.1.0"));
}
