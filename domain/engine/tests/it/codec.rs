//! A journal as a file: what the committed one and the fuzz target are read with. Reading is total.
//!
//! Accounts, then rows; integers as LEB128. Row ids count from 1, times are differences, the rows of a command share its
//! head: command, fingerprint, time, reason, reference.

use ferrex_engine_core::{
    AccountRow, Details, JournalRow, MarketId, OrderFlags, OrderNo, OrderPart, RowKind,
};
use ferrex_ids::{CommandId, HoldId};
use ferrex_ledger::{Account, AccountKey, Owner, Purpose};
use ferrex_money::AssetId;
use ferrex_time::from_micros;
use uuid::Uuid;

/// The end of the year 9999.
const TIME_MAX: u128 = 253_402_300_800_000_000;

pub fn write(accounts: &[AccountRow], rows: &[JournalRow]) -> Vec<u8> {
    let mut to = Vec::new();
    number(&mut to, accounts.len() as u128);
    for account in accounts {
        match account.key.account.owner {
            Owner::House => number(&mut to, 0),
            Owner::User(user) => number(&mut to, user.as_u128()),
        }
        to.push(account.key.account.purpose.code());
        number(&mut to, account.key.asset.0.into());
    }
    let (mut before, mut begins) = (0, true);
    for row in rows {
        if begins {
            number(&mut to, row.command.uuid().as_u128());
            to.extend_from_slice(&row.fingerprint.to_le_bytes());
            let at = row.at.timestamp_micros();
            number(&mut to, u128::try_from(at - before).expect("time goes on"));
            before = at;
            number(&mut to, row.reason.into());
            number(&mut to, row.reference.as_u128());
        }
        begins = row.last;
        let flags = u8::from(row.hold.is_some())
            | u8::from(row.expires_at.is_some()) << 1
            | u8::from(row.last) << 2
            | u8::from(row.order.is_some()) << 3
            | u8::from(row.details.is_some()) << 4;
        to.extend_from_slice(&[row.kind.code(), flags]);
        for small in [row.debit, row.credit, row.asset, row.refusal.into()] {
            number(&mut to, small.into());
        }
        number(&mut to, row.amount);
        if let Some(hold) = row.hold {
            number(&mut to, hold.uuid().as_u128());
        }
        if let Some(at) = row.expires_at {
            number(&mut to, at.timestamp_micros().try_into().expect("after 1970"));
        }
        if let Some(part) = &row.order {
            order(&mut to, part);
        }
        if let Some(details) = &row.details {
            let text = serde_json::to_vec(details).expect("it has text keys");
            number(&mut to, text.len() as u128);
            to.extend_from_slice(&text);
        }
    }
    to
}

fn order(to: &mut Vec<u8>, part: &OrderPart) {
    number(to, part.market.0.into());
    for long in [
        part.order.0,
        part.other.0,
        part.price,
        part.lots,
        part.left,
        part.display,
        part.stop,
    ] {
        number(to, long.into());
    }
    number(to, part.fee);
    number(to, part.client.unwrap_or_default().as_u128());
    number(to, part.flags.0.into());
}

fn number(to: &mut Vec<u8>, mut number: u128) {
    while number >= 0x80 {
        to.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    to.push(number.to_le_bytes()[0]);
}

/// Takes values off the front; `None` for what cannot be one.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u128> {
        let mut number = 0u128;
        for place in (0..128).step_by(7) {
            let byte = self.byte()?;
            number |= u128::from(byte & 0x7f) << place;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn small<T: TryFrom<u128>>(&mut self) -> Option<T> {
        self.number()?.try_into().ok()
    }

    fn uuid(&mut self) -> Option<Uuid> {
        self.number().map(Uuid::from_u128)
    }

    fn account(&mut self, id: u32) -> Option<AccountRow> {
        let owner = match self.uuid()? {
            nobody if nobody.is_nil() => Owner::House,
            user => Owner::User(user),
        };
        let purpose = Purpose::from_code(self.byte()?)?;
        let asset = AssetId(self.small()?);
        let key = AccountKey {
            account: Account { owner, purpose },
            asset,
        };
        Some(AccountRow { id, shard: 0, key })
    }

    /// What the rows of a command have in common, in its first row.
    fn head(&mut self, before: u128) -> Option<(JournalRow, u128)> {
        let command = CommandId::from_uuid(self.uuid()?);
        let (fingerprint, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        let at = before.checked_add(self.number()?).filter(|at| *at < TIME_MAX)?;
        let head = JournalRow {
            id: 0,
            command,
            fingerprint: u64::from_le_bytes(*fingerprint),
            at: from_micros(at.try_into().ok()?),
            reason: self.small()?,
            reference: self.uuid()?,
            kind: RowKind::Refused,
            debit: 0,
            credit: 0,
            asset: 0,
            amount: 0,
            hold: None,
            expires_at: None,
            refusal: 0,
            last: false,
            order: None,
            details: None,
        };
        Some((head, at))
    }

    fn row(&mut self, id: u64, head: &JournalRow) -> Option<JournalRow> {
        let (kind, flags) = (RowKind::from_code(self.byte()?)?, self.byte()?);
        let has = |bit: u8| flags & (1 << bit) != 0;
        let mut row = JournalRow {
            id,
            kind,
            debit: self.small()?,
            credit: self.small()?,
            asset: self.small()?,
            refusal: self.small()?,
            amount: self.number()?,
            last: has(2),
            ..head.clone()
        };
        if has(0) {
            row.hold = Some(HoldId::from_uuid(self.uuid()?));
        }
        if has(1) {
            let at = self.number().filter(|at| *at < TIME_MAX)?;
            row.expires_at = Some(from_micros(at.try_into().ok()?));
        }
        if has(3) {
            row.order = Some(self.order()?);
        }
        if has(4) {
            let length = self.small()?;
            let (text, rest) = self.0.split_at_checked(length)?;
            self.0 = rest;
            row.details = Some(Box::new(serde_json::from_slice::<Details>(text).ok()?));
        }
        Some(row)
    }

    fn order(&mut self) -> Option<OrderPart> {
        Some(OrderPart {
            market: MarketId(self.small()?),
            order: OrderNo(self.small()?),
            other: OrderNo(self.small()?),
            price: self.small()?,
            lots: self.small()?,
            left: self.small()?,
            display: self.small()?,
            stop: self.small()?,
            fee: self.number()?,
            client: Some(self.uuid()?).filter(|client| !client.is_nil()),
            flags: OrderFlags(self.small()?),
        })
    }
}

pub fn read(bytes: &[u8]) -> Option<(Vec<AccountRow>, Vec<JournalRow>)> {
    let mut from = Reader(bytes);
    let count: u32 = from.small()?;
    let mut accounts = Vec::new();
    for id in 1..=count {
        accounts.push(from.account(id)?);
    }
    let mut rows: Vec<JournalRow> = Vec::new();
    let mut head = from.head(0)?;
    for id in 1.. {
        let row = from.row(id, &head.0)?;
        let last = row.last;
        rows.push(row);
        if from.0.is_empty() {
            break;
        }
        if last {
            head = from.head(head.1)?;
        }
    }
    Some((accounts, rows))
}
