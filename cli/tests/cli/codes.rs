//! Each exit code, brought about; 3, 130, 141 and 143 are where streams and signals are tested.

use std::fs;

use ringpipe::Name;
use ringpipe::spsc::Ring;
use ringpipe::stream::Options;

use crate::support::{Case, Outcome, until};

#[track_caller]
fn expect(outcome: &Outcome, code: i32, why: &str) {
    assert_eq!(outcome.code, Some(code), "{}", outcome.err);
    assert!(outcome.err.contains(why), "{}", outcome.err);
}

#[test]
fn help_and_version_succeed() {
    let case = Case::new();
    for args in [&["--help"][..], &["-v"], &["--version"], &["help", "send"]] {
        assert_eq!(case.run(args).code, Some(0));
    }
    for command in [
        "demo", "send", "recv", "cat", "mkfifo", "chat", "ls", "stat", "rm", "gc",
    ] {
        let help = String::from_utf8(case.run(&[command, "--help"]).out).unwrap();
        assert!(help.contains("Examples:"), "{help}");
    }
    let help = String::from_utf8(case.run(&["--help"]).out).unwrap();
    assert!(help.contains("Exit codes:"), "{help}");
}

#[test]
fn another_failure_is_1() {
    let case = Case::new();
    let name = case.path("no/such/folder");
    expect(&case.run(&["send", &name]), 1, "cannot find the folder");
}

#[test]
fn usage_is_2() {
    let case = Case::new();
    let ring = case.ring();
    for args in [
        &["send"][..],
        &["nonsense"],
        &["send", &ring, "--capacity", "many"],
        &["send", &ring, "--mode", "999"],
        &["stat", "key:x"],
        &["rm"],
        &["cat"],
        &["mkfifo"],
        &["chat"],
    ] {
        assert_eq!(case.run(args).code, Some(2));
    }
    expect(&case.run(&["recv", "private"]), 2, "private");
    let told = case.run(&["send", &ring, "--capacity", "4095"]);
    expect(&told, 2, "at least 4096 bytes");
}

#[test]
fn records_that_cannot_be_are_2() {
    let case = Case::new();
    let ring = case.ring();
    for more in [
        &["--mpmc"][..],
        &["--record", "32"],
        &["--pad"],
        &["--mpmc", "--record", "32", "--capacity", "31"],
    ] {
        let told = case.run(&[&["send", &ring][..], more].concat());
        assert_eq!(told.code, Some(2), "{more:?}: {}", told.err);
    }
    for size in ["100", "0", "128K"] {
        let told = case.run(&["recv", &ring, "--mpmc", "--record", size]);
        assert_eq!(told.code, Some(2), "{}", told.err);
    }
    let told = case.run(&["recv", &ring, "--mpmc", "--record", "100"]);
    assert!(told.err.contains("8, 16, 32, 64, 128"), "{}", told.err);
    assert!(!case.has_ring());
}

#[test]
fn no_such_ring_is_4() {
    let case = Case::new();
    expect(&case.run(&["stat", &case.ring()]), 4, "there is no ring");
    expect(&case.run(&["rm", &case.ring()]), 4, "there is no ring");
}

#[test]
fn a_ring_with_as_many_as_it_takes_is_5() {
    let case = Case::new();
    let ring = ringpipe::mpmc::Options::new()
        .participants(1)
        .type_name("records")
        .create::<[u8; 32]>(case.ring())
        .unwrap();
    let _tx = ring.producer().unwrap();
    let told = case.run(&["recv", &case.ring(), "--mpmc", "--record", "32"]);
    expect(&told, 5, "the one participant");
}

#[test]
fn a_stream_with_as_many_ends_as_it_takes_is_5() {
    let case = Case::new();
    let options = Options::new().participants(1);
    let fifo = options.create(case.ring()).unwrap();
    let _reader = fifo.reader_nonblocking().unwrap();
    for command in ["send", "recv"] {
        expect(
            &case.run(&[command, &case.ring()]),
            5,
            "the one participant",
        );
    }
}

#[test]
fn no_permission_is_6() {
    let Some(case) = Case::isolated() else { return };
    if !case.others_may_come() {
        return;
    }
    let (own, shared) = (case.path("own"), case.path("shared"));
    for (ring, mode) in [(&own, "600"), (&shared, "666")] {
        assert_eq!(case.run(&["mkfifo", ring, "--mode", mode]).code, Some(0));
    }
    for args in [["stat", &own], ["recv", &own], ["rm", &own]] {
        let told = case.as_nobody(&args).wait();
        expect(&told, 6, "ermission");
    }
    let told = case.as_nobody(&["stat", &shared]).wait();
    assert_eq!(told.code, Some(0), "{}", told.err);
    // Somebody else made it.
    let (cat, records) = (["cat", "--to"], ["recv", "--trust-uid", "1"]);
    for args in [
        &["send"][..],
        &["recv"],
        &["chat"],
        &["cat"],
        &cat,
        &records,
    ] {
        let told = case.as_nobody(&[args, &[&shared]].concat()).wait();
        expect(&told, 6, "--trust-uid 0");
    }
    // It may receive, but neither the name nor the segment is its own to remove.
    let expected = [
        (&["recv", "--trust-uid", "0", "--keep"][..], 0, ""),
        (
            &["recv", "--trust-uid", "any"],
            6,
            "only its stream cannot be removed",
        ),
    ];
    for (args, code, why) in expected {
        let sender = case.start(&["send", &shared]);
        let told = case.as_nobody(&[args, &[&shared]].concat()).wait();
        expect(&told, code, why);
        assert_eq!(sender.wait().code, Some(0));
    }
}

#[test]
fn a_limit_is_7() {
    let Some(case) = Case::isolated() else { return };
    // In this test's own namespace.
    fs::write("/proc/sys/kernel/shmmni", "0").unwrap();
    expect(&case.run(&["send", &case.ring()]), 7, "kernel.shmmni = 0");
}

#[test]
fn a_ring_that_the_kernel_would_free_is_7_unless_allowed() {
    let Some(case) = Case::isolated() else { return };
    // In this test's own namespace.
    fs::write("/proc/sys/kernel/shm_rmid_forced", "1").unwrap();
    let ring = case.ring();
    let told = "sysctl -w kernel.shm_rmid_forced=0";
    let records = ["--mpmc", "--record", "8"];
    for args in [
        vec!["mkfifo", &ring],
        [&["send", &ring][..], &records].concat(),
        [&["recv", &ring][..], &records].concat(),
    ] {
        expect(&case.run(&args), 7, told);
        assert!(!case.has_ring(), "{args:?}");
    }
    // The other next step: some process is always there.
    let allowed = [&["--allow-rmid-forced"][..], &records].concat();
    let receiver = case.start(&[&["recv", &ring][..], &allowed].concat());
    until(|| case.has_ring());
    let mut send = case.command(&[&["send", &ring][..], &records].concat());
    send.stdin(case.input(b"12345678"));
    assert_eq!(case.start_with(send).wait().code, Some(0));
    let received = receiver.wait();
    assert_eq!(
        (received.code, &received.out[..]),
        (Some(0), &b"12345678"[..])
    );
    // A stream that `send` and `recv` keep open needs no leave.
    let receiver = case.start(&["recv", &ring]);
    until(|| case.has_ring());
    let sender = case.start_fed(&["send", &ring], case.input(b"bytes"));
    assert_eq!(sender.wait().code, Some(0));
    assert_eq!(receiver.wait().out, b"bytes");
    let made = case.run(&["mkfifo", "--allow-rmid-forced", &ring]);
    assert_eq!(made.code, Some(0), "{}", made.err);
    assert_eq!(case.run(&["rm", &ring]).code, Some(0));
}

#[test]
fn what_is_no_ring_of_bytes_is_8() {
    let case = Case::new();
    let file = case.path("file");
    fs::write(&file, "just text").unwrap();
    for command in ["send", "recv", "cat", "chat", "stat"] {
        expect(&case.run(&[command, &file]), 8, "is not a ring");
    }
    // `rm` leaves alone what is none.
    expect(&case.run(&["rm", &file]), 8, "is not a ring");
    assert_eq!(fs::read(&file).unwrap(), b"just text");
}

#[test]
fn a_ring_of_other_items_is_8() {
    let Some(case) = Case::isolated() else { return };
    let key: Name = "key:0x0badcafe".parse().unwrap();
    let ring = Ring::<u64>::create(&key, 16).unwrap();
    expect(
        &case.run(&["recv", "key:0x0badcafe"]),
        8,
        "made for other items",
    );
    ringpipe::remove(&key).unwrap();
    drop(ring);
    let words = Options::new().type_name("words");
    let ring = words.create(&key).unwrap();
    expect(&case.run(&["send", "key:0x0badcafe"]), 8, "the type name");
    ringpipe::remove(&key).unwrap();
    drop(ring);
}
