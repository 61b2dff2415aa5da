//! The tables of what may be minted, from the file to rules that are whole.

use serde::Deserialize;
use toml::Spanned;

use super::super::mint_rule::{MOST_SECONDS, issuers};
use super::super::{Kind, Length, MintRule, PolicyError, Says};
use super::{Page, first_twice};
use crate::kit::name::Name;
use crate::mint::MintError;
use crate::mint::jwt::{Uri, bare_url};
use crate::mint::ssh::Permissions;

/// Longest command, in characters; as the certificate takes it.
const COMMAND: usize = 1_024;

/// Longest that all names together may be as whom a table lets in, each with three characters around it: a record names them, and has
/// to fit on a key with the longest reason, too.
const NAMES: usize = 400;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct WrittenMint {
    name: Spanned<Name>,
    kind: Kind,
    emergencies: Option<Spanned<Vec<Name>>>,
    #[serde(default)]
    operators: Vec<Spanned<Name>>,
    longest: Option<Spanned<Length>>,
    principals: Option<Spanned<Vec<String>>>,
    sources: Option<Spanned<Vec<String>>>,
    command: Option<Spanned<String>>,
    terminal: Option<Spanned<bool>>,
    forward_ports: Option<Spanned<bool>>,
    user: Option<Spanned<String>>,
    groups: Option<Spanned<Vec<String>>>,
    system_masters: Option<Spanned<bool>>,
    issuer: Option<Spanned<String>>,
    resource: Option<Spanned<String>>,
    server: Option<Spanned<String>>,
    token_endpoint: Option<Spanned<String>>,
    audience: Option<Spanned<String>>,
    client: Option<Spanned<String>>,
    scopes: Option<Spanned<Vec<String>>>,
}

impl Page<'_> {
    /// `kinds` are those that keys are made to mint, `kit_wide` the emergencies of the kit, `people` the names in it.
    pub(super) fn mint_rules(
        &self,
        written: &[WrittenMint],
        kinds: &[Kind],
        kit_wide: &[Name],
        people: &[&Name],
    ) -> Result<Vec<MintRule>, PolicyError> {
        if let Some(twice) = first_twice(written.iter().map(|table| &table.name)) {
            return Err(self.wrong(twice, "mint", format!("{} is there twice", twice.get_ref())));
        }
        let rule = |table: &WrittenMint| {
            let maker = |kind: &&Kind| kind.slot() == table.kind.slot();
            if !kinds.iter().any(|kind| maker(&kind)) {
                let kind = Kind::ALL.iter().find(maker).unwrap_or(&table.kind);
                let what = format!("no key is made for it: put \"{kind}\" into  mints");
                return Err(self.wrong(&table.name, "mint.kind", what));
            }
            Ok(MintRule {
                name: table.name.get_ref().clone(),
                emergencies: self.mint_emergencies(table, kit_wide)?,
                operators: self.mint_operators(table, people)?,
                longest: self.longest(table)?,
                says: self.says(table)?,
            })
        };
        let rules: Vec<MintRule> = written.iter().map(rule).collect::<Result<_, _>>()?;
        self.names_fit(written, &rules)?;
        self.clients_are_no_issuers(written, &rules)?;
        Ok(rules)
    }

    /// What does not fit into a record cannot be minted, and only the emergency would tell.
    fn names_fit(&self, written: &[WrittenMint], rules: &[MintRule]) -> Result<(), PolicyError> {
        let length = |rule: &MintRule| rule.says.accounts().iter().map(|name| name.len() + 3).sum::<usize>();
        match written.iter().zip(rules).find(|(_, rule)| length(rule) > NAMES) {
            None => Ok(()),
            Some((table, _)) => {
                let what =
                    "the names as whom it lets in are too long to be recorded: divide it into several tables";
                Err(self.wrong(&table.name, "mint", what))
            }
        }
    }

    /// Neither in one table nor across: a server that knows the client would take an access token for its assertion.
    fn clients_are_no_issuers(&self, written: &[WrittenMint], rules: &[MintRule]) -> Result<(), PolicyError> {
        let issuers: Vec<&str> = issuers(rules).map(Uri::as_str).collect();
        let is_one = |client: &&Spanned<String>| issuers.contains(&client.get_ref().as_str());
        match written.iter().filter_map(|table| table.client.as_ref()).find(is_one) {
            None => Ok(()),
            Some(client) => {
                let what = "the same as an issuer: a token of one kind could pass for one of another";
                Err(self.wrong(client, "mint.client", what))
            }
        }
    }

    fn mint_emergencies(&self, table: &WrittenMint, kit_wide: &[Name]) -> Result<Vec<Name>, PolicyError> {
        let Some(names) = &table.emergencies else { return Ok(kit_wide.to_vec()) };
        let wrong = |what: String| self.wrong(names, "mint.emergencies", what);
        if names.get_ref().is_empty() {
            return Err(wrong("at least one, or it can never be minted".into()));
        }
        match names.get_ref().iter().find(|name| !kit_wide.contains(name)) {
            Some(unknown) => Err(wrong(format!("{unknown} is not among the emergencies of the kit"))),
            None => Ok(names.get_ref().clone()),
        }
    }

    fn mint_operators(&self, table: &WrittenMint, people: &[&Name]) -> Result<Vec<Name>, PolicyError> {
        let unknown = table.operators.iter().find(|name| !people.contains(&name.get_ref()));
        match unknown {
            Some(name) => {
                Err(self.wrong(name, "mint.operators", format!("{} is nobody of this file", name.get_ref())))
            }
            None => Ok(table.operators.iter().map(|name| name.get_ref().clone()).collect()),
        }
    }

    /// Fifteen minutes; a token or an assertion five.
    fn longest(&self, table: &WrittenMint) -> Result<Length, PolicyError> {
        match &table.longest {
            None if table.kind.slot() == Kind::Token.slot() => Ok(Length::minutes(5)),
            None => Ok(Length::minutes(15)),
            Some(length) if length.get_ref().seconds() <= MOST_SECONDS => Ok(*length.get_ref()),
            Some(length) => {
                Err(self.wrong(length, "mint.longest", "at most 24h: after that it is no emergency"))
            }
        }
    }

    fn says(&self, table: &WrittenMint) -> Result<Says, PolicyError> {
        self.only_its_own(table)?;
        let needed = |key: &str| self.wrong(&table.name, key, format!("{} needs it", table.kind));
        let labels = |texts: &Option<Spanned<Vec<String>>>, key: &str| {
            let texts =
                texts.as_ref().filter(|texts| !texts.get_ref().is_empty()).ok_or_else(|| needed(key))?;
            self.each(texts, key)
        };
        let yes = |flag: &Option<Spanned<bool>>| flag.as_ref().is_some_and(|flag| *flag.get_ref());
        Ok(match table.kind {
            Kind::Ssh => Says::Ssh {
                principals: labels(&table.principals, "mint.principals")?,
                sources: table
                    .sources
                    .as_ref()
                    .map_or(Ok(Vec::new()), |all| self.each(all, "mint.sources"))?,
                command: table.command.as_ref().map(|command| self.command(command)).transpose()?,
                permissions: Permissions {
                    terminal: yes(&table.terminal),
                    forward_ports: yes(&table.forward_ports),
                },
            },
            Kind::X509 => {
                let user = table.user.as_ref().ok_or_else(|| needed("mint.user"))?;
                let groups: Vec<crate::mint::Label> = labels(&table.groups, "mint.groups")?;
                let masters = yes(&table.system_masters);
                if !masters
                    && groups.iter().any(|group| group.as_str().eq_ignore_ascii_case("system:masters"))
                {
                    let what =
                        "system:masters cannot be taken back; if it must be, write  system-masters = true";
                    return Err(self.wrong(&table.name, "mint.groups", what));
                }
                Says::X509 { user: self.text(user, "mint.user")?, groups, masters }
            }
            Kind::Token => {
                let issuer = table.issuer.as_ref().ok_or_else(|| needed("mint.issuer"))?;
                let resource = table.resource.as_ref().ok_or_else(|| needed("mint.resource"))?;
                let client = table.client.as_ref().ok_or_else(|| needed("mint.client"))?;
                Says::Token {
                    issuer: self.text(issuer, "mint.issuer")?,
                    resource: self.text(resource, "mint.resource")?,
                    client: self.text(client, "mint.client")?,
                    scopes: labels(&table.scopes, "mint.scopes")?,
                }
            }
            Kind::Assertion => {
                let client = table.client.as_ref().ok_or_else(|| needed("mint.client"))?;
                let server = table.server.as_ref().ok_or_else(|| needed("mint.server"))?;
                let endpoint = table.token_endpoint.as_ref().ok_or_else(|| needed("mint.token-endpoint"))?;
                let scopes = table.scopes.as_ref();
                Says::Assertion {
                    client: self.text(client, "mint.client")?,
                    server: self.text(server, "mint.server")?,
                    endpoint: self.endpoint(endpoint)?,
                    for_endpoint: self.for_endpoint(table.audience.as_ref())?,
                    scopes: scopes.map_or(Ok(Vec::new()), |all| self.each(all, "mint.scopes"))?,
                }
            }
        })
    }

    /// A line of another kind has no effect, and whoever wrote it thinks that it has.
    fn only_its_own(&self, table: &WrittenMint) -> Result<(), PolicyError> {
        use Kind::{Assertion, Ssh, Token, X509};
        let written: [(&[Kind], &str, bool); 15] = [
            (&[Ssh], "principals", table.principals.is_some()),
            (&[Ssh], "sources", table.sources.is_some()),
            (&[Ssh], "command", table.command.is_some()),
            (&[Ssh], "terminal", table.terminal.is_some()),
            (&[Ssh], "forward-ports", table.forward_ports.is_some()),
            (&[X509], "user", table.user.is_some()),
            (&[X509], "groups", table.groups.is_some()),
            (&[X509], "system-masters", table.system_masters.is_some()),
            (&[Token], "issuer", table.issuer.is_some()),
            (&[Token], "resource", table.resource.is_some()),
            (&[Token, Assertion], "client", table.client.is_some()),
            (&[Token, Assertion], "scopes", table.scopes.is_some()),
            (&[Assertion], "server", table.server.is_some()),
            (&[Assertion], "token-endpoint", table.token_endpoint.is_some()),
            (&[Assertion], "audience", table.audience.is_some()),
        ];
        match written.iter().find(|(kinds, _, there)| *there && !kinds.contains(&table.kind)) {
            Some((kinds, key, _)) => {
                let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
                let what = format!("is for {}, and this is {}", kinds.join(" and "), table.kind);
                Err(self.wrong(&table.name, &format!("mint.{key}"), what))
            }
            None => Ok(()),
        }
    }

    /// Where proofs will be for: a URL without query, since a proof names none.
    fn endpoint(&self, text: &Spanned<String>) -> Result<Uri, PolicyError> {
        let wrong = |error: MintError| self.wrong(text, "mint.token-endpoint", error.to_string());
        match bare_url(text.get_ref()).map_err(wrong)? == text.get_ref() {
            true => self.text(text, "mint.token-endpoint"),
            false => Err(self.wrong(text, "mint.token-endpoint", "without query and fragment")),
        }
    }

    /// Whether an assertion names the token endpoint as its audience, and not the server.
    fn for_endpoint(&self, audience: Option<&Spanned<String>>) -> Result<bool, PolicyError> {
        let Some(audience) = audience else { return Ok(false) };
        match audience.get_ref().as_str() {
            "server" => Ok(false),
            "token-endpoint" => Ok(true),
            _ => {
                let what = "\"server\", or \"token-endpoint\" for one that knows RFC 7523 only";
                Err(self.wrong(audience, "mint.audience", what))
            }
        }
    }

    fn command(&self, text: &Spanned<String>) -> Result<String, PolicyError> {
        let inner = text.get_ref();
        match (1..=COMMAND).contains(&inner.len()) && inner.bytes().all(|c| (b' '..=b'~').contains(&c)) {
            true => Ok(inner.clone()),
            false => {
                Err(self.wrong(text, "mint.command", format!("1 to {COMMAND} printable characters of ASCII")))
            }
        }
    }

    fn text<T: std::str::FromStr<Err: std::fmt::Display>>(
        &self,
        text: &Spanned<String>,
        key: &str,
    ) -> Result<T, PolicyError> {
        text.get_ref().parse().map_err(|error: T::Err| self.wrong(text, key, error.to_string()))
    }

    fn each<T: std::str::FromStr<Err: std::fmt::Display>>(
        &self,
        texts: &Spanned<Vec<String>>,
        key: &str,
    ) -> Result<Vec<T>, PolicyError> {
        let wrong = |error: T::Err| self.wrong(texts, key, error.to_string());
        texts.get_ref().iter().map(|text| text.parse().map_err(wrong)).collect()
    }
}
