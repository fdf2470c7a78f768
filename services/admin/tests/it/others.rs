//! Stand-ins for the services that admin asks: they remember what they were asked and answer as told.

use std::sync::{Arc, Mutex};

use ferrex_bus::Router;
use ferrex_contracts::core::{
    DecideVerification, GetUser, GetVerification, SetUserFreeze, UserView, VerificationState,
    VerificationView,
};
use ferrex_contracts::engine::{FeeRate, MarketState};
use ferrex_contracts::payment::{
    AssetRegistry, AssetTerms, AssetView, CreateAsset, CreateMarket, DecideWithdrawal, ListAssets,
    ListMarkets, MarketRegistry, MarketView, NetworkView, PutNetwork, SetMarketState, ShownAmount,
    UpdateAsset, WithdrawalAwaitsApproval, WithdrawalView,
};
use ferrex_contracts::payment::{FeeSchedule, GetFeeSchedule, MarketTerms, SetFeeSchedule, SetMarketFees};
use ferrex_contracts::{Decision, Message};
use ferrex_fault::{Fault, Kind};
use ferrex_ids::{UserId, VerificationId, WithdrawalId};
use ferrex_money::{Amount, AssetId, Decimals};
use ferrex_time::from_micros;
use serde_json::Value;

/// What was asked, in order, as JSON with the type's name.
pub(crate) type Asked = Arc<Mutex<Vec<(String, Value)>>>;

fn note<M: Message>(asked: &Asked, message: &M) {
    asked
        .lock()
        .unwrap()
        .push((M::TYPE.to_owned(), serde_json::to_value(message).unwrap()));
}

fn market(terms: MarketTerms, state: MarketState) -> MarketView {
    MarketView {
        market: 1,
        symbol: "ETH-USDT".into(),
        terms,
        state: Some(state),
        fees: vec![FeeRate {
            maker_ppm: 10,
            taker_ppm: 20,
        }],
    }
}

fn market_terms() -> MarketTerms {
    let one = Amount::new(1);
    MarketTerms {
        base: AssetId(6),
        quote: AssetId(7),
        tick: one,
        lot: one,
        price_max: one,
        quantity_min: one,
        quantity_max: one,
        value_min: one,
        band_ppm: 0,
        open_orders_max: 1,
        reference_price: None,
        maker_ppm: 0,
        taker_ppm: 0,
    }
}

pub(crate) fn user(user: UserId, frozen: bool) -> UserView {
    UserView {
        user,
        username: "anna".into(),
        email: "anna@example.org".into(),
        level: 1,
        frozen,
        second_factor: true,
        created_at: from_micros(0),
    }
}

fn verification(verification: VerificationId, state: VerificationState) -> VerificationView {
    VerificationView {
        verification,
        user: UserId::new_at(1),
        level: 1,
        state,
        legal_name: "Anna Smith".into(),
        birth_date: "1990-01-02".into(),
        country: "DE".into(),
        rejected_because: None,
        submitted_at: from_micros(0),
        decided_at: None,
    }
}

/// A `core`: everybody is not frozen, every submission waits; who rejects one is refused.
pub(crate) fn core(asked: &Asked) -> Router {
    let (freeze, decide) = (asked.clone(), asked.clone());
    Router::new("core")
        .on_request::<GetUser, _, _>(async |_, ask| Ok(user(ask.user, false)))
        .on_request::<SetUserFreeze, _, _>(move |_, ask| {
            note(&freeze, &ask);
            async move { Ok(user(ask.user, ask.frozen)) }
        })
        .on_request::<GetVerification, _, _>(async |_, ask| {
            Ok(verification(ask.verification, VerificationState::Submitted))
        })
        .on_request::<DecideVerification, _, _>(move |_, ask| {
            note(&decide, &ask);
            async move {
                match ask.decision {
                    Decision::Approve => Ok(verification(ask.verification, VerificationState::Approved)),
                    Decision::Reject => Err(Fault::new(
                        Kind::Conflict,
                        "core.verification.decided",
                        "decided before",
                    )),
                }
            }
        })
}

pub(crate) fn waiting(withdrawal: WithdrawalId, content_hash: &str) -> WithdrawalAwaitsApproval {
    WithdrawalAwaitsApproval {
        withdrawal,
        user: UserId::new_at(1),
        value: amount(),
        fee: Amount::new(5_000_000_000_000_000),
        address: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8".into(),
        network: "dev".into(),
        requested_at: from_micros(1_000_000),
        content_hash: content_hash.into(),
    }
}

fn amount() -> ShownAmount {
    let decimals = Decimals::try_new(18).unwrap();
    ShownAmount {
        asset: AssetId(1),
        symbol: "ETH".into(),
        amount: Amount::new(2_500_000_000_000_000_000),
        decimals,
    }
}

fn asset(symbol: &str, decimals: Decimals, terms: AssetTerms) -> AssetView {
    let (name, network) = (symbol.to_owned(), "dev".to_owned());
    AssetView {
        asset: AssetId(7),
        symbol: symbol.into(),
        name,
        network,
        contract: None,
        decimals,
        terms,
    }
}

/// A `payment`: it does what it is told; its registry has one asset with 6 decimals.
pub(crate) fn payment(asked: &Asked) -> Router {
    let (decide, network, create, update) = (asked.clone(), asked.clone(), asked.clone(), asked.clone());
    let (make_market, set_market) = (asked.clone(), asked.clone());
    let (fees, schedule) = (asked.clone(), asked.clone());
    Router::new("payment")
        .on_request::<DecideWithdrawal, _, _>(move |_, ask| {
            note(&decide, &ask);
            async move {
                Ok(WithdrawalView {
                    withdrawal: ask.withdrawal,
                    user: UserId::new_at(1),
                    state: "signing".into(),
                    value: amount(),
                    fee: Amount::ZERO,
                    address: String::new(),
                    network: "dev".into(),
                    waiting_for: None,
                    transactions: Vec::new(),
                    requested_at: from_micros(0),
                })
            }
        })
        .on_request::<ListAssets, _, _>(async |_, _| {
            let terms = AssetTerms {
                deposit_minimum: Amount::new(1_500_000),
                withdrawal_minimum: Amount::ZERO,
                withdrawal_fee: Amount::ZERO,
                approval_threshold: Amount::ZERO,
                deposits_enabled: true,
                withdrawals_enabled: true,
            };
            let assets = vec![asset("USDT", Decimals::try_new(6).unwrap(), terms)];
            Ok(AssetRegistry {
                networks: Vec::new(),
                assets,
            })
        })
        .on_request::<PutNetwork, _, _>(move |_, ask| {
            note(&network, &ask);
            async move {
                Ok(NetworkView {
                    key: ask.key,
                    name: ask.name,
                    chain_id: ask.chain_id,
                    rpc_urls: ask.rpc_urls,
                    confirmations: ask.confirmations,
                    enabled: ask.enabled,
                    hot_wallet: None,
                    height: None,
                })
            }
        })
        .on_request::<CreateAsset, _, _>(move |_, ask| {
            note(&create, &ask);
            async move { Ok(asset(&ask.symbol, ask.decimals, ask.terms)) }
        })
        .on_request::<CreateMarket, _, _>(move |_, ask| {
            note(&make_market, &ask);
            async move { Ok(market(ask.terms, MarketState::Halted)) }
        })
        .on_request::<SetMarketState, _, _>(move |_, ask| {
            note(&set_market, &ask);
            async move { Ok(market(market_terms(), ask.state)) }
        })
        .on_request::<SetMarketFees, _, _>(move |_, ask| {
            note(&fees, &ask);
            async move {
                let market = market(market_terms(), MarketState::Open);
                Ok(MarketView {
                    fees: ask.fees,
                    ..market
                })
            }
        })
        .on_request::<SetFeeSchedule, _, _>(move |_, ask| {
            note(&schedule, &ask);
            async move {
                Ok(FeeSchedule {
                    asset: Some(ask.asset),
                    volumes: ask.volumes,
                })
            }
        })
        .on_request::<GetFeeSchedule, _, _>(async |_, _| {
            Ok(FeeSchedule {
                asset: None,
                volumes: Vec::new(),
            })
        })
        .on_request::<ListMarkets, _, _>(move |_, _| async move {
            let markets = vec![market(market_terms(), MarketState::Halted)];
            Ok(MarketRegistry { markets })
        })
        .on_request::<UpdateAsset, _, _>(move |_, ask| {
            note(&update, &ask);
            async move { Ok(asset("USDT", Decimals::try_new(6).unwrap(), ask.terms)) }
        })
}
