//! The book by itself. Its rules are held against the oracle in `domain/engine/tests/it`.

use crate::{
    Book, End, Event, Impossible, NEVER, Open, OrderNo, Place, Refused, SelfTrade, Side, Sizes, Ticks, Tif,
};

const SIZES: Sizes = Sizes {
    window_bits: 6,
    ring_bits: 2,
};

fn limit(owner: u32, side: Side, limit: Ticks, lots: u64) -> Place {
    Place {
        owner,
        side,
        limit,
        lots,
        value: 0,
        market: false,
        tif: Tif::Gtc,
        display: 0,
        stop: 0,
        expires_at: NEVER,
        self_trade: SelfTrade::CancelNewest,
    }
}

fn place(book: &mut Book, order: &Place) -> Vec<Event> {
    let mut events = Vec::new();
    book.place(order, false, &mut events).unwrap();
    events
}

fn open(order: u64, limit: Ticks, left: u64) -> Open {
    Open {
        order: OrderNo(order),
        owner: 1,
        side: Side::Sell,
        limit,
        total: left,
        left,
        shown: left,
        display: 0,
        value: 0,
        market: false,
        tif: Tif::Gtc,
        stop: 0,
        waiting: false,
        expires_at: NEVER,
        self_trade: SelfTrade::CancelNewest,
        priority: 0,
    }
}

/// f051: a market of tiny lots at a tiny price costs little to fill with more lots than 64 bits count.
#[test]
fn f051_more_lots_at_one_price_than_64_bits_count_are_no_trouble() {
    let mut book = Book::new(SIZES);
    let huge = 1 << 63;
    for owner in 1..=3 {
        place(&mut book, &limit(owner, Side::Buy, 1, huge));
    }
    assert_eq!(book.depth(Side::Buy).collect::<Vec<_>>(), [(1, 3 << 63)]);
    place(&mut book, &limit(4, Side::Sell, 1, huge));
    place(&mut book, &limit(4, Side::Sell, 1, 5));
    assert_eq!(book.depth(Side::Buy).collect::<Vec<_>>(), [(1, (2 << 63) - 5)]);
}

#[test]
fn depth_shows_each_price_once_best_first() {
    let mut book = Book::new(SIZES);
    for (price, lots) in [(500, 1), (100, 2), (5_000, 3), (100, 4), (99, 5)] {
        place(&mut book, &limit(1, Side::Sell, price, lots));
    }
    let depth: Vec<_> = book.depth(Side::Sell).collect();
    assert_eq!(depth, [(99, 5), (100, 6), (500, 1), (5_000, 3)]);
    assert_eq!(book.depth(Side::Buy).count(), 0);
    assert_eq!((book.best(Side::Sell), book.best(Side::Buy)), (99, 0));
    assert_eq!(book.last_order(), OrderNo(5));
}

#[test]
fn a_refused_order_leaves_no_event_and_takes_no_number() {
    let mut book = Book::new(SIZES);
    place(&mut book, &limit(1, Side::Sell, 100, 5));
    let mut events = Vec::new();
    let refused = [
        (
            Place {
                tif: Tif::PostOnly,
                ..limit(2, Side::Buy, 100, 1)
            },
            Refused::WouldTake,
        ),
        (
            Place {
                tif: Tif::Fok,
                ..limit(2, Side::Buy, 100, 6)
            },
            Refused::NotFillable,
        ),
        (
            Place {
                market: true,
                tif: Tif::Ioc,
                ..limit(2, Side::Buy, 99, 1)
            },
            Refused::NoLiquidity,
        ),
        (
            Place {
                value: 99,
                ..limit(2, Side::Buy, 100, 1)
            },
            Refused::BelowOneLot,
        ),
        (limit(1, Side::Buy, 100, 1), Refused::SelfTrade),
    ];
    for (order, refusal) in refused {
        assert_eq!(book.place(&order, false, &mut events), Err(refusal));
    }
    assert!(events.is_empty());
    assert_eq!((book.last_order(), book.open_count()), (OrderNo(1), 1));
}

#[test]
fn the_slot_of_a_removed_order_stays_readable_until_the_next_call() {
    let mut book = Book::new(SIZES);
    place(&mut book, &limit(1, Side::Sell, 100, 5));
    let events = place(&mut book, &limit(2, Side::Buy, 101, 7));
    let Event::Trade { maker, .. } = events[0] else {
        panic!("{events:?}")
    };
    assert_eq!((maker.order, maker.left), (OrderNo(1), 0));
    assert_eq!(book.view(maker.slot).limit, 100);
    assert!(book.find(OrderNo(1)).is_none());
    assert!(matches!(
        events[1],
        Event::Placed {
            filled: 5,
            left: 2,
            end: None,
            ..
        }
    ));
}

#[test]
fn slots_are_used_again_by_who_decides_and_by_who_replays() {
    let (mut decided, mut replayed) = (Book::new(SIZES), Book::new(SIZES));
    for number in 1..=10 {
        place(&mut decided, &limit(1, Side::Sell, 100, 5));
        decided.cancel_all(1, &mut Vec::new());
        replayed.replay_begin();
        replayed.replay_open(&open(number, 100, 5)).unwrap();
        replayed.replay_end(OrderNo(number)).unwrap();
    }
    for book in [decided, replayed] {
        assert!(book.orders.nodes.len() <= 3, "{}", book.orders.nodes.len());
    }
}

#[test]
fn stored_numbers_are_read_back_and_others_are_none() {
    for code in 0..=u8::MAX {
        let read = [
            Side::from_code(code).map(Side::code),
            SelfTrade::from_code(code).map(SelfTrade::code),
            Tif::from_code(code).map(Tif::code),
            End::from_code(code).map(End::code),
        ];
        let known = [code < 2, code < 4, code < 4, (1..=5).contains(&code)];
        assert_eq!(read, known.map(|known| known.then_some(code)), "{code}");
    }
}

#[test]
fn a_lifted_order_trades_what_it_is_told_and_no_more() {
    let mut book = Book::new(SIZES);
    let order = OrderNo(1);
    book.replay_open(&open(1, 100, 9)).unwrap();
    book.replay_lift(order, 7).unwrap();
    book.replay_fill(order, 4).unwrap();
    assert_eq!(book.replay_fill(order, 4), Err(Impossible::Lots(order)));
    let slot = book.replay_fill(order, 3).unwrap();
    assert_eq!(book.view(slot).left, 0);
}

#[test]
fn what_cannot_have_happened_is_not_replayed() {
    let mut book = Book::new(SIZES);
    book.replay_open(&open(3, 100, 5)).unwrap();
    let order = OrderNo(3);
    assert_eq!(book.replay_open(&open(3, 100, 5)), Err(Impossible::Twice(order)));
    assert_eq!(
        book.replay_open(&open(2, 100, 5)),
        Err(Impossible::Twice(OrderNo(2)))
    );
    let hides = Open {
        shown: 6,
        ..open(9, 100, 5)
    };
    assert_eq!(book.replay_open(&hides), Err(Impossible::Lots(OrderNo(9))));
    assert_eq!(book.replay_fill(order, 6), Err(Impossible::Lots(order)));
    assert_eq!(
        book.replay_fill(OrderNo(2), 1),
        Err(Impossible::NotOpen(OrderNo(2)))
    );
    for left in [0, 6] {
        assert_eq!(
            book.replay_set(order, 100, 5, left, false),
            Err(Impossible::Lots(order))
        );
    }
    assert_eq!(
        book.replay_set(order, 100, 5, 6, true),
        Err(Impossible::Lots(order))
    );
    assert_eq!(
        book.replay_set(order, 100, 5, 0, true),
        Err(Impossible::Lots(order))
    );
    let number = OrderNo(9);
    assert_eq!(book.replay_open(&open(9, 100, 0)), Err(Impossible::Lots(number)));
    for limit in [0, u64::MAX] {
        let opened = book.replay_open(&open(9, limit, 5));
        assert_eq!(opened, Err(Impossible::Limit(number)));
        let set = book.replay_set(order, limit, 5, 5, true);
        assert_eq!(set, Err(Impossible::Limit(order)));
    }
    let never = OrderNo(u64::MAX);
    assert_eq!(
        book.replay_open(&open(u64::MAX, 100, 5)),
        Err(Impossible::Number(never))
    );
    assert_eq!(book.replay_number(never), Err(Impossible::Number(never)));
    book.replay_fill(order, 5).unwrap();
    assert_eq!(book.replay_end(order), Err(Impossible::NotOpen(order)));
    assert_eq!(book.replay_lift(order, 1), Err(Impossible::NotOpen(order)));
    assert_eq!(book.open_count(), 0);
}

#[test]
fn changes_are_told_once_until_they_are_marked_again() {
    let mut book = Book::new(SIZES);
    for owner in 1..=3 {
        place(&mut book, &limit(owner, Side::Sell, 100, 5));
    }
    assert_eq!(book.drain_changes(), [OrderNo(1), OrderNo(2), OrderNo(3)]);
    assert!(book.drain_changes().is_empty());
    // One filled, one touched, one that was never open.
    place(&mut book, &limit(9, Side::Buy, 100, 6));
    assert_eq!(book.drain_changes(), [OrderNo(1), OrderNo(2)]);
    let mut events = Vec::new();
    book.cancel_all(2, &mut events);
    assert!(matches!(
        events[..],
        [Event::Ended {
            order: OrderNo(2),
            why: End::Cancelled,
            ..
        }]
    ));
    book.mark_changed(OrderNo(1));
    assert_eq!(book.drain_changes(), [OrderNo(1), OrderNo(2)]);
    assert_eq!(book.open_count_of(2), 0);
}
