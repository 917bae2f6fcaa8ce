//! `ls`, `stat`, `rm`, `gc`: what is shown is so, and what is removed is gone.

use std::process::Stdio;

use ringpipe::sysv::{ShmId, shmctl_rmid};
use serde_json::{Value, json};

use crate::support::{Case, until};

/// A ring with that in it, of 32-byte records: a stream that nobody has open has nothing in it.
fn fill(case: &Case, ring: &str, records: usize) {
    let more = ["--mode", "640", "--mpmc", "--record", "32"];
    let args = [&["send", ring][..], &more].concat();
    let sent = case.start_fed(&args, case.input(&vec![b'x'; 32 * records]));
    assert_eq!(sent.wait().code, Some(0));
}

fn text(case: &Case, args: &[&str]) -> String {
    let told = case.run(args);
    assert_eq!((told.code, &*told.err), (Some(0), ""));
    String::from_utf8(told.out).unwrap()
}

#[test]
fn stat_shows_who_is_there() {
    let case = Case::new();
    let ring = case.ring();
    let mut sender = case.start_fed(&["send", &ring, "--capacity", "5000"], Stdio::piped());
    let open = sender.stdin();
    until(|| case.stat()["producer"]["alive"] == true);
    let stat = case.stat();
    assert_eq!(stat["name"], ring);
    assert_eq!(stat["state"], "ready");
    assert_eq!(stat["kind"], "stream");
    assert_eq!(
        (&stat["item_size"], &stat["capacity"]),
        (&json!(1), &json!(5000))
    );
    assert_eq!(stat["producer"]["pid"], sender.pid());
    assert_eq!(stat["producer"]["command"], "ringpipe");
    assert_eq!(stat["consumer"]["alive"], false);
    assert_eq!(stat["consumer"]["holders"], 0);
    assert_eq!(stat["mode"], "0600");
    assert_eq!(stat["creator"], sender.pid());
    let told = text(&case, &["stat", &ring]);
    assert!(
        told.contains(&format!("process {} (ringpipe)", sender.pid())),
        "{told}"
    );
    for words in [
        "nobody yet",
        "stream, bytes",
        "0 of at most 5000",
        "writers",
        "NUMBER  ROLE",
    ] {
        assert!(told.contains(words), "{told}");
    }
    let table = text(&case, &["ls"]);
    let line = table.lines().find(|line| line.ends_with(&ring)).unwrap();
    assert!(line.contains("stream"), "{table}");
    drop(open);
    assert_eq!(case.run(&["recv", "--keep", &ring]).code, Some(0));
    assert_eq!(sender.wait().code, Some(0));
    assert_eq!(case.stat()["producer"]["finished"], true);
    assert_eq!(case.stat()["producer"]["pid"], Value::Null);
}

#[test]
fn ls_lists_and_rm_removes() {
    let case = Case::new();
    let names = [case.path("one"), case.path("two")];
    for name in &names {
        fill(&case, name, 7);
    }
    let list = case.json(&["ls", "--json"]);
    let listed = |name: &String| {
        let ring = list
            .as_array()
            .unwrap()
            .iter()
            .find(|ring| ring["name"] == **name);
        let ring = ring.expect("it is listed");
        assert_eq!((&ring["len"], &ring["mode"]), (&json!(7), &json!("0640")));
    };
    names.iter().for_each(listed);
    let table = text(&case, &["ls"]);
    assert!(names.iter().all(|name| table.contains(name)), "{table}");

    assert_eq!(case.run(&["rm", &names[0], &names[1]]).code, Some(0));
    let table = text(&case, &["ls"]);
    assert!(!names.iter().any(|name| table.contains(name)), "{table}");
}

#[test]
fn rm_goes_on_after_a_failure_and_reports_it() {
    let case = Case::new();
    fill(&case, &case.ring(), 7);
    let told = case.run(&["rm", &case.path("none"), &case.ring()]);
    assert_eq!(told.code, Some(4));
    assert!(told.err.contains("none"), "{}", told.err);
    assert!(!case.has_ring());
}

#[test]
fn a_ring_is_found_by_its_key_and_its_id() {
    let Some(case) = Case::isolated() else { return };
    let key = "key:0x72696e67";
    let sender = case.start_fed(&["send", key], case.input(b"content"));
    until(|| case.run(&["stat", key]).code == Some(0));
    let stat = case.json(&["stat", "--json", key]);
    let id = format!("id:{}", stat["id"]);
    let received = case.run(&["recv", &id]);
    assert_eq!((received.code, &*received.out), (Some(0), &b"content"[..]));
    assert_eq!(sender.wait().code, Some(0));
    assert_eq!(case.json(&["ls", "--json"]), json!([]));
}

#[test]
fn a_lost_reader_is_no_panic() {
    let case = Case::new();
    fill(&case, &case.ring(), 7);
    for args in [&["ls"][..], &["ls", "--json"], &["stat", &case.ring()]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let told = case.start_into(args, writer.into()).wait();
        assert_eq!((told.code, &*told.err), (Some(141), ""));
    }
}

#[test]
fn gc_collects_what_is_dead_and_nothing_else() {
    let Some(case) = Case::isolated() else { return };
    let dead = case.path("dead");
    fill(&case, &case.ring(), 7);
    fill(&case, &dead, 7);
    let stat = case.json(&["stat", "--json", &dead]);
    let id = i32::try_from(stat["id"].as_i64().unwrap()).unwrap();
    shmctl_rmid(ShmId::from_raw(id)).unwrap();

    let folder = case.folder().display().to_string();
    let garbage = json!([
        { "kind": "stale name", "path": dead },
        { "kind": "semaphores", "id": stat["set"] },
    ]);
    let would = case.json(&["gc", "--dry-run", "--json", &folder]);
    assert_eq!(would, json!({ "dry_run": true, "garbage": garbage }));
    let told = text(&case, &["gc", "--dry-run", &folder]);
    assert!(told.contains(&format!("would remove {dead}")), "{told}");
    let did = case.json(&["gc", "--json", &folder]);
    assert_eq!(did, json!({ "dry_run": false, "garbage": garbage }));
    let none = case.json(&["gc", "--json", &folder]);
    assert_eq!(none, json!({ "dry_run": false, "garbage": [] }));
    assert_eq!(case.stat()["len"], 7);
}
