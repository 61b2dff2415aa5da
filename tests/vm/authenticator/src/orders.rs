//! Orders to a key that runs, one a connection, each answered with one line:
//!
//! ```text
//! touch give | touch withhold     whether the key is touched when it waits for it; giving also ends a wait
//! touch late                      ends a wait as if its time had come
//! wait                            answers when the key waits for a touch (gives up after 120 s)
//! unplug | plug                   out of its port and in again, with all that a loss of power means
//! port                            the port that it is in: 1 is the first of the virtual host controller
//! spoil HOW [COMMAND] | honest    answers to COMMAND (make, assert, pin, info, any; assert if not said) go out spoilt
//! counts                          how many of each command came in; `pin-tries` are those that carried a PIN
//! end                             ends the program
//! ```

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::ctaphid::Line;
use crate::hostile::Reply;

const PATIENCE: Duration = Duration::from_secs(120); // two guests and more may share two cores

const MAKE_CREDENTIAL: u8 = 0x01;
const GET_ASSERTION: u8 = 0x02;
const GET_INFO: u8 = 0x04;
const CLIENT_PIN: u8 = 0x06;

/// The port that the key is in or out of, and what it was told.
pub(crate) struct Port {
    now: Mutex<Now>,
    changed: Condvar,
}

struct Now {
    wanted_in: bool,
    line: Option<Arc<Line>>,
    touches: bool,
    spoil: Option<(Reply, Option<u8>)>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    make: u32,
    assert: u32,
    info: u32,
    key_agreement: u32,
    pin_tries: u32,
    pin_set: u32,
}

impl Port {
    pub(crate) fn new(plugged_in: bool) -> Self {
        let now =
            Now { wanted_in: plugged_in, line: None, touches: true, spoil: None, counts: Counts::default() };
        Port { now: Mutex::new(now), changed: Condvar::new() }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wait_until_plugged_in(&self) {
        let _in =
            self.changed.wait_while(self.now(), |now| !now.wanted_in).unwrap_or_else(PoisonError::into_inner);
    }

    pub(crate) fn is_in(&self, line: &Arc<Line>) {
        let mut now = self.now();
        line.set_touches(now.touches);
        now.line = Some(Arc::clone(line));
        self.changed.notify_all();
    }

    pub(crate) fn is_out(&self) {
        self.now().line = None;
        self.changed.notify_all();
    }

    /// Takes the key out, and returns when it has lost its power.
    pub(crate) fn unplug(&self) {
        let mut now = self.now();
        now.wanted_in = false;
        if let Some(line) = &now.line {
            line.device.unplug();
        }
    }

    /// Counts a command.
    pub(crate) fn count(&self, message: &[u8]) {
        let counts = &mut self.now().counts;
        match (message.first(), subcommand(message)) {
            (Some(&MAKE_CREDENTIAL), _) => counts.make += 1,
            (Some(&GET_ASSERTION), _) => counts.assert += 1,
            (Some(&GET_INFO), _) => counts.info += 1,
            (Some(&CLIENT_PIN), Some(2)) => counts.key_agreement += 1,
            (Some(&CLIENT_PIN), Some(3)) => counts.pin_set += 1,
            (Some(&CLIENT_PIN), Some(4 | 5 | 9)) => counts.pin_tries += 1, // change, token, token with permissions
            _ => {}
        }
    }

    /// What is to be done to the answer to this command.
    pub(crate) fn spoil_of(&self, message: &[u8]) -> Option<Reply> {
        let (reply, command) = self.now().spoil?;
        command.is_none_or(|command| message.first() == Some(&command)).then_some(reply)
    }

    fn obey(&self, order: &str) -> Result<String, String> {
        let words: Vec<&str> = order.split_whitespace().collect();
        match words[..] {
            ["touch", how @ ("give" | "withhold")] => {
                let mut now = self.now();
                now.touches = how == "give";
                if let Some(line) = &now.line {
                    line.set_touches(now.touches);
                }
                Ok(String::new())
            }
            ["touch", "late"] => {
                if let Some(line) = &self.now().line {
                    line.give_up_waiting();
                }
                self.until("the key goes on waiting", |now| {
                    now.line.as_ref().is_none_or(|line| !line.waits_for_touch())
                })
            }
            ["wait"] => self.until("the key does not wait for a touch", |now| {
                now.line.as_ref().is_some_and(|line| line.waits_for_touch())
            }),
            ["unplug"] => {
                self.unplug();
                self.until("the key does not come out", |now| now.line.is_none())
            }
            ["plug"] => {
                self.now().wanted_in = true;
                self.changed.notify_all();
                self.until("the key does not go in", |now| now.line.is_some())
            }
            ["port"] => match &self.now().line {
                Some(line) => Ok((line.device.port + 1).to_string()),
                None => Err("the key is not plugged in".to_owned()),
            },
            ["honest"] => {
                self.now().spoil = None;
                Ok(String::new())
            }
            ["spoil", how] => self.obey(&format!("spoil {how} assert")),
            ["spoil", how, command] => {
                let reply = Reply::parse(how).ok_or(format!("no way to spoil: {how}"))?;
                let command = match command {
                    "make" => Some(MAKE_CREDENTIAL),
                    "assert" => Some(GET_ASSERTION),
                    "info" => Some(GET_INFO),
                    "pin" => Some(CLIENT_PIN),
                    "any" => None,
                    _ => return Err(format!("no such command: {command}")),
                };
                self.now().spoil = Some((reply, command));
                Ok(String::new())
            }
            ["counts"] => {
                let Counts { make, assert, info, key_agreement, pin_tries, pin_set } = &self.now().counts;
                let mut said = String::new();
                let _ = write!(
                    said,
                    "make={make} assert={assert} info={info} key-agreements={key_agreement} pin-tries={pin_tries} \
                     pin-set={pin_set}"
                ); // a string takes everything
                Ok(said)
            }
            _ => Err(format!("no such order: {order}")),
        }
    }

    fn until(&self, otherwise: &str, is: impl Fn(&Now) -> bool) -> Result<String, String> {
        let begun = Instant::now();
        while !is(&self.now()) {
            if begun.elapsed() > PATIENCE {
                return Err(otherwise.to_owned());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(String::new())
    }
}

/// The subcommand of clientPIN: member 2 of the map behind the command byte.
fn subcommand(message: &[u8]) -> Option<u8> {
    let map = ciborium::from_reader::<ciborium::Value, _>(message.get(1..)?).ok()?.into_map().ok()?;
    let (_, value) = map.into_iter().find(|(name, _)| *name == 2.into())?;
    value.as_integer()?.try_into().ok()
}

/// Takes orders until the order to end. One that waits holds up no other.
pub(crate) fn listen(socket: &Path, port: &Arc<Port>) -> Result<(), String> {
    let listener = UnixListener::bind(socket).map_err(|error| format!("{}: {error}", socket.display()))?;
    for connection in listener.incoming() {
        let mut connection = connection.map_err(|error| error.to_string())?;
        let mut order = String::new();
        BufReader::new(&connection).read_line(&mut order).map_err(|error| error.to_string())?;
        let end = order.trim() == "end";
        let port = Arc::clone(port);
        let obeyed = std::thread::spawn(move || {
            let answer = match port.obey(if end { "unplug" } else { order.trim() }) {
                Ok(answer) => format!("ok {answer}"),
                Err(error) => format!("error {error}"),
            };
            let _ = writeln!(connection, "{}", answer.trim_end()); // whoever asked may be gone
        });
        if end {
            let _ = obeyed.join(); // it has said what went wrong
            return std::fs::remove_file(socket).map_err(|error| error.to_string());
        }
    }
    Ok(())
}

/// Gives an order and prints the answer without its `ok`.
pub(crate) fn tell(words: &[String]) -> Result<(), String> {
    let (socket, order) = words.split_first().ok_or("tell whom?")?;
    let ask = || -> io::Result<String> {
        let mut connection = UnixStream::connect(socket)?;
        writeln!(connection, "{}", order.join(" "))?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().map_err(|error| format!("{socket}: {error}"))?;
    match answer.trim_end().strip_prefix("ok") {
        Some("") => Ok(()),
        Some(answer) => {
            println!("{}", answer.trim_start());
            Ok(())
        }
        None => Err(answer.trim_end().to_owned()),
    }
}
