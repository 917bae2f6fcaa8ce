//! The examples that prove something by themselves, run as they are.
#![allow(missing_docs)]

mod common;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use common::apart::{apart, segments, sets};
use common::until;
use ringpipe::Status;

/// The example, which is built with the tests; or now, where this file alone was.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let program = profile.join("examples").join(name);
    if !program.exists() {
        let kind = match profile.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => "dev",
            Some(other) => other,
        };
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--profile", kind, "--example", name]);
        build.arg("--target-dir").arg(profile.parent().unwrap());
        assert!(build.status().unwrap().success());
    }
    program
}

/// A process that is killed and reaped at the end, whatever happens.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn pool(args: &[&str]) -> Output {
    Command::new(example("process_pool"))
        .args(args)
        .output()
        .unwrap()
}

#[test]
fn a_pool_does_each_job_whoever_is_killed() {
    let program = example("process_pool");
    assert!(program.exists());
    apart(|| {
        for seed in ["1", "2", "3"] {
            let args = [
                "--jobs",
                "60",
                "--kills",
                "8",
                "--workers",
                "3",
                "--seed",
                seed,
            ];
            let output = pool(&args);
            assert!(output.status.success(), "{output:?}");
            let told = String::from_utf8(output.stdout).unwrap();
            assert!(told.starts_with("60 jobs, 8 workers killed\n"), "{told}");
            assert!(told.contains("each job was done"), "{told}");
            assert_eq!((segments(), sets()), (vec![], vec![]));
        }
    });
}

/// Runs an example with that input, in a namespace of its own, in which it leaves nothing.
fn told(name: &str, args: &[&str], input: &str) -> String {
    let mut program = Command::new(example(name));
    program
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut running = program.spawn().unwrap();
    let written = running.stdin.take().unwrap().write_all(input.as_bytes());
    let output = running.wait_with_output().unwrap();
    assert!(written.is_ok() && output.status.success(), "{output:?}");
    assert_eq!((segments(), sets()), (vec![], vec![]));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_parent_reads_what_its_child_wrote() {
    example("forked_pipe");
    apart(|| {
        let all = told("forked_pipe", &[], "");
        assert!(
            all.starts_with("line 1: 1 x 1 = 1\nline 2: 2 x 2 = 4\nline 3: 3 x 3 = 9\n"),
            "{all}"
        );
        let cut = told("forked_pipe", &["--kill"], "");
        assert!(
            cut.starts_with("line 1: 1 x 1 = 1\nline 2: 2 x 2 = 4\nend of file"),
            "{cut}"
        );
    });
}

#[test]
fn a_clerk_answers() {
    example("chat");
    apart(|| {
        let answers = told("chat", &[], "how do you do\n\nwell\n");
        assert_eq!(
            answers,
            "that was 4 words\nthat was 0 words\nthat was 1 words\n"
        );
    });
}

#[test]
fn lines_go_through_a_fifo_whoever_comes_first() {
    let program = example("fifo");
    apart(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder
            .path()
            .join("feed")
            .into_os_string()
            .into_string()
            .unwrap();
        for reader_first in [true, false] {
            let start = |what| {
                let mut fifo = Command::new(&program);
                fifo.args([what, path.as_str()])
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped());
                fifo.spawn().unwrap()
            };
            let (mut writer, reader) = if reader_first {
                let reader = start("read");
                (start("write"), reader)
            } else {
                (start("write"), start("read"))
            };
            let mut input = writer.stdin.take().unwrap();
            input.write_all(b"one\ntwo\n").unwrap();
            drop(input);
            let id = writer.id();
            assert!(writer.wait().unwrap().success());
            let read = reader.wait_with_output().unwrap();
            let lines = String::from_utf8(read.stdout).unwrap();
            assert_eq!(lines, format!("{id}: one\n{id}: two\n"));
        }
        assert!(
            Command::new(&program)
                .args(["remove", &path])
                .status()
                .unwrap()
                .success()
        );
        assert_eq!((segments(), sets()), (vec![], vec![]));
    });
}

#[test]
fn a_pool_can_have_one_worker_and_nothing_to_do() {
    let program = example("process_pool");
    assert!(program.exists());
    apart(|| {
        for (workers, jobs) in [("1", "5"), ("2", "0")] {
            let output = pool(&["--workers", workers, "--jobs", jobs, "--kills", "0"]);
            assert!(output.status.success(), "{output:?}");
        }
        assert_eq!(pool(&["--workers", "0"]).status.code(), Some(2));
        assert_eq!((segments(), sets()), (vec![], vec![]));
    });
}

#[test]
fn a_pool_whose_manager_is_killed_tidies_up() {
    let program = example("process_pool");
    apart(|| {
        let mut pool = Command::new(&program);
        pool.args(["--jobs", "1000000", "--kills", "0"])
            .stdout(Stdio::null());
        let mut manager = Running(pool.spawn().unwrap());
        until(|| {
            let rings = ringpipe::list().unwrap();
            let busy = |ring: &Status| ring.participants.len() == 5 && ring.consumed > 10;
            rings.iter().any(busy)
        });
        manager.0.kill().unwrap();
        manager.0.wait().unwrap();
        until(|| segments().is_empty() && sets().is_empty());
    });
}
