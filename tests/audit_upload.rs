//! Records on their way: `push` against our own receiver, a strict one of others, and sloppy ones; killed at any moment; and what
//! a station that cannot be trusted can do.

use breakglass::attestation;
use breakglass::record::{event, hash, token};

#[path = "upload/by_hand.rs"]
mod by_hand;
#[path = "upload/homeward.rs"]
mod homeward;
#[path = "upload/killed.rs"]
mod killed;
#[path = "support/postgres.rs"]
#[allow(dead_code, reason = "shared between test programs")]
mod postgres;
#[path = "upload/receipts.rs"]
mod receipts;
#[path = "../src/record/sample.rs"]
mod sample;
#[path = "upload/secured.rs"]
mod secured;
#[path = "upload/shared.rs"]
mod shared;
#[path = "upload/site.rs"]
mod site;
#[path = "upload/sloppy.rs"]
mod sloppy;
#[path = "upload/strict.rs"]
mod strict;
#[path = "support/tools.rs"]
#[allow(dead_code, reason = "each test takes what it needs")]
mod tools;
