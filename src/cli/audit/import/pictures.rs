//! `import --qr`: pictures of codes, and folders of them, as the bundles that they show.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::audit::qr::{QrError, Seen, picture};
use crate::audit::report::words::visible;
use crate::cli::audit::desk::AuditDesk;
use crate::cli::audit::trouble::Trouble;
use crate::record::codes::{Codes, FromCodes};

/// No picture of a camera is larger.
const LARGEST: u64 = 256 * 1024 * 1024;

/// Pictures with a code that cannot be read are named up to so many.
const NAMED: usize = 20;

/// Reads every picture, and says what they did not give.
pub(super) fn bundles(desk: &mut AuditDesk, paths: &[PathBuf]) -> Result<FromCodes, Trouble> {
    let mut codes = Codes::default();
    let (mut pictures, mut doubles, mut empty, mut passed_over) = (0, 0, 0, 0);
    let mut unreadable = Vec::new();
    for (path, named) in files(paths)? {
        let bytes = match bytes(&path) {
            // What the person named has to be there; of what a folder holds, the rest is read all the same.
            Err(Unread::File(error)) if named => return Err(Trouble::File { path, error }),
            bytes => bytes,
        };
        let seen = bytes.and_then(|bytes| picture(&bytes, &mut codes).map_err(Unread::Picture));
        pictures += 1;
        match seen {
            Ok(Seen { unreadable: 1.., .. }) => unreadable.push(path),
            Ok(Seen { new: 0, again: 0, .. }) => empty += 1,
            Ok(Seen { new: 0, .. }) => doubles += 1,
            Ok(_) => {}
            Err(error) => {
                passed_over += 1;
                desk.terminal.say(&format!("{}: {error}; passed over", shown(&path)));
            }
        }
    }
    for path in unreadable.iter().take(NAMED) {
        desk.terminal.say(&format!("{}: a code in it cannot be read", shown(path)));
    }
    let mut from = codes.finish();
    // A bundle that has its end shows by itself whether such a code was read in another picture.
    let unknown = if from.together && !from.ended { unreadable.len() } else { 0 };
    from.unread = passed_over + unknown;
    desk.terminal.say(&format!(
        "{pictures} pictures, {} of them with a code that cannot be read, {empty} without a code, {doubles} with no code that was not \
         read before, {passed_over} passed over: {} bundles",
        unreadable.len(),
        from.bundles.len()
    ));
    say_missing(desk, &from);
    Ok(from)
}

/// What the codes that were read show to be missing.
fn say_missing(desk: &mut AuditDesk, from: &FromCodes) {
    for (read, of) in &from.incomplete {
        desk.terminal.say(&format!(
            "a bundle is not complete: {read} of its {of} parts are known. photograph more codes and run the same with all pictures"
        ));
    }
    if let Some((read, of)) = from.short {
        desk.terminal.say(&format!(
            "{read} of {of} records were photographed. photograph the codes that were missed, and run the same with all pictures"
        ));
    }
    for error in &from.damaged {
        desk.terminal.say(&format!("a bundle came whole and cannot be read: {error}"));
    }
    if from.strangers > 0 {
        desk.terminal.say(&format!("{} codes of something else", from.strangers));
    }
}

/// Why a picture gives nothing.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error("{0}")]
    File(io::Error),
    #[error("too large for a picture")]
    Large,
    #[error("a folder with the name of a picture; name it to have it read")]
    Folder,
    #[error(transparent)]
    Picture(QrError),
}

fn bytes(path: &Path) -> Result<Vec<u8>, Unread> {
    let found = fs::metadata(path).map_err(Unread::File)?;
    match () {
        () if found.is_dir() => Err(Unread::Folder),
        () if found.len() > LARGEST => Err(Unread::Large),
        () => fs::read(path).map_err(Unread::File),
    }
}

fn shown(path: &Path) -> String {
    visible(&path.display().to_string())
}

/// Files, and what is in folders, by name; and whether the person named it.
fn files(paths: &[PathBuf]) -> Result<Vec<(PathBuf, bool)>, Trouble> {
    let mut found = Vec::new();
    for path in paths {
        let failed = |error| Trouble::File { path: path.clone(), error };
        if path.is_dir() {
            let mut inside = Vec::new();
            for entry in fs::read_dir(path).map_err(failed)? {
                inside.push(entry.map_err(failed)?.path());
            }
            inside.retain(|path: &PathBuf| is_picture(path));
            inside.sort();
            found.extend(inside.into_iter().map(|path| (path, false)));
        } else {
            found.push((path.clone(), true));
        }
    }
    Ok(found)
}

fn is_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase);
    matches!(extension.as_deref(), Some("png" | "jpg" | "jpeg"))
}
