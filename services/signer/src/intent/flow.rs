//! Signing: load, decide, sign, check, store, and only then answer.

use ferrex_chains::evm::SignedTx;
use ferrex_contracts::signer::{
    CancelIntent, FillNonce, GetIntent, IntentView, SignWithdrawal, SignedTransaction, WalletView,
};
use ferrex_ids::IntentId;
use ferrex_money::Amount;
use ferrex_postgres::Tx;
use ferrex_runtime::kill;
use ferrex_time::{Duration, Timestamp};

use super::model::{
    Body, FillOrder, Intent, Offer, Order, Purpose, Turn, answer, build, check_signed, decide_filler,
    decide_payment, filler_body, first_nonce,
};
use super::store;
use crate::policy::ChainPolicy;
use crate::{Error, Signer};

/// The window of the velocity caps.
const WINDOW: Duration = Duration::hours(24);

impl Signer {
    /// The public side of the wallet.
    pub fn describe(&self) -> WalletView {
        let account = self.keys().account();
        WalletView {
            evm_account_xpub: account.as_str().to_owned(),
            evm_hot_wallet: account.hot_wallet().to_string(),
        }
    }

    /// Signs a payment, or gives back what was signed for this intent and attempt before.
    pub async fn sign_withdrawal(&self, request: &SignWithdrawal) -> Result<SignedTransaction, Error> {
        let order = Order::try_new(request, self.keys().hot_wallet())?;
        let at = self.clock().now();
        let mut tx = self.db().begin().await?;
        store::lock_intent(&mut tx, order.intent).await?;
        let cancelled = store::is_cancelled(&mut tx, order.intent).await?;
        let stored = store::find(&mut tx, order.intent).await?;
        let turn = decide_payment(stored.as_ref(), cancelled, &order)?;
        if let Turn::Same(raw) = turn {
            return answer_stored(order.intent, raw);
        }
        let chain = self.policy().chain(order.body.chain_id)?;
        let nonce = match turn {
            Turn::Replace { nonce } => {
                self.allow_replacement(&mut tx, chain, order.intent, &order.body, order.offer, nonce, at)
                    .await?;
                nonce
            }
            _ => self.allow_first(&mut tx, chain, &order, at).await?,
        };
        self.sign(
            tx,
            order.intent,
            order.attempt,
            Purpose::Payment,
            &order.body,
            order.offer,
            nonce,
            at,
        )
        .await
    }

    /// Signs a payment of nothing to ourselves with the nonce of an intent that was given up.
    pub async fn fill_nonce(&self, request: &FillNonce) -> Result<SignedTransaction, Error> {
        let order = FillOrder::try_new(request)?;
        let at = self.clock().now();
        let mut tx = self.db().begin().await?;
        store::lock_intent(&mut tx, order.intent).await?;
        let stored = store::find(&mut tx, order.intent).await?;
        let nonce = match decide_filler(stored.as_ref(), &order)? {
            Turn::Same(raw) => return answer_stored(order.intent, raw),
            Turn::Replace { nonce } => nonce,
            Turn::First => return Err(Error::IntentUnknown(order.intent)),
        };
        let paid = stored
            .map(|stored| stored.body)
            .ok_or(Error::IntentUnknown(order.intent))?;
        let chain = self.policy().chain(order.chain_id)?;
        self.allow_replacement(&mut tx, chain, order.intent, &paid, order.offer, nonce, at)
            .await?;
        let body = filler_body(&paid, self.keys().hot_wallet());
        self.sign(
            tx,
            order.intent,
            order.attempt,
            Purpose::Filler,
            &body,
            order.offer,
            nonce,
            at,
        )
        .await
    }

    /// Everything signed for an intent.
    pub async fn get_intent(&self, request: &GetIntent) -> Result<IntentView, Error> {
        let mut tx = self.db().begin().await?;
        // With the lock a signature that is being stored is waited for, so that "nothing" is true.
        store::lock_intent(&mut tx, request.intent).await?;
        let cancelled = store::is_cancelled(&mut tx, request.intent).await?;
        view(store::find(&mut tx, request.intent).await?.as_ref(), cancelled)
    }

    /// Makes sure that an intent is never signed, unless it was; then it says what.
    pub async fn cancel_intent(&self, request: &CancelIntent) -> Result<IntentView, Error> {
        let mut tx = self.db().begin().await?;
        store::lock_intent(&mut tx, request.intent).await?;
        let stored = store::find(&mut tx, request.intent).await?;
        if stored.is_none() {
            store::cancel(&mut tx, request.intent, self.clock().now()).await?;
            commit(tx).await?;
            tracing::info!(intent = %request.intent, "cancelled, it will never be signed");
        }
        view(stored.as_ref(), stored.is_none())
    }

    /// The signer's own rules for a new payment, and its nonce.
    async fn allow_first(
        &self,
        tx: &mut Tx,
        chain: &ChainPolicy,
        order: &Order,
        at: Timestamp,
    ) -> Result<u64, Error> {
        let (body, hot) = (&order.body, self.keys().hot_wallet());
        let asset = chain.asset(body.chain_id, body.contract)?;
        asset.check_payment(body.amount)?;
        chain.check_fee(order.offer.fee_max)?;
        let next_nonce = store::lock_wallet(tx, body.chain_id, hot, order.chain_nonce, at).await?;
        let nonce = first_nonce(order, next_nonce)?;
        let velocity = store::Velocity {
            chain_id: body.chain_id,
            contract: body.contract,
            without: order.intent,
            since: at - WINDOW,
            amount: body.amount,
            amount_max: asset.per_day_max,
            fee: order.offer.fee_max,
            fee_max: chain.fees_per_day_max,
            tx,
        };
        match velocity.fits().await? {
            (true, true) => {}
            (false, _) => {
                return Err(Error::AboveDailyCap {
                    cap: asset.per_day_max,
                });
            }
            (true, false) => {
                return Err(Error::AboveDailyFeeCap {
                    cap: chain.fees_per_day_max,
                });
            }
        }
        store::take_nonce(tx, body.chain_id, hot, nonce).await?;
        store::add_intent(tx, order.intent, body, hot, nonce, order.offer.fee_max, at).await?;
        Ok(nonce)
    }

    /// The signer's own rules for another candidate of a payment: only its fee is new.
    #[expect(
        clippy::too_many_arguments,
        reason = "they are one signature, named at both calls"
    )]
    async fn allow_replacement(
        &self,
        tx: &mut Tx,
        chain: &ChainPolicy,
        intent: IntentId,
        body: &Body,
        offer: Offer,
        nonce: u64,
        at: Timestamp,
    ) -> Result<(), Error> {
        chain.check_fee(offer.fee_max)?;
        // The row exists, since the intent has a nonce; it is locked for the sum below.
        store::lock_wallet(tx, body.chain_id, self.keys().hot_wallet(), nonce, at).await?;
        let velocity = store::Velocity {
            chain_id: body.chain_id,
            contract: body.contract,
            without: intent,
            since: at - WINDOW,
            amount: Amount::ZERO,
            amount_max: Amount::MAX,
            fee: offer.fee_max,
            fee_max: chain.fees_per_day_max,
            tx,
        };
        if !velocity.fits().await?.1 {
            return Err(Error::AboveDailyFeeCap {
                cap: chain.fees_per_day_max,
            });
        }
        store::raise_fee(tx, intent, offer.fee_max).await
    }

    /// Signs, reads the bytes back, stores them; the answer exists only after the commit.
    #[expect(
        clippy::too_many_arguments,
        reason = "they are one signature, named at both calls"
    )]
    async fn sign(
        &self,
        mut tx: Tx,
        intent: IntentId,
        attempt: u32,
        purpose: Purpose,
        body: &Body,
        offer: Offer,
        nonce: u64,
        at: Timestamp,
    ) -> Result<SignedTransaction, Error> {
        let refused = |what: String| Error::SignedDiffers { intent, what };
        let made = build(body, offer, nonce).sign(self.keys().hot_key());
        let made = made.map_err(|error| refused(error.to_string()))?;
        let signed = check_signed(intent, made.raw(), body, offer, nonce, self.keys().hot_wallet())?;
        kill::point("signer.after_sign");
        store::add_signature(&mut tx, intent, attempt, purpose, offer, &signed, at).await?;
        kill::point("signer.before_commit");
        commit(tx).await?;
        kill::point("signer.after_commit");
        tracing::info!(%intent, attempt, ?purpose, nonce, hash = %signed.hash(), "signed");
        Ok(answer(&signed))
    }
}

pub(super) async fn commit(tx: Tx) -> Result<(), Error> {
    tx.commit()
        .await
        .map_err(|error| Error::Store(ferrex_postgres::Error::Commit(error)))
}

fn answer_stored(intent: IntentId, raw: &[u8]) -> Result<SignedTransaction, Error> {
    tracing::debug!(%intent, "signed before, giving the same bytes");
    SignedTx::decode(raw)
        .map(|signed| answer(&signed))
        .map_err(|_| Error::Stored("signature"))
}

fn view(stored: Option<&Intent>, cancelled: bool) -> Result<IntentView, Error> {
    let candidates = stored.map_or(&[][..], |stored| &stored.candidates);
    let decode = |raw: &[u8]| {
        SignedTx::decode(raw)
            .map(|signed| answer(&signed))
            .map_err(|_| Error::Stored("signature"))
    };
    Ok(IntentView {
        candidates: candidates
            .iter()
            .map(|candidate| decode(&candidate.raw))
            .collect::<Result<_, _>>()?,
        cancelled,
    })
}
