//! `coverage`: lose this key or this place, and which credentials die.

use std::collections::BTreeSet;

use super::desk::Desk;
use super::hint::Trouble;
use super::table::table;
use super::{Outcome, findings};
use crate::kit::coverage::{Coverage, Means, Row, coverage as work_out};
use crate::kit::due::{dying, places};
use crate::kit::finding::Finding;

pub(super) fn coverage(desk: &mut Desk) -> Result<Outcome, Trouble> {
    let kit = desk.look()?;
    kit.founded()?;
    let coverage = work_out(&kit);
    let mut findings: Vec<Finding> = dying(&coverage);
    findings.extend(places(&coverage));
    if desk.json {
        desk.json_result(&serde_json::json!({
            "keys": coverage.keys, "credentials": coverage.credentials, "findings": findings,
        }))?;
        return Ok(findings::outcome(&findings));
    }
    desk.practice_banner(&kit);
    if coverage.credentials.is_empty() {
        desk.line("nothing is sealed in this kit")?;
    } else {
        desk.text(&table(&rows(&coverage)))?;
    }
    findings::print(desk, &findings)?;
    Ok(findings::outcome(&findings))
}

fn rows(coverage: &Coverage) -> Vec<Vec<String>> {
    let places: BTreeSet<&str> =
        coverage.keys.iter().map(|key| key.place.as_str()).filter(|place| !place.is_empty()).collect();
    let cells = |first: &str, keys: &dyn Fn(usize) -> String, places: Vec<String>| {
        let mut row = vec![first.to_owned()];
        row.extend((0..coverage.keys.len()).map(keys));
        row.extend(places);
        row
    };
    let opens_without = match places.len() {
        0 => Vec::new(),
        _ => vec!["opens without".to_owned()],
    };
    let mut rows = vec![cells("", &|key| coverage.keys[key].serial.to_string(), opens_without)];
    if !places.is_empty() {
        let names = places.iter().map(ToString::to_string).collect();
        rows.push(cells("", &|key| coverage.keys[key].place.clone(), names));
    }
    for row in &coverage.credentials {
        let means = |key: usize| match row.keys.get(&coverage.keys[key].serial.to_string()) {
            Some(Means::Proven) => "proven".to_owned(),
            Some(Means::NotYet) => "not yet".to_owned(),
            Some(Means::No) | None => "–".to_owned(),
        };
        let mut without: Vec<String> = places
            .iter()
            .map(|place| if row.dies_without.iter().any(|p| p == place) { "no" } else { "yes" }.to_owned())
            .collect();
        without.push(verdict(row));
        rows.push(cells(&row.credential, &means, without));
    }
    rows
}

/// `2 of 3: losing safe A kills it`
fn verdict(row: &Row) -> String {
    let (able, needed) = (row.able(), row.threshold);
    let kills = match (&row.dies_without[..], &row.dies_with[..]) {
        _ if able < usize::from(needed) => ": it is dead".to_owned(),
        ([], []) => String::new(),
        ([], keys) => {
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            format!(": losing key {} kills it", keys.join(" or "))
        }
        (places, _) => format!(": losing {} kills it", places.join(" or ")),
    };
    let lost = match row.lost {
        0 => String::new(),
        lost => format!(", {lost} more retired"),
    };
    format!("{needed} of {able}{lost}{kills}")
}
