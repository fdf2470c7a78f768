//! What can happen next, and to which process.

use std::cmp::{Ordering, Reverse};

use ferrex_chains::evm::B256;
use ferrex_chains::evm::follower::Cursor;
use ferrex_contracts::signer::{IntentView, SignedTransaction};
use ferrex_engine_core::{Balance, Command, Outcome};
use ferrex_fault::Fault;
use ferrex_ids::WithdrawalId;
use ferrex_ledger::Owner;
use ferrex_payment::{deposit, transfer, withdrawal};

use crate::engine::Sent;
use crate::flows::Attempt;
use crate::pg::{Appended, Unknown};

/// A process: two engines, two of payment, a signer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Proc(pub usize);

impl Proc {
    /// How many there are.
    pub const COUNT: usize = 5;
    /// The engines.
    pub const ENGINES: [Self; 2] = [Self(0), Self(1)];
    /// Those of payment: listeners, workers, followers, relays, consumers.
    pub const PAYMENTS: [Self; 2] = [Self(2), Self(3)];
    /// The signer.
    pub const SIGNER: Self = Self(4);

    /// Its name in the trace.
    pub const fn name(self) -> &'static str {
        match self.0 {
            0 => "engine A",
            1 => "engine B",
            2 => "payment 1",
            3 => "payment 2",
            _ => "signer",
        }
    }

    /// Its place among its kind.
    pub const fn place(self) -> usize {
        self.0 % 2
    }
}

/// One life of a process; what was meant for a former one never arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Life {
    /// The process.
    pub proc: Proc,
    /// Counts its starts.
    pub number: u32,
}

/// What is asked of an engine.
#[derive(Clone, Debug)]
pub enum Ask {
    /// To decide.
    Command(Box<Command>),
    /// To read.
    Balances(Owner),
}

/// What an engine answers.
#[derive(Clone, Debug)]
pub enum Reply {
    /// To a command.
    Outcome(Outcome),
    /// To a read.
    Balances(Vec<Balance>),
    /// Nobody knows.
    Unknown,
}

/// What is asked of the signer.
#[derive(Clone, Debug)]
pub enum SignerAsk {
    /// A payment.
    Sign(Box<ferrex_contracts::signer::SignWithdrawal>),
    /// A filler.
    Fill(ferrex_contracts::signer::FillNonce),
    /// To give it up and say what was signed.
    Cancel(ferrex_ids::IntentId),
}

/// What the signer answers.
#[derive(Debug)]
pub enum SignerReply {
    /// Signed bytes.
    Signed(SignedTransaction),
    /// All that was signed.
    Has(IntentView),
    /// A refusal, or that it cannot.
    Fault(Fault),
}

/// An outcome on its way home.
#[derive(Clone, Debug)]
pub enum Performed {
    /// Of a deposit.
    Deposit(ferrex_flows::Performed<deposit::model::Input>),
    /// Of a transfer.
    Transfer(ferrex_flows::Performed<transfer::model::Input>),
    /// Of a withdrawal.
    Withdrawal(ferrex_flows::Performed<withdrawal::model::Input>),
}

/// What a follower saw.
#[derive(Clone, Debug)]
pub enum Seen {
    /// The next block.
    Block(B256),
    /// That blocks are gone.
    Reorganised(Cursor),
}

/// What can happen.
#[derive(Debug)]
pub enum Event {
    /// A person does something.
    Person(usize),
    /// A person's request arrives.
    Request { op: usize, at: Proc, cancel: bool },
    /// Staff decide about a withdrawal.
    Staff(WithdrawalId),
    /// Staff give a withdrawal up.
    GiveUp(WithdrawalId),
    /// The engine of a process does its regular work.
    EngineTick,
    /// A question arrives.
    EngineAsk { ask: Ask, call: u64 },
    /// The engine takes what has gathered.
    EngineWork,
    /// A batch arrives at PostgreSQL.
    Append(Box<Sent>),
    /// PostgreSQL's answer arrives at the engine.
    Appended {
        batch: u64,
        answer: Result<Appended, Unknown>,
    },
    /// A projection arrives at PostgreSQL.
    Project,
    /// The engine's relay goes on.
    RelayTurn,
    /// The relay stores how far it told.
    RelayMark(u64),
    /// An answer of the engine arrives.
    EngineReply { call: u64, reply: Reply },
    /// A worker looks for work.
    WorkerTick { regular: bool },
    /// A worker performs.
    Perform(Attempt),
    /// An outcome is brought home.
    Home {
        attempt: Attempt,
        performed: Box<Performed>,
    },
    /// Nobody answered a call in time.
    Timeout(u64),
    /// A request arrives at the signer.
    SignerAsk { ask: SignerAsk, call: u64, from: Life },
    /// The signer's answer arrives.
    SignerReply { call: u64, reply: Box<SignerReply> },
    /// A follower looks at the chain.
    Follow { regular: bool },
    /// A follower writes what it saw.
    FollowWrite { epoch: u64, cursor: Cursor, seen: Seen },
    /// The outbox is published.
    OutboxTick { regular: bool },
    /// What was published leaves the outbox.
    OutboxDelete(Vec<u64>),
    /// Consumers take messages.
    Consume { regular: bool },
    /// Orders that nobody finished are decided.
    ResolveOrders,
    /// Somebody pays to one of our addresses.
    Incoming,
    /// A block is mined.
    Mine,
    /// The chain is reorganised.
    Reorganise,
    /// Something breaks.
    Fault,
    /// A process starts.
    Start(Proc),
}

/// An event with its time.
#[derive(Debug)]
pub struct Scheduled {
    /// When, in milliseconds.
    pub at: u64,
    /// Of two at one time the lower is first.
    pub number: u64,
    /// For whom.
    pub to: Option<Life>,
    /// What.
    pub event: Event,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Scheduled {}
impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> Ordering {
        // A heap gives its greatest.
        (Reverse(self.at), Reverse(self.number)).cmp(&(Reverse(other.at), Reverse(other.number)))
    }
}
