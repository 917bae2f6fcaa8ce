//! What an error advises is right, and works: each test follows it.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::support::{Case, Outcome, until};

#[track_caller]
fn says(told: &Outcome, code: i32, words: &[&str]) {
    assert_eq!(told.code, Some(code), "{}", told.err);
    for word in words {
        assert!(told.err.contains(word), "{word:?} is not in {}", told.err);
    }
}

#[track_caller]
fn does_not_say(told: &Outcome, words: &str) {
    assert!(!told.err.contains(words), "{}", told.err);
}

/// Something of each kind that is no ring, beside what it is called.
fn strangers(case: &Case) -> Vec<(String, &'static str)> {
    let path = |name| case.path(name);
    fs::write(path("file"), "just text").unwrap();
    fs::create_dir(path("folder")).unwrap();
    mkfifo(path("fifo").as_str(), Mode::S_IRWXU).unwrap();
    symlink(path("file"), path("link")).unwrap();
    drop(UnixListener::bind(path("socket")).unwrap());
    vec![
        (path("file"), "a file that ringpipe did not make"),
        (path("link"), "a file that ringpipe did not make"),
        (
            "/etc/passwd".to_owned(),
            "a file that ringpipe did not make",
        ),
        (path("folder"), "a directory"),
        ("/dev/null".to_owned(), "a device"),
        (path("fifo"), "a FIFO of the kernel"),
        (path("socket"), "a socket"),
    ]
}

#[test]
fn mkfifo_over_what_is_no_ring_says_what_it_is() {
    let case = Case::new();
    symlink(case.path("nowhere"), case.path("dangling")).unwrap();
    let dangling = (case.path("dangling"), "a link that leads nowhere");
    for (path, what) in strangers(&case).into_iter().chain([dangling]) {
        let told = case.run(&["mkfifo", &path]);
        says(&told, 5, &[&path, "is not a ring", what, "another name"]);
        does_not_say(&told, "ringpipe rm");
    }
    fs::remove_file(case.path("dangling")).unwrap();
}

#[test]
fn what_is_no_ring_is_called_what_it_is() {
    let case = Case::new();
    for (path, what) in strangers(&case) {
        for command in ["stat", "rm", "cat", "send", "recv", "chat"] {
            let told = case.run(&[command, &path]);
            says(&told, 8, &[&path, "is not a ring", what, "ringpipe ls"]);
        }
    }
}

#[test]
fn a_link_that_leads_nowhere_is_said_to() {
    let case = Case::new();
    symlink(case.path("nowhere"), case.path("dangling")).unwrap();
    for command in ["send", "recv", "chat"] {
        let told = case.run(&[command, &case.path("dangling")]);
        says(&told, 5, &["a link that leads nowhere"]);
    }
    fs::remove_file(case.path("dangling")).unwrap();
}

#[test]
fn a_name_that_a_ring_has_can_be_had_as_advised() {
    let case = Case::new();
    let ring = case.ring();
    assert_eq!(case.run(&["mkfifo", &ring]).code, Some(0));
    let told = case.run(&["mkfifo", &ring]);
    says(
        &told,
        5,
        &["exists already", &format!("`ringpipe rm {ring}`")],
    );
    assert_eq!(case.run(&["rm", &ring]).code, Some(0));
    assert_eq!(case.run(&["mkfifo", &ring]).code, Some(0));
}

#[test]
fn rm_of_what_is_missing_does_not_say_to_create_it() {
    let case = Case::new();
    for command in ["rm", "stat"] {
        let told = case.run(&[command, &case.ring()]);
        says(&told, 4, &["there is no ring", "ringpipe ls"]);
        does_not_say(&told, "create");
    }
}

#[test]
fn cat_of_what_is_missing_says_how_to_create_it() {
    let case = Case::new();
    let ring = case.ring();
    let told = case.run(&["cat", &ring]);
    says(
        &told,
        4,
        &["there is no ring", &format!("`ringpipe mkfifo {ring}`")],
    );
    assert_eq!(case.run(&["mkfifo", &ring]).code, Some(0));
    let cat = case.start(&["cat", &ring]);
    let to = case.start_fed(&["cat", "--to", &ring], case.input(b"bytes"));
    assert_eq!(to.wait().code, Some(0));
    assert_eq!(cat.wait().out, b"bytes");
}

#[test]
fn stat_without_permission_does_not_recommend_stat() {
    let Some(case) = Case::isolated() else { return };
    if !case.others_may_come() {
        return;
    }
    let ring = case.ring();
    assert_eq!(case.run(&["mkfifo", &ring]).code, Some(0));
    for command in ["stat", "cat", "recv"] {
        let told = case.as_nobody(&[command, &ring]).wait();
        says(
            &told,
            6,
            &["no permission", &format!("`ls -l {ring}`"), "--mode"],
        );
        does_not_say(&told, "ringpipe stat");
    }
    let key = "key:0x72696e67";
    assert_eq!(case.run(&["mkfifo", key]).code, Some(0));
    let told = case.as_nobody(&["stat", key]).wait();
    says(&told, 6, &["no permission", "`ipcs -m`"]);
    // As advised: its maker makes it anew with another mode.
    for name in [&*ring, key] {
        assert_eq!(case.run(&["rm", name]).code, Some(0));
        assert_eq!(case.run(&["mkfifo", "--mode", "644", name]).code, Some(0));
        let told = case.as_nobody(&["stat", name]).wait();
        assert_eq!(told.code, Some(0), "{}", told.err);
    }
    assert_eq!(case.run(&["rm", key]).code, Some(0));
}

#[test]
fn rm_of_anothers_ring_speaks_of_who_may() {
    let Some(case) = Case::isolated() else { return };
    if !case.others_may_come() {
        return;
    }
    let (open, closed, key) = (case.path("open"), case.path("closed"), "key:0x72696e67");
    for (name, mode) in [(&*open, "666"), (&closed, "600"), (key, "666")] {
        assert_eq!(case.run(&["mkfifo", "--mode", mode, name]).code, Some(0));
        let told = case.as_nobody(&["rm", name]).wait();
        says(&told, 6, &["no permission to remove", name]);
        says(&told, 6, &["its owner", "who made it", "root"]);
        does_not_say(&told, "mode");
        assert_eq!(case.run(&["rm", name]).code, Some(0));
    }
}

#[test]
fn a_capacity_may_be_a_fraction_of_a_unit() {
    let case = Case::new();
    let ring = case.ring();
    let made = case.run(&["mkfifo", "--capacity", "1.5M", &ring]);
    assert_eq!(made.code, Some(0), "{}", made.err);
    assert_eq!(case.stat()["capacity"], 1_572_864);
}

#[test]
fn a_bad_capacity_is_told_with_what_is_good() {
    let case = Case::new();
    let ring = case.ring();
    let told = case.run(&["send", &ring, "--capacity", "1"]);
    says(&told, 2, &["a capacity of 1 byte is not possible"]);
    says(&told, 2, &["a stream holds at least 4096 bytes"]);
    for capacity in ["4096", "4K", "0.5M"] {
        let made = case.run(&["mkfifo", "--capacity", capacity, &ring]);
        assert_eq!(made.code, Some(0), "{}", made.err);
        assert_eq!(case.run(&["rm", &ring]).code, Some(0));
    }
    for capacity in ["1.5", "1X", "many", ".5M", "1.M"] {
        let told = case.run(&["mkfifo", "--capacity", capacity, &ring]);
        says(&told, 2, &["65536, 64K or 1.5M", "K, M, G and T"]);
    }
    let records = ["--mpmc", "--record", "32", "--capacity", "31"];
    let told = case.run(&[&["send", &ring][..], &records].concat());
    says(&told, 2, &["0 items of 32 bytes", "at least one item"]);
}

#[test]
fn who_is_left_alone_is_told_where_and_what_to_do() {
    let case = Case::new();
    let ring = case.ring();
    let mut sender = case.start_fed(&["send", &ring], Stdio::piped());
    let receiver = case.start(&["recv", &ring]);
    until(|| case.stat()["producer"]["alive"] == true && case.stat()["consumer"]["alive"] == true);
    receiver.signal(Signal::SIGKILL);
    drop(receiver.wait());
    until(|| case.stat()["consumer"]["alive"] == false);
    let mut open = sender.stdin();
    open.write_all(b"to nobody\n").unwrap();
    says(&sender.wait(), 3, &[&ring, "--persist"]);
    drop(case.run(&["rm", &ring]));

    let mut sender = case.start_fed(&["send", &ring], Stdio::piped());
    let receiver = case.start(&["recv", &ring]);
    until(|| case.stat()["producer"]["alive"] == true && case.stat()["consumer"]["alive"] == true);
    let _open = sender.stdin();
    sender.signal(Signal::SIGKILL);
    says(&receiver.wait(), 3, &[&ring, "--persist"]);
}

#[test]
fn other_items_are_told_by_the_names_of_their_types() {
    let case = Case::new();
    assert_eq!(case.run(&["mkfifo", &case.ring()]).code, Some(0));
    let told = case.run(&["chat", &case.ring()]);
    says(&told, 8, &["the type name is none there and \"chat\" here"]);
}
