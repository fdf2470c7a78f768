//! Putting the parts together, and running them.

use std::sync::Arc;
use std::time::Duration;

use ferrex_bus::{Bus, outbox};
use ferrex_engine_client::EngineClient;
use ferrex_fault::{Fault, Kind};
use ferrex_flows::{Options, Runner};
use ferrex_postgres::Db;
use ferrex_runtime::{CancellationToken, Readiness, supervise};
use ferrex_time::SharedClock;
use ferrex_web::{OpenApiRouter, TokenVerifier};

use crate::app::{Context, Payment, SOURCE};
use crate::deposit::flow::{DepositFlow, DepositPerformer, DepositProjection};
use crate::order::intake::Intake;
use crate::registry::Nodes;
use crate::transfer::flow::{TransferFlow, TransferPerformer, TransferProjection};
use crate::withdrawal::flow::{WithdrawalFlow, WithdrawalPerformer, WithdrawalProjection};
use crate::{Config, address, consumers, follower, http, jobs, market};

/// What this role needs from the process it runs in.
#[derive(Clone)]
pub struct Deps {
    /// Bound to the schema and role of [`crate::SCHEMA`].
    pub db: Db,
    /// Connected for the service `payment`.
    pub bus: Bus,
    /// The way to the engine.
    pub engine: EngineClient,
    /// The clock.
    pub clock: SharedClock,
    /// The verifier of this process's listener, which learns of sessions that end.
    pub verifier: TokenVerifier,
    /// Where each network says whether it can be followed.
    pub readiness: Readiness,
}

impl std::fmt::Debug for Deps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Deps(..)")
    }
}

/// The role, ready to run.
#[derive(Clone, Debug)]
pub struct Service {
    payment: Payment,
}

/// Checks the settings and puts the parts together. Database, bus, engine and nodes may still be away.
pub async fn build(config: Config, deps: Deps) -> Result<Service, Fault> {
    check(&config)?;
    let Deps {
        db,
        bus,
        engine,
        clock,
        verifier,
        readiness,
    } = deps;
    let mut options = Options::new(SOURCE);
    options.lease = Duration::from_secs(config.effect_lease_seconds.into());
    let deposits = Runner::with_projection(
        DepositFlow,
        db.clone(),
        clock.clone(),
        options.clone(),
        Arc::new(DepositProjection),
    );
    let withdrawals = Runner::with_projection(
        WithdrawalFlow,
        db.clone(),
        clock.clone(),
        options.clone(),
        Arc::new(WithdrawalProjection),
    );
    let transfers = Runner::with_projection(
        TransferFlow,
        db.clone(),
        clock.clone(),
        options,
        Arc::new(TransferProjection),
    );
    let nodes = Nodes::new(&config);
    let intake = Intake::start(db.clone());
    let context = Arc::new(Context {
        config,
        db,
        bus,
        engine,
        clock,
        nodes,
        markets: market::Known::default(),
        intake,
        readiness,
    });
    Ok(Service {
        payment: Payment {
            context,
            verifier,
            deposits,
            withdrawals,
            transfers,
        },
    })
}

fn check(config: &Config) -> Result<(), Fault> {
    let refused = |setting: &str, wanted: &str| {
        Err(Fault::new(
            Kind::Invalid,
            "payment.config.invalid",
            format!("payment.{setting} must be {wanted}"),
        ))
    };
    if config.poll_ms == 0 {
        return refused("poll_ms", "at least 1");
    }
    if config.effect_lease_seconds == 0 {
        return refused("effect_lease_seconds", "at least 1");
    }
    if config.lease_seconds == 0 {
        return refused("lease_seconds", "at least 1");
    }
    if config.blocks_kept < 32 || config.blocks_back >= config.blocks_kept {
        return refused("blocks_kept", "at least 32 and more than payment.blocks_back");
    }
    if config.payment_look_ms == 0 || config.payment_replace_ms < config.payment_look_ms {
        return refused(
            "payment_replace_ms",
            "at least payment.payment_look_ms, and that at least 1",
        );
    }
    if config.min_priority_fee_per_gas > config.max_priority_fee_per_gas
        || config.max_priority_fee_per_gas > config.max_fee_per_gas
    {
        return refused(
            "max_fee_per_gas",
            "at least the highest tip, and that at least the lowest",
        );
    }
    Ok(())
}

impl Service {
    /// The routes of the public listener.
    pub fn public(&self) -> OpenApiRouter {
        http::router(self.payment.clone())
    }

    /// The parts, for callers in the same process.
    pub fn payment(&self) -> &Payment {
        &self.payment
    }

    /// Relays, consumes, follows the chains and runs the flows until `shutdown` is cancelled.
    pub async fn run(&self, shutdown: CancellationToken) {
        let payment = &self.payment;
        let context = &payment.context;
        let relay = supervise("payment outbox relay", shutdown.clone(), || {
            let shutdown = shutdown.clone();
            async move {
                outbox::relay(&context.db, &context.bus, shutdown)
                    .await
                    .map_err(|error| Fault::from(error).chain())
            }
        });
        let consumers = supervise("payment consumers", shutdown.clone(), || {
            let (router, shutdown) = (consumers::router(payment), shutdown.clone());
            async move {
                let served = ferrex_bus::serve(&context.bus, &context.db, router, shutdown).await;
                served.map_err(|error| Fault::from(error).chain())
            }
        });
        // The wallet that is known serves while the signer is away; another one than before must be seen.
        let known = context.readiness.register("signer wallet");
        let known = &known;
        let wallet = supervise("payment wallet", shutdown.clone(), || async move {
            let learned = address::flow::learn_wallet(context)
                .await
                .map_err(|fault| fault.chain());
            match &learned {
                Ok(_) => known.set_ready(),
                Err(reason) => known.set_missing(reason),
            }
            learned.map(drop)
        });
        let revocations = supervise("payment revocations", shutdown.clone(), || {
            let shutdown = shutdown.clone();
            async move {
                jobs::revocations::run(payment, shutdown)
                    .await
                    .map_err(|error| Fault::from(error).chain())
            }
        });
        let followers = follower::run(payment.clone(), shutdown.clone());
        let deposits = Arc::new(DepositPerformer {
            context: context.clone(),
        });
        let withdrawals = Arc::new(WithdrawalPerformer {
            context: context.clone(),
            runner: payment.withdrawals.clone(),
        });
        let transfers = Arc::new(TransferPerformer {
            context: context.clone(),
        });
        // Each on the heap: together they would make the future of a role too large for a stack.
        tokio::join!(
            Box::pin(relay),
            Box::pin(consumers),
            Box::pin(wallet),
            Box::pin(revocations),
            Box::pin(followers),
            Box::pin(payment.deposits.run(deposits, shutdown.clone())),
            Box::pin(payment.withdrawals.run(withdrawals, shutdown.clone())),
            Box::pin(payment.transfers.run(transfers, shutdown.clone())),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_allowed_and_odd_settings_are_named() {
        assert!(check(&Config::default()).is_ok());
        let odd = Config {
            lease_seconds: 0,
            ..Config::default()
        };
        assert!(check(&odd).unwrap_err().detail.contains("payment.lease_seconds"));
    }
}
