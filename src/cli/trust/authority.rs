//! `trust authority`: the certificate by which platforms trust a key that mints client certificates.

use crate::attestation::Serial;
use crate::cli::Outcome;
use crate::cli::args::TrustAuthority;
use crate::cli::desk::{Desk, date, now};
use crate::cli::hint::Trouble;
use crate::kit::Kit;
use crate::mint::BACKDATED;
use crate::mint::x509::LASTS;
use crate::minting::authority::{self, Made, Plan};
use crate::signing::Caution;

pub(crate) fn authority(desk: &mut Desk, options: &TrustAuthority) -> Result<Outcome, Trouble> {
    let (kit, serial, made) = make(desk, options)?;
    tell(desk, &kit, serial, &made)?;
    Ok(Outcome::Done)
}

/// Has it signed and recorded, and tells nobody but of the key.
pub(crate) fn make(desk: &mut Desk, options: &TrustAuthority) -> Result<(Kit, Serial, Made), Trouble> {
    let (mut kit, _lock) = desk.work()?;
    kit.founded()?;
    desk.refuse_damaged(&kit)?;
    let mut readers = desk.readers(kit.kind());
    let serial = desk.signing_key(&kit, readers.as_mut(), options.key)?;
    let caution = Caution { spend_last_try: options.caution.spend_last_try, accept_gap: None };
    let plan = authority::plan(&kit, serial, caution, now())?;
    desk.confirm(&describe(&kit, &plan), &plan.word())?;
    let made = desk.at_station(readers.as_mut(), |station| authority::carry_out(&mut kit, &plan, station))?;
    if let Err(cause) = &made.head {
        desk.terminal
            .say(&format!("note: key {serial} does not carry its last record: {cause}. the journal has it."));
    }
    Ok((kit, serial, made))
}

fn tell(desk: &mut Desk, kit: &Kit, serial: Serial, made: &Made) -> Result<(), Trouble> {
    let fingerprint = hex::encode(made.certificate.thumbprint().0);
    if desk.json {
        return desk.json_result(&serde_json::json!({
            "key": serial, "certificate": made.certificate.pem(), "fingerprint": fingerprint,
            "until": made.certificate.until(), "record": made.record,
        }));
    }
    let until = i64::try_from(made.certificate.until()).unwrap_or(i64::MAX);
    desk.terminal
        .say(&format!("key {serial} is an authority for client certificates until {}.", date(until)));
    desk.line(&format!("SHA-256 of its certificate   {fingerprint}"))?;
    desk.terminal.say("give it to the servers, before an emergency:  breakglass trust export DIR");
    for lacking in kit.lacking_authority() {
        desk.terminal.say(&format!("key {lacking} is none yet:  breakglass trust authority --key {lacking}"));
    }
    Ok(())
}

fn describe(kit: &Kit, plan: &Plan) -> String {
    let until = now().saturating_add_unsigned(LASTS - BACKDATED);
    [
        "plan".to_owned(),
        format!("  sign      {}", plan.authority),
        format!(
            "  until     {}; it certifies clients alone, and each of its certificates is on record",
            date(until)
        ),
        format!("  key       {}, slot 84", plan.serial),
        "  you do    1 PIN, 3 touches".to_owned(),
        format!(
            "  clock     {}; if it is ahead by more than {} minutes, servers refuse it for as long",
            date(now()),
            BACKDATED / 60
        ),
        format!(
            "  records   the certificate and an empty list of revoked ones, in {}",
            kit.folder.journal().display()
        ),
    ]
    .join("\n")
}
