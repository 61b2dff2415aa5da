//! A security key for the guest of `tests/vm.rs`: a CTAP 2.1 authenticator on a USB device of the guest's own kernel.
//!
//! ```text
//! authenticator serve --state FILE --orders SOCKET [--counter step|random] [--product 0402|0406|0407] [--card PORT] [--out]
//! authenticator tell SOCKET ORDER…
//! ```
//!
//! `serve` is one key. What it remembers without power lies in FILE; credentials, counter and PIN survive it and every
//! unplugging. `tell` gives it an order and prints the answer; `orders.rs` lists them. It ends on the order `end`.

mod ccid;
mod ctaphid;
mod descriptors;
mod hostile;
mod key;
mod orders;
mod usb;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let outcome = match arguments.next().as_deref() {
        Some("serve") => Setup::parse(arguments).and_then(serve),
        Some("tell") => orders::tell(&arguments.collect::<Vec<_>>()),
        _ => Err("serve or tell?".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("authenticator: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What a key is from its making.
struct Setup {
    state: PathBuf,
    orders: PathBuf,
    counter: key::Counter,
    product: descriptors::Product,
    card: Option<u16>,
    plugged_in: bool,
}

impl Setup {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut state, mut orders) = (None, None);
        let (mut counter, mut product) = (key::Counter::Step, descriptors::Product::Fido);
        let (mut card, mut plugged_in) = (None, true);
        while let Some(option) = arguments.next() {
            if option == "--out" {
                plugged_in = false;
                continue;
            }
            let value = arguments.next().ok_or(format!("{option} without a value"))?;
            match (option.as_str(), value.as_str()) {
                ("--state", path) => state = Some(path.into()),
                ("--orders", path) => orders = Some(path.into()),
                ("--counter", "step") => counter = key::Counter::Step,
                ("--counter", "random") => counter = key::Counter::Random,
                ("--product", "0402") => product = descriptors::Product::Fido,
                ("--product", "0406") => product = descriptors::Product::FidoCard,
                ("--product", "0407") => product = descriptors::Product::OtpFidoCard,
                ("--card", port) => card = Some(port.parse().map_err(|_| format!("no port: {port}"))?),
                _ => return Err(format!("unknown: {option} {value}")),
            }
        }
        let state = state.ok_or("--state FILE is missing")?;
        let orders = orders.ok_or("--orders SOCKET is missing")?;
        Ok(Setup { state, orders, counter, product, card, plugged_in })
    }
}

fn serve(setup: Setup) -> Result<(), String> {
    let card = setup
        .card
        .map(ccid::Card::listen)
        .transpose()
        .map_err(|error| format!("the card's port: {error}"))?;
    let port = Arc::new(orders::Port::new(setup.plugged_in));
    let owner = Arc::clone(&port);
    std::thread::spawn(move || {
        loop {
            owner.wait_until_plugged_in();
            key::while_plugged_in(&setup.state, setup.counter, |power| {
                if let Err(error) = ctaphid::connect(&owner, setup.product, card.as_ref(), power) {
                    eprintln!("authenticator: {error}");
                    owner.unplug();
                }
            });
            owner.is_out();
        }
    });
    orders::listen(&setup.orders, &port)
}
