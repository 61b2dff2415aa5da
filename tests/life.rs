//! The whole product through the program itself, over real pcscd, with virtual YubiKeys whose root the kit names: what
//! people do with it from blank keys to the auditor's bundle, and each thing that goes wrong, with the message, the exit
//! code, and the PINs that were sent.

#[path = "support/pcsc.rs"]
mod pcsc;
#[path = "support/real.rs"]
mod real;
#[path = "stock_verifiers/run.rs"]
mod verifiers;

#[path = "life/hostile.rs"]
mod hostile;
#[path = "life/keys.rs"]
mod keys;
#[path = "life/medium.rs"]
mod medium;
#[path = "life/pins.rs"]
mod pins;
#[path = "life/removal.rs"]
mod removal;
#[path = "life/terminal.rs"]
mod terminal;
#[path = "life/whole.rs"]
mod whole;
