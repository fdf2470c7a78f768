//! Passwords: which are accepted, and how they are hashed without letting a crowd of log-ins take the machine down.

mod hasher;
mod model;

pub use hasher::{HasherConfig, HasherError, PasswordHasher};
pub use model::{Password, PasswordContext, PasswordError};
