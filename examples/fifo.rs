//! A FIFO between programs that know nothing of each other but its name. In one terminal
//! `cargo run --example fifo -- write /tmp/feed`, in another, or several, `cargo run --example fifo -- read /tmp/feed`.
//!
//! Either may start first: it waits for the other. Writers are several, too: lines do not mix, since they are short.

use std::io::{BufRead, Write, stdin};

use ringpipe::stream::Fifo;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", path] => write(&Fifo::open_or_create(path)?),
        ["read", path] => read(&Fifo::open_or_create(path)?),
        ["remove", path] => Ok(Fifo::open(path)?.remove()?),
        _ => Err("say `write PATH`, `read PATH` or `remove PATH`".into()),
    }
}

/// Each line of the input as one write.
fn write(fifo: &Fifo) -> Result<(), Box<dyn std::error::Error>> {
    let mut writer = fifo.writer()?;
    for line in stdin().lock().lines() {
        writer.write_all(format!("{}: {}\n", std::process::id(), line?).as_bytes())?;
    }
    Ok(())
}

fn read(fifo: &Fifo) -> Result<(), Box<dyn std::error::Error>> {
    for line in fifo.reader()?.lines() {
        println!("{}", line?);
    }
    Ok(())
}
