//! Starts what development needs.
fn main() {}
