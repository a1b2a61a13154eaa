//! Storage that hands out keys which never name a later tenant of the same place.

/// Where a thing is kept in a [`Slots`]. It stays valid until the thing is removed and finds nothing ever after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(u64);

/// Low bits of a key: the place. 2^28 things at a time are more than a process has memory for; the other 36 bits number the
/// tenants, which at a million per second lasts for nineteen hours before the numbers repeat.
const PLACE_BITS: u32 = 28;

/// Below so many places nothing is given back to the allocator: it is not worth the work.
const KEPT_PLACES: usize = 1024;

impl Key {
    fn new(place: u32, tenant: u64) -> Self {
        Self(tenant << PLACE_BITS | u64::from(place))
    }

    fn place(self) -> usize {
        usize::try_from(self.0 & ((1 << PLACE_BITS) - 1)).unwrap_or(usize::MAX)
    }

    /// The key as the tag of a delivery.
    pub(super) fn to_tag(self) -> u64 {
        self.0
    }

    /// The key that a tag was made of.
    pub(super) fn from_tag(tag: u64) -> Self {
        Self(tag)
    }
}

/// Things that are found by the key they got when they were inserted, in constant time.
#[derive(Debug)]
pub(super) struct Slots<T> {
    places: Vec<(Key, Option<T>)>,
    free: Vec<u32>,
    tenants: u64,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { places: Vec::new(), free: Vec::new(), tenants: 0 }
    }
}

impl<T> Slots<T> {
    pub(super) fn insert(&mut self, thing: T) -> Key {
        self.tenants += 1;
        match self.free.pop() {
            Some(place) => {
                let key = Key::new(place, self.tenants);
                self.places[place as usize] = (key, Some(thing));
                key
            }
            None => {
                let key = Key::new(u32::try_from(self.places.len()).unwrap_or(u32::MAX), self.tenants);
                self.places.push((key, Some(thing)));
                key
            }
        }
    }

    pub(super) fn get(&self, key: Key) -> Option<&T> {
        self.places.get(key.place()).filter(|(tenant, _)| *tenant == key)?.1.as_ref()
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.places.get_mut(key.place()).filter(|(tenant, _)| *tenant == key)?.1.as_mut()
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        let thing = self.places.get_mut(key.place()).filter(|(tenant, _)| *tenant == key)?.1.take()?;
        self.free.push(u32::try_from(key.place()).unwrap_or(u32::MAX));
        if self.free.len() == self.places.len() && self.places.capacity() > KEPT_PLACES {
            (self.places, self.free) = (Vec::new(), Vec::new());
        }
        Some(thing)
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.places.iter().filter_map(|(key, thing)| Some((*key, thing.as_ref()?)))
    }

    /// Removes everything that `gone` points at; the keys tell where it was.
    pub(super) fn take_if(&mut self, mut gone: impl FnMut(&T) -> bool) -> Vec<T> {
        let keys: Vec<Key> = self.iter().filter(|(_, thing)| gone(thing)).map(|(key, _)| key).collect();
        keys.into_iter().filter_map(|key| self.remove(key)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_never_finds_the_next_tenant_of_its_place() {
        let mut slots = Slots::default();
        let old = slots.insert("old");
        assert_eq!(slots.remove(old), Some("old"));
        let new = slots.insert("new");
        assert_eq!((slots.get(old), slots.get(new)), (None, Some(&"new")));
        assert_eq!((slots.remove(old), slots.len()), (None, 1));
        assert_eq!(Key::from_tag(new.to_tag()), new);
    }

    #[test]
    fn memory_is_given_back_when_everything_left() {
        let mut slots = Slots::default();
        let keys: Vec<Key> = (0..4 * KEPT_PLACES).map(|number| slots.insert(number)).collect();
        let stale = keys[7];
        for key in keys {
            slots.remove(key);
        }
        assert_eq!(slots.places.capacity(), 0);
        slots.take_if(|_| true);
        (0..8).for_each(|number| assert_ne!(slots.insert(number), stale));
        assert_eq!((slots.get(stale), slots.len()), (None, 8));
    }
}
