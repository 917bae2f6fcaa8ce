//! Us, the rivals, and what each is good for.

mod bips;
mod bytes;
mod channels;
pub(crate) mod crowds;
mod disruptors;
mod iceoryx;
mod ipmpscs;
mod mqs;
mod msgs;
mod others;
mod pipes;
pub(crate) mod place;
mod ringfires;
mod rings;
mod shaqs;
mod sockets;
mod spinning;
#[cfg(test)]
mod tests;
mod warehouses;

pub(crate) use bips::BipBuffer;
pub(crate) use channels::{CrossbeamChannel, Kanal, SyncChannel};
pub(crate) use disruptors::Disruptor;
pub(crate) use iceoryx::Iceoryx;
pub(crate) use ipmpscs::Ipmpsc;
pub(crate) use mqs::PosixQueue;
pub(crate) use msgs::SysVQueue;
pub(crate) use others::{Cloudtoid, IpcChannel, Shmring};
pub(crate) use pipes::{Fifo, LargePipe, PackedPipe, Pipe};
pub(crate) use ringfires::Ringfire;
pub(crate) use rings::{Ring, RingAsleep, RingAwake, RingCopied};
pub(crate) use shaqs::Shaq;
pub(crate) use sockets::{PacketSocket, StreamSocket};
pub(crate) use spinning::{CrossbeamQueue, Ringbuf, Rtrb};
pub(crate) use warehouses::Textbook;

use crate::way::Way;

/// What kind of way it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// The project's own.
    Ours,
    /// What the kernel has for processes.
    Kernel,
    /// Crates that pass messages between processes.
    Processes,
    /// Crates that pass messages between the threads of one process: what could be had if no memory were shared.
    Threads,
}

/// Who is shown each way.
pub(crate) trait Visitor {
    fn visit<W: Way<1> + Way<8> + Way<32> + Way<128> + Way<512>>(&mut self, family: Family);
}

/// Shows all ways there are, in the order in which they are to be listed.
pub(crate) fn visit_all(visitor: &mut impl Visitor) {
    visitor.visit::<Ring>(Family::Ours);
    visitor.visit::<RingAwake>(Family::Ours);
    visitor.visit::<RingAsleep>(Family::Ours);
    visitor.visit::<RingCopied>(Family::Ours);
    visit_kernel(visitor);
    visit_processes(visitor);
    visit_threads(visitor);
}

fn visit_kernel(visitor: &mut impl Visitor) {
    visitor.visit::<Pipe>(Family::Kernel);
    visitor.visit::<LargePipe>(Family::Kernel);
    visitor.visit::<PackedPipe>(Family::Kernel);
    visitor.visit::<Fifo>(Family::Kernel);
    visitor.visit::<StreamSocket>(Family::Kernel);
    visitor.visit::<PacketSocket>(Family::Kernel);
    visitor.visit::<SysVQueue>(Family::Kernel);
    visitor.visit::<PosixQueue>(Family::Kernel);
    visitor.visit::<Textbook>(Family::Kernel);
}

fn visit_processes(visitor: &mut impl Visitor) {
    visitor.visit::<Iceoryx<false>>(Family::Processes);
    visitor.visit::<Iceoryx<true>>(Family::Processes);
    visitor.visit::<Shaq>(Family::Processes);
    visitor.visit::<Ringfire>(Family::Processes);
    visitor.visit::<Shmring>(Family::Processes);
    visitor.visit::<Cloudtoid>(Family::Processes);
    visitor.visit::<BipBuffer>(Family::Processes);
    visitor.visit::<Ipmpsc>(Family::Processes);
    visitor.visit::<IpcChannel>(Family::Processes);
}

fn visit_threads(visitor: &mut impl Visitor) {
    visitor.visit::<Rtrb>(Family::Threads);
    visitor.visit::<Ringbuf>(Family::Threads);
    visitor.visit::<Disruptor>(Family::Threads);
    visitor.visit::<CrossbeamQueue>(Family::Threads);
    visitor.visit::<CrossbeamChannel>(Family::Threads);
    visitor.visit::<Kanal>(Family::Threads);
    visitor.visit::<SyncChannel>(Family::Threads);
}
