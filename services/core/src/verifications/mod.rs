//! Identity level 1: a person submits name, birth date and country; staff or the identity provider decide.
//!
//! States: `submitted` → `approved` or `rejected` (with a reason); after a rejection a person may submit again, which is a new
//! submission. A decision of the provider names the submission it is about, so that one about an older submission changes
//! nothing, and carries its moment, so that an older one never undoes a newer one (H063, H089).

mod country;
mod error;
mod flow;
mod model;
mod provider;
mod store;

pub use error::Error;
pub use flow::{decide, get, list, own, provider_says, submit};
pub use model::{BirthDate, Country, LegalName, Ruling, Standing, State, Submission, Verification};
pub use provider::{ProviderEvent, Verdict};
