//! The text file that says which lines were set aside. The ledger holds their bytes.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::audit::ledger::SetAside;
use crate::audit::report::words::visible;
use crate::cli::audit::trouble::Trouble;

/// How it begins, so that nothing is ever added to a file of another kind: a bundle is evidence.
const FIRST: &str = "breakglass-audit set these lines aside, as SOURCE:LINE: WHY: BEGINNING\n";

/// Made, or opened, with the first line that there is to say.
pub(super) struct Quarantine {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    failed: Option<io::Error>,
}

impl Quarantine {
    /// Writes nothing yet, but refuses a file that is there and is none of ours.
    pub(super) fn new(path: PathBuf) -> Result<Self, Trouble> {
        // To open what is no regular file could wait for ever, and it holds no evidence.
        let regular = fs::metadata(&path).is_ok_and(|about| about.is_file());
        match regular.then(|| File::open(&path).and_then(|mut file| begins(&mut file))) {
            Some(Ok(Begins::Other)) => Err(Trouble::Refused(format!(
                "{} is there, and is no file that says which lines were set aside: nothing is added to it. name another --quarantine",
                visible(&path.display().to_string())
            ))),
            // What is not there is made; whatever else is wrong with it is told once there is something to write.
            _ => Ok(Quarantine { path, file: None, failed: None }),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn put(&mut self, line: &SetAside) {
        if self.failed.is_none()
            && let Err(error) = self.write(line)
        {
            self.failed = Some(error);
        }
    }

    fn write(&mut self, line: &SetAside) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let mut file = File::options().read(true).create(true).append(true).open(&self.path)?;
                let begins = begins(&mut file)?;
                let file = none.insert(BufWriter::new(file));
                match begins {
                    Begins::Empty => file.write_all(FIRST.as_bytes())?,
                    Begins::Ours => {}
                    Begins::Other => return Err(io::Error::other("it is a file of another kind")),
                }
                file
            }
        };
        let begins = String::from_utf8_lossy(&line.bytes[..line.bytes.len().min(100)]).replace('\n', "\\n");
        let text = format!("{}:{}: {}: {begins}", line.source, line.line, line.why);
        writeln!(file, "{}", visible(&text))
    }

    /// The file, if there was anything to say.
    pub(super) fn end(mut self) -> Result<Option<PathBuf>, Trouble> {
        let flushed = self.file.as_mut().map_or(Ok(()), Write::flush);
        match self.failed.or(flushed.err()) {
            Some(error) => Err(Trouble::File { path: self.path, error }),
            None => Ok(self.file.is_some().then_some(self.path)),
        }
    }
}

enum Begins {
    Empty,
    Ours,
    Other,
}

/// How a file begins. What is no regular file (a terminal, `/dev/null`) holds no evidence.
fn begins(file: &mut File) -> io::Result<Begins> {
    if !file.metadata()?.is_file() {
        return Ok(Begins::Ours);
    }
    let mut bytes = Vec::new();
    file.take(FIRST.len() as u64).read_to_end(&mut bytes)?;
    Ok(match FIRST.as_bytes().starts_with(&bytes) {
        true if bytes.is_empty() => Begins::Empty,
        true => Begins::Ours, // perhaps cut off by a full disk
        false => Begins::Other,
    })
}
