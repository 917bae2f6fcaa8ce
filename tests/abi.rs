//! The numbers of `docs/abi.md` against real rings, and headers that somebody has written into.
#![allow(missing_docs)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::apart::{apart, segments, sets};
use common::raw::Raw;
use common::{forked, until};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use ringpipe::spsc::{Options, Ring};
use ringpipe::sysv::{self, Key, SemId, ShmId};
use ringpipe::{
    Error, Fault, Name, PopError, PushError, RingState, Strategy as Waiting, TryPopError,
    TryPushError,
};

const DOC: &str = include_str!("../docs/abi.md");

/// A row of the header's tables.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    offset: usize,
    width: usize,
    name: String,
}

/// The cells of all rows of tables whose heading begins so.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let mut inside = false;
    let mut rows = Vec::new();
    for line in DOC.lines() {
        let cells = line
            .trim()
            .strip_prefix('|')
            .and_then(|line| line.strip_suffix('|'));
        let Some(cells) = cells else {
            inside = false;
            continue;
        };
        let cells: Vec<_> = cells
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect();
        if cells[0] == heading {
            inside = true;
        } else if inside && !cells[0].starts_with("--") {
            rows.push(cells);
        }
    }
    rows
}

/// The fields of the header, in the document's order.
fn fields() -> Vec<Field> {
    rows("offset")
        .into_iter()
        .map(|cells| Field {
            offset: cells[0].parse().unwrap(),
            width: cells[1].parse().unwrap(),
            name: cells[2].trim_matches('`').to_owned(),
        })
        .collect()
}

/// Where the document says that a field is.
fn field(name: &str) -> Field {
    let mut found = fields().into_iter().filter(|field| field.name == name);
    let field = found
        .next()
        .unwrap_or_else(|| panic!("{name} is not in the document"));
    assert_eq!(found.next(), None);
    field
}

/// The value of a documented field in a segment.
fn value(raw: &Raw, name: &str) -> u64 {
    let Field { offset, width, .. } = field(name);
    raw.number(offset, width)
}

/// Overwrites a documented field in a segment.
fn forge(raw: &Raw, name: &str, value: u64) {
    let Field { offset, width, .. } = field(name);
    raw.set(offset, width, value);
}

fn id_of<T: ringpipe::Item>(ring: &Ring<T>) -> ShmId {
    let Some(Name::Id(id)) = ring.id() else {
        panic!("it has an id");
    };
    id
}

// The document against the layout.

#[test]
fn the_document_accounts_for_every_byte_of_the_header_once() {
    let mut end = 0;
    for Field {
        offset,
        width,
        name,
    } in fields()
    {
        assert_eq!(offset, end, "{name} begins where the one before it ends");
        assert!(width > 0, "{name}");
        if name.ends_with("_asleep") {
            assert_eq!((offset % 128, width), (0, 128), "{name}: a line of words");
        } else if !["reserved", "name", "type_name"].contains(&&*name) {
            assert!([4, 8].contains(&width) && offset % width == 0, "{name}");
        }
        end += width;
    }
    assert_eq!(end, 4096);
}

#[test]
fn no_two_sides_write_to_neighbouring_lines() {
    // Pairs of lines of 64 bytes are fetched together.
    let busy = [
        "producer",
        "produced",
        "consumed",
        "sleeping_consumers",
        "sleeping_producers",
    ];
    let mut lines: Vec<_> = busy.iter().map(|name| field(name).offset / 128).collect();
    lines.dedup();
    assert_eq!(lines.len(), busy.len());
}

#[test]
fn every_field_of_the_identity_is_where_the_document_says() {
    apart(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap().join("ring");
        let before = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let options = Options::new().capacity(7).type_name("tick");
        let ring = options.create::<[u32; 3]>(&path).unwrap();
        let status = ring.status().unwrap().unwrap();
        let raw = Raw::attach(status.id);
        let size = 4096 + 7 * 12;
        assert_eq!(sysv::shmctl_stat(status.id).unwrap().size, size);
        let fnv = "tick"
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        let record = fs::read_to_string(&path).unwrap();
        let cookie = record
            .lines()
            .nth(2)
            .unwrap()
            .strip_prefix("cookie ")
            .unwrap();
        let half = |digits: &str| u64::from_str_radix(digits, 16).unwrap();
        let mount = fs::metadata("/proc/thread-self/ns/mnt").unwrap().ino();
        let inside = fs::metadata(path.parent().unwrap()).unwrap();
        let name = path.as_os_str().as_encoded_bytes();
        let expected = BTreeMap::from([
            ("magic", u64::from_le_bytes(*b"RINGPIPE")),
            ("abi", 1),
            ("kind", 1),
            ("item_size", 12),
            ("item_align", 4),
            ("fingerprint", fnv),
            ("capacity", 7),
            ("payload", 4096),
            ("segment_size", size as u64),
            ("cookie_high", half(&cookie[..16])),
            ("cookie_low", half(&cookie[16..])),
            (
                "sem_id",
                u64::from(status.set.unwrap().raw().unsigned_abs()),
            ),
            ("creator", u64::from(std::process::id())),
            ("name_len", name.len() as u64),
            ("ready", 0x5245_4459),
            ("mount", mount),
            ("folder_device", inside.dev()),
            ("folder_inode", inside.ino()),
        ]);
        for (field, expected) in expected {
            assert_eq!(value(&raw, field), expected, "{field}");
        }
        let after = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        assert!((before..=after).contains(&value(&raw, "created")));
        assert_eq!(status.created, value(&raw, "created"));
        let uptime = fs::read_to_string("/proc/uptime").unwrap();
        let seconds: u64 = uptime.split('.').next().unwrap().parse().unwrap();
        assert!(seconds.abs_diff(value(&raw, "uptime")) <= 1);
        let at = field("name").offset;
        assert_eq!(&raw.page()[at..at + name.len()], name);
        let at = field("type_name").offset;
        assert_eq!(value(&raw, "type_name_len"), 4);
        assert_eq!(&raw.page()[at..at + 4], b"tick");
        let unnamed = Options::new().create::<u8>(Name::Private).unwrap();
        let raw = Raw::attach(id_of(&unnamed));
        assert_eq!(value(&raw, "fingerprint"), 0xcbf2_9ce4_8422_2325);
        assert_eq!(value(&raw, "type_name_len"), 0);
        assert_eq!((value(&raw, "name_len"), value(&raw, "mount")), (0, 0));
        assert_eq!(
            (value(&raw, "folder_device"), value(&raw, "folder_inode")),
            (0, 0)
        );
        ringpipe::remove(&path).unwrap();
    });
}

#[test]
fn the_words_of_the_core_move_where_the_document_says() {
    apart(|| {
        let ring = Ring::<u64>::create(Key::new(7), 3).unwrap();
        let raw = Raw::attach(id_of(&ring));
        let all = || {
            [
                "producer",
                "consumer",
                "producer_deaths",
                "consumer_deaths",
                "removed",
                "produced",
                "consumed",
                "sleeping_consumers",
                "sleeping_producers",
            ]
            .map(|name| value(&raw, name))
        };
        assert_eq!(all(), [0; 9]);
        let mut tx = ring.producer().unwrap();
        assert_eq!(all(), [5, 0, 0, 0, 0, 0, 0, 0, 0]);
        let mut rx = ring.consumer().unwrap();
        tx.push_slice(&[10, 11]).unwrap();
        assert_eq!(all(), [5, 5, 0, 0, 0, 2, 0, 0, 0]);
        rx.pop().unwrap();
        assert_eq!(all(), [5, 5, 0, 0, 0, 2, 1, 0, 0]);
        tx.push_slice(&[12, 13]).unwrap();
        // Item 3 lies where item 0 lay.
        let items = [0, 1, 2].map(|slot| raw.number(4096 + slot * 8, 8));
        assert_eq!(items, [13, 11, 12]);
        tx.set_strategy(Waiting::Sleep);
        thread::scope(|scope| {
            scope.spawn(|| tx.push(14).unwrap());
            until(|| value(&raw, "sleeping_producers") == 1);
            rx.pop().unwrap();
        });
        assert_eq!(all(), [5, 5, 0, 0, 0, 5, 2, 0, 0]);
        tx.finish().unwrap();
        assert_eq!(all(), [6, 5, 0, 0, 0, 5, 2, 0, 0]);
        let mut tx = ring.producer().unwrap();
        rx.set_strategy(Waiting::Sleep);
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..4 {
                    rx.pop().unwrap();
                }
            });
            // More than one: the producer's end left a wake-up, which is taken without anybody having promised it.
            until(|| value(&raw, "sleeping_consumers") > 0);
            tx.push(15).unwrap();
        });
        assert_eq!(all()[..7], [9, 5, 0, 0, 0, 6, 6]);
        assert_eq!(all()[8], 0);
        tx.abandon();
        assert_eq!(rx.pop(), Err(PopError::Disconnected));
        assert_eq!(all()[..4], [11, 5, 1, 0]);
        drop(rx);
        assert_eq!(all()[..4], [11, 6, 1, 0]);
        forked(|| std::mem::forget(ring.consumer().unwrap())).join();
        assert_eq!(all()[..4], [11, 9, 1, 0]);
        drop(ring.consumer().unwrap());
        assert_eq!(all()[..5], [11, 14, 1, 1, 0]);
        ringpipe::remove(Key::new(7)).unwrap();
        assert_eq!(all()[4], 1);
        assert_reserved_bytes_are_zero(&raw);
    });
}

#[track_caller]
fn assert_reserved_bytes_are_zero(raw: &Raw) {
    let page = raw.page();
    for field in fields().iter().filter(|field| field.name == "reserved") {
        let bytes = &page[field.offset..field.offset + field.width];
        assert!(bytes.iter().all(|byte| *byte == 0), "{field:?}");
    }
}

#[test]
fn every_semaphore_is_what_the_document_says() {
    let names: Vec<_> = rows("index")
        .into_iter()
        .map(|cells| cells[1].clone())
        .collect();
    let expected = [
        "PRODUCERS",
        "CONSUMERS",
        "FULL",
        "EMPTY",
        "MARK_0",
        "MARK_1",
        "SEGMENT_0",
        "SEGMENT_1",
        "SEGMENT_2",
        "PARTICIPANT",
    ];
    assert_eq!(names, expected.map(|name| format!("`{name}`")));
    apart(|| {
        // Some ids on, so that more than the lowest digit is used.
        let mut ring = Ring::<u64>::private(1).unwrap();
        while id_of(&ring).raw() < 1 << 15 {
            ring = Ring::private(1).unwrap();
        }
        let id = id_of(&ring).raw().cast_unsigned();
        let set = ring.status().unwrap().unwrap().set.unwrap();
        let values = || sysv::semctl_getall(set).unwrap();
        let digits = [id & 0x7fff, id >> 15 & 0x7fff, id >> 30].map(|digit| digit as u16);
        assert_eq!(values()[..4], [0; 4]);
        assert_eq!(values()[4..6], [0x5269, 0x6e67]);
        assert_eq!(values()[6..], digits);
        let mut tx = ring.producer().unwrap();
        assert_eq!(values()[..4], [1, 0, 0, 0]);
        let mut rx = ring.consumer().unwrap();
        assert_eq!(values()[..4], [1, 1, 0, 0]);
        thread::scope(|scope| {
            scope.spawn(|| rx.pop().unwrap());
            until(|| sysv::semctl_getncnt(set, 2) == Ok(1));
            tx.push(1).unwrap();
        });
        tx.push(2).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| tx.push(3).unwrap());
            until(|| sysv::semctl_getncnt(set, 3) == Ok(1));
            rx.pop().unwrap();
        });
        drop(tx);
        assert_eq!(values()[..4], [0, 1, 1, 1], "an end wakes one on each side");
        drop(rx);
        assert_eq!(values()[..4], [0, 0, 2, 2]);
        drop(ring);
        assert!(sets().is_empty());
    });
}

#[test]
fn the_rendezvous_file_is_what_the_document_shows() {
    let example: Vec<_> = DOC
        .lines()
        .skip_while(|line| *line != "    ringpipe 1")
        .map_while(|line| line.strip_prefix("    "))
        .collect();
    let names: Vec<_> = rows("line")
        .into_iter()
        .map(|cells| cells[0].trim_matches('`').to_owned())
        .collect();
    assert_eq!(
        names,
        ["ringpipe", "segment", "cookie", "boot", "namespace"]
    );
    apart(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ring");
        let ring = Ring::<u64>::create(&path, 1).unwrap();
        let raw = Raw::attach(id_of(&ring));
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        let namespace = fs::metadata("/proc/self/ns/ipc").unwrap();
        let expected = format!(
            "ringpipe 1\nsegment {}\ncookie {:016x}{:016x}\nboot {}\nnamespace {}\n",
            id_of(&ring).raw(),
            value(&raw, "cookie_high"),
            value(&raw, "cookie_low"),
            boot.trim().replace('-', ""),
            std::os::unix::fs::MetadataExt::ino(&namespace),
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        // The example could be read: it is of another boot.
        fs::write(&path, example.join("\n") + "\n").unwrap();
        assert!(matches!(Ring::<u64>::open(&path), Err(Error::Stale { .. })));
        ringpipe::remove(ring.id().unwrap()).unwrap();
    });
}

#[test]
fn cookies_differ() {
    apart(|| {
        let cookies = [(); 2].map(|()| {
            let ring = Ring::<u64>::private(1).unwrap();
            let raw = Raw::attach(id_of(&ring));
            (value(&raw, "cookie_high"), value(&raw, "cookie_low"))
        });
        assert_ne!(cookies[0], cookies[1]);
    });
}

// Rings for other programs.

/// That opening fails because of the items, with both values in the message.
#[track_caller]
fn assert_other<T: std::fmt::Debug>(opened: Result<T, Error>, theirs: &str, ours: &str) {
    let error = opened.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::WrongType { .. }), "{text}");
    assert!(
        text.contains(&format!("{theirs} there and {ours} here")),
        "{text}"
    );
}

#[test]
fn other_items_are_refused_with_both_values() {
    apart(|| {
        let key = Key::new(7);
        let ring = Options::new().type_name("a").create::<u64>(key).unwrap();
        let a = Options::new().type_name("a");
        assert!(
            a.open::<i64>(key).is_ok(),
            "the name of Rust's type does not count"
        );
        assert_other(a.open::<u32>(key), "8", "4");
        assert_other(a.open::<[u64; 2]>(key), "8", "16");
        assert_other(a.open::<[u8; 8]>(key), "8", "1");
        let raw = Raw::attach(id_of(&ring));
        let b = Options::new().type_name("b").open::<u64>(key);
        assert_other(b, "\"a\"", "\"b\"");
        assert_other(Ring::<u64>::open(key), "\"a\"", "none");
        assert_other(Ring::<u64>::open_or_create(key, 1), "\"a\"", "none");
        forge(&raw, "kind", 77);
        assert_other(a.open::<u64>(key), "unknown (77)", "spsc");
        assert_eq!(ringpipe::status(key).unwrap().kind, "unknown (77)");
        forge(&raw, "kind", 1);
        forge(&raw, "abi", 3);
        let error = a.open::<u64>(key).unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(
                error,
                Error::WrongVersion {
                    found: 3,
                    supported: 1,
                    ..
                }
            ),
            "{text}"
        );
        assert!(
            text.contains("version 3") && text.contains("has 1:"),
            "{text}"
        );
        ringpipe::remove(key).unwrap();
    });
}

#[test]
fn names_of_types_that_look_alike_have_fingerprints() {
    apart(|| {
        let key = Key::new(7);
        let named = |end: &str| Options::new().type_name("x".repeat(116) + end);
        let ring = named("1").create::<u64>(key).unwrap();
        let told = named("2").open::<u64>(key).unwrap_err().to_string();
        let there = value(&Raw::attach(id_of(&ring)), "fingerprint");
        let shown = format!(
            "\"{}\" (of fingerprint {there:016x}) there",
            "x".repeat(116)
        );
        assert!(told.contains(&shown), "{told}");
        ringpipe::remove(key).unwrap();
    });
}

#[test]
fn a_forged_type_name_steers_no_terminal() {
    apart(|| {
        let key = Key::new(7);
        let ring = Options::new().type_name("a").create::<u64>(key).unwrap();
        let raw = Raw::attach(id_of(&ring));
        let Field { offset, .. } = field("type_name");
        raw.byte(offset)
            .store(0x1b, std::sync::atomic::Ordering::Relaxed);
        assert_other(Ring::<u64>::open(key), "\"\\u{1b}\"", "none");
        raw.byte(offset)
            .store(0xff, std::sync::atomic::Ordering::Relaxed);
        assert_other(Ring::<u64>::open(key), "\"\u{fffd}\"", "none");
        // An older creator's, or nonsense.
        let there = format!("one of fingerprint {:016x}", value(&raw, "fingerprint"));
        for len in [0, 117, u64::from(u32::MAX)] {
            forge(&raw, "type_name_len", len);
            assert_other(Ring::<u64>::open(key), &there, "none");
        }
        ringpipe::remove(key).unwrap();
    });
}

// Headers that somebody has written into.

/// What a forged value of a field leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Works,
    Corrupt,
    NotARing,
    NotReady,
    WrongVersion,
    WrongType,
    /// By its path only: that record is of another segment then.
    Stale,
    Removed,
}

impl Verdict {
    fn of<T>(opened: &Result<T, Error>) -> Self {
        match opened {
            Ok(_) => Self::Works,
            Err(Error::Corrupt { .. }) => Self::Corrupt,
            Err(Error::NotARing { .. }) => Self::NotARing,
            Err(Error::NotReady { .. }) => Self::NotReady,
            Err(Error::WrongVersion { .. }) => Self::WrongVersion,
            Err(Error::WrongType { .. }) => Self::WrongType,
            Err(Error::Stale { .. }) => Self::Stale,
            Err(Error::Removed) => Self::Removed,
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// Does everything with a ring of `u64` whose header may be anything. Must neither panic nor be killed.
fn use_all(name: &Name) -> Verdict {
    let opened = Ring::<u64>::open(name.clone());
    let verdict = Verdict::of(&opened);
    if let Ok(ring) = opened {
        assert!(ring.len() <= ring.capacity());
        let _ = (ring.is_empty(), ring.is_removed(), ring.status());
        let (tx, rx) = (ring.producer(), ring.consumer());
        if let (Ok(mut tx), Ok(mut rx)) = (tx, rx) {
            let mut items = [0; 9];
            for n in 0..9 {
                let _ = tx.try_push(n);
                let _ = tx.try_push_slice(&[n; 3]);
                let _ = tx.push_timeout(n, Duration::ZERO);
                let _ = tx.try_reserve(2).map(|mut room| room.write(&[n; 2]));
                let _ = rx.try_peek(3).map(|items| items.iter().count());
                let _ = rx.try_pop();
                let _ = rx.try_pop_slice(&mut items);
                let _ = rx.pop_timeout(Duration::ZERO);
                let _ = (tx.peer(), rx.peer(), tx.len(), rx.len());
            }
        }
    }
    let _ = ringpipe::status(name.clone());
    let _ = ringpipe::list().unwrap();
    let _ = ringpipe::collect(&[], true).unwrap();
    verdict
}

#[test]
fn each_forged_field_is_found_out_or_harmless() {
    use Verdict::*;
    const MAX: u64 = u64::MAX;
    let cases: &[(&str, &[u64], Verdict)] = &[
        ("magic", &[0, 1, MAX, 0x4550_4950_474e_4953], NotARing),
        ("abi", &[0, 2, MAX], WrongVersion),
        ("kind", &[0, 2, MAX], WrongType),
        ("item_size", &[0, 1, 7, 9, 12, 16, MAX], Corrupt),
        ("item_align", &[0, 3, 16, 4096, 8192, MAX], Corrupt),
        ("item_align", &[1, 2, 4], WrongType),
        ("fingerprint", &[0, MAX], WrongType),
        ("capacity", &[0, 3, 5, 1 << 60, 1 << 61, MAX], Corrupt),
        ("payload", &[0, 4088, 4104, MAX], Corrupt),
        (
            "segment_size",
            &[0, 4096, 4127, 4129, 1 << 40, MAX],
            Corrupt,
        ),
        ("cookie_high", &[0, MAX], Stale),
        ("cookie_low", &[0, MAX], Stale),
        ("sem_id", &[1 << 31, MAX], Corrupt),
        ("sem_id", &[12345, 0x7fff_ffff], Removed),
        ("creator", &[0, 1, MAX], Works),
        ("created", &[0, MAX], Works),
        ("name_len", &[0, 1, 1024, 1025, MAX], Works),
        ("ready", &[1, 0x5245_4458, MAX], Corrupt),
        ("ready", &[0], NotReady),
        ("mount", &[0, MAX], Works),
        ("folder_device", &[0, MAX], Works),
        ("folder_inode", &[0, MAX], Works),
        ("participants", &[1, 511, 512, MAX], Corrupt),
        ("policy", &[1], Works),
        ("policy", &[2, MAX], Corrupt),
        ("producer", &[1, 2, 3, MAX, MAX - 1, MAX - 2], Works),
        ("consumer", &[1, 2, 3, MAX, MAX - 1, MAX - 2], Works),
        ("producer_deaths", &[MAX], Works),
        ("consumer_deaths", &[MAX], Works),
        ("removed", &[1, 2, MAX], Works),
        ("produced", &[1, 4, 5, 1 << 63, MAX], Works),
        ("consumed", &[1, 4, 5, 1 << 63, MAX], Works),
        ("sleeping_consumers", &[1, 1 << 31, MAX], Works),
        ("sleeping_producers", &[1, 1 << 31, MAX], Works),
        ("uptime", &[0, MAX], Works),
        ("type_name_len", &[1, 116, 117, MAX], Works),
        ("type_name", &[0xff], Works),
        ("name", &[0xff], Works),
        // Those of shared roles mean nothing to a ring of this kind.
        ("consumers_asleep", &[1, MAX], Works),
        ("producers_asleep", &[1, MAX], Works),
        ("returned", &[1, MAX], Works),
        ("returns", &[1, MAX], Works),
        ("recovered", &[MAX], Works),
        ("redelivered", &[MAX], Works),
        ("dropped", &[MAX], Works),
        ("skipped", &[MAX], Works),
        ("producers_turn", &[1, MAX], Works),
        ("consumers_turn", &[1, MAX], Works),
    ];
    for field in fields() {
        let tried = cases.iter().any(|(name, ..)| *name == field.name);
        assert!(tried || field.name == "reserved", "{}", field.name);
    }
    apart(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ring");
        for (name, values, expected) in cases {
            for value in *values {
                let ring = Ring::<u64>::create(&path, 4).unwrap();
                let id = ring.id().unwrap();
                let raw = Raw::attach(id_of(&ring));
                drop(ring);
                let Field { offset, width, .. } = field(name);
                let width = if name.ends_with("name") {
                    1
                } else {
                    width.min(8)
                };
                raw.set(offset, width, *value);
                let by_path = use_all(&Name::from(&path));
                assert_eq!(by_path, *expected, "{name} = {value:#x}");
                let by_id = use_all(&id);
                let expected = if *expected == Stale { Works } else { *expected };
                assert_eq!(by_id, expected, "{name} = {value:#x} by id");
                // Removing works, unless the segment cannot be known for that of the name any more.
                ringpipe::remove(&path).unwrap();
                assert!(!path.exists(), "{name} = {value:#x}");
                if by_path == Stale {
                    ringpipe::remove(id).unwrap();
                }
                drop(raw);
                ringpipe::collect(&[], false).unwrap();
                assert_eq!(
                    (segments(), sets()),
                    (vec![], vec![]),
                    "{name} = {value:#x}"
                );
            }
        }
    });
}

#[test]
fn sizes_that_agree_with_each_other_and_not_with_the_segment_are_found_out() {
    apart(|| {
        let key = Key::new(7);
        for capacity in [3, 5, 1000, 1 << 30, 1 << 50] {
            let ring = Ring::<u64>::create(key, 4).unwrap();
            let raw = Raw::attach(id_of(&ring));
            forge(&raw, "capacity", capacity);
            forge(&raw, "segment_size", 4096 + capacity * 8);
            assert_eq!(use_all(&key.into()), Verdict::Corrupt, "{capacity}");
            ringpipe::remove(key).unwrap();
        }
    });
}

#[test]
fn a_forged_set_id_leads_to_no_foreign_set() {
    apart(|| {
        let key = Key::new(7);
        let foreign = sysv::semget(Key::PRIVATE, 9, sysv::SemGetFlags::CREATE, 0o600).unwrap();
        let other = Ring::<u64>::private(1).unwrap();
        let others = other.status().unwrap().unwrap().set.unwrap();
        for set in [foreign, others] {
            let ring = Ring::<u64>::create(key, 1).unwrap();
            let raw = Raw::attach(id_of(&ring));
            let own = value(&raw, "sem_id");
            forge(&raw, "sem_id", u64::from(set.raw().unsigned_abs()));
            assert_eq!(use_all(&key.into()), Verdict::Corrupt);
            assert_eq!(ringpipe::status(key).unwrap().state, RingState::Broken);
            drop((ring, raw));
            ringpipe::remove(key).unwrap();
            assert!(sysv::semctl_stat(set).is_ok());
            let _ = sysv::semctl_rmid(SemId::from_raw(own as i32));
        }
        assert_eq!(sysv::semctl_getall(foreign).unwrap(), [0; 9]);
        assert!(other.producer().is_ok());
    });
}

/// Runs a property on a ring by key, in a namespace of its own, so that nothing is left when it fails.
fn property<S: Strategy>(cases: u32, strategy: S, body: impl Fn(&Raw, S::Value)) {
    apart(|| {
        let config = Config {
            failure_persistence: None,
            ..Config::with_cases(cases)
        };
        let name = Name::Key(Key::new(7));
        let outcome = TestRunner::new(config).run(&strategy, |value| {
            let ring = Ring::<u64>::create(name.clone(), 4).unwrap();
            ring.producer().unwrap().push_slice(&[1, 2]).unwrap();
            let id = id_of(&ring);
            let raw = Raw::attach(id);
            drop(ring);
            body(&raw, value);
            use_all(&Name::Id(id));
            if ringpipe::remove(name.clone()).is_err() {
                // Without its magic it is a foreign segment.
                assert_ne!(raw.number(0, 8), u64::from_le_bytes(*b"RINGPIPE"));
                sysv::shmctl_rmid(id).unwrap();
            }
            drop(raw);
            ringpipe::collect(&[], false).unwrap();
            assert_eq!((segments(), sets()), (vec![], vec![]));
            Ok(())
        });
        if let Err(failure) = outcome {
            panic!("{failure}");
        }
    });
}

#[test]
fn a_page_of_noise_is_no_ring_and_harms_nobody() {
    property(
        200,
        proptest::collection::vec(any::<u8>(), 4096),
        |raw, page| {
            for (offset, byte) in page.into_iter().enumerate() {
                raw.set(offset, 1, byte.into());
            }
        },
    );
}

#[test]
fn noise_behind_the_magic_is_no_ring_and_harms_nobody() {
    property(
        200,
        proptest::collection::vec(any::<u8>(), 4096),
        |raw, page| {
            let keep = ["magic", "abi", "ready"].map(field);
            for (offset, byte) in page.into_iter().enumerate() {
                let kept =
                    |field: &Field| (field.offset..field.offset + field.width).contains(&offset);
                if !keep.iter().any(kept) {
                    raw.set(offset, 1, byte.into());
                }
            }
        },
    );
}

/// Values that are likely to pass some checks and fail others.
fn awkward() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..10_u64,
        any::<u64>(),
        any::<u32>().prop_map(u64::from),
        (0..64_u32).prop_map(|bit| 1 << bit),
        (0..64_u32).prop_map(|bit| (1 << bit) - 1),
        Just(u64::MAX),
        Just(4096),
        Just(4128),
    ]
}

#[test]
fn a_few_forged_fields_harm_nobody() {
    let words: Vec<_> = fields()
        .into_iter()
        .filter(|field| field.width <= 8)
        .collect();
    let forged = (proptest::sample::select(words), awkward());
    property(
        400,
        proptest::collection::vec(forged, 1..4),
        |raw, forged| {
            for (Field { offset, width, .. }, value) in forged {
                raw.set(offset, width, value);
            }
        },
    );
}

#[test]
fn the_words_of_the_core_may_be_anything_while_handles_are_attached() {
    let words = || ["produced", "consumed", "producer", "consumer", "removed"].map(field);
    let forged = (proptest::sample::select(words().to_vec()), awkward());
    apart(|| {
        let config = Config {
            failure_persistence: None,
            ..Config::with_cases(200)
        };
        let strategy = proptest::collection::vec(forged, 1..20);
        let outcome = TestRunner::new(config).run(&strategy, |forged| {
            let ring = Ring::<u64>::private(4).unwrap();
            let raw = Raw::attach(id_of(&ring));
            let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
            let mut items = [0; 3];
            for (Field { offset, width, .. }, value) in forged {
                raw.set(offset, width, value);
                let _ = (tx.try_push(1), tx.try_push_slice(&[1; 3]));
                let _ = (rx.try_pop(), rx.try_pop_slice(&mut items));
                let _ = tx.try_reserve(3).map(|room| room.len());
                let _ = rx.try_peek(3).map(|items| items.iter().sum::<u64>());
                let _ = (tx.len(), rx.len(), ring.len(), tx.peer(), rx.peer());
                let _ = ring.status().unwrap();
            }
            Ok(())
        });
        if let Err(failure) = outcome {
            panic!("{failure}");
        }
    });
}

#[test]
fn impossible_indices_are_noticed_at_the_next_look() {
    apart(|| {
        for (produced, consumed) in [(true, false), (false, true)] {
            let ring = Ring::<u64>::private(4).unwrap();
            let raw = Raw::attach(id_of(&ring));
            let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
            tx.push_slice(&[1, 2, 3, 4]).unwrap();
            if produced {
                // 4 published and none released: 5 are one too many.
                forge(&raw, "produced", 5);
                assert_eq!(rx.try_pop(), Err(TryPopError::Fault(Fault::Corrupt)));
                assert_eq!(rx.pop(), Err(PopError::Fault(Fault::Corrupt)));
                assert!(matches!(
                    rx.try_peek(1),
                    Err(TryPopError::Fault(Fault::Corrupt))
                ));
                let mut items = [0; 9];
                let popped = rx.try_pop_slice(&mut items);
                assert_eq!(popped, Err(TryPopError::Fault(Fault::Corrupt)));
                assert!(rx.pop().unwrap_err().to_string().contains("impossible"));
                assert_eq!(ring.len(), 4, "never more than the capacity");
                // With the right number again, it goes on.
                forge(&raw, "produced", 4);
                assert_eq!(rx.pop(), Ok(1));
            }
            if consumed {
                for wrong in [5, u64::MAX, 1 << 63] {
                    forge(&raw, "consumed", wrong);
                    assert_eq!(tx.try_push(5), Err(TryPushError::Fault(5, Fault::Corrupt)));
                    assert_eq!(tx.push(5), Err(PushError::Fault(5, Fault::Corrupt)));
                    let pushed = tx.try_push_slice(&[5; 9]);
                    assert_eq!(pushed, Err(TryPushError::Fault((), Fault::Corrupt)));
                    assert!(tx.try_reserve(1).is_err());
                }
                forge(&raw, "consumed", 0);
                assert_eq!(tx.try_push(5), Err(TryPushError::Full(5)));
                assert_eq!(rx.pop(), Ok(1));
                tx.push(5).unwrap();
            }
        }
    });
}

#[test]
fn a_wait_ends_when_the_indices_become_impossible() {
    apart(|| {
        let ring = Ring::<u64>::private(4).unwrap();
        let raw = Raw::attach(id_of(&ring));
        let set = ring.status().unwrap().unwrap().set.unwrap();
        let mut rx = ring.consumer().unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| rx.pop());
            until(|| sysv::semctl_getncnt(set, 2) == Ok(1));
            forge(&raw, "produced", 99);
            sysv::semop(set, &[sysv::SemOp::add(2, 1)]).unwrap();
            assert_eq!(
                waiting.join().unwrap(),
                Err(PopError::Fault(Fault::Corrupt))
            );
        });
    });
}

#[test]
fn sleepers_and_rosters_of_any_number_do_not_keep_items_from_passing() {
    apart(|| {
        for forged in [
            "sleeping_consumers",
            "sleeping_producers",
            "producer",
            "consumer",
        ] {
            for attached in [false, true] {
                let ring = Ring::<u64>::private(4).unwrap();
                let raw = Raw::attach(id_of(&ring));
                let spoil = || forge(&raw, forged, u64::MAX);
                if !attached {
                    spoil();
                }
                let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
                if attached {
                    spoil();
                }
                thread::scope(|scope| {
                    scope.spawn(move || {
                        for n in 0..1000 {
                            // Without sleep: who sleeps on a forged count may miss his wake-up.
                            while tx.try_push(n).is_err() {
                                thread::yield_now();
                            }
                        }
                    });
                    for n in 0..1000 {
                        let item = std::iter::repeat_with(|| rx.try_pop()).find_map(Result::ok);
                        assert_eq!(item, Some(n), "{forged}");
                    }
                });
            }
        }
    });
}

#[test]
fn items_of_any_bytes_come_out_as_they_are() {
    apart(|| {
        let ring = Ring::<u64>::private(4).unwrap();
        let raw = Raw::attach(id_of(&ring));
        let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
        tx.push(1).unwrap();
        raw.set(4096, 8, u64::MAX);
        assert_eq!(rx.pop(), Ok(u64::MAX));
    });
}

#[test]
fn a_hostile_process_can_end_nobody() {
    apart(|| {
        let ring = Ring::<u64>::private(64).unwrap();
        let vandal = forked(|| {
            let raw = Raw::attach(id_of(&ring));
            let words = [
                "produced",
                "consumed",
                "producer",
                "consumer",
                "capacity",
                "item_size",
            ];
            let words = words.map(field);
            for n in (1_u64..).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) {
                let Field { offset, width, .. } = &words[(n >> 61) as usize % words.len()];
                raw.set(*offset, *width, n >> (n & 63));
            }
        });
        let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
        let mut items = [0; 64];
        for n in 0..100_000 {
            let _ = (tx.try_push(n), rx.try_pop());
            let _ = (tx.try_push_slice(&items), rx.try_pop_slice(&mut items));
            assert!(ring.len() <= 64);
        }
        vandal.kill();
    });
}
