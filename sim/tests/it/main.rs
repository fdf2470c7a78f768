//! Seeds that must hold, and planted bugs that must be found.

#[cfg(feature = "planted")]
mod planted;
mod seeds;
