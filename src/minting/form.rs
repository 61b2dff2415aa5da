//! From what the policy says to what the key will sign.

use p256::ecdsa::VerifyingKey;
use rand_core::CryptoRng;

use super::Plan;
use crate::kit::policy::{Kind, Says};
use crate::mint::jwt::{AccessToken, Binding, TokenId, thumbprint};
use crate::mint::ssh::{self, PublicLine, UserCertificate};
use crate::mint::x509::{self, ClientCertificate};
use crate::mint::{KeyIdentity, MintError, Numbers, Unsigned, Window};
use crate::record::hash::Hash;

/// The key that gets a credential: made here, or come across a gap.
#[derive(Debug, Clone)]
pub enum Subject {
    /// For SSH.
    Ssh(PublicLine),
    /// For TLS.
    X509(VerifyingKey),
    /// Who alone can use a token.
    Token(Binding),
}

impl Subject {
    /// What it can get.
    pub fn kind(&self) -> Kind {
        match self {
            Subject::Ssh(_) => Kind::Ssh,
            Subject::X509(_) => Kind::X509,
            Subject::Token(_) => Kind::Token,
        }
    }

    /// As the record names it.
    pub fn thumbprint(&self) -> Hash {
        match self {
            Subject::Ssh(line) => line.thumbprint(),
            Subject::X509(key) => thumbprint(key),
            Subject::Token(Binding::Proof(hash) | Binding::Certificate(hash)) => *hash,
        }
    }
}

/// What was minted.
#[derive(Debug, Clone)]
pub enum Credential {
    /// An SSH certificate.
    Ssh(ssh::Signed),
    /// A client certificate.
    X509(x509::Signed),
    /// A token.
    Token(String),
}

impl Credential {
    /// As the record names it.
    pub fn hash(&self) -> Hash {
        match self {
            Credential::Ssh(certificate) => Hash::of(&certificate.blob()),
            Credential::X509(certificate) => Hash::of(&certificate.der()),
            Credential::Token(text) => Hash::of(text.as_bytes()),
        }
    }
}

/// A credential that waits for its signature, with what the record says of it.
pub(super) struct Prepared {
    pub(super) unsigned: Unsigned<Credential>,
    pub(super) number: String,
    pub(super) window: Window,
    pub(super) identity: KeyIdentity,
}

pub(super) fn prepare(
    plan: &Plan,
    numbers: Numbers,
    window: Window,
    random: &mut dyn CryptoRng,
) -> Result<Prepared, MintError> {
    let incident = plan.identity.incident.clone();
    let identity =
        KeyIdentity { incident: incident.clone(), operator: plan.identity.operator.clone(), numbers };
    let mut bytes = [0; 32];
    random.fill_bytes(&mut bytes);
    let (unsigned, number) = match (&plan.rule.says, &plan.wish.subject) {
        (Says::Ssh { principals, sources, command, permissions }, Subject::Ssh(line)) => {
            let certificate = UserCertificate {
                subject: line.clone(),
                principals: principals.clone(),
                sources: sources.clone(),
                command: command.clone(),
                permissions: *permissions,
                window,
                identity: identity.clone(),
            };
            let unsigned = certificate.prepare(&plan.authority, bytes)?;
            (unsigned.map(Credential::Ssh), numbers.ssh().to_string())
        }
        (Says::X509 { user, groups, masters }, Subject::X509(key)) => {
            let [random, ..] = *bytes.as_chunks::<8>().0 else { unreachable!("32 bytes hold 8") };
            let number = numbers.x509(random);
            let Some(certified) = &plan.certified else { return Err(MintError::Nothing("authority")) };
            let (user, groups, masters) = (user.clone(), groups.clone(), *masters);
            let certificate =
                ClientCertificate { subject: *key, user, incident, groups, masters, window, number };
            (certificate.prepare(&certified.authority)?.map(Credential::X509), hex::encode(number))
        }
        (Says::Token { issuer, resource, client, scopes }, Subject::Token(binding)) => {
            let [id, ..] = *bytes.as_chunks::<16>().0 else { unreachable!("32 bytes hold 16") };
            let token = AccessToken {
                issuer: issuer.clone(),
                resource: resource.clone(),
                client: client.clone(),
                scopes: scopes.clone(),
                identity: identity.clone(),
                binding: *binding,
                window,
                id: TokenId(id),
            };
            (token.prepare(&plan.authority)?.map(Credential::Token), TokenId(id).to_string())
        }
        // `judge::plan` has compared the kinds.
        _ => return Err(MintError::Nothing("key of the right kind")),
    };
    Ok(Prepared { unsigned, number, window, identity })
}
