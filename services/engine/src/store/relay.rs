use ferrex_bus::{Place, Receipt, Watch, ends};
use ferrex_postgres::column_of;
use sqlx::{PgConnection, PgExecutor};

use super::natural;
use crate::Error;
use crate::error::Doing as _;

/// The journal row up to which the bus has been told.
pub(crate) async fn relay_cursor(db: impl PgExecutor<'_>) -> Result<u64, Error> {
    let id: i64 = sqlx::query_scalar("SELECT journal_id FROM relay")
        .fetch_one(db)
        .await
        .doing("reading the relay's row")?;
    natural(id, "journal_id", "relay")
}

/// Moves it forward, never back: a former owner may still be publishing. Beside it stands where the broker stored what was
/// told.
pub(crate) async fn set_relay_cursor(
    connection: &mut PgConnection,
    id: u64,
    taken: &[(&str, Receipt)],
) -> Result<(), Error> {
    let (topics, partitions, offsets) = ends(taken.iter().copied());
    // What is lost of this in a crash is told again.
    sqlx::query(
        "WITH moved AS (
             UPDATE relay SET journal_id = $1
               FROM (SELECT set_config('synchronous_commit', 'off', true)) AS fast
              WHERE journal_id < $1
         )
         INSERT INTO told (topic, partition, last_offset)
         SELECT * FROM unnest($2::text[], $3::integer[], $4::bigint[])
         -- One that has gone back stays as it is until its loss is made good.
         ON CONFLICT (topic, partition) DO UPDATE SET last_offset = greatest(told.last_offset, excluded.last_offset)",
    )
    .bind(id.cast_signed())
    .bind(topics)
    .bind(partitions)
    .bind(offsets)
    .execute(connection)
    .await
    .map(drop)
    .doing("moving the relay's row")
}

/// The last place in each partition that a broker gave to an event of the journal.
pub(crate) async fn relay_watch(db: impl PgExecutor<'_>) -> Result<Watch, Error> {
    let last: Vec<(String, i32, i64)> = sqlx::query_as("SELECT topic, partition, last_offset FROM told")
        .fetch_all(db)
        .await
        .doing("reading what was told")?;
    let mark = |(topic, partition, offset)| ((topic, partition), offset);
    Ok(Watch::new(last.into_iter().map(mark)))
}

/// Remembers once a minute where the relay is, for an hour.
pub(crate) async fn remember_relay_cursor(connection: &mut PgConnection) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO told_upto (journal_id)
         SELECT journal_id FROM relay
          WHERE NOT EXISTS (SELECT FROM told_upto WHERE at > now() - interval '1 minute')
         ON CONFLICT (journal_id) DO UPDATE SET at = excluded.at",
    )
    .execute(&mut *connection)
    .await
    .doing("remembering the relay's row")?;
    sqlx::query("DELETE FROM told_upto WHERE at < now() - interval '1 hour'")
        .execute(connection)
        .await
        .map(drop)
        .doing("forgetting where the relay was")
}

/// Moves the relay's row back to where it was an hour ago, and forgets what these partitions had; answers where it is now.
pub(crate) async fn tell_again(connection: &mut PgConnection, lost: &[Place]) -> Result<u64, Error> {
    let id: i64 = sqlx::query_scalar(
        "UPDATE relay SET journal_id = least(journal_id, (SELECT min(journal_id) FROM told_upto)) RETURNING journal_id",
    )
    .fetch_one(&mut *connection)
    .await
    .doing("moving the relay's row back")?;
    sqlx::query(
        "DELETE FROM told t USING unnest($1::text[], $2::integer[]) AS l (topic, partition)
          WHERE t.topic = l.topic AND t.partition = l.partition",
    )
    .bind(column_of(lost, |(topic, _)| topic.as_str()))
    .bind(column_of(lost, |(_, partition)| *partition))
    .execute(connection)
    .await
    .doing("forgetting what was told")?;
    natural(id, "journal_id", "relay")
}
