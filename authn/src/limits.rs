//! The limits of this layer, each with its reason. Nothing else in the crate bounds work by a bare number.

/// The longest token, in bytes. Real ones stay far under the 8 KiB most servers allow for a header; all work
/// before the signature is linear in this.
pub const TOKEN_BYTES: usize = 16 * 1024;

/// Keys in one JWK set. Issuers publish a handful; a set of thousands is a mistake or an attack.
pub const KEYS_PER_SET: usize = 100;

/// Signature checks for one request. A token without `kid` may fit several keys, and a signature is the
/// dearest thing a stranger can make us compute.
pub const SIGNATURE_CHECKS: usize = 8;

/// How many signatures are verified with a key, good or bad, before a table of its multiples is made. Making one costs
/// what three verifications do, the first on a curve six, and saves two thirds to three quarters of each that follows.
pub const USES_BEFORE_TABLE: usize = 4;

/// Keys of one set that tables are made for, at 49 to 110 kB each. Issuers sign with one key, or with a few.
pub const TABLES_PER_SET: usize = 16;

/// The shortest RSA modulus, in bits (RFC 7518 section 3.3).
pub const RSA_BITS_MIN: usize = 2048;

/// The longest RSA modulus, in bits: verification grows with its square.
pub const RSA_BITS_MAX: usize = 8192;

/// The smallest RSA public exponent. 1 makes every signature its own message.
pub const RSA_EXPONENT_MIN: u64 = 3;

/// The largest RSA public exponent: larger ones make verification slow and nobody uses them.
pub const RSA_EXPONENT_MAX: u64 = u32::MAX as u64;

/// The RSA public exponent below which authors are warned: small ones leave no margin for padding faults.
pub const RSA_EXPONENT_USUAL: u64 = 65_537;

/// The largest `clock_skew`, in seconds: more than five minutes is a broken clock, not a skewed one.
pub const CLOCK_SKEW_MAX: i64 = 5 * 60;

/// The `clock_skew` of a provider that names none, in seconds.
pub const CLOCK_SKEW_DEFAULT: i64 = 30;

/// The `max_lifetime` of a provider that names none, in seconds: a day.
pub const LIFETIME_DEFAULT: i64 = 24 * 60 * 60;

/// The longest SPIFFE ID, in bytes (SPIFFE-ID section 2.3).
pub const SPIFFE_ID_BYTES: usize = 2048;

/// The longest trust domain of a SPIFFE ID, in bytes (SPIFFE-ID section 2.1).
pub const TRUST_DOMAIN_BYTES: usize = 255;

/// The longest URL of something that is fetched, in bytes: what servers and proxies commonly take as a path.
pub const URL_BYTES: usize = 2048;

/// The longest document that is fetched, in bytes: a key set, a feed, a status list, an introspection answer. What
/// hosts hand over in one piece, and far above what issuers publish.
pub const DOCUMENT_BYTES: usize = 1024 * 1024;

/// The `refresh` of something that is fetched, where none is named, in seconds.
pub const REFRESH_DEFAULT: i64 = 10 * 60;

/// The `max_stale` of something that is fetched, where none is named, in seconds.
pub const MAX_STALE_DEFAULT: i64 = 60 * 60;

/// The longest `max_stale`, in seconds: who can reach no issuer for a week has no revocation, only an old list.
pub const MAX_STALE_MAX: i64 = 7 * 24 * 60 * 60;

/// Entries of the policy's own revocations, and of a feed. Longer lists belong into a status list, which takes bits
/// where this takes texts.
pub const REVOCATION_ENTRIES: usize = 50_000;

/// Status lists of a policy: each is held in memory whole and fetched again and again.
pub const STATUS_LISTS: usize = 16;

/// The longest status list once inflated, in bytes: the statuses of 2^25 tokens at one bit each, of 2^24 at two, of
/// 2^22 at eight. With [`STATUS_LISTS`] of them a policy holds 64 MiB at most; inflating one takes twice its size.
pub const STATUS_LIST_BYTES: usize = 4 * 1024 * 1024;

/// The longest `cache` of introspection answers, in seconds: so long a token may pass after it was revoked.
pub const INTROSPECTION_CACHE_MAX: i64 = 60 * 60;

/// The longest DPoP proof, in bytes. One with an RSA key of 4096 bits has 3 KiB; one with a key of ML-DSA-87, the
/// largest there is, has 11.
pub const PROOF_BYTES: usize = 12 * 1024;

/// The longest `jti` of a DPoP proof, in bytes. Random ones have some 20 to 40 (RFC 9449 section 4.2).
pub const PROOF_ID_BYTES: usize = 256;

/// The longest RSA modulus of a DPoP proof's key, in bits: the caller chooses that key, nobody who is trusted.
pub const PROOF_RSA_BITS_MAX: usize = 4096;

/// How old a DPoP proof may be where a provider does not say, in seconds: it is made for one request.
pub const PROOF_AGE_DEFAULT: i64 = 60;

/// The largest `max_age` of a DPoP proof, in seconds: each proof is remembered for that long.
pub const PROOF_AGE_MAX: i64 = 5 * 60;

/// How long one nonce is issued, in seconds; it is taken for up to twice as long. Callers ask for a new one with
/// every change.
pub const NONCE_WINDOW: i64 = 2 * 60;

/// Keys of one provider of API keys. A credential is compared with every one of them, which takes a fraction of a
/// millisecond at this size; more keys belong behind an introspection endpoint.
pub const API_KEYS: usize = 10_000;

/// The longest `X-Forwarded-Client-Cert`, in bytes. A hop that adds a whole certificate chain needs a few thousand;
/// reading is linear in this.
pub const FORWARDED_CERTIFICATE_BYTES: usize = 16 * 1024;

/// The longest certificate of a peer, in bytes. Those with post-quantum keys and signatures take up some 20 KiB.
pub const CERTIFICATE_BYTES: usize = 64 * 1024;

/// The longest DNS name, in bytes (RFC 1035 section 2.3.4).
pub const DNS_NAME_BYTES: usize = 253;

/// The shortest time between two fetches that a SPIFFE bundle may ask for, in seconds: a bundle that says less would
/// have us ask without end.
pub const SPIFFE_REFRESH_HINT_MIN: i64 = 30;

/// The longest time between two fetches that a SPIFFE bundle may ask for, in seconds: keys that were taken out of it
/// must be noticed within a day.
pub const SPIFFE_REFRESH_HINT_MAX: i64 = 24 * 60 * 60;

/// The shortest `ttl` of a status list that is heeded, in seconds: a list must not make us flood the one who serves it.
pub const STATUS_LIST_TTL_MIN: i64 = 30;
/// The largest document that is fetched, in bytes. Real key sets have a few kilobytes.
pub const FETCHED_BYTES: usize = 1024 * 1024;

/// The longest entity tag that is sent back, in bytes.
pub const ETAG_BYTES: usize = 256;

/// Seconds between two fetches that strangers provoke with key ids nobody knows, and between tries after a failure:
/// one a minute and provider.
pub const REFETCH_SECONDS: i64 = 60;

/// Seconds after which a fetch counts as failed. An identity provider answers in a fraction of one.
pub const FETCH_SECONDS: i64 = 5;

/// Seconds that other workers leave to the one that fetches. Times are whole seconds: with one more, the host has told
/// that worker of its failure before another begins.
pub const FETCH_BUSY_SECONDS: i64 = FETCH_SECONDS + 1;

/// Bytes that verified tokens may take in memory, for each worker. A token of 1 kB with its claims takes about 4 kB.
pub const TOKEN_CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// Seconds after which metadata that says where keys are is asked again: a day. It is asked at once where the keys
/// are no longer found there.
pub const METADATA_SECONDS: i64 = 24 * 60 * 60;
