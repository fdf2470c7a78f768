use ferrex_bus::Router;
use ferrex_contracts::signer::DescribeWallet;

use crate::Signer;

/// Tells the public side of the wallet.
pub(super) fn register(router: Router, signer: Signer) -> Router {
    router.on_request::<DescribeWallet, _, _>(move |_, _| {
        let wallet = signer.describe();
        async move { Ok(wallet) }
    })
}
