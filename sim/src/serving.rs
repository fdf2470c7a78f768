//! Payment's listeners: what a request makes, how it is decided, what the person is told; and staff, and the clock.

use ferrex_engine_core::{Action, Command, OrderRef, Outcome, Reason, Refusal};
use ferrex_flows::Flow as _;
use ferrex_ids::{CommandId, OrderId, StaffId, TransferId, WithdrawalId};
use ferrex_money::{Amount, AssetId, Decimals};
use ferrex_payment::transfer::flow::TransferFlow;
use ferrex_payment::transfer::model as transfer;
use ferrex_payment::withdrawal::flow::WithdrawalFlow;
use ferrex_payment::withdrawal::model as withdrawal;
use uuid::Uuid;

use crate::event::{Event, Life, Proc, Reply};
use crate::follow::symbol;
use crate::payment::{COIN, OrderRow};
use crate::people::{Answer, MARKET, Op, Wish};
use crate::worker::{Call, PATIENCE, Waits};
use crate::world::{Fate, World, to_ms};

/// How long an order is left to its caller before the clock decides it, in milliseconds.
const GRACE: u64 = 6_000;

impl World {
    /// A request arrives at a listener.
    pub(crate) fn request(&mut self, op: usize, at: Proc, cancel: bool) {
        let life = self.life(at);
        if !self.lives(life) || self.processes[at.0].frozen_until > self.now {
            return;
        }
        let fate = self.fate();
        if fate == Fate::Lost {
            return;
        }
        let Op { user, key, .. } = self.people.ops[op];
        let bound = self.pay.keys.get(&(user, key)).copied();
        if cancel {
            if let Some(resource) = bound {
                self.cancel(life, op, resource);
            }
            return;
        }
        let bound = bound.filter(|_| !ferrex_planted::planted!("idempotency.key_not_compared"));
        let resource = if let Some(resource) = bound {
            resource
        } else {
            let resource = self.make(op);
            self.pay.keys.insert((user, key), resource);
            if fate == Fate::Unanswered {
                return;
            }
            resource
        };
        self.finish(life, op, resource);
    }

    /// The binding, the thing it makes and its flow, in one transaction.
    fn make(&mut self, op: usize) -> Uuid {
        let id = self.uuid();
        let Op { user, wish, .. } = self.people.ops[op];
        let (at, now) = (self.time(), self.now);
        match wish {
            Wish::Transfer { to, asset, amount } => {
                let state = transfer::State::new(transfer::Facts {
                    transfer: TransferId::from_uuid(id),
                    from: user,
                    to,
                    from_username: "a".to_owned(),
                    to_username: "b".to_owned(),
                    asset: AssetId(asset),
                    symbol: symbol(asset),
                    decimals: decimals(),
                    amount: Amount::new(amount),
                    note: None,
                    requested_at: at,
                });
                let flow = TransferId::from_uuid(id).cast();
                match self
                    .transfers
                    .start(flow, state, &transfer::Input::Begin, at, now)
                {
                    Ok(Some(taken)) => self.after_step::<TransferFlow>(flow, taken),
                    other => self.violate("I06", || format!("a transfer cannot begin: {}", other.is_ok())),
                }
            }
            Wish::Withdraw { .. } => {
                let facts = self.withdrawal_facts(id, op);
                let flow = facts.withdrawal.cast();
                let state = withdrawal::State::new(facts);
                match self
                    .withdrawals
                    .start(flow, state, &withdrawal::Input::Begin, at, now)
                {
                    Ok(Some(taken)) => self.after_step::<WithdrawalFlow>(flow, taken),
                    other => self.violate("I06", || format!("a withdrawal cannot begin: {}", other.is_ok())),
                }
            }
            Wish::Order(mut place) => {
                place.terms.client = Some(id);
                let row = OrderRow {
                    user,
                    place,
                    at,
                    number: None,
                    status: "requested",
                    filled: 0,
                    refusal: None,
                };
                self.pay.orders.insert(OrderId::from_uuid(id), row);
            }
        }
        id
    }

    fn withdrawal_facts(&self, id: Uuid, op: usize) -> withdrawal::Facts {
        let Op {
            user, wish, payee, ..
        } = self.people.ops[op];
        let Wish::Withdraw {
            asset,
            amount,
            fee,
            internal,
            approval,
        } = wish
        else {
            unreachable!("only withdrawals have these facts");
        };
        withdrawal::Facts {
            withdrawal: WithdrawalId::from_uuid(id),
            user,
            asset: AssetId(asset),
            symbol: symbol(asset),
            decimals: decimals(),
            amount: Amount::new(amount),
            fee: Amount::new(if internal.is_some() { 0 } else { fee }),
            network: "net".to_owned(),
            contract: Self::contract(asset),
            native: AssetId(COIN),
            payee: ferrex_chains::evm::EvmAddress::from_bytes(payee).to_string(),
            internal,
            needs_approval: approval,
            content_hash: "content".to_owned(),
            requested_at: self.time(),
            patience: withdrawal::Patience {
                look_every_ms: 3_000,
                replace_after_ms: 9_000,
            },
        }
    }

    /// Has it decided, if it is not yet, and tells the person.
    fn finish(&mut self, life: Life, op: usize, resource: Uuid) {
        let command = match self.people.ops[op].wish {
            Wish::Transfer { .. } => {
                let state = self.transfers.state(TransferId::from_uuid(resource).cast());
                state
                    .filter(|state| state.phase == transfer::Phase::Requested)
                    .map(transfer::State::command)
            }
            Wish::Withdraw { .. } => {
                let state = self.withdrawals.state(WithdrawalId::from_uuid(resource).cast());
                state
                    .filter(|state| state.phase == withdrawal::Phase::Requested)
                    .map(withdrawal::State::hold_command)
            }
            Wish::Order(_) => {
                let id = OrderId::from_uuid(resource);
                let row = &self.pay.orders[&id];
                (row.status == "requested").then(|| placing(id, row))
            }
        };
        match command {
            Some(command) => self.command(life, command, Waits::Person(op)),
            None => self.tell(op, resource),
        }
    }

    /// The engine has answered what a person asked for, or nobody has.
    pub(crate) fn person_answered(&mut self, life: Life, op: usize, reply: &Reply) {
        let Op { user, key, wish, .. } = self.people.ops[op];
        let Some(resource) = self.pay.keys.get(&(user, key)).copied() else {
            return;
        };
        let Reply::Outcome(outcome) = *reply else {
            // No answer is no refusal: whoever asked sees it as requested.
            self.tell(op, resource);
            return;
        };
        let fate = self.fate();
        if fate == Fate::Lost {
            return;
        }
        let (at, now) = (self.time(), self.now);
        match wish {
            Wish::Transfer { .. } => {
                let flow = TransferId::from_uuid(resource).cast();
                if let Ok(taken) = self
                    .transfers
                    .take(flow, &transfer::Input::Answered { outcome }, at, now)
                {
                    self.after_step::<TransferFlow>(flow, taken);
                }
            }
            Wish::Withdraw { .. } => {
                let flow = WithdrawalId::from_uuid(resource).cast();
                let input = withdrawal::Input::HoldAnswered { outcome };
                match self.withdrawals.take(flow, &input, at, now) {
                    Ok(taken) => self.after_step::<WithdrawalFlow>(flow, taken),
                    Err(fault) => self.violate("I17", || fault.chain()),
                }
            }
            Wish::Order(_) => self.order_answered(OrderId::from_uuid(resource), &Reply::Outcome(outcome)),
        }
        if fate == Fate::Committed && self.lives(life) {
            self.tell(op, resource);
        }
    }

    /// The answer reaches the person, who compares it with what they were told before.
    fn tell(&mut self, op: usize, resource: Uuid) {
        if self.rng.permille(self.faults.lost) {
            return;
        }
        let refused = match self.people.ops[op].wish {
            Wish::Transfer { .. } => {
                let state = self.transfers.state(TransferId::from_uuid(resource).cast());
                state.is_some_and(|state| TransferFlow::label(state) == "refused")
            }
            Wish::Withdraw { .. } => self.label(WithdrawalId::from_uuid(resource)) == "refused",
            Wish::Order(_) => {
                let row = self.pay.orders.get(&OrderId::from_uuid(resource));
                row.is_some_and(|row| row.refusal.is_some())
            }
        };
        let answer = if refused {
            Answer::Refused(resource)
        } else {
            Answer::Accepted(resource)
        };
        let before = self.people.ops[op].told.replace(answer);
        match before {
            Some(Answer::Accepted(first) | Answer::Refused(first)) if first != resource => {
                self.violate("I06", || {
                    format!("one key made two things: {first} and {resource}")
                });
            }
            Some(Answer::Refused(_)) if !refused => {
                self.violate("I21", || format!("{resource} was refused and is accepted now"));
            }
            _ => {}
        }
    }

    fn cancel(&mut self, life: Life, op: usize, resource: Uuid) {
        let (at, now) = (self.time(), self.now);
        match self.people.ops[op].wish {
            Wish::Withdraw { .. } => {
                let flow = WithdrawalId::from_uuid(resource).cast();
                // Too late is an answer, too.
                if let Ok(taken) = self.withdrawals.take(flow, &withdrawal::Input::Cancel, at, now) {
                    self.after_step::<WithdrawalFlow>(flow, taken);
                }
            }
            Wish::Order(_) => {
                let id = OrderId::from_uuid(resource);
                let command = cancelling(CommandId::from_uuid(self.uuid()), at, id, &self.pay.orders[&id]);
                self.command(life, command, Waits::Nothing);
            }
            Wish::Transfer { .. } => {}
        }
    }

    /// Staff decide about a withdrawal.
    pub(crate) fn staff(&mut self, id: WithdrawalId) {
        let approved = self.draining || self.rng.permille(750);
        let input = withdrawal::Input::Decided {
            approved,
            content_hash: "content".to_owned(),
            staff: StaffId::from_uuid(Uuid::nil()),
            reason: "looked at".to_owned(),
        };
        self.staff_input(id, &input, Event::Staff(id));
    }

    /// Staff give a withdrawal up.
    pub(crate) fn give_up(&mut self, id: WithdrawalId) {
        let input = withdrawal::Input::GiveUp {
            staff: StaffId::from_uuid(Uuid::nil()),
            reason: "it does not get through".to_owned(),
        };
        self.staff_input(id, &input, Event::GiveUp(id));
    }

    fn staff_input(&mut self, id: WithdrawalId, input: &withdrawal::Input, again: Event) {
        let fate = self.fate();
        if fate == Fate::Lost {
            self.after(500, 3_000, again);
            return;
        }
        let (at, now) = (self.time(), self.now);
        // A decision that comes too late is refused.
        if let Ok(taken) = self.withdrawals.take(id.cast(), input, at, now) {
            self.after_step::<WithdrawalFlow>(id.cast(), taken);
        }
    }

    /// The clock decides orders that nobody finished: a cancel under the order's own id makes placing it impossible, or finds
    /// that it was decided.
    pub(crate) fn resolve_orders(&mut self) {
        self.after(6_000, 12_000, Event::ResolveOrders);
        let proc = Proc::PAYMENTS[self.rng.place(2)];
        let life = self.life(proc);
        if !self.lives(life) || self.fate() == Fate::Lost {
            return;
        }
        let before = self.now.saturating_sub(GRACE);
        let orders: Vec<OrderId> = self
            .pay
            .orders
            .iter()
            .filter(|(_, row)| row.status == "requested" && to_ms(row.at) <= before)
            .map(|(id, _)| *id)
            .collect();
        for id in orders {
            let row = &self.pay.orders[&id];
            let command = cancelling(id.cast(), row.at, id, row);
            // The answer to an id that was used for another body rests on no row.
            let call = Call {
                life,
                command: None,
                waits: Waits::Lapse(id),
            };
            let call = self.call(life, call, PATIENCE);
            self.ask_engine(crate::event::Ask::Command(Box::new(command)), call);
        }
    }

    pub(crate) fn lapse_answered(&mut self, life: Life, id: OrderId, reply: &Reply) {
        let Reply::Outcome(outcome) = *reply else { return };
        let used = matches!(
            outcome,
            Outcome::Refused {
                refusal: Refusal::IdReused,
                ..
            }
        );
        if used {
            let command = placing(id, &self.pay.orders[&id]);
            self.command(life, command, Waits::Placed(id));
        } else if self.fate() != Fate::Lost
            && let Some(row) = self.pay.orders.get_mut(&id)
            && row.status == "requested"
        {
            (row.status, row.refusal) = ("lapsed", Some(Refusal::IdReused));
        }
    }

    /// The engine has decided an order: a refusal is written down, everything else is told by its event.
    pub(crate) fn order_answered(&mut self, id: OrderId, reply: &Reply) {
        if let Reply::Outcome(Outcome::Refused { refusal, .. }) = *reply
            && let Some(row) = self.pay.orders.get_mut(&id)
            && row.status == "requested"
        {
            (row.status, row.refusal) = ("refused", Some(refusal));
        }
    }
}

fn decimals() -> Decimals {
    Decimals::try_new(6).expect("six is allowed")
}

/// The command that places an order: a function of its row alone.
fn placing(id: OrderId, row: &OrderRow) -> Command {
    Command {
        id: id.cast(),
        at: row.at,
        reason: Reason::Trading,
        reference: id.uuid(),
        action: Action::PlaceOrder(row.place),
    }
}

fn cancelling(command: CommandId, at: ferrex_time::Timestamp, id: OrderId, row: &OrderRow) -> Command {
    Command {
        id: command,
        at,
        reason: Reason::Trading,
        reference: id.uuid(),
        action: Action::CancelOrder {
            market: MARKET,
            owner: row.user.uuid(),
            order: OrderRef::Client(id.uuid()),
        },
    }
}
