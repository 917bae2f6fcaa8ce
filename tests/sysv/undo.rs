//! `SEM_UNDO`, with processes that die.

use super::*;

#[test]
fn undo_takes_back_what_a_killed_process_did() {
    let set = Set::new(2);
    let child = Child::doing(&set, &[SemOp::add(0, 1).undo()]);
    assert_eq!(set.value(0), 1);
    child.kill();
    assert_eq!(set.value(0), 0);
}

#[test]
fn without_undo_what_a_killed_process_did_stays() {
    let set = Set::new(2);
    Child::doing(&set, &[SemOp::add(0, 1)]).kill();
    assert_eq!(set.value(0), 1);
}

#[test]
fn undo_wakes_who_waits_for_the_death_and_names_the_dead() {
    let set = Set::new(3);
    let child = Child::doing(&set, &[SemOp::add(0, 1).undo(), SemOp::add(1, 1).undo()]);
    let pid = child.pid();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| semtimedop(set.0, &[SemOp::wait_zero(0)], LONG));
        set.wait_for_sleepers(semctl_getzcnt, 1);
        child.kill();
        assert_eq!(waiter.join().unwrap(), Ok(()));
    });
    assert_eq!(semctl_getpid(set.0, 1), Ok(pid.as_raw()));
    // Where somebody slept it is the sleeper, whose operation came after the undo.
    assert_eq!(semctl_getpid(set.0, 0), Ok(process::id().cast_signed()));
}

#[test]
fn one_can_be_promised_on_death_without_changing_the_value() {
    let set = Set::new(2);
    semop(set.0, &[SemOp::add(0, 3)]).unwrap();
    let child = Child::doing(&set, &[SemOp::add(0, 1), SemOp::take(0, 1).undo()]);
    assert_eq!(set.value(0), 3);
    child.kill();
    assert_eq!(set.value(0), 4);
}

#[test]
fn a_promise_can_be_taken_back_without_changing_the_value() {
    let set = Set::new(2);
    let arm = [SemOp::add(0, 1), SemOp::take(0, 1).undo()];
    let disarm = [SemOp::add(0, 1).undo(), SemOp::take(0, 1)];
    Child::doing(&set, &[arm, disarm].concat()).kill();
    assert_eq!(set.value(0), 0);
}

#[test]
fn adjustments_of_one_set_become_visible_together() {
    // The dying process gives one and takes one back; no snapshot may show the one without the other.
    for _ in 0..20 {
        let set = Set::new(3);
        let child = Child::doing(
            &set,
            &[
                SemOp::add(0, 1),
                SemOp::take(0, 1).undo(),
                SemOp::add(1, 1).undo(),
            ],
        );
        thread::scope(|scope| {
            let snapshots = scope.spawn(|| {
                let start = Instant::now();
                loop {
                    let values = semctl_getall(set.0).unwrap();
                    if values[..2] != [0, 1] || start.elapsed() > LONG.unwrap() {
                        return values;
                    }
                }
            });
            child.kill();
            assert_eq!(snapshots.join().unwrap()[..2], [1, 0]);
        });
    }
}

#[test]
fn undo_stops_at_zero() {
    let set = Set::new(2);
    let child = Child::doing(&set, &[SemOp::add(0, 5).undo()]);
    semop(set.0, &[SemOp::take(0, 3)]).unwrap();
    child.kill();
    assert_eq!(set.value(0), 0);
}

#[test]
fn more_undo_than_fits_is_erange() {
    let set = Set::new(1);
    let child = Child::fork(|| {
        let (add, take) = (SemOp::add(0, SEMVMX), SemOp::take(0, SEMVMX).undo());
        let one = [SemOp::add(0, 1), SemOp::take(0, 1).undo()];
        let full = semop(set.0, &[add, take]);
        full.map_or(255, |()| code(semop(set.0, &one)))
    });
    assert_eq!(Errno::from_raw(child.join()), Errno::ERANGE);
}

#[test]
fn setting_a_value_erases_the_undo_of_others() {
    let set = Set::new(3);
    let child = Child::doing(&set, &[SemOp::add(0, 1).undo(), SemOp::add(1, 1).undo()]);
    semctl_setval(set.0, 0, 7).unwrap();
    child.kill();
    assert_eq!(semctl_getall(set.0), Ok(vec![7, 0, 0]));

    let child = Child::doing(&set, &[SemOp::add(0, 1).undo()]);
    semctl_setall(set.0, &[7, 7, 0]).unwrap();
    child.kill();
    assert_eq!(semctl_getall(set.0), Ok(vec![7, 7, 0]));
}

#[test]
fn a_forked_child_does_not_inherit_undo() {
    let set = Set::new(1);
    let parent = Child::fork(|| {
        // Not `Child`: this is a child that makes system calls only.
        if semop(set.0, &[SemOp::add(0, 1).undo()]).is_err() {
            return 255;
        }
        // SAFETY: the grandchild leaves at once.
        match unsafe { fork() } {
            // SAFETY: ends the process without running anything of the parent's.
            Ok(ForkResult::Child) => unsafe { libc::_exit(0) },
            Ok(ForkResult::Parent { child }) => {
                let _ = waitpid(child, None);
                semctl_getval(set.0, 0).unwrap_or(255)
            }
            Err(_) => 255,
        }
    });
    assert_eq!(parent.join(), 1);
    assert_eq!(set.value(0), 0);
}
