//! Process hardening: no core dump, not traceable, files made here are the owner's alone.
#![allow(unsafe_code)]
