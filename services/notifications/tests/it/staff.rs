use std::time::Duration;

use ferrex_bus::RequestError;
use ferrex_contracts::StaffAction;
use ferrex_contracts::notifications::{ListDeliveries, ResumeDelivery};

use crate::world::*;

const WITHIN: Duration = Duration::from_secs(10);

#[tokio::test]
async fn staff_page_through_the_log_and_resume_what_is_stuck() {
    let world = World::new().await;
    let service = world.run().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        let id = new_id();
        world.say(&code_mail(id, &format!("n{n}@example.org"))).await;
        world.reaches(id, "sent").await;
        ids.push(id);
    }
    let list = |cursor: Option<String>| ListDeliveries {
        user: None,
        state: Some("sent".to_owned()),
        cursor,
        limit: 2,
    };
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = world.bus.request("", &list(cursor), WITHIN).await.unwrap();
        assert!(page.items.len() <= 2);
        seen.extend(page.items.iter().map(|item| item.delivery));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    ids.sort_unstable();
    ids.reverse();
    assert_eq!(seen, ids);
    let bad = world.bus.request("", &list(Some("x".to_owned())), WITHIN).await;
    assert!(matches!(bad, Err(RequestError::Fault(fault)) if fault.code == "notifications.cursor.malformed"));

    let by = || StaffAction {
        staff: new_id(),
        reason: "the template is mended".to_owned(),
    };
    let unknown = ResumeDelivery {
        delivery: new_id(),
        by: by(),
    };
    let answer = world.bus.request("", &unknown, WITHIN).await;
    assert!(
        matches!(answer, Err(RequestError::Fault(fault)) if fault.code == "notifications.delivery.not_found")
    );
    let sent = ResumeDelivery {
        delivery: ids[0],
        by: by(),
    };
    let answer = world.bus.request("", &sent, WITHIN).await;
    assert!(
        matches!(answer, Err(RequestError::Fault(fault)) if fault.code == "notifications.delivery.state")
    );
    service.stop().await;
}

#[tokio::test]
async fn a_delivery_whose_template_is_gone_is_stuck_until_resumed() {
    let world = World::new().await;
    let id = new_id();
    world.mails.stop();
    let service = world.run().await;
    world.say(&code_mail(id, "stuck@example.org")).await;
    world.reaches(id, "waiting").await;
    // As if another release had dropped the template.
    let rename = |to: &'static str| {
        let pool = world.db.pool().clone();
        async move {
            sqlx::query("UPDATE delivery SET template = $1")
                .bind(to)
                .execute(&pool)
                .await
                .unwrap()
        }
    };
    rename("no_such").await;
    world.mails.start_again().await;
    let entry = world.reaches(id, "stuck").await;
    assert_eq!(entry.reason.as_deref(), Some("there is no template \"no_such\""));
    assert!(
        entry.params.is_some(),
        "its values are kept, for it is still to be sent"
    );
    rename("confirm_email").await;
    let by = StaffAction {
        staff: new_id(),
        reason: "the template is back".to_owned(),
    };
    world
        .bus
        .request("", &ResumeDelivery { delivery: id, by }, WITHIN)
        .await
        .unwrap();
    world.reaches(id, "sent").await;
    world.mails.wait_for("stuck@example.org", "481516").await;
    service.stop().await;
}
