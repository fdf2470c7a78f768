use sqlx::{Connection as _, PgConnection};
use tokio::time::Instant;

use crate::db::TRUSTED_FOR;
use crate::{Db, Error};

/// A connection that one task keeps for the few statements that it has again and again: nothing is asked of the server but
/// those, and each is planned once. A pool's connection is tested each time it comes back, which is one round trip more, and
/// a statement with arrays is planned each time, for it is taken to be cheaper with few values than with many.
///
/// Beside the pool's connections, and made again after it was lost.
#[derive(Debug)]
pub struct Dedicated {
    db: Db,
    kept: Option<(PgConnection, Instant)>,
}

impl Dedicated {
    /// Connects when it is first needed.
    pub fn new(db: &Db) -> Self {
        Self {
            db: db.clone(),
            kept: None,
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
        // A table is read by an index however few rows it has when that is planned: there may be a million later.
        sqlx::raw_sql("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off")
            .execute(&mut connection)
            .await
            .map_err(Error::Connect)?;
        Ok(connection)
    }
}
