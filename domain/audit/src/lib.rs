//! The independent audit: recomputes the invariants of the books from the journal alone.
//!
//! It shares no money code with the engine: own numbers (256 bits, two unsigned sums an account), own tables of purposes,
//! reasons and kinds, own rules. A reader hands over facts as the database holds them; [`Auditor`] judges. A number that
//! the engine's tables gain must be added to [`rules`] by hand, and until then it is a finding: that is on purpose.
//!
//! | invariant | what is checked |
//! |---|---|
//! | I01 | both accounts of a row are of its asset; per asset all debits equal all credits |
//! | I02 | projected balances and holds equal the sums of the rows up to the projection's row |
//! | I03 | every movement's (reason, debited purpose, credited purpose) is listed; nothing else creates a liability |
//! | I05 | no account is negative and none has more held than it has, after any row |
//! | I06 | a command has one block of rows; a reference has one effect a reason; a hold is made once and given out once |
//! | I10 | ids have no gaps and end where the head says; no role may change rows; the triggers stand |

mod auditor;
mod books;
mod facts;
mod report;
pub mod rules;

pub use auditor::Auditor;
pub use facts::{
    AccountFact, BalanceFact, HoldFact, OpenOrderFact, OrderFact, Projection, Rights, RowFact, Units,
};
pub use report::{Finding, Invariant, Report};
