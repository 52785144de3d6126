//! Multiples of a point, made once, so that it can be multiplied with few additions: combs, after Lim and Lee (CRYPTO
//! '94). The curve is another crate's: here points are added to each other, and nothing is known of their coordinates.
//!
//! All of it takes a time that depends on the numbers. It is for verifying, where none of them is a secret.

use std::iter;
use std::ops::Add;

/// How many bits of a number choose one multiple.
const TEETH: usize = 8;

/// How many combs there are, each for its part of the gaps between the teeth: with two there are half the doublings.
const COMBS: usize = 2;

/// The multiples of one point.
#[derive(Debug)]
pub(crate) struct Multiples<P>([Box<[P]>; COMBS]);

/// A point that can be added to another.
pub(crate) trait Point: Copy + for<'p> Add<&'p Self, Output = Self> {}

impl<P: Copy + for<'p> Add<&'p P, Output = P>> Point for P {}

impl<P: Point> Multiples<P> {
    /// The multiples of `point`, for numbers of so many bytes, which must be even.
    pub(super) fn of(point: P, bytes: usize) -> Self {
        let next =
            |power: &P| Some(iter::repeat_n((), bytes / COMBS).fold(*power, |power, ()| power + &power));
        let powers: Vec<P> = iter::successors(Some(point), next).take(TEETH * COMBS).collect();
        Self([0, 1].map(|comb| sums(powers.iter().skip(comb).step_by(COMBS))))
    }

    /// How many bytes they take.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(|sums| size_of_val::<[P]>(sums)).sum()
    }

    /// What the bits of `number` at `place`, and at as many places more as there are combs, stand for.
    fn chosen(&self, number: &[u8], place: usize) -> impl Iterator<Item = &P> {
        self.0.iter().enumerate().filter_map(move |(comb, sums)| {
            let chosen = teeth(number, place + comb * number.len() / COMBS);
            sums.get(chosen.checked_sub(1)?)
        })
    }
}

/// The sum of the points, each times its number: little-endian, of as many bytes as its multiples were made for.
pub(super) fn combination<P: Point>(zero: P, terms: &[(&Multiples<P>, &[u8])]) -> P {
    let places = terms.first().map_or(0, |(_, number)| number.len() / COMBS);
    (0..places).rev().fold(zero, |sum, place| {
        let chosen = terms
            .iter()
            .flat_map(|(multiples, number)| multiples.chosen(number, place));
        chosen.fold(sum + &sum, |sum, point| sum + point)
    })
}

/// The bytes of a number that chooses another multiple at nearly every place: multiples are tried with it. The first is 0.
pub(super) fn proof_byte(place: usize) -> u8 {
    u8::try_from(place).unwrap_or_default().wrapping_mul(167)
}

/// Every sum of some of the points: at one less than a number whose bits say which.
fn sums<'p, P: Point + 'p>(points: impl Iterator<Item = &'p P>) -> Box<[P]> {
    let mut sums = Vec::with_capacity((1 << TEETH) - 1);
    for point in points {
        let with_it: Vec<P> = sums.iter().map(|sum| *sum + point).collect();
        sums.push(*point);
        sums.extend(with_it);
    }
    sums.into_boxed_slice()
}

/// The bits of `number` at `place` and at the same place under every other tooth, the lowest first.
fn teeth(number: &[u8], place: usize) -> usize {
    (0..TEETH).fold(0, |chosen, tooth| {
        let bit = place + tooth * number.len();
        let byte = number.get(bit / 8).copied().unwrap_or_default();
        chosen | usize::from(byte >> (bit % 8) & 1) << tooth
    })
}

#[cfg(test)]
mod tests {
    use std::num::Wrapping;

    use super::*;

    /// Numbers under addition are a group as well, in which it is plain what a product is.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Number(Wrapping<u64>);

    impl Add<&Self> for Number {
        type Output = Self;
        fn add(self, other: &Self) -> Self {
            Self(self.0 + other.0)
        }
    }

    #[test]
    fn a_sum_of_products_is_what_multiplication_says() {
        let [one, other] = [3, 0x9e37_79b9_7f4a_7c15].map(|number| Number(Wrapping(number)));
        let [multiples, others] = [one, other].map(|number| Multiples::of(number, 8));
        let edges = [
            0,
            1,
            2,
            0xff,
            0x100,
            u64::MAX,
            u64::MAX - 1,
            1 << 63,
            0x0101_0101_0101_0101,
        ];
        let more = (0..1000_u64).map(|number| number.wrapping_mul(0xd134_2543_de82_ef95).rotate_left(23));
        let numbers: Vec<u64> = edges.into_iter().chain(more).collect();
        for (first, second) in numbers.iter().zip(numbers.iter().rev()) {
            let terms = [first, second].map(|number| number.to_le_bytes());
            let sum = combination(
                Number(Wrapping(0)),
                &[(&multiples, &terms[0]), (&others, &terms[1])],
            );
            let expected = one.0 * Wrapping(*first) + other.0 * Wrapping(*second);
            assert_eq!(sum, Number(expected), "{first} {second}");
        }
    }
}
