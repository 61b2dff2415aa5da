//! `import --qr`: pictures of codes, and folders of them, as the bundles that they show.

use std::fs;
use std::path::{Path, PathBuf};

use crate::audit::qr::picture;
use crate::cli::audit::desk::AuditDesk;
use crate::cli::audit::trouble::Trouble;
use crate::record::codes::{Codes, FromCodes};

/// No picture of a camera is larger.
const LARGEST: u64 = 256 * 1024 * 1024;

/// Reads every picture, and says what they did not give.
pub(super) fn bundles(desk: &mut AuditDesk, paths: &[PathBuf]) -> Result<FromCodes, Trouble> {
    let mut codes = Codes::default();
    let (mut pictures, mut empty) = (0, 0);
    for path in files(paths)? {
        let failed = |error| Trouble::File { path: path.clone(), error };
        if fs::metadata(&path).map_err(failed)?.len() > LARGEST {
            desk.terminal.say(&format!("{}: too large for a picture; passed over", path.display()));
            continue;
        }
        pictures += 1;
        match picture(&fs::read(&path).map_err(failed)?, &mut codes) {
            Ok(0) => empty += 1,
            Ok(_) => {}
            Err(error) => desk.terminal.say(&format!("{}: {error}; passed over", path.display())),
        }
    }
    let from = codes.finish();
    desk.terminal.say(&format!(
        "{pictures} pictures, {empty} of them with no code that was not read before: {} bundles",
        from.bundles.len()
    ));
    for (read, of) in &from.incomplete {
        desk.terminal.say(&format!(
            "a bundle is not complete: {read} of its {of} parts are known. photograph more codes and run the same with all pictures"
        ));
    }
    for error in &from.damaged {
        desk.terminal.say(&format!("a bundle came whole and cannot be read: {error}"));
    }
    if from.strangers > 0 {
        desk.terminal.say(&format!("{} codes of something else", from.strangers));
    }
    Ok(from)
}

/// Files, and what is in folders, by name.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Trouble> {
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
            found.extend(inside);
        } else {
            found.push(path.clone());
        }
    }
    Ok(found)
}

fn is_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase);
    matches!(extension.as_deref(), Some("png" | "jpg" | "jpeg"))
}
