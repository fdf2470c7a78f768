//! Benchmarks beside a peer or a limit, in one run. The method is R1 to R8 of docs/PERFORMANCE.md.
//!
//! A benchmark is a module with a `run`; `make bench` runs them all in release. Each prints its pairs, the median and
//! the minimum of the ratio, and no figure at all when its result is wrong.
//!
//! To add one: 1. a module with `run`, built on [`pairs::compare`] with [`cpu::Meter`] around what is measured and with a
//! check of the result, 2. its line in `main.rs`, 3. its row in docs/PERFORMANCE.md.

pub mod cpu;
pub mod effort;
pub mod engine;
pub mod footprint;
pub mod http;
pub mod latency;
pub mod ledger;
pub mod matching;
pub mod messages;
pub mod open_loop;
pub mod orders;
pub mod pairs;
pub mod probe;
pub mod program;
pub mod start;
pub mod window;
