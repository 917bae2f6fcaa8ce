//! The program `ringpipe`: reads the arguments, runs one command, and ends with the exit code that says how it went.

mod args;
mod chat;
mod demo;
mod exit;
mod look;
mod signals;
mod size;
mod soak;
mod stream;
mod terminal;
mod text;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use exit::Failure;

fn main() -> ExitCode {
    let done = match Args::try_parse() {
        Ok(args) => run(args.command),
        Err(told) if told.use_stderr() => told.exit(),
        Err(help) => print_help(&help),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Prints the help or the version. What cannot be printed is an error, as with every other output.
fn print_help(help: &clap::Error) -> Result<(), Failure> {
    help.print()
        .and_then(|()| io::stdout().flush())
        .map_err(|error| Failure::io(text::OUTPUT, &error))
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Demo(order) => demo::run(&order),
        Command::DemoSender(order) => demo::send(&order),
        Command::Send(order) => {
            stream::send(&order).map_err(|failure| failure.of_ring(&order.endpoint.name))
        }
        Command::Recv(order) => {
            stream::recv(&order).map_err(|failure| failure.of_ring(&order.endpoint.name))
        }
        Command::Cat(order) => stream::cat(&order)
            .map_err(|failure| failure.of_ring(&order.name).or_create(&order.name)),
        Command::Mkfifo(order) => stream::mkfifo(&order),
        Command::Chat(order) => chat::run(&order),
        Command::Ls(order) => look::ls(&order),
        Command::Stat(order) => look::stat(&order),
        Command::Rm(order) => look::rm(&order),
        Command::Gc(order) => look::gc(&order),
        Command::Soak(order) => soak::run(&order),
        Command::SoakWorker(order) => soak::work(&order.task),
    }
}
