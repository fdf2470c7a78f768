//! When a job is due: the computation, its table, and the jobs there are.

pub(crate) mod flow;
pub(crate) mod model;
pub(crate) mod seeds;
pub(crate) mod store;
