//! How handles show themselves with `{:?}`: which ring they are of, and how full it is. Not what they are made of, which is
//! long, and holds what only those should see who may use the ring.

use core::fmt::{self, Formatter};

use crate::segment::Segment;

/// A handle's type, the name of its ring, and how much of that is used.
pub(crate) fn brief(
    f: &mut Formatter<'_>,
    what: &str,
    segment: Option<&Segment>,
    (len, capacity): (usize, usize),
) -> fmt::Result {
    let mut shown = f.debug_struct(what);
    match segment {
        Some(segment) => shown.field("name", &format_args!("{}", segment.name)),
        None => shown.field("name", &format_args!("none, within one process")),
    };
    shown.field("len", &len).field("capacity", &capacity);
    shown.finish()
}
