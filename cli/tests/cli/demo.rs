//! `demo`: both ways, both hashes, and nothing left.

use std::fs;

use crate::support::{Case, noise};

#[test]
fn both_ways_bring_what_was_sent() {
    let case = Case::new();
    let told = case.json(&["demo", "--bytes", "8M", "--json"]);
    assert_eq!(told["bytes"], 8 << 20);
    for way in ["ring", "pipe"] {
        assert_eq!(told[way]["hash_ok"], true);
        assert_eq!(told[way]["rounds"].as_array().unwrap().len(), 3);
        assert!(told[way]["seconds"].as_f64().unwrap() > 0.0);
    }
    assert!(told["ratio"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_table_closes_the_demo() {
    let case = Case::new();
    let file = case.path("content");
    fs::write(&file, noise(100)).unwrap();
    let args = [
        "demo",
        &file,
        "--bytes",
        "1000001",
        "--capacity",
        "777",
        "--chunk",
        "1000",
    ];
    let told = case.run(&args);
    assert_eq!(told.code, Some(0), "{}", told.err);
    let text = String::from_utf8(told.out).unwrap();
    assert_eq!(text.matches(" ok\n").count(), 2, "{text}");
    assert!(text.contains("ring : pipe = "), "{text}");
}

#[test]
fn content_that_is_no_content_is_explained() {
    let case = Case::new();
    let empty = case.path("empty");
    fs::write(&empty, "").unwrap();
    for (file, why) in [(empty, "is empty"), (case.path("none"), "No such file")] {
        let told = case.run(&["demo", &file, "--bytes", "1M"]);
        assert_eq!(told.code, Some(1));
        assert!(told.err.contains(why), "{}", told.err);
    }
}
