//! The headers of which Envoy keeps one each, in a slot of its own: a second value is appended to the first, after a
//! comma (`HeaderMapImpl`, `envoy/http/header_map.h`). The lists are those of Envoy 1.40 with all its extensions: sent
//! twice through a real one, these and no others came out as one.

/// Whose headers a map has; each kind has slots of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Kind {
    /// The headers of a request.
    Request,
    /// The headers of a response.
    Response,
    /// The trailers of a response.
    ResponseTrailers,
    /// Whatever has no slots: the trailers of a request, and every map of a host without slots.
    #[default]
    Plain,
}

/// In the order of their bytes.
const REQUEST: &[&[u8]] = &[
    b":authority",
    b":method",
    b":path",
    b":protocol",
    b":scheme",
    b"accept",
    b"accept-encoding",
    b"access-control-request-headers",
    b"access-control-request-method",
    b"access-control-request-private-network",
    b"authorization",
    b"cache-control",
    b"cdn-loop",
    b"connection",
    b"content-encoding",
    b"content-length",
    b"content-type",
    b"expect",
    b"grpc-accept-encoding",
    b"grpc-timeout",
    b"if-match",
    b"if-modified-since",
    b"if-none-match",
    b"if-range",
    b"if-unmodified-since",
    b"keep-alive",
    b"origin",
    b"pragma",
    b"proxy-connection",
    b"proxy-status",
    b"referer",
    b"te",
    b"transfer-encoding",
    b"upgrade",
    b"user-agent",
    b"via",
    b"x-client-trace-id",
    b"x-envoy-attempt-count",
    b"x-envoy-decorator-operation",
    b"x-envoy-downstream-service-cluster",
    b"x-envoy-downstream-service-node",
    b"x-envoy-expected-rq-timeout-ms",
    b"x-envoy-external-address",
    b"x-envoy-force-trace",
    b"x-envoy-hedge-on-per-try-timeout",
    b"x-envoy-internal",
    b"x-envoy-ip-tags",
    b"x-envoy-is-timeout-retry",
    b"x-envoy-max-retries",
    b"x-envoy-original-host",
    b"x-envoy-original-path",
    b"x-envoy-original-url",
    b"x-envoy-retriable-header-names",
    b"x-envoy-retriable-status-codes",
    b"x-envoy-retry-grpc-on",
    b"x-envoy-retry-on",
    b"x-envoy-upstream-alt-stat-name",
    b"x-envoy-upstream-rq-per-try-timeout-ms",
    b"x-envoy-upstream-rq-timeout-alt-response",
    b"x-envoy-upstream-rq-timeout-ms",
    b"x-envoy-upstream-stream-duration-ms",
    b"x-forwarded-client-cert",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"x-forwarded-proto",
    b"x-request-id",
];

const RESPONSE: &[&[u8]] = &[
    b":status",
    b"access-control-allow-credentials",
    b"access-control-allow-headers",
    b"access-control-allow-methods",
    b"access-control-allow-origin",
    b"access-control-allow-private-network",
    b"access-control-expose-headers",
    b"access-control-max-age",
    b"age",
    b"cache-control",
    b"connection",
    b"content-encoding",
    b"content-length",
    b"content-type",
    b"date",
    b"etag",
    b"expires",
    b"grpc-message",
    b"grpc-status",
    b"keep-alive",
    b"last-modified",
    b"location",
    b"proxy-connection",
    b"proxy-status",
    b"server",
    b"transfer-encoding",
    b"upgrade",
    b"vary",
    b"via",
    b"x-envoy-attempt-count",
    b"x-envoy-decorator-operation",
    b"x-envoy-degraded",
    b"x-envoy-immediate-health-check-fail",
    b"x-envoy-ratelimited",
    b"x-envoy-upstream-canary",
    b"x-envoy-upstream-healthchecked-cluster",
    b"x-envoy-upstream-service-time",
    b"x-request-id",
];

const RESPONSE_TRAILERS: &[&[u8]] = &[b"grpc-message", b"grpc-status"];

impl Kind {
    /// Whether a name, in lower case, has a slot.
    pub(crate) fn has_slot(self, name: &[u8]) -> bool {
        let slots = match self {
            Self::Request => REQUEST,
            Self::Response => RESPONSE,
            Self::ResponseTrailers => RESPONSE_TRAILERS,
            Self::Plain => return false,
        };
        slots.binary_search(&name).is_ok()
    }

    /// The name under which a header is kept: `host` is another name of the authority of a request.
    pub(crate) fn name(self, name: Vec<u8>) -> Vec<u8> {
        match self == Self::Request && name == b"host" {
            true => b":authority".to_vec(),
            false => name,
        }
    }
}

/// Adds a value to the one that is there. Nothing is added for nothing, and no comma after nothing.
pub(crate) fn append(there: &mut Vec<u8>, value: &[u8]) {
    if !value.is_empty() && !there.is_empty() {
        there.push(b',');
    }
    there.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::{Kind, REQUEST, RESPONSE, RESPONSE_TRAILERS, append};

    #[test]
    fn slots_are_sorted_and_found() {
        for (kind, slots) in [
            (Kind::Request, REQUEST),
            (Kind::Response, RESPONSE),
            (Kind::ResponseTrailers, RESPONSE_TRAILERS),
        ] {
            assert!(slots.is_sorted(), "{kind:?}");
            assert!(slots.iter().all(|name| kind.has_slot(name)), "{kind:?}");
            assert!(
                !kind.has_slot(b"cookie") && !kind.has_slot(b"set-cookie"),
                "{kind:?}"
            );
        }
        assert!(!Kind::Plain.has_slot(b"grpc-status"));
    }

    #[test]
    fn values_are_joined_by_a_comma_where_both_are_something() {
        for (first, second, joined) in [("a", "b", "a,b"), ("", "b", "b"), ("a", "", "a"), ("", "", "")] {
            let mut there = first.as_bytes().to_vec();
            append(&mut there, second.as_bytes());
            assert_eq!(there, joined.as_bytes());
        }
    }
}
