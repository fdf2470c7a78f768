//! A person with a mailbox, a browser and an authenticator.

use anyhow::ensure;
use ferrex_time::Clock as _;
use serde_json::{Value, json};

use super::api::{Api, text_of};
use super::world::{Authenticator, World};

/// A person.
pub struct Person {
    /// User name.
    pub name: String,
    /// E-mail address.
    pub email: String,
    password: String,
    /// The public listener, logged in.
    pub api: Api,
    session_token: String,
    authenticator: Option<Authenticator>,
}

fn unix_seconds() -> u64 {
    ferrex_time::SystemClock.unix_ms() / 1_000
}

impl Person {
    /// Registers, confirms with the code from the mail, logs in and enrols an authenticator.
    pub async fn sign_up(world: &World, first_name: &str) -> anyhow::Result<Self> {
        // Another name at each run, so that the demo can be played again on the same data.
        let name = format!("{first_name}{}", unix_seconds() % 100_000_000);
        let mut person = Self {
            email: format!("{name}@example.org"),
            password: format!("correct horse battery {name}"),
            api: Api::new(&world.around.public)?,
            session_token: String::new(),
            authenticator: None,
            name,
        };
        let body = json!({ "email": person.email, "user_name": person.name, "password": person.password });
        let sent = person.api.post("/v1/registrations", &body).await?;
        let mail = world.mail(&person.email, "Confirm your e-mail").await?;
        let code = World::code_in(&mail)?;
        world.saw(format!(
            "{} registered; a mail came: \"{}\", code {code}",
            person.name,
            text_of(&mail, "subject")?
        ));
        let confirm = json!({ "id": sent["id"], "code": code });
        person.api.post("/v1/registrations/confirm", &confirm).await?;
        person.log_in().await?;
        world.saw(format!("{} confirmed the address and logged in", person.name));
        Ok(person)
    }

    /// Enrols an authenticator and returns how many recovery codes came.
    pub async fn enrol(&mut self) -> anyhow::Result<usize> {
        let enrolment = self
            .api
            .post("/v1/me/second-factor/totp", &json!({ "password": self.password }))
            .await?;
        self.authenticator = Some(Authenticator::new(&text_of(&enrolment, "secret")?)?);
        let code = self.code().await?;
        let confirmed = self
            .api
            .post("/v1/me/second-factor/totp/confirm", &json!({ "code": code }))
            .await?;
        Ok(confirmed["recovery_codes"].as_array().map_or(0, Vec::len))
    }

    /// Logs in, with the second factor when one is owed.
    pub async fn log_in(&mut self) -> anyhow::Result<()> {
        self.api.token = None;
        let body = json!({ "email": self.email, "password": self.password });
        let mut tokens = self.api.post("/v1/sessions", &body).await?;
        if let Some(login_token) = tokens["login_token"].as_str() {
            let body = json!({ "login_token": login_token, "code": self.code().await? });
            tokens = self.api.post("/v1/sessions/second-factor", &body).await?;
        }
        self.session_token = text_of(&tokens, "session_token")?;
        self.api.token = Some(text_of(&tokens, "access_token")?);
        Ok(())
    }

    /// A new access token from the session, as a client does every few minutes.
    pub async fn renew(&mut self) -> anyhow::Result<()> {
        let mut with_session = self.api.clone();
        with_session.token = Some(self.session_token.clone());
        let tokens = with_session
            .post("/v1/sessions/current/token", &Value::Null)
            .await?;
        self.api.token = Some(text_of(&tokens, "access_token")?);
        Ok(())
    }

    /// Forgets the password and sets another one with the code from the mail.
    pub async fn reset_password(&mut self, world: &World) -> anyhow::Result<()> {
        let asking = Api::new(&world.around.public)?;
        let sent = asking
            .post("/v1/password-resets", &json!({ "email": self.email }))
            .await?;
        let mail = world.mail(&self.email, "Reset your").await?;
        self.password = format!("another horse battery {}", self.name);
        let second_factor = self.code().await?;
        let body = json!({
            "id": sent["id"], "code": World::code_in(&mail)?, "password": self.password,
            "second_factor_code": second_factor,
        });
        asking.post("/v1/password-resets/confirm", &body).await?;
        Ok(())
    }

    /// A code of the authenticator that was not used yet.
    pub async fn code(&mut self) -> anyhow::Result<String> {
        match &mut self.authenticator {
            Some(authenticator) => Ok(authenticator.code(unix_seconds).await),
            None => anyhow::bail!("{} has no authenticator", self.name),
        }
    }

    /// Submits name, birth date and country; returns the submission's id.
    pub async fn submit_identity(&self, legal_name: &str) -> anyhow::Result<String> {
        let body = json!({ "legal_name": legal_name, "birth_date": "1990-05-17", "country": "DE" });
        text_of(&self.api.post("/v1/me/verifications", &body).await?, "id")
    }

    /// Waits until the last submission is in a state; returns it.
    pub async fn identity_is(&self, world: &World, state: &str) -> anyhow::Result<Value> {
        world
            .wait_for(&format!("{}'s identity to be {state}", self.name), async || {
                let answer = self.api.get("/v1/me/verifications").await?;
                let items = answer
                    .as_array()
                    .or(answer["items"].as_array())
                    .cloned()
                    .unwrap_or_default();
                Ok(items.into_iter().find(|item| item["state"] == state))
            })
            .await
    }

    /// The balance of an asset.
    pub async fn balance(&self, asset: &str) -> anyhow::Result<Value> {
        let answer = self.api.get("/v1/balances").await?;
        let items = answer["items"].as_array().cloned().unwrap_or_default();
        Ok(items
            .into_iter()
            .find(|item| item["asset"] == asset)
            .unwrap_or(Value::Null))
    }

    /// Checks available and held of an asset.
    pub async fn has(&self, asset: &str, available: &str, held: &str) -> anyhow::Result<()> {
        let balance = self.balance(asset).await?;
        ensure!(
            balance["available"] == available && balance["held"] == held,
            "{} should have {available} {asset} available and {held} held, but has {balance}",
            self.name
        );
        Ok(())
    }

    /// Asks for a withdrawal with a fresh code.
    pub async fn withdraw(
        &mut self,
        key: &str,
        asset: &str,
        network: &str,
        address: &str,
        amount: &str,
    ) -> anyhow::Result<Value> {
        let code = self.code().await?;
        let body = json!({ "asset": asset, "network": network, "address": address, "amount": amount, "second_factor": code });
        self.api.post_once("/v1/withdrawals", key, &body).await
    }

    /// Waits until a withdrawal is in a status; returns it.
    pub async fn withdrawal_is(&self, world: &World, id: &str, status: &str) -> anyhow::Result<Value> {
        world
            .wait_for(&format!("withdrawal {id} to be {status}"), async || {
                let view = self.api.get(&format!("/v1/withdrawals/{id}")).await?;
                let over = ["settled", "failed", "cancelled", "rejected", "refused"];
                let now = view["status"].as_str().unwrap_or_default();
                ensure!(
                    now == status || !over.contains(&now),
                    "withdrawal {id} should be {status}, but it is {view}"
                );
                Ok((now == status).then_some(view))
            })
            .await
    }
}
