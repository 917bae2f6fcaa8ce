//! Shared memory.

use super::*;

#[test]
fn shm_by_key_is_found_once_created_and_refused_when_exclusive() {
    let key = fresh_key();
    let create = ShmGetFlags::CREATE | ShmGetFlags::EXCLUSIVE;
    assert_eq!(
        shmget(key, 4096, ShmGetFlags::empty(), 0),
        Err(Errno::ENOENT)
    );
    let segment = Segment(shmget(key, 4096, create, 0o600).unwrap());
    assert_eq!(shmget(key, 4096, create, 0o600), Err(Errno::EEXIST));
    assert_eq!(shmget(key, 4096, ShmGetFlags::empty(), 0), Ok(segment.0));
    assert_eq!(shmctl_stat(segment.0).unwrap().key, key);
}

#[test]
fn shm_size_is_checked_to_the_byte() {
    let key = fresh_key();
    assert_eq!(
        shmget(key, 0, ShmGetFlags::CREATE, 0o600),
        Err(Errno::EINVAL)
    );
    let segment = Segment(shmget(key, 5000, ShmGetFlags::CREATE, 0o600).unwrap());
    assert_eq!(
        shmget(key, 5001, ShmGetFlags::empty(), 0),
        Err(Errno::EINVAL)
    );
    assert_eq!(shmget(key, 5000, ShmGetFlags::empty(), 0), Ok(segment.0));
    assert_eq!(shmget(key, 0, ShmGetFlags::empty(), 0), Ok(segment.0));
}

#[test]
fn shm_flags_reach_the_kernel() {
    let flags = ShmGetFlags::CREATE | ShmGetFlags::NORESERVE;
    let segment = Segment(shmget(Key::PRIVATE, 1 << 40, flags, 0o600).unwrap());
    assert_eq!(shmctl_stat(segment.0).unwrap().size, 1 << 40);
}

#[test]
fn shm_stat_tells_what_was_asked_for_and_the_mode_ignores_other_bits() {
    let segment = Segment::new(5000, 0o7_640);
    let stat = shmctl_stat(segment.0).unwrap();
    assert_eq!(
        (stat.size, stat.mode, stat.key),
        (5000, 0o640, Key::PRIVATE)
    );
    assert_eq!(
        (stat.uid, stat.cuid),
        (Uid::effective().as_raw(), Uid::effective().as_raw())
    );
    assert_eq!((stat.cpid, stat.lpid), (process::id().cast_signed(), 0));
    assert_eq!((stat.nattch, stat.atime, stat.dtime), (0, 0, 0));
    assert!(stat.ctime > 0 && !stat.removed && !stat.locked);
}

#[test]
fn shm_attachments_see_the_same_bytes_and_are_counted() {
    let segment = Segment::new(4096, 0o600);
    let (one, two) = (segment.attach(), segment.attach());
    word(&one).store(7, Ordering::Relaxed);
    assert_eq!(word(&two).load(Ordering::Relaxed), 7);
    assert_ne!(one.as_ptr(), two.as_ptr());
    segment.wait_for_nattch(2);
    let stat = shmctl_stat(segment.0).unwrap();
    assert!(stat.atime > 0 && stat.lpid > 0);
    drop(one);
    segment.wait_for_nattch(1);
    assert_eq!(shmdt(two), Ok(()));
    segment.wait_for_nattch(0);
    assert!(shmctl_stat(segment.0).unwrap().dtime > 0);
}

#[test]
fn shmdt_of_what_was_unmapped_behind_its_back_is_einval() {
    let segment = Segment::new(4096, 0o600);
    let mapping = segment.attach();
    // In a process without other threads, or one of them could attach something in the gap.
    let child = Child::fork(move || {
        // SAFETY: an attachment of ours that nothing has a reference into.
        let unmapped = unsafe { libc::shmdt(mapping.as_ptr().as_ptr().cast()) };
        if unmapped == 0 {
            code(shmdt(mapping))
        } else {
            255
        }
    });
    assert_eq!(Errno::from_raw(child.join()), Errno::EINVAL);
}

#[test]
fn a_mapping_is_shown_by_its_address_and_may_change_threads() {
    let segment = Segment::new(4096, 0o600);
    let mapping = segment.attach();
    assert_eq!(
        format!("{mapping:?}"),
        format!("Mapping({:?})", mapping.as_ptr())
    );
    thread::scope(|scope| {
        scope.spawn(|| word(&mapping).store(1, Ordering::Relaxed));
    });
    assert_eq!(word(&mapping).load(Ordering::Relaxed), 1);
    thread::spawn(move || drop(mapping)).join().unwrap();
    segment.wait_for_nattch(0);
}

#[test]
fn a_store_to_a_read_only_mapping_kills() {
    let segment = Segment::new(4096, 0o600);
    let mapping = shmat(segment.0, ShmAtFlags::READ_ONLY).unwrap();
    let child = Child::fork(|| {
        word(&mapping).store(1, Ordering::Relaxed);
        0
    });
    let status = waitpid(child.pid(), None).unwrap();
    std::mem::forget(child);
    assert!(
        matches!(status, WaitStatus::Signaled(_, Signal::SIGSEGV, _)),
        "{status:?}"
    );
}

#[test]
fn attach_flags_reach_the_kernel() {
    let segment = Segment::new(4096, 0o700);
    let mapping = shmat(segment.0, ShmAtFlags::READ_ONLY | ShmAtFlags::EXECUTE).unwrap();
    let start = format!("{:08x}-", mapping.as_ptr().addr());
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| line.starts_with(&start)).unwrap();
    assert!(line.contains(" r-xs "), "{line}");
}

#[test]
fn shm_removed_while_attached_lives_on_without_its_key() {
    let key = fresh_key();
    let old = Segment(shmget(key, 4096, ShmGetFlags::CREATE, 0o600).unwrap());
    let mapping = old.attach();
    shmctl_rmid(old.0).unwrap();
    let stat = shmctl_stat(old.0).unwrap();
    assert_eq!(
        (stat.removed, stat.key, stat.mode),
        (true, Key::PRIVATE, 0o600)
    );
    assert_eq!(shmget(key, 0, ShmGetFlags::empty(), 0), Err(Errno::ENOENT));
    // The split that everybody who uses keys has to know of: same key, two segments.
    let new = Segment(shmget(key, 4096, ShmGetFlags::CREATE, 0o600).unwrap());
    assert_ne!(old.0, new.0);
    word(&mapping).store(5, Ordering::Relaxed);
    assert_eq!(word(&old.attach()).load(Ordering::Relaxed), 5);
    drop(mapping);
    eventually(|| shmctl_stat(old.0) == Err(Errno::EINVAL));
    assert_eq!(
        shmat(old.0, ShmAtFlags::empty()).unwrap_err(),
        Errno::EINVAL
    );
}

#[test]
fn shm_owner_and_mode_can_be_set_and_the_creator_stays() {
    let segment = Segment::new(4096, 0o600);
    let before = shmctl_stat(segment.0).unwrap();
    let (uid, gid) = if is_root() {
        (65534, 65533)
    } else {
        (before.uid, before.gid)
    };
    shmctl_set(
        segment.0,
        Ownership {
            uid,
            gid,
            mode: 0o7_642,
        },
    )
    .unwrap();
    let after = shmctl_stat(segment.0).unwrap();
    assert_eq!((after.uid, after.gid, after.mode), (uid, gid, 0o642));
    assert_eq!((after.cuid, after.cgid), (before.cuid, before.cgid));
    assert!(!after.removed && !after.locked);
}

#[test]
fn shm_can_be_locked_and_unlocked() {
    let segment = Segment::new(4096, 0o600);
    shmctl_lock(segment.0).unwrap();
    assert!(shmctl_stat(segment.0).unwrap().locked);
    shmctl_unlock(segment.0).unwrap();
    assert!(!shmctl_stat(segment.0).unwrap().locked);
}

#[test]
fn shm_calls_on_nothing_are_einval() {
    let nothing = ShmId::from_raw(-1);
    let owner = Ownership {
        uid: 0,
        gid: 0,
        mode: 0,
    };
    assert_eq!(
        shmat(nothing, ShmAtFlags::empty()).unwrap_err(),
        Errno::EINVAL
    );
    assert_eq!(shmctl_stat(nothing), Err(Errno::EINVAL));
    assert_eq!(shmctl_set(nothing, owner), Err(Errno::EINVAL));
    assert_eq!(shmctl_rmid(nothing), Err(Errno::EINVAL));
    assert_eq!(shmctl_lock(nothing), Err(Errno::EINVAL));
    assert_eq!(shmctl_unlock(nothing), Err(Errno::EINVAL));
    assert_eq!((nothing.raw(), nothing.to_string()), (-1, "-1".to_owned()));
}
