//! One suite over somebody's pipes and FIFOs, run on the kernel's own and on [`ringpipe::stream`].
//!
//! Each case is a function over a [`Subject`](subject::Subject) and becomes two tests. That it holds of the kernel shows
//! that it expects the right thing; that it holds of ours shows that ours does the same. Where ours is meant to
//! differ, the case asks [`differences`] what to expect, which has all of it. How many bytes fit while a pipe is partly full is not
//! compared: the kernel counts pages (W3). What ours has and a pipe has not is in [`ring_only`].
//!
//! | rules | cases |
//! |---|---|
//! | R1 to R6, R11, R12 | [`reading`] |
//! | R9, R10, W5 for many | [`crowds`] |
//! | W1, W3, W7, W9, W10, C1, C3 | [`writing`] |
//! | W2 | [`atomicity`] |
//! | W4 to W6, W13 | [`broken`] |
//! | F1 to F4, F6, F8 | [`fifo_open`] |
//! | R7, R8, W11, W12, F4, F7 | [`fifo_life`] |
//! | I1, I2, W8, F5 | [`signals`] |
//! | A.6 | [`readiness`] |
//! | C8, D1, D6 | [`clones`] |
//! | D2 to D5, C8 | [`forks`] |
//! | R5, R9, W4, W13 | [`deaths`] |
#![allow(missing_docs)]

/// Makes of each case two tests: one on the kernel, which shows that the case is right, and one on ours.
macro_rules! cases {
    ($($case:ident)*) => {
        mod kernel {
            use crate::kernel::Kernel;

            $(#[test]
            fn $case() {
                let test = concat!(module_path!(), "::", stringify!($case));
                crate::stage::perform::<Kernel>(test, super::$case::<Kernel>);
            })*
        }

        mod ring {
            use crate::ring::Ring;

            $(#[test]
            fn $case() {
                let test = concat!(module_path!(), "::", stringify!($case));
                crate::stage::perform::<Ring>(test, super::$case::<Ring>);
            })*
        }
    };
}

#[path = "../common/mod.rs"]
mod common;

mod differences;
mod kernel;
mod ring;
mod stage;
mod subject;

mod atomicity;
mod broken;
mod clones;
mod crowds;
mod deaths;
mod fifo_life;
mod fifo_open;
mod forks;
mod readiness;
mod reading;
mod ring_only;
mod signals;
mod writing;
