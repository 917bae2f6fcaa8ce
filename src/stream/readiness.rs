//! What poll(2) would say.

bitflags::bitflags! {
    /// What an end is ready for, in poll(2)'s bits and by its rules for pipes.
    ///
    /// | | reader | writer |
    /// |---|---|---|
    /// | bytes are there | `IN` | |
    /// | there is room for [`PIPE_BUF`](super::PIPE_BUF) bytes | | `OUT` |
    /// | the writers are gone | `HUP` | |
    /// | the readers are gone | | `ERR` |
    ///
    /// A reader that was opened without waiting sees no `HUP` before its first writer.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Readiness: i16 {
        /// A read returns bytes.
        const IN = 0x001;
        /// A write of `PIPE_BUF` bytes does not wait.
        const OUT = 0x004;
        /// Nobody reads.
        const ERR = 0x008;
        /// Nobody writes.
        const HUP = 0x010;
    }
}
