//! The whole system of real processes. Build it first: `cargo build -p ferrex`. The tests take turns by themselves,
//! since each system is many processes.

mod away;
mod kills;
mod schemathesis;
mod shapes;
