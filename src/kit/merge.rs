//! Joins two copies of a kit: union by bytes. The longer journal wins; a fork is kept and shown.
//!
//! Only adds: what this copy has is never changed, but for lines that are appended and damaged files that the other copy
//! has whole. A damaged journal is kept beside the mended one.

use std::collections::BTreeMap;

use crate::kit::credentials;
use crate::kit::folder::{Folder, FolderError};
use crate::kit::journal::{DAMAGED, FORK};
use crate::kit::{Kit, KitError, policy_path};
use crate::record::chain::{Chain, Depth, Fault, Relation, Verdict};
use crate::record::hash::Hash;
use crate::record::token::Record;

/// What a merge took over.
#[derive(Debug, Default, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Merged {
    /// Records that this copy lacked.
    pub records: u64,
    /// Files of sealed credentials and policies that this copy lacked.
    pub files: u64,
    /// Chains of which the other copy holds another branch; it is kept beside ours.
    pub forks: Vec<String>,
    /// Files that were damaged here and whole in the other copy.
    pub mended: Vec<String>,
    /// Chains of the other copy that are damaged; only what is intact and follows ours was taken over.
    pub damaged: Vec<String>,
}

/// Why nothing was merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// One of the copies.
    #[error(transparent)]
    Kit(#[from] KitError),
    /// The other copy cannot be read.
    #[error("the other copy: {0}")]
    Other(#[source] KitError),
    /// Not the same kit.
    #[error("these are two kits: {ours} here, {theirs} there")]
    TwoKits {
        /// Kit words of this copy.
        ours: String,
        /// Kit words of the other one.
        theirs: String,
    },
}

impl From<FolderError> for MergeError {
    fn from(error: FolderError) -> Self {
        MergeError::Kit(error.into())
    }
}

/// Takes over into `kit` what `other` has more: another copy, or a folder of records that were written beside a kit.
pub fn merge(kit: &mut Kit, other: &Folder) -> Result<Merged, MergeError> {
    let other = match is_only_records(other).map_err(|error| MergeError::Other(error.into()))? {
        // What its records mean is told by the rest of this copy.
        true => Folder::at(kit.folder.root(), Some(other.root())),
        false => Folder::at(other.root(), None),
    };
    let other = Kit::read(other, Depth::Every).map_err(MergeError::Other)?;
    if let (Some(ours), Some(theirs)) = (kit.words(), other.words())
        && kit.id() != other.id()
    {
        return Err(MergeError::TwoKits { ours, theirs });
    }
    let mut merged = Merged::default();
    // Files first: a record never comes to name a file that this copy lacks.
    take_policies(kit, &other, &mut merged)?;
    take_sealed(kit, &other, &mut merged)?;
    for theirs in other.journal.chains() {
        if theirs.check().is_err() {
            merged.damaged.push(theirs.name().to_owned());
        }
        take_chain(kit, theirs, &mut merged)?;
    }
    Ok(merged)
}

/// Whether this is a folder that was named by `--journal`: journals, and nothing else of a kit.
fn is_only_records(other: &Folder) -> Result<bool, FolderError> {
    let names = other.names(".")?;
    let has = |name: &str| names.iter().any(|found| found == name);
    Ok(!has("kit.toml") && !has("journal") && names.iter().any(|name| name.ends_with(".jws")))
}

fn take_chain(kit: &mut Kit, theirs: &Chain, merged: &mut Merged) -> Result<(), MergeError> {
    let name = theirs.name();
    // A file under another name than its records': named among the damaged, and nobody's journal.
    if theirs.head().is_some_and(|record| record.chain_name() != name) {
        return Ok(());
    }
    let ours = kit.journal.chains().find(|chain| chain.name() == name);
    if let Some(ours) = ours
        && ours.check().is_err()
        && mend_chain(kit, ours, theirs, merged)?
    {
        return Ok(());
    }
    match ours.map_or(Relation::Shorter(0), |ours| ours.compare(theirs)) {
        Relation::Equal | Relation::Longer(_) => {}
        Relation::Shorter(_) => {
            let mut last = kit.journal.last(name);
            for record in theirs.records() {
                if last.is_some_and(|(seq, _)| record.link.seq <= seq) {
                    continue;
                }
                // What lies beyond a damaged place of theirs would make a gap of ours.
                if record.link.prev != last.map(|(_, hash)| hash) {
                    break;
                }
                kit.append(name, record)?;
                last = Some((record.link.seq, record.hash()));
                merged.records += 1;
            }
        }
        Relation::Fork { .. } => {
            let bytes: Vec<u8> =
                theirs.lines().iter().flat_map(|line| [line.bytes(), b"\n"].concat()).collect();
            let path = kit.folder.journal().join(format!("{name}{FORK}{}.jws", Hash::of(&bytes).short()));
            if !path.exists() {
                crate::kit::folder::write_whole(&path, &bytes)?;
            }
            merged.forks.push(name.to_owned());
        }
    }
    Ok(())
}

/// Fills what is damaged or missing in our journal with what theirs has whole. Ours is kept beside it as it was. Answers
/// whether there was anything to fill.
fn mend_chain(kit: &Kit, ours: &Chain, theirs: &Chain, merged: &mut Merged) -> Result<bool, MergeError> {
    if matches!(ours.compare(theirs), Relation::Fork { .. }) {
        return Ok(false);
    }
    let mut all: BTreeMap<u64, &Record> = theirs.records().map(|r| (r.link.seq, r)).collect();
    all.extend(ours.records().map(|r| (r.link.seq, r)));
    let more = all.len() - ours.records().count();
    if more == 0 {
        return Ok(false);
    }
    let name = ours.name();
    let before: Vec<u8> = ours.lines().iter().flat_map(|line| [line.bytes(), b"\n"].concat()).collect();
    let after: Vec<u8> = all.values().flat_map(|record| [record.bytes(), b"\n"].concat()).collect();
    // It must be better than it was: a line of a newer version, say, is not given up for others.
    let mended = Chain::read(name, &after, Depth::Every);
    let lost = ours.lines().iter().filter(|line| line.intact().is_none()).any(|line| !was_changed(line));
    if lost || mended.check().is_err() {
        return Ok(false);
    }
    let journal = kit.folder.journal();
    let aside = journal.join(format!("{name}{DAMAGED}{}", Hash::of(&before).short()));
    crate::kit::folder::write_whole(&aside, &before)?;
    crate::kit::folder::write_whole(&journal.join(format!("{name}.jws")), &after)?;
    merged.records += more as u64;
    merged.mended.push(format!("journal/{name}.jws"));
    Ok(true)
}

/// Whether a damaged line holds nothing that the key has signed and another copy could lack.
fn was_changed(line: &Verdict) -> bool {
    match line {
        Verdict::Intact(_) => false,
        Verdict::Damaged(damage) => match damage.why {
            Fault::NotARecord(_) | Fault::Changed | Fault::Repeated(_) | Fault::OutOfOrder { .. } => true,
            Fault::Unreadable(_)
            | Fault::Unverifiable
            | Fault::NeverSigned
            | Fault::Foreign(_)
            | Fault::SameSeq { .. } => false,
        },
    }
}

fn take_policies(kit: &Kit, other: &Kit, merged: &mut Merged) -> Result<(), MergeError> {
    for name in other.folder.names("policy")? {
        let path = format!("policy/{name}");
        let Some(bytes) = other.folder.read(&path)? else { continue };
        // A policy's name is its hash: other bytes under it are not the policy.
        if policy_path(&Hash::of(&bytes)) == path {
            take_file(kit, &path, &bytes, merged)?;
        }
    }
    Ok(())
}

fn take_sealed(kit: &Kit, other: &Kit, merged: &mut Merged) -> Result<(), MergeError> {
    for (name, credential) in &other.credentials {
        for generation in &credential.generations {
            let folder = credentials::folder(name, generation);
            for (file, hash) in &generation.facts.files {
                let path = format!("{folder}/{file}");
                match other.folder.read(&path)? {
                    Some(bytes) if Hash::of(&bytes) == *hash => take_file(kit, &path, &bytes, merged)?,
                    _ => {}
                }
            }
        }
    }
    Ok(())
}

/// Writes a file whose bytes were checked, unless it is there; what is there with other bytes was damaged and is mended.
fn take_file(kit: &Kit, path: &str, bytes: &[u8], merged: &mut Merged) -> Result<(), MergeError> {
    match kit.folder.read(path)? {
        Some(ours) if ours == bytes => return Ok(()),
        Some(_) => merged.mended.push(path.to_owned()),
        None => {}
    }
    kit.folder.write_new(path, bytes)?;
    merged.files += 1;
    Ok(())
}
