use std::collections::{BTreeMap, HashMap, HashSet};

use ruint::aliases::U256;
use uuid::Uuid;

use crate::books::{Books, Held};
use crate::report::KEPT_MAX;
use crate::rules::{self, DEBT, EXPIRE, FEES, MOVE, POST, REFUSED, RESERVE, Side, VOID};
use crate::{AccountFact, Finding, Invariant, Projection, Report, Rights, RowFact};

/// Judges facts. Hand over rights and accounts, the projection, every row in the order of ids, and [`Auditor::finish`].
///
/// It keeps accounts, holds, and one entry a command and a reference in memory.
#[derive(Debug, Default)]
pub struct Auditor {
    books: Books,
    keys: HashSet<(Option<Uuid>, i64, i64)>,
    projection: Option<Projection>,
    last_id: i64,
    /// The first row of the command whose rows are coming, until its last row.
    open_command: Option<RowFact>,
    commands: HashSet<Uuid>,
    effects: HashMap<(Uuid, i64), i64>,
    /// What orders have set aside, by market and number.
    orders: HashMap<(i64, i64), Held>,
    /// The house's fees account of each asset.
    fees: HashMap<i64, i64>,
    report: Report,
}

impl Auditor {
    /// An audit that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    fn find(&mut self, invariant: Invariant, asset: Option<i64>, detail: String) {
        self.report.found += 1;
        match asset {
            Some(asset) => drop(self.report.assets_at_fault.insert(asset)),
            None => self.report.concerns_all = true,
        }
        if self.report.findings.len() < KEPT_MAX {
            self.report.findings.push(Finding {
                invariant,
                asset,
                detail,
            });
        }
    }

    /// Takes who may do what.
    pub fn rights(&mut self, rights: &Rights) {
        for role in &rights.writers {
            self.find(
                Invariant::I10,
                None,
                format!("role {role} may change the journal"),
            );
        }
        if rights.owner == "ferrex_engine" {
            self.find(
                Invariant::I10,
                None,
                "the engine's own role owns the journal".to_owned(),
            );
        }
        if !rights.guarded {
            self.find(
                Invariant::I10,
                None,
                "the trigger that refuses changes of the journal is off".to_owned(),
            );
        }
    }

    /// Takes an account; they come in the order of their numbers.
    pub fn account(&mut self, fact: AccountFact) {
        self.report.accounts += 1;
        let id = fact.id;
        if i64::try_from(self.report.accounts) != Ok(id) || !self.books.open(fact) {
            self.find(Invariant::I10, None, format!("account {id} is not the next one"));
        }
        if !self.keys.insert((fact.owner, fact.purpose, fact.asset)) {
            let asset = Some(fact.asset);
            self.find(
                Invariant::I02,
                asset,
                format!("account {id} exists under another number"),
            );
        }
        if fact.owner.is_none() && fact.purpose == FEES {
            self.fees.insert(fact.asset, id);
        }
        if rules::side(fact.purpose).is_none() {
            self.find(
                Invariant::I03,
                Some(fact.asset),
                format!("account {id} has purpose {}", fact.purpose),
            );
        } else if rules::is_personal(fact.purpose) != fact.owner.is_some() {
            self.find(
                Invariant::I03,
                Some(fact.asset),
                format!("account {id} has an owner that its purpose forbids"),
            );
        }
    }

    /// Takes the projection, before the first row.
    pub fn projection(&mut self, projection: Projection) {
        self.report.projected = projection.journal_id;
        self.projection = Some(projection);
        self.compare_when_reached();
    }

    /// Takes the next row.
    pub fn row(&mut self, row: &RowFact) {
        self.report.rows += 1;
        if row.id != self.last_id + 1 {
            self.find(
                Invariant::I10,
                None,
                format!("row {} follows row {}", row.id, self.last_id),
            );
        }
        self.last_id = row.id;
        self.command(row);
        match row.kind {
            MOVE => self.movement(row),
            RESERVE => self.reserve(row),
            POST => {
                self.less(row);
                self.movement(row);
            }
            VOID | EXPIRE => {
                self.less(row);
                self.closed(row);
            }
            REFUSED => {
                let moves = !row.amount.0.is_zero() || row.debit != 0 || row.credit != 0;
                let concerns = row.hold.is_some() || row.order.is_some();
                if moves || concerns || row.refusal == 0 {
                    self.find(
                        Invariant::I06,
                        None,
                        format!("refusal in row {} moves something", row.id),
                    );
                }
            }
            kind if rules::is_trading(kind) => self.trading(row),
            kind => self.find(Invariant::I10, None, format!("row {} is of kind {kind}", row.id)),
        }
        if rules::is_trading(row.kind) {
            self.trading_shape(row);
        } else if row.kind != REFUSED {
            self.shape(row);
        }
        self.compare_when_reached();
    }

    /// Ends the audit; `head` is the last id that the database says there is.
    pub fn finish(mut self, head: i64) -> Report {
        if self.last_id != head {
            let last = self.last_id;
            self.find(
                Invariant::I10,
                None,
                format!("the journal ends with row {last}, the head says {head}"),
            );
        }
        if let Some(first) = self.open_command {
            let command = first.command;
            self.find(Invariant::I06, None, format!("command {command} has no last row"));
        }
        if let Some(projection) = self.projection.take() {
            let at = projection.journal_id;
            self.find(
                Invariant::I02,
                None,
                format!("the projection is at row {at}, which does not exist"),
            );
        }
        let mut assets: BTreeMap<i64, (U256, U256)> = BTreeMap::new();
        for entry in self.books.accounts.values() {
            let (debits, credits) = assets.entry(entry.fact.asset).or_default();
            *debits = debits.saturating_add(entry.debits);
            *credits = credits.saturating_add(entry.credits);
        }
        self.report.assets = assets.len() as u64;
        for (asset, (debits, credits)) in assets {
            if debits != credits {
                self.find(
                    Invariant::I01,
                    Some(asset),
                    format!("asset {asset}: debits {debits}, credits {credits}"),
                );
            }
        }
        self.report.open_holds = self.books.holds.values().filter(|held| !held.closed).count() as u64;
        self.report
    }

    /// I06: the rows of a command follow each other, end with its last, and come once. All are about the same; one that
    /// refuses is alone.
    fn command(&mut self, row: &RowFact) {
        let id = row.id;
        if let Some(first) = self.open_command {
            if (first.command, first.fingerprint) != (row.command, row.fingerprint) {
                let command = first.command;
                self.find(
                    Invariant::I06,
                    None,
                    format!("row {id} cuts command {command} short"),
                );
            }
            if (first.reason, first.reference) != (row.reason, row.reference) {
                self.find(
                    Invariant::I06,
                    None,
                    format!("row {id} is about something else than its command"),
                );
            }
            if row.kind == REFUSED || first.kind == REFUSED {
                self.find(
                    Invariant::I06,
                    None,
                    format!("row {id} belongs to a command that is refused and has other rows"),
                );
            }
        } else {
            self.report.commands += 1;
            self.report.refused += u64::from(row.kind == REFUSED);
            if !self.commands.insert(row.command) {
                self.find(
                    Invariant::I06,
                    None,
                    format!("command {} comes again in row {id}", row.command),
                );
            }
            if row.kind != REFUSED {
                self.effect(row);
            }
        }
        let first = self.open_command.unwrap_or(*row);
        self.open_command = (!row.last).then_some(first);
    }

    /// I06: one effect a reference and reason, unless it was taken back.
    fn effect(&mut self, row: &RowFact) {
        if let Some(effect) = rules::takes_back(row.reason) {
            let count = self.effects.entry((row.reference, effect)).or_default();
            *count -= 1;
            if *count < 0 {
                let (id, reference) = (row.id, row.reference);
                self.find(
                    Invariant::I06,
                    None,
                    format!("row {id} takes back what {reference} has not had"),
                );
            }
        }
        if let Some(effect) = rules::effect(row.reason) {
            let count = self.effects.entry((row.reference, effect)).or_default();
            *count += 1;
            if *count > 1 {
                let (id, reason, reference) = (row.id, row.reason, row.reference);
                let asset = Some(row.asset);
                self.find(
                    Invariant::I06,
                    asset,
                    format!("row {id}: reason {reason} again for {reference}"),
                );
            }
        }
    }

    /// What every row that is no refusal has in common.
    fn shape(&mut self, row: &RowFact) {
        let id = row.id;
        let asset = Some(row.asset);
        if row.amount.0.is_zero() || row.refusal != 0 {
            self.find(
                Invariant::I01,
                asset,
                format!("row {id} moves nothing, or is refused"),
            );
        }
        if !rules::may_occur(row.reason, row.kind) {
            self.find(
                Invariant::I03,
                asset,
                format!("row {id}: kind {} for reason {}", row.kind, row.reason),
            );
        }
        if (row.kind == MOVE) != row.hold.is_none() {
            self.find(Invariant::I06, asset, format!("row {id} and its hold do not fit"));
        }
        if row.order.is_some() {
            self.find(
                Invariant::I06,
                asset,
                format!("row {id} has an order and is no trade"),
            );
        }
        self.not_overdrawn(row, &[row.debit, row.credit]);
    }

    /// I05: nothing is negative, and nothing is set aside that is not there.
    fn not_overdrawn(&mut self, row: &RowFact, accounts: &[i64]) {
        let (id, asset) = (row.id, Some(row.asset));
        for account in accounts {
            let Some(entry) = self.books.accounts.get(account) else {
                continue;
            };
            if entry.balance().is_none_or(|balance| balance < entry.held) {
                self.find(
                    Invariant::I05,
                    asset,
                    format!("account {account} is overdrawn by row {id}"),
                );
            }
        }
    }

    fn movement(&mut self, row: &RowFact) {
        let (id, asset) = (row.id, Some(row.asset));
        let debited = self.books.book(row.debit, row.asset, Side::Debit, row.amount);
        let credited = self.books.book(row.credit, row.asset, Side::Credit, row.amount);
        if !debited || !credited || row.debit == row.credit {
            self.find(
                Invariant::I01,
                asset,
                format!("row {id} has not two accounts of asset {}", row.asset),
            );
            return;
        }
        let fact = |account| self.books.accounts.get(account).map(|entry| entry.fact);
        let (from, to) = (fact(&row.debit), fact(&row.credit));
        let purpose = |fact: Option<AccountFact>| fact.map_or(0, |fact| fact.purpose);
        let owner = |fact: Option<AccountFact>| fact.and_then(|fact| fact.owner);
        if !rules::may_move(row.reason, purpose(from), purpose(to)) {
            let (reason, from, to) = (row.reason, purpose(from), purpose(to));
            self.find(
                Invariant::I03,
                asset,
                format!("row {id}: reason {reason} from purpose {from} to {to}"),
            );
        }
        if purpose(to) == DEBT && owner(from).is_some_and(|payer| Some(payer) != owner(to)) {
            self.find(
                Invariant::I03,
                asset,
                format!("row {id} pays a debt with somebody else's money"),
            );
        }
    }

    fn reserve(&mut self, row: &RowFact) {
        let (id, asset) = (row.id, Some(row.asset));
        let purpose = self
            .books
            .accounts
            .get(&row.debit)
            .map(|entry| entry.fact.purpose);
        if purpose.and_then(rules::side) != Some(Side::Credit) {
            self.find(
                Invariant::I05,
                asset,
                format!("row {id} holds account {}", row.debit),
            );
        }
        if !self.books.hold_more(row.debit, row.asset, row.amount) || row.credit != 0 {
            self.find(
                Invariant::I01,
                asset,
                format!("row {id} holds an account of another asset"),
            );
        }
        let Some(hold) = row.hold else { return };
        let held = Held {
            account: row.debit,
            left: row.amount.0,
            closed: false,
        };
        if self.books.holds.insert(hold, held).is_some() {
            self.find(Invariant::I06, asset, format!("row {id} makes hold {hold} again"));
        }
    }

    fn less(&mut self, row: &RowFact) {
        let Some(hold) = row.hold else { return };
        if !self.books.hold_less(hold, row.debit, row.amount) {
            let id = row.id;
            self.find(
                Invariant::I06,
                Some(row.asset),
                format!("row {id} takes from hold {hold} what it has not"),
            );
        }
    }

    fn closed(&mut self, row: &RowFact) {
        let open = row
            .hold
            .and_then(|hold| self.books.holds.get(&hold))
            .is_some_and(|held| !held.closed);
        if open || row.credit != 0 {
            self.find(
                Invariant::I06,
                Some(row.asset),
                format!("row {} releases a part of a hold", row.id),
            );
        }
    }

    /// I02, at the very row that the projection has reached.
    fn compare_when_reached(&mut self) {
        let Some(projection) = self
            .projection
            .take_if(|projection| projection.journal_id == self.last_id)
        else {
            return;
        };
        let mut seen = HashSet::new();
        for fact in &projection.balances {
            seen.insert(fact.account);
            let entry = self.books.accounts.get(&fact.account).copied();
            let asset = entry.map(|entry| entry.fact.asset);
            if entry.and_then(|entry| entry.balance()) != Some(fact.total.0)
                || entry.is_none_or(|entry| entry.held != fact.held.0)
            {
                let (account, total, held) = (fact.account, fact.total, fact.held);
                let detail =
                    format!("account {account} is stored with {total}, {held} held; its rows say otherwise");
                self.find(Invariant::I02, asset, detail);
            }
        }
        let unseen = |entry: &&crate::books::Entry| {
            !(seen.contains(&entry.fact.id) || entry.debits.is_zero() && entry.credits.is_zero())
        };
        let missing: Vec<AccountFact> = self
            .books
            .accounts
            .values()
            .filter(unseen)
            .map(|entry| entry.fact)
            .collect();
        for fact in missing {
            self.find(
                Invariant::I02,
                Some(fact.asset),
                format!("account {} has rows and no stored balance", fact.id),
            );
        }
        self.compare_holds(&projection);
        self.compare_orders(&projection);
    }

    fn compare_holds(&mut self, projection: &Projection) {
        let mut stored = HashSet::new();
        for fact in &projection.holds {
            stored.insert(fact.id);
            let held = self.books.holds.get(&fact.id);
            let same = held.is_some_and(|held| {
                held.account == fact.account && held.left == fact.left.0 && held.closed == fact.closed
            });
            if !same {
                self.find(
                    Invariant::I02,
                    None,
                    format!("hold {} is not as its rows say", fact.id),
                );
            }
        }
        let missing: Vec<Uuid> = self
            .books
            .holds
            .keys()
            .filter(|hold| !stored.contains(*hold))
            .copied()
            .collect();
        for hold in missing {
            self.find(Invariant::I02, None, format!("hold {hold} is not stored"));
        }
    }
}

mod orders;
#[cfg(test)]
mod tests;
