//! The name of the items' type in the header. The fingerprint decides whether two names are the same; this is for the
//! error that says that they are not.

use core::fmt;

use crate::sync::{AtomicU8, AtomicU32, Ordering};

/// Room for the name, in bytes. A longer one is cut.
const MAX: usize = 116;

/// The name as it is stored. Any peer can write into it.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct StoredTypeName {
    len: AtomicU32,
    bytes: [AtomicU8; MAX],
}

/// A copy of the name, cut to what the header holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TypeName {
    len: usize,
    bytes: [u8; MAX],
}

impl StoredTypeName {
    /// Stores the name. Relaxed: the ready word comes later.
    pub(crate) fn store(&self, name: &TypeName) {
        for (to, from) in self.bytes.iter().zip(name.bytes) {
            to.store(from, Ordering::Relaxed);
        }
        let len = u32::try_from(name.len).unwrap_or(0);
        self.len.store(len, Ordering::Relaxed);
    }

    /// Copies the name; a length that cannot be counts as 0.
    pub(crate) fn load(&self) -> TypeName {
        let len = self.len.load(Ordering::Relaxed) as usize;
        TypeName {
            len: if len <= MAX { len } else { 0 },
            bytes: core::array::from_fn(|n: usize| self.bytes[n].load(Ordering::Relaxed)),
        }
    }
}

impl TypeName {
    pub(crate) fn new(name: &str) -> Self {
        let name = &name.as_bytes()[..name.floor_char_boundary(MAX)];
        let mut bytes = [0; MAX];
        bytes[..name.len()].copy_from_slice(name);
        Self {
            len: name.len(),
            bytes,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// FNV-1a of the type's name: enough to tell two names apart by mistake, not against malice.
pub(crate) fn fingerprint_of(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Between quotes, without what could steer a terminal.
impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.bytes[..self.len]))
    }
}

impl fmt::Debug for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
pub(super) fn spans(at: usize) -> [(&'static str, core::ops::Range<usize>); 2] {
    use memoffset::span_of;
    let shifted = |span: core::ops::Range<usize>| span.start + at..span.end + at;
    [
        ("type_name_len", shifted(span_of!(StoredTypeName, len))),
        ("type_name", shifted(span_of!(StoredTypeName, bytes))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_type_name_is_cut_between_characters() {
        let name = TypeName::new(&format!("{}ä", "x".repeat(MAX - 1)));
        assert_eq!(name, TypeName::new(&"x".repeat(MAX - 1)));
        assert_eq!(TypeName::new("tick").to_string(), "\"tick\"");
        assert!(TypeName::new("").is_empty());
    }
}
