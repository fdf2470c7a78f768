//! What every part of this service works with.

use std::sync::Arc;

use ferrex_bus::Bus;
use ferrex_engine_client::EngineClient;
use ferrex_flows::Runner;
use ferrex_postgres::Db;
use ferrex_runtime::Readiness;
use ferrex_time::SharedClock;
use ferrex_web::TokenVerifier;

use crate::Config;
use crate::deposit::flow::DepositFlow;
use crate::market;
use crate::order::intake::Intake;
use crate::registry::Nodes;
use crate::transfer::flow::TransferFlow;
use crate::withdrawal::flow::WithdrawalFlow;

/// This service's name on the bus.
pub(crate) const SOURCE: &str = "payment";

/// The outside of this service.
pub struct Context {
    pub(crate) config: Config,
    pub(crate) db: Db,
    pub(crate) bus: Bus,
    pub(crate) engine: EngineClient,
    pub(crate) clock: SharedClock,
    pub(crate) nodes: Nodes,
    pub(crate) markets: market::Known,
    pub(crate) intake: Intake,
    pub(crate) readiness: Readiness,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Context(..)")
    }
}

/// The service's parts; clones share them.
#[derive(Clone)]
pub struct Payment {
    pub(crate) context: Arc<Context>,
    pub(crate) verifier: TokenVerifier,
    pub(crate) deposits: Runner<DepositFlow>,
    pub(crate) withdrawals: Runner<WithdrawalFlow>,
    pub(crate) transfers: Runner<TransferFlow>,
}

impl std::fmt::Debug for Payment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Payment(..)")
    }
}

impl Payment {
    /// All deposits, for staff's tools and tests.
    pub fn deposits(&self) -> &Runner<DepositFlow> {
        &self.deposits
    }

    /// All withdrawals, for staff's tools and tests.
    pub fn withdrawals(&self) -> &Runner<WithdrawalFlow> {
        &self.withdrawals
    }

    /// All transfers, for staff's tools and tests.
    pub fn transfers(&self) -> &Runner<TransferFlow> {
        &self.transfers
    }
}
