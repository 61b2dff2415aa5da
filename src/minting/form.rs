//! From what the policy says to what the key will sign.

use p256::ecdsa::VerifyingKey;
use rand_core::CryptoRng;

use super::Plan;
use crate::kit::policy::{Kind, Says};
use crate::mint::jwt::{AccessToken, Audience, Binding, ClientAssertion, TokenId, thumbprint};
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
    /// For client assertions: they are bound to nobody, so each is good once and for minutes.
    Assertions {
        /// Thumbprint of the key of the DPoP proofs that go with them, to which the server binds what it gives.
        proof: Hash,
        /// How many.
        count: u8,
    },
}

impl Subject {
    /// What it can get.
    pub fn kind(&self) -> Kind {
        match self {
            Subject::Ssh(_) => Kind::Ssh,
            Subject::X509(_) => Kind::X509,
            Subject::Token(_) => Kind::Token,
            Subject::Assertions { .. } => Kind::Assertion,
        }
    }

    /// As the record names it.
    pub fn thumbprint(&self) -> Hash {
        match self {
            Subject::Ssh(line) => line.thumbprint(),
            Subject::X509(key) => thumbprint(key),
            Subject::Token(binding) => binding.thumbprint(),
            Subject::Assertions { proof, .. } => *proof,
        }
    }

    /// How many credentials it gets.
    pub fn count(&self) -> usize {
        match self {
            Subject::Assertions { count, .. } => (*count).into(),
            _ => 1,
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
    /// An access token or a client assertion.
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

/// Credentials that wait for their signatures, with what the record says of them.
pub(super) struct Prepared {
    pub(super) unsigned: Vec<Unsigned<Credential>>,
    /// Of each.
    pub(super) numbers: Vec<String>,
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
        (Says::Assertion { .. }, Subject::Assertions { count, .. }) => {
            let each = (0..*count).map(|_| assertion(plan, window, random)).collect::<Result<Vec<_>, _>>()?;
            let (unsigned, numbers) = each.into_iter().unzip();
            return Ok(Prepared { unsigned, numbers, window, identity });
        }
        // `judge::plan` has compared the kinds.
        _ => return Err(MintError::Nothing("key of the right kind")),
    };
    Ok(Prepared { unsigned: vec![unsigned], numbers: vec![number], window, identity })
}

/// One of several client assertions, which differ in their number alone.
fn assertion(
    plan: &Plan,
    window: Window,
    random: &mut dyn CryptoRng,
) -> Result<(Unsigned<Credential>, String), MintError> {
    let Says::Assertion { client, server, endpoint, for_endpoint, .. } = &plan.rule.says else {
        return Err(MintError::Nothing("key of the right kind"));
    };
    let mut id = TokenId([0; 16]);
    random.fill_bytes(&mut id.0);
    let assertion = ClientAssertion {
        client: client.clone(),
        audience: match for_endpoint {
            true => Audience::TokenEndpoint(endpoint.clone()),
            false => Audience::Issuer(server.clone()),
        },
        emergency_issuers: plan.identity.issuers.clone(),
        window,
        id,
    };
    Ok((assertion.prepare(&plan.authority)?.map(Credential::Token), id.to_string()))
}
