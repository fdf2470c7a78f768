//! Which templates there are. Their values are documented where they are sent from: core's `mail.rs`, `consumers/`.

/// One mail.
pub(super) struct Template {
    pub name: &'static str,
    pub subject: &'static str,
    pub text: &'static str,
    pub html: &'static str,
}

pub(super) const LAYOUT_HTML: &str = include_str!("../../templates/layout.html");
pub(super) const LAYOUT_TEXT: &str = include_str!("../../templates/layout.txt");

macro_rules! catalogue {
    ($($name:literal)*) => {
        &[$(Template {
            name: $name,
            subject: include_str!(concat!("../../templates/", $name, ".subject")),
            text: include_str!(concat!("../../templates/", $name, ".txt")),
            html: include_str!(concat!("../../templates/", $name, ".html")),
        }),*]
    };
}

pub(super) const CATALOGUE: &[Template] = catalogue! {
    "account_frozen"
    "account_unfrozen"
    "already_registered"
    "confirm_email"
    "deposit_credited"
    "deposit_reversed"
    "login_stopped"
    "new_login"
    "no_account"
    "password_changed"
    "password_reset"
    "second_factor_changed"
    "transfer_received"
    "verification_approved"
    "verification_rejected"
    "withdrawal_awaits_approval"
    "withdrawal_cancelled"
    "withdrawal_failed"
    "withdrawal_requested"
    "withdrawal_settled"
};
