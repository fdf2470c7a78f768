use sqlx::{Connection as _, PgConnection};
use tokio::time::Instant;

use crate::db::TRUSTED_FOR;
use crate::{Db, Error};

/// A table is read by an index however few rows it has when that is planned: there may be a million later.
const PLANS: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off";
const PLANS_AND_COMMITS: &str =
    "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET synchronous_commit = off";

/// A connection that one task keeps for the few statements that it has again and again: nothing is asked of the server but
/// those, and each is planned once. A pool's connection is tested each time it comes back, which is one round trip more, and
/// a statement with arrays is planned each time, for it is taken to be cheaper with few values than with many.
///
/// Beside the pool's connections, and made again after it was lost.
#[derive(Debug)]
pub struct Dedicated {
    db: Db,
    settings: &'static str,
    kept: Option<(PgConnection, Instant)>,
}

impl Dedicated {
    /// Connects when it is first needed.
    pub fn new(db: &Db) -> Self {
        Self {
            db: db.clone(),
            settings: PLANS,
            kept: None,
        }
    }

    /// As [`Dedicated::new`], but a commit does not wait for the disk. When the server dies the last of them may be gone, though never
    /// one of which a later commit of the same server, by whomever, is still there.
    pub fn with_commits_that_do_not_wait(db: &Db) -> Self {
        Self {
            settings: PLANS_AND_COMMITS,
            ..Self::new(db)
        }
    }

    /// Does `work` on the connection. After an error what it began is rolled back; a connection that cannot be is given up, as is
    /// one whose work is dropped.
    pub async fn run<T, E: From<Error>>(
        &mut self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = match self.kept.take() {
            Some((connection, used)) if used.elapsed() < TRUSTED_FOR => connection,
            Some((mut connection, _)) => match connection.ping().await {
                Ok(()) => connection,
                Err(_) => self.connect().await?,
            },
            None => self.connect().await?,
        };
        let done = work(&mut connection).await;
        if done.is_ok() || sqlx::raw_sql("ROLLBACK").execute(&mut connection).await.is_ok() {
            self.kept = Some((connection, Instant::now()));
        }
        done
    }

    async fn connect(&self) -> Result<PgConnection, Error> {
        let mut connection = self.db.own_connection().await?;
        sqlx::raw_sql(self.settings)
            .execute(&mut connection)
            .await
            .map_err(Error::Connect)?;
        Ok(connection)
    }
}
