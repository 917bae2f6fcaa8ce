//! `soak`: every item accounted for, the same plan for the same seed, and nothing left whatever happens to it.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::{Case, Process, until};

/// All workers together.
const WORKERS: usize = 21;

#[test]
fn every_item_is_accounted_for() {
    let case = Case::new();
    let args = ["soak", "--deaths", "30", "--items", "20000", "--json"];
    let told = case.json(&args);
    let number = |place: &str| told.pointer(place).and_then(Value::as_u64).unwrap();
    let sum = |group: &str, names: &[&str]| -> u64 {
        names
            .iter()
            .map(|name| number(&format!("/{group}/{name}")))
            .sum()
    };
    assert_eq!(told["ok"], true);
    assert_eq!(number("/deaths_in_all"), 30);
    let kinds = [
        "killed",
        "killed_at_start",
        "killed_forking",
        "stopped_and_killed",
        "dumped_core",
        "aborted",
    ];
    assert_eq!(sum("deaths", &kinds), 30);
    assert!(number("/items/pushed") >= 20_000);
    let fates = ["delivered", "gone_with_the_dead", "left_in_removed", "lost"];
    assert_eq!(sum("items", &fates), number("/items/pushed"));
    assert_eq!(
        sum("items", &["lost", "duplicated", "out_of_order", "torn"]),
        0
    );
    assert!(number("/rounds") >= 6);
    assert!(told["waits"]["notice"].as_f64().unwrap() > 0.0);
}

#[test]
fn as_many_items_are_moved_as_were_asked_for() {
    let case = Case::new();
    let args = ["soak", "--deaths", "1", "--items", "60000", "--json"];
    let told = case.json(&args);
    assert!(
        told["items"]["pushed"].as_u64().unwrap() >= 60_000,
        "{told}"
    );
}

#[test]
fn a_seed_gives_the_same_plan_again() {
    let case = Case::new();
    let plan = |seed| {
        case.json(&[
            "soak", "--plan", "--deaths", "200", "--seed", seed, "--json",
        ])
    };
    let told = plan("7");
    assert_eq!(told, plan("7"));
    assert_ne!(told["plan"], plan("8")["plan"]);
    let acts = told["plan"].as_array().unwrap();
    assert!(acts.len() > 100);
    for (number, act) in acts.iter().enumerate() {
        assert_eq!(act["number"], number);
        assert!(act["ring"].is_string() && act["fault"].is_string() && act["after"].is_u64());
    }
}

#[test]
fn a_run_has_the_faults_of_its_plan() {
    let case = Case::new();
    let args = ["--deaths", "40", "--seed", "5", "--items", "1", "--json"];
    let told = case.json(&[&["soak"], args.as_slice()].concat());
    let plan = case.json(&[&["soak", "--plan"], args.as_slice()].concat());
    let planned = |fault: &str| {
        let acts = plan["plan"].as_array().unwrap();
        acts.iter().filter(|act| act["fault"] == fault).count()
    };
    assert_eq!(told["stops"], planned("stop"));
    assert_eq!(told["bereavements"], planned("bereave"));
    assert_eq!(
        told["deaths"]["stopped_and_killed"],
        planned("stop-and-kill")
    );
    assert_eq!(told["deaths"]["killed_at_start"], planned("kill-newcomer"));
    assert_eq!(told["deaths"]["killed_forking"], planned("kill-forking"));
    assert_eq!(told["limits"]["of_processes"], planned("limit"));
    assert_eq!(told["removals"]["semaphores"], planned("remove-semaphores"));
}

#[test]
fn a_plan_and_a_result_can_be_read() {
    let case = Case::new();
    let args = ["soak", "--deaths", "8", "--items", "100", "--seed", "3"];
    let plan = case.run(&[args.as_slice(), &["--plan"]].concat());
    let plan = String::from_utf8(plan.out).unwrap();
    assert!(plan.starts_with("seed 3\nFAULT  RING"), "{plan}");
    let told = case.run(&args);
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.err.contains("seed 3"), "{}", told.err);
    let text = String::from_utf8(told.out).unwrap();
    for what in [
        "8: ",
        " 0 lost, 0 duplicated, 0 out of order, 0 torn",
        "until the kernel told",
    ] {
        assert!(text.contains(what), "{what}: {text}");
    }
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    let case = Case::new();
    for args in [
        ["--deaths", "0"],
        ["--deaths", "many"],
        ["--seed", "seven"],
        ["--items", "1.5"],
        ["--patience", "0"],
    ] {
        let told = case.run(&[&["soak"], args.as_slice()].concat());
        assert_eq!(told.code, Some(2), "{args:?}: {}", told.err);
        assert!(told.err.contains(args[0]), "{}", told.err);
    }
    let told = case.run(&["soak-worker", "nonsense"]);
    assert_eq!(told.code, Some(2), "{}", told.err);
}

/// A long soak; at work.
fn started(case: &Case, more: &[&str]) -> Process {
    let soak = case.start_soak(more);
    until(|| workers(&soak).len() >= WORKERS);
    soak
}

/// The processes that a soak has started and that run the program: who starts one waits for that, whatever becomes of it before.
fn workers(soak: &Process) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{}/task", soak.pid())).unwrap();
    let children = tasks
        .flatten()
        .map(|task| fs::read_to_string(task.path().join("children")).unwrap_or_default());
    let children: Vec<String> = children.collect();
    let pids = children.iter().flat_map(|pids| pids.split_whitespace());
    let pids = pids.map(|pid| pid.parse().unwrap());
    pids.filter(|pid| is_worker(*pid)).collect()
}

fn is_worker(pid: i32) -> bool {
    let cmdline = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    cmdline.contains("soak-worker")
}

/// Nobody is left, no file, and (when the case ends) nothing of System V.
fn nothing_left(case: &Case, workers: &[i32]) {
    assert_eq!(fs::read_dir(case.path("scratch")).unwrap().count(), 0);
    for pid in workers {
        assert!(!is_worker(*pid), "{pid} is left");
    }
}

#[test]
fn a_soak_that_is_interrupted_tidies_up() {
    let case = Case::new();
    let soak = started(&case, &[]);
    let crew = workers(&soak);
    soak.signal(Signal::SIGINT);
    let told = soak.wait();
    assert_eq!(told.code, Some(130), "{}", told.err);
    nothing_left(&case, &crew);
}

#[test]
fn a_worker_that_dies_by_another_hand_is_told_of() {
    let case = Case::new();
    let soak = started(&case, &[]);
    let crew = workers(&soak);
    // One that the soak is about to kill may be taken for that; so all are.
    for pid in &crew {
        let _ = kill(Pid::from_raw(*pid), Signal::SIGTRAP);
    }
    let told = soak.wait();
    assert_eq!(told.code, Some(1), "{}", told.err);
    for what in [
        "ring ",
        " (pid ",
        "SIGTRAP",
        "replay the faults with `ringpipe soak --seed 4",
    ] {
        assert!(told.err.contains(what), "{what}: {}", told.err);
    }
    nothing_left(&case, &crew);
}

#[test]
fn workers_that_hang_are_told_of() {
    let case = Case::new();
    let soak = started(&case, &["--patience", "2"]);
    let crew = workers(&soak);
    for pid in &crew {
        let _ = kill(Pid::from_raw(*pid), Signal::SIGSTOP);
    }
    let told = soak.wait();
    assert_eq!(told.code, Some(1), "{}", told.err);
    for what in [
        " hangs: waited 2 s until",
        "state T",
        "semaphores",
        "--seed 4",
    ] {
        assert!(told.err.contains(what), "{what}: {}", told.err);
    }
    nothing_left(&case, &crew);
}
