use std::collections::BTreeMap;

use ferrex_notifications::Templates;

/// A value for every parameter of every template.
fn samples(template: &str) -> BTreeMap<String, String> {
    let link = |path: &str| format!("https://wallet.example.org/{path}");
    let values: Vec<(&str, String)> = match template {
        "confirm_email" | "password_reset" => vec![
            ("code", "481516".into()),
            ("link", link("confirm#token=abc")),
            ("minutes", "30".into()),
        ],
        "already_registered" => vec![("link", link("login")), ("reset_link", link("reset"))],
        "no_account" => vec![("link", link("register"))],
        "login_stopped" => vec![("reset_link", link("reset"))],
        "second_factor_changed" => vec![("change", "replaced".into())],
        "new_login" => vec![
            ("at", "2026-11-23 18:30 UTC".into()),
            ("device", "Firefox on Debian".into()),
            ("address", "198.51.100.7".into()),
        ],
        "verification_approved" => vec![("level", "1".into())],
        "verification_rejected" => vec![
            ("level", "0".into()),
            ("reason", "The document is not legible.".into()),
        ],
        "deposit_credited" | "withdrawal_cancelled" => vec![("amount", "1.5 ETH".into())],
        "deposit_reversed" => vec![("amount", "1.5 ETH".into()), ("owed", "0.25 ETH".into())],
        "transfer_received" => vec![
            ("amount", "1.5 ETH".into()),
            ("from_user_name", "bob".into()),
            ("note", "For the <b>bread</b> & the butter".into()),
        ],
        "withdrawal_failed" => vec![
            ("amount", "1.5 ETH".into()),
            ("reason", "The network refused it.".into()),
        ],
        "withdrawal_requested" | "withdrawal_awaits_approval" | "withdrawal_settled" => vec![
            ("amount", "1.5 ETH".into()),
            ("fee", "0.001 ETH".into()),
            ("address", "0x52908400098527886E0F7030069857D2E4169EE7".into()),
            ("network", "ethereum".into()),
            (
                "transaction",
                "0x88df016429689c079f3b2f6ad39fa052532c56795b733da78a91ebe6a713944b".into(),
            ),
        ],
        _ => vec![],
    };
    let name = ("user_name", "alice".to_owned());
    let named = if template == "no_account" {
        values
    } else {
        [vec![name], values].concat()
    };
    named
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// The part of the page that the template fills.
fn body(html: &str) -> &str {
    let (_, after) = html
        .split_once("<p class=\"brand\">")
        .expect("the layout is around it");
    after
        .split_once("<p class=\"foot\">")
        .expect("the layout is around it")
        .0
}

#[test]
fn every_template_reads_well_in_text_and_html() {
    let templates = Templates::load("Ferrex", "https://wallet.example.org/").unwrap();
    for name in Templates::names() {
        let mail = templates.render(name, &samples(name), None).unwrap();
        assert!(!mail.subject.contains('\n') && !mail.subject.is_empty(), "{name}");
        let shown = format!(
            "Subject: {}\n\n{}\n=== HTML ===\n{}",
            mail.subject,
            mail.text,
            body(&mail.html)
        );
        insta::assert_snapshot!(name, shown);
    }
}

#[test]
fn the_layout_is_a_whole_page() {
    let templates = Templates::load("Ferrex", "https://wallet.example.org/").unwrap();
    let mail = templates
        .render("account_unfrozen", &BTreeMap::new(), Some("alice"))
        .unwrap();
    insta::assert_snapshot!("layout", mail.html);
}

#[test]
fn optional_values_may_be_empty() {
    let templates = Templates::load("Ferrex", "https://wallet.example.org").unwrap();
    let mut values = samples("transfer_received");
    values.insert("note".to_owned(), String::new());
    let mail = templates.render("transfer_received", &values, None).unwrap();
    assert!(!mail.text.contains("Note") && !mail.html.contains("Note"));
    let mut values = samples("withdrawal_settled");
    values.insert("transaction".to_owned(), String::new());
    assert!(
        !templates
            .render("withdrawal_settled", &values, None)
            .unwrap()
            .text
            .contains("Transaction")
    );
}
