//! What is wanted.

use std::path::PathBuf;

use ferrex_testkit::servers::{PostgresUse, free_port};

use crate::pair::STANDBY;

/// How roles are spread over processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// All roles in one process.
    One,
    /// One process a role.
    Split,
    /// One process a role, and a second engine that stands by.
    Standby,
}

/// What carries messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// The log in PostgreSQL.
    Embedded,
    /// A real Apache Kafka.
    Kafka,
}

/// The addresses on 127.0.0.1.
#[derive(Clone, Debug)]
pub struct Ports {
    /// For people.
    pub public: u16,
    /// For staff.
    pub admin: u16,
    /// Operations of the one process, or of the first of many.
    pub operations: u16,
    /// PostgreSQL.
    pub postgres: u16,
    /// The chain node.
    pub chain: u16,
    /// SMTP of the mail catcher.
    pub smtp: u16,
    /// The page of the mail catcher.
    pub mail_page: u16,
    /// The identity provider.
    pub identity: u16,
}

impl Ports {
    /// The ones that the README names.
    pub const FIXED: Self = Self {
        public: 8080,
        admin: 8081,
        operations: 9000,
        postgres: 9032,
        chain: 8545,
        smtp: 8025,
        mail_page: 8026,
        identity: 8027,
    };

    /// Ones that nobody uses at this moment.
    pub fn free() -> Self {
        Self {
            public: free_port(),
            admin: free_port(),
            operations: free_port(),
            postgres: free_port(),
            chain: free_port(),
            smtp: free_port(),
            mail_page: free_port(),
            identity: free_port(),
        }
    }
}

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where data, secrets, settings and logs are.
    pub data: PathBuf,
    /// The `ferrex` binary.
    pub ferrex: PathBuf,
    /// How roles are spread over processes.
    pub shape: Shape,
    /// What carries messages.
    pub carrier: Carrier,
    /// The addresses.
    pub ports: Ports,
    /// What PostgreSQL is for.
    pub postgres: PostgresUse,
    /// Whether data is kept after the end, for the next start.
    pub keep: bool,
    /// Whether leases, sessions and pauses are short, so that what a killed process held is taken over within about a
    /// second. A test's; on a busy machine short leases are lost more often.
    pub brisk: bool,
}

impl Plan {
    /// The names of the engine processes that other processes reach over the network.
    pub fn engines(&self) -> &'static [&'static str] {
        match self.shape {
            Shape::One => &[],
            Shape::Split => &["engine"],
            Shape::Standby => &["engine", STANDBY],
        }
    }

    /// The names of the processes when each role has its own, in the order in which they start.
    pub fn processes(&self) -> Vec<&'static str> {
        let standby = (self.shape == Shape::Standby).then_some(STANDBY);
        ROLES.into_iter().chain(standby).collect()
    }
}

/// Every role, in the order in which processes start.
pub const ROLES: [&str; 8] = [
    "engine",
    "signer",
    "core",
    "payment",
    "notifications",
    "webhooks",
    "cron",
    "admin",
];
