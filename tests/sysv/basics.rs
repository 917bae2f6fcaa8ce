//! Error numbers, keys and memory barriers.

use super::*;

#[test]
fn errno_keeps_the_number_and_shows_name_and_text() {
    assert_eq!(Errno::from_raw(Errno::EIDRM.raw()), Errno::EIDRM);
    assert_eq!(format!("{:?}", Errno::ENOSPC), "ENOSPC (28)");
    assert_eq!(format!("{:?}", Errno::from_raw(4000)), "errno (4000)");
    let system = io::Error::from_raw_os_error(libc::ENOENT);
    assert_eq!(Errno::ENOENT.to_string(), system.to_string());
    assert_eq!(
        io::Error::from(Errno::EAGAIN).kind(),
        io::ErrorKind::WouldBlock
    );
}

#[test]
fn every_errno_constant_has_its_own_number_and_name() {
    let all = [
        (Errno::EPERM, libc::EPERM, "EPERM"),
        (Errno::ENOENT, libc::ENOENT, "ENOENT"),
        (Errno::EINTR, libc::EINTR, "EINTR"),
        (Errno::ENXIO, libc::ENXIO, "ENXIO"),
        (Errno::E2BIG, libc::E2BIG, "E2BIG"),
        (Errno::EAGAIN, libc::EAGAIN, "EAGAIN"),
        (Errno::ENOMEM, libc::ENOMEM, "ENOMEM"),
        (Errno::EACCES, libc::EACCES, "EACCES"),
        (Errno::EFAULT, libc::EFAULT, "EFAULT"),
        (Errno::EEXIST, libc::EEXIST, "EEXIST"),
        (Errno::EINVAL, libc::EINVAL, "EINVAL"),
        (Errno::EFBIG, libc::EFBIG, "EFBIG"),
        (Errno::ENOSPC, libc::ENOSPC, "ENOSPC"),
        (Errno::ERANGE, libc::ERANGE, "ERANGE"),
        (Errno::ENOSYS, libc::ENOSYS, "ENOSYS"),
        (Errno::EIDRM, libc::EIDRM, "EIDRM"),
        (Errno::ENOTSUP, libc::ENOTSUP, "ENOTSUP"),
    ];
    for (errno, number, name) in all {
        assert_eq!(errno.raw(), number);
        assert_eq!(format!("{errno:?}"), format!("{name} ({number})"));
    }
}

#[test]
fn a_key_is_shown_in_the_form_of_ipcs() {
    assert_eq!(Key::new(0x2a).to_string(), "0x0000002a");
    assert_eq!(Key::new(i32::MIN).to_string(), "0x80000000");
    assert_eq!(Key::new(-5).raw(), -5);
}

#[test]
fn ftok_gives_the_same_key_as_the_c_library() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for path in [Path::new("/"), Path::new("/proc"), file.path()] {
        let c_path = std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap();
        for project in [1, b'r', 0x80, 0xff] {
            // SAFETY: a C string that lives during the call.
            let expected = unsafe { libc::ftok(c_path.as_ptr(), project.into()) };
            let project = NonZeroU8::new(project).unwrap();
            assert_eq!(ftok(path, project), Ok(Key::new(expected)));
        }
    }
}

#[test]
fn ftok_of_no_file_and_of_a_bad_path_fail() {
    let project = NonZeroU8::MIN;
    assert_eq!(ftok("/nowhere/at/all", project), Err(Errno::ENOENT));
    assert_eq!(ftok("a\0b", project), Err(Errno::EINVAL));
}

#[test]
fn barriers_work_where_the_kernel_has_them() {
    let needed =
        MembarrierCommands::GLOBAL_EXPEDITED | MembarrierCommands::REGISTER_GLOBAL_EXPEDITED;
    match membarrier_query() {
        Ok(commands) if commands.contains(needed) => {
            assert_eq!(membarrier_register_global_expedited(), Ok(()));
            assert_eq!(membarrier_register_global_expedited(), Ok(()));
            assert_eq!(membarrier_global_expedited(), Ok(()));
        }
        Ok(older) => {
            assert!(older.contains(MembarrierCommands::GLOBAL));
            assert_eq!(membarrier_global_expedited(), Err(Errno::EINVAL));
        }
        Err(errno) => assert!([Errno::ENOSYS, Errno::EPERM].contains(&errno), "{errno:?}"),
    }
}
