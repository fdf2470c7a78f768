//! `core` over its HTTP routes and its messages, on a real PostgreSQL.

mod input;
mod login;
mod messages;
mod pages;
mod registration;
mod reset;
mod same_work;
mod schema;
mod second_factor;
mod sessions;
mod verification;
mod work;
mod world;
