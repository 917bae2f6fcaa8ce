//! What came out, and how it is told.

pub(crate) mod costs;
pub(crate) mod figure;
pub(crate) mod json;
pub(crate) mod machine;
pub(crate) mod plot;
mod sweep;
pub(crate) mod table;
pub(crate) mod told;
pub(crate) mod work;
