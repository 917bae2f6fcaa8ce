//! What may travel through a ring.

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Plain data: what a ring can carry between processes.
///
/// A bound with a blanket implementation; nobody implements it by hand. It holds for each `Copy` type
/// without padding, without pointers and for which every bit pattern is a value: integers, floats,
/// arrays of them, and structures that derive `zerocopy`'s `FromBytes`, `IntoBytes` and `Immutable`.
/// So nothing that another process writes into the segment, even a hostile one, can be an invalid
/// value. Sizes are in bytes and must not be zero.
///
/// # Examples
///
/// ```
/// use zerocopy::{FromBytes, Immutable, IntoBytes};
///
/// #[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
/// #[repr(C)]
/// struct Tick {
///     time: u64,
///     price: f64,
/// }
///
/// fn can_travel<T: ringpipe::Item>() {}
/// can_travel::<Tick>();
/// can_travel::<[u8; 64]>();
/// ```
///
/// ```compile_fail
/// fn can_travel<T: ringpipe::Item>() {}
/// can_travel::<&str>(); // a pointer means nothing in another process
/// ```
pub trait Item: FromBytes + IntoBytes + Immutable + Copy + Send + Sync + 'static {}

impl<T: FromBytes + IntoBytes + Immutable + Copy + Send + Sync + 'static> Item for T {}
