//! An array of which a copy is had in a moment, however long it is.

use std::ops::{Index, IndexMut};
use std::sync::Arc;

/// Values a page. A small page makes a copy take longer to begin, a large one each first change after it. Those of accounts are the
/// blocks of the database as well (ADR 17), so another size needs a migration.
pub(crate) const PAGE: usize = 128;

/// The page that a place is on.
pub(crate) const fn page_of(place: usize) -> usize {
    place / PAGE
}

/// A growing array in pages. A copy has its pages in common with the original, and a page that both have is copied by whoever
/// changes it first.
#[derive(Clone, Debug)]
pub(crate) struct Pages<T> {
    /// What lies beyond `len` in the last one means nothing.
    pages: Vec<Arc<[T; PAGE]>>,
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
        (place < self.len).then(|| &self.pages[page_of(place)][place % PAGE])
    }

    /// How many pages there are.
    pub(crate) const fn pages(&self) -> usize {
        self.pages.len()
    }

    /// One page as it is now, whatever becomes of it, and how many of its values count; `None` beyond the end.
    pub(crate) fn page(&self, page: usize) -> Option<(Arc<[T; PAGE]>, usize)> {
        let values = self.pages.get(page)?;
        Some((Arc::clone(values), PAGE.min(self.len - page * PAGE)))
    }

    /// Makes room for so many more.
    pub(crate) fn reserve(&mut self, more: usize) {
        self.pages.reserve(more / PAGE + 1);
    }

    pub(crate) fn push(&mut self, value: T) {
        let place = self.len;
        self.len += 1;
        if place.is_multiple_of(PAGE) {
            self.pages.push(Arc::new([value; PAGE]));
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
        self.pages.iter().flat_map(|page| page.iter()).take(self.len)
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
        &mut Arc::make_mut(&mut self.pages[page_of(place)])[place % PAGE]
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
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => any::<u32>().prop_map(Step::Push),
            2 => Just(Step::Pop),
            4 => (any::<usize>(), any::<u32>()).prop_map(|(place, value)| Step::Set(place, value)),
            1 => Just(Step::Copy),
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
                    Step::Copy => copies.push((pages.clone(), array.clone())),
                }
                prop_assert_eq!(pages.len(), array.len());
            }
            copies.push((pages, array));
            for (pages, array) in copies {
                prop_assert_eq!(pages.iter().copied().collect::<Vec<u32>>(), array.clone());
                prop_assert!((0..array.len()).all(|place| pages[place] == array[place]));
                let by_page = (0..).map_while(|page| pages.page(page));
                let by_page = by_page.flat_map(|(values, count)| values[..count].to_vec());
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
