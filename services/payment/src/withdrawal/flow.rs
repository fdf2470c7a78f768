//! The withdrawal flow: the machine on the runner, who does what it wants, and the columns that show its state.

use std::sync::Arc;

use async_trait::async_trait;
use ferrex_fault::Fault;
use ferrex_flows::{Change, EffectContext, Flow, Performed, Performer, Projection, Step};
use ferrex_postgres::Error as DbError;
use ferrex_time::Timestamp;
use sqlx::PgConnection;

use super::model::{Action, Facts, Input, State};
use super::{events, pay, prepare, store};
use crate::Context;
use crate::turn::into_step;

/// The machine of withdrawals.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithdrawalFlow;

impl Flow for WithdrawalFlow {
    const KIND: &'static str = "withdrawal";
    const LABELS: &'static [&'static str] = &[
        "requested",
        "refused",
        "awaiting_approval",
        "preparing",
        "signing",
        "broadcasting",
        "confirming",
        "settling",
        "releasing",
        "settled",
        "cancelled",
        "rejected",
        "failed",
    ];
    type State = State;
    type Input = Input;
    type Action = Action;

    fn step(&self, state: &State, input: &Input, at: Timestamp) -> Result<Step<Self>, Fault> {
        Ok(into_step(state.step(input, at)?, events::publication))
    }

    fn label(state: &State) -> &'static str {
        state.label()
    }

    fn is_final(state: &State) -> bool {
        state.is_final()
    }

    fn on_wake(_: &State) -> Option<Input> {
        Some(Input::Wake)
    }
}

/// Keeps `withdrawal.status` in step.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithdrawalProjection;

#[async_trait]
impl Projection<WithdrawalFlow> for WithdrawalProjection {
    async fn project(&self, tx: &mut PgConnection, change: Change<'_, WithdrawalFlow>) -> Result<(), Fault> {
        let state = change.state;
        store::set_status(
            tx,
            state.facts.withdrawal,
            state.label(),
            change.waiting_for,
            state.is_final(),
        )
        .await?;
        Ok(())
    }
}

/// Does what withdrawals want done.
#[derive(Clone, Debug)]
pub struct WithdrawalPerformer {
    /// The service's parts.
    pub context: Arc<Context>,
    /// Where the facts of a withdrawal are read.
    pub runner: ferrex_flows::Runner<WithdrawalFlow>,
}

#[async_trait]
impl Performer<WithdrawalFlow> for WithdrawalPerformer {
    async fn perform(&self, effect: EffectContext, action: Action) -> Performed<Input> {
        let context = &self.context;
        let facts = match self.facts(&effect).await {
            Ok(facts) => facts,
            Err(fault) => {
                return Performed::NotBegun {
                    reason: fault.chain(),
                    after: None,
                };
            }
        };
        let performed = match action {
            Action::Hold(command) => context
                .engine
                .submit(*command)
                .await
                .map(|outcome| Performed::Done(Input::HoldAnswered { outcome }))
                .map_err(Fault::from),
            Action::Submit(command) => {
                let id = command.id;
                let answered = |outcome| Performed::Done(Input::Answered { command: id, outcome });
                context
                    .engine
                    .submit(*command)
                    .await
                    .map(answered)
                    .map_err(Fault::from)
            }
            Action::Prepare => prepare::prepare(context, &facts).await,
            Action::Reprice { previous } => prepare::reprice(context, &facts, previous).await,
            Action::Sign { attempt, offer } => pay::sign(context, &facts, attempt, offer).await,
            Action::AskSigner => pay::ask_signer(context, &facts).await,
            Action::Broadcast { candidate } => pay::broadcast(context, &facts, &candidate).await,
            Action::Fill { attempt, offer } => pay::fill(context, &facts, attempt, offer).await,
            Action::Look { hashes, nonce } => pay::look(context, &facts, &hashes, nonce).await,
        };
        // Whatever failed on the way is repeated under the same id: engine and signer know it, the chain gets the same
        // bytes. Nothing here is ever taken for "it did not happen" (I22).
        performed.unwrap_or_else(|fault| Performed::Retry {
            reason: fault.chain(),
            after: None,
        })
    }
}

impl WithdrawalPerformer {
    async fn facts(&self, effect: &EffectContext) -> Result<Facts, Fault> {
        let view = self.runner.get(effect.flow).await?;
        let missing = || {
            let detail = format!("flow {} has vanished", effect.flow);
            Fault::new(
                ferrex_fault::Kind::Internal,
                "payment.withdrawal.flow_missing",
                detail,
            )
        };
        view.map(|view| view.state.facts).ok_or_else(missing)
    }
}

/// A connection for single statements.
pub(super) async fn connection(
    context: &Context,
) -> Result<sqlx::pool::PoolConnection<sqlx::Postgres>, DbError> {
    context.db.pool().acquire().await.map_err(DbError::Connect)
}
