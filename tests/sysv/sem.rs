//! Semaphores: sets, operations, values, sleeping.

use super::*;

#[test]
fn sem_by_key_is_found_once_created_and_refused_when_exclusive() {
    let key = fresh_key();
    let create = SemGetFlags::CREATE | SemGetFlags::EXCLUSIVE;
    assert_eq!(semget(key, 1, SemGetFlags::empty(), 0), Err(Errno::ENOENT));
    let set = Set(semget(key, 2, create, 0o600).unwrap());
    assert_eq!(semget(key, 2, create, 0o600), Err(Errno::EEXIST));
    assert_eq!(semget(key, 2, SemGetFlags::empty(), 0), Ok(set.0));
    assert_eq!(semget(key, 3, SemGetFlags::empty(), 0), Err(Errno::EINVAL));
    assert_eq!(semctl_stat(set.0).unwrap().key, key);
}

#[test]
fn sem_set_of_none_is_einval() {
    assert_eq!(
        semget(Key::PRIVATE, 0, SemGetFlags::CREATE, 0o600),
        Err(Errno::EINVAL)
    );
}

#[test]
fn sem_stat_tells_what_was_asked_for() {
    let set = Set::with_mode(3, 0o7_640);
    let stat = semctl_stat(set.0).unwrap();
    assert_eq!(
        (stat.nsems, stat.mode, stat.key, stat.otime),
        (3, 0o640, Key::PRIVATE, 0)
    );
    assert_eq!(
        (stat.uid, stat.cuid),
        (Uid::effective().as_raw(), Uid::effective().as_raw())
    );
    assert!(stat.ctime > 0);
    semop(set.0, &[SemOp::wait_zero(0)]).unwrap();
    assert!(semctl_stat(set.0).unwrap().otime > 0);
}

#[test]
fn sem_owner_and_mode_can_be_set_and_the_creator_stays() {
    let set = Set::new(1);
    let before = semctl_stat(set.0).unwrap();
    let (uid, gid) = if is_root() {
        (65534, 65533)
    } else {
        (before.uid, before.gid)
    };
    semctl_set(
        set.0,
        Ownership {
            uid,
            gid,
            mode: 0o7_642,
        },
    )
    .unwrap();
    let after = semctl_stat(set.0).unwrap();
    assert_eq!((after.uid, after.gid, after.mode), (uid, gid, 0o642));
    assert_eq!((after.cuid, after.cgid), (before.cuid, before.cgid));
}

#[test]
fn operations_add_take_and_wait_for_zero() {
    let set = Set::new(2);
    semop(set.0, &[SemOp::add(0, 5), SemOp::add(1, 1)]).unwrap();
    semop(set.0, &[SemOp::take(0, 3)]).unwrap();
    assert_eq!(semctl_getall(set.0), Ok(vec![2, 1]));
    let zero = SemOp::wait_zero(1).nowait();
    assert_eq!(semop(set.0, &[zero]), Err(Errno::EAGAIN));
    semop(set.0, &[SemOp::take(1, 1), zero]).unwrap();
}

#[test]
fn operations_of_one_call_are_all_or_nothing() {
    let set = Set::new(2);
    let ops = [SemOp::add(0, 1), SemOp::take(1, 1).nowait()];
    assert_eq!(semop(set.0, &ops), Err(Errno::EAGAIN));
    assert_eq!(semctl_getall(set.0), Ok(vec![0, 0]));
}

#[test]
fn operations_are_shown_with_their_flags() {
    let op = SemOp::take(3, 2).undo().nowait();
    assert_eq!(
        format!("{op:?}"),
        "SemOp { num: 3, op: -2, undo: true, nowait: true }"
    );
    let op = SemOp::wait_zero(1);
    assert_eq!(
        format!("{op:?}"),
        "SemOp { num: 1, op: 0, undo: false, nowait: false }"
    );
    let op = SemOp::take(0, i16::MIN);
    assert_eq!(
        format!("{op:?}"),
        "SemOp { num: 0, op: 32767, undo: false, nowait: false }"
    );
}

#[test]
fn a_value_above_the_maximum_is_erange_and_does_not_wait() {
    let set = Set::new(1);
    semop(set.0, &[SemOp::add(0, SEMVMX)]).unwrap();
    assert_eq!(semop(set.0, &[SemOp::add(0, 1)]), Err(Errno::ERANGE));
    assert_eq!(set.value(0), 32767);
    assert_eq!(semctl_setval(set.0, 0, 32768), Err(Errno::ERANGE));
    assert_eq!(semctl_setall(set.0, &[32768]), Err(Errno::ERANGE));
}

#[test]
fn too_many_operations_are_e2big_and_none_are_einval() {
    let set = Set::new(1);
    let limits = fs::read_to_string("/proc/sys/kernel/sem").unwrap();
    let semopm: usize = limits.split_whitespace().nth(2).unwrap().parse().unwrap();
    let ops = vec![SemOp::wait_zero(0); semopm + 1];
    assert_eq!(semop(set.0, &ops[1..]), Ok(()));
    assert_eq!(semop(set.0, &ops), Err(Errno::E2BIG));
    assert_eq!(semop(set.0, &[]), Err(Errno::EINVAL));
    assert_eq!(semtimedop(set.0, &ops, None), Err(Errno::E2BIG));
}

#[test]
fn a_semaphore_outside_the_set_is_efbig_for_operations_and_einval_for_questions() {
    let set = Set::new(2);
    assert_eq!(semop(set.0, &[SemOp::add(2, 1)]), Err(Errno::EFBIG));
    assert_eq!(semctl_getval(set.0, 2), Err(Errno::EINVAL));
    assert_eq!(semctl_getncnt(set.0, 2), Err(Errno::EINVAL));
    assert_eq!(semctl_getzcnt(set.0, 2), Err(Errno::EINVAL));
    assert_eq!(semctl_getpid(set.0, 2), Err(Errno::EINVAL));
    assert_eq!(semctl_setval(set.0, 2, 0), Err(Errno::EINVAL));
}

#[test]
fn values_can_be_set_one_by_one_and_together() {
    let set = Set::new(3);
    semctl_setall(set.0, &[10, 20, 30]).unwrap();
    semctl_setval(set.0, 1, 21).unwrap();
    assert_eq!(semctl_getall(set.0), Ok(vec![10, 21, 30]));
    assert_eq!(semctl_setall(set.0, &[1, 2]), Err(Errno::EINVAL));
    assert_eq!(semctl_setall(set.0, &[1, 2, 3, 4]), Err(Errno::EINVAL));
    assert_eq!(semctl_getall(set.0), Ok(vec![10, 21, 30]));
}

#[test]
fn all_values_of_a_large_set_are_read() {
    let set = Set::new(5000);
    let values: Vec<u16> = (0..5000).collect();
    semctl_setall(set.0, &values).unwrap();
    assert_eq!(semctl_getall(set.0), Ok(values));
}

#[test]
fn sem_calls_on_nothing_are_einval() {
    let nothing = SemId::from_raw(-1);
    let owner = Ownership {
        uid: 0,
        gid: 0,
        mode: 0,
    };
    assert_eq!(semop(nothing, &[SemOp::add(0, 1)]), Err(Errno::EINVAL));
    assert_eq!(
        semtimedop(nothing, &[SemOp::add(0, 1)], LONG),
        Err(Errno::EINVAL)
    );
    assert_eq!(semctl_stat(nothing), Err(Errno::EINVAL));
    assert_eq!(semctl_getall(nothing), Err(Errno::EINVAL));
    assert_eq!(semctl_setall(nothing, &[]), Err(Errno::EINVAL));
    assert_eq!(semctl_set(nothing, owner), Err(Errno::EINVAL));
    assert_eq!(semctl_rmid(nothing), Err(Errno::EINVAL));
    assert_eq!((nothing.raw(), nothing.to_string()), (-1, "-1".to_owned()));
}

#[test]
fn a_wait_ends_with_its_time_and_not_before() {
    let set = Set::new(1);
    let start = Instant::now();
    let limit = Duration::from_millis(20);
    assert_eq!(
        semtimedop(set.0, &[SemOp::take(0, 1)], Some(limit)),
        Err(Errno::EAGAIN)
    );
    assert!(start.elapsed() >= limit);
    assert_eq!(
        semtimedop(set.0, &[SemOp::take(0, 1)], Some(Duration::ZERO)),
        Err(Errno::EAGAIN)
    );
}

#[test]
fn a_wait_that_need_not_sleep_takes_any_limit() {
    let set = Set::new(1);
    for limit in [None, Some(Duration::ZERO), Some(Duration::MAX)] {
        semtimedop(set.0, &[SemOp::add(0, 1)], limit).unwrap();
    }
    assert_eq!(set.value(0), 3);
}

#[test]
fn sleepers_are_counted_and_woken() {
    let set = Set::new(1);
    thread::scope(|scope| {
        let taker = scope.spawn(|| semtimedop(set.0, &[SemOp::take(0, 1)], LONG));
        set.wait_for_sleepers(semctl_getncnt, 1);
        assert_eq!(semctl_getzcnt(set.0, 0), Ok(0));
        semop(set.0, &[SemOp::add(0, 1)]).unwrap();
        assert_eq!(taker.join().unwrap(), Ok(()));
        assert_eq!((set.value(0), semctl_getncnt(set.0, 0)), (0, Ok(0)));
    });
}

#[test]
fn sleepers_for_zero_are_counted_and_woken() {
    let set = Set::new(1);
    semop(set.0, &[SemOp::add(0, 1)]).unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| semtimedop(set.0, &[SemOp::wait_zero(0)], LONG));
        set.wait_for_sleepers(semctl_getzcnt, 1);
        assert_eq!(semctl_getncnt(set.0, 0), Ok(0));
        semop(set.0, &[SemOp::take(0, 1)]).unwrap();
        assert_eq!(waiter.join().unwrap(), Ok(()));
    });
}

#[test]
fn a_wait_with_the_longest_limit_sleeps_until_it_is_woken() {
    let set = Set::new(1);
    thread::scope(|scope| {
        let taker = scope.spawn(|| semtimedop(set.0, &[SemOp::take(0, 1)], Some(Duration::MAX)));
        set.wait_for_sleepers(semctl_getncnt, 1);
        semop(set.0, &[SemOp::add(0, 1)]).unwrap();
        assert_eq!(taker.join().unwrap(), Ok(()));
    });
}

#[test]
fn removal_wakes_sleepers_with_eidrm() {
    let set = Set::new(1);
    thread::scope(|scope| {
        let taker = scope.spawn(|| semtimedop(set.0, &[SemOp::take(0, 1)], LONG));
        set.wait_for_sleepers(semctl_getncnt, 1);
        semctl_rmid(set.0).unwrap();
        assert_eq!(taker.join().unwrap(), Err(Errno::EIDRM));
    });
    assert_eq!(semop(set.0, &[SemOp::add(0, 1)]), Err(Errno::EINVAL));
}

#[test]
fn a_stopped_and_continued_sleeper_is_interrupted() {
    let set = Set::new(1);
    let sleeper = Child::fork(|| code(semtimedop(set.0, &[SemOp::take(0, 1)], LONG)));
    set.wait_for_sleepers(semctl_getncnt, 1);
    kill(sleeper.pid(), Signal::SIGSTOP).unwrap();
    set.wait_for_sleepers(semctl_getncnt, 0);
    kill(sleeper.pid(), Signal::SIGCONT).unwrap();
    assert_eq!(Errno::from_raw(sleeper.join()), Errno::EINTR);
}
