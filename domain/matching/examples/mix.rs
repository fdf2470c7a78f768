//! The book alone under the mix of commands that exchange-core publishes: 9 % new orders that rest, 3 % immediate ones, 6 % cancels,
//! 82 % moves; about a thousand orders of a thousand owners around 750 prices.
//!
//! For profilers: `cargo run --release -p ferrex-matching --example mix [commands]` prints nanoseconds a command.

use std::time::Instant;

use ferrex_matching::{Book, End, Event, NEVER, OrderNo, Place, SelfTrade, Side, Sizes, Tif};

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// What is asked of the book; made before the clock starts.
enum Ask {
    Place(Place),
    Cancel(u64),
    Move(u64, u64),
}

/// Numbers that were open; those that are not any more leave when they are met.
struct Live(Vec<OrderNo>);

impl Live {
    fn pick(&mut self, book: &Book, random: u64) -> Option<u32> {
        while !self.0.is_empty() {
            let at = usize::try_from(random % self.0.len() as u64).unwrap_or(0);
            match book.find(self.0[at]) {
                Some(slot) => return Some(slot),
                None => drop(self.0.swap_remove(at)),
            }
        }
        None
    }

    fn note(&mut self, events: &[Event]) {
        let placed = events.iter().filter_map(|event| match event {
            Event::Placed { order, end: None, .. } => Some(*order),
            _ => None,
        });
        self.0.extend(placed);
    }
}

fn place(random: &mut Random, middle: u64, tif: Tif) -> Place {
    let side = if random.below(2) == 0 {
        Side::Buy
    } else {
        Side::Sell
    };
    let away = random.below(375);
    let limit = match (side, tif) {
        (Side::Buy, Tif::Gtc) => middle - away,
        (Side::Sell, Tif::Gtc) => middle + away,
        (Side::Buy, _) => middle + 30,
        (Side::Sell, _) => middle - 30,
    };
    Place {
        owner: u32::try_from(random.below(1_000)).unwrap_or(0),
        side,
        limit,
        lots: 1 + random.below(100),
        value: 0,
        market: false,
        tif,
        display: 0,
        stop: 0,
        expires_at: NEVER,
        self_trade: SelfTrade::CancelOldest,
    }
}

fn main() {
    let count: u64 = std::env::args()
        .nth(1)
        .and_then(|count| count.parse().ok())
        .unwrap_or(3_000_000);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut book, mut events, mut live) = (Book::new(Sizes::default()), Vec::new(), Live(Vec::new()));
    let middle = 50_000;
    for _ in 0..1_000 {
        let order = place(&mut random, middle, Tif::Gtc);
        let _ = book.place(&order, false, &mut events);
    }
    live.note(&events);
    let mut asks = Vec::new();
    for _ in 0..count {
        asks.push(match random.below(100) {
            0..=8 => Ask::Place(place(&mut random, middle, Tif::Gtc)),
            9..=11 => Ask::Place(place(&mut random, middle, Tif::Ioc)),
            12..=17 => Ask::Cancel(random.below(1 << 40)),
            _ => Ask::Move(random.below(1 << 40), random.below(375)),
        });
    }
    let (mut trades, mut done) = (0u64, 0u64);
    let started = Instant::now();
    for ask in &asks {
        events.clear();
        match ask {
            Ask::Place(order) => {
                done += u64::from(book.place(order, false, &mut events).is_ok());
                live.note(&events);
            }
            Ask::Cancel(which) => {
                if let Some(slot) = live.pick(&book, *which) {
                    book.cancel(slot, End::Cancelled, &mut events);
                    done += 1;
                }
            }
            Ask::Move(which, away) => {
                if let Some(slot) = live.pick(&book, *which) {
                    let open = book.view(slot);
                    let limit = match open.side {
                        Side::Buy => middle - away,
                        Side::Sell => middle + away,
                    };
                    done += u64::from(book.amend(slot, limit, open.total, false, &mut events).is_ok());
                }
            }
        }
        trades += events
            .iter()
            .filter(|event| matches!(event, Event::Trade { .. }))
            .count() as u64;
    }
    let took = started.elapsed();
    println!(
        "{count} commands, {done} done, {trades} trades, {} open: {} ns a command",
        book.open_count(),
        took.as_nanos() / u128::from(count)
    );
}
