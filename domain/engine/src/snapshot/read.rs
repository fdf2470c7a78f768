use std::collections::HashSet;

use ferrex_ids::{CommandId, HoldId};
use ferrex_ledger::{Account, AccountId, AccountKey, Normal, Owner, Purpose};
use ferrex_matching::{NEVER, Open, OrderNo, SelfTrade, Side, Sizes, Tif};
use ferrex_money::{Amount, AssetId};
use sha2::{Digest, Sha256};

use super::bytes::{Ascending, Reader};
use super::{COUNT_MAX, LastRow, MAGIC, PREFIX, Snapshot, SnapshotError, TAIL, VERSION};
use crate::orders::{Bounds, TIERS_MAX};
use crate::{
    AccountRow, FeeRate, HoldState, MarketId, MarketSpec, MarketState, MarketView, OrderState, Restore,
};

/// From so many bytes on a second thread is worth starting.
const LARGE: usize = 4 << 20;

pub(super) fn read(bytes: &[u8], sizes: Sizes) -> Result<Snapshot, SnapshotError> {
    let body = whole(bytes)?;
    if bytes.len() < LARGE {
        check(bytes)?;
        return state(body, sizes);
    }
    std::thread::scope(|scope| {
        let checked = scope.spawn(|| check(bytes));
        let state = state(body, sizes);
        // What is wrong with the bytes comes first, whatever they were taken for.
        checked
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        state
    })
}

/// What stands between prefix and checksum, as a state.
fn state(body: &[u8], sizes: Sizes) -> Result<Snapshot, SnapshotError> {
    let mut from = Reader::new(body, PREFIX);
    let shard = from.u16("the shard")?;
    let last = LastRow {
        id: from.u64("the sequence")?,
        command: CommandId::from_uuid(from.uuid("the last command")?),
        fingerprint: from.u64("the last fingerprint")?,
    };
    if !(1..=COUNT_MAX).contains(&last.id) {
        return Err(from.refuse("the sequence"));
    }
    let window_start = from.uuid("the start of the window")?;
    let state_hash = from.hash("the state hash")?;
    let mut restore = Restore::with_window(shard, window_start);
    restore.set_book_sizes(sizes);
    accounts(&mut from, &mut restore, shard)?;
    holds(&mut from, &mut restore)?;
    tiers(&mut from, &mut restore)?;
    markets(&mut from, &mut restore)?;
    commands(&mut from, &mut restore, last.id)?;
    if !from.is_at_end() {
        return Err(from.refuse("the end"));
    }
    let engine = restore.finish(last.id)?;
    if engine.state_hash() != state_hash {
        return Err(SnapshotError::StateHash);
    }
    Ok(Snapshot { engine, last })
}

/// What stands between prefix and checksum, when the prefix is right.
fn whole(bytes: &[u8]) -> Result<&[u8], SnapshotError> {
    if bytes.is_empty() {
        return Err(SnapshotError::Empty);
    }
    let length = bytes.len() as u64;
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else {
        return Err(if bytes.starts_with(&MAGIC) {
            SnapshotError::Length { is: length, says: 0 }
        } else {
            SnapshotError::Foreign
        });
    };
    let [magic @ .., v0, v1, l0, l1, l2, l3, l4, l5, l6, l7] = prefix;
    if *magic != MAGIC {
        return Err(SnapshotError::Foreign);
    }
    let version = u16::from_le_bytes([*v0, *v1]);
    if version != VERSION {
        return Err(SnapshotError::Version(version));
    }
    let says = u64::from_le_bytes([*l0, *l1, *l2, *l3, *l4, *l5, *l6, *l7]);
    let body = rest.split_last_chunk::<TAIL>().filter(|_| says == length);
    let (body, _) = body.ok_or(SnapshotError::Length { is: length, says })?;
    Ok(body)
}

/// Refuses bytes whose checksum, at their end, is not theirs.
fn check(bytes: &[u8]) -> Result<(), SnapshotError> {
    let right = |(said, checksum): (&[u8], &[u8; TAIL])| Sha256::digest(said)[..] == checksum[..];
    if bytes.split_last_chunk().is_some_and(right) {
        Ok(())
    } else {
        Err(SnapshotError::Checksum)
    }
}

fn accounts(from: &mut Reader<'_>, restore: &mut Restore, shard: u16) -> Result<(), SnapshotError> {
    let count = from.count("the number of accounts")?;
    let count = u32::try_from(count).map_err(|_| from.refuse("the number of accounts"))?;
    restore.engine.ledger.reserve_accounts(count as usize);
    restore.accounts((1..=count).map(|id| {
        let owner = from.maybe_uuid("an owner")?.map_or(Owner::House, Owner::User);
        let purpose = from.choice("a purpose", Purpose::from_code)?;
        let asset = AssetId(from.u32("an asset")?);
        let account = Account { owner, purpose };
        let key = AccountKey { account, asset };
        let (total, held) = (from.number("a total")?, from.number("a held part")?);
        Ok((AccountRow { id, shard, key }, total, held))
    }))
}

fn holds(from: &mut Reader<'_>, restore: &mut Restore) -> Result<(), SnapshotError> {
    let mut ascending = Ascending::new();
    for _ in 0..from.count("the number of holds")? {
        let id = HoldId::from_uuid(from.uuid("a hold")?);
        let hold = HoldState {
            id,
            account: AccountId(from.u32("a hold's account")?),
            left: from.number("what is left of a hold")?,
            expires_at: from.maybe_time("a hold's expiry")?,
            closed: false,
        };
        let key = restore.engine.ledger.account_key(hold.account);
        let holdable = key.is_some_and(|key| key.account.purpose.normal() == Normal::Credit);
        if !ascending.takes(id) || hold.left == 0 || !holdable {
            return Err(from.refuse("a hold"));
        }
        restore.hold(hold)?;
    }
    let mut ascending = Ascending::new();
    for _ in 0..from.count("the number of closed holds")? {
        let id = HoldId::from_uuid(from.uuid("a closed hold")?);
        let hold = HoldState {
            id,
            account: AccountId(from.u32("a closed hold's account")?),
            left: 0,
            expires_at: None,
            closed: true,
        };
        if !ascending.takes(id) || restore.engine.ledger.find_hold(id).is_some() {
            return Err(from.refuse("a closed hold"));
        }
        restore.hold(hold)?;
    }
    Ok(())
}

fn tiers(from: &mut Reader<'_>, restore: &mut Restore) -> Result<(), SnapshotError> {
    let mut ascending = Ascending::new();
    for _ in 0..from.count("the number of tiers")? {
        let (owner, tier) = (from.uuid("a person")?, from.byte("a tier")?);
        if !ascending.takes(owner) || tier == 0 {
            return Err(from.refuse("a tier"));
        }
        restore.fee_tier(owner, tier);
    }
    Ok(())
}

fn markets(from: &mut Reader<'_>, restore: &mut Restore) -> Result<(), SnapshotError> {
    let mut ascending = Ascending::new();
    for _ in 0..from.count("the number of markets")? {
        let view = market(from)?;
        if !ascending.takes(view.id.0) || view.id.0 == 0 {
            return Err(from.refuse("a market"));
        }
        let bounds = view.spec.resolve().map_err(|_| from.refuse("a market"))?.1;
        if view.last_price > bounds.price_max {
            return Err(from.refuse("a last price"));
        }
        restore.market(&view)?;
        let mut ascending = Ascending::new();
        let mut places = HashSet::new();
        for _ in 0..from.count("the number of orders")? {
            let state = order(from, &view, &bounds)?;
            let (number, place) = (state.open.order, state.open.priority);
            if !ascending.takes(number) || !places.insert(place) {
                return Err(from.refuse("an order's place"));
            }
            restore.order(&state)?;
        }
    }
    Ok(())
}

fn market(from: &mut Reader<'_>) -> Result<MarketView, SnapshotError> {
    let id = MarketId(from.u32("a market")?);
    let spec = spec(from)?;
    let state = from.choice("a market's state", MarketState::from_code)?;
    let count = from.count("the number of fees")?;
    if count > TIERS_MAX as u64 {
        return Err(from.refuse("the number of fees"));
    }
    let mut fees = Vec::new();
    for _ in 0..count {
        let (maker_ppm, taker_ppm) = (from.u32("a fee")?, from.u32("a fee")?);
        if maker_ppm > 1_000_000 || taker_ppm > 1_000_000 {
            return Err(from.refuse("a fee"));
        }
        fees.push(FeeRate { maker_ppm, taker_ppm });
    }
    Ok(MarketView {
        id,
        spec,
        state,
        fees,
        last_price: from.within("a last price", 0..=u64::MAX)?,
        last_order: OrderNo(from.within("a last order", 0..=COUNT_MAX)?),
    })
}

/// As `encode_spec` of the fingerprints writes it.
fn spec(from: &mut Reader<'_>) -> Result<MarketSpec, SnapshotError> {
    const WHAT: &str = "a market's bounds";
    let (base, quote) = (AssetId(from.u32(WHAT)?), AssetId(from.u32(WHAT)?));
    let (band_ppm, open_orders_max) = (from.u32(WHAT)?, from.u32(WHAT)?);
    Ok(MarketSpec {
        base,
        quote,
        per: Amount::new(from.u128(WHAT)?),
        tick: Amount::new(from.u128(WHAT)?),
        lot: Amount::new(from.u128(WHAT)?),
        price_max: Amount::new(from.u128(WHAT)?),
        quantity_min: Amount::new(from.u128(WHAT)?),
        quantity_max: Amount::new(from.u128(WHAT)?),
        value_min: Amount::new(from.u128(WHAT)?),
        band_ppm,
        open_orders_max,
        reference_price: if from.flag(WHAT)? {
            Some(Amount::new(from.u128(WHAT)?))
        } else {
            None
        },
    })
}

fn order(from: &mut Reader<'_>, market: &MarketView, bounds: &Bounds) -> Result<OrderState, SnapshotError> {
    let order = OrderNo(from.within("an order", 1..=market.last_order.0)?);
    let owner = from.uuid("an order's owner")?;
    let side = from.choice("a side", Side::from_code)?;
    let tif = from.choice("a time in force", Tif::from_code)?;
    let self_trade = from.choice("a self-trade mode", SelfTrade::from_code)?;
    let by_market = from.flag("an order's kind")?;
    let waiting = from.flag("an order's stage")?;
    let (price_max, lots_max) = (bounds.price_max, bounds.lots_max);
    let open = Open {
        order,
        // Given anew by the engine.
        owner: 0,
        side,
        limit: from.within("a limit", 1..=price_max)?,
        total: from.within("an order's lots", 1..=lots_max)?,
        left: from.within("an order's lots", 1..=lots_max)?,
        shown: from.within("an order's lots", 1..=lots_max)?,
        display: from.within("a shown part", 0..=u64::MAX)?,
        stop: from.within("a stop price", 0..=price_max)?,
        priority: from.within("an order's place", 1..=COUNT_MAX)?,
        value: from.number("an order's value")?,
        market: by_market,
        tif,
        waiting,
        expires_at: from
            .maybe_time("an order's expiry")?
            .map_or(NEVER, |at| at.timestamp_micros()),
        self_trade,
    };
    let hides = open.display > 0 && !waiting;
    let shows = if hides {
        open.shown <= open.display
    } else {
        open.shown == open.left
    };
    let rests = if waiting {
        open.stop > 0
    } else {
        tif.rests() && !by_market
    };
    if open.shown > open.left || open.left > open.total || !shows || !rests || open.value > bounds.value_max {
        return Err(from.refuse("an order"));
    }
    let held = from.number("what an order holds")?;
    let account = AccountId(from.u32("an order's account")?);
    if account.0 == 0 {
        return Err(from.refuse("an order's account"));
    }
    Ok(OrderState {
        market: market.id,
        owner,
        open,
        held,
        account,
        client: from.maybe_uuid("an order's name")?,
    })
}

fn commands(from: &mut Reader<'_>, restore: &mut Restore, sequence: u64) -> Result<(), SnapshotError> {
    let mut ascending = Ascending::new();
    for _ in 0..from.count("the number of commands")? {
        let id = CommandId::from_uuid(from.uuid("a command")?);
        let fingerprint = from.u64("a fingerprint")?;
        let row = from.within("a command's row", 1..=sequence)?;
        let refusal = from.u16("a refusal")?;
        if !ascending.takes(id) {
            return Err(from.refuse("a command"));
        }
        restore.known(id, fingerprint, row, refusal)?;
    }
    Ok(())
}
