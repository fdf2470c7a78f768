//! Networks and assets as values, and the checks of what staff enter.

use ferrex_chains::evm::EvmAddress;
use ferrex_contracts::payment::{AssetTerms, AssetView, CreateAsset, NetworkView, PutNetwork, ShownAmount};
use ferrex_money::{Amount, AssetId, Decimals};

use super::Error;

const NAME_CHARS_MAX: usize = 60;
const URLS_MAX: usize = 8;
const URL_CHARS_MAX: usize = 500;
const CONFIRMATIONS_MAX: u32 = 1_000;

/// A chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// The chain id that every node must answer with.
    pub chain_id: u64,
    /// Node addresses, the preferred one first. May hold keys: never shown to people.
    pub rpc_urls: Vec<String>,
    /// Blocks, the one of the transaction included, until a transaction counts.
    pub confirmations: u32,
    /// Whether deposits and withdrawals are taken.
    pub enabled: bool,
    /// Why payments rest, if they do.
    pub halted_because: Option<String>,
}

/// A coin or token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its number.
    pub id: AssetId,
    /// Its symbol.
    pub symbol: String,
    /// Its name.
    pub name: String,
    /// Key of its network.
    pub network: String,
    /// Contract of a token; none for the network's own coin.
    pub contract: Option<EvmAddress>,
    /// Decimal places.
    pub decimals: Decimals,
    /// What can be changed.
    pub terms: AssetTerms,
}

impl Asset {
    /// An amount of it as people read it.
    pub fn show(&self, amount: Amount) -> ShownAmount {
        ShownAmount {
            asset: self.id,
            symbol: self.symbol.clone(),
            amount,
            decimals: self.decimals,
        }
    }

    /// An amount of it as decimal text in whole units.
    pub fn text(&self, amount: Amount) -> String {
        ferrex_money::format(amount, self.decimals)
    }

    /// As another service sees it.
    pub fn view(&self) -> AssetView {
        AssetView {
            asset: self.id,
            symbol: self.symbol.clone(),
            name: self.name.clone(),
            network: self.network.clone(),
            contract: self.contract.map(|contract| contract.to_string()),
            decimals: self.decimals,
            terms: self.terms.clone(),
        }
    }
}

impl Network {
    /// As another service sees it.
    pub fn view(&self, hot_wallet: Option<EvmAddress>, height: Option<u64>) -> NetworkView {
        NetworkView {
            key: self.key.clone(),
            name: self.name.clone(),
            chain_id: self.chain_id,
            rpc_urls: self.rpc_urls.clone(),
            confirmations: self.confirmations,
            enabled: self.enabled,
            hot_wallet: hot_wallet.map(|address| address.to_string()),
            height,
        }
    }
}

/// Checks what staff say about a network.
pub fn check_network(request: &PutNetwork) -> Result<(), Error> {
    let key_char = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(2..=20).contains(&request.key.len())
        || !request.key.bytes().all(key_char)
        || request.key.starts_with('-')
    {
        return Err(Error::field(
            "key",
            "2 to 20 characters of a-z, 0-9 and -, not beginning with -",
        ));
    }
    check_name(&request.name)?;
    if request.chain_id == 0 || i64::try_from(request.chain_id).is_err() {
        return Err(Error::field("chain_id", "from 1 to 2^63 - 1"));
    }
    if request.rpc_urls.is_empty() || request.rpc_urls.len() > URLS_MAX {
        return Err(Error::field("rpc_urls", format!("1 to {URLS_MAX} addresses")));
    }
    let usable = |url: &String| {
        let http = url.starts_with("http://") || url.starts_with("https://");
        http && url.len() <= URL_CHARS_MAX && url.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if !request.rpc_urls.iter().all(usable) {
        return Err(Error::field(
            "rpc_urls",
            "each is an http or https address without spaces",
        ));
    }
    if !(1..=CONFIRMATIONS_MAX).contains(&request.confirmations) {
        return Err(Error::field(
            "confirmations",
            format!("from 1 to {CONFIRMATIONS_MAX}"),
        ));
    }
    if request
        .start_height
        .is_some_and(|height| i64::try_from(height).is_err())
    {
        return Err(Error::field("start_height", "at most 2^63 - 1"));
    }
    Ok(())
}

/// Checks what staff say about an asset; answers the contract's address.
pub fn check_asset(request: &CreateAsset) -> Result<Option<EvmAddress>, Error> {
    let symbol_char = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    if !(2..=12).contains(&request.symbol.len()) || !request.symbol.bytes().all(symbol_char) {
        return Err(Error::field("symbol", "2 to 12 characters of A-Z and 0-9"));
    }
    check_name(&request.name)?;
    let contract = request.contract.as_deref().map(EvmAddress::parse).transpose();
    contract.map_err(|error| Error::field("contract", error.to_string()))
}

fn check_name(name: &str) -> Result<(), Error> {
    let chars = name.chars().count();
    if !(1..=NAME_CHARS_MAX).contains(&chars) || name.chars().any(char::is_control) || name.trim() != name {
        return Err(Error::field(
            "name",
            format!("1 to {NAME_CHARS_MAX} visible characters"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ferrex_contracts::StaffAction;
    use ferrex_ids::StaffId;

    use super::*;

    fn network() -> PutNetwork {
        PutNetwork {
            key: "ethereum".into(),
            name: "Ethereum".into(),
            chain_id: 1,
            rpc_urls: vec!["https://node.example/key".into()],
            confirmations: 12,
            start_height: None,
            enabled: true,
            by: StaffAction {
                staff: StaffId::new_at(1),
                reason: "new".into(),
            },
        }
    }

    fn refused(change: impl FnOnce(&mut PutNetwork)) -> &'static str {
        let mut request = network();
        change(&mut request);
        match check_network(&request) {
            Err(Error::Field { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_field_of_a_network_is_checked() {
        assert!(check_network(&network()).is_ok());
        for key in ["", "e", "-eth", "Ethereum", "a b", "an-overlong-network-key"] {
            assert_eq!(refused(|request| request.key = key.into()), "key");
        }
        assert_eq!(refused(|request| request.name = " x".into()), "name");
        assert_eq!(refused(|request| request.chain_id = 0), "chain_id");
        assert_eq!(refused(|request| request.rpc_urls.clear()), "rpc_urls");
        assert_eq!(
            refused(|request| request.rpc_urls = vec!["file:///etc/passwd".into()]),
            "rpc_urls"
        );
        assert_eq!(refused(|request| request.confirmations = 0), "confirmations");
        assert_eq!(
            refused(|request| request.start_height = Some(u64::MAX)),
            "start_height"
        );
    }
}
