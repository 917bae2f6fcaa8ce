//! socketpair(2) of the Unix domain, with the buffers that the kernel gives unless told otherwise.

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use zerocopy::IntoBytes;

use super::bytes::{In, Out};
use crate::common::duel::Between;
use crate::way::{Message, Rx, Tx, Waits, Way};

/// Of bytes: a write(2) and a read(2) for each message.
pub(crate) enum StreamSocket {}

impl<const N: usize> Way<N> for StreamSocket {
    const NAME: &'static str = "socketpair, stream";
    const BETWEEN: Between = Between::Processes;
    const WAITS: Waits = Waits::Asleep;
    type Tx = Out<UnixStream>;
    type Rx = In<UnixStream>;

    fn open(
        _: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        let (tx, rx) = UnixStream::pair().expect("a pair of sockets");
        (move || Out(tx), move || In(rx))
    }
}

/// Of messages: a send(2) and a recv(2) for each.
pub(crate) enum PacketSocket {}

pub(crate) struct Packets(OwnedFd);

impl<const N: usize> Way<N> for PacketSocket {
    const NAME: &'static str = "socketpair, seqpacket";
    const BETWEEN: Between = Between::Processes;
    const WAITS: Waits = Waits::Asleep;
    type Tx = Packets;
    type Rx = Packets;

    fn open(
        _: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        let (tx, rx) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )
        .expect("a pair of sockets");
        (move || Packets(tx), move || Packets(rx))
    }
}

impl<const N: usize> Tx<N> for Packets {
    fn send(&mut self, message: &Message<N>) {
        let sent = send(self.0.as_raw_fd(), message.as_bytes(), MsgFlags::empty());
        assert_eq!(sent, Ok(size_of_val(message)));
    }
}

impl<const N: usize> Rx<N> for Packets {
    fn receive<R>(&mut self, look: impl FnOnce(&Message<N>) -> R) -> R {
        let mut message = [0; N];
        let bytes = message.as_mut_bytes();
        let size = bytes.len();
        let came = recv(self.0.as_raw_fd(), bytes, MsgFlags::empty());
        assert_eq!(came, Ok(size));
        look(&message)
    }
}
