//! What may be minted: a table of the policy for each, with everything that the credential will say, so that nothing of it is
//! typed in the emergency.

use std::fmt;

use super::{Kind, Length, Policy, Refusal, Role};
use crate::kit::name::Name;
use crate::mint::jwt::Uri;
use crate::mint::ssh::{Permissions, Source};
use crate::mint::{LONGEST, Label};

/// One thing that may be minted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MintRule {
    /// As it is asked for.
    pub name: Name,
    /// The emergencies that justify it, of those of the kit.
    pub emergencies: Vec<Name>,
    /// Who may have it minted; every operator if empty.
    pub operators: Vec<Name>,
    /// How long one holds at most, and if nothing else is asked for.
    pub longest: Length,
    /// What it says.
    pub says: Says,
}

/// What a minted credential says, by its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// An SSH user certificate.
    Ssh {
        /// As whom.
        principals: Vec<Label>,
        /// From where; anywhere if empty.
        sources: Vec<Source>,
        /// The one command that runs.
        command: Option<String>,
        /// What else a session may do.
        permissions: Permissions,
    },
    /// A client certificate.
    X509 {
        /// As whom.
        user: Label,
        /// In which groups.
        groups: Vec<Label>,
        /// Whether `system:masters` may be among them.
        masters: bool,
    },
    /// An access token.
    Token {
        /// The emergency issuer.
        issuer: Uri,
        /// The one resource.
        resource: Uri,
        /// The client.
        client: Label,
        /// What it allows.
        scopes: Vec<Label>,
    },
    /// A client assertion.
    Assertion {
        /// The client that the server knows by the key set of tokens.
        client: Label,
        /// The authorisation server, by its issuer identifier.
        server: Uri,
        /// Where it is sent.
        endpoint: Uri,
        /// Whether it names that as its audience, for a server that knows RFC 7523 only; by RFC 10070 it names the server.
        for_endpoint: bool,
        /// What is asked for with it; what the server gives unasked if empty.
        scopes: Vec<Label>,
    },
}

/// The issuers of the access tokens that these rules allow. No client may be called so.
pub(super) fn issuers(rules: &[MintRule]) -> impl Iterator<Item = &Uri> {
    rules.iter().filter_map(|rule| match &rule.says {
        Says::Token { issuer, .. } => Some(issuer),
        _ => None,
    })
}

impl Says {
    /// As whom it lets somebody in: principals; user, then groups; client, then scopes.
    pub fn accounts(&self) -> Vec<String> {
        let (first, rest) = match self {
            Says::Ssh { principals, .. } => (None, principals),
            Says::X509 { user, groups, .. } => (Some(user), groups),
            Says::Token { client, scopes, .. } | Says::Assertion { client, scopes, .. } => {
                (Some(client), scopes)
            }
        };
        first.into_iter().chain(rest).map(ToString::to_string).collect()
    }

    /// Which keys mint it.
    pub fn kind(&self) -> Kind {
        match self {
            Says::Ssh { .. } => Kind::Ssh,
            Says::X509 { .. } => Kind::X509,
            Says::Token { .. } => Kind::Token,
            Says::Assertion { .. } => Kind::Assertion,
        }
    }
}

/// One sentence for a person.
impl fmt::Display for MintRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MintRule { name, emergencies, operators, longest, says } = self;
        let who = if operators.is_empty() { "an operator".into() } else { join(operators) };
        write!(f, "{who} may mint {name} for {}, for {longest} at most: {says}", join(emergencies))
    }
}

/// What it says, for a person.
impl fmt::Display for Says {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Says::Ssh { principals, sources, command, permissions } => {
                write!(f, "SSH as {}", join(principals))?;
                if !sources.is_empty() {
                    write!(f, " from {}", join(sources))?;
                }
                if let Some(command) = command {
                    write!(f, ", running {command:?} alone")?;
                }
                if permissions.terminal {
                    f.write_str(", with a terminal")?;
                }
                if permissions.forward_ports {
                    f.write_str(", forwarding ports")?;
                }
                Ok(())
            }
            Says::X509 { user, groups, masters } => {
                let warned = if *masters { ", which no binding takes back" } else { "" };
                write!(f, "client certificate as {user} of {}{warned}", join(groups))
            }
            Says::Token { issuer, resource, client, scopes } => write!(
                f,
                "token of {} for {}, client {client}, scope {}",
                issuer.as_str(),
                resource.as_str(),
                join(scopes)
            ),
            Says::Assertion { client, server, endpoint, for_endpoint, scopes } => {
                let (server, endpoint) = (server.as_str(), endpoint.as_str());
                let audience = if *for_endpoint { endpoint } else { server };
                write!(f, "assertion of client {client} for {audience}, sent to {endpoint}")?;
                match &scopes[..] {
                    [] => Ok(()),
                    scopes => write!(f, ", asking for scope {}", join(scopes)),
                }
            }
        }
    }
}

fn join<T: fmt::Display>(items: &[T]) -> String {
    super::describe::list(items)
}

/// Most seconds that a rule may allow.
pub(super) const MOST_SECONDS: i64 = LONGEST as i64;

impl Policy {
    /// The issuers of the access tokens that may be minted.
    pub fn issuers(&self) -> impl Iterator<Item = &Uri> {
        issuers(&self.mint_rules)
    }

    /// What may be minted under that name.
    pub fn mint_rule(&self, name: &str) -> Option<&MintRule> {
        self.mint_rules.iter().find(|rule| rule.name.as_str() == name)
    }

    /// Whether this person may have this minted for this emergency.
    pub fn may_mint(&self, rule: &MintRule, operator: &str, emergency: &str) -> Result<(), Refusal> {
        let listed =
            |name: &&str| rule.operators.is_empty() || rule.operators.iter().any(|one| one.as_str() == *name);
        let operators = self.with_role(Role::Operator);
        let operators: Vec<&str> = operators.into_iter().filter(listed).collect();
        if !operators.contains(&operator) {
            let operators = operators.into_iter().map(str::to_owned).collect();
            return Err(Refusal::NotAnOperator { name: operator.to_owned(), operators });
        }
        if rule.emergencies.iter().any(|one| one.as_str() == emergency) {
            return Ok(());
        }
        let emergencies = rule.emergencies.iter().map(ToString::to_string).collect();
        Err(Refusal::NotAnEmergency { name: emergency.to_owned(), emergencies })
    }
}
