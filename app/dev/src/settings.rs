//! Writes `ferrex.toml`: the settings of all roles, for these surroundings.

use std::path::Path;

use crate::plan::{Carrier, Plan};
use crate::secrets::Secrets;

/// Chain id of the development chain.
pub const CHAIN_ID: u64 = 31_337;

/// Where the roles reach each other and their surroundings.
pub struct Addresses<'a> {
    /// Kafka's bootstrap servers, when there is a Kafka.
    pub brokers: Option<&'a str>,
    /// Contract of the test token.
    pub token: &'a str,
    /// The engines' internal listeners, when roles have processes of their own; the first stands in the file.
    pub engines: &'a [String],
}

/// How long leases and pauses are, as lines of the sections.
struct Pace {
    /// Of the embedded bus; Kafka's brokers have a lower limit of their own.
    bus: &'static str,
    engine: &'static str,
    payment: &'static str,
    notifications: &'static str,
    webhooks: &'static str,
    cron: &'static str,
}

/// The defaults.
const USUAL: Pace = Pace {
    bus: "",
    engine: "",
    payment: "",
    notifications: "",
    webhooks: "",
    cron: "",
};

/// See [`Plan::brisk`].
const BRISK: Pace = Pace {
    bus: "session_ms = 1000\n",
    engine: "lease_ms = 2000\nfollow_ms = 50",
    payment: "poll_ms = 150\nlease_seconds = 1\neffect_lease_seconds = 1\n",
    notifications: "lease_seconds = 1\nretry_first_ms = 500\nretry_cap_seconds = 5\nattempts_max = 1000\n",
    webhooks: "lease_seconds = 1",
    cron: "lease_ms = 2000\nlook_ms = 500",
};

/// The text of the settings file.
pub fn text(plan: &Plan, secrets: &Secrets, addresses: &Addresses<'_>) -> String {
    let ports = &plan.ports;
    let file = |path: &Path| format!("{:?}", path.display().to_string());
    let secret = |name: &str| file(&secrets.path(name));
    let bus = match (plan.carrier, addresses.brokers) {
        (Carrier::Kafka, Some(brokers)) => format!("transport = \"kafka\"\nbrokers = \"{brokers}\""),
        _ => "transport = \"embedded\"".to_owned(),
    };
    let engine = addresses.engines.first().map_or_else(String::new, |address| {
        let urls: Vec<String> = addresses
            .engines
            .iter()
            .map(|address| format!("\"http://{address}\""))
            .collect();
        format!(
            "listen = \"{address}\"\ntoken_file = {token}\n\n[engine_client]\nurls = [{urls}]\ntoken_file = {token}\n",
            urls = urls.join(", "),
            token = secret("engine_token"),
        )
    });
    let pace = if plan.brisk { &BRISK } else { &USUAL };
    format!(
        r#"# Written by ferrex-dev at each start; change the program, not this file.

[database]
url = "postgres://127.0.0.1:{postgres}/ferrex"
admin_url = {owner_url}
passwords = {passwords}

[bus]
{bus}
{bus_pace}
[listen]
public = "127.0.0.1:{public}"
admin = "127.0.0.1:{admin}"
operations = "127.0.0.1:{operations}"

[tokens]
signing_key = {signing}
verifying_keys = [{verifying}]

[engine]
{engine_pace}
{engine}
[core]
root_key = {core_root}
public_url = "http://127.0.0.1:{public}"

[admin]
root_key = {admin_root}
public_url = "http://127.0.0.1:{admin}"

[payment]
payment_look_ms = 500
{payment_pace}
[signer]
keystore = {keystore}
passphrase = {passphrase}
create_if_missing = true

# One coin and one token of the development chain, at most 100 and 1,000,000 of them a day.
[[signer.chains]]
chain_id = {CHAIN_ID}
fee_per_transaction_max = "100000000000000000"
fees_per_day_max = "1000000000000000000"

[[signer.chains.assets]]
per_transaction_max = "50000000000000000000"
per_day_max = "100000000000000000000"

[[signer.chains.assets]]
contract = "{token}"
per_transaction_max = "500000000000"
per_day_max = "1000000000000"

[notifications]
from = "Ferrex <no-reply@ferrex.localhost>"
public_url = "http://127.0.0.1:{public}"
{notifications_pace}
[notifications.smtp]
port = {smtp}

[webhooks]
{webhooks_pace}
[cron]
{cron_pace}
[webhooks.sources.identity]
secrets = [{identity}]
order_key_pointer = "/data/reference"
"#,
        bus_pace = match plan.carrier {
            Carrier::Embedded => pace.bus,
            Carrier::Kafka => "",
        },
        engine_pace = pace.engine,
        payment_pace = pace.payment,
        notifications_pace = pace.notifications,
        webhooks_pace = pace.webhooks,
        cron_pace = pace.cron,
        postgres = ports.postgres,
        owner_url = secret("owner_url"),
        passwords = file(&secrets.database_dir()),
        public = ports.public,
        admin = ports.admin,
        operations = ports.operations,
        signing = secret("token_signing.pem"),
        verifying = secret("token_verifying.pem"),
        core_root = secret("core_root_key"),
        admin_root = secret("admin_root_key"),
        keystore = file(&plan.data.join("keystore.json")),
        passphrase = secret("keystore_passphrase"),
        token = addresses.token,
        smtp = ports.smtp,
        identity = secret("identity_secret"),
    )
}
