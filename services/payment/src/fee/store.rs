//! Schedules, volumes and tiers in PostgreSQL.

use ferrex_contracts::StaffAction;
use ferrex_ids::UserId;
use ferrex_money::{Amount, AssetId};
use ferrex_postgres::{Error as DbError, PgU128, SqlResult as _};
use ferrex_time::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Schedule;
use super::model::DAYS;
use crate::registry::store::column;

/// The schedule that holds.
pub async fn find_schedule(connection: &mut PgConnection) -> Result<Option<Schedule>, DbError> {
    let row: Option<(i32, Vec<PgU128>)> =
        sqlx::query_as("SELECT asset, volumes FROM fee_schedule ORDER BY version DESC LIMIT 1")
            .fetch_optional(connection)
            .await
            .doing("reading the schedule of fee tiers")?;
    Ok(row.map(|(asset, volumes)| Schedule {
        asset: AssetId(asset.cast_unsigned()),
        volumes: volumes.into_iter().map(Into::into).collect(),
    }))
}

/// Writes a new version of the schedule.
pub async fn insert_schedule(
    tx: &mut PgConnection,
    schedule: &Schedule,
    by: &StaffAction,
    at: Timestamp,
) -> Result<(), DbError> {
    let volumes: Vec<PgU128> = schedule.volumes.iter().copied().map(Into::into).collect();
    sqlx::query(
        "INSERT INTO fee_schedule (asset, volumes, staff, reason, set_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(column(schedule.asset))
    .bind(volumes)
    .bind(by.staff.uuid())
    .bind(&by.reason)
    .bind(at)
    .execute(tx)
    .await
    .doing("writing a schedule of fee tiers")
    .map(drop)
}

/// Sums what counts, as far as a balance can hold it: $1 is the schedule's asset, $2 now, $3 the days.
const SUM: &str = "least(sum(CASE WHEN m.quote = $1 THEN v.value ELSE v.quantity END), 340282366920938463463374607431768211455)::numeric(39,0)";
const COUNTS: &str =
    "(m.quote = $1 OR m.base = $1) AND v.day > ($2::timestamptz AT TIME ZONE 'UTC')::date - $3::integer";

/// What a person has traded in 30 days, as the schedule counts it.
pub async fn volume_of(
    connection: &mut PgConnection,
    asset: AssetId,
    user: UserId,
    now: Timestamp,
) -> Result<Amount, DbError> {
    let sql = format!(
        "SELECT {SUM} FROM daily_volume v JOIN market m ON m.id = v.market WHERE v.user_id = $4 AND {COUNTS}"
    );
    let sum: Option<PgU128> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .bind(column(asset))
        .bind(now)
        .bind(DAYS)
        .bind(user.uuid())
        .fetch_one(connection)
        .await
        .doing("reading a person's volume")?;
    Ok(sum.map_or(Amount::ZERO, Into::into))
}

/// A person, what they have traded in 30 days, and the tier that the engine was told.
pub type Standing = (UserId, Amount, u8);

/// Everybody who has ever traded or was ever given a tier, by id after a given one.
pub async fn list_standings(
    connection: &mut PgConnection,
    asset: AssetId,
    now: Timestamp,
    after: UserId,
    limit: usize,
) -> Result<Vec<Standing>, DbError> {
    let sql = format!(
        "WITH person AS (
             SELECT user_id FROM (SELECT user_id FROM daily_volume WHERE user_id > $4
                                   GROUP BY user_id ORDER BY user_id LIMIT $5) AS traded
             UNION
             SELECT user_id FROM (SELECT user_id FROM fee_tier WHERE user_id > $4 ORDER BY user_id LIMIT $5) AS told
             ORDER BY user_id LIMIT $5
         ), volume AS (
             SELECT v.user_id, {SUM} AS volume FROM daily_volume v JOIN market m ON m.id = v.market
              WHERE v.user_id = ANY(ARRAY(SELECT user_id FROM person)) AND {COUNTS} GROUP BY v.user_id
         )
         SELECT user_id, coalesce(volume, 0)::numeric(39,0), coalesce(tier, 0::smallint)
           FROM person LEFT JOIN volume USING (user_id) LEFT JOIN fee_tier USING (user_id) ORDER BY user_id"
    );
    let rows: Vec<(Uuid, PgU128, i16)> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(column(asset))
        .bind(now)
        .bind(DAYS)
        .bind(after.uuid())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await
        .doing("reading what people have traded")?;
    let standing = |(user, volume, tier): (Uuid, PgU128, i16)| {
        (
            UserId::from_uuid(user),
            volume.into(),
            u8::try_from(tier).unwrap_or(0),
        )
    };
    Ok(rows.into_iter().map(standing).collect())
}

/// The tier that the engine was told of a person.
pub async fn tier_of(connection: &mut PgConnection, user: UserId) -> Result<u8, DbError> {
    let tier: Option<i16> = sqlx::query_scalar("SELECT tier FROM fee_tier WHERE user_id = $1")
        .bind(user.uuid())
        .fetch_optional(connection)
        .await
        .doing("reading a person's fee tier")?;
    Ok(tier.and_then(|tier| u8::try_from(tier).ok()).unwrap_or(0))
}

/// Writes the tier that the engine was told.
pub async fn set_tier(
    connection: &mut PgConnection,
    user: UserId,
    tier: u8,
    at: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO fee_tier (user_id, tier, set_at) VALUES ($1, $2, $3)
         ON CONFLICT (user_id) DO UPDATE SET tier = excluded.tier, set_at = excluded.set_at",
    )
    .bind(user.uuid())
    .bind(i16::from(tier))
    .bind(at)
    .execute(connection)
    .await
    .doing("writing a person's fee tier")
    .map(drop)
}
