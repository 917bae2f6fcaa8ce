//! The program as its users have it: real processes, real signals, real exit codes.

mod advice;
mod chat;
mod codes;
mod demo;
mod fifo;
mod help;
mod look;
mod records;
mod shown;
mod signals;
mod soak;
mod stream;
mod support;
mod terminal;
