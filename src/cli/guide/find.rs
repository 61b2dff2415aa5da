//! Where a kit could be: the current folder and those above it, and media that are mounted where desktops mount them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// So many folders of one medium are looked into: a kit lies at its top or one below.
const MOST: usize = 256;

/// Folders that hold media, and how deep: `/media/ada/STICK`, `/mnt/stick`.
pub(super) const MEDIA: [(&str, usize); 3] = [("/media", 2), ("/run/media", 2), ("/mnt", 1)];

/// Every kit that is found, in the order of looking, each folder once whatever ways lead there.
pub(super) fn kits(current: &Path, media: &[(&Path, usize)]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut known = BTreeSet::new();
    let mut look = |folder: PathBuf| {
        if is_kit(&folder) && known.insert(folder.canonicalize().unwrap_or_else(|_| folder.clone())) {
            found.push(folder);
        }
    };
    current.ancestors().map(Path::to_owned).for_each(&mut look);
    for (folder, depth) in media {
        let mut mounted = vec![folder.to_path_buf()];
        for _ in 0..*depth {
            mounted = mounted.iter().flat_map(|folder| folders(folder)).collect();
        }
        for medium in mounted {
            let below = folders(&medium);
            look(medium);
            below.into_iter().for_each(&mut look);
        }
    }
    found
}

/// What [`kits`] looks at, in words.
pub(super) fn places(current: &Path) -> String {
    let media: Vec<String> =
        MEDIA.iter().map(|(folder, depth)| format!("{folder}{}", "/*".repeat(*depth))).collect();
    format!("{} and the folders above it, {}", current.display(), media.join(", "))
}

/// As [`crate::kit::Kit::read`] tells a kit from another folder.
fn is_kit(folder: &Path) -> bool {
    let journal = || std::fs::read_dir(folder.join("journal")).into_iter().flatten().flatten();
    folder.join("kit.toml").is_file()
        || journal().any(|entry| entry.path().extension().is_some_and(|ending| ending == "jws"))
}

/// The folders in a folder, sorted; links are not followed. What cannot be read holds none.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(MOST);
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kit_is_found_above_and_on_every_medium_and_named_once() {
        let place = tempfile::tempdir().unwrap();
        let at = |path: &str| place.path().join(path);
        for folder in
            ["home/kit/sealed/core-db", "media/ada/STICK", "media/ada/OTHER/kit/journal", "mnt/empty"]
        {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        std::fs::write(at("home/kit/kit.toml"), "").unwrap();
        std::fs::write(at("media/ada/STICK/kit.toml"), "").unwrap();
        // kit.toml may be lost; a folder that is only called so is no kit.
        std::fs::write(at("media/ada/OTHER/kit/journal/1-ab.jws"), "").unwrap();
        std::fs::create_dir_all(at("mnt/empty/kit.toml")).unwrap();
        let (media, mnt) = (at("media"), at("mnt"));
        let media = [(media.as_path(), 2), (mnt.as_path(), 1), (Path::new("/nowhere"), 2)];
        let found = kits(&at("home/kit/sealed/core-db"), &media);
        assert_eq!(found, [at("home/kit"), at("media/ada/OTHER/kit"), at("media/ada/STICK")]);
        assert_eq!(kits(&at("media/ada/STICK"), &media), [at("media/ada/STICK"), at("media/ada/OTHER/kit")]);
        assert!(kits(&at("mnt/empty"), &media[1..]).is_empty());
    }
}
