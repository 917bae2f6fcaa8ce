//! What a stream carries: 64-bit words that hold their own place in it.
//!
//! Filling and checking cost what the processor's widest common registers make of it, so that little is measured beside
//! the way through.

/// Makes `bytes` what a stream has from its `at`th byte on.
pub(crate) fn fill(bytes: &mut [u8], at: u64) {
    #[cfg(target_arch = "x86_64")]
    if let Some(wide) = wide::Wide::of_this_processor() {
        return wide.fill(bytes, at);
    }
    fill_by_words(bytes, at);
}

/// Panics unless `bytes` are what a stream has from its `at`th byte on, each of them.
pub(crate) fn check(bytes: &[u8], at: u64) {
    if !is_right(bytes, at) {
        panic!("bytes {at} to {} came wrong", at + bytes.len() as u64);
    }
}

fn is_right(bytes: &[u8], at: u64) -> bool {
    #[cfg(target_arch = "x86_64")]
    if let Some(wide) = wide::Wide::of_this_processor() {
        return wide.is_right(bytes, at);
    }
    is_right_by_words(bytes, at)
}

/// The same, compiled for AVX2.
#[cfg(target_arch = "x86_64")]
mod wide {
    use super::{fill_by_words, is_right_by_words};

    /// That this processor has AVX2.
    #[derive(Clone, Copy)]
    pub(super) struct Wide(());

    #[allow(
        unsafe_code,
        reason = "that is how functions for some processors alone are called"
    )]
    impl Wide {
        pub(super) fn of_this_processor() -> Option<Self> {
            is_x86_feature_detected!("avx2").then_some(Self(()))
        }

        pub(super) fn fill(self, bytes: &mut [u8], at: u64) {
            // SAFETY: `self` says that the processor has AVX2.
            unsafe { fill(bytes, at) }
        }

        pub(super) fn is_right(self, bytes: &[u8], at: u64) -> bool {
            // SAFETY: as above.
            unsafe { is_right(bytes, at) }
        }
    }

    #[target_feature(enable = "avx2")]
    fn fill(bytes: &mut [u8], at: u64) {
        fill_by_words(bytes, at);
    }

    #[target_feature(enable = "avx2")]
    fn is_right(bytes: &[u8], at: u64) -> bool {
        is_right_by_words(bytes, at)
    }
}

#[inline(always)]
fn fill_by_words(bytes: &mut [u8], at: u64) {
    let (head, rest) = bytes.split_at_mut(ragged(bytes.len(), at));
    let first = (at + head.len() as u64) / 8;
    fill_by_bytes(head, at);
    let (words, tail) = rest.as_chunks_mut::<8>();
    for (word, n) in words.iter_mut().zip(first..) {
        *word = n.to_ne_bytes();
    }
    fill_by_bytes(tail, 8 * (first + words.len() as u64));
}

#[inline(always)]
fn is_right_by_words(bytes: &[u8], at: u64) -> bool {
    let (head, rest) = bytes.split_at(ragged(bytes.len(), at));
    let first = (at + head.len() as u64) / 8;
    let (words, tail) = rest.as_chunks::<8>();
    let wrong = words.iter().zip(first..).fold(0, |wrong, (word, n)| {
        wrong | (u64::from_ne_bytes(*word) ^ n)
    });
    let end = 8 * (first + words.len() as u64);
    wrong == 0 && is_right_by_bytes(head, at) && is_right_by_bytes(tail, end)
}

/// How many of so many bytes precede the first whole word.
fn ragged(bytes: usize, at: u64) -> usize {
    bytes.min((at.wrapping_neg() % 8) as usize)
}

fn byte(at: u64) -> u8 {
    (at / 8).to_ne_bytes()[(at % 8) as usize]
}

fn fill_by_bytes(bytes: &mut [u8], at: u64) {
    for (one, at) in bytes.iter_mut().zip(at..) {
        *one = byte(at);
    }
}

fn is_right_by_bytes(bytes: &[u8], at: u64) -> bool {
    bytes.iter().zip(at..).all(|(&one, at)| one == byte(at))
}
