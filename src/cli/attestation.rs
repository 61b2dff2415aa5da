//! `attestation LEAF DEVICE`: is this key what its certificates say, and what do they say.

use std::path::Path;

use super::Outcome;
use super::args::Attestation;
use super::desk::Desk;
use super::hint::Trouble;
use super::table::table;
use crate::attestation::{Description, Roots, pem_or_der, verify};

pub(super) fn attestation(desk: &mut Desk, options: &Attestation) -> Result<Outcome, Trouble> {
    let private = options.root.as_deref().map(certificate).transpose()?;
    let roots = Roots::real(private.as_deref())?;
    let (leaf, device) = (certificate(&options.leaf)?, certificate(&options.device)?);
    let description = Description::from(&verify(&leaf, &device, &roots)?);
    match desk.json {
        true => desk.json_result(&description)?,
        false => desk.text(&table(&rows(&description)))?,
    }
    Ok(Outcome::Done)
}

fn certificate(path: &Path) -> Result<Vec<u8>, Trouble> {
    let bytes = std::fs::read(path).map_err(|cause| Trouble::Input { path: path.to_owned(), cause })?;
    Ok(pem_or_der(&bytes)?)
}

fn rows(facts: &Description) -> Vec<Vec<String>> {
    let not_told = || "not told".to_owned();
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let mut rows = vec![
        row("serial", facts.serial.map_or_else(not_told, |serial| serial.to_string())),
        row("firmware", facts.firmware.to_string()),
        row("slot", facts.slot.clone()),
        row("algorithm", facts.algorithm.clone()),
        row("made on the key", yes(facts.generated_on_key)),
        row("PIN", facts.pin_policy.clone()),
        row("touch", facts.touch_policy.clone()),
        row("form", facts.form_factor.clone().unwrap_or_else(not_told)),
        row("FIPS", yes(facts.fips)),
        row("CSPN", yes(facts.cspn)),
        row("root", format!("{}, {}", facts.root, facts.root_name)),
        row("chain", facts.chain.join("  <-  ")),
    ];
    if let Some(key) = &facts.public_key {
        rows.insert(4, row("public key", key.clone()));
    }
    rows
}
