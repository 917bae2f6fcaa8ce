//! Bytes, cut into lines.

/// How long a line gets before it is cut: as long as a terminal takes one.
const LONGEST: usize = 4096;

/// Gathers bytes until they make a line.
#[derive(Default)]
pub(super) struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// The lines that are whole now, each with its end.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        for byte in bytes {
            self.rest.push(*byte);
            if *byte == b'\n' || self.rest.len() == LONGEST {
                lines.extend(self.flush());
            }
        }
        lines
    }

    /// What is left, as a line; `None` if nothing is.
    pub(super) fn flush(&mut self) -> Option<Vec<u8>> {
        let mut line = std::mem::take(&mut self.rest);
        match line.last() {
            None => return None,
            Some(b'\n') => {}
            Some(_) => line.push(b'\n'),
        }
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_whatever_the_pieces() {
        let mut lines = Lines::default();
        assert!(lines.feed(b"he").is_empty());
        assert_eq!(lines.feed(b"llo\n\nyo"), [&b"hello\n"[..], b"\n"]);
        assert_eq!(lines.flush().as_deref(), Some(&b"yo\n"[..]));
        assert_eq!(lines.flush(), None);
    }

    #[test]
    fn what_never_ends_is_cut() {
        let mut lines = Lines::default();
        let cut = lines.feed(&[b'x'; 10_000]);
        assert_eq!(cut.len(), 2);
        assert!(cut.iter().all(|line| line.len() == LONGEST + 1));
    }
}
