use std::collections::BTreeSet;
use std::fmt;

/// The invariant that a finding breaks, as `faults.md` numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// Double entry.
    I01,
    /// Stored balances equal the sum of their entries.
    I02,
    /// Nothing mints.
    I03,
    /// Nothing is negative.
    I05,
    /// One effect.
    I06,
    /// The history is append-only and whole.
    I10,
}

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it breaks.
    pub invariant: Invariant,
    /// The asset concerned, if it is one.
    pub asset: Option<i64>,
    /// What was found where.
    pub detail: String,
}

/// The most findings that are kept in full; all are counted.
pub(crate) const KEPT_MAX: usize = 200;

/// What an audit saw and what it found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Journal rows read.
    pub rows: u64,
    /// Commands among them.
    pub commands: u64,
    /// Refusals among the commands.
    pub refused: u64,
    /// Accounts.
    pub accounts: u64,
    /// Assets with accounts.
    pub assets: u64,
    /// Holds that are open after the last row.
    pub open_holds: u64,
    /// The row up to which the projection was compared.
    pub projected: i64,
    /// The first findings.
    pub findings: Vec<Finding>,
    /// How many there are in all.
    pub found: u64,
    /// The assets that any finding names, also one that was not kept.
    pub assets_at_fault: BTreeSet<i64>,
    /// Whether any finding names no asset.
    pub concerns_all: bool,
}

impl Report {
    /// Whether nothing was found.
    pub const fn is_clean(&self) -> bool {
        self.found == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} rows of {} commands ({} refused), {} accounts of {} assets, {} open holds, projection compared at row {}",
            self.rows,
            self.commands,
            self.refused,
            self.accounts,
            self.assets,
            self.open_holds,
            self.projected
        )?;
        if self.is_clean() {
            return write!(f, "I01 I02 I03 I05 I06 I10 hold");
        }
        write!(f, "{} findings", self.found)?;
        for Finding {
            invariant, detail, ..
        } in &self.findings
        {
            write!(f, "\n{invariant:?}: {detail}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
