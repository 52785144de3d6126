//! Token Status Lists (draft-ietf-oauth-status-list-20): a token says which bits of which list are its own, and the
//! list, signed like a token, says what they are. Fetching is the host's.

mod token;

use std::fmt;

use serde_json::{Map, Value};

use scopegate_document::UnixTime;

use crate::fetched::Source;
use crate::untrusted::{Header, segments};
use crate::{Reject, limits};

pub(crate) use token::read;

/// A status list of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatusListRules {
    /// The provider whose tokens point at the list, and whose keys sign it.
    pub(crate) provider: String,
    /// Its URL, exactly as tokens have it.
    pub(crate) uri: String,
    /// Where and how often it is fetched.
    pub(crate) source: Source,
    /// Whether a token without `status` passes; the same in all lists of a provider.
    pub(crate) is_optional: bool,
}

/// A verified list: the statuses packed as they came, so that the list of a million tokens takes 128 KiB.
#[derive(PartialEq, Eq)]
pub(crate) struct StatusList {
    /// The token that it came in: its signature is checked again when the keys of the provider change.
    pub(crate) token: Box<str>,
    width: Width,
    packed: Box<[u8]>,
    /// `iat`. A list older than the one that is held is no news.
    pub(crate) issued_at: UnixTime,
    /// `exp` with the skew that clocks may have: from then on the list says nothing.
    pub(crate) expires_at: Option<UnixTime>,
    /// `ttl`: how long the list should be held before it is fetched again, in seconds from the fetch; at least one.
    pub(crate) ttl: Option<i64>,
}

/// How many bits a status has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    One,
    Two,
    Four,
    Eight,
}

impl Width {
    const fn from_bits(bits: u64) -> Option<Self> {
        match bits {
            1 => Some(Self::One),
            2 => Some(Self::Two),
            4 => Some(Self::Four),
            8 => Some(Self::Eight),
            _ => None,
        }
    }

    /// The number of bits, and the mask of one status.
    const fn bits_and_mask(self) -> (u64, u8) {
        match self {
            Self::One => (1, 0b1),
            Self::Two => (2, 0b11),
            Self::Four => (4, 0b1111),
            Self::Eight => (8, 0b1111_1111),
        }
    }
}

impl fmt::Debug for StatusList {
    /// Without the statuses: there are millions.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            token: _,
            width,
            packed,
            issued_at,
            expires_at,
            ttl,
        } = self;
        f.debug_struct("StatusList")
            .field("width", width)
            .field("bytes", &packed.len())
            .field("issued_at", issued_at)
            .field("expires_at", expires_at)
            .field("ttl", ttl)
            .finish()
    }
}

impl StatusList {
    /// Whether the signature still holds, by `verify` as in [`read`].
    pub(crate) fn is_signed(&self, verify: impl FnOnce(&Header, &str) -> Result<(), Reject>) -> bool {
        let header = segments(&self.token).and_then(|(header, _)| Header::parse(header));
        header.is_ok_and(|header| verify(&header, &self.token).is_ok())
    }

    /// The status at `index`, where the list goes so far. The first status is in the lowest bits of the first byte
    /// (section 4.1).
    pub(crate) fn get(&self, index: u64) -> Option<u8> {
        let (bits, mask) = self.width.bits_and_mask();
        let position = index.checked_mul(bits)?;
        let byte = self.packed.get(usize::try_from(position >> 3).ok()?)?;
        Some(byte >> (position & 7) & mask)
    }

    /// How soon it wants to be fetched again, in seconds (section 11.5), within reason.
    pub(crate) fn refresh_hint(&self) -> Option<i64> {
        self.ttl.map(|ttl| ttl.max(limits::STATUS_LIST_TTL_MIN))
    }

    /// Whether the token at `index` still counts at the time `now` (section 8.3). 0 is `VALID`; `INVALID`,
    /// `SUSPENDED` and every value whose meaning is not known here are not.
    ///
    /// # Errors
    /// [`Reject::RevocationUnavailable`] where the list has expired, [`Reject::ClaimMismatch`] where it does not go
    /// so far, [`Reject::TokenRevoked`].
    pub(crate) fn check(&self, index: u64, now: UnixTime) -> Result<(), Reject> {
        if self.expires_at.is_some_and(|expires_at| now >= expires_at) {
            return Err(Reject::RevocationUnavailable);
        }
        match self.get(index) {
            Some(0) => Ok(()),
            Some(_) => Err(Reject::TokenRevoked),
            None => Err(Reject::ClaimMismatch),
        }
    }
}

/// Where the status of a token is: the list and the index in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reference<'c> {
    pub(crate) uri: &'c str,
    pub(crate) index: u64,
}

impl<'c> Reference<'c> {
    /// Reads `status.status_list` (section 6.2); nothing where the token has no `status`.
    ///
    /// # Errors
    /// [`Reject::ClaimMissing`] where the token has a `status` of another mechanism only: it can be revoked by means
    /// that are not looked at. [`Reject::ClaimMismatch`] where it has another form.
    pub(crate) fn read(claims: &'c Map<String, Value>) -> Result<Option<Self>, Reject> {
        let Some(status) = claims.get("status") else {
            return Ok(None);
        };
        let status = status.as_object().ok_or(Reject::ClaimMismatch)?;
        let list = status.get("status_list").ok_or(Reject::ClaimMissing)?;
        let index = list.get("idx").and_then(Value::as_u64);
        let uri = list.get("uri").and_then(Value::as_str);
        match (uri, index) {
            (Some(uri), Some(index)) => Ok(Some(Self { uri, index })),
            _ => Err(Reject::ClaimMismatch),
        }
    }
}

impl StatusListRules {
    /// Finds the list that a token of `provider` points at among the policy's, as its place in `lists` and the index
    /// in it; nothing where the token need not have a status: the provider has no lists, or lists that are optional.
    ///
    /// # Errors
    /// As [`Reference::read`], [`Reject::ClaimMissing`] where a status is required, and [`Reject::ClaimMismatch`] where
    /// the list is none of the provider's: a stranger's token never makes us fetch anything.
    pub(crate) fn resolve(
        lists: &[Self],
        provider: &str,
        claims: &Map<String, Value>,
    ) -> Result<Option<(usize, u64)>, Reject> {
        let mut ours = lists
            .iter()
            .enumerate()
            .filter(|(_, list)| list.provider == provider)
            .peekable();
        let Some((_, first)) = ours.peek() else {
            return Ok(None);
        };
        let is_optional = first.is_optional;
        match Reference::read(claims)? {
            None if is_optional => Ok(None),
            None => Err(Reject::ClaimMissing),
            Some(Reference { uri, index }) => match ours.find(|(_, list)| list.uri == uri) {
                Some((place, _)) => Ok(Some((place, index))),
                None => Err(Reject::ClaimMismatch),
            },
        }
    }
}

#[cfg(test)]
mod tests;
