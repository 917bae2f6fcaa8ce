//! Two processes that talk, by a stream each way: `cargo run --example chat`.
//!
//! The child is a clerk that answers what it is asked, line by line, until it is asked nothing more. `ringpipe chat PATH` is the
//! same for people in two terminals.

use std::io::{BufRead, BufReader, Write, stdin};
use std::process::exit;

use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};
use ringpipe::stream::{self, Duplex};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let (here, there) = stream::duplex()?;
    // SAFETY: this process has one thread.
    #[allow(unsafe_code)]
    match unsafe { fork() }? {
        ForkResult::Child => {
            drop(here);
            exit(i32::from(answer(there).is_err()));
        }
        ForkResult::Parent { child } => {
            drop(there);
            ask(here)?;
            waitpid(child, None)?;
        }
    }
    Ok(())
}

fn ask(side: Duplex) -> Result<()> {
    let (mut writer, reader) = side.split();
    let mut answers = BufReader::new(reader).lines();
    for line in stdin().lock().lines() {
        writeln!(writer, "{}", line?)?;
        match answers.next() {
            Some(answer) => println!("{}", answer?),
            None => return Err("the clerk has gone".into()),
        }
    }
    Ok(())
}

fn answer(side: Duplex) -> Result<()> {
    let (mut writer, reader) = side.split();
    for line in reader.lines() {
        let words = line?.split_whitespace().count();
        writeln!(writer, "that was {words} words")?;
    }
    Ok(())
}
