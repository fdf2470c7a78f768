//! Choosing a new password: without the old one by mail, or with it when logged in.

mod flow;

pub use flow::{NewPassword, Requested, change, confirm, request};
