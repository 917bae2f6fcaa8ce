//! What `ls`, `stat`, `rm` and `soak --plan` show: right, whole, in order, and within 80 columns.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;

use ringpipe::stream::Options;
use serde_json::json;

use crate::support::{Case, Terminal};

fn text(case: &Case, args: &[&str]) -> String {
    let told = case.run(args);
    assert_eq!((told.code, &*told.err), (Some(0), ""));
    String::from_utf8(told.out).unwrap()
}

/// The value beside that word.
#[track_caller]
fn value<'a>(text: &'a str, word: &str) -> &'a str {
    let line = text.lines().find(|line| line.starts_with(word));
    let line = line.unwrap_or_else(|| panic!("no {word} in {text}"));
    line[word.len()..].trim()
}

#[test]
fn who_gave_up_is_counted_as_gone() {
    let case = Case::new();
    let fifo = Options::new().create(case.ring()).unwrap();
    let reader = fifo.reader_nonblocking().unwrap();
    fifo.writer_nonblocking().unwrap().abandon();
    let told = text(&case, &["stat", &case.ring()]);
    let words = "nobody (the last one died or gave up); 1 in all, 1 died or gave up";
    assert_eq!(value(&told, "writers"), words);
    assert_eq!(case.stat()["producer"]["deaths"], 1);
    drop(reader);
    drop(fifo.writer_nonblocking());
    let told = text(&case, &["stat", &case.ring()]);
    assert!(!told.contains("0 died"), "{told}");
}

#[test]
fn bytes_that_count_as_discarded_are_not_shown_as_there() {
    let case = Case::new();
    let fifo = Options::new().create(case.ring()).unwrap();
    let reader = fifo.reader_nonblocking().unwrap();
    let mut writer = fifo.writer_nonblocking().unwrap();
    writer.write_all(b"bytes").unwrap();
    let stat = case.stat();
    assert_eq!((&stat["len"], &stat["discarded"]), (&json!(5), &json!(0)));
    let told = text(&case, &["stat", &case.ring()]);
    assert_eq!(value(&told, "bytes"), "5 of at most 262144");
    drop((reader, writer));
    let stat = case.stat();
    assert_eq!((&stat["len"], &stat["discarded"]), (&json!(0), &json!(5)));
    let told = text(&case, &["stat", &case.ring()]);
    let words = "0 of at most 262144; 5 were left when the last end was closed, and";
    assert_eq!(value(&told, "bytes"), words);
    let list = text(&case, &["ls"]);
    let line = list.lines().find(|line| line.ends_with(&case.ring()));
    assert_eq!(line.unwrap().split_whitespace().nth(2), Some("0"), "{list}");
}

#[test]
fn ls_shows_memory_owner_mode_and_age() {
    let case = Case::new();
    let options = Options::new().capacity(1 << 20).mode(0o640);
    let fifo = options.create(case.ring()).unwrap();
    let _reader = fifo.reader_nonblocking().unwrap();
    let list = text(&case, &["ls"]);
    let head: Vec<_> = list.lines().next().unwrap().split_whitespace().collect();
    let columns = [
        "ID", "KIND", "HOLDS", "MEMORY", "OWNER", "MODE", "AGE", "IN", "OUT", "NAME",
    ];
    assert_eq!(head, columns);
    let line = list.lines().find(|line| line.ends_with(&case.ring()));
    let cells: Vec<_> = line.unwrap().split_whitespace().collect();
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).unwrap();
    let user = user.unwrap().name;
    assert_eq!((cells[1], cells[3], cells[4]), ("stream", "1.0M", &*user));
    assert_eq!((cells[5], cells[7], cells[8]), ("640", "-", "1"));
    assert!(cells[6].ends_with('s'), "{list}");
    assert_eq!(case.stat()["user"], *user);
    let told = text(&case, &["stat", &case.ring()]);
    assert!(value(&told, "owner").starts_with(&*user), "{told}");
    assert_eq!(value(&told, "mode"), "0640");
}

#[test]
fn what_is_no_plain_ring_is_marked_in_ls() {
    let case = Case::new();
    let fifo = Options::new().create(case.ring()).unwrap();
    assert_eq!(case.run(&["rm", &case.ring()]).code, Some(0));
    let list = text(&case, &["ls"]);
    let marked = format!("{} (removed)", case.ring());
    assert!(list.lines().any(|line| line.ends_with(&marked)), "{list}");
    drop(fifo);
}

#[test]
fn rows_fit_80_columns() {
    let case = Case::new();
    let (stream, records) = (case.path("stream"), case.path("records"));
    let fifo = Options::new().capacity(16 << 20).create(&stream).unwrap();
    let _ends = (
        fifo.reader_nonblocking().unwrap(),
        fifo.writer_nonblocking().unwrap(),
    );
    let sent = ["send", &records, "--mpmc", "--record", "32"];
    let sent = case.start_fed(&sent, case.input(&[b'x'; 3200]));
    assert_eq!(sent.wait().code, Some(0));
    for name in [&stream, &records] {
        let told = text(&case, &["stat", name]);
        for line in told.lines().filter(|line| !line.starts_with("name ")) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
    // On a terminal, a name that does not fit has a line of its own; elsewhere a ring has one line.
    let long = case.path(&"x".repeat(60));
    drop(Options::new().create(&long).unwrap());
    let (mut terminal, slave) = Terminal::new();
    assert_eq!(case.start_into(&["ls"], slave.into()).wait().code, Some(0));
    let list = terminal.until("xxxxx");
    for line in list.lines() {
        assert!(line.chars().count() <= 80 || line.trim() == long, "{list}");
    }
    let line = text(&case, &["ls"]);
    assert!(
        line.lines()
            .any(|line| line.ends_with(&long) && line.contains("stream")),
        "{line}"
    );
}

#[test]
fn streams_speak_of_writers_and_readers() {
    let case = Case::new();
    let fifo = Options::new().create(case.ring()).unwrap();
    let _ends = (
        fifo.reader_nonblocking().unwrap(),
        fifo.writer_nonblocking().unwrap(),
    );
    let told = text(&case, &["stat", &case.ring()]);
    assert!(
        told.contains(" writer ") && told.contains(" reader "),
        "{told}"
    );
    for word in ["producer", "consumer", "item"] {
        assert!(!told.contains(word), "{word}: {told}");
    }
}

#[test]
fn rm_reports_in_the_order_given() {
    let case = Case::new();
    let names = ["a", "b", "c", "d"].map(|name| case.path(name));
    assert_eq!(case.run(&["mkfifo", &names[1]]).code, Some(0));
    let told = case.run(&["rm", &names[0], &names[1], &names[2], &names[3]]);
    assert_eq!(told.code, Some(4));
    let lines: Vec<_> = told.err.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    for (line, name) in lines.iter().zip([&names[0], &names[2], &names[3]]) {
        assert!(line.contains(name.as_str()), "{lines:?}");
    }
}

#[test]
fn names_that_are_no_utf8_are_whole_in_json() {
    let case = Case::new();
    let path = case.folder().join(OsStr::from_bytes(b"r\xffng"));
    drop(Options::new().create(&path).unwrap());
    let list = case.json(&["ls", "--json"]);
    let bytes = json!(path.as_os_str().as_bytes());
    let mut rings = list.as_array().unwrap().iter();
    let ring = rings
        .find(|ring| ring["path_bytes"] == bytes)
        .expect("it is listed");
    assert!(ring["name"].as_str().unwrap().ends_with("r\u{fffd}ng"));
    drop(Options::new().create(case.ring()).unwrap());
    assert!(case.stat()["path_bytes"].is_null());

    let id = ringpipe::sysv::ShmId::from_raw(ring["id"].as_i64().unwrap().try_into().unwrap());
    ringpipe::sysv::shmctl_rmid(id).unwrap();
    let folder = case.folder().display().to_string();
    let found = case.json(&["gc", "--json", &folder]);
    assert_eq!(found["garbage"][0]["path_bytes"], bytes);
}

#[test]
fn a_plan_is_told_in_words() {
    let case = Case::new();
    let args = ["soak", "--plan", "--deaths", "200", "--seed", "7"];
    let plan = text(&case, &args);
    for sign in ['{', '[', ':', '_'] {
        assert!(!plan.contains(sign), "{sign}: {plan}");
    }
    for line in plan.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(plan.contains("kill it, and workers "), "{plan}");
}
