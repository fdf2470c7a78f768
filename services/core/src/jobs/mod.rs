//! What is done from time to time.

pub mod cleanup;
