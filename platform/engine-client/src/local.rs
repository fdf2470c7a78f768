use ferrex_engine_core::{Answer, Balance, Command};
use ferrex_ids::HoldId;
use ferrex_ledger::Owner;
use ferrex_time::Timestamp;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

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
        let until = Instant::now() + DEADLINE;
        // Room for it comes first, so that it is made where it waits for the engine and need not be moved there through the
        // futures that wait for room.
        let room = match self.submissions.try_reserve() {
            Err(TrySendError::Full(())) => timeout_at(until, self.submissions.reserve())
                .await
                .map_err(late)?
                .map_err(stopped)?,
            room => room.map_err(stopped)?,
        };
        let (reply, answer) = oneshot::channel();
        room.send(submission(reply));
        let answered = timeout_at(until, answer).await.map_err(late)?;
        answered.map_err(|_| Unknown::because("the engine dropped the call"))
    }
}

fn late(_: Elapsed) -> Unknown {
    Unknown::because("no answer in time")
}

fn stopped<E>(_: E) -> Unknown {
    Unknown::because("the engine has stopped")
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

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_takes_nothing_is_unknown_in_time() {
        let (client, mut submissions) = LocalClient::new();
        let calls = (0..=QUEUE).map(|_| client.balances(Owner::House));
        let answers = futures::future::join_all(calls).await;
        assert!(
            answers
                .iter()
                .all(|answer| *answer == Err(Unknown::because("no answer in time")))
        );
        let mut queued = 0;
        while submissions.try_recv().is_ok() {
            queued += 1;
        }
        assert_eq!(queued, QUEUE, "the last call found no room");
    }

    #[tokio::test]
    async fn a_call_that_waited_for_room_is_answered() {
        let (client, mut submissions) = LocalClient::new();
        let calls = (0..=QUEUE).map(|_| client.balances(Owner::House));
        let (answers, ()) = tokio::join!(futures::future::join_all(calls), async {
            for _ in 0..=QUEUE {
                let Some(Submission::Balances { reply, .. }) = submissions.recv().await else {
                    panic!("a call came");
                };
                reply.send(Vec::new()).expect("somebody waits");
            }
        });
        assert!(answers.iter().all(|answer| *answer == Ok(Vec::new())));
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
