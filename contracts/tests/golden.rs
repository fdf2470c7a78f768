//! F70: every shape that a message ever had on the wire stays readable.
//!
//! `golden/<type>/<n>.json` holds bodies of a type as its version `n` wrote them, `<n>.reply.json` those of its answers,
//! `.least` those with as little as the version allowed. A file is never changed and never removed. When a type grows, the
//! test below fails until a file with the next number shows the new shape.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ferrex_contracts::{
    Message, Request, admin, core, cron, engine, notifications, payment, signer, webhooks,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Members whose values are one of a fixed set, and objects that are closed on purpose: a reader cannot guess what a new
/// word there means.
const FIXED: [&str; 4] = ["decision", "direction", "purpose", "owner"];

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// Bodies of a type, the oldest first, with their numbers.
fn bodies(message_type: &str, reply: bool) -> Vec<(u32, String, Value)> {
    let dir = golden().join(message_type);
    let files = fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut found: Vec<_> = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".reply.json") == reply)
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let number = name.split('.').next().unwrap().parse().unwrap();
            let body = serde_json::from_slice(&fs::read(&path).unwrap());
            let body = body.unwrap_or_else(|error| panic!("{message_type}/{name}: {error}"));
            (number, name, body)
        })
        .collect();
    found.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
    assert!(!found.is_empty(), "{message_type} has no golden file");
    found
}

fn check<T: Serialize + DeserializeOwned>(message_type: &str, reply: bool) {
    let bodies = bodies(message_type, reply);
    let newest = bodies.last().unwrap().0;
    for (number, name, body) in &bodies {
        let place = format!("{message_type}/{name}");
        let read: T = serde_json::from_value(body.clone()).unwrap_or_else(|error| panic!("{place}: {error}"));
        let written = serde_json::to_value(&read).unwrap();
        for (member, value) in body.as_object().unwrap() {
            assert_eq!(written.get(member), Some(value), "{place}: {member} is misread");
        }
        if *number == newest {
            assert_eq!(
                &written,
                body,
                "{place}: the type has grown, add version {}",
                newest + 1
            );
        }
        // The next version: something that this one does not know, anywhere.
        for (path, grown) in grow(body, "") {
            match serde_json::from_value::<T>(grown) {
                Ok(read) => assert_eq!(
                    serde_json::to_value(&read).unwrap(),
                    written,
                    "{place}{path} is misread"
                ),
                Err(error) => assert!(
                    FIXED.iter().any(|fixed| path.contains(fixed)) || path.ends_with("account"),
                    "{place}{path}: a new member is refused: {error}"
                ),
            }
        }
        for (path, changed) in replace(body, "") {
            assert!(
                serde_json::from_value::<T>(changed).is_err(),
                "{place}{path}: an unknown word is taken for a known one"
            );
        }
    }
}

/// The body with one unknown member, once for each object in it. Free maps are left alone: there a member is a value.
fn grow(body: &Value, path: &str) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    match body {
        Value::Object(members) => {
            let mut grown = members.clone();
            grown.insert("of_the_next_version".to_owned(), json!({ "a": 1 }));
            all.push((path.to_owned(), Value::Object(grown)));
            for (name, value) in members.iter().filter(|(name, _)| *name != "params") {
                for (path, grown) in grow(value, &format!("{path}/{name}")) {
                    let mut whole = members.clone();
                    whole.insert(name.clone(), grown);
                    all.push((path, Value::Object(whole)));
                }
            }
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                for (path, grown) in grow(item, &format!("{path}/{place}")) {
                    let mut whole = items.clone();
                    whole[place] = grown;
                    all.push((path, Value::Array(whole)));
                }
            }
        }
        _ => {}
    }
    all
}

/// The body with a word that nobody knows, once for each place where only known words may stand.
fn replace(body: &Value, path: &str) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    match body {
        Value::Object(members) => {
            for (name, value) in members {
                let path = format!("{path}/{name}");
                if FIXED.contains(&name.as_str()) {
                    let mut whole = members.clone();
                    whole.insert(name.clone(), json!("of_the_next_version"));
                    all.push((path.clone(), Value::Object(whole)));
                }
                for (path, changed) in replace(value, &path) {
                    let mut whole = members.clone();
                    whole.insert(name.clone(), changed);
                    all.push((path, Value::Object(whole)));
                }
            }
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                for (path, changed) in replace(item, &format!("{path}/{place}")) {
                    let mut whole = items.clone();
                    whole[place] = changed;
                    all.push((path, Value::Array(whole)));
                }
            }
        }
        _ => {}
    }
    all
}

fn event<M: Message>() -> &'static str {
    check::<M>(M::TYPE, false);
    M::TYPE
}

fn request<R: Request>() -> &'static str {
    check::<R>(R::TYPE, false);
    check::<R::Reply>(R::TYPE, true);
    R::TYPE
}

macro_rules! each {
    ($check:ident: $($message:path),+ $(,)?) => {
        vec![$($check::<$message>()),+]
    };
}

#[test]
fn f070_every_message_ever_released_is_read_and_so_is_the_next_version() {
    let mut checked = each! { event:
    admin::AuditCheckpoint,
        core::UserConfirmed,
    core::UserLevelChanged,
    core::UserFreezeChanged,
    core::UserCredentialsChanged,
    core::SessionRevoked,
    core::VerificationSubmitted,
    cron::CronTick,
    engine::JournalCommitted,
    engine::LedgerAudited,
    engine::MarketChanged,
    notifications::SendMail,
    payment::DepositSeen,
    payment::DepositCredited,
    payment::DepositReversed,
    payment::TransferCompleted,
    payment::WithdrawalRequested,
    payment::WithdrawalAwaitsApproval,
    payment::WithdrawalApprovalClosed,
    payment::WithdrawalSettled,
    payment::WithdrawalFailed,
    payment::WithdrawalCancelled,
    webhooks::WebhookReceived,
    };
    checked.extend(each! { request:
    core::ResolveUser,
    core::VerifySecondFactor,
    core::GetUser,
    core::ListUsers,
    core::SetUserFreeze,
    core::ListVerifications,
    core::GetVerification,
    core::DecideVerification,
    notifications::ListDeliveries,
    notifications::ResumeDelivery,
    payment::DecideWithdrawal,
    payment::GetWithdrawal,
    payment::GiveUpWithdrawal,
    payment::ResumeWallet,
    payment::CloseDeposit,
    payment::ListConcerns,
    payment::PutNetwork,
    payment::CreateAsset,
    payment::UpdateAsset,
    payment::ListAssets,
    payment::CreateMarket,
    payment::SetMarketState,
    payment::SetMarketFees,
    payment::ListMarkets,
    payment::SetFeeSchedule,
    payment::GetFeeSchedule,
    signer::DescribeWallet,
    signer::SignWithdrawal,
    signer::FillNonce,
    signer::GetIntent,
    signer::CancelIntent,
    signer::AdvanceNonce,
    });
    let checked: BTreeSet<String> = checked.into_iter().map(str::to_owned).collect();
    assert_eq!(declared(), checked, "every declared type is checked here");
    let kept: BTreeSet<String> = fs::read_dir(golden())
        .unwrap()
        .map(|dir| dir.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(kept, checked, "every golden file belongs to a type");
}

/// The types that the sources list in `events!` and `requests!`.
fn declared() -> BTreeSet<String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = BTreeSet::new();
    for file in fs::read_dir(sources).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        for list in text.split("events! {").chain(text.split("requests! {")).skip(1) {
            let Some((list, _)) = list.split_once('}').filter(|(list, _)| list.starts_with(" \"")) else {
                continue;
            };
            // The first quoted text is the topic, the others are types.
            all.extend(list.split('"').skip(3).step_by(2).map(str::to_owned));
        }
    }
    all
}
