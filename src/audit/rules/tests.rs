//! Each rule by an example that passes and one that does not.
