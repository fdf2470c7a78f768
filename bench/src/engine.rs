//! The engine role in this process.

use anyhow::ensure;
use ferrex_engine::{Config, Dependencies};
use ferrex_engine_client::EngineClient;
use ferrex_engine_core::{Action, Command, Outcome, Reason, Step};
use ferrex_ids::CommandId;
use ferrex_ledger::{Account, Purpose};
use ferrex_money::{Amount, AssetId};
use ferrex_postgres::{Db, DbConfig};
use ferrex_runtime::{CancellationToken, Readiness};
use ferrex_time::{Clock as _, SystemClock};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Steps of one funding command.
const STEPS: usize = 32;
/// Funding commands under way at once.
const UNDER_WAY: usize = 4_096;

/// A running engine.
pub struct Running {
    /// The way to it.
    pub client: EngineClient,
    stop: CancellationToken,
    serving: JoinHandle<Result<(), ferrex_engine::Error>>,
}

impl Running {
    /// Starts it on a database that has its schema.
    pub async fn start(db: &DbConfig) -> anyhow::Result<Self> {
        let dependencies = Dependencies {
            db: Db::connect(db).await?,
            bus: None,
            clock: SystemClock::shared(),
            readiness: Readiness::new(),
        };
        let service = ferrex_engine::build(Config::default(), dependencies).await?;
        let (client, stop) = (service.client(), CancellationToken::new());
        let serving = tokio::spawn(service.run(stop.clone()));
        Ok(Self {
            client,
            stop,
            serving,
        })
    }

    /// Stops it in good order.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        Ok(self.serving.await??)
    }
}

/// A command of this moment.
pub fn command(reason: Reason, steps: Vec<Step>) -> Command {
    let id = CommandId::new_at(SystemClock.unix_ms());
    Command {
        id,
        at: SystemClock.now(),
        reason,
        reference: id.uuid(),
        action: Action::Transfer(steps),
    }
}

/// Gives people so much of an asset, as deposits do.
pub async fn fund(
    client: &EngineClient,
    people: impl Iterator<Item = Uuid>,
    asset: AssetId,
    units: u128,
) -> anyhow::Result<()> {
    let mut people = people.peekable();
    while people.peek().is_some() {
        let round: Vec<Uuid> = people.by_ref().take(STEPS * UNDER_WAY).collect();
        let commands = round.chunks(STEPS).map(|chunk| {
            let step = |person: &Uuid| Step::Move {
                debit: Account::house(Purpose::DepositAddresses),
                credit: Account::wallet(*person),
                asset,
                amount: Amount::new(units),
            };
            client.submit(command(Reason::Deposit, chunk.iter().map(step).collect()))
        });
        for outcome in futures::future::join_all(commands).await {
            ensure!(
                matches!(outcome?, Outcome::Applied { .. }),
                "an account could not be funded"
            );
        }
    }
    Ok(())
}
