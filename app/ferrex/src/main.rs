//! The ferrex binary.
fn main() {}
