//! Asking for a transfer: checks, the receiver, the binding of the key, the command.

use std::time::Duration;

use ferrex_contracts::core::{ResolveUser, ResolvedUser};
use ferrex_fault::{Fault, Kind};
use ferrex_flows::Actor;
use ferrex_ids::{TransferId, UserId};
use ferrex_ledger::{Owner, Purpose};
use ferrex_postgres::Error as DbError;
use serde::Serialize;

use super::model::{Facts, Input, Phase, State};
use super::{Error, store};
use crate::idempotency::{Bound, Call, state_of};
use crate::{Context, Payment, customer, registry};

/// The longest note.
pub const NOTE_CHARS_MAX: usize = 140;
const HANDLE_CHARS_MAX: usize = 254;

/// What a person asks for.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    /// User name or e-mail address of the receiver.
    pub to: String,
    /// Symbol of the asset.
    pub asset: String,
    /// How much, in whole units.
    pub amount: String,
    /// A few words for the receiver.
    pub note: Option<String>,
}

/// Makes a transfer. A repeat under the same key is given the first one.
pub async fn create(payment: &Payment, user: UserId, key: &str, asked: &Asked) -> Result<TransferId, Fault> {
    let context = &payment.context;
    let bound = Bound::new(user, key, "transfer", asked);
    let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    if let Some(resource) = bound.find(&mut open).await?? {
        drop(open);
        return finish(payment, TransferId::from_uuid(resource), Call::Repeat).await;
    }
    let note = asked.note.as_deref().map(clean_note).transpose()?.flatten();
    let asset = registry::store::find_asset_by_symbol(&mut open, &asked.asset).await?;
    let asset = asset.ok_or_else(|| {
        Error::field(
            "payment.asset.unknown",
            "asset",
            "there is no asset of this symbol",
        )
    })?;
    let amount = ferrex_money::parse(&asked.amount, asset.decimals)
        .map_err(|error| Error::field("payment.amount.invalid", "amount", error.to_string()))?;
    if amount.is_zero() {
        return Err(Error::field(
            "payment.amount.invalid",
            "amount",
            "an amount of zero moves nothing",
        )
        .into());
    }
    let payer = customer::store::get(&mut open, user).await?;
    drop(open);
    if payer.frozen {
        return Err(Error::Frozen.into());
    }
    let balances = context.engine.balances(Owner::User(user.uuid())).await?;
    if balances
        .iter()
        .any(|balance| balance.key.account.purpose == Purpose::Debt && !balance.total.is_zero())
    {
        return Err(Error::Owing.into());
    }
    let receiver = resolve(context, &asked.to).await?;
    if receiver.user == user {
        return Err(Error::field("payment.transfer.to_self", "to", "this is your own account").into());
    }
    if !receiver.can_receive {
        return Err(Error::CannotReceive.into());
    }

    let at = context.clock.now();
    let id = TransferId::new_at(context.clock.unix_ms());
    let facts = Facts {
        transfer: id,
        from: user,
        to: receiver.user,
        from_username: payer.username,
        to_username: receiver.username,
        asset: asset.id,
        symbol: asset.symbol,
        decimals: asset.decimals,
        amount,
        note,
        requested_at: at,
    };
    let mut tx = context.db.begin().await?;
    if !bound.bind(&mut tx, id.uuid(), at).await? {
        drop(tx);
        let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
        let first = bound.find(&mut open).await??.ok_or(Error::NotFound)?;
        drop(open);
        return finish(payment, TransferId::from_uuid(first), Call::Repeat).await;
    }
    store::insert(&mut tx, &facts).await?;
    payment
        .transfers
        .start(
            &mut tx,
            id.cast(),
            State::new(facts),
            Input::Begin,
            &Actor::user(user),
        )
        .await?;
    tx.commit().await.map_err(DbError::Commit)?;
    finish(payment, id, Call::First).await
}

/// Has the command decided, if it is not yet; a refusal is the same each time it is asked for.
async fn finish(payment: &Payment, id: TransferId, call: Call) -> Result<TransferId, Fault> {
    let undecided = |state: &State| state.phase == Phase::Requested;
    let state = state_of(&payment.transfers, id.cast(), call, undecided).await?;
    let mut state = state.ok_or(Error::NotFound)?;
    if state.phase == Phase::Requested {
        // No answer is no refusal: the flow goes on with the same command.
        if let Ok(outcome) = payment.context.engine.submit(state.command()).await {
            state = payment
                .transfers
                .send(id.cast(), Input::Answered { outcome }, &Actor::SYSTEM)
                .await?;
        }
    }
    match state.phase {
        Phase::Refused { .. } => Err(Error::Insufficient(state.facts.symbol).into()),
        Phase::Requested | Phase::Completed => Ok(id),
    }
}

async fn resolve(context: &Context, handle: &str) -> Result<ResolvedUser, Fault> {
    let chars = handle.chars().count();
    if !(1..=HANDLE_CHARS_MAX).contains(&chars) || handle.chars().any(|c| c.is_control() || c.is_whitespace())
    {
        let message = "a user name or an e-mail address, without spaces";
        return Err(Error::field("payment.transfer.recipient_invalid", "to", message).into());
    }
    let within = Duration::from_millis(context.config.request_timeout_ms);
    let request = ResolveUser {
        handle: handle.to_owned(),
    };
    match context.bus.request(handle.to_lowercase(), &request, within).await {
        Ok(user) => Ok(user),
        Err(error) => {
            let fault = Fault::from(error);
            match fault.kind {
                Kind::NotFound | Kind::Invalid => {
                    let message = "there is nobody with this user name or e-mail address";
                    Err(Error::field("payment.transfer.recipient_unknown", "to", message).into())
                }
                _ => Err(fault),
            }
        }
    }
}

/// A note without what could make it look like something else: no control characters, no characters that turn the
/// direction of text or hide (F107). Empty is none.
fn clean_note(note: &str) -> Result<Option<String>, Error> {
    let refused = |message: String| Error::field("payment.transfer.note_invalid", "note", message);
    let note = note.trim();
    if note.chars().count() > NOTE_CHARS_MAX {
        return Err(refused(format!("at most {NOTE_CHARS_MAX} characters")));
    }
    let hides = |c: char| matches!(c, '\u{200b}' | '\u{200c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}');
    if note.chars().any(|c| c.is_control() || hides(c)) {
        return Err(refused("only visible characters on one line".to_owned()));
    }
    Ok((!note.is_empty()).then(|| note.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f107_notes_hold_only_visible_text() {
        assert_eq!(
            clean_note("  thanks 🎉 für gestern ").unwrap().as_deref(),
            Some("thanks 🎉 für gestern")
        );
        assert_eq!(clean_note(" ").unwrap(), None);
        for note in [
            "a\u{0}b",
            "a\nb",
            "\u{202e}evil",
            "zero\u{200b}width",
            "\u{2066}isolate",
        ] {
            assert!(clean_note(note).is_err(), "{note:?}");
        }
        assert!(clean_note(&"x".repeat(141)).is_err());
        assert!(clean_note(&"é".repeat(140)).is_ok());
    }
}
