//! What other users may not do. Only root can become another user, so others skip these.

use super::*;

#[test]
fn another_user_is_refused_by_the_mode() {
    if !is_root() {
        return; // Only root can become somebody else.
    }
    let (segment, readable) = (Segment::new(4096, 0o600), Segment::new(4096, 0o644));
    let (set, set_readable) = (Set::new(1), Set::with_mode(1, 0o644));
    let owner = Ownership {
        uid: 65534,
        gid: 65534,
        mode: 0o666,
    };
    let writing = ShmAtFlags::empty();
    let expected: [(&dyn Fn() -> Result<()>, Errno); 8] = [
        (
            &|| shmat(segment.0, ShmAtFlags::READ_ONLY).map(drop),
            Errno::EACCES,
        ),
        (&|| shmat(readable.0, writing).map(drop), Errno::EACCES),
        (&|| shmctl_stat(segment.0).map(drop), Errno::EACCES),
        (&|| shmctl_set(segment.0, owner), Errno::EPERM),
        (&|| semctl_getval(set.0, 0).map(drop), Errno::EACCES),
        (
            &|| semop(set_readable.0, &[SemOp::add(0, 1)]),
            Errno::EACCES,
        ),
        (&|| semctl_set(set.0, owner), Errno::EPERM),
        (&|| semctl_rmid(set_readable.0), Errno::EPERM),
    ];
    for (index, (call, errno)) in expected.into_iter().enumerate() {
        let child = Child::fork(|| setuid(NOBODY).map_or(255, |()| code(call())));
        assert_eq!(Errno::from_raw(child.join()), errno, "call {index}");
    }
    let reading = Child::fork(|| {
        setuid(NOBODY).map_or(255, |()| code(shmat(readable.0, ShmAtFlags::READ_ONLY)))
    });
    assert_eq!(reading.join(), 0);
}

#[test]
fn another_user_may_not_find_by_key_what_he_may_not_use() {
    if !is_root() {
        return;
    }
    let key = fresh_key();
    let _segment = Segment(shmget(key, 1, ShmGetFlags::CREATE, 0o600).unwrap());
    let _set = Set(semget(key, 1, SemGetFlags::CREATE, 0o600).unwrap());
    let shm = Child::fork(|| {
        setuid(NOBODY).map_or(255, |()| code(shmget(key, 0, ShmGetFlags::empty(), 0o600)))
    });
    let sem = Child::fork(|| {
        setuid(NOBODY).map_or(255, |()| code(semget(key, 0, SemGetFlags::empty(), 0o600)))
    });
    assert_eq!(Errno::from_raw(shm.join()), Errno::EACCES);
    assert_eq!(Errno::from_raw(sem.join()), Errno::EACCES);
}
