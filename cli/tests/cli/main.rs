//! The program as its users have it: real processes, real signals, real exit codes.

mod advice;
mod chat;
mod closed;
mod codes;
mod demo;
mod fifo;
mod help;
mod leaving;
mod look;
mod records;
mod shown;
mod signals;
mod soak;
mod stream;
mod support;
mod talk;
mod telling;
mod terminal;
