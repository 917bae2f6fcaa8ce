//! `chat` at a terminal: a prompt, who says what, and a line that nobody's words break.

use std::os::fd::OwnedFd;
use std::process::Stdio;

use nix::sys::signal::Signal;
use nix::sys::termios::{LocalFlags, tcgetattr};

use crate::support::{Case, Process, Terminal, until};

/// Somebody at a terminal, by a name.
struct Person {
    process: Process,
    terminal: Terminal,
    other_end: OwnedFd,
}

impl Person {
    fn come(case: &Case, name: Option<&str>) -> Self {
        let (terminal, other_end) = Terminal::new();
        let ring = case.ring();
        let mut args = vec!["chat", &ring];
        args.extend(name.iter().flat_map(|name| ["--name", name]));
        let mut command = case.command(&args);
        command.env("TERM", "xterm");
        command.stdin(Stdio::from(other_end.try_clone().unwrap()));
        let output = Stdio::from(other_end.try_clone().unwrap());
        Self {
            process: case.start_at(command, output),
            terminal,
            other_end,
        }
    }

    fn sees(&mut self, words: &str) -> String {
        self.terminal.until(words)
    }

    fn types(&mut self, text: &str) {
        self.terminal.types(text);
    }

    /// Whether the terminal takes lines and echoes them, as a shell expects to find it.
    fn is_left_as_found(&self) -> bool {
        let flags = tcgetattr(&self.other_end).unwrap().local_flags;
        flags.contains(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG)
    }

    #[track_caller]
    fn ends(self, code: i32) -> String {
        let other_end = self.other_end;
        let told = self.process.wait();
        assert_eq!(told.code, Some(code), "{}", told.err);
        let flags = tcgetattr(&other_end).unwrap().local_flags;
        assert!(flags.contains(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG));
        told.err
    }
}

/// Two who have found each other, each at a prompt.
fn pair(case: &Case) -> [Person; 2] {
    let mut anna = Person::come(case, Some("anna"));
    until(|| anna.process.said().contains("waiting for somebody"));
    assert!(anna.is_left_as_found());
    let mut bert = Person::come(case, Some("bert"));
    anna.sees("> ");
    bert.sees("> ");
    [anna, bert]
}

#[test]
fn a_line_is_shown_with_who_says_it() {
    let case = Case::new();
    let [mut anna, mut bert] = pair(&case);
    anna.types("hello\r");
    bert.sees("anna: hello\r\n");
    bert.types("wie geht's, \u{e4}h?\r");
    anna.sees("bert: wie geht's, \u{e4}h?\r\n");
    anna.types("\u{4}");
    anna.ends(0);
    assert!(bert.ends(0).contains("the other side has left"));
}

#[test]
fn incoming_text_does_not_break_the_line_being_typed() {
    let case = Case::new();
    let [mut anna, mut bert] = pair(&case);
    bert.types("half a li");
    bert.sees("half a li");
    anna.types("by the way\r");
    let seen = bert.sees("anna: by the way\r\n> half a li");
    assert!(!seen.contains("lianna"), "{seen:?}");
    bert.types("ne\r");
    anna.sees("bert: half a line\r\n");
}

#[test]
fn a_typed_line_can_be_edited() {
    let case = Case::new();
    let [mut anna, mut bert] = pair(&case);
    // Two steps back, a correction, and the end of the line.
    anna.types("teh\u{1b}[D\u{1b}[D\u{1b}[3~\u{1b}[Ce\r");
    bert.sees("anna: the\r\n");
    // The line before, by the arrow up.
    anna.types("\u{1b}[A!\r");
    bert.sees("anna: the!\r\n");
}

#[test]
fn the_last_words_are_shown_before_the_end() {
    for _ in 0..10 {
        let case = Case::new();
        let [mut anna, bert] = pair(&case);
        anna.types("one\rtwo\rbye\r\u{4}");
        anna.ends(0);
        let mut terminal = bert.terminal;
        assert_eq!(bert.process.wait().code, Some(0));
        terminal.until("anna: one\r\n");
        terminal.until("anna: two\r\n");
        terminal.until("anna: bye\r\n");
    }
}

#[test]
fn an_interrupted_chat_leaves_the_terminal_as_it_was() {
    for killed in [false, true] {
        let case = Case::new();
        let [mut anna, bert] = pair(&case);
        if killed {
            anna.process.signal(Signal::SIGTERM);
            anna.ends(143);
        } else {
            anna.types("\u{3}");
            anna.ends(130);
        }
        assert!(bert.ends(0).contains("the other side has left"));
        assert!(!case.has_ring());
    }
}

#[test]
fn a_name_is_given_where_none_is_chosen() {
    let case = Case::new();
    let mut anna = Person::come(&case, None);
    let mut bert = Person::come(&case, Some("\u{1b}[2Jbert"));
    anna.sees("> ");
    bert.sees("> ");
    anna.types("hello\r");
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap();
    let name = format!("{}@{}", user.unwrap().name, anna.process.pid());
    bert.sees(&format!("{name}: hello\r\n"));
    bert.types("hello\r");
    anna.sees("\\u{1b}[2Jbert: hello\r\n");
}

#[test]
fn a_pipe_beside_a_terminal_has_the_lines_alone() {
    let case = Case::new();
    let mut anna = Person::come(&case, Some("anna"));
    let mut piped = case.start_fed(&["chat", &case.ring()], Stdio::piped());
    let mut input = piped.stdin();
    anna.sees("> ");
    anna.types("hello\r");
    until(|| piped.output() == b"hello\n");
    std::io::Write::write_all(&mut input, b"from a script\n").unwrap();
    anna.sees(": from a script\r\n");
    drop(input);
    anna.ends(0);
    assert_eq!(piped.wait().code, Some(0));
}
