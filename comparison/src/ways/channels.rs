//! Bounded channels between threads, with their blocking calls. All but the standard library's are made for any number
//! of producers and consumers, and that one for any number of producers.

use std::sync::mpsc::{self, SyncSender};

use crate::common::duel::Between;
use crate::way::{Message, Rx, Tx, Waits, Way};

/// crossbeam-channel 0.5.
pub(crate) enum CrossbeamChannel {}

impl<const N: usize> Way<N> for CrossbeamChannel {
    const NAME: &'static str = "crossbeam channel";
    const BETWEEN: Between = Between::Threads;
    const WAITS: Waits = Waits::Both;
    type Tx = crossbeam_channel::Sender<Message<N>>;
    type Rx = crossbeam_channel::Receiver<Message<N>>;

    fn open(
        messages: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        let (tx, rx) = crossbeam_channel::bounded(messages);
        (move || tx, move || rx)
    }
}

impl<const N: usize> Tx<N> for crossbeam_channel::Sender<Message<N>> {
    #[inline(always)]
    fn send(&mut self, message: &Message<N>) {
        crossbeam_channel::Sender::send(self, *message).expect("a receiver");
    }
}

impl<const N: usize> Rx<N> for crossbeam_channel::Receiver<Message<N>> {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<N>) -> R) -> R {
        look(&self.recv().expect("a sender"))
    }
}

/// kanal 0.1.
pub(crate) enum Kanal {}

impl<const N: usize> Way<N> for Kanal {
    const NAME: &'static str = "kanal";
    const BETWEEN: Between = Between::Threads;
    const WAITS: Waits = Waits::Both;
    type Tx = kanal::Sender<Message<N>>;
    type Rx = kanal::Receiver<Message<N>>;

    fn open(
        messages: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        let (tx, rx) = kanal::bounded(messages);
        (move || tx, move || rx)
    }
}

impl<const N: usize> Tx<N> for kanal::Sender<Message<N>> {
    #[inline(always)]
    fn send(&mut self, message: &Message<N>) {
        kanal::Sender::send(self, *message).expect("a receiver");
    }
}

impl<const N: usize> Rx<N> for kanal::Receiver<Message<N>> {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<N>) -> R) -> R {
        look(&self.recv().expect("a sender"))
    }
}

/// The standard library's.
pub(crate) enum SyncChannel {}

impl<const N: usize> Way<N> for SyncChannel {
    const NAME: &'static str = "std sync_channel";
    const BETWEEN: Between = Between::Threads;
    const WAITS: Waits = Waits::Both;
    type Tx = SyncSender<Message<N>>;
    type Rx = mpsc::Receiver<Message<N>>;

    fn open(
        messages: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        let (tx, rx) = mpsc::sync_channel(messages);
        (move || tx, move || rx)
    }
}

impl<const N: usize> Tx<N> for SyncSender<Message<N>> {
    #[inline(always)]
    fn send(&mut self, message: &Message<N>) {
        SyncSender::send(self, *message).expect("a receiver");
    }
}

impl<const N: usize> Rx<N> for mpsc::Receiver<Message<N>> {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<N>) -> R) -> R {
        look(&self.recv().expect("a sender"))
    }
}
