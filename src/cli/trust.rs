//! `trust export`: what platforms must have before anything minted is good anywhere. Public all of it, of every admitted key, so
//! that any of them will do in the emergency; without a retired one, which is how its trust ends.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use p256::ecdsa::VerifyingKey;

use super::Outcome;
use super::args::TrustExport;
use super::desk::{Desk, now};
use super::hint::Trouble;
use crate::attestation::Serial;
use crate::kit::Kit;
use crate::kit::policy::{Kind, Says};
use crate::kit::roster::Standing;
use crate::mint::{jwt, ssh, trust};

mod authority;
mod x509;

pub(super) use authority::authority;

/// One file: where it is written below the folder, what is in it, and what to do with it.
type Piece = (String, Vec<u8>, String);

pub(super) fn export(desk: &mut Desk, options: &TrustExport) -> Result<Outcome, Trouble> {
    let kit = desk.look()?;
    kit.founded()?;
    desk.practice_banner(&kit);
    let mut pieces = for_ssh(&kit, options, &authorities(desk, &kit, Kind::Ssh)?)?;
    let tokens = authorities(desk, &kit, Kind::Token)?;
    if !tokens.is_empty() {
        let keys: Vec<VerifyingKey> = tokens.iter().map(|(_, key)| *key).collect();
        let what = "pin it in resource servers as the keys of the emergency issuer".to_owned();
        pieces.push(("token/jwks.json".into(), jwt::key_set(&keys).into_bytes(), what));
    }
    let clients = authorities(desk, &kit, Kind::X509)?; // borne out by their attestations
    let mut certified = kit.authorities();
    certified.retain(|one| clients.iter().any(|(serial, _)| *serial == one.serial));
    pieces.extend(x509::pieces(&kit, options, &certified));
    let lacking = kit.lacking_authority();
    if pieces.is_empty() {
        return Err(nothing(&lacking));
    }
    write(&options.out, &pieces)?;
    if desk.json {
        let files: Vec<_> =
            pieces.iter().map(|(name, _, what)| serde_json::json!({"file": name, "what": what})).collect();
        desk.json_result(&serde_json::json!({ "folder": options.out, "files": files, "lacking": lacking }))?;
        return Ok(Outcome::Done);
    }
    for (name, _, what) in &pieces {
        desk.line(&format!("{}   {what}", options.out.join(name).display()))?;
    }
    for serial in &lacking {
        desk.terminal.say(&format!(
            "not written: key {serial} as an authority for client certificates, which it is not yet; once:  \
             breakglass trust authority --key {serial}"
        ));
    }
    Ok(Outcome::Done)
}

/// Why nothing is exported. A key may only lack its certificate.
fn nothing(lacking: &[Serial]) -> Trouble {
    match lacking {
        [] => Trouble::refused(
            "no admitted key of this kit was made to mint anything",
            "put it into  mints  of kit.toml, adopt that, and provision a key",
        ),
        [first, ..] => Trouble::refused(
            "no key of this kit has the certificate by which servers trust it to certify clients",
            format!("breakglass trust authority --key {first}"),
        ),
    }
}

/// The public keys of admitted keys that mint that, each borne out by its attestation.
fn authorities(desk: &Desk, kit: &Kit, kind: Kind) -> Result<Vec<(Serial, VerifyingKey)>, Trouble> {
    let mut found = Vec::new();
    for key in kit.enrolled_keys() {
        let Some(point) = key.facts.minting.get(&kind.slot().to_string()) else { continue };
        if key.standing != Standing::Admitted {
            continue;
        }
        desk.check_enrolment(kit, &key)?;
        found.push((key.facts.serial, VerifyingKey::from(point.0)));
    }
    found.sort_by_key(|(serial, _)| *serial);
    Ok(found)
}

fn for_ssh(kit: &Kit, options: &TrustExport, keys: &[(Serial, VerifyingKey)]) -> Result<Vec<Piece>, Trouble> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let lines: String =
        keys.iter().map(|(serial, key)| ssh::public_line(key, &format!("breakglass {serial}"))).collect();
    let principals: BTreeSet<String> = kit
        .policy
        .mint_rules
        .iter()
        .filter(|rule| matches!(rule.says, Says::Ssh { .. }))
        .flat_map(|rule| rule.says.accounts())
        .map(|principal| format!("{principal}\n"))
        .collect();
    let now = u64::try_from(now()).unwrap_or(0);
    let empty =
        ssh::revocation_list(&[], now, now, &kit.policy.name).map_err(crate::minting::MintingError::from)?;
    let (account, folder) = (&options.account, options.host_folder.as_str());
    let to = |name: &str| format!("to {folder}/{name} of each host, owned by root");
    Ok(vec![
        ("ssh/breakglass_ca.pub".into(), lines.into_bytes(), to("breakglass_ca.pub")),
        (
            "ssh/breakglass_principals".into(),
            principals.into_iter().collect::<String>().into_bytes(),
            to("breakglass_principals"),
        ),
        ("ssh/breakglass.krl".into(), empty, to("breakglass.krl")),
        (
            "ssh/50-breakglass.conf".into(),
            trust::sshd_drop_in(account, folder).into_bytes(),
            "last, to /etc/ssh/sshd_config.d/ of each host; then:  sshd -t && systemctl reload ssh"
                .to_owned(),
        ),
    ])
}

/// Into a folder that was not there: what was exported before is not mixed with what is now.
fn write(folder: &Path, pieces: &[Piece]) -> Result<(), Trouble> {
    fs::create_dir(folder).map_err(|cause| Trouble::File { path: folder.to_owned(), cause })?;
    for (name, content, _) in pieces {
        let path = folder.join(name);
        let failed = |cause| Trouble::File { path: path.clone(), cause };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        fs::write(&path, content).map_err(failed)?;
    }
    Ok(())
}
