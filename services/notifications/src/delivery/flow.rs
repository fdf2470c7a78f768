use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ferrex_fault::Fault;
use ferrex_flows::{
    Actor, Change, EffectContext, Flow as _, Options, Performed, Performer, Projection, Runner,
};
use ferrex_ids::{DeliveryId, FlowId, StaffId, UserId};
use ferrex_postgres::{Db, Tx};
use ferrex_runtime::CancellationToken;
use ferrex_time::SharedClock;
use sqlx::PgConnection;

use super::model::{Action, Delivery, Input, State};
use super::store::{self, Outbound};
use crate::sender::{SendError, Sender};
use crate::{Config, Error, Rendered, SOURCE, Templates};

/// A mail to be sent.
#[derive(Clone)]
pub(crate) struct NewDelivery {
    /// The idempotency key.
    pub id: DeliveryId,
    /// Whose it is.
    pub user: Option<UserId>,
    /// Where it goes, if not to the person's address at the time of sending.
    pub email: Option<String>,
    /// Which template.
    pub template: String,
    /// Its values; may hold codes.
    pub params: BTreeMap<String, String>,
}

/// All deliveries.
#[derive(Clone)]
pub(crate) struct Deliveries {
    runner: Runner<Delivery>,
    desk: Arc<Desk>,
}

/// What sending works with.
struct Desk {
    config: Config,
    db: Db,
    clock: SharedClock,
    templates: Templates,
    sender: Sender,
}

impl Deliveries {
    pub(crate) fn new(
        config: Config,
        db: Db,
        clock: SharedClock,
        templates: Templates,
        sender: Sender,
    ) -> Self {
        let options = Options {
            concurrency: config.concurrency,
            lease: Duration::from_secs(config.lease_seconds),
            ..Options::new(SOURCE)
        };
        let runner =
            Runner::with_projection(Delivery, db.clone(), Arc::clone(&clock), options, Arc::new(Log));
        Self {
            runner,
            desk: Arc::new(Desk {
                config,
                db,
                clock,
                templates,
                sender,
            }),
        }
    }

    /// Takes a mail on, in the transaction of the message that asks for it. Refuses what no template can show, so that
    /// the message is parked with the reason. The same id again changes nothing.
    pub(crate) async fn accept(&self, tx: &mut Tx, new: NewDelivery) -> Result<(), Fault> {
        self.desk
            .templates
            .render(&new.template, &new.params, new.user.map(|_| ""))?;
        let message_id = self.desk.sender.message_id(new.id);
        if store::insert(tx, &new, &message_id, self.desk.clock.now()).await? {
            self.runner
                .start(tx, new.id.cast(), State::New, Input::Submit, &Actor::SYSTEM)
                .await?;
        }
        Ok(())
    }

    /// Sends a stuck delivery again, as staff decided.
    pub(crate) async fn resume(&self, id: DeliveryId, by: StaffId) -> Result<(), Fault> {
        match self
            .runner
            .send(id.cast(), Input::Resume, &Actor::staff(by))
            .await
        {
            Ok(_) => Ok(()),
            Err(ferrex_flows::Error::NotFound { .. }) => Err(Error::DeliveryUnknown(id).into()),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes deliveries that wait only for the mail server due now, if it answers. Answers how many.
    pub(crate) async fn rearm(&self) -> Result<u64, Fault> {
        const AT_ONCE: i64 = 1_000;
        let held_up = store::held_up_by_the_server(self.desk.db.pool(), AT_ONCE).await?;
        if held_up.is_empty() || self.desk.sender.probe().await.is_err() {
            return Ok(0);
        }
        let mut count = 0;
        for id in held_up {
            count += self.runner.rearm(Some(id.cast())).await?;
        }
        Ok(count)
    }

    /// Sends until shutdown.
    pub(crate) async fn run(&self, shutdown: CancellationToken) {
        self.runner
            .run(Arc::clone(&self.desk) as Arc<dyn Performer<Delivery>>, shutdown)
            .await;
    }

    pub(crate) fn db(&self) -> &Db {
        &self.desk.db
    }

    pub(crate) fn sender(&self) -> &Sender {
        &self.desk.sender
    }
}

/// The delivery log follows the flow in the same transaction.
struct Log;

#[async_trait]
impl Projection<Delivery> for Log {
    async fn project(&self, tx: &mut PgConnection, change: Change<'_, Delivery>) -> Result<(), Fault> {
        let reason = match change.state {
            State::Stuck { reason } | State::Failed { reason } => Some(reason.as_str()),
            State::New | State::Queued | State::Sent => None,
        };
        let (label, ended) = (Delivery::label(change.state), Delivery::is_final(change.state));
        store::follow(tx, change.id.uuid(), label, reason, ended, change.at).await?;
        Ok(())
    }
}

#[async_trait]
impl Performer<Delivery> for Desk {
    async fn perform(&self, context: EffectContext, action: Action) -> Performed<Input> {
        let Action::Send = action;
        let (id, attempt) = (id_of(context.flow), context.attempt);
        let outbound = match store::begin_attempt(self.db.pool(), id, attempt).await {
            Ok(Some(outbound)) => outbound,
            // Another attempt brought it to its end.
            Ok(None) => return Performed::Nothing,
            Err(error) => {
                let reason = format!("the delivery log could not be written: {error}");
                return Performed::NotBegun { reason, after: None };
            }
        };
        let Some(email) = outbound.email.clone() else {
            return self
                .later(id, attempt, "the person's address is not known yet", false)
                .await;
        };
        let rendered = match self.put_together(&outbound) {
            Ok(rendered) => rendered,
            Err(error) => {
                return Performed::Done(Input::Unrenderable {
                    reason: error.to_string(),
                });
            }
        };
        match self.sender.send(&email, &outbound.message_id, rendered).await {
            Ok(()) => {
                tracing::info!(delivery = %id, template = outbound.template, attempt, "mail sent");
                Performed::Done(Input::Taken)
            }
            Err(SendError::Refused(reason)) => {
                tracing::warn!(delivery = %id, template = outbound.template, reason, "mail refused for good");
                Performed::Done(Input::Refused { reason })
            }
            Err(SendError::Later { reason, server_away }) => {
                self.later(id, attempt, &reason, server_away).await
            }
        }
    }
}

impl Desk {
    fn put_together(&self, outbound: &Outbound) -> Result<Rendered, Error> {
        self.templates
            .render(&outbound.template, &outbound.params, outbound.username.as_deref())
    }

    /// Another attempt later, or the end of patience.
    async fn later(&self, id: DeliveryId, attempt: u32, reason: &str, server_away: bool) -> Performed<Input> {
        if attempt >= self.config.attempts_max {
            let reason = format!("given up after {attempt} attempts: {reason}");
            tracing::error!(delivery = %id, reason, "mail given up");
            return Performed::Done(Input::Exhausted { reason });
        }
        let pause = self.config.retry_pause(attempt);
        if let Err(error) = store::wait(self.db.pool(), id, attempt, reason, server_away, pause).await {
            // The effect's own row tells the same; the log only shows it later.
            tracing::debug!(%error, "the delivery log could not follow");
        }
        Performed::Retry {
            reason: reason.to_owned(),
            after: Some(pause),
        }
    }
}

/// A delivery and its flow share their UUID.
fn id_of(flow: FlowId) -> DeliveryId {
    flow.cast()
}
