//! Drawing at random, from a seed.

use fastrand::Rng;

/// One of `choices`.
pub(crate) fn one<'c, T>(rng: &mut Rng, choices: &'c [T]) -> &'c T {
    &choices[rng.usize(..choices.len())]
}

/// `true` once in `times`.
pub(crate) fn once_in(rng: &mut Rng, times: u32) -> bool {
    rng.u32(..times) == 0
}

/// Between `least` and `most` different ones of `choices`, in their order.
pub(crate) fn some<T: Clone>(rng: &mut Rng, choices: &[T], least: usize, most: usize) -> Vec<T> {
    let count = rng.usize(least..=most.min(choices.len()));
    let mut places = rng.choose_multiple(0..choices.len(), count);
    places.sort_unstable();
    places.into_iter().map(|place| choices[place].clone()).collect()
}

/// The same as [`some`], in any order.
pub(crate) fn shuffled<T: Clone>(rng: &mut Rng, choices: &[T], least: usize, most: usize) -> Vec<T> {
    let mut drawn = some(rng, choices, least, most);
    rng.shuffle(&mut drawn);
    drawn
}

/// One of some words.
pub(crate) fn word<'w>(rng: &mut Rng, words: &[&'w str]) -> &'w str {
    words[rng.usize(..words.len())]
}
