//! The transfer flow: the machine on the runner, as the backstop of the handler.

use std::sync::Arc;

use async_trait::async_trait;
use ferrex_contracts::payment::{ShownAmount, TransferCompleted};
use ferrex_fault::Fault;
use ferrex_flows::{Change, EffectContext, Flow, Performed, Performer, Projection, Publication, Step};
use ferrex_time::Timestamp;
use sqlx::PgConnection;

use super::model::{Action, Event, Input, State};
use super::store;
use crate::Context;
use crate::turn::into_step;

/// The machine of transfers.
#[derive(Clone, Copy, Debug, Default)]
pub struct TransferFlow;

impl Flow for TransferFlow {
    const KIND: &'static str = "transfer";
    const LABELS: &'static [&'static str] = &["requested", "completed", "refused"];
    type State = State;
    type Input = Input;
    type Action = Action;

    fn step(&self, state: &State, input: &Input, at: Timestamp) -> Result<Step<Self>, Fault> {
        Ok(into_step(state.step(input, at), |state, event| {
            publication(state, *event)
        }))
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

fn publication(state: &State, event: Event) -> Vec<Publication> {
    let facts = state.facts.clone();
    let value = ShownAmount {
        asset: facts.asset,
        symbol: facts.symbol,
        amount: facts.amount,
        decimals: facts.decimals,
    };
    match event {
        Event::Completed => vec![Publication::event(
            facts.transfer,
            &TransferCompleted {
                transfer: facts.transfer,
                from: facts.from,
                to: facts.to,
                from_username: facts.from_username,
                to_username: facts.to_username,
                value,
                note: facts.note,
            },
        )],
    }
}

/// Keeps `transfer.status` in step.
#[derive(Clone, Copy, Debug, Default)]
pub struct TransferProjection;

#[async_trait]
impl Projection<TransferFlow> for TransferProjection {
    async fn project(&self, tx: &mut PgConnection, change: Change<'_, TransferFlow>) -> Result<(), Fault> {
        Ok(store::set_status(tx, change.state.facts.transfer, change.state.label()).await?)
    }
}

/// Does what transfers want done.
#[derive(Clone, Debug)]
pub struct TransferPerformer {
    /// The service's parts.
    pub context: Arc<Context>,
}

#[async_trait]
impl Performer<TransferFlow> for TransferPerformer {
    async fn perform(&self, _: EffectContext, action: Action) -> Performed<Input> {
        let Action::Submit(command) = action;
        match self.context.engine.submit(*command).await {
            Ok(outcome) => Performed::Done(Input::Answered { outcome }),
            Err(unknown) => Performed::Retry {
                reason: unknown.to_string(),
                after: None,
            },
        }
    }
}
