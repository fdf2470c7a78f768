//! What `admin` says. Staff act on other services by their requests.

messages! {
    /// The end of the audit log at a moment, to be kept outside its database (A93): entry `sequence` had this hash.
    AuditCheckpoint {
        /// Number of the last entry; 0 while there is none.
        sequence: u64,
        /// Its hash, as hex.
        hash: String,
    }
}

events! { "admin.audit.v1": AuditCheckpoint = "admin.audit.checkpoint" }
