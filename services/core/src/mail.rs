//! The mails that carry a secret or a warning; all other mail follows from events.

use std::collections::BTreeMap;

use ferrex_contracts::notifications::SendMail;
use ferrex_fault::Fault;
use ferrex_ids::UserId;
use ferrex_postgres::Tx;
use ferrex_time::Timestamp;

use crate::Core;
use crate::secrets::{MailCode, Token};

/// A mail to one address.
pub(crate) struct Mail<'a> {
    pub user: Option<UserId>,
    pub email: &'a str,
    pub template: &'static str,
    pub params: Vec<(&'static str, String)>,
}

/// Names of the templates that `notifications` has for us.
pub mod template {
    /// Parameters `user_name`, `code`, `link`, `minutes`.
    pub const CONFIRM_EMAIL: &str = "confirm_email";
    /// Parameters `user_name`, `link` (to log in), `reset_link`.
    pub const ALREADY_REGISTERED: &str = "already_registered";
    /// Parameters `user_name`, `code`, `link`, `minutes`.
    pub const PASSWORD_RESET: &str = "password_reset";
    /// Somebody asked to reset the password of an address that has no account. Parameter `link` (to register).
    pub const NO_ACCOUNT: &str = "no_account";
    /// Parameter `user_name`.
    pub const PASSWORD_CHANGED: &str = "password_changed";
    /// Parameters `user_name`, `change` (`enrolled`, `replaced`, `removed`, `recovery_codes`, `recovery_code_used`).
    pub const SECOND_FACTOR_CHANGED: &str = "second_factor_changed";
    /// A log-in from a place that is new. Parameters `user_name`, `at`, `device`, `address`.
    pub const NEW_LOGIN: &str = "new_login";
    /// Log-ins from strange places were stopped. Parameters `user_name`, `reset_link`.
    pub const LOGIN_STOPPED: &str = "login_stopped";
}

impl Core {
    /// Puts a mail into the outbox of this transaction.
    pub(crate) async fn send(&self, tx: &mut Tx, now: Timestamp, mail: Mail<'_>) -> Result<(), Fault> {
        let delivery = self.id();
        let params: BTreeMap<String, String> = mail
            .params
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let (email, template) = (mail.email.to_owned(), mail.template.to_owned());
        let command = SendMail {
            delivery,
            user: mail.user,
            email,
            template,
            params,
        };
        self.publish(tx, delivery, now, &command).await
    }

    /// The parameters of a mail with a code and a link.
    pub(crate) fn code_params(
        &self,
        user_name: &str,
        page: &str,
        code: &MailCode,
        token: &Token,
    ) -> Vec<(&'static str, String)> {
        vec![
            ("user_name", user_name.to_owned()),
            ("code", code.reveal().to_owned()),
            // Behind the #, so that the token reaches no server's log and no Referer (A24).
            ("link", format!("{}#token={}", self.page(page), token.reveal())),
            ("minutes", self.config.code_minutes.to_string()),
        ]
    }

    /// The address of a page; those of `http/pages` answer without a wallet app.
    pub(crate) fn page(&self, path: &str) -> String {
        format!("{}{path}", self.config.public_url.trim_end_matches('/'))
    }
}
