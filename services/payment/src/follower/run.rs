//! The loops: one follower a network that is enabled.

use std::collections::HashMap;
use std::time::Duration;

use ferrex_chains::evm::{ObserveError, Observed, follower::Cursor};
use ferrex_fault::{Fault, Kind};
use ferrex_postgres::Error as DbError;
use ferrex_runtime::{Backoff, CancellationToken, ReadyFlag};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::block::Work;
use super::store;
use super::watched::Watched;
use crate::registry::Node;
use crate::{Payment, registry};

/// How often the registry is asked which networks there are.
const REGISTRY_EVERY: Duration = Duration::from_secs(1);

/// Follows every enabled network until `shutdown`. Networks that are added, changed or switched off are noticed.
pub async fn run(payment: Payment, shutdown: CancellationToken) {
    let mut running: HashMap<String, (CancellationToken, JoinHandle<()>)> = HashMap::new();
    let mut flags: HashMap<String, ReadyFlag> = HashMap::new();
    while !shutdown.is_cancelled() {
        // One that has ended, for whatever reason, is started again.
        running.retain(|_, (_, follower)| !follower.is_finished());
        match enabled(&payment).await {
            Ok(networks) => {
                for (key, (stop, _)) in &running {
                    if !networks.contains(key) {
                        stop.cancel();
                        if let Some(flag) = flags.get(key) {
                            flag.set_ready();
                        }
                    }
                }
                for key in networks {
                    if running.contains_key(&key) {
                        continue;
                    }
                    let flag = flags
                        .entry(key.clone())
                        .or_insert_with(|| payment.context.readiness.register(format!("network {key}")))
                        .clone();
                    let stop = shutdown.child_token();
                    let follower = Follower::new(payment.clone(), key.clone(), flag);
                    running.insert(key, (stop.clone(), tokio::spawn(follower.run(stop))));
                }
            }
            Err(fault) => tracing::warn!(cause = fault.chain(), "the networks cannot be read"),
        }
        pause(&shutdown, REGISTRY_EVERY).await;
    }
    for (_, (_, follower)) in running {
        // A follower that panicked has said so; there is nothing to wait for.
        let _ = follower.await;
    }
}

async fn enabled(payment: &Payment) -> Result<Vec<String>, Fault> {
    let mut connection = payment
        .context
        .db
        .pool()
        .acquire()
        .await
        .map_err(DbError::Connect)?;
    let networks = registry::store::list_networks(&mut connection).await?;
    Ok(networks
        .into_iter()
        .filter(|network| network.enabled)
        .map(|network| network.key)
        .collect())
}

async fn pause(shutdown: &CancellationToken, time: Duration) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = tokio::time::sleep(time) => {}
    }
}

/// What one turn came to.
enum Turn {
    /// Something was written: look again at once.
    Moved,
    /// Nothing to do until the chain grows.
    Rest,
    /// Another follower has the network.
    Elsewhere,
}

struct Follower {
    payment: Payment,
    key: String,
    owner: Uuid,
    flag: ReadyFlag,
    watched: Watched,
    problem: Option<String>,
}

impl Follower {
    fn new(payment: Payment, key: String, flag: ReadyFlag) -> Self {
        let owner = ferrex_ids::uuid_at(payment.context.clock.unix_ms());
        Self {
            payment,
            key,
            owner,
            flag,
            watched: Watched::default(),
            problem: None,
        }
    }

    /// Works until told to stop.
    async fn run(mut self, stop: CancellationToken) {
        let config = &self.payment.context.config;
        let (poll, lease) = (
            Duration::from_millis(config.poll_ms),
            Duration::from_secs(config.lease_seconds.into()),
        );
        let mut backoff = Backoff::default();
        while !stop.is_cancelled() {
            match self.turn().await {
                Ok(turn) => {
                    backoff.reset();
                    self.say(None).await;
                    match turn {
                        Turn::Moved => {}
                        Turn::Rest => pause(&stop, poll).await,
                        Turn::Elsewhere => pause(&stop, lease / 3).await,
                    }
                }
                Err(fault) => {
                    self.say(Some(fault.chain())).await;
                    pause(&stop, backoff.next_pause().min(Duration::from_secs(5))).await;
                }
            }
        }
        if let Ok(mut connection) = self.payment.context.db.pool().acquire().await {
            // If it fails, the lease ends by itself.
            let _ = store::release(&mut connection, &self.key, self.owner).await;
        }
    }

    async fn turn(&mut self) -> Result<Turn, Fault> {
        let context = self.payment.context.clone();
        let mut connection = context.db.pool().acquire().await.map_err(DbError::Connect)?;
        let lease = store::lease(
            &mut connection,
            &self.key,
            self.owner,
            context.config.lease_seconds,
        )
        .await?;
        let Some(lease) = lease else {
            return Ok(Turn::Elsewhere);
        };
        let network = registry::store::get_network(&mut connection, &self.key).await?;
        let stored = store::stored(&mut connection, &self.key, context.config.blocks_kept).await?;
        drop(connection);
        let rpc = context.nodes.of(&network)?;
        let Some(cursor) = stored.first().copied() else {
            return self.anchor(&rpc, lease).await;
        };
        let observed = rpc.observe(&stored).await.map_err(too_deep_is_for_people)?;
        let payment = self.payment.clone();
        let work = Work {
            payment: &payment,
            network: &network,
            epoch: lease.epoch,
        };
        let moved = match observed {
            Observed::Block(block) => work.take(cursor, &block, &mut self.watched).await?,
            Observed::Reorganised { back_to } => work.take_back(cursor, back_to).await?,
            Observed::AtTip => {
                self.send_lost(&rpc).await?;
                return Ok(Turn::Rest);
            }
            Observed::Behind => {
                tracing::debug!(network = self.key, height = cursor.height, "the nodes are behind");
                return Ok(Turn::Rest);
            }
        };
        Ok(if moved.is_ok() {
            Turn::Moved
        } else {
            Turn::Elsewhere
        })
    }

    /// Finds the block from which the network is followed.
    async fn anchor(&self, rpc: &Node, lease: store::Lease) -> Result<Turn, Fault> {
        let context = &self.payment.context;
        let height = match lease.start_height {
            Some(start) => start.cast_unsigned().saturating_sub(1),
            None => rpc
                .head()
                .await?
                .saturating_sub(context.config.blocks_back.into()),
        };
        let Some(hash) = rpc.hash_at(height).await? else {
            return Ok(Turn::Rest);
        };
        let mut tx = context.db.begin().await?;
        let anchored = store::anchor(&mut tx, &self.key, lease.epoch, Cursor { height, hash }).await?;
        tx.commit().await.map_err(DbError::Commit)?;
        tracing::info!(network = self.key, height, "following a network");
        Ok(if anchored { Turn::Moved } else { Turn::Elsewhere })
    }

    /// Sends settled payments again that a deep reorganisation lost (F38): the same bytes, so nobody is paid twice.
    async fn send_lost(&self, rpc: &Node) -> Result<(), Fault> {
        let mut connection = self
            .payment
            .context
            .db
            .pool()
            .acquire()
            .await
            .map_err(DbError::Connect)?;
        let lost = crate::withdrawal::store::list_lost(&mut connection, &self.key).await?;
        drop(connection);
        for raw in lost {
            let answer = rpc.send_raw(&raw).await;
            tracing::warn!(
                network = self.key,
                ?answer,
                "a settled payment that left the chain was sent again"
            );
        }
        Ok(())
    }

    /// Tells readiness, the table and the log when something begins or ends to be wrong.
    async fn say(&mut self, problem: Option<String>) {
        match &problem {
            None => self.flag.set_ready(),
            Some(problem) => self.flag.set_missing(problem),
        }
        if self.problem == problem {
            return;
        }
        if let Some(problem) = &problem {
            tracing::warn!(network = self.key, problem, "the follower cannot go on");
        }
        let context = &self.payment.context;
        if let Ok(mut connection) = context.db.pool().acquire().await {
            let _ = store::set_seen(
                &mut connection,
                &self.key,
                problem.as_deref(),
                context.clock.now(),
            )
            .await;
        }
        self.problem = problem;
    }
}

/// A reorganisation deeper than what is kept stops the network until people have looked (F09).
fn too_deep_is_for_people(error: ObserveError) -> Fault {
    if let ObserveError::TooDeep { .. } = error {
        tracing::error!(%error, "a network was reorganised deeper than its kept blocks");
        return Fault::new(
            Kind::Conflict,
            "payment.network.reorganised_too_deep",
            error.to_string(),
        );
    }
    error.into()
}
