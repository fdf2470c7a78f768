//! People with money in a running system: an operator who has registered the development chain, and persons who have
//! signed up, have level 1 and hold coins. Amounts are thousandths of a coin.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail, ensure};
use ferrex_dev::surroundings::Surroundings;
use ferrex_testkit::mail::Mail;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Api, Authenticator, Seen, text_of, wait_for};

/// The development network.
pub const NETWORK: &str = "devnet";
const WEI_PER_THOUSANDTH: u128 = 1_000_000_000_000_000;
/// What a withdrawal costs.
pub const FEE: i64 = 1;
/// How many codes a person tries.
const CODES: u32 = 4;
/// A withdrawal over it waits for staff.
pub const APPROVED_ABOVE: i64 = 3_000;

/// The operator and the surroundings.
pub struct Town {
    around: Surroundings,
    mails: std::sync::Arc<ferrex_testkit::MailCatcher>,
    admin: Api,
    chain: Api,
}

/// A person.
pub struct Person {
    name: String,
    email: String,
    session: String,
    api: Api,
    authenticator: Authenticator,
    deposits: String,
}

impl Town {
    /// Sets up the first staff account, registers network and coin, and funds the hot wallet. `rpc` is where the
    /// system finds the chain.
    pub async fn found(
        around: Surroundings,
        mails: std::sync::Arc<ferrex_testkit::MailCatcher>,
        rpc: &str,
    ) -> anyhow::Result<Self> {
        let mut admin = Api::new(&around.admin)?;
        let link = around
            .setup_link
            .as_deref()
            .context("a new system has a set-up link")?;
        let (_, token) = link
            .split_once("token=")
            .or_else(|| link.split_once('#'))
            .context("the link carries a token")?;
        let enrolment = admin.post("/v1/setup/begin", &json!({ "token": token })).await?;
        let mut authenticator = Authenticator::new(&text_of(&enrolment, "secret")?)?;
        let (name, password) = ("olga", "the operator of the tests");
        let code = authenticator.code().await;
        admin
            .post(
                "/v1/setup",
                &json!({ "token": token, "name": name, "password": password, "code": code }),
            )
            .await?;
        let code = authenticator.code().await;
        let session = admin
            .post(
                "/v1/sessions",
                &json!({ "name": name, "password": password, "code": code }),
            )
            .await?;
        admin.token = Some(text_of(&session, "token")?);
        let chain = Api::new(&around.chain_rpc)?;
        let town = Self {
            around,
            mails,
            admin,
            chain,
        };
        town.register(rpc).await?;
        Ok(town)
    }

    async fn register(&self, rpc: &str) -> anyhow::Result<()> {
        let network = json!({
            "name": "Development chain", "chain_id": 31_337, "rpc_urls": [rpc], "confirmations": 2,
            "enabled": true, "reason": "the tests need it",
        });
        self.admin
            .call(
                Method::PUT,
                &format!("/v1/networks/{NETWORK}"),
                Some(&network),
                None,
            )
            .await?;
        let coin = json!({
            "symbol": "ETH", "name": "Ether", "network": NETWORK, "decimals": 18, "reason": "the tests need it",
            "terms": { "deposit_minimum": "0.001", "withdrawal_minimum": "0.001", "withdrawal_fee": "0.001",
                       "approval_threshold": "3", "deposits_enabled": true, "withdrawals_enabled": true },
        });
        self.admin.post("/v1/assets", &coin).await?;
        let hot_wallet = wait_for("the hot wallet's address", async || {
            let registry = self.admin.get("/v1/assets").await?;
            let networks = registry["networks"].as_array().cloned().unwrap_or_default();
            let found = networks.iter().find_map(|network| network["hot_wallet"].as_str());
            Ok(found.map_or_else(
                || Seen::NotYet(registry.to_string()),
                |address| Seen::Yes(address.to_owned()),
            ))
        })
        .await?;
        self.pay(&hot_wallet, 40_000).await
    }

    /// The operator's client.
    pub fn staff(&self) -> Api {
        self.admin.clone()
    }

    /// Staff decide about a withdrawal that waits for them. An answer that was lost does not make it two decisions.
    pub async fn decide(&self, withdrawal: &str, decision: &str) -> anyhow::Result<()> {
        let path = format!("/v1/withdrawal-approvals/{withdrawal}");
        wait_for(&format!("{withdrawal} to be decided"), async || {
            let approval = match self.admin.once(Method::GET, &path, None, None).await {
                Ok((status, approval)) if status.is_success() => approval,
                other => return Ok(Seen::NotYet(format!("{other:?}"))),
            };
            if approval["state"] != "waiting" {
                return Ok(Seen::Yes(()));
            }
            let body = json!({
                "decision": decision, "content_hash": approval["content_hash"], "reason": "looked at",
            });
            let path = format!("{path}/decision");
            let decided = self.admin.once(Method::POST, &path, Some(&body), None).await;
            Ok(Seen::NotYet(format!("{decided:?}")))
        })
        .await
    }

    /// Pays coins on the chain.
    pub async fn pay(&self, to: &str, thousandths: u128) -> anyhow::Result<()> {
        let value = format!("{:#x}", thousandths * WEI_PER_THOUSANDTH);
        self.rpc(
            "eth_sendTransaction",
            json!([{ "from": self.around.payer, "to": to, "value": value }]),
        )
        .await
        .map(drop)
    }

    /// Coins of an address on the chain.
    pub async fn coins_of(&self, address: &str) -> anyhow::Result<u128> {
        let balance = self.rpc("eth_getBalance", json!([address, "latest"])).await?;
        let digits = balance
            .as_str()
            .and_then(|text| text.strip_prefix("0x"))
            .context("a balance is hex")?;
        let wei = u128::from_str_radix(digits, 16)?;
        ensure!(
            wei.is_multiple_of(WEI_PER_THOUSANDTH),
            "{address} has {wei} wei, no whole thousandths"
        );
        Ok(wei / WEI_PER_THOUSANDTH)
    }

    /// Asks the chain's node.
    pub async fn rpc(&self, method: &str, params: Value) -> anyhow::Result<Value> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer = self.chain.post("/", &body).await?;
        answer
            .get("result")
            .cloned()
            .with_context(|| format!("{method}: {}", answer["error"]))
    }

    /// Signs a person up: registration, confirmation, login, authenticator.
    pub async fn welcome(&self, name: &str) -> anyhow::Result<Person> {
        let email = format!("{name}@example.org");
        let password = format!("correct horse battery {name}");
        let mut api = Api::new(&self.around.public)?;
        let sent = api
            .post(
                "/v1/registrations",
                &json!({ "email": email, "user_name": name, "password": password }),
            )
            .await?;
        let mail = wait_for(&format!("the code for {name}"), async || {
            let found = self.mails_with(&email, "Confirm your e-mail").pop();
            Ok(found.map_or_else(|| Seen::NotYet("no mail".to_owned()), Seen::Yes))
        })
        .await?;
        let code = mail.code(8).context("a mail with a code of eight digits")?;
        api.post(
            "/v1/registrations/confirm",
            &json!({ "id": sent["id"], "code": code }),
        )
        .await?;
        let tokens = api
            .post("/v1/sessions", &json!({ "email": email, "password": password }))
            .await?;
        api.token = Some(text_of(&tokens, "access_token")?);
        let enrolment = api
            .post("/v1/me/second-factor/totp", &json!({ "password": password }))
            .await?;
        let mut authenticator = Authenticator::new(&text_of(&enrolment, "secret")?)?;
        let code = authenticator.code().await;
        api.post("/v1/me/second-factor/totp/confirm", &json!({ "code": code }))
            .await?;
        Ok(Person {
            name: name.to_owned(),
            email,
            session: text_of(&tokens, "session_token")?,
            api,
            authenticator,
            deposits: String::new(),
        })
    }

    /// Signs a person up, who is given level 1 by staff and holds coins.
    pub async fn settle(&self, name: &str, thousandths: u128) -> anyhow::Result<Person> {
        let mut person = self.welcome(name).await?;
        let submission = person.submit_identity().await?;
        let body = json!({ "decision": "approve", "reason": "document checked" });
        self.admin
            .post(&format!("/v1/verifications/{submission}/decision"), &body)
            .await?;
        person.identity_is_approved().await?;
        let address = person
            .api
            .post("/v1/deposit-addresses", &json!({ "network": NETWORK }))
            .await?;
        person.deposits = text_of(&address, "address")?;
        self.pay(&person.deposits, thousandths).await?;
        person.will_have(i64::try_from(thousandths)?).await?;
        Ok(person)
    }

    /// The identity provider approves a submission and says so by a signed webhook.
    pub async fn provider_approves(&self, submission: &str, name: &str) -> anyhow::Result<()> {
        let provider = Api::new(&self.around.identity)?;
        let applicant =
            json!({ "reference": submission, "name": name, "birth_date": "1990-05-17", "country": "DE" });
        let applicant = provider.post("/applicants", &applicant).await?;
        let path = format!("/applicants/{}/decision", text_of(&applicant, "id")?);
        provider
            .post(&path, &json!({ "decision": "approve" }))
            .await
            .map(drop)
    }

    /// The mails to an address whose subject contains `words`.
    pub fn mails_with(&self, email: &str, words: &str) -> Vec<Mail> {
        let all = self.mails.messages_to(email);
        all.into_iter()
            .filter(|mail| mail.subject.contains(words))
            .collect()
    }

    /// Waits for a mail and answers the ids of those that came; copies of one have the same.
    pub async fn mail_ids(&self, email: &str, words: &str) -> anyhow::Result<BTreeSet<String>> {
        wait_for(&format!("a mail to {email} with \"{words}\""), async || {
            let mails = self.mails_with(email, words);
            Ok(if mails.is_empty() {
                Seen::NotYet("none".to_owned())
            } else {
                let ids = mails
                    .iter()
                    .map(|mail| mail.header("message-id").unwrap_or_default());
                Seen::Yes(ids.collect())
            })
        })
        .await
    }
}

impl Person {
    /// E-mail address.
    pub fn email(&self) -> &str {
        &self.email
    }

    /// User name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where deposits go.
    pub fn deposit_address(&self) -> &str {
        &self.deposits
    }

    /// The token of the session, which gets access tokens.
    pub fn session_token(&self) -> &str {
        &self.session
    }

    /// The client as it is now.
    pub fn api(&self) -> Api {
        self.api.clone()
    }

    /// A new access token, as a client fetches every few minutes.
    pub async fn renew(&mut self) -> anyhow::Result<()> {
        let mut with_session = self.api.clone();
        with_session.token = Some(self.session.clone());
        let tokens = with_session
            .post("/v1/sessions/current/token", &Value::Null)
            .await?;
        self.api.token = Some(text_of(&tokens, "access_token")?);
        Ok(())
    }

    /// Submits name, birth date and country; returns the submission's id.
    pub async fn submit_identity(&self) -> anyhow::Result<String> {
        let body = json!({ "legal_name": format!("{} Smith", self.name), "birth_date": "1990-05-17", "country": "DE" });
        text_of(&self.api.post("/v1/me/verifications", &body).await?, "id")
    }

    /// Waits until a submission is approved.
    pub async fn identity_is_approved(&self) -> anyhow::Result<()> {
        wait_for(&format!("{}'s identity to be approved", self.name), async || {
            let answer = self.api.get("/v1/me/verifications").await?;
            let items = answer
                .as_array()
                .or(answer["items"].as_array())
                .cloned()
                .unwrap_or_default();
            let approved = items.iter().any(|item| item["state"] == "approved");
            Ok(if approved {
                Seen::Yes(())
            } else {
                Seen::NotYet(answer.to_string())
            })
        })
        .await
    }

    /// Waits until a deposit of this amount has a status.
    pub async fn deposit_is(&self, thousandths: i64, status: &str) -> anyhow::Result<()> {
        wait_for(
            &format!("{}'s deposit of {thousandths} to be {status}", self.name),
            async || {
                let answer = self.api.get("/v1/deposits").await?;
                let items = answer["items"].as_array().cloned().unwrap_or_default();
                let found = items
                    .iter()
                    .any(|item| item["amount"] == coins(thousandths) && item["status"] == status);
                Ok(if found {
                    Seen::Yes(())
                } else {
                    Seen::NotYet(answer.to_string())
                })
            },
        )
        .await
    }

    /// Asks for a withdrawal; answers its id. When the system was away for so long that the code is too old, the person
    /// looks at the authenticator once more.
    pub async fn ask_withdrawal(
        &mut self,
        key: &str,
        payee: &str,
        thousandths: i64,
    ) -> anyhow::Result<String> {
        for _ in 0..CODES {
            let code = self.authenticator.code().await;
            let body = json!({
                "asset": "ETH", "network": NETWORK, "address": payee, "amount": coins(thousandths), "second_factor": code,
            });
            match self.api.post_once("/v1/withdrawals", key, &body).await {
                Err(error) if error.to_string().contains("core.second_factor.wrong") => {}
                asked => return text_of(&asked?, "id"),
            }
        }
        bail!("{CODES} codes were too old for the withdrawal {key}")
    }

    /// Asks for a withdrawal and waits until it is settled.
    pub async fn withdraw(&mut self, key: &str, payee: &str, thousandths: i64) -> anyhow::Result<()> {
        let id = self.ask_withdrawal(key, payee, thousandths).await?;
        withdrawal_is(&self.api, &id, "settled").await
    }

    /// Waits until so much is available, and nothing is held.
    pub async fn will_have(&self, thousandths: i64) -> anyhow::Result<()> {
        wait_for(
            &format!("{} to have {thousandths} thousandths", self.name),
            async || {
                let answer = self.api.get("/v1/balances").await?;
                let items = answer["items"].as_array().cloned().unwrap_or_default();
                let balance = items
                    .iter()
                    .find(|item| item["asset"] == "ETH")
                    .cloned()
                    .unwrap_or(Value::Null);
                let fits = balance["available"] == coins(thousandths) && balance["held"] == "0";
                Ok(if fits {
                    Seen::Yes(())
                } else {
                    Seen::NotYet(balance.to_string())
                })
            },
        )
        .await
    }
}

/// Transfers to another person; returns when the transfer is done.
pub async fn transfer(api: &Api, to: &str, key: &str, thousandths: i64) -> anyhow::Result<()> {
    let body = json!({ "to": to, "asset": "ETH", "amount": coins(thousandths) });
    api.post_once("/v1/transfers", key, &body).await.map(drop)
}

/// Waits until a withdrawal has a status; another that it never leaves is an error.
pub async fn withdrawal_is(api: &Api, id: &str, status: &str) -> anyhow::Result<()> {
    wait_for(&format!("withdrawal {id} to be {status}"), async || {
        let view = api.get(&format!("/v1/withdrawals/{id}")).await?;
        let is = view["status"].as_str().unwrap_or_default();
        let over = ["settled", "failed", "cancelled", "rejected", "refused"];
        ensure!(
            is == status || !over.contains(&is),
            "withdrawal {id} should be {status}, but is {view}"
        );
        Ok(if is == status {
            Seen::Yes(())
        } else {
            Seen::NotYet(view.to_string())
        })
    })
    .await
}

/// An address that nobody has used, so that what it holds at the end is what was paid.
pub fn fresh_payee() -> String {
    let mut bytes: [u8; 20] = rand::random();
    bytes[0] = 0x51;
    bytes
        .iter()
        .fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// Thousandths as the API writes them.
pub fn coins(thousandths: i64) -> String {
    let text = format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
