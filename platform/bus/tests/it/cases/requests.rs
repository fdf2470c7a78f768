use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ferrex_bus::{RequestError, Router};
use ferrex_contracts::Request;
use ferrex_fault::{Fault, Kind};
use ferrex_testkit::eventually;
use tokio::sync::Semaphore;

use crate::world::{Answer, SOON, World, message};

pub async fn a_request_is_answered(world: World) {
    message!(Double, "answered.requests");
    impl Request for Double {
        type Reply = Answer;
    }
    let router = Router::new("answered").on_request::<Double, _, _>(|context, request| async move {
        assert_eq!(context.key, "k");
        assert!(context.deadline.is_some());
        Ok(Answer {
            number: request.number * 2,
        })
    });
    let replica = world.replica(router).await;
    let bus = world.bus().await;
    let asked = (1..=50).map(|number| {
        let bus = bus.clone();
        async move { bus.request("k", &Double { number }, SOON).await.unwrap() }
    });
    let answers = futures::future::join_all(asked).await;
    let numbers: Vec<i64> = answers.into_iter().map(|answer| answer.number).collect();
    assert_eq!(numbers, (1..=50).map(|number| number * 2).collect::<Vec<_>>());
    replica.leave().await;
}

pub async fn a_fault_travels(world: World) {
    message!(Refuse, "fault.requests");
    impl Request for Refuse {
        type Reply = Answer;
    }
    let router = Router::new("fault").on_request::<Refuse, _, _>(|_, _| async {
        Err(Fault::new(Kind::Exhausted, "test.limit", "too much").with_field("number", "at most 3"))
    });
    let replica = world.replica(router).await;
    let error = world
        .bus()
        .await
        .request("k", &Refuse { number: 1 }, SOON)
        .await
        .unwrap_err();
    let RequestError::Fault(fault) = error else {
        panic!("{error:?}")
    };
    assert_eq!(
        (fault.kind, &*fault.code, fault.detail.as_str()),
        (Kind::Exhausted, "test.limit", "too much")
    );
    assert_eq!(fault.fields[0].field, "number");
    replica.leave().await;
}

pub async fn a_panic_and_an_unknown_type_are_answered(world: World) {
    message!(Panic, "panic.requests");
    message!(Stranger, "panic.requests");
    impl Request for Panic {
        type Reply = Answer;
    }
    impl Request for Stranger {
        type Reply = Answer;
    }
    let router = Router::new("panic").on_request::<Panic, _, _>(|_, request| async move {
        assert!(request.number > 100, "number too small");
        Ok(Answer { number: 1 })
    });
    let replica = world.replica(router).await;
    let bus = world.bus().await;
    let error = bus.request("k", &Panic { number: 1 }, SOON).await.unwrap_err();
    let RequestError::Fault(fault) = error else {
        panic!("{error:?}")
    };
    assert_eq!(
        (fault.kind, &*fault.code),
        (Kind::Internal, "bus.handler.panicked")
    );
    let error = bus.request("k", &Stranger { number: 1 }, SOON).await.unwrap_err();
    let RequestError::Fault(fault) = error else {
        panic!("{error:?}")
    };
    assert_eq!(
        (fault.kind, &*fault.code),
        (Kind::NotFound, "bus.request.unknown_type")
    );
    assert_eq!(
        bus.request("k", &Panic { number: 101 }, SOON)
            .await
            .unwrap()
            .number,
        1
    );
    replica.leave().await;
}

pub async fn late_work_is_dropped(world: World) {
    message!(Slow, "late.requests");
    impl Request for Slow {
        type Reply = Answer;
    }
    let gate = Arc::new(Semaphore::new(0));
    let handled = Arc::new(AtomicUsize::new(0));
    let (inner_gate, inner_handled) = (Arc::clone(&gate), Arc::clone(&handled));
    let router = Router::new("late")
        .at_once(1, 1)
        .on_request::<Slow, _, _>(move |_, request| {
            let (gate, handled) = (Arc::clone(&inner_gate), Arc::clone(&inner_handled));
            async move {
                handled.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                Ok(Answer {
                    number: request.number,
                })
            }
        });
    let replica = world.replica(router).await;
    let bus = world.bus().await;
    let first = tokio::spawn({
        let bus = bus.clone();
        async move { bus.request("k", &Slow { number: 1 }, SOON).await }
    });
    eventually(SOON, || async { handled.load(Ordering::SeqCst) == 1 }).await;
    // It waits behind the first until its time has passed.
    let error = bus
        .request("k", &Slow { number: 2 }, Duration::from_millis(300))
        .await
        .unwrap_err();
    assert!(matches!(error, RequestError::TimedOut), "{error:?}");
    gate.add_permits(2);
    assert_eq!(first.await.unwrap().unwrap().number, 1);
    // The third comes after the second on the same key, which was dropped on the way.
    assert_eq!(
        bus.request("k", &Slow { number: 3 }, SOON).await.unwrap().number,
        3
    );
    assert_eq!(handled.load(Ordering::SeqCst), 2);
    replica.leave().await;
}
