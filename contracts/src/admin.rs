//! What `admin` says. Staff act on other services by their requests; nothing listens to admin yet.
