//! Virtual YubiKeys for the tests: the simulated key behind vpcd, the virtual reader of the vsmartcard project, so that
//! real PC/SC programs meet it.
//!
//! ```text
//! virtual_yubikey --folder DIR [--key PORT:SERIAL:PROFILE[:out] …] [--root CERT.pem KEY.pem] [--atr usb|nfc]
//! ```
//!
//! Each key lives in `DIR/SERIAL.key` and is made there if it is not, certified by the root that is given, or by the
//! practice CA. vpcd listens on PORT of the loopback interface, and a key that is plugged in connects to it. Keys may
//! share a port, as they share one in life, if all but one are `out`.
//! Orders come as lines on standard input and each is answered with one line, `ok …` or `error …`, on standard output
//! (`help` lists them); the end of input is the end of the program. It is no part of what ships: the library never
//! opens a socket.

mod arguments;
mod orders;
mod reader;

use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::thread;

use breakglass::device::practice::{PracticeReaders, Surroundings};

use arguments::Arguments;
use reader::Slot;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => return fail(&error),
    };
    match plug_in(&arguments) {
        Ok(slots) => {
            obey(&slots);
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error),
    }
}

/// Opens or makes each key and starts a thread that keeps it connected to its reader.
fn plug_in(arguments: &Arguments) -> Result<Vec<Slot>, String> {
    let mut slots = Vec::new();
    for wanted in &arguments.keys {
        // Of its own for each reader: a copy of a key is another card, with an application selected of its own.
        let mut readers = PracticeReaders::new(&arguments.folder, Surroundings::of_this_machine());
        let key = match readers.key(wanted.serial) {
            Ok(key) => key,
            Err(_) => arguments
                .create(&mut readers, wanted)
                .map_err(|error| format!("cannot make key {}: {error}", wanted.serial))?,
        };
        if wanted.out {
            key.remove().map_err(|error| format!("cannot write key {}: {error}", wanted.serial))?;
        }
        let slot = Slot::new(key, wanted.port, arguments.atr);
        let served = slot.clone();
        thread::spawn(move || served.serve());
        slots.push(slot);
    }
    Ok(slots)
}

/// Takes orders until there are no more.
fn obey(slots: &[Slot]) {
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        let answer = match orders::obey(slots, &line) {
            Ok(answer) => format!("ok {answer}"),
            Err(error) => format!("error {error}"),
        };
        let mut out = io::stdout().lock();
        if writeln!(out, "{}", answer.trim_end()).and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

fn fail(error: &str) -> ExitCode {
    // Nobody is left to tell if this does not get through.
    let _ = writeln!(io::stderr(), "virtual_yubikey: {error}");
    ExitCode::from(2)
}
