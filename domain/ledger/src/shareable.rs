//! A value that is given away as it is in a moment and goes on to change.

use std::sync::Arc;

/// A value of one's own until it is shared, and again as soon as it is changed after that: others have it as it was.
///
/// To change it while it is one's own costs no more than to see that it is. [`Arc::make_mut`] counts the owners each time by an
/// atomic instruction, which waits until all that was written before has reached the cache.
#[derive(Clone, Debug)]
pub enum Shareable<V> {
    /// Nobody else has it.
    Own(V),
    /// Somebody else may have it.
    Common(Arc<V>),
}

impl<V: Clone + Default> Shareable<V> {
    /// The value as it is now.
    pub fn get(&self) -> &V {
        match self {
            Self::Own(value) => value,
            Self::Common(value) => value,
        }
    }

    /// The value, to change it. It is copied if somebody still has it as it was.
    pub fn get_mut(&mut self) -> &mut V {
        if let Self::Common(_) = self
            && let Self::Common(value) = std::mem::replace(self, Self::Own(V::default()))
        {
            *self = Self::Own(Arc::unwrap_or_clone(value));
        }
        match self {
            Self::Own(value) => value,
            Self::Common(_) => unreachable!("it is one's own now"),
        }
    }

    /// The value as it is now, whatever becomes of it.
    pub fn share(&mut self) -> Arc<V> {
        match self {
            Self::Own(value) => {
                let value = Arc::new(std::mem::take(value));
                *self = Self::Common(Arc::clone(&value));
                value
            }
            Self::Common(value) => Arc::clone(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_copied_when_it_changes_while_somebody_has_it_as_it_was() {
        let mut value = Shareable::Own(Box::new(1));
        let place = |value: &Shareable<Box<i32>>| std::ptr::from_ref(&**value.get());
        let first = place(&value);
        **value.get_mut() = 2;
        let shared = value.share();
        assert_eq!((**shared, **value.share()), (2, 2));
        **value.get_mut() = 3;
        assert_eq!((**shared, **value.get()), (2, 3));
        drop(shared);
        let (second, shared) = (place(&value), value.share());
        assert_ne!(first, second);
        drop(shared);
        **value.get_mut() = 4;
        assert_eq!(
            (place(&value), **value.get()),
            (second, 4),
            "nobody had it any more"
        );
    }
}
