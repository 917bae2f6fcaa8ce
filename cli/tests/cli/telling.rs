//! What is told on standard error while bytes move, or do not: at a terminal only.

use std::fs::File;
use std::io::{self, Read};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread;

use nix::pty::{Winsize, openpty};
use nix::sys::signal::Signal;

use crate::support::{Case, Process, fill, noise, until};

/// A process with a terminal as its standard error.
struct Told {
    process: Process,
    screen: Arc<Mutex<Vec<u8>>>,
}

impl Told {
    fn start(case: &Case, args: &[&str], input: Stdio) -> Self {
        let size = Winsize {
            ws_row: 24,
            ws_col: 200,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let terminal = openpty(&size, None).unwrap();
        let mut command = case.command(args);
        command.env("TERM", "xterm").stdin(input);
        let process = case.start_telling(command, terminal.slave.into());
        let screen = Arc::<Mutex<Vec<u8>>>::default();
        let (shown, mut master) = (Arc::clone(&screen), File::from(terminal.master));
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = master.read(&mut bytes) {
                shown.lock().unwrap().extend(&bytes[..count]);
            }
        });
        Self { process, screen }
    }

    fn shows(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).contains(text)
    }
}

#[test]
fn who_waits_at_a_terminal_says_for_what() {
    let records = ["--mpmc", "--record", "8"];
    for (args, for_whom) in [
        (&["send"][..], "receiver"),
        (&["recv"], "sender"),
        (&[&["recv"][..], &records].concat(), "sender"),
        (&["cat"], "writer"),
        (&["cat", "--to"], "reader"),
    ] {
        let case = Case::new();
        let ring = case.ring();
        if args[0] == "cat" {
            assert_eq!(case.run(&["mkfifo", &ring]).code, Some(0));
        }
        let told = Told::start(&case, &[args, &[&ring]].concat(), Stdio::null());
        let told_so = format!("ringpipe: waiting for a {for_whom} on {ring}\r\n");
        until(|| told.shows(&told_so));
        told.process.signal(Signal::SIGTERM);
        assert_eq!(told.process.wait().code, Some(143));
    }
}

#[test]
fn who_waits_for_the_next_one_says_so_again() {
    let case = Case::new();
    let ring = case.ring();
    let told = Told::start(&case, &["recv", "--keep-open", &ring], Stdio::null());
    let waiting = format!("waiting for a sender on {ring}\r\n");
    until(|| told.shows(&waiting));
    let sent = case.start_fed(&["send", &ring], case.input(b"all"));
    assert_eq!(sent.wait().code, Some(0));
    told.screen.lock().unwrap().clear();
    until(|| told.shows(&waiting));
}

#[test]
fn a_sender_says_that_it_waits_until_all_is_taken() {
    for size in [100, 100_000] {
        let case = Case::new();
        let (ring, data) = (case.ring(), noise(size));
        let (mut reader, writer) = io::pipe().unwrap();
        fill(&writer);
        let args = ["send", &ring, "--capacity", "4K"];
        let told = Told::start(&case, &args, case.input(&data));
        let receiver = case.start_into(&["recv", &ring], writer.into());
        let taking = format!("waiting for a receiver to take what is in {ring}\r\n");
        until(|| told.shows(&taking));
        let mut written = vec![];
        reader.read_to_end(&mut written).unwrap();
        assert!(written.ends_with(&data));
        assert_eq!(told.process.wait().code, Some(0));
        assert_eq!(receiver.wait().code, Some(0));
    }
}

#[test]
fn progress_is_shown_at_a_terminal() {
    let case = Case::new();
    let ring = case.ring();
    let data = noise(3 << 20);
    let args = ["send", "--progress", &ring];
    let sender = Told::start(&case, &args, case.input(&data));
    let receiver = Told::start(&case, &["recv", "--progress", &ring], Stdio::null());
    until(|| sender.shows("3.00 MiB/3.00 MiB") && sender.shows("ETA "));
    until(|| receiver.shows("3.00 MiB") && receiver.shows("MiB/s"));
    assert_eq!(sender.process.wait().code, Some(0));
    let received = receiver.process.wait();
    assert!(received.out == data);
}

#[test]
fn progress_is_shown_nowhere_else() {
    let case = Case::new();
    let ring = case.ring();
    let args = ["send", "--progress", &ring];
    let sender = case.start_fed(&args, case.input(&noise(3 << 20)));
    let received = case.run(&["recv", "--progress", &ring]);
    let sent = sender.wait();
    assert_eq!((sent.code, &*sent.err), (Some(0), ""));
    assert_eq!((received.code, &*received.err), (Some(0), ""));
}
