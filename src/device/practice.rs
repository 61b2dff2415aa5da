//! The practice key: a simulated key in a file, a state machine with PIN counters, policies, touch and attestation.
