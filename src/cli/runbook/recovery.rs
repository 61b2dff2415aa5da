//! How a credential opens without this program: `doc/recovery.md` in short, with the names of its own files.

use std::fmt::Write;

use crate::cli::paper::{Block, Page};
use crate::kit::Kit;
use crate::kit::credentials::{self, Generation};
use crate::kit::name::CredentialName;
use crate::kit::sealed::{PAYLOAD_NAME, share_name, sidecar_name};

/// The document, for the scripts in it.
const DOCUMENT: &str = include_str!("../../../doc/recovery.md");

pub(super) fn page(kit: &Kit, name: &CredentialName, generation: &Generation) -> Page {
    let folder = credentials::folder(name, generation);
    let mut blocks = vec![
        Block::Text(
            "For when breakglass is lost, broken or not trusted. It leaves no record: write down on paper who opened what with which \
             keys, when and why, sign it, two of you, and give it to the auditor. The secret is used then: change it at the platform."
                .into(),
        ),
        Block::Text(
            "It takes the stick, the keys with their PINs, and a computer that need not be connected, with pcscd, rage or age, \
             age-plugin-yubikey, python3, and fido2-assert for keys with a .fido2 file."
                .into(),
        ),
        Block::Heading("Begin in memory, so that nothing stays on a disk".into()),
        Block::Exactly(format!(
            "cd \"$(mktemp -d /dev/shm/recovery.XXXXXX)\"\nSEALED=KIT/{folder}   # KIT: the folder on the stick\ncat \"$SEALED/about.toml\""
        )),
    ];
    blocks.extend(match generation.by_files() {
        true => by_files(kit, generation),
        false => vec![
            Block::Heading("Plug in any one of its keys, and no other: PIN, then touch".into()),
            Block::Exactly(format!(
                "age-plugin-yubikey --identity --slot 1 > key.txt\nrage -d -i key.txt \"$SEALED/{PAYLOAD_NAME}\""
            )),
        ],
    });
    blocks.push(Block::Heading("At the end".into()));
    blocks.push(Block::Exactly("cd / && rm -r /dev/shm/recovery.*".into()));
    Page { title: format!("{name} without breakglass"), blocks }
}

/// Each key has a file of its own; with FIDO2 it has two layers.
fn by_files(kit: &Kit, generation: &Generation) -> Vec<Block> {
    let facts = &generation.facts;
    let how_many = match facts.threshold {
        1 => "one of the keys".to_owned(),
        k => format!("any {k} of the keys, one after the other"),
    };
    let scripts = match (generation.asks_fido2(), facts.threshold > 1) {
        (true, true) => " The scripts envelope.py and join.py are on the last page.",
        (true, false) => " The script envelope.py is on the last page.",
        (false, _) => " The script join.py is on the last page.",
    };
    let mut blocks = vec![Block::Text(format!("Do what follows with {how_many}.{scripts}"))];
    for key in facts.recipients.iter().filter_map(|id| kit.key(id)) {
        let serial = key.facts.serial;
        let (file, sidecar) = (share_name(&key.chain), sidecar_name(&key.chain));
        let mut lines = String::new();
        let inner = match facts.files.contains_key(&sidecar) {
            false => format!("\"$SEALED/{file}\""),
            true => {
                let _ = write!(
                    lines,
                    "fido2-token -L   # its device, below /dev/hidraw0\n\
                     fido2-assert -G -h -v -p -i \"$SEALED/{sidecar}\" /dev/hidraw0 > answer.txt\n\
                     python3 envelope.py answer.txt > envelope.txt\n\
                     rage -d -i envelope.txt \"$SEALED/{file}\" > inner-{serial}.age\n"
                );
                format!("inner-{serial}.age")
            }
        };
        let _ = write!(
            lines,
            "age-plugin-yubikey --identity --serial {serial} --slot 1 > key.txt\n\
             rage -d -i key.txt {inner} > share-{serial}.txt"
        );
        blocks.push(Block::Heading(format!(
            "With key {serial}, and no other plugged in: PIN, then touch, each time"
        )));
        blocks.push(Block::Exactly(lines));
    }
    let (heading, lines) = match facts.threshold {
        1 => (
            "Then, with what one key gave".to_owned(),
            format!("rage -d -i share-SERIAL.txt \"$SEALED/{PAYLOAD_NAME}\""),
        ),
        k => (
            format!("Then, with what {k} keys gave"),
            format!(
                "python3 join.py share-*.txt > identity.txt\nrage -d -i identity.txt \"$SEALED/{PAYLOAD_NAME}\""
            ),
        ),
    };
    blocks.push(Block::Heading(heading));
    blocks.push(Block::Exactly(lines));
    blocks
}

/// The scripts that an opening without this program needs, if any credential of the kit needs them.
pub(super) fn scripts(kit: &Kit) -> Option<Page> {
    let generations = || kit.credentials.values().filter_map(|one| one.current().or(one.pending()));
    let mut blocks = Vec::new();
    for (name, needed) in [
        ("envelope.py", generations().any(Generation::asks_fido2)),
        ("join.py", generations().any(|generation| generation.facts.threshold > 1)),
    ] {
        if let Some(script) = script(name).filter(|_| needed) {
            blocks.push(Block::Heading(name.into()));
            blocks.push(Block::Exactly(script.into()));
        }
    }
    (!blocks.is_empty()).then(|| Page { title: "Scripts, to copy when breakglass is lost".into(), blocks })
}

/// A script of the document.
fn script(name: &str) -> Option<&'static str> {
    let (_, rest) = DOCUMENT.split_once(&format!("```python {name}\n"))?;
    rest.split_once("\n```").map(|(script, _)| script)
}

#[cfg(test)]
mod tests {
    use super::script;

    #[test]
    fn the_scripts_are_in_the_document() {
        for (name, ends) in [("envelope.py", ".upper())"), ("join.py", "\"replace\"))")] {
            let script = script(name).unwrap();
            assert!(script.starts_with("import ") && script.ends_with(ends), "{name}: {script}");
        }
        assert_eq!(script("other.py"), None);
    }
}
