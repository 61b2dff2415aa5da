//! PINs, PUKs and secrets stay inside: canaries of each go through every verb, over real pcscd, and are looked for in
//! whatever the program says, writes, sends and leaves behind. With it: the only sockets that are ever opened are the
//! machine's own.

#[path = "support/pcsc.rs"]
mod pcsc;
#[path = "support/real.rs"]
mod real;

#[path = "secrets_stay_inside/canary.rs"]
mod canary;
#[path = "secrets_stay_inside/trace.rs"]
mod trace;
#[path = "secrets_stay_inside/verbs.rs"]
mod verbs;
#[path = "secrets_stay_inside/waiting.rs"]
mod waiting;
