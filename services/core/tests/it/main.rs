//! `core` over its HTTP routes and its messages, on a real PostgreSQL.

mod input;
mod login;
mod messages;
mod registration;
mod reset;
mod schema;
mod second_factor;
mod sessions;
mod timing;
mod verification;
mod world;
