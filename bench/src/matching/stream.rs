//! The commands, and what they come to.

use ferrex_matching::Side;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::ladder::Ladder;

/// How many commands are measured.
const COMMANDS: usize = 1_000_000;
/// How many orders rest before, and about how many later.
const RESTING: usize = 1_000;
/// Prices are 1 to twice this, in ticks.
pub(super) const MIDDLE: u32 = 10_000;
/// Orders lie this far from the middle, some a bit over it.
const WIDTH: u32 = 500;
const OVER: u32 = 20;
/// People on each side; nobody is on both, so that nobody meets an order of their own.
pub(super) const PEOPLE: u32 = 500;
pub(super) const LOTS_MAX: u64 = 100;

/// One command. Orders are numbered from 1 in the order in which they are placed. `takes` is what trades at once.
#[derive(Clone, Copy, Debug)]
pub(super) enum Command {
    Place {
        side: Side,
        person: u32,
        price: u32,
        lots: u64,
        rests: bool,
        takes: u64,
    },
    Cancel {
        order: u32,
    },
    /// `left` is what the order has not traded when it is moved.
    Move {
        order: u32,
        price: u32,
        left: u64,
        takes: u64,
    },
}

impl Command {
    /// Has the ladder run it, and notes what trades.
    fn run(mut self, ladder: &mut Ladder) -> Self {
        let before = ladder.totals.lots;
        ladder.run(self);
        if let Self::Place { takes, .. } | Self::Move { takes, .. } = &mut self {
            *takes = ladder.totals.lots - before;
        }
        self
    }
}

/// What a stream's trades come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub trades: u64,
    pub lots: u64,
    /// The sum of price times lots.
    pub turnover: u128,
}

impl Totals {
    pub fn add(&mut self, price: u64, lots: u64) {
        self.trades += 1;
        self.lots += lots;
        self.turnover += u128::from(price) * u128::from(lots);
    }
}

/// All commands: the first ones fill the book and are run before the clock starts.
pub(super) struct Stream {
    pub filling: Vec<Command>,
    pub commands: Vec<Command>,
    /// Of what is measured.
    pub totals: Totals,
}

impl Stream {
    /// The stream of a seed; the bare ladder tells which orders are left and how much of each.
    pub fn new(seed: u64) -> Self {
        let mut making = Making {
            rng: StdRng::seed_from_u64(seed),
            ladder: Ladder::default(),
            sides: vec![Side::Buy],
            resting: Vec::new(),
        };
        let mut filling = Vec::new();
        while making.resting.len() < RESTING {
            filling.push(making.place(true));
        }
        making.ladder.totals = Totals::default();
        let commands = (0..COMMANDS).map(|_| making.next()).collect();
        Self {
            filling,
            commands,
            totals: making.ladder.totals,
        }
    }
}

struct Making {
    rng: StdRng,
    ladder: Ladder,
    /// Of each order by its number.
    sides: Vec<Side>,
    /// Orders that may be there still.
    resting: Vec<u32>,
}

impl Making {
    fn price(&mut self, side: Side) -> u32 {
        let away = self.rng.random_range(0..WIDTH + OVER);
        match side {
            Side::Buy => MIDDLE + OVER - away,
            Side::Sell => MIDDLE - OVER + away,
        }
    }

    fn place(&mut self, rests: bool) -> Command {
        let side = if self.rng.random_bool(0.5) {
            Side::Buy
        } else {
            Side::Sell
        };
        let command = Command::Place {
            side,
            person: self.rng.random_range(0..PEOPLE),
            price: self.price(side),
            lots: self.rng.random_range(1..=LOTS_MAX),
            rests,
            takes: 0,
        }
        .run(&mut self.ladder);
        self.sides.push(side);
        let number = u32::try_from(self.sides.len() - 1).expect("far fewer orders than 2^32");
        if self.ladder.left(number) > 0 {
            self.resting.push(number);
        }
        command
    }

    /// An order that is there, and its place among those that may be.
    fn pick(&mut self) -> Option<(usize, u32)> {
        while !self.resting.is_empty() {
            let place = self.rng.random_range(0..self.resting.len());
            let number = self.resting[place];
            if self.ladder.left(number) > 0 {
                return Some((place, number));
            }
            self.resting.swap_remove(place);
        }
        None
    }

    fn next(&mut self) -> Command {
        let draw = self.rng.random_range(0..100);
        let enough = self.resting.len() >= RESTING / 2;
        let picked = if draw < 12 { None } else { self.pick() };
        match picked {
            Some((place, order)) if draw < 18 && enough => {
                self.resting.swap_remove(place);
                Command::Cancel { order }.run(&mut self.ladder)
            }
            Some((_, order)) if draw >= 18 => {
                let (side, present) = (self.sides[order as usize], self.ladder.price(order));
                let mut price = self.price(side);
                // At the same price nothing would move.
                while price == present {
                    price = self.price(side);
                }
                let left = self.ladder.left(order);
                let takes = 0;
                Command::Move {
                    order,
                    price,
                    left,
                    takes,
                }
                .run(&mut self.ladder)
            }
            _ => self.place(draw >= 3),
        }
    }
}
