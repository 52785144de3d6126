//! Every reading that an upstream could make of a path: the path, and whatever comes of it by any number of the
//! steps that upstreams take, in any order.

use serde_json::Value;

use crate::value::{authorization, text};

/// A letter of a path that was decoded once, and whether it came as an escape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sign {
    pub(crate) letter: char,
    pub(crate) escaped: bool,
}

/// A path as an upstream could read it.
type Reading = Vec<Sign>;

/// What the policy says of its upstream: "each field a word, default the strict one".
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) folds_case: bool,
    pub(crate) keeps_encoded_slashes: bool,
    decodes_slashes: bool,
    pub(crate) keeps_backslashes: bool,
    keeps_semicolons: bool,
    keeps_double_slashes: bool,
    merges_slashes: bool,
    pub(crate) resolves_dots: bool,
}

impl Upstream {
    pub(crate) fn of(policy: &Value) -> Self {
        let readings = authorization(policy).get("path_readings").unwrap_or(&Value::Null);
        let says = |field: &str, word: &str| text(readings, field) == Some(word);
        Self {
            folds_case: readings.as_str() == Some("case_insensitive") || says("case", "insensitive"),
            keeps_encoded_slashes: says("encoded_slashes", "kept"),
            decodes_slashes: says("encoded_slashes", "decoded"),
            keeps_backslashes: says("backslashes", "kept"),
            keeps_semicolons: says("semicolons", "kept"),
            keeps_double_slashes: says("double_slashes", "kept"),
            merges_slashes: says("double_slashes", "merged"),
            resolves_dots: says("dot_segments", "resolved"),
        }
    }

    /// What this upstream may do to a path, one thing at a time.
    fn steps(&self) -> Vec<fn(&[Sign]) -> Reading> {
        let mut steps: Vec<fn(&[Sign]) -> Reading> = vec![
            decode_dots,
            resolve_dots,
            cut_at_question_mark,
            cut_at_hash,
            drop_host,
            drop_trailing_slash,
        ];
        if !self.keeps_encoded_slashes {
            steps.push(decode_slashes);
        }
        if !self.keeps_backslashes {
            steps.push(decode_backslashes);
            steps.push(turn_backslashes);
        }
        if !self.keeps_semicolons {
            steps.push(decode_semicolons);
            steps.push(strip_parameters);
            steps.push(cut_at_semicolon);
        }
        if !self.keeps_double_slashes {
            steps.push(merge_slashes);
        }
        steps
    }

    /// Whether this upstream would leave the path at that.
    fn is_done(&self, reading: &[Sign]) -> bool {
        let unless = |always: bool, step: fn(&[Sign]) -> Reading| !always || step(reading) == reading;
        // "Escapes of unreserved characters ... always decode": sooner or later.
        unless(true, decode_dots)
            && unless(self.resolves_dots, resolve_dots)
            && unless(self.merges_slashes, merge_slashes)
            && unless(self.decodes_slashes, decode_slashes)
    }
}

/// "look at every reading an upstream could make of it", each as its segments.
pub(crate) fn readings(path: &[Sign], upstream: &Upstream) -> Vec<Vec<String>> {
    let mut found: Vec<Reading> = vec![path.to_vec()];
    let mut next = 0;
    while let Some(reading) = found.get(next).cloned() {
        for step in upstream.steps() {
            let changed = step(&reading);
            if !found.contains(&changed) {
                found.push(changed);
            }
        }
        next = next.saturating_add(1);
    }
    let done = found.iter().filter(|reading| upstream.is_done(reading));
    done.map(|reading| segments(reading)).collect()
}

/// The segments of a path; "one trailing slash on a request path is ignored".
fn segments(reading: &[Sign]) -> Vec<String> {
    let mut parts = split(reading);
    if parts.last().is_some_and(Vec::is_empty) {
        parts.pop();
    }
    let letters = |part: &Reading| part.iter().map(|sign| sign.letter).collect();
    parts.iter().map(letters).collect()
}

/// What stands between slashes, after the first one.
fn split(reading: &[Sign]) -> Vec<Reading> {
    let mut parts: Vec<Reading> = reading.split(is_slash).map(<[Sign]>::to_vec).collect();
    if parts.first().is_some_and(Vec::is_empty) {
        parts.remove(0);
    }
    parts
}

fn join(parts: &[Reading]) -> Reading {
    let mut path = Vec::new();
    for part in parts {
        path.push(SLASH);
        path.extend(part);
    }
    if path.is_empty() { vec![SLASH] } else { path }
}

const SLASH: Sign = Sign {
    letter: '/',
    escaped: false,
};

fn is_slash(sign: &Sign) -> bool {
    *sign == SLASH
}

fn is_plain(sign: &Sign, letter: char) -> bool {
    !sign.escaped && sign.letter == letter
}

/// `%2F` is a slash.
fn decode_slashes(path: &[Sign]) -> Reading {
    unescape(path, '/')
}

/// `%2E` is a dot, which may have been decoded after dot segments were resolved.
fn decode_dots(path: &[Sign]) -> Reading {
    unescape(path, '.')
}

/// `%5C` is a backslash.
fn decode_backslashes(path: &[Sign]) -> Reading {
    unescape(path, '\\')
}

/// `%3B` is a semicolon.
fn decode_semicolons(path: &[Sign]) -> Reading {
    unescape(path, ';')
}

fn unescape(path: &[Sign], letter: char) -> Reading {
    let plain = |sign: &Sign| match sign.letter == letter {
        true => Sign {
            letter,
            escaped: false,
        },
        false => *sign,
    };
    path.iter().map(plain).collect()
}

/// `\` is a slash.
fn turn_backslashes(path: &[Sign]) -> Reading {
    let turned = |sign: &Sign| if is_plain(sign, '\\') { SLASH } else { *sign };
    path.iter().map(turned).collect()
}

/// `;params`: what follows a semicolon in a segment is no part of it.
fn strip_parameters(path: &[Sign]) -> Reading {
    let name = |part: &Reading| {
        part.iter()
            .take_while(|sign| !is_plain(sign, ';'))
            .copied()
            .collect()
    };
    join(&split(path).iter().map(name).collect::<Vec<Reading>>())
}

/// `;params` of the whole path (RFC 2396 knew those of the last segment).
fn cut_at_semicolon(path: &[Sign]) -> Reading {
    path.iter()
        .take_while(|sign| !is_plain(sign, ';'))
        .copied()
        .collect()
}

/// "a trailing slash removed".
fn drop_trailing_slash(path: &[Sign]) -> Reading {
    match path {
        [rest @ .., last] if is_slash(last) && !rest.is_empty() => rest.to_vec(),
        _ => path.to_vec(),
    }
}

/// "`//host` as authority": the path is what follows the host (RFC 3986 section 4.2).
fn drop_host(path: &[Sign]) -> Reading {
    if !matches!(path, [first, second, ..] if is_slash(first) && is_slash(second)) {
        return path.to_vec();
    }
    let host = path.iter().skip_while(|sign| is_slash(sign));
    let rest: Reading = host.skip_while(|sign| !is_slash(sign)).copied().collect();
    if rest.is_empty() { vec![SLASH] } else { rest }
}

/// `%3F` as a cut.
fn cut_at_question_mark(path: &[Sign]) -> Reading {
    path.iter()
        .take_while(|sign| sign.letter != '?')
        .copied()
        .collect()
}

/// `%23` as a cut.
fn cut_at_hash(path: &[Sign]) -> Reading {
    path.iter()
        .take_while(|sign| sign.letter != '#')
        .copied()
        .collect()
}

/// `//` is `/`.
fn merge_slashes(path: &[Sign]) -> Reading {
    let mut merged: Reading = Vec::new();
    for sign in path {
        if !(is_slash(sign) && merged.last().is_some_and(is_slash)) {
            merged.push(*sign);
        }
    }
    merged
}

/// Dot segments (RFC 3986 section 5.2.4).
fn resolve_dots(path: &[Sign]) -> Reading {
    let parts = split(path);
    let mut kept: Vec<Reading> = Vec::new();
    let last = parts.len().saturating_sub(1);
    for (place, part) in parts.into_iter().enumerate() {
        let dots = part.iter().all(|sign| is_plain(sign, '.')).then_some(part.len());
        match dots {
            Some(1 | 2) => {
                if dots == Some(2) {
                    kept.pop();
                }
                if place == last {
                    kept.push(Vec::new());
                }
            }
            _ => kept.push(part),
        }
    }
    join(&kept)
}
