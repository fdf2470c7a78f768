//! The slab of orders: a 40-byte node with what matching reads, and the rest beside it.

use crate::{End, Lots, Open, OrderNo, SelfTrade, Side, Ticks, Tif};

/// What the matching loop reads of an order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Node {
    pub(crate) order: u64,
    /// The part that is shown; all of it while it is neither resting nor waiting.
    pub(crate) shown: Lots,
    pub(crate) limit: Ticks,
    pub(crate) prev: u32,
    pub(crate) next: u32,
    pub(crate) owner: u32,
    info: u32,
}

/// What only the rarer operations read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cold {
    pub(crate) hidden: Lots,
    pub(crate) display: Lots,
    pub(crate) total: Lots,
    pub(crate) stop: Ticks,
    pub(crate) value: u128,
    pub(crate) expires_at: i64,
    pub(crate) priority: u64,
    pub(crate) owner_prev: u32,
    pub(crate) owner_next: u32,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Gone,
    Resting,
    Waiting,
    Lifted,
}

const SIDE: u32 = 1;
const MODE_AT: u32 = 1;
const TIF_AT: u32 = 3;
const MARKET: u32 = 1 << 5;
const STAGE_AT: u32 = 6;
const CHANGED: u32 = 1 << 8;
const ICEBERG: u32 = 1 << 9;
const TWO_BITS: u32 = 3;

impl Node {
    pub(crate) const fn side(&self) -> Side {
        if self.info & SIDE == 0 {
            Side::Buy
        } else {
            Side::Sell
        }
    }

    pub(crate) const fn self_trade(&self) -> SelfTrade {
        match (self.info >> MODE_AT) & TWO_BITS {
            0 => SelfTrade::CancelNewest,
            1 => SelfTrade::CancelOldest,
            2 => SelfTrade::CancelBoth,
            _ => SelfTrade::Decrement,
        }
    }

    pub(crate) const fn tif(&self) -> Tif {
        match (self.info >> TIF_AT) & TWO_BITS {
            0 => Tif::Gtc,
            1 => Tif::Ioc,
            2 => Tif::Fok,
            _ => Tif::PostOnly,
        }
    }

    pub(crate) const fn market(&self) -> bool {
        self.info & MARKET != 0
    }

    pub(crate) const fn iceberg(&self) -> bool {
        self.info & ICEBERG != 0
    }

    pub(crate) const fn stage(&self) -> Stage {
        match (self.info >> STAGE_AT) & TWO_BITS {
            0 => Stage::Gone,
            1 => Stage::Resting,
            2 => Stage::Waiting,
            _ => Stage::Lifted,
        }
    }

    pub(crate) fn set_stage(&mut self, stage: Stage) {
        let bits = match stage {
            Stage::Gone => 0,
            Stage::Resting => 1,
            Stage::Waiting => 2,
            Stage::Lifted => 3,
        };
        self.info = (self.info & !(TWO_BITS << STAGE_AT)) | (bits << STAGE_AT);
    }

    /// Marks it changed; true if it was not.
    pub(crate) fn mark_changed(&mut self) -> bool {
        let first = self.info & CHANGED == 0;
        self.info |= CHANGED;
        first
    }

    pub(crate) fn clear_changed(&mut self) {
        self.info &= !CHANGED;
    }
}

/// All orders of a book. Slots count from 1, so that 0 links to nothing.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    pub(crate) nodes: Vec<Node>,
    pub(crate) cold: Vec<Cold>,
    free: Vec<u32>,
    /// Removed in the present call: readable until the next.
    limbo: Vec<u32>,
    count: usize,
}

impl Orders {
    pub(crate) fn new() -> Self {
        Self {
            nodes: vec![Node::default()],
            cold: vec![Cold::default()],
            free: Vec::new(),
            limbo: Vec::new(),
            count: 0,
        }
    }

    pub(crate) fn node(&self, slot: u32) -> &Node {
        &self.nodes[slot as usize]
    }

    pub(crate) fn node_mut(&mut self, slot: u32) -> &mut Node {
        &mut self.nodes[slot as usize]
    }

    pub(crate) fn cold(&self, slot: u32) -> &Cold {
        &self.cold[slot as usize]
    }

    pub(crate) fn cold_mut(&mut self, slot: u32) -> &mut Cold {
        &mut self.cold[slot as usize]
    }

    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// Lets the slots be used again that the call before has freed.
    pub(crate) fn sweep(&mut self) {
        self.free.append(&mut self.limbo);
    }

    /// Puts an order into a slot; it stands nowhere yet.
    pub(crate) fn add(&mut self, open: &Open) -> u32 {
        let node = Node {
            order: open.order.0,
            shown: open.shown,
            limit: open.limit,
            prev: 0,
            next: 0,
            owner: open.owner,
            info: u32::from(open.side.code())
                | (u32::from(open.self_trade.code()) << MODE_AT)
                | (u32::from(open.tif.code()) << TIF_AT)
                | if open.market { MARKET } else { 0 }
                | if open.display > 0 { ICEBERG } else { 0 },
        };
        let cold = Cold {
            hidden: open.left - open.shown,
            display: open.display,
            total: open.total,
            stop: open.stop,
            value: open.value,
            expires_at: open.expires_at,
            priority: open.priority,
            owner_prev: 0,
            owner_next: 0,
        };
        self.count += 1;
        if let Some(slot) = self.free.pop() {
            self.nodes[slot as usize] = node;
            self.cold[slot as usize] = cold;
            return slot;
        }
        let slot =
            u32::try_from(self.nodes.len()).expect("four thousand million open orders do not fit in memory");
        self.nodes.push(node);
        self.cold.push(cold);
        slot
    }

    pub(crate) fn remove(&mut self, slot: u32) {
        self.node_mut(slot).set_stage(Stage::Gone);
        self.limbo.push(slot);
        self.count -= 1;
    }

    /// What it has left, the hidden part included.
    pub(crate) fn left(&self, slot: u32) -> Lots {
        let node = self.node(slot);
        if node.iceberg() {
            node.shown + self.cold(slot).hidden
        } else {
            node.shown
        }
    }

    /// Splits what is left into a shown and a hidden part.
    pub(crate) fn show(&mut self, slot: u32, left: Lots) {
        let node = &mut self.nodes[slot as usize];
        node.shown = left;
        if node.iceberg() {
            let cold = &mut self.cold[slot as usize];
            node.shown = left.min(cold.display);
            cold.hidden = left - node.shown;
        }
    }

    pub(crate) fn view(&self, slot: u32) -> Open {
        let (node, cold) = (self.node(slot), self.cold(slot));
        Open {
            order: OrderNo(node.order),
            owner: node.owner,
            side: node.side(),
            limit: node.limit,
            total: cold.total,
            left: self.left(slot),
            shown: node.shown,
            display: cold.display,
            value: cold.value,
            market: node.market(),
            tif: node.tif(),
            stop: cold.stop,
            waiting: node.stage() == Stage::Waiting,
            expires_at: cold.expires_at,
            self_trade: node.self_trade(),
            priority: cold.priority,
        }
    }
}

/// What an order that is out of the book has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Rest,
    End(End),
}

const _: () = assert!(size_of::<Node>() <= 40);
