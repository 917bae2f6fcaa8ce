#![allow(unsafe_code)]
//! pthread_atfork(3): what is done before and after each fork(3) of this process.
//!
//! Neither vfork(2), posix_spawn(3) nor a bare clone(2) is told of.

use std::sync::OnceLock;

/// What runs before a fork, and after it in the parent (also if it failed) and in the child. All in the thread that forks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hooks {
    pub(crate) prepare: fn(),
    pub(crate) parent: fn(),
    pub(crate) child: fn(),
}

static HOOKS: OnceLock<Hooks> = OnceLock::new();

/// Has the hooks run from now on. Once for a process: others are not added.
///
/// # Panics
///
/// If there is no memory for the handlers.
pub(crate) fn install(hooks: Hooks) {
    let mut first = false;
    HOOKS.get_or_init(|| {
        first = true;
        hooks
    });
    if !first {
        return;
    }
    // SAFETY: the handlers stay valid for the life of the process, as functions of it. (In a library that can be
    // unloaded glibc drops the handlers with it.)
    let failed = unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
    assert_eq!(failed, 0, "no memory for fork handlers");
}

unsafe extern "C" fn prepare() {
    run(|hooks| hooks.prepare);
}

unsafe extern "C" fn parent() {
    run(|hooks| hooks.parent);
}

unsafe extern "C" fn child() {
    run(|hooks| hooks.child);
}

fn run(choose: impl Fn(&Hooks) -> fn()) {
    if let Some(hooks) = HOOKS.get() {
        choose(hooks)();
    }
}
