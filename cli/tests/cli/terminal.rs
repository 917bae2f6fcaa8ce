//! `send` and `cat --to` at a terminal: what is typed for them reaches nobody else.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Command;
use std::thread;

use nix::pty::openpty;
use nix::sys::signal::Signal;
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use nix::unistd::Pid;

use crate::support::{Case, PROGRAM, Process, until};

/// A terminal at which a shell runs the program, and after it takes a line by itself.
struct Session {
    keys: File,
    shell: Process,
}

impl Session {
    fn start(case: &Case, args: &[&str]) -> Self {
        let terminal = openpty(None, None).unwrap();
        let mut quiet = tcgetattr(&terminal.slave).unwrap();
        quiet.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(&terminal.slave, SetArg::TCSANOW, &quiet).unwrap();
        let script = "\"$@\"; echo \"ended: $?\"; IFS= read -r line; echo \"the shell got: $line\"";
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait", "sh", "-c", script, "sh", PROGRAM]);
        command.args(args).stdin(terminal.slave);
        let keys = File::from(terminal.master);
        let mut screen = keys.try_clone().unwrap();
        // What a terminal shows must be taken, or whoever writes there waits.
        thread::spawn(move || while screen.read(&mut [0; 256]).is_ok_and(|count| count > 0) {});
        Self {
            keys,
            shell: case.start_with(command),
        }
    }

    fn type_in(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).unwrap();
    }

    fn shown(&self) -> String {
        String::from_utf8(self.shell.output()).unwrap()
    }
}

fn sender(case: &Case) -> Pid {
    let stat = case.stat();
    let all = stat["participants"].as_array().unwrap();
    let sender = all.iter().find(|one| one["role"] == "producer").unwrap();
    Pid::from_raw(i32::try_from(sender["pid"].as_i64().unwrap()).unwrap())
}

/// Both commands, with one line sent and received. Ends the receiver as told, and returns what the
/// shell did after that.
fn bereave(end: impl Fn(&Case, &mut Session, Process)) -> Vec<String> {
    let commands = [&["send"][..], &["cat", "--to"]];
    let shown = commands.map(|args| {
        let case = Case::new();
        let ring = case.ring();
        assert_eq!(case.run(&["mkfifo", &ring]).code, Some(0));
        let receiver = case.start(&["cat", &ring]);
        until(|| case.stat()["consumer"]["sleeping"] == 1);
        let mut session = Session::start(&case, &[args, &[&ring]].concat());
        session.type_in("hello\n");
        until(|| receiver.written() == 6);
        end(&case, &mut session, receiver);
        until(|| session.shown().contains("ended: "));
        session.type_in("echo fine\n");
        until(|| session.shown().contains("the shell got: "));
        let shown = session.shown();
        assert_eq!(session.shell.wait().code, Some(0));
        shown
    });
    shown.to_vec()
}

fn kill(receiver: Process) {
    receiver.signal(Signal::SIGKILL);
    receiver.wait();
}

const EXPECTED: [&str; 2] = [
    "ended: 3\nthe shell got: echo fine\n",
    "ended: 141\nthe shell got: echo fine\n",
];

#[test]
fn half_a_line_typed_for_a_lost_receiver_is_not_the_shells() {
    let shown = bereave(|_, session, receiver| {
        session.type_in("rm -rf ");
        kill(receiver);
    });
    assert_eq!(shown, EXPECTED);
}

#[test]
fn a_line_typed_for_a_lost_receiver_is_not_the_shells() {
    let shown = bereave(|case, session, receiver| {
        let sender = sender(case);
        nix::sys::signal::kill(sender, Signal::SIGSTOP).unwrap();
        kill(receiver);
        session.type_in("rm -rf all\nand more\n");
        nix::sys::signal::kill(sender, Signal::SIGCONT).unwrap();
    });
    assert_eq!(shown, EXPECTED);
}

#[test]
fn what_follows_the_end_of_typing_is_the_shells() {
    let case = Case::new();
    let ring = case.ring();
    let receiver = case.start(&["recv", &ring]);
    until(|| case.stat()["consumer"]["sleeping"] == 1);
    let mut session = Session::start(&case, &["send", &ring]);
    session.type_in("hello\n\u{4}echo fine\n");
    until(|| session.shown().contains("the shell got: "));
    assert_eq!(session.shown(), "ended: 0\nthe shell got: echo fine\n");
    assert_eq!(session.shell.wait().code, Some(0));
    assert_eq!(receiver.wait().out, b"hello\n");
}
