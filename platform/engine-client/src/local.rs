use ferrex_engine_core::{Answer, Balance, Command};
use ferrex_ids::HoldId;
use ferrex_ledger::Owner;
use ferrex_time::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::{DEADLINE, Submission, Unknown};

/// How many submissions may wait; more wait in their callers.
const QUEUE: usize = 16_384;

/// Hands submissions to an engine service in the same process.
#[derive(Clone, Debug)]
pub struct LocalClient {
    submissions: mpsc::Sender<Submission>,
}

impl LocalClient {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Submission>) {
        let (submissions, receiver) = mpsc::channel(QUEUE);
        (Self { submissions }, receiver)
    }

    /// Has a command decided.
    pub async fn submit(&self, command: Command) -> Result<Answer, Unknown> {
        self.ask(|reply| Submission::Command { command, reply }).await
    }

    /// What an owner has.
    pub async fn balances(&self, owner: Owner) -> Result<Vec<Balance>, Unknown> {
        self.ask(|reply| Submission::Balances { owner, reply }).await
    }

    /// Open holds that may expire.
    pub async fn expired_holds(&self, now: Timestamp, limit: usize) -> Result<Vec<HoldId>, Unknown> {
        self.ask(|reply| Submission::ExpiredHolds { now, limit, reply })
            .await
    }

    async fn ask<T>(&self, submission: impl FnOnce(oneshot::Sender<T>) -> Submission) -> Result<T, Unknown> {
        let (reply, answer) = oneshot::channel();
        let submission = submission(reply);
        let exchange = async {
            self.submissions
                .send(submission)
                .await
                .map_err(|_| Unknown::because("the engine has stopped"))?;
            answer
                .await
                .map_err(|_| Unknown::because("the engine dropped the call"))
        };
        timeout(DEADLINE, exchange)
            .await
            .unwrap_or_else(|_| Err(Unknown::because("no answer in time")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dropped_reply_is_unknown() {
        let (client, mut submissions) = LocalClient::new();
        let (answer, ()) = tokio::join!(client.balances(Owner::House), async {
            drop(submissions.recv().await);
        });
        assert_eq!(answer, Err(Unknown::because("the engine dropped the call")));
    }

    #[tokio::test]
    async fn a_stopped_engine_is_unknown() {
        let (client, submissions) = LocalClient::new();
        drop(submissions);
        assert_eq!(
            client.balances(Owner::House).await,
            Err(Unknown::because("the engine has stopped"))
        );
    }
}
