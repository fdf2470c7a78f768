//! The second door: what was decided before is applied, and only checked to be possible at all.

use crate::orders::Stage;
use crate::{Book, Lots, Open, OrderNo, Ticks};

/// A recorded change that cannot have happened: the record is damaged or incomplete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    /// The order is not open.
    #[error("order {0:?} is not open")]
    NotOpen(OrderNo),
    /// An order of this number is or was open.
    #[error("order {0:?} was placed before")]
    Twice(OrderNo),
    /// The order has less than that, hides more than it has, or has none.
    #[error("the lots of order {0:?} do not fit")]
    Lots(OrderNo),
    /// No order has this limit.
    #[error("the limit of order {0:?} is no price")]
    Limit(OrderNo),
    /// No order has this number yet, nor will one for a long time.
    #[error("the number of order {0:?} is out of reach")]
    Number(OrderNo),
}

/// What is stored in signed columns. Far enough from the end that nothing overflows beyond it.
const TICKS_MAX: Ticks = i64::MAX.cast_unsigned();
/// As many orders a market will never have.
const NUMBER_MAX: u64 = 1 << 62;

fn check_limit(order: OrderNo, limit: Ticks) -> Result<(), Impossible> {
    if (1..=TICKS_MAX).contains(&limit) {
        Ok(())
    } else {
        Err(Impossible::Limit(order))
    }
}

impl Book {
    fn open_slot(&self, order: OrderNo) -> Result<u32, Impossible> {
        self.find(order).ok_or(Impossible::NotOpen(order))
    }

    /// Lets slots be used again that earlier calls have freed; to be called before each recorded command.
    pub fn replay_begin(&mut self) {
        self.orders.sweep();
    }

    /// Sets the price of the last trade.
    pub fn replay_last(&mut self, price: Ticks) {
        self.last = price;
    }

    /// Counts a number as given.
    pub fn replay_number(&mut self, order: OrderNo) -> Result<(), Impossible> {
        if order.0 > NUMBER_MAX {
            return Err(Impossible::Number(order));
        }
        if order.0 >= self.index.next() {
            self.index.advance_to(order.0);
        }
        Ok(())
    }

    /// Opens an order at the end of its queue. Numbers are ascending.
    pub fn replay_open(&mut self, open: &Open) -> Result<u32, Impossible> {
        if open.order.0 < self.index.next() {
            return Err(Impossible::Twice(open.order));
        }
        self.insert(open)
    }

    /// Opens an order from a projection, at its recorded place in time. Orders come by their numbers, and
    /// [`Book::restore_queues`] ends it.
    pub fn restore(&mut self, open: &Open) -> Result<u32, Impossible> {
        let slot = self.replay_open(open)?;
        self.orders.cold_mut(slot).priority = open.priority;
        Ok(slot)
    }

    /// Puts restored orders into the queues that their recorded places make.
    pub fn restore_queues(&mut self) {
        for open in self.open_orders() {
            let Some(slot) = self.find(open.order) else {
                continue;
            };
            self.leave(slot);
            self.enqueue_as(slot, open.waiting);
            self.orders.cold_mut(slot).priority = open.priority;
            self.priority = open.priority;
        }
    }

    fn enqueue_as(&mut self, slot: u32, waiting: bool) {
        if waiting {
            self.wait(slot);
        } else {
            self.enqueue(slot);
        }
    }

    fn insert(&mut self, open: &Open) -> Result<u32, Impossible> {
        if open.shown == 0 || open.shown > open.left || open.left > open.total {
            return Err(Impossible::Lots(open.order));
        }
        check_limit(open.order, open.limit)?;
        self.replay_number(open.order)?;
        Ok(self.admit(open))
    }

    /// Takes traded lots off an order.
    pub fn replay_fill(&mut self, order: OrderNo, lots: Lots) -> Result<u32, Impossible> {
        let slot = self.open_slot(order)?;
        if self.orders.node(slot).shown < lots {
            return Err(Impossible::Lots(order));
        }
        if self.orders.node(slot).stage() == Stage::Lifted {
            self.orders.node_mut(slot).shown -= lots;
            self.touch(slot);
        } else {
            self.fill(slot, lots);
        }
        Ok(slot)
    }

    /// Takes an order off the book until [`Book::replay_set`] or [`Book::replay_end`].
    /// It may trade `left` until then.
    pub fn replay_lift(&mut self, order: OrderNo, left: Lots) -> Result<u32, Impossible> {
        let slot = self.open_slot(order)?;
        self.lift(slot);
        self.orders.node_mut(slot).shown = left;
        Ok(slot)
    }

    /// Gives an order other values.
    pub fn replay_set(
        &mut self,
        order: OrderNo,
        limit: Ticks,
        total: Lots,
        left: Lots,
        requeued: bool,
    ) -> Result<u32, Impossible> {
        let slot = self.open_slot(order)?;
        if left == 0 || left > total {
            return Err(Impossible::Lots(order));
        }
        if requeued {
            check_limit(order, limit)?;
            self.lift(slot);
            self.orders.node_mut(slot).limit = limit;
            self.orders.show(slot, left);
            self.enqueue(slot);
        } else {
            let less = self.orders.left(slot).checked_sub(left);
            self.shorten(slot, less.ok_or(Impossible::Lots(order))?);
        }
        self.orders.cold_mut(slot).total = total;
        Ok(slot)
    }

    /// Ends an order.
    pub fn replay_end(&mut self, order: OrderNo) -> Result<u32, Impossible> {
        let slot = self.open_slot(order)?;
        self.remove(slot);
        Ok(slot)
    }
}
