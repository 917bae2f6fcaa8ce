//! What pipe(2) and fork(2) are used for: `cargo run --example forked_pipe`.
//!
//! The child writes, the parent reads until the end of file. Run it with `--kill`, and the child is killed in the middle: the
//! parent gets what was written, and then the end of file all the same.

use std::io::{BufRead, Write};
use std::process::exit;

use nix::sys::signal::{Signal, raise};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};
use ringpipe::stream;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let kill = std::env::args().nth(1).as_deref() == Some("--kill");
    let (writer, reader) = stream::pipe()?;
    // SAFETY: this process has one thread.
    #[allow(unsafe_code)]
    match unsafe { fork() }? {
        ForkResult::Child => {
            // As with a pipe: who keeps an end that it does not use, keeps it open.
            drop(reader);
            let status = i32::from(child(writer, kill).is_err());
            exit(status);
        }
        ForkResult::Parent { child } => {
            drop(writer);
            for (n, line) in reader.lines().enumerate() {
                println!("line {}: {}", n + 1, line?);
            }
            println!("end of file; the child {:?}", waitpid(child, None)?);
        }
    }
    Ok(())
}

fn child(mut writer: stream::Writer, kill: bool) -> Result<()> {
    for n in 1..=3 {
        writeln!(writer, "{n} x {n} = {}", n * n)?;
        if kill && n == 2 {
            raise(Signal::SIGKILL)?;
        }
    }
    Ok(())
}
