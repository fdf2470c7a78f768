use ferrex_contracts::payment::TransferCompleted;

use crate::world::*;

#[tokio::test]
async fn f107_hostile_names_and_notes_are_inert_in_mail() {
    let world = World::new().await;
    let service = world.run().await;
    let alice = world.person("alice").await;
    let event = TransferCompleted {
        transfer: new_id(),
        from: new_id(),
        to: alice,
        from_username: "<script>alert(1)</script>\u{202E}evil".to_owned(),
        to_username: "alice".to_owned(),
        value: ether(5_000_000_000_000_000_000),
        note: Some("<img src=x onerror=alert(2)>\r\nBcc: all@example.org\r\n\r\nhttps://evil.example {{ code }} \u{7} &amp; \"'".to_owned()),
    };
    let id = world.say(&event).await.cast();
    world.reaches(id, "sent").await;
    let mail = world
        .mails
        .wait_for("alice@example.org", "You received 5 ETH")
        .await;
    let (text, html) = (mail.text.clone().unwrap(), mail.html.clone().unwrap());
    assert!(
        html.contains("&lt;script&gt;alert(1)&lt;") && !html.contains("<script"),
        "{html}"
    );
    assert!(html.contains("&lt;img src") && !html.contains("<img"), "{html}");
    for part in [&text, &html] {
        assert!(!part.contains('\u{202E}') && !part.contains('\u{7}'), "{part}");
        assert!(
            !part.contains("https://evil.example"),
            "it would become a link: {part}"
        );
        assert!(part.contains("{{ code }}"), "a value is not a template: {part}");
    }
    assert_eq!(mail.header("Bcc"), None);
    assert_eq!(mail.to, ["alice@example.org"]);
    service.stop().await;
}

#[tokio::test]
async fn f107_an_address_that_is_none_fails_visibly() {
    let world = World::new().await;
    let service = world.run().await;
    for address in [
        "a@b\r\nRCPT TO:<all@example.org>",
        "no address",
        "<x@example.org>, y@example.org",
        "",
    ] {
        let id = new_id();
        world.say(&code_mail(id, address)).await;
        let entry = world.reaches(id, "failed").await;
        assert!(
            entry.reason.unwrap().starts_with("the address cannot be used"),
            "{address:?}"
        );
    }
    assert!(world.mails.messages().is_empty());
    service.stop().await;
}
