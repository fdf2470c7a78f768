//! Going on after the wallet was used elsewhere (H027).

use ferrex_contracts::signer::{AdvanceNonce, WalletNonce};

use super::flow::commit;
use super::store;
use crate::{Error, Signer};

/// The most nonces that are passed over at once: the way back is closed, so a typing error must not be followed.
const ADVANCE_MAX: u64 = 1_000;

impl Signer {
    /// Raises the next nonce to the one named, and writes down who wanted it. It never goes down; the same again changes
    /// nothing. What was signed stays as it is.
    pub async fn advance_nonce(&self, request: &AdvanceNonce) -> Result<WalletNonce, Error> {
        self.policy().chain(request.chain_id)?;
        let at = self.clock().now();
        let (chain_id, hot) = (request.chain_id, self.keys().hot_wallet());
        let mut tx = self.db().begin().await?;
        let before = store::lock_wallet(&mut tx, chain_id, hot, request.next_nonce, at).await?;
        if request.next_nonce > before {
            if request.next_nonce - before > ADVANCE_MAX {
                return Err(Error::field(
                    "next_nonce",
                    format!("is more than {ADVANCE_MAX} above {before}"),
                ));
            }
            store::advance(&mut tx, hot, before, request, at).await?;
        }
        commit(tx).await?;
        let next_nonce = before.max(request.next_nonce);
        tracing::warn!(
            chain_id,
            before,
            next_nonce,
            staff = %request.by.staff,
            reason = request.by.reason,
            "the wallet goes on at another nonce"
        );
        Ok(WalletNonce { chain_id, next_nonce })
    }
}
