//! Work that cron's ticks ask for.

pub(crate) mod ledger_audit;
