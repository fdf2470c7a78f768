//! Inbound events: signature, storing, forwarding.

pub(crate) mod error;
pub(crate) mod flow;
pub(crate) mod model;
pub(crate) mod receive;
pub(crate) mod signature;
pub(crate) mod store;
