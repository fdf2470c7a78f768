//! What payment knows of people: level, freeze, user name, and which sessions have ended.

pub mod model;
pub mod store;

pub use model::Customer;
