use ferrex_bus::Router;
use ferrex_contracts::signer::SignWithdrawal;

use crate::Signer;

/// Signs a payment or its replacement.
pub(super) fn register(router: Router, signer: Signer) -> Router {
    router.on_request::<SignWithdrawal, _, _>(move |_, request| {
        let signer = signer.clone();
        async move { Ok(signer.sign_withdrawal(&request).await?) }
    })
}
