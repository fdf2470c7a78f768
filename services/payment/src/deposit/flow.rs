//! The deposit flow: the machine on the runner, what it does outside, and the column that shows its state.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ferrex_fault::Fault;
use ferrex_flows::{Change, EffectContext, Flow, Performed, Performer, Projection, Step};
use ferrex_ids::UserId;
use ferrex_ledger::{Account, Owner, Purpose};
use ferrex_money::{Amount, AssetId};
use ferrex_postgres::Error as DbError;
use ferrex_time::Timestamp;
use sqlx::PgConnection;

use super::model::{Action, Books, Input, State};
use super::{events, store};
use crate::turn::into_step;
use crate::{Context, registry};

/// How long to wait before an asset that rests is asked for again.
const RESTING: Duration = Duration::from_secs(30);

/// The machine of deposits.
#[derive(Clone, Copy, Debug, Default)]
pub struct DepositFlow;

impl Flow for DepositFlow {
    const KIND: &'static str = "deposit";
    const LABELS: &'static [&'static str] = &[
        "confirming",
        "crediting",
        "credited",
        "dropped",
        "reversing",
        "reversed",
    ];
    type State = State;
    type Input = Input;
    type Action = Action;

    fn step(&self, state: &State, input: &Input, at: Timestamp) -> Result<Step<Self>, Fault> {
        Ok(into_step(state.step(input, at), events::publication))
    }

    fn label(state: &State) -> &'static str {
        state.label()
    }

    /// Never by itself: a reorganisation may come at any time. What is credited or gone asks for nothing.
    fn is_final(state: &State) -> bool {
        matches!(state.label(), "credited" | "dropped" | "reversed")
    }

    fn on_wake(_: &State) -> Option<Input> {
        Some(Input::Wake)
    }
}

/// Keeps `deposit.status` in step.
#[derive(Clone, Copy, Debug, Default)]
pub struct DepositProjection;

#[async_trait]
impl Projection<DepositFlow> for DepositProjection {
    async fn project(&self, tx: &mut PgConnection, change: Change<'_, DepositFlow>) -> Result<(), Fault> {
        let state = change.state;
        if let (Some(before), Books::Reversing { owed, .. }) = (change.before, &state.books)
            && !matches!(before.books, Books::Reversing { .. })
        {
            let deposit = state.facts.deposit;
            tracing::error!(%deposit, %owed, asset = state.facts.symbol, "a credited deposit left its chain and is taken back");
            metrics::counter!("ferrex_deposits_reversed_total", "asset" => state.facts.symbol.clone())
                .increment(1);
        }
        Ok(store::set_status(tx, state.facts.deposit, state.label()).await?)
    }
}

/// Does what deposits want done.
#[derive(Clone, Debug)]
pub struct DepositPerformer {
    /// The service's parts.
    pub context: Arc<Context>,
}

#[async_trait]
impl Performer<DepositFlow> for DepositPerformer {
    async fn perform(&self, _: EffectContext, action: Action) -> Performed<Input> {
        match action {
            Action::ReadDebt { user, asset } => self.read_debt(user, asset).await,
            Action::ReadAvailable { user, asset } => match self.balance(user, asset, Purpose::Wallet).await {
                Ok(available) => Performed::Done(Input::Available { available }),
                Err(reason) => Performed::Retry { reason, after: None },
            },
            Action::Submit(command) => {
                let id = command.id;
                match self.context.engine.submit(*command).await {
                    Ok(outcome) => Performed::Done(Input::Answered { command: id, outcome }),
                    // The same command is given again until there is an answer.
                    Err(unknown) => Performed::Retry {
                        reason: unknown.to_string(),
                        after: None,
                    },
                }
            }
        }
    }
}

impl DepositPerformer {
    async fn read_debt(&self, user: UserId, asset: AssetId) -> Performed<Input> {
        match self.resting(asset).await {
            Ok(None) => {}
            Ok(Some(reason)) => {
                return Performed::NotBegun {
                    reason,
                    after: Some(RESTING),
                };
            }
            Err(fault) => {
                return Performed::NotBegun {
                    reason: fault.chain(),
                    after: None,
                };
            }
        }
        match self.balance(user, asset, Purpose::Debt).await {
            Ok(owed) => Performed::Done(Input::Debt { owed }),
            Err(reason) => Performed::NotBegun { reason, after: None },
        }
    }

    /// Why deposits of an asset are not credited at present, if so (H011).
    async fn resting(&self, asset: AssetId) -> Result<Option<String>, Fault> {
        let mut connection = self.context.db.pool().acquire().await.map_err(DbError::Connect)?;
        let asset = registry::store::get_asset(&mut connection, asset).await?;
        let rests = !asset.terms.deposits_enabled;
        Ok(rests.then(|| format!("deposits of {} rest at present", asset.symbol)))
    }

    /// What is available on one account of a person.
    async fn balance(&self, user: UserId, asset: AssetId, purpose: Purpose) -> Result<Amount, String> {
        let owner = Owner::User(user.uuid());
        let balances = self
            .context
            .engine
            .balances(owner)
            .await
            .map_err(|unknown| unknown.to_string())?;
        let account = Account { owner, purpose };
        let balance = balances
            .iter()
            .find(|balance| balance.key.account == account && balance.key.asset == asset);
        Ok(balance.map_or(Amount::ZERO, |balance| {
            balance.total.checked_sub(balance.held).unwrap_or(Amount::ZERO)
        }))
    }
}
