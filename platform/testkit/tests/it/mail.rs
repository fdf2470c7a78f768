use std::time::Duration;

use ferrex_testkit::MailCatcher;
use ferrex_testkit::mail::Behaviour;
use lettre::message::MultiPart;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

fn sender(catcher: &MailCatcher) -> AsyncSmtpTransport<Tokio1Executor> {
    AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1")
        .port(catcher.port())
        .build()
}

fn letter() -> Message {
    let body = MultiPart::alternative_plain_html(
        "Grüße\r\n.\r\nThe code is 123456, the link http://localhost:8080/confirm?t=abc here".to_owned(),
        "<p>Grüße</p>".to_owned(),
    );
    Message::builder()
        .from("Ferrex <no-reply@ferrex.test>".parse().unwrap())
        .to("ada@example.org".parse().unwrap())
        .subject("Bestätigung")
        .multipart(body)
        .unwrap()
}

#[tokio::test]
async fn a_message_is_parsed_into_its_parts() {
    let catcher = MailCatcher::start().await;
    sender(&catcher).send(letter()).await.unwrap();
    let mail = catcher.wait_for("ADA@example.org", "code is").await;
    assert_eq!(
        (mail.from.as_str(), mail.subject.as_str()),
        ("no-reply@ferrex.test", "Bestätigung")
    );
    assert!(
        mail.text.as_deref().unwrap().starts_with("Grüße\r\n.\r\n"),
        "{:?}",
        mail.text
    );
    assert_eq!(mail.html.as_deref().map(str::trim), Some("<p>Grüße</p>"));
    assert_eq!(
        (mail.code(6), mail.link()),
        (Some("123456"), Some("http://localhost:8080/confirm?t=abc"))
    );
    assert!(mail.header("From").unwrap().contains("Ferrex"));
}

#[tokio::test]
async fn it_refuses_hangs_and_loses_replies_on_demand() {
    let catcher = MailCatcher::start().await;
    catcher.behave(Behaviour::RefuseForNow);
    assert!(sender(&catcher).send(letter()).await.unwrap_err().is_transient());
    catcher.behave(Behaviour::RefuseForGood);
    assert!(sender(&catcher).send(letter()).await.unwrap_err().is_permanent());
    catcher.behave(Behaviour::Hang);
    // lettre's own timeout covers the connecting only, so whoever sends needs one around it.
    let endless = tokio::time::timeout(Duration::from_millis(300), sender(&catcher).send(letter())).await;
    assert!(endless.is_err());
    assert!(catcher.messages().is_empty());
    catcher.behave(Behaviour::LoseReply);
    assert!(sender(&catcher).send(letter()).await.is_err());
    assert_eq!(catcher.messages().len(), 1);
}

#[tokio::test]
async fn it_stops_and_starts_again_on_its_port() {
    let catcher = MailCatcher::start().await;
    sender(&catcher).send(letter()).await.unwrap();
    catcher.stop();
    ferrex_testkit::eventually(Duration::from_secs(5), async || {
        sender(&catcher).send(letter()).await.is_err()
    })
    .await;
    catcher.start_again().await;
    let before = catcher.messages().len();
    sender(&catcher).send(letter()).await.unwrap();
    assert_eq!(catcher.messages().len(), before + 1);
}
