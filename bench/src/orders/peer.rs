//! The same service in NestJS, in a database of its own on the same server. It has no fees, no events, no history and no
//! second role, which favours it.

use anyhow::ensure;
use ferrex_testkit::servers::free_port;
use sqlx::{Connection as _, PgConnection};

use super::load::{MARKET, People, RICH};
use super::ours::{Ours, superuser_url};
use crate::program::{Nest, Program};

const DATABASE: &str = "peer";
const SCHEMA: &str = "
    CREATE TABLE market (symbol text PRIMARY KEY);
    CREATE TABLE account (
        user_id text NOT NULL,
        asset   text NOT NULL,
        balance numeric(39,0) NOT NULL CHECK (balance >= 0),
        held    numeric(39,0) NOT NULL DEFAULT 0 CHECK (held >= 0 AND held <= balance),
        PRIMARY KEY (user_id, asset)
    ) WITH (fillfactor = 50);
    CREATE TABLE placed_order (
        id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        user_id   text NOT NULL,
        key       text NOT NULL,
        side      text NOT NULL,
        price     numeric(39,0) NOT NULL,
        quantity  numeric(39,0) NOT NULL,
        remaining numeric(39,0) NOT NULL CHECK (remaining >= 0),
        at        timestamptz NOT NULL DEFAULT now(),
        UNIQUE (user_id, key)
    );
    CREATE INDEX resting ON placed_order (side, price, id) WHERE remaining > 0;
    CREATE TABLE trade (
        id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        buy_order  bigint NOT NULL,
        sell_order bigint NOT NULL,
        price      numeric(39,0) NOT NULL,
        quantity   numeric(39,0) NOT NULL,
        at         timestamptz NOT NULL DEFAULT now()
    );";

pub(super) struct Peer {
    program: Program,
    url: String,
    port: u16,
}

impl Peer {
    pub async fn start(ours: &Ours, people: &People) -> anyhow::Result<Self> {
        let url = create(ours, people).await?;
        let port = free_port();
        let mut command = Nest::build()?.program(None, "orders", port, &ours.tokens().key());
        command.env("DATABASE_URL", &url).env("ADAPTER", "fastify");
        Ok(Self {
            program: Program::start("orders in NestJS", command).await?,
            url,
            port,
        })
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    async fn connect(&self) -> anyhow::Result<PgConnection> {
        Ok(PgConnection::connect(&self.url).await?)
    }

    pub async fn count(&self) -> anyhow::Result<i64> {
        Ok(sqlx::query_scalar("SELECT count(*) FROM placed_order")
            .fetch_one(&mut self.connect().await?)
            .await?)
    }

    /// Each order that was acknowledged is there, trades are what orders have traded, no money came or went.
    pub async fn check(&self, before: i64, answered: u64) -> anyhow::Result<()> {
        let mut connection = self.connect().await?;
        let taken = u64::try_from(self.count().await? - before)?;
        ensure!(
            taken == answered,
            "{answered} orders were acknowledged, the peer has taken {taken}"
        );
        let (orders, trades): (String, String) = sqlx::query_as(
            "SELECT (SELECT coalesce(sum(quantity - remaining), 0) FROM placed_order)::text,
                    (SELECT coalesce(sum(2 * quantity), 0) FROM trade)::text",
        )
        .fetch_one(&mut connection)
        .await?;
        ensure!(
            orders == trades,
            "the peer's orders traded {orders}, its trades say {trades}"
        );
        let wrong: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM (SELECT asset, sum(balance) <> count(*) * min(begun) AS wrong
                FROM (SELECT asset, balance, CASE asset WHEN 'ETH' THEN $1::numeric * 1e18 ELSE $1::numeric * 1e6 END AS begun
                        FROM account) a GROUP BY asset) s WHERE wrong",
        )
        .bind(i64::try_from(RICH)?)
        .fetch_one(&mut connection)
        .await?;
        ensure!(wrong == 0, "money came or went in {wrong} of the peer's assets");
        Ok(())
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        self.program.stop().await
    }
}

/// Makes the database; answers where a superuser logs in.
async fn create(ours: &Ours, people: &People) -> anyhow::Result<String> {
    ours.system.postgres.create_database(DATABASE, None).await?;
    let url = superuser_url(&ours.system, DATABASE)?;
    let mut connection = PgConnection::connect(&url).await?;
    sqlx::raw_sql(SCHEMA).execute(&mut connection).await?;
    sqlx::query("INSERT INTO market VALUES ($1)")
        .bind(MARKET)
        .execute(&mut connection)
        .await?;
    let users: Vec<String> = people.users.iter().map(ToString::to_string).collect();
    sqlx::query(
        "INSERT INTO account (user_id, asset, balance)
         SELECT u, a.asset, $2::numeric * a.whole FROM unnest($1::text[]) u, (VALUES ('ETH', 1e18), ('TST', 1e6)) a (asset, whole)",
    )
    .bind(users)
    .bind(i64::try_from(RICH)?)
    .execute(&mut connection)
    .await?;
    sqlx::raw_sql("ANALYZE").execute(&mut connection).await?;
    Ok(url)
}
