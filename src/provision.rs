//! provision
pub mod certificate;
pub mod management;
pub mod marker;
