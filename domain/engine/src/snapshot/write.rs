use ferrex_ledger::Owner;
use ferrex_planted::planted;
use sha2::{Digest, Sha256};

use super::bytes::Writer;
use super::{LastRow, MAGIC, PREFIX, TAIL, VERSION};
use crate::orders::encode_spec;
use crate::{Frozen, MarketView, OrderState, Outcome};

pub(crate) fn write(state: &Frozen, last: LastRow) -> Vec<u8> {
    let mut to = Writer(Vec::with_capacity(
        1_024 + state.accounts.len() * 48 + state.known.len() * 40,
    ));
    to.raw(&MAGIC);
    to.u16(VERSION);
    // The length, when it is known.
    to.u64(0);
    to.u16(state.shard);
    to.u64(last.id);
    to.uuid(last.command.uuid());
    to.u64(last.fingerprint);
    to.uuid(state.known.start());
    to.raw(&state.state_hash());
    accounts(state, &mut to);
    holds(state, &mut to);
    tiers(state, &mut to);
    markets(state, &mut to);
    commands(state, &mut to);
    let mut bytes = to.0;
    let length = (bytes.len() + TAIL) as u64;
    bytes[PREFIX - 8..PREFIX].copy_from_slice(&length.to_le_bytes());
    let checksum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&checksum);
    bytes
}

fn accounts(state: &Frozen, to: &mut Writer) {
    to.count(state.accounts.len());
    for (key, account) in state.accounts.iter() {
        match key.account.owner {
            Owner::House => to.maybe_uuid(None),
            Owner::User(user) => to.maybe_uuid(Some(user)),
        }
        to.byte(key.account.purpose.code());
        to.u32(key.asset.0);
        to.number(account.total);
        to.number(account.held);
    }
}

fn holds(state: &Frozen, to: &mut Writer) {
    to.count(state.open_holds.len());
    for hold in &state.open_holds {
        to.uuid(hold.id.uuid());
        to.u32(hold.account.0);
        to.number(hold.left);
        to.maybe_time(hold.expires_at);
    }
    to.count(state.closed_holds.len());
    for (hold, account) in &state.closed_holds {
        to.uuid(hold.uuid());
        to.u32(account.0);
    }
}

fn tiers(state: &Frozen, to: &mut Writer) {
    to.count(state.tiers.len());
    for (owner, tier) in &state.tiers {
        to.uuid(*owner);
        to.byte(*tier);
    }
}

fn markets(state: &Frozen, to: &mut Writer) {
    to.count(state.markets.len());
    for (view, orders) in &state.markets {
        market(view, to);
        let mut by_number: Vec<&OrderState> = orders.iter().collect();
        by_number.sort_unstable_by_key(|state| state.open.order);
        to.count(by_number.len());
        for state in by_number {
            order(state, to);
        }
    }
}

fn market(view: &MarketView, to: &mut Writer) {
    to.u32(view.id.0);
    encode_spec(&view.spec, &mut to.0);
    to.byte(view.state.code());
    to.count(view.fees.len());
    for rate in &view.fees {
        to.u32(rate.maker_ppm);
        to.u32(rate.taker_ppm);
    }
    to.number(view.last_price.into());
    to.number(view.last_order.0.into());
}

fn order(state: &OrderState, to: &mut Writer) {
    let open = &state.open;
    to.number(open.order.0.into());
    to.uuid(state.owner);
    for code in [open.side.code(), open.tif.code(), open.self_trade.code()] {
        to.byte(code);
    }
    to.byte(u8::from(open.market));
    to.byte(u8::from(open.waiting));
    for number in [
        open.limit,
        open.total,
        open.left,
        open.shown,
        open.display,
        open.stop,
        open.priority,
    ] {
        to.number(number.into());
    }
    to.number(open.value);
    to.maybe_time(state.expires_at());
    to.number(state.held);
    to.u32(state.account.0);
    to.maybe_uuid(state.client);
}

fn commands(state: &Frozen, to: &mut Writer) {
    if planted!("snapshot.answers_left_out") {
        to.count(0);
        return;
    }
    to.count(state.known.len());
    for (id, known) in state.known.iter() {
        to.uuid(id.uuid());
        to.u64(known.fingerprint);
        let (sequence, refusal) = match known.outcome {
            Outcome::Applied { sequence } => (sequence, 0),
            Outcome::Refused { sequence, refusal } => (sequence, refusal.code()),
        };
        to.number(sequence.into());
        to.u16(refusal);
    }
}
