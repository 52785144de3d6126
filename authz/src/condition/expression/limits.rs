//! The limits of expressions, each with its reason. Nothing else here bounds work by a bare number.

/// The longest expression, in bytes. What needs more is a program, not a rule, and nobody reviews it as one.
pub(crate) const SOURCE_BYTES: usize = 4096;

/// How deep an expression may be nested: brackets while it is read, operators upon operators in what was read. Both are
/// followed by calls of functions, whose stack in the sandbox is small.
pub(crate) const DEPTH: usize = 32;

/// Parts of an expression: names, values, operators.
pub(crate) const PARTS: usize = 1000;

/// How deep `exists`, `all`, `filter`, `map` may be nested in one another: work grows with the length of the lists to
/// this power.
pub(crate) const COMPREHENSIONS: usize = 2;

/// Steps of one evaluation: parts evaluated, elements looked at, and [`STEP_BYTES`] of text each. Lists and texts come
/// from tokens of 16 KiB at most, which hold some 8,000 elements, and from answers of introspection of 1 MiB at most: an
/// expression that looks at each element a few times stays within this, and one that compares each with each does not.
/// In the sandbox it is a millisecond or two.
pub(crate) const STEPS: usize = 50_000;

/// Bytes of text that are looked at or made in one step.
pub(crate) const STEP_BYTES: usize = 32;

/// The longest text that an expression may make, in bytes: as long as all of a request that is looked at.
pub(crate) const TEXT_BYTES: usize = 64 * 1024;
