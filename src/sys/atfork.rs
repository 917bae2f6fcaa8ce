#![allow(unsafe_code)]
//! pthread_atfork(3): what is done before and after each fork(3) of this process.
//!
//! vfork(2), posix_spawn(3) and a bare clone(2) run none of it.
//!
//! Never runs under loom. The one atomic is core's.
#![allow(clippy::disallowed_types)]

use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::{Acquire, Release};

/// What runs in the thread that forks. A panic ends the process.
///
/// They may be registered, and so run, more than once.
pub(crate) trait Hooks {
    /// Before the fork.
    fn prepare();
    /// After it in the parent, also if it failed.
    fn parent();
    /// After it in the child.
    fn child();
}

/// Whether the handlers are registered. No `OnceLock`: a child that is forked while another thread is in it would wait for
/// that thread for ever.
static INSTALLED: AtomicBool = AtomicBool::new(false);

/// Has the hooks run from now on: those of the first type that this is called with.
///
/// Threads that come at once may register them twice. When this returns, they are registered.
///
/// # Panics
///
/// If there is no memory for the handlers.
pub(crate) fn install<H: Hooks>() {
    if INSTALLED.load(Acquire) {
        return;
    }
    // SAFETY: the handlers stay valid for the life of the process, as functions of it. (In a library that can be
    // unloaded glibc drops the handlers with it.)
    let failed =
        unsafe { libc::pthread_atfork(Some(prepare::<H>), Some(parent::<H>), Some(child::<H>)) };
    assert_eq!(failed, 0, "no memory for fork handlers");
    INSTALLED.store(true, Release);
}

unsafe extern "C" fn prepare<H: Hooks>() {
    H::prepare();
}

unsafe extern "C" fn parent<H: Hooks>() {
    H::parent();
}

unsafe extern "C" fn child<H: Hooks>() {
    H::child();
}
