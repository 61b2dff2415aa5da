//! `token proof`: what goes into the DPoP header of one request. For scripts: the proof alone is on stdout.

use std::path::Path;

use zeroize::Zeroizing;

use super::Outcome;
use super::args::TokenProof;
use super::brought::file;
use super::desk::{Desk, now};
use super::hint::Trouble;
use crate::mint::SubjectKey;
use crate::mint::jwt::{Proof, TokenId};

/// Most bytes of a file with a private key or a token that are read.
const FILE: usize = 16 * 1024;

pub(super) fn proof(desk: &mut Desk, options: &TokenProof) -> Result<Outcome, Trouble> {
    let key = private_key(&options.key)?;
    let token = options.token.as_deref().map(token).transpose()?;
    let mut id = [0; 16];
    desk.rng().fill_bytes(&mut id);
    let proof = Proof {
        method: &options.method,
        url: &options.url,
        token: token.as_deref(),
        nonce: options.nonce.as_deref(),
        now: u64::try_from(now()).unwrap_or(0),
        id: TokenId(id),
    };
    let proof = proof.sign(&key).map_err(|error| Trouble::Usage(error.to_string()))?;
    match desk.json {
        true => desk.json_result(&serde_json::json!({ "proof": proof }))?,
        false => desk.line(&proof)?,
    }
    Ok(Outcome::Done)
}

fn private_key(path: &Path) -> Result<SubjectKey, Trouble> {
    let bytes = Zeroizing::new(file(path, FILE)?);
    let key = std::str::from_utf8(&bytes).ok().and_then(SubjectKey::from_pem);
    key.ok_or_else(|| {
        Trouble::Usage(format!("{} is no key as breakglass writes it to key.pem", path.display()))
    })
}

/// The token that a file holds, white space around it allowed.
fn token(path: &Path) -> Result<String, Trouble> {
    let bytes = file(path, FILE)?;
    let text = std::str::from_utf8(bytes.trim_ascii()).unwrap_or_default();
    let parts = text.split('.').filter(|part| {
        !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c))
    });
    match text.split('.').count() == 3 && parts.count() == 3 {
        true => Ok(text.to_owned()),
        false => Err(Trouble::Usage(format!("{} holds no token", path.display()))),
    }
}
