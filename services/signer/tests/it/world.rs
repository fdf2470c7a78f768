use std::sync::Arc;

use ferrex_chains::evm::{SignedTx, from_hex};
use ferrex_contracts::signer::{FillNonce, SignWithdrawal, SignedTransaction};
use ferrex_ids::IntentId;
use ferrex_money::{Amount, AssetId};
use ferrex_postgres::{Db, DbConfig, provision};
use ferrex_signer::keystore::Phrase;
use ferrex_signer::{AssetConfig, ChainConfig, Config, Keys, SCHEMA, Signer};
use ferrex_testkit::{Anvil, Postgres, TestDb};
use ferrex_time::{ManualClock, from_micros};
use secrecy::SecretString;

pub const PHRASE: &str = "legal winner thank year wave sausage worth useful legal winner thank yellow";
pub const PAYEE: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
pub const TOKEN: &str = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
pub const ETHER: u128 = 1_000_000_000_000_000_000;
pub const GWEI: u128 = 1_000_000_000;

pub fn password() -> SecretString {
    SecretString::from("signer of a test")
}

/// A database with the schemas of signer and bus.
pub async fn database() -> TestDb {
    Postgres::shared()
        .await
        .database_from("signer", |db| async move {
            provision(&db.admin_url, &SCHEMA, &password()).await.unwrap();
            provision(&db.admin_url, &ferrex_bus::EMBEDDED, &password())
                .await
                .unwrap();
        })
        .await
}

pub async fn connect(url: &str) -> Db {
    Db::connect(&DbConfig::new(url, "ferrex_signer", password(), "signer"))
        .await
        .unwrap()
}

pub fn config() -> Config {
    let asset = |contract: Option<&str>| AssetConfig {
        contract: contract.map(str::to_owned),
        per_transaction_max: Amount::new(10 * ETHER),
        per_day_max: Amount::new(1_000 * ETHER),
    };
    Config {
        chains: vec![ChainConfig {
            chain_id: Anvil::CHAIN_ID,
            fee_per_transaction_max: Amount::new(ETHER / 100),
            fees_per_day_max: Amount::new(100 * ETHER),
            assets: vec![asset(None), asset(Some(TOKEN))],
        }],
        ..Config::default()
    }
}

pub fn keys() -> Keys {
    Keys::derive(&Phrase::parse(PHRASE).unwrap()).unwrap()
}

pub fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(from_micros(1_800_000_000_000_000)))
}

pub async fn signer_with(db: &TestDb, config: &Config, clock: Arc<ManualClock>) -> Signer {
    let signer = Signer::try_new(config, keys(), connect(&db.url).await, clock).unwrap();
    signer.claim().await.unwrap();
    signer
}

pub async fn signer() -> (TestDb, Signer) {
    let db = database().await;
    let signer = signer_with(&db, &config(), clock()).await;
    (db, signer)
}

pub fn intent() -> IntentId {
    IntentId::new_at(1_800_000_000_000)
}

/// A payment of one coin.
pub fn payment(intent: IntentId) -> SignWithdrawal {
    SignWithdrawal {
        intent,
        attempt: 1,
        chain_id: Anvil::CHAIN_ID,
        asset: AssetId(1),
        contract: None,
        payee: PAYEE.to_owned(),
        amount: Amount::new(ETHER),
        gas_limit: 21_000,
        max_fee_per_gas: Amount::new(20 * GWEI),
        max_priority_fee_per_gas: Amount::new(GWEI),
        fee_cap: Amount::new(ETHER / 100),
        chain_nonce: 0,
    }
}

/// The same, offering twice as much with every further attempt.
pub fn replacement(intent: IntentId, attempt: u32) -> SignWithdrawal {
    let double = |wei: u128| Amount::new(wei << (attempt - 1));
    SignWithdrawal {
        attempt,
        max_fee_per_gas: double(20 * GWEI),
        max_priority_fee_per_gas: double(GWEI),
        ..payment(intent)
    }
}

pub fn filler(intent: IntentId, attempt: u32) -> FillNonce {
    let offer = replacement(intent, attempt);
    FillNonce {
        intent,
        attempt,
        chain_id: offer.chain_id,
        max_fee_per_gas: offer.max_fee_per_gas,
        max_priority_fee_per_gas: offer.max_priority_fee_per_gas,
        fee_cap: offer.fee_cap,
    }
}

pub fn decode(signed: &SignedTransaction) -> SignedTx {
    SignedTx::decode(&from_hex(&signed.raw).unwrap()).unwrap()
}

/// How many rows a table has.
pub async fn count(db: &TestDb, sql: &'static str) -> i64 {
    let mut connection = Postgres::shared().await.superuser(db).await;
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
}
