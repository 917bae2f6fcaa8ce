//! The help: that it can be read on a terminal of 80 columns, and that its examples can be run as they stand.

use std::fs::OpenOptions;
use std::process::Command;

use crate::support::Case;

/// Every command that the help lists.
fn commands(case: &Case) -> Vec<String> {
    let help = help(case, &["--help"]);
    let list = help.split("Commands:\n").nth(1).unwrap();
    let list = list.split("\n\n").next().unwrap();
    let names: Vec<_> = list
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .filter(|name| name != "help")
        .collect();
    assert!(names.len() > 10, "{names:?}");
    names
}

/// What is printed on a terminal of 80 columns.
fn help(case: &Case, args: &[&str]) -> String {
    let mut command = case.command(args);
    command.env("COLUMNS", "80");
    let told = case.start_with(command).wait();
    assert_eq!((told.code, &*told.err), (Some(0), ""), "{args:?}");
    String::from_utf8(told.out).unwrap()
}

/// All help there is, each beside what asked for it.
fn pages(case: &Case) -> Vec<(String, String)> {
    let mut pages = Vec::new();
    for flag in ["--help", "-h"] {
        pages.push((flag.to_owned(), help(case, &[flag])));
        for command in commands(case) {
            pages.push((format!("{command} {flag}"), help(case, &[&command, flag])));
        }
    }
    pages
}

/// The lines of a section, without its heading.
fn section<'a>(page: &'a str, heading: &str) -> Vec<&'a str> {
    let lines = page.lines().skip_while(|line| *line != heading).skip(1);
    lines.take_while(|line| !line.is_empty()).collect()
}

#[test]
fn no_line_of_help_is_over_80_columns() {
    let case = Case::new();
    for (what, page) in pages(&case) {
        for line in page.lines() {
            assert!(line.chars().count() <= 80, "{what}: {line}");
        }
    }
}

#[test]
fn an_example_in_the_help_is_one_command() {
    let case = Case::new();
    for (what, page) in pages(&case) {
        let lines = section(&page, "Examples:");
        if what.contains("--help") && what != "--help" {
            assert!(!lines.is_empty(), "{what} has no examples");
        }
        let mut goes_on = false;
        for line in lines {
            assert!(line.starts_with("  "), "{what}: {line}");
            assert!(goes_on || line.contains("ringpipe "), "{what}: {line}");
            goes_on = line.ends_with('\\');
        }
        assert!(!goes_on, "{what}: the last example does not end");
    }
}

#[test]
fn a_shell_can_read_the_examples_of_the_help() {
    let case = Case::new();
    for (what, page) in pages(&case) {
        let script = section(&page, "Examples:").join("\n");
        let shell = Command::new("sh").args(["-nc", &script]).output().unwrap();
        let told = String::from_utf8_lossy(&shell.stderr);
        assert!(shell.status.success(), "{what}: {told}\n{script}");
    }
}

#[test]
fn the_tables_of_the_help_have_hanging_indents() {
    let case = Case::new();
    let page = help(&case, &["--help"]);
    for (heading, column) in [("Names:", 17), ("Exit codes:", 7)] {
        let lines = section(&page, heading);
        assert!(lines.len() > 3, "{heading}");
        for line in lines {
            let (left, right) = line.split_at(column);
            assert!(left.ends_with("  "), "{heading} {line}");
            assert!(!right.starts_with(' '), "{heading} {line}");
        }
    }
}

#[test]
fn the_version_is_printed_for_a_capital_v() {
    let case = Case::new();
    let version = help(&case, &["--version"]);
    assert_eq!(version, format!("ringpipe {}\n", env!("CARGO_PKG_VERSION")));
    for flag in ["-V", "-v"] {
        assert_eq!(help(&case, &[flag]), version);
    }
}

#[test]
fn each_command_with_a_mode_takes_it_as_m() {
    let case = Case::new();
    for (what, page) in pages(&case) {
        for line in page.lines().filter(|line| line.contains("--mode <")) {
            assert!(line.contains("-m, --mode"), "{what}: {line}");
        }
    }
}

#[test]
fn what_receives_is_not_told_to_send() {
    let case = Case::new();
    let page = help(&case, &["recv", "--help"]);
    assert!(!page.contains("Send "), "{page}");
}

#[test]
fn what_cannot_be_printed_is_an_error() {
    let case = Case::new();
    let ring = case.ring();
    assert_eq!(case.run(&["mkfifo", &ring]).code, Some(0));
    for args in [
        &["--help"][..],
        &["-h"],
        &["help"],
        &["help", "send"],
        &["recv", "--help"],
        &["--version"],
        &["-V"],
        &["ls"],
        &["ls", "--json"],
        &["stat", &ring],
        &["stat", &ring, "--json"],
        &["gc", "--dry-run", "--json"],
        &["soak", "--plan", "--deaths", "1"],
    ] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let told = case.start_into(args, full.into()).wait();
        assert_eq!(told.code, Some(1), "{args:?}: {}", told.err);
        let why = "cannot write to standard output";
        assert!(told.err.contains(why), "{args:?}: {}", told.err);
    }
}

#[test]
fn help_that_nobody_reads_ends_like_other_output() {
    let case = Case::new();
    for args in [&["--help"][..], &["--version"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let told = case.start_into(args, writer.into()).wait();
        assert_eq!((told.code, &*told.err), (Some(141), ""), "{args:?}");
    }
}
