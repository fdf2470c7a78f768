//! The read table of movements. Append-only; a redelivered event finds its rows.

use ferrex_contracts::engine::JournalCommitted;
use ferrex_engine_core::Reason;
use ferrex_ids::{OrderId, UserId};
use ferrex_money::{Amount, AssetId};
use ferrex_postgres::{Error as DbError, PgU128, SqlResult as _, entry};
use ferrex_time::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

use super::movements::Movement;
use crate::registry::store::column;

/// A line of a person's history.
#[derive(Clone, Debug)]
pub struct MovementRow {
    /// Journal id.
    pub sequence: u64,
    /// What.
    pub asset: AssetId,
    /// Why, as the engine numbers reasons.
    pub reason: u16,
    /// What it is about.
    pub reference: Uuid,
    /// When.
    pub at: Timestamp,
    /// What it did.
    pub movement: Movement,
    /// The transfer it belongs to: payer, receiver, their names, the note.
    pub transfer: Option<TransferLine>,
    /// The withdrawal it belongs to.
    pub withdrawal: Option<PaymentLine>,
    /// The deposit it belongs to.
    pub deposit: Option<PaymentLine>,
    /// The trades it belongs to.
    pub trades: Option<TradeLine>,
}

/// What a history says of the trades of one command.
#[derive(Clone, Debug)]
pub struct TradeLine {
    /// Symbol of the market.
    pub market: String,
    /// The person's order, when it is one.
    pub order: Option<OrderId>,
}

/// What a history says of a transfer.
#[derive(Clone, Debug)]
pub struct TransferLine {
    /// Who paid.
    pub from: UserId,
    /// The payer's name.
    pub from_username: String,
    /// The receiver's name.
    pub to_username: String,
    /// What the payer wrote.
    pub note: Option<String>,
}

/// What a history says of a payment on a chain.
#[derive(Clone, Debug)]
pub struct PaymentLine {
    /// Whose.
    pub user: Option<UserId>,
    /// Key of the network.
    pub network: String,
    /// The address that was paid.
    pub address: [u8; 20],
    /// What a withdrawal cost on top.
    pub fee: Option<Amount>,
    /// Hash of the transaction.
    pub transaction: Option<[u8; 32]>,
}

#[derive(sqlx::FromRow)]
struct Row {
    sequence: i64,
    asset: i32,
    reason: i16,
    reference: Uuid,
    at: Timestamp,
    credited: PgU128,
    debited: PgU128,
    reserved: PgU128,
    released: PgU128,
    owed: PgU128,
    repaid: PgU128,
    fee: PgU128,
    o_market: Option<String>,
    o_order: Option<Uuid>,
    t_from: Option<Uuid>,
    t_from_username: Option<String>,
    t_to_username: Option<String>,
    t_note: Option<String>,
    w_user: Option<Uuid>,
    w_network: Option<String>,
    w_address: Option<[u8; 20]>,
    w_fee: Option<PgU128>,
    w_transaction: Option<[u8; 32]>,
    d_user: Option<Uuid>,
    d_network: Option<String>,
    d_address: Option<[u8; 20]>,
    d_transaction: Option<[u8; 32]>,
}

impl From<Row> for MovementRow {
    fn from(row: Row) -> Self {
        let transfer =
            row.t_from
                .zip(row.t_from_username)
                .zip(row.t_to_username)
                .map(|((from, name), to_username)| TransferLine {
                    from: UserId::from_uuid(from),
                    from_username: name,
                    to_username,
                    note: row.t_note,
                });
        let withdrawal = row
            .w_network
            .zip(row.w_address)
            .map(|(network, address)| PaymentLine {
                user: row.w_user.map(UserId::from_uuid),
                network,
                address,
                fee: row.w_fee.map(Into::into),
                transaction: row.w_transaction,
            });
        let deposit = row
            .d_network
            .zip(row.d_address)
            .map(|(network, address)| PaymentLine {
                user: row.d_user.map(UserId::from_uuid),
                network,
                address,
                fee: None,
                transaction: row.d_transaction,
            });
        Self {
            sequence: row.sequence.cast_unsigned(),
            asset: AssetId(row.asset.cast_unsigned()),
            reason: row.reason.cast_unsigned(),
            reference: row.reference,
            at: row.at,
            movement: Movement {
                credited: row.credited.into(),
                debited: row.debited.into(),
                reserved: row.reserved.into(),
                released: row.released.into(),
                owed: row.owed.into(),
                repaid: row.repaid.into(),
                fee: row.fee.into(),
            },
            trades: row.o_market.map(|market| TradeLine {
                market,
                order: row.o_order.map(OrderId::from_uuid),
            }),
            transfer,
            withdrawal,
            deposit,
        }
    }
}

/// What a command did to one person's accounts in one asset.
#[derive(Clone, Debug)]
pub struct Line<'e> {
    /// The command.
    pub event: &'e JournalCommitted,
    /// Whose accounts.
    pub user: Uuid,
    /// In what.
    pub asset: AssetId,
    /// What it did.
    pub movement: Movement,
}

#[derive(sqlx::Encode)]
struct Entry {
    user_id: Uuid,
    sequence: i64,
    asset: i32,
    command: Uuid,
    reason: i16,
    reference: Uuid,
    at: Timestamp,
    credited: PgU128,
    debited: PgU128,
    reserved: PgU128,
    released: PgU128,
    owed: PgU128,
    repaid: PgU128,
    fee: PgU128,
}

entry!(Entry, "movement_entry");

impl From<&Line<'_>> for Entry {
    fn from(line: &Line<'_>) -> Self {
        let (event, movement) = (line.event, &line.movement);
        Self {
            user_id: line.user,
            sequence: event.sequence.cast_signed(),
            asset: column(line.asset),
            command: event.command.uuid(),
            reason: event.reason.cast_signed(),
            reference: event.reference,
            at: event.at,
            credited: movement.credited.into(),
            debited: movement.debited.into(),
            reserved: movement.reserved.into(),
            released: movement.released.into(),
            owed: movement.owed.into(),
            repaid: movement.repaid.into(),
            fee: movement.fee.into(),
        }
    }
}

/// Keeps what commands did to people.
pub async fn insert(tx: &mut PgConnection, lines: &[Line<'_>]) -> Result<(), DbError> {
    if lines.is_empty() {
        return Ok(());
    }
    sqlx::query("SELECT keep_movements($1)")
        .bind(lines.iter().map(Entry::from).collect::<Vec<_>>())
        .execute(tx)
        .await
        .doing("writing movements")
        .map(drop)
}

/// A person's movements, newest first, below a given place (sequence, asset).
pub async fn list(
    connection: &mut PgConnection,
    user: UserId,
    below: Option<(i64, i32)>,
    limit: i64,
) -> Result<Vec<MovementRow>, DbError> {
    let (sequence, asset) = below.unwrap_or((i64::MAX, i32::MAX));
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT m.sequence, m.asset, m.reason, m.reference, m.at, m.credited, m.debited, m.reserved, m.released, m.owed, m.repaid, m.fee,
                t.from_user AS t_from, t.from_username AS t_from_username, t.to_username AS t_to_username, t.note AS t_note,
                w.user_id AS w_user, w.network AS w_network, w.address AS w_address, w.fee AS w_fee,
                (SELECT o.hash FROM outgoing_transaction o WHERE o.withdrawal = w.id
                  ORDER BY (o.height IS NOT NULL) DESC, o.attempt DESC LIMIT 1) AS w_transaction,
                d.user_id AS d_user, d.network AS d_network, d.address AS d_address, d.txid AS d_transaction,
                o.symbol AS o_market, CASE WHEN o.orders = 1 THEN o.an_order END AS o_order
           FROM movement m
           LEFT JOIN transfer t ON t.id = m.reference
           LEFT JOIN withdrawal w ON w.id = m.reference
           LEFT JOIN deposit d ON d.id = m.reference
           -- One command trades in one market; its reference is the order that came, which may be somebody else's.
           LEFT JOIN LATERAL (
                SELECT min(k.symbol) AS symbol, count(DISTINCT side.id) AS orders, (array_agg(side.id))[1] AS an_order
                  FROM trade x JOIN market k ON k.id = x.market,
                       LATERAL (VALUES (x.buyer, x.buy_order), (x.seller, x.sell_order)) AS side (person, id)
                 WHERE x.sequence = m.sequence AND side.person = m.user_id) AS o ON m.reason = ANY($5)
          WHERE m.user_id = $1 AND (m.sequence, m.asset) < ($2, $3)
          ORDER BY m.sequence DESC, m.asset DESC LIMIT $4",
    )
    .bind(user.uuid())
    .bind(sequence)
    .bind(asset)
    .bind(limit)
    .bind([Reason::Trading, Reason::MarketAdmin].map(|reason| reason.code().cast_signed()))
    .fetch_all(connection)
    .await
    .doing("reading the history")?;
    Ok(rows.into_iter().map(Into::into).collect())
}
