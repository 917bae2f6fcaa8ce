//! The items of a feed, one after the other, and how it ended. The same for all kinds of rings.

use crate::error::PopError;

/// What items can be popped from: the consumers of this crate.
pub trait Pop {
    /// What is popped.
    type Item;

    /// Takes the next item, waiting for it.
    ///
    /// # Errors
    ///
    /// Those of [`spsc::Consumer::pop`](crate::spsc::Consumer::pop).
    fn pop_next(&mut self) -> Result<Self::Item, PopError>;
}

/// The items of a feed, each waited for.
///
/// It ends when the feed does, or when an item cannot be had for another reason: [`Iter::end`] says which. It is no latch: a
/// new producer revives the feed, and then there may be more items.
#[derive(Debug)]
pub struct Iter<'a, C> {
    consumer: &'a mut C,
    end: Option<PopError>,
}

/// The items of a feed, each waited for, by an iterator that has the consumer.
///
/// As [`Iter`].
#[derive(Debug)]
pub struct IntoIter<C> {
    consumer: C,
    end: Option<PopError>,
}

impl<'a, C> Iter<'a, C> {
    pub(crate) fn new(consumer: &'a mut C) -> Self {
        let end = None;
        Self { consumer, end }
    }

    /// Why there was no next item: [`PopError::Disconnected`] where the feed ended. `None` as long as there was one.
    pub fn end(&self) -> Option<PopError> {
        self.end
    }
}

impl<C> IntoIter<C> {
    pub(crate) fn new(consumer: C) -> Self {
        let end = None;
        Self { consumer, end }
    }

    /// Why there was no next item: [`PopError::Disconnected`] where the feed ended. `None` as long as there was one.
    pub fn end(&self) -> Option<PopError> {
        self.end
    }

    /// The consumer, for what else is to be done with it.
    pub fn into_inner(self) -> C {
        self.consumer
    }
}

#[inline]
fn next<C: Pop>(consumer: &mut C, end: &mut Option<PopError>) -> Option<C::Item> {
    match consumer.pop_next() {
        Ok(item) => Some(item),
        Err(error) => {
            *end = Some(error);
            None
        }
    }
}

impl<C: Pop> Iterator for Iter<'_, C> {
    type Item = C::Item;

    #[inline]
    fn next(&mut self) -> Option<C::Item> {
        next(self.consumer, &mut self.end)
    }
}

impl<C: Pop> Iterator for IntoIter<C> {
    type Item = C::Item;

    #[inline]
    fn next(&mut self) -> Option<C::Item> {
        next(&mut self.consumer, &mut self.end)
    }
}

/// The item of that number of two slices, one behind the other.
#[inline]
pub(crate) fn item_of<'a, T>((first, second): (&'a [T], &'a [T]), n: usize) -> Option<&'a T> {
    match n.checked_sub(first.len()) {
        None => first.get(n),
        Some(n) => second.get(n),
    }
}
