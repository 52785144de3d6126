//! Sets of scopes as bits.

use std::iter::successors;

use smallvec::SmallVec;

/// The index of a scope in the catalogue, which is sorted.
pub(crate) type ScopeId = usize;

const BITS: usize = u64::BITS as usize;

/// Catalogues of up to 256 scopes need no allocation.
type Words = SmallVec<[u64; 4]>;

/// A set of scopes of one catalogue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ScopeSet {
    words: Words,
}

impl ScopeSet {
    /// No scopes, of a catalogue of `size`.
    pub(crate) fn empty(size: usize) -> Self {
        Self {
            words: Words::from_elem(0, size.div_ceil(BITS)),
        }
    }

    pub(crate) fn insert(&mut self, scope: ScopeId) {
        if let Some(word) = self.words.get_mut(scope / BITS) {
            *word |= 1 << (scope % BITS);
        }
    }

    pub(crate) fn contains(&self, scope: ScopeId) -> bool {
        self.words
            .get(scope / BITS)
            .is_some_and(|word| word & (1 << (scope % BITS)) != 0)
    }

    pub(crate) fn union_with(&mut self, other: &Self) {
        self.words
            .iter_mut()
            .zip(&other.words)
            .for_each(|(word, other)| *word |= other);
    }

    pub(crate) fn intersect_with(&mut self, other: &Self) {
        self.words
            .iter_mut()
            .zip(&other.words)
            .for_each(|(word, other)| *word &= other);
    }

    pub(crate) fn is_subset(&self, other: &Self) -> bool {
        self.words
            .iter()
            .zip(&other.words)
            .all(|(word, other)| word & !other == 0)
    }

    pub(crate) fn intersects(&self, other: &Self) -> bool {
        self.words
            .iter()
            .zip(&other.words)
            .any(|(word, other)| word & other != 0)
    }

    /// How many scopes of this set are not in `other`.
    pub(crate) fn lacking(&self, other: &Self) -> u32 {
        self.words
            .iter()
            .zip(&other.words)
            .map(|(word, other)| (word & !other).count_ones())
            .sum()
    }

    /// Its scopes, in the order of the catalogue.
    pub(crate) fn iter(&self) -> impl Iterator<Item = ScopeId> {
        self.words.iter().enumerate().flat_map(|(index, word)| {
            let first = index.saturating_mul(BITS);
            let without_lowest = |rest: &u64| rest & (rest.wrapping_sub(1));
            let rests = successors(Some(*word), move |rest| Some(without_lowest(rest)));
            let bits = rests.take_while(|rest| *rest != 0).map(u64::trailing_zeros);
            bits.filter_map(move |bit| first.checked_add(usize::try_from(bit).ok()?))
        })
    }
}
