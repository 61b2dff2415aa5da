//! Signed records: one event each, chained per key.

pub mod event;
pub mod hash;
