//! Typed-in logs with something wrong in them, and some with nothing.

use super::*;

fn terms(kind: Kind, hold: bool) -> Terms {
    Terms {
        kind,
        capacity: 4,
        hold,
        drops: false,
        dropped: 0,
        removed: false,
    }
}

fn account(id: u32, role: Role, died: bool, notes: &[Note]) -> Account {
    let notes = notes.to_vec();
    let pid = 1000 + id.cast_signed();
    Account {
        id,
        role,
        pid,
        died,
        notes,
    }
}

/// Pushed so many and ended well.
fn pushed(id: u32, upto: u64) -> Account {
    account(
        id,
        Role::Producer,
        false,
        &[Note::Pushed { upto }, Note::Done],
    )
}

/// Was killed while it pushed some more.
fn killed_pushing(id: u32, first: u64, count: u32, whole: bool) -> Account {
    account(
        id,
        Role::Producer,
        true,
        &[Note::Push {
            first,
            count,
            whole,
        }],
    )
}

fn took(id: u32, notes: &[Note]) -> Account {
    account(id, Role::Consumer, false, notes)
}

fn killed_taking(id: u32, notes: &[Note]) -> Account {
    account(id, Role::Consumer, true, notes)
}

const fn got(producer: u32, first: u64, count: u32) -> Note {
    Note::Got {
        producer,
        first,
        count,
        again: false,
    }
}

const fn again(producer: u32, first: u64, count: u32) -> Note {
    Note::Got {
        producer,
        first,
        count,
        again: true,
    }
}

const fn take(most: u32) -> Note {
    Note::Take { most }
}

const fn released(count: u32) -> Note {
    Note::Released { count }
}

fn all_well(terms: Terms, accounts: &[Account]) -> Items {
    let verdict = judge(&terms, accounts);
    assert_eq!(verdict.wrong, Vec::<String>::new());
    let Items {
        lost,
        duplicated,
        out_of_order,
        torn,
        ..
    } = verdict.items;
    assert_eq!([lost, duplicated, out_of_order, torn], [0; 4]);
    adds_up(verdict.items);
    verdict.items
}

/// What is wrong: lost, duplicated, out of order, torn.
fn wrong(terms: Terms, accounts: &[Account]) -> [u64; 4] {
    let verdict = judge(&terms, accounts);
    assert!(!verdict.wrong.is_empty());
    adds_up(verdict.items);
    let items = verdict.items;
    [items.lost, items.duplicated, items.out_of_order, items.torn]
}

fn adds_up(items: Items) {
    let fates = items.delivered + items.gone_with_the_dead + items.left_in_removed + items.lost;
    assert_eq!(items.pushed, fates, "{items:?}");
}

const KINDS: [Kind; 3] = [Kind::Spsc, Kind::Mpmc, Kind::Stream];

#[test]
fn what_comes_once_and_in_order_is_well() {
    for kind in KINDS {
        let log = [take(3), got(1, 0, 3), take(3), got(1, 3, 1), got(2, 0, 2)];
        let items = all_well(
            terms(kind, false),
            &[pushed(1, 4), pushed(2, 2), took(3, &log)],
        );
        assert_eq!((items.pushed, items.delivered), (6, 6));
    }
}

#[test]
fn a_lost_item_is_found() {
    for (kind, hold) in KINDS.map(|kind| [(kind, false), (kind, true)]).concat() {
        let log = [
            take(9),
            got(1, 0, 2),
            released(2),
            take(9),
            got(1, 3, 1),
            released(1),
        ];
        assert_eq!(
            wrong(terms(kind, hold), &[pushed(1, 4), took(2, &log)]),
            [1, 0, 0, 0]
        );
    }
}

#[test]
fn the_last_item_can_be_lost_too() {
    let log = [take(9), got(1, 0, 3), take(9)];
    assert_eq!(
        wrong(terms(Kind::Spsc, false), &[pushed(1, 4), took(2, &log)]),
        [1, 0, 0, 0]
    );
}

#[test]
fn a_duplicate_is_found() {
    let accounts = [
        pushed(1, 3),
        took(2, &[take(9), got(1, 0, 2)]),
        took(3, &[take(9), got(1, 1, 2)]),
    ];
    assert_eq!(wrong(terms(Kind::Stream, false), &accounts), [0, 1, 0, 0]);
    // Once because it came as new twice, and once because it was done with twice.
    assert_eq!(wrong(terms(Kind::Mpmc, false), &accounts), [0, 2, 0, 0]);
}

#[test]
fn an_item_that_comes_again_without_a_death_is_found() {
    let accounts = [
        pushed(1, 2),
        took(2, &[take(9), got(1, 0, 2)]),
        took(3, &[take(9), again(1, 1, 1)]),
    ];
    assert_eq!(wrong(terms(Kind::Mpmc, false), &accounts), [0, 2, 0, 0]);
}

#[test]
fn what_is_out_of_order_is_found() {
    for kind in KINDS {
        let log = [take(9), got(1, 1, 1), got(1, 0, 1), take(9)];
        assert_eq!(
            wrong(terms(kind, false), &[pushed(1, 2), took(2, &log)]),
            [0, 0, 1, 0]
        );
    }
}

#[test]
fn torn_items_and_those_that_were_never_pushed_are_found() {
    let torn = [
        take(9),
        Note::Bad {
            first: 1,
            second: 2,
        },
        got(1, 0, 1),
    ];
    let accounts = [pushed(1, 1), took(2, &torn)];
    assert_eq!(wrong(terms(Kind::Stream, false), &accounts), [0, 0, 0, 1]);
    let invented = [take(9), got(1, 0, 1), got(1, 1, 1), got(7, 0, 1)];
    let accounts = [pushed(1, 1), took(2, &invented)];
    assert_eq!(wrong(terms(Kind::Stream, false), &accounts), [0, 0, 0, 2]);
}

#[test]
fn a_killed_producers_last_run_is_there_whole_or_not_at_all() {
    let seen = |count| took(2, &[take(9), got(1, 0, count)]);
    let mpmc = terms(Kind::Mpmc, false);
    assert_eq!(
        all_well(mpmc, &[killed_pushing(1, 3, 3, true), seen(3)]).pushed,
        3
    );
    assert_eq!(
        all_well(mpmc, &[killed_pushing(1, 3, 3, true), seen(6)]).pushed,
        6
    );
    assert_eq!(
        wrong(mpmc, &[killed_pushing(1, 3, 3, true), seen(4)]),
        [2, 0, 0, 0]
    );
    // Where that is not promised, a part of it is as good.
    let spsc = terms(Kind::Spsc, false);
    assert_eq!(
        all_well(spsc, &[killed_pushing(1, 3, 3, false), seen(4)]).pushed,
        4
    );
}

#[test]
fn a_killed_takers_last_call_explains_as_many_as_it_asked_for() {
    let rest = took(3, &[take(9), got(1, 4, 1)]);
    let dead = |most| killed_taking(2, &[take(9), got(1, 0, 2), take(most)]);
    for kind in KINDS {
        let items = all_well(terms(kind, false), &[pushed(1, 5), dead(2), rest.clone()]);
        assert_eq!((items.delivered, items.gone_with_the_dead), (3, 2));
        assert_eq!(
            wrong(terms(kind, false), &[pushed(1, 5), dead(1), rest.clone()]),
            [1, 0, 0, 0]
        );
    }
}

#[test]
fn a_killed_holder_explains_no_loss_at_all() {
    let dead = killed_taking(2, &[take(9), got(1, 0, 2), released(2), take(9)]);
    for kind in KINDS {
        assert_eq!(
            wrong(terms(kind, true), &[pushed(1, 3), dead.clone()]),
            [1, 0, 0, 0]
        );
    }
}

#[test]
fn what_a_killed_holder_had_in_hand_comes_again_or_is_gone() {
    let dead = killed_taking(2, &[take(9), got(1, 0, 2)]);
    let rest = took(3, &[take(9), got(1, 2, 1), released(1)]);
    for kind in KINDS {
        let items = all_well(
            terms(kind, true),
            &[pushed(1, 3), dead.clone(), rest.clone()],
        );
        assert_eq!((items.delivered, items.gone_with_the_dead), (1, 2));
    }
    let next = took(
        3,
        &[
            take(9),
            again(1, 0, 2),
            released(2),
            take(9),
            got(1, 2, 1),
            released(1),
        ],
    );
    let items = all_well(terms(Kind::Mpmc, true), &[pushed(1, 3), dead.clone(), next]);
    assert_eq!((items.delivered, items.delivered_again), (3, 2));
    let next = took(3, &[take(9), got(1, 0, 3), released(3)]);
    let items = all_well(
        terms(Kind::Spsc, true),
        &[pushed(1, 3), dead.clone(), next.clone()],
    );
    assert_eq!((items.delivered, items.delivered_again), (3, 2));
    // Where it can be told, it must be.
    assert_eq!(
        wrong(terms(Kind::Mpmc, true), &[pushed(1, 3), dead, next]),
        [0, 2, 0, 0]
    );
}

#[test]
fn what_was_put_back_comes_again() {
    let once = [take(9), got(1, 0, 3), released(1), take(9)];
    for kind in KINDS {
        assert_eq!(
            wrong(terms(kind, true), &[pushed(1, 3), took(2, &once)]),
            [2, 0, 0, 0]
        );
        let rest = if kind == Kind::Mpmc {
            again(1, 1, 2)
        } else {
            got(1, 1, 2)
        };
        let log = [once.as_slice(), &[rest, released(2)]].concat();
        assert_eq!(
            all_well(terms(kind, true), &[pushed(1, 3), took(2, &log)]).delivered,
            3
        );
    }
}

#[test]
fn what_is_dropped_with_a_dead_holder_is_counted() {
    let accounts = [
        pushed(1, 9),
        killed_taking(2, &[take(8)]),
        took(3, &[take(9), got(1, 8, 1), released(1)]),
    ];
    let dropping = |dropped| Terms {
        drops: true,
        dropped,
        ..terms(Kind::Mpmc, true)
    };
    assert_eq!(all_well(dropping(8), &accounts).gone_with_the_dead, 8);
    // One who cleared up may not have come to counting a run, of no more than the capacity.
    assert_eq!(all_well(dropping(4), &accounts).gone_with_the_dead, 8);
    assert_eq!(wrong(dropping(3), &accounts), [1, 0, 0, 0]);
    assert_eq!(wrong(dropping(0), &accounts), [4, 0, 0, 0]);
}

#[test]
fn a_removed_ring_takes_no_more_with_it_than_it_holds() {
    let removed = Terms {
        removed: true,
        ..terms(Kind::Spsc, true)
    };
    let log = [take(9), got(1, 0, 1), released(1)];
    assert_eq!(
        all_well(removed, &[pushed(1, 5), took(2, &log)]).left_in_removed,
        4
    );
    assert_eq!(wrong(removed, &[pushed(1, 6), took(2, &log)]), [1, 0, 0, 0]);
}
