//! The jobs that exist from the first start. Staff may change the schedule of a job; a restart leaves it alone.

use super::model::CatchUp;

/// Holds whose time is over are expired. Done by payment.
pub const HOLD_EXPIRY: &str = "hold_expiry";
/// Orders whose time is over are expired, those without an answer decided. Done by payment.
pub const ORDER_EXPIRY: &str = "order_expiry";
/// People's fee tiers follow what they have traded in 30 days. Done by payment.
pub const FEE_TIERS: &str = "fee_tiers";
/// The ledger's invariants are recomputed from the journal. Done by payment.
pub const LEDGER_AUDIT: &str = "ledger_audit";
/// Sessions, codes and tokens that are over are forgotten. Done by core.
pub const SESSION_CLEANUP: &str = "session_cleanup";
/// Deliveries that wait are tried again. Done by notifications.
pub const DELIVERY_RETRY: &str = "delivery_retry";

/// A job before anybody changed it.
pub(crate) struct Seed {
    pub(crate) job: &'static str,
    pub(crate) expression: &'static str,
    pub(crate) catch_up: CatchUp,
}

/// None of these jobs gains anything by running once for each missed minute.
pub(crate) const SEEDS: [Seed; 6] = [
    Seed {
        job: HOLD_EXPIRY,
        expression: "*/10 * * * * *",
        catch_up: CatchUp::RunOnce,
    },
    Seed {
        job: ORDER_EXPIRY,
        expression: "*/5 * * * * *",
        catch_up: CatchUp::RunOnce,
    },
    Seed {
        job: FEE_TIERS,
        expression: "*/10 * * * *",
        catch_up: CatchUp::RunOnce,
    },
    Seed {
        job: LEDGER_AUDIT,
        expression: "* * * * *",
        catch_up: CatchUp::RunOnce,
    },
    Seed {
        job: SESSION_CLEANUP,
        expression: "7 * * * *",
        catch_up: CatchUp::RunOnce,
    },
    Seed {
        job: DELIVERY_RETRY,
        expression: "*/30 * * * * *",
        catch_up: CatchUp::RunOnce,
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedules::model::Expression;

    #[test]
    fn every_seed_is_a_schedule() {
        for seed in SEEDS {
            assert!(Expression::parse(seed.expression).is_ok(), "{}", seed.job);
        }
    }
}
