//! The least that can be called a book: limit orders, price before time, one queue a price. It knows no money, no people, no
//! refusals, and tells nothing but sums.

use ferrex_matching::Side;

use super::Prepared;
use super::stream::{Command, MIDDLE, Stream, Totals};

#[derive(Clone, Copy, Debug, Default)]
struct Node {
    left: u64,
    price: u32,
    prev: u32,
    next: u32,
    sell: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Queue {
    head: u32,
    tail: u32,
}

/// The book. Order 0 stands for none.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    orders: Vec<Node>,
    /// Bids and asks by price.
    queues: [Vec<Queue>; 2],
    best: [u32; 2],
    pub totals: Totals,
}

const TOP: u32 = 2 * MIDDLE;

impl Default for Ladder {
    fn default() -> Self {
        let queues = vec![Queue::default(); TOP as usize + 1];
        Self {
            orders: vec![Node::default()],
            queues: [queues.clone(), queues],
            best: [0, TOP],
            totals: Totals::default(),
        }
    }
}

impl Ladder {
    pub fn left(&self, order: u32) -> u64 {
        self.orders[order as usize].left
    }

    pub fn price(&self, order: u32) -> u32 {
        self.orders[order as usize].price
    }

    pub fn run(&mut self, command: Command) {
        match command {
            Command::Place {
                side,
                price,
                lots,
                rests,
                ..
            } => {
                let sell = side == Side::Sell;
                let left = self.take(sell, price, lots);
                let number = u32::try_from(self.orders.len()).expect("far fewer orders than 2^32");
                self.orders.push(Node {
                    left: 0,
                    price,
                    prev: 0,
                    next: 0,
                    sell,
                });
                if rests && left > 0 {
                    self.rest(number, price, left);
                }
            }
            Command::Cancel { order } => self.leave(order),
            Command::Move { order, price, .. } => {
                let Node { left, sell, .. } = self.orders[order as usize];
                self.leave(order);
                let left = self.take(sell, price, left);
                if left > 0 {
                    self.rest(order, price, left);
                }
            }
        }
    }

    fn take(&mut self, sell: bool, price: u32, mut left: u64) -> u64 {
        let other = usize::from(!sell);
        while left > 0 {
            let best = self.best[other];
            let head = self.queues[other][best as usize].head;
            if head == 0 {
                if best == [0, TOP][other] {
                    return left;
                }
                self.best[other] = if sell { best - 1 } else { best + 1 };
                continue;
            }
            if if sell { best < price } else { best > price } {
                return left;
            }
            let lots = left.min(self.orders[head as usize].left);
            self.totals.add(best.into(), lots);
            left -= lots;
            if self.orders[head as usize].left == lots {
                self.leave(head);
            } else {
                self.orders[head as usize].left -= lots;
            }
        }
        0
    }

    fn rest(&mut self, order: u32, price: u32, left: u64) {
        let node = &mut self.orders[order as usize];
        let side = usize::from(node.sell);
        let queue = &mut self.queues[side][price as usize];
        (node.left, node.price, node.prev, node.next) = (left, price, queue.tail, 0);
        if queue.tail == 0 {
            queue.head = order;
        } else {
            self.orders[queue.tail as usize].next = order;
        }
        queue.tail = order;
        let best = &mut self.best[side];
        *best = if side == 0 {
            price.max(*best)
        } else {
            price.min(*best)
        };
    }

    fn leave(&mut self, order: u32) {
        let node = &mut self.orders[order as usize];
        node.left = 0;
        let Node {
            prev,
            next,
            price,
            sell,
            ..
        } = *node;
        let queue = &mut self.queues[usize::from(sell)][price as usize];
        if prev == 0 {
            queue.head = next;
        }
        if next == 0 {
            queue.tail = prev;
        }
        if prev != 0 {
            self.orders[prev as usize].next = next;
        }
        if next != 0 {
            self.orders[next as usize].prev = prev;
        }
    }
}

/// The ladder with the stream's commands.
pub(super) struct Replay {
    ladder: Ladder,
    commands: Vec<Command>,
}

impl Replay {
    pub fn new(stream: &Stream) -> Self {
        let mut ladder = Ladder::default();
        for command in &stream.filling {
            ladder.run(*command);
        }
        ladder.totals = Totals::default();
        ladder.orders.reserve(stream.commands.len());
        Self {
            ladder,
            commands: stream.commands.clone(),
        }
    }
}

impl Prepared for Replay {
    fn run(&mut self) -> anyhow::Result<Totals> {
        for command in &self.commands {
            self.ladder.run(*command);
        }
        Ok(self.ladder.totals)
    }
}
