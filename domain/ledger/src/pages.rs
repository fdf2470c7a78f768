//! An array that is given away as it is in a moment, however long it is.

use std::ops::{Index, IndexMut};
use std::sync::Arc;

use crate::Shareable;

/// Values a page. A small page makes it take longer to give all away, a large one each first change after it. Those of accounts are the
/// blocks of the database as well (ADR 17), so another size needs a migration.
pub(crate) const PAGE: usize = 128;

/// The page that a place is on.
pub(crate) const fn page_of(place: usize) -> usize {
    place / PAGE
}

/// Values that lie together. What lies beyond the length of the whole means nothing.
type Page<T> = Shareable<Box<[T]>>;

/// A page as it was at a moment.
pub(crate) type CommonPage<T> = Arc<Box<[T]>>;

/// A growing array in pages, of which all or one are given away as they are: a page that others have too is copied before it is
/// changed.
#[derive(Clone, Debug)]
pub(crate) struct Pages<T> {
    pages: Vec<Page<T>>,
    len: usize,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self {
            pages: Vec::new(),
            len: 0,
        }
    }
}

impl<T: Copy> Pages<T> {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, place: usize) -> Option<&T> {
        (place < self.len).then(|| &self.pages[page_of(place)].get()[place % PAGE])
    }

    /// How many pages there are.
    pub(crate) const fn pages(&self) -> usize {
        self.pages.len()
    }

    /// One page as it is now, whatever becomes of it, and how many of its values count; `None` beyond the end.
    pub(crate) fn share_page(&mut self, page: usize) -> Option<(CommonPage<T>, usize)> {
        let values = self.pages.get_mut(page)?;
        Some((values.share(), PAGE.min(self.len - page * PAGE)))
    }

    /// All pages as they are now, whatever becomes of them.
    pub(crate) fn share(&mut self) -> Self {
        let share = |page: &mut Page<T>| Shareable::Common(page.share());
        Self {
            pages: self.pages.iter_mut().map(share).collect(),
            len: self.len,
        }
    }

    /// Makes room for so many more.
    pub(crate) fn reserve(&mut self, more: usize) {
        self.pages.reserve(more / PAGE + 1);
    }

    pub(crate) fn push(&mut self, value: T) {
        let place = self.len;
        self.len += 1;
        if place.is_multiple_of(PAGE) {
            self.pages
                .push(Shareable::Own(vec![value; PAGE].into_boxed_slice()));
        } else {
            self[place] = value;
        }
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        let last = self.len.checked_sub(1)?;
        let value = self[last];
        self.len = last;
        if last.is_multiple_of(PAGE) {
            self.pages.pop();
        }
        Some(value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flat_map(Shareable::get).take(self.len)
    }
}

impl<T: Copy> Index<usize> for Pages<T> {
    type Output = T;

    fn index(&self, place: usize) -> &T {
        self.get(place).expect("beyond the end")
    }
}

impl<T: Copy> IndexMut<usize> for Pages<T> {
    fn index_mut(&mut self, place: usize) -> &mut T {
        assert!(place < self.len, "beyond the end");
        &mut self.pages[page_of(place)].get_mut()[place % PAGE]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Push(u32),
        Pop,
        Set(usize, u32),
        Copy,
        Clone,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => any::<u32>().prop_map(Step::Push),
            2 => Just(Step::Pop),
            4 => (any::<usize>(), any::<u32>()).prop_map(|(place, value)| Step::Set(place, value)),
            1 => Just(Step::Copy),
            1 => Just(Step::Clone),
        ]
    }

    proptest! {
        #[test]
        fn pages_are_an_array_and_a_copy_stays_as_it_was(
            first in 0..3 * PAGE, steps in proptest::collection::vec(step(), 0..200),
        ) {
            let (mut pages, mut array) = (Pages::default(), Vec::new());
            for value in (0..).take(first) {
                pages.push(value);
                array.push(value);
            }
            let mut copies = Vec::new();
            for step in steps {
                match step {
                    Step::Push(value) => {
                        pages.push(value);
                        array.push(value);
                    }
                    Step::Pop => prop_assert_eq!(pages.pop(), array.pop()),
                    Step::Set(place, value) if !array.is_empty() => {
                        let place = place % array.len();
                        pages[place] = value;
                        array[place] = value;
                    }
                    Step::Set(..) => {}
                    Step::Copy => copies.push((pages.share(), array.clone())),
                    Step::Clone => copies.push((pages.clone(), array.clone())),
                }
                prop_assert_eq!(pages.len(), array.len());
            }
            copies.push((pages, array));
            for (mut pages, array) in copies {
                prop_assert_eq!(pages.iter().copied().collect::<Vec<u32>>(), array.clone());
                prop_assert!((0..array.len()).all(|place| pages[place] == array[place]));
                let by_page: Vec<_> = (0..).map_while(|page| pages.share_page(page)).collect();
                let by_page = by_page.into_iter().flat_map(|(values, count)| values[..count].to_vec());
                prop_assert_eq!(by_page.collect::<Vec<u32>>(), array);
            }
        }
    }

    #[test]
    #[should_panic(expected = "beyond the end")]
    fn what_lies_beyond_the_end_is_not_told() {
        let mut pages = Pages::default();
        pages.push(1);
        let _ = pages[1];
    }
}
