//! From the bytes of a `kit.toml` to a policy that is whole, or to the line that is wrong.

use std::collections::BTreeSet;

use serde::Deserialize;
use toml::Spanned;

use super::{
    Approval, CredentialRule, Factors, Group, KeyPlace, Kind, Length, Pattern, Person, Platform, Policy,
    PolicyError, Quorum, Role, Rotation,
};
use crate::attestation::Serial;
use crate::kit::name::Name;
use crate::record::event::KitKind;
use crate::record::hash::Hash;

mod mint;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    name: Spanned<String>,
    kind: KitKind,
    issuer: Spanned<String>,
    quorum: Option<Spanned<usize>>,
    factors: Option<Spanned<Vec<String>>>,
    mints: Option<Spanned<Vec<Kind>>>,
    attestation_root: Option<Spanned<String>>,
    emergencies: Spanned<Vec<Name>>,
    grant: Option<Length>,
    review_every: Option<Length>,
    drill_every: Option<Spanned<Length>>,
    rotate_after_use: Option<Spanned<bool>>,
    rotate_waived: Option<Spanned<String>>,
    #[serde(default)]
    review_before_reopen: bool,
    approval: Option<Spanned<toml::Value>>,
    open_unapproved: Option<bool>,
    #[serde(default, rename = "person")]
    people: Vec<WrittenPerson>,
    #[serde(default, rename = "quorum-group")]
    groups: Vec<WrittenGroup>,
    #[serde(default, rename = "credential")]
    credentials: Vec<WrittenCredential>,
    #[serde(default, rename = "mint")]
    mint_rules: Vec<mint::WrittenMint>,
    #[serde(default, rename = "platform")]
    platforms: Vec<WrittenPlatform>,
    #[serde(default, rename = "key")]
    keys: Vec<WrittenKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPerson {
    name: Spanned<Name>,
    roles: Vec<Role>,
    #[serde(default)]
    contact: String,
    #[serde(default)]
    keys: Vec<Spanned<Serial>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenGroup {
    name: Spanned<Name>,
    #[serde(default)]
    keys: Vec<Serial>,
    #[serde(default)]
    people: Vec<Spanned<Name>>,
    needs: Option<Spanned<usize>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenCredential {
    name: Spanned<Pattern>,
    emergencies: Option<Spanned<Vec<Name>>>,
    grant: Option<Length>,
    review_every: Option<Length>,
    rotate_after_use: Option<Spanned<bool>>,
    rotate_waived: Option<Spanned<String>>,
    approval: Option<Spanned<toml::Value>>,
    open_unapproved: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenPlatform {
    name: Spanned<Name>,
    backup_waived: Option<Spanned<String>>,
    #[serde(default)]
    checklist: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKey {
    serial: Spanned<Serial>,
    place: String,
    #[serde(default)]
    bag: String,
    #[serde(default)]
    puk: Option<Name>,
}

/// Longest reason and longest item of a checklist, in bytes.
const LINE: usize = 256;

/// Reads the exact bytes of a `kit.toml`.
pub(super) fn parse(bytes: &[u8]) -> Result<Policy, PolicyError> {
    let text = std::str::from_utf8(bytes).map_err(|e| PolicyError::Syntax(format!("not UTF-8: {e}")))?;
    let written: Written =
        toml::from_str(text).map_err(|e| PolicyError::Syntax(e.to_string().trim_end().to_owned()))?;
    let page = Page(text);
    page.kit(&written)?;
    let people = page.people(&written.people)?;
    let quorum = page.quorum(written.quorum.as_ref(), &written.groups, &people)?;
    let kit_wide = written.emergencies.get_ref();
    let mints = page.mints(written.mints.as_ref())?;
    let names: Vec<&Name> = people.iter().map(|person| &person.name).collect();
    Ok(Policy {
        hash: Hash::of(bytes),
        kind: written.kind,
        quorum,
        factors: page.factors(written.factors.as_ref())?,
        mint_rules: page.mint_rules(&written.mint_rules, &mints, kit_wide, &names)?,
        mints,
        attestation_root: page.root(written.attestation_root.as_ref(), written.kind)?,
        grant: written.grant.unwrap_or(Length::hours(1)),
        review_every: written.review_every.unwrap_or(Length::days(365)),
        rotation: page
            .rotation(written.rotate_after_use.as_ref(), written.rotate_waived.as_ref())?
            .unwrap_or(Rotation::AfterUse),
        drill_days: page.drill_days(written.drill_every.as_ref())?,
        review_before_reopen: written.review_before_reopen,
        approval: page.approval(written.approval.as_ref(), "approval", &people)?.unwrap_or(Approval::None),
        open_unapproved: written.open_unapproved.unwrap_or(false),
        credentials: page.credentials(written.credentials, kit_wide, &people)?,
        platforms: page.platforms(written.platforms)?,
        people,
        keys: page.keys(written.keys)?,
        name: written.name.into_inner(),
        issuer: written.issuer.into_inner(),
        emergencies: written.emergencies.into_inner(),
    })
}

/// The text, to say on which line of it something is wrong.
struct Page<'t>(&'t str);

impl Page<'_> {
    fn wrong<T>(&self, at: &Spanned<T>, key: &str, what: impl Into<String>) -> PolicyError {
        let before = self.0.get(..at.span().start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        PolicyError::Value { line, key: key.into(), what: what.into() }
    }

    fn kit(&self, written: &Written) -> Result<(), PolicyError> {
        let name = written.name.get_ref();
        if name.trim().is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
            return Err(self.wrong(&written.name, "name", "1 to 64 bytes of text on one line"));
        }
        let issuer = written.issuer.get_ref();
        if !issuer.starts_with("https://") || issuer.len() > 128 || !issuer.is_ascii() {
            return Err(self.wrong(&written.issuer, "issuer", "an https URL of at most 128 characters"));
        }
        if written.emergencies.get_ref().is_empty() {
            let what = "at least one, or nothing can ever be opened";
            return Err(self.wrong(&written.emergencies, "emergencies", what));
        }
        Ok(())
    }

    fn factors(&self, names: Option<&Spanned<Vec<String>>>) -> Result<Option<Factors>, PolicyError> {
        let Some(names) = names else { return Ok(None) };
        let wrong = || self.wrong(names, "factors", r#"["piv"] or ["piv", "fido2"]"#);
        Factors::of(names.get_ref()).ok_or_else(wrong).map(Some)
    }

    fn mints(&self, kinds: Option<&Spanned<Vec<Kind>>>) -> Result<Vec<Kind>, PolicyError> {
        let Some(kinds) = kinds else { return Ok(Vec::new()) };
        let mut sorted = kinds.get_ref().clone();
        sorted.sort_unstable();
        sorted.dedup();
        let each_once = sorted.len() == kinds.get_ref().len() && !sorted.is_empty();
        // The key for tokens mints client assertions, too.
        match each_once && !sorted.contains(&Kind::Assertion) {
            true => Ok(sorted),
            false => Err(self.wrong(kinds, "mints", r#"some of ["ssh", "x509", "token"], each once"#)),
        }
    }

    fn root(&self, pem: Option<&Spanned<String>>, kind: KitKind) -> Result<Option<Vec<u8>>, PolicyError> {
        let Some(pem) = pem else { return Ok(None) };
        let wrong = |what: String| self.wrong(pem, "attestation-root", what);
        if kind == KitKind::Practice {
            return Err(wrong("a practice kit accepts practice keys only".into()));
        }
        let der = crate::attestation::pem_or_der(pem.get_ref().as_bytes());
        der.map(Some).map_err(|error| wrong(format!("not a certificate in PEM: {error}")))
    }

    fn drill_days(&self, length: Option<&Spanned<Length>>) -> Result<u32, PolicyError> {
        let Some(length) = length else { return Ok(90) };
        let wrong = || self.wrong(length, "drill-every", "a whole number of days, such as 90d");
        length.get_ref().whole_days().ok_or_else(wrong)
    }

    /// One line of text that people will read.
    fn line(&self, text: &Spanned<String>, key: &str) -> Result<String, PolicyError> {
        let inner = text.get_ref();
        if inner.trim().is_empty() || inner.len() > LINE || inner.chars().any(char::is_control) {
            return Err(self.wrong(text, key, format!("1 to {LINE} bytes of text on one line")));
        }
        Ok(inner.clone())
    }

    /// To waive it takes both: that it is waived, and why.
    fn rotation(
        &self,
        after_use: Option<&Spanned<bool>>,
        waived: Option<&Spanned<String>>,
    ) -> Result<Option<Rotation>, PolicyError> {
        match (after_use, waived) {
            (None, None) => Ok(None),
            (Some(no), Some(why)) if !no.get_ref() => {
                Ok(Some(Rotation::Waived(self.line(why, "rotate-waived")?)))
            }
            (_, Some(why)) => {
                Err(self.wrong(why, "rotate-waived", "has no effect without  rotate-after-use = false"))
            }
            (Some(yes), None) if *yes.get_ref() => Ok(Some(Rotation::AfterUse)),
            (Some(no), None) => {
                Err(self.wrong(no, "rotate-after-use", "false needs  rotate-waived = \"why\""))
            }
        }
    }

    fn approval(
        &self,
        written: Option<&Spanned<toml::Value>>,
        key: &str,
        people: &[Person],
    ) -> Result<Option<Approval>, PolicyError> {
        let Some(written) = written else { return Ok(None) };
        let approval = Approval::read(written.get_ref()).map_err(|what| self.wrong(written, key, what))?;
        match approval.impossible(people) {
            Some(why) => Err(self.wrong(written, key, why)),
            None => Ok(Some(approval)),
        }
    }

    fn people(&self, written: &[WrittenPerson]) -> Result<Vec<Person>, PolicyError> {
        if let Some(twice) = first_twice(written.iter().map(|person| &person.name)) {
            return Err(self.wrong(twice, "person", format!("{} is there twice", twice.get_ref())));
        }
        // A key that two kept would count for both in groups of the quorum.
        if let Some(twice) = first_twice(written.iter().flat_map(|person| &person.keys)) {
            let what = format!("{} is kept by somebody already", twice.get_ref());
            return Err(self.wrong(twice, "person.keys", what));
        }
        let person = |person: &WrittenPerson| Person {
            name: person.name.get_ref().clone(),
            roles: person.roles.clone(),
            contact: person.contact.clone(),
            keys: person.keys.iter().map(|key| *key.get_ref()).collect(),
        };
        Ok(written.iter().map(person).collect())
    }

    fn quorum(
        &self,
        number: Option<&Spanned<usize>>,
        groups: &[WrittenGroup],
        people: &[Person],
    ) -> Result<Quorum, PolicyError> {
        if let Some(number) = number
            && !(1..=16).contains(number.get_ref())
        {
            return Err(self.wrong(number, "quorum", "between 1 and 16"));
        }
        if let Some(twice) = first_twice(groups.iter().map(|group| &group.name)) {
            return Err(self.wrong(twice, "quorum-group", format!("{} is there twice", twice.get_ref())));
        }
        let groups = groups.iter().map(|group| self.group(group, people)).collect::<Result<_, _>>()?;
        Ok(Quorum { number: number.map_or(2, |number| *number.get_ref()), groups })
    }

    fn group(&self, written: &WrittenGroup, people: &[Person]) -> Result<Group, PolicyError> {
        let mut keys: BTreeSet<Serial> = written.keys.iter().copied().collect();
        for name in &written.people {
            let keeper =
                people.iter().find(|person| person.name == *name.get_ref() && !person.keys.is_empty());
            let what = || format!("{} is nobody of this file who keeps keys", name.get_ref());
            let keeper = keeper.ok_or_else(|| self.wrong(name, "quorum-group.people", what()))?;
            keys.extend(&keeper.keys);
        }
        if keys.is_empty() {
            return Err(self.wrong(&written.name, "quorum-group", "name its keys or its people"));
        }
        if let Some(needs) = &written.needs
            && !(1..=keys.len()).contains(needs.get_ref())
        {
            let what = format!("between 1 and {}, as many as it has keys", keys.len());
            return Err(self.wrong(needs, "quorum-group.needs", what));
        }
        let needs = written.needs.as_ref().map_or(1, |needs| *needs.get_ref());
        Ok(Group { name: written.name.get_ref().clone(), keys, needs })
    }

    fn credentials(
        &self,
        written: Vec<WrittenCredential>,
        kit_wide: &[Name],
        people: &[Person],
    ) -> Result<Vec<CredentialRule>, PolicyError> {
        if let Some(twice) = first_twice(written.iter().map(|rule| &rule.name)) {
            return Err(self.wrong(twice, "credential", format!("{} is there twice", twice.get_ref())));
        }
        let mut rules = Vec::new();
        for table in written {
            if let Some(names) = &table.emergencies {
                let wrong = |what: String| self.wrong(names, "credential.emergencies", what);
                if names.get_ref().is_empty() {
                    return Err(wrong("at least one, or it can never be opened".into()));
                }
                if let Some(unknown) = names.get_ref().iter().find(|name| !kit_wide.contains(name)) {
                    return Err(wrong(format!("{unknown} is not among the emergencies of the kit")));
                }
            }
            let rotation = self.rotation(table.rotate_after_use.as_ref(), table.rotate_waived.as_ref())?;
            let rule = CredentialRule {
                emergencies: table.emergencies.map(Spanned::into_inner),
                grant: table.grant,
                review_every: table.review_every,
                rotation,
                approval: self.approval(table.approval.as_ref(), "credential.approval", people)?,
                open_unapproved: table.open_unapproved,
                name: table.name.get_ref().clone(),
            };
            let says = (&rule.emergencies, rule.grant, rule.review_every, &rule.rotation);
            if says == (&None, None, None, &None) && (rule.approval, rule.open_unapproved) == (None, None) {
                return Err(self.wrong(&table.name, "credential", "it says nothing about it"));
            }
            rules.push(rule);
        }
        Ok(rules)
    }

    fn platforms(&self, written: Vec<WrittenPlatform>) -> Result<Vec<Platform>, PolicyError> {
        if let Some(twice) = first_twice(written.iter().map(|platform| &platform.name)) {
            return Err(self.wrong(twice, "platform", format!("{} is there twice", twice.get_ref())));
        }
        let platform = |platform: WrittenPlatform| {
            let waived = platform.backup_waived.as_ref();
            let items = platform.checklist.iter();
            Ok(Platform {
                backup_waived: waived.map(|why| self.line(why, "platform.backup-waived")).transpose()?,
                checklist: items
                    .map(|item| self.line(item, "platform.checklist"))
                    .collect::<Result<_, _>>()?,
                name: platform.name.into_inner(),
            })
        };
        written.into_iter().map(platform).collect()
    }

    fn keys(&self, written: Vec<WrittenKey>) -> Result<Vec<KeyPlace>, PolicyError> {
        if let Some(twice) = first_twice(written.iter().map(|key| &key.serial)) {
            return Err(self.wrong(twice, "key", format!("serial {} is there twice", twice.get_ref())));
        }
        let key = |WrittenKey { serial, place, bag, puk }| KeyPlace {
            serial: serial.into_inner(),
            place,
            bag,
            puk,
        };
        Ok(written.into_iter().map(key).collect())
    }
}

/// The first that is the same as one before it.
fn first_twice<'a, T: PartialEq + 'a>(items: impl Iterator<Item = &'a Spanned<T>>) -> Option<&'a Spanned<T>> {
    let all: Vec<&Spanned<T>> = items.collect();
    let twice = all.iter().enumerate().find(|(i, item)| {
        let before = &all[..*i];
        before.iter().any(|other| other.get_ref() == item.get_ref())
    });
    twice.map(|(_, item)| *item)
}
