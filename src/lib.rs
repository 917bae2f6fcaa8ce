//! Work in progress.

// Temporary: the crate-private half of `sys` gets its callers with the layers above.
#[allow(dead_code)]
mod sys;
pub mod sysv;
