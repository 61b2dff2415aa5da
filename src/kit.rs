//! kit

pub mod sealed;
