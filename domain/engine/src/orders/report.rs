use ferrex_matching::{End, Lots, Side};
use ferrex_money::Amount;
use serde::{Deserialize, Serialize};

use crate::{JournalRow, RowKind};

/// What became of an order in the command that placed it, what followed from it (stops that it triggered) included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderReport {
    /// All of it in lots, of a buy by value what was bought; less than was asked for after it met an order of its owner.
    pub lots: Lots,
    /// What has traded, in smallest units of the base asset.
    pub filled: Amount,
    /// What that cost or brought, in smallest units of the quote asset.
    pub value: Amount,
    /// The fee, in smallest units of what is received.
    pub fee: Amount,
    /// Why it is no longer open; `None` for one that is.
    pub end: Option<End>,
    /// Whether it is a stop that was not triggered.
    pub waiting: bool,
}

impl OrderReport {
    /// Reads it from the rows of the command; `None` when they place no order.
    pub fn read(rows: &[JournalRow]) -> Option<Self> {
        let mut parts = rows
            .iter()
            .filter_map(|row| row.order.as_ref().map(|part| (row, part)));
        let (_, placed) = parts.find(|(row, _)| row.kind == RowKind::OrderPlaced)?;
        let (mut lots, mut end, mut waiting) = (placed.lots, placed.flags.end(), placed.stop > 0);
        let (mut paid, mut received, mut fee) = (0_u128, 0_u128, 0_u128);
        for row in rows {
            let Some(part) = row.order.as_ref() else { continue };
            if row.kind == RowKind::Trade && part.other == placed.order {
                received += row.amount;
                fee += part.fee;
            }
            if part.order != placed.order {
                continue;
            }
            match row.kind {
                RowKind::Trade => {
                    paid += row.amount;
                    end = end.or((part.left == 0).then_some(End::Filled));
                }
                RowKind::OrderSet => (lots, end) = (part.lots, None),
                RowKind::OrderEnded => end = part.flags.end(),
                RowKind::OrderLifted if part.flags.is_triggered() => waiting = false,
                _ => {}
            }
        }
        let (filled, value) = match placed.flags.side() {
            Side::Buy => (received, paid),
            Side::Sell => (paid, received),
        };
        Some(Self {
            lots,
            filled: Amount::new(filled),
            value: Amount::new(value),
            fee: Amount::new(fee),
            end,
            waiting,
        })
    }
}
