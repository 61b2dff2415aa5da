//! `trust export`: what platforms must have before anything minted is good anywhere. Public all of it, of every admitted key, so
//! that any of them will do in the emergency; without a retired one, which is how its trust ends.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use p256::ecdsa::VerifyingKey;

use super::Outcome;
use super::args::{HOST_FOLDER, SERVER_FOLDER, TrustExport};
use super::desk::{Desk, now};
use super::hint::Trouble;
use crate::attestation::Serial;
use crate::kit::Kit;
use crate::kit::authorities::Certified;
use crate::kit::minted::{Ledger, minted};
use crate::kit::policy::{Kind, Says};
use crate::kit::roster::Standing;
use crate::mint::{jwt, ssh, trust};

mod authority;
mod x509;

pub(super) use authority::{authority, make as make_authority};

/// One file: where it is written below the folder, what is in it, and what to do with it.
pub(super) type Piece = (String, Vec<u8>, String);

pub(super) fn export(desk: &mut Desk, options: &TrustExport) -> Result<Outcome, Trouble> {
    let kit = desk.look()?;
    kit.founded()?;
    desk.practice_banner(&kit);
    // A list that lacks what was taken back would give it back.
    desk.refuse_damaged(&kit)?;
    let ledger = minted(&kit);
    let mut pieces = for_ssh(&kit, options, &ledger, &authorities(desk, &kit, &ledger, Kind::Ssh)?)?;
    pieces.extend(for_tokens(&kit, &ledger, &authorities(desk, &kit, &ledger, Kind::Token)?));
    let certified = certified(desk, &kit, &ledger)?;
    pieces.extend(x509::pieces(&kit, options, &certified));
    let lacking = kit.lacking_authority();
    if pieces.is_empty() {
        return Err(nothing(&lacking));
    }
    write(new_folder(&options.out)?, &pieces)?;
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

/// What has to be replaced on platforms once something was taken back: the lists, and the authorities that are left.
pub(super) fn replace(desk: &Desk, kit: &Kit) -> Result<Vec<Piece>, Trouble> {
    let ledger = minted(kit);
    let mut pieces = ssh_lists(kit, HOST_FOLDER, &ledger, &authorities(desk, kit, &ledger, Kind::Ssh)?)?;
    pieces.extend(for_tokens(kit, &ledger, &authorities(desk, kit, &ledger, Kind::Token)?));
    pieces.extend(x509::lists(SERVER_FOLDER, &certified(desk, kit, &ledger)?));
    Ok(pieces)
}

/// The authorities for client certificates that are borne out by the attestations of their keys.
fn certified(desk: &Desk, kit: &Kit, ledger: &Ledger) -> Result<Vec<Certified>, Trouble> {
    let clients = authorities(desk, kit, ledger, Kind::X509)?;
    let mut certified = kit.authorities();
    certified.retain(|one| clients.iter().any(|(serial, _)| *serial == one.serial));
    Ok(certified)
}

/// The public keys of admitted keys that mint that, each borne out by its attestation; without those that are trusted no more.
fn authorities(
    desk: &Desk,
    kit: &Kit,
    ledger: &Ledger,
    kind: Kind,
) -> Result<Vec<(Serial, VerifyingKey)>, Trouble> {
    let mut found = Vec::new();
    for key in kit.enrolled_keys() {
        let Some(point) = key.facts.minting.get(&kind.slot().to_string()) else { continue };
        if key.standing != Standing::Admitted || ledger.withdrawn(kind, &key.id).is_some() {
            continue;
        }
        desk.check_enrolment(kit, &key)?;
        found.push((key.facts.serial, VerifyingKey::from(point.0)));
    }
    found.sort_by_key(|(serial, _)| *serial);
    Ok(found)
}

/// What resource servers need: keys, and the tokens that they refuse whatever those keys say.
fn for_tokens(kit: &Kit, ledger: &Ledger, keys: &[(Serial, VerifyingKey)]) -> Vec<Piece> {
    let revoked = ledger.token_ids();
    if keys.is_empty() && revoked.is_empty() && !ledger.has_ended(kit, Kind::Token) {
        return Vec::new();
    }
    let keys: Vec<VerifyingKey> = keys.iter().map(|(_, key)| *key).collect();
    let mut pin = "pin it in resource servers as the keys of the emergency issuer".to_owned();
    for rule in &kit.policy.mint_rules {
        if let Says::Assertion { client, server, .. } = &rule.says {
            pin += &format!("; in {}, as those of its client {client}", server.as_str());
        }
    }
    let refuse = "to resource servers: each line is the jti of a token that they refuse".to_owned();
    vec![
        ("token/jwks.json".into(), jwt::key_set(&keys).into_bytes(), pin),
        ("token/revoked-jti.txt".into(), jwt::deny_list(&revoked).into_bytes(), refuse),
    ]
}

/// Authorities and revoked keys. Where no authority is left, the list tells hosts so; where there never was one, nothing.
fn ssh_lists(
    kit: &Kit,
    folder: &str,
    ledger: &Ledger,
    keys: &[(Serial, VerifyingKey)],
) -> Result<Vec<Piece>, Trouble> {
    let revoked = ledger.for_ssh(kit);
    if keys.is_empty() && revoked.is_empty() {
        return Ok(Vec::new());
    }
    let lines: String =
        keys.iter().map(|(serial, key)| ssh::public_line(key, &format!("breakglass {serial}"))).collect();
    let now = u64::try_from(now()).unwrap_or(0);
    let list = ssh::revocation_list(&revoked, now, now, &kit.policy.name)
        .map_err(crate::minting::MintingError::from)?;
    let to = |name: &str| format!("to {folder}/{name} of each host, owned by root");
    Ok(vec![
        ("ssh/breakglass_ca.pub".into(), lines.into_bytes(), to("breakglass_ca.pub")),
        ("ssh/breakglass.krl".into(), list, to("breakglass.krl")),
    ])
}

fn for_ssh(
    kit: &Kit,
    options: &TrustExport,
    ledger: &Ledger,
    keys: &[(Serial, VerifyingKey)],
) -> Result<Vec<Piece>, Trouble> {
    let (account, folder) = (&options.account, options.host_folder.as_str());
    let mut pieces = ssh_lists(kit, folder, ledger, keys)?;
    if keys.is_empty() {
        return Ok(pieces);
    }
    let principals: BTreeSet<String> = kit
        .policy
        .mint_rules
        .iter()
        .filter(|rule| matches!(rule.says, Says::Ssh { .. }))
        .flat_map(|rule| rule.says.accounts())
        .map(|principal| format!("{principal}\n"))
        .collect();
    let to = format!("to {folder}/breakglass_principals of each host, owned by root");
    pieces.push((
        "ssh/breakglass_principals".into(),
        principals.into_iter().collect::<String>().into_bytes(),
        to,
    ));
    pieces.push((
        "ssh/50-breakglass.conf".into(),
        trust::sshd_drop_in(account, folder).into_bytes(),
        "last, to /etc/ssh/sshd_config.d/ of each host; then:  sshd -t && systemctl reload ssh".to_owned(),
    ));
    Ok(pieces)
}

/// A folder that was not there: what was exported before is not mixed with what is now.
pub(super) fn new_folder(folder: &Path) -> Result<&Path, Trouble> {
    fs::create_dir(folder).map_err(|cause| Trouble::File { path: folder.to_owned(), cause })?;
    Ok(folder)
}

/// Into that folder.
pub(super) fn write(folder: &Path, pieces: &[Piece]) -> Result<(), Trouble> {
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
