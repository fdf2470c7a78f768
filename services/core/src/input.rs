//! Collects what is wrong with a request's fields, so that a person learns of all of it at once.

use std::fmt::Display;

use ferrex_fault::{Fault, FieldFault, Kind};

/// The fields at fault so far.
#[derive(Debug, Default)]
pub struct Checks {
    fields: Vec<FieldFault>,
}

impl Checks {
    /// Nothing is wrong yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps a value, or notes what is wrong with its field.
    pub fn take<T, E: Display>(&mut self, field: &str, value: Result<T, E>) -> Option<T> {
        value.map_err(|error| self.refuse(field, error)).ok()
    }

    /// Notes what is wrong with a field.
    pub fn refuse(&mut self, field: &str, message: impl Display) {
        self.fields.push(FieldFault {
            field: field.to_owned(),
            message: message.to_string(),
        });
    }

    /// Fails when any field is at fault.
    pub fn finish(self) -> Result<(), Fault> {
        if self.fields.is_empty() {
            return Ok(());
        }
        Err(self.fault())
    }

    /// The refusal. Also the answer when a value is missing although nothing was noted, which cannot happen.
    pub fn fault(self) -> Fault {
        let names: Vec<&str> = self.fields.iter().map(|fault| fault.field.as_str()).collect();
        let detail = format!("these fields are not valid: {}", names.join(", "));
        let mut fault = Fault::new(Kind::Invalid, "core.input.invalid", detail);
        fault.fields = self.fields;
        fault
    }
}
