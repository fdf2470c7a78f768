//! A delivery: one mail to one person, from the log row to the server's yes.

mod flow;
mod model;
pub(crate) mod store;

pub(crate) use flow::{Deliveries, NewDelivery};
