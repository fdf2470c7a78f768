//! Jobs, each set going by a tick of cron.

pub(crate) mod delivery_retry;
