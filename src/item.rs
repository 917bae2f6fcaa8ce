//! What may travel through a ring.

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Plain data: what a ring can carry between processes.
///
/// A bound with a blanket implementation; nobody implements it by hand. It holds for each `Copy` type
/// without padding, without pointers and for which every bit pattern is a value: integers, floats,
/// arrays of them, and structures that derive [`FromBytes`], [`IntoBytes`] and [`Immutable`].
/// So nothing that another process writes into the segment, even a hostile one, can be an invalid
/// value. Sizes are in bytes and must not be zero.
///
/// # What is refused
///
/// | type | why | what to write instead |
/// |---|---|---|
/// | `bool` | only 0 and 1 are values | `u8`, 0 or not |
/// | `char` | not every `u32` is one | `u32`, and `char::from_u32` |
/// | an `enum` | not every number is a variant | its number, and a `match` or `TryFrom` |
/// | `Option<T>`, `NonZero<T>` | the same, and the layout is nobody's promise | `T` and a `u8` that says whether it counts |
/// | a structure with padding | its bytes are not all written | larger fields first, and a field such as `_pad: [u8; 4]` |
/// | a tuple | its layout is nobody's promise | a `#[repr(C)]` structure |
/// | `&T`, `Box`, `String`, `Vec` | a pointer means nothing in another process | `[u8; N]` and a length; a [`stream`](crate::stream) for bytes |
///
/// # Examples
///
/// A structure of one's own. `ringpipe` is the only dependency that it takes: the attribute says where the derives find theirs.
///
/// ```
/// use ringpipe::{FromBytes, Immutable, IntoBytes};
///
/// #[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
/// #[zerocopy(crate = "ringpipe::zerocopy")]
/// #[repr(C)]
/// struct Tick {
///     time: u64,
///     price: f64,
///     size: u32,
///     _pad: [u8; 4],
/// }
///
/// let ring = ringpipe::spsc::Ring::<Tick>::in_process(16)?;
/// ring.producer()?.push(Tick { time: 1, price: 2.5, size: 3, _pad: [0; 4] })?;
/// assert_eq!(ring.consumer()?.pop()?.price, 2.5);
///
/// fn can_travel<T: ringpipe::Item>() {}
/// can_travel::<[u8; 64]>();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// ```compile_fail
/// fn can_travel<T: ringpipe::Item>() {}
/// can_travel::<&str>(); // a pointer means nothing in another process
/// ```
///
/// ```compile_fail
/// fn can_travel<T: ringpipe::Item>() {}
/// can_travel::<bool>(); // a peer could write a 2
/// ```
pub trait Item: FromBytes + IntoBytes + Immutable + Copy + Send + Sync + 'static {}

impl<T: FromBytes + IntoBytes + Immutable + Copy + Send + Sync + 'static> Item for T {}
