//! Starts the FIDO2 helper for one operation, and stands over it: what it may take, what it may say, how it may end.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::wire::{MAX_REPLY, MAX_REQUEST, Reply, Request, Work};

/// How the program is told that it is the helper.
pub const VERB: &str = "fido2-helper";

/// How long an ended helper may take to be gone; the kernel may hold it in a call to the key.
const TO_BE_GONE: Duration = Duration::from_secs(2);

/// How long an operation may take, by the clock on the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For what needs nobody.
    pub plain: Duration,
    /// For what waits for a touch; a key gives up by itself after 30 seconds or so.
    pub touch: Duration,
}

impl Default for Limits {
    /// 15 and 60 seconds.
    fn default() -> Self {
        Limits { plain: Duration::from_secs(15), touch: Duration::from_secs(60) }
    }
}

/// The program that is started for each operation.
#[derive(Debug, Clone)]
pub struct Helper {
    program: PathBuf,
    arguments: Vec<OsString>,
    limits: Limits,
}

/// Why the helper gave no reply.
#[derive(Debug, thiserror::Error)]
pub enum HelperError {
    /// It did not start.
    #[error("the FIDO2 helper cannot be started")]
    NotStarted(#[source] io::Error),
    /// The request is longer than it reads; nothing was started.
    #[error("a request of {0} bytes for the FIDO2 helper")]
    TooLong(usize),
    /// The limit passed, and it was ended.
    #[error("the FIDO2 helper did not finish within {0} s")]
    TimedOut(u64),
    /// The library gave up (a panic) on what the key answered.
    #[error("the FIDO2 library gave up on what the key answered")]
    GaveUp,
    /// It ended otherwise without success.
    #[error("the FIDO2 helper ended without a reply ({0})")]
    Ended(ExitStatus),
    /// What it said is not one reply to that request.
    #[error("the FIDO2 helper said {0}")]
    Garbage(&'static str),
}

impl Helper {
    /// This very program, whatever lies at its path by now.
    pub fn this_program() -> Self {
        Helper::new("/proc/self/exe", [VERB], Limits::default())
    }

    /// Another program, that takes the request on stdin and writes the reply to stdout.
    pub fn new<A: Into<OsString>>(
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = A>,
        limits: Limits,
    ) -> Self {
        Helper { program: program.into(), arguments: arguments.into_iter().map(Into::into).collect(), limits }
    }

    /// How long that may take.
    pub fn limit(&self, work: &Work) -> Duration {
        if work.touches() { self.limits.touch } else { self.limits.plain }
    }

    /// One operation on the key at that node. The helper is gone when this returns, whatever it did.
    ///
    /// # Errors
    /// [`HelperError`]: what became of the key in between cannot be told, and nothing is tried again.
    pub fn ask(&self, node: &Path, work: Work) -> Result<Reply, HelperError> {
        let limit = self.limit(&work);
        let id = getrandom::u64().map_err(|error| HelperError::NotStarted(error.into()))?;
        let request = Request { id, path: node.to_string_lossy().into_owned(), work };
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_REQUEST)); // never grown, so never copied
        serde_json::to_writer(&mut *bytes, &request)
            .map_err(|error| HelperError::NotStarted(error.into()))?;
        drop(request);
        if bytes.len() > MAX_REQUEST {
            return Err(HelperError::TooLong(bytes.len()));
        }
        let deadline = Instant::now() + limit;
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .arg0("breakglass")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(HelperError::NotStarted)?;
        let mut child = Ending(child);
        let said = child.exchange(bytes, deadline).ok_or(HelperError::TimedOut(limit.as_secs()))??;
        if said.len() > MAX_REPLY {
            return Err(HelperError::Garbage("more than a reply can be"));
        }
        let status = child.status(deadline).ok_or(HelperError::TimedOut(limit.as_secs()))?;
        match (status.code(), status.signal()) {
            (Some(0), _) => reply(&said, id),
            // A panic, with unwinding and with `panic = "abort"`.
            (Some(101), _) | (_, Some(6)) => Err(HelperError::GaveUp),
            _ => Err(HelperError::Ended(status)),
        }
    }
}

fn reply(said: &[u8], id: u64) -> Result<Reply, HelperError> {
    let reply: Reply =
        serde_json::from_slice(said).map_err(|_| HelperError::Garbage("something that is not one reply"))?;
    if reply.id != id {
        return Err(HelperError::Garbage("the reply to another request"));
    }
    Ok(reply)
}

/// A child that does not outlive this value, as far as the kernel lets go of it.
struct Ending(Child);

impl Ending {
    /// Writes all, and reads until the other end is closed or has said too much. `None` if the time is over.
    ///
    /// Each in a thread of its own, because the other end may read nothing, or hand its descriptors to somebody else who
    /// stays. A thread that is left behind ends with its pipe.
    fn exchange(
        &mut self,
        request: Zeroizing<Vec<u8>>,
        deadline: Instant,
    ) -> Option<Result<Zeroizing<Vec<u8>>, HelperError>> {
        let (mut input, mut output) = (self.0.stdin.take()?, self.0.stdout.take()?);
        let (tell, told) = channel();
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let writer = thread("fido2 request").spawn(move || {
            // Who does not read it will not answer it either.
            let _ = input.write_all(&request);
        });
        let reader = thread("fido2 reply").spawn(move || {
            let _ = tell.send(read(&mut output));
        });
        if let Err(error) = writer.and(reader) {
            return Some(Err(HelperError::NotStarted(error)));
        }
        let said = told.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()?;
        Some(said.map_err(|_| HelperError::Garbage("nothing that can be read")))
    }

    /// How it ended; `None` if it has not by then.
    fn status(&mut self, deadline: Instant) -> Option<ExitStatus> {
        let mut pause = Duration::from_micros(200);
        loop {
            if let Ok(Some(status)) = self.0.try_wait() {
                return Some(status);
            }
            if Instant::now() >= deadline {
                return None;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        let _ = self.0.kill();
        let _ = self.status(Instant::now() + TO_BE_GONE);
    }
}

/// At most one byte more than a reply may have.
fn read(output: &mut impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; MAX_REPLY + 1]); // never grown, so never copied
    let mut length = 0;
    while length < bytes.len() {
        match output.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

#[cfg(test)]
mod tests;
