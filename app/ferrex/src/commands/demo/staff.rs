//! A member of staff: sets the account up by the one-time link, or logs in with what an earlier run kept.

use anyhow::Context as _;
use ferrex_time::Clock as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api::{Api, text_of};
use super::world::{Authenticator, World};

/// Key of the development network.
pub const NETWORK: &str = "devnet";

/// A member of staff, logged in on the admin listener.
pub struct Staff {
    /// The admin listener.
    pub api: Api,
}

/// What the demo keeps between runs. Only ever for a development system.
#[derive(Serialize, Deserialize)]
struct Kept {
    name: String,
    password: String,
    secret: String,
    /// The last step of the authenticator that was used.
    step: u64,
}

impl Staff {
    /// Sets up the first account, or logs in with the one that an earlier run set up.
    pub async fn arrive(world: &World) -> anyhow::Result<Self> {
        let mut api = Api::new(&world.around.admin)?;
        let file = &world.around.staff_file;
        let kept = match std::fs::read_to_string(file) {
            Ok(text) => serde_json::from_str(&text).with_context(|| format!("reading {}", file.display()))?,
            Err(_) => set_up(world, &api).await?,
        };
        let mut authenticator = Authenticator::new(&kept.secret)?;
        authenticator.used(kept.step);
        let code = authenticator
            .code(|| ferrex_time::SystemClock.unix_ms() / 1_000)
            .await;
        let body = json!({ "name": kept.name, "password": kept.password, "code": code });
        let logged_in = api.post("/v1/sessions", &body).await?;
        api.token = Some(text_of(&logged_in, "token")?);
        let kept = Kept {
            step: authenticator.last(),
            ..kept
        };
        std::fs::write(file, serde_json::to_string_pretty(&kept)?)?;
        world.saw(format!(
            "staff {} logged in with password and authenticator",
            kept.name
        ));
        Ok(Self { api })
    }

    /// Registers the development network, its coin and the test token, if they are not there.
    pub async fn register_assets(&self, world: &World) -> anyhow::Result<()> {
        let network = json!({
            "name": "Development chain", "chain_id": 31_337, "rpc_urls": [world.around.chain_rpc], "confirmations": 3,
            "enabled": true, "reason": "the demo needs it",
        });
        self.api.put(&format!("/v1/networks/{NETWORK}"), &network).await?;
        let registry = self.api.get("/v1/assets").await?;
        let known = registry["assets"].as_array().cloned().unwrap_or_default();
        let coin = json!({
            "symbol": "ETH", "name": "Ether", "network": NETWORK, "decimals": 18, "reason": "the demo needs it",
            "terms": { "deposit_minimum": "0.01", "withdrawal_minimum": "0.01", "withdrawal_fee": "0.001",
                       "approval_threshold": "1", "deposits_enabled": true, "withdrawals_enabled": true },
        });
        let token = json!({
            "symbol": "TST", "name": "Test token", "network": NETWORK, "decimals": 6, "contract": world.around.token,
            "reason": "the demo needs it",
            "terms": { "deposit_minimum": "1", "withdrawal_minimum": "1", "withdrawal_fee": "0.5",
                       "approval_threshold": "1000", "deposits_enabled": true, "withdrawals_enabled": true },
        });
        for asset in [coin, token] {
            if known.iter().any(|one| one["symbol"] == asset["symbol"]) {
                continue;
            }
            self.api.post("/v1/assets", &asset).await?;
            world.saw(format!(
                "asset {} registered, {} decimals",
                asset["symbol"], asset["decimals"]
            ));
        }
        Ok(())
    }

    /// Changes what may happen in a market.
    pub async fn set_market(&self, symbol: &str, state: &str) -> anyhow::Result<()> {
        let body = json!({ "state": state, "reason": "the demo needs it" });
        self.api
            .post(&format!("/v1/markets/{symbol}/state"), &body)
            .await?;
        Ok(())
    }

    /// The address of the hot wallet, which payment learns from the signer.
    pub async fn hot_wallet(&self, world: &World) -> anyhow::Result<String> {
        world
            .wait_for("the hot wallet's address", async || {
                let registry = self.api.get("/v1/assets").await?;
                let networks = registry["networks"].as_array().cloned().unwrap_or_default();
                let network = networks.into_iter().find(|network| network["key"] == NETWORK);
                Ok(network.and_then(|network| network["hot_wallet"].as_str().map(str::to_owned)))
            })
            .await
    }

    /// Decides a submission.
    pub async fn decide_identity(
        &self,
        verification: &str,
        decision: &str,
        reason: &str,
    ) -> anyhow::Result<Value> {
        let body = json!({ "decision": decision, "reason": reason });
        self.api
            .post(&format!("/v1/verifications/{verification}/decision"), &body)
            .await
    }

    /// Waits until a withdrawal is up for a decision, and decides it.
    pub async fn decide_withdrawal(&self, world: &World, id: &str, decision: &str) -> anyhow::Result<()> {
        let approval = world
            .wait_for("the withdrawal to be up for a decision", async || {
                let path = format!("/v1/withdrawal-approvals/{id}");
                let answer = self.api.call(reqwest::Method::GET, &path, None, None).await?;
                Ok((answer.status == 200).then_some(answer.body))
            })
            .await?;
        let body = json!({ "decision": decision, "content_hash": approval["content_hash"], "reason": "looked at by the demo" });
        self.api
            .post(&format!("/v1/withdrawal-approvals/{id}/decision"), &body)
            .await?;
        Ok(())
    }
}

async fn set_up(world: &World, api: &Api) -> anyhow::Result<Kept> {
    let link = world.around.setup_link.as_deref();
    let link =
        link.context("there is staff already, but not by the demo; play it on fresh data (make clean-data)")?;
    let (_, token) = link
        .split_once("token=")
        .or_else(|| link.split_once('#'))
        .context("the link carries a token")?;
    world.saw("the first start printed a one-time set-up link");
    let enrolment = api.post("/v1/setup/begin", &json!({ "token": token })).await?;
    let secret = text_of(&enrolment, "secret")?;
    let mut authenticator = Authenticator::new(&secret)?;
    let code = authenticator
        .code(|| ferrex_time::SystemClock.unix_ms() / 1_000)
        .await;
    let kept = Kept {
        name: "olga".to_owned(),
        password: "the operator of the demo".to_owned(),
        secret,
        step: authenticator.last(),
    };
    let body = json!({ "token": token, "name": kept.name, "password": kept.password, "code": code });
    api.post("/v1/setup", &body).await?;
    world.saw("staff chose a password and enrolled an authenticator; the link is used up");
    let (code, _) = api
        .refused("/v1/setup/begin", None, &json!({ "token": token }))
        .await?;
    world.saw(format!("the link a second time: {code}"));
    Ok(kept)
}
