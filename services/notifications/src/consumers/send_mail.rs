//! A mail that carries a secret, or goes to an address without an account.

use ferrex_contracts::notifications::SendMail;
use ferrex_fault::Fault;
use ferrex_postgres::Tx;

use crate::delivery::{Deliveries, NewDelivery};

pub(super) async fn handle(deliveries: &Deliveries, command: SendMail, tx: &mut Tx) -> Result<(), Fault> {
    let SendMail {
        delivery: id,
        user,
        email,
        template,
        params,
    } = command;
    deliveries
        .accept(
            tx,
            NewDelivery {
                id,
                user,
                email: Some(email),
                template,
                params,
            },
        )
        .await
}
