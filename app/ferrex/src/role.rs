//! What a process can be.

use std::fmt;

use clap::ValueEnum;

/// One service. A process runs any set of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Role {
    /// The journal and the balances.
    Engine,
    /// The keys.
    Signer,
    /// Users, sessions, verification.
    Core,
    /// Deposits, transfers, withdrawals, statements.
    Payment,
    /// Mail.
    Notifications,
    /// Events of outside systems.
    Webhooks,
    /// Ticks.
    Cron,
    /// Staff.
    Admin,
}

impl Role {
    /// All of them, in the order in which they start.
    pub const ALL: [Self; 8] = [
        Self::Engine,
        Self::Signer,
        Self::Core,
        Self::Payment,
        Self::Notifications,
        Self::Webhooks,
        Self::Cron,
        Self::Admin,
    ];

    /// As on the command line; also the name of its schema.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Signer => "signer",
            Self::Core => "core",
            Self::Payment => "payment",
            Self::Notifications => "notifications",
            Self::Webhooks => "webhooks",
            Self::Cron => "cron",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
