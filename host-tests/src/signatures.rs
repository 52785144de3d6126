//! The types of the functions that a proxy calls in a module. Envoy refuses a module that exports one of them with
//! another type (`Bad function signature`), whether it would ever be called or not. Other exports are not looked at.

use wasmtime::{ExternType, FuncType, ValType};

use crate::module::AbiVersion;

/// What is known under its name in the module: how many parameters it takes, and whether it returns something. All of
/// them are 32 bits wide.
struct Signature(usize, bool);

/// The exports of all versions of the ABI, with their parameters and whether they return something.
const CALLED: [(&str, Signature); 31] = [
    ("malloc", Signature(1, true)),
    ("proxy_on_memory_allocate", Signature(1, true)),
    ("proxy_on_context_create", Signature(2, false)),
    ("proxy_on_vm_start", Signature(2, true)),
    ("proxy_on_configure", Signature(2, true)),
    ("proxy_validate_configuration", Signature(2, true)),
    ("proxy_on_tick", Signature(1, false)),
    ("proxy_on_queue_ready", Signature(2, false)),
    ("proxy_on_new_connection", Signature(1, true)),
    ("proxy_on_downstream_data", Signature(3, true)),
    ("proxy_on_upstream_data", Signature(3, true)),
    ("proxy_on_downstream_connection_close", Signature(2, false)),
    ("proxy_on_upstream_connection_close", Signature(2, false)),
    ("proxy_on_request_headers", Signature(3, true)),
    ("proxy_on_request_body", Signature(3, true)),
    ("proxy_on_request_trailers", Signature(2, true)),
    ("proxy_on_request_metadata", Signature(2, true)),
    ("proxy_on_response_headers", Signature(3, true)),
    ("proxy_on_response_body", Signature(3, true)),
    ("proxy_on_response_trailers", Signature(2, true)),
    ("proxy_on_response_metadata", Signature(2, true)),
    ("proxy_on_http_call_response", Signature(5, false)),
    ("proxy_on_grpc_receive", Signature(3, false)),
    ("proxy_on_grpc_close", Signature(3, false)),
    ("proxy_on_grpc_receive_initial_metadata", Signature(3, false)),
    ("proxy_on_grpc_receive_trailing_metadata", Signature(3, false)),
    ("proxy_on_foreign_function", Signature(3, false)),
    ("proxy_on_done", Signature(1, true)),
    ("proxy_on_log", Signature(1, false)),
    ("proxy_on_delete", Signature(1, false)),
    ("_initialize", Signature(0, false)),
];

/// A function that is called with another type than it has: its name, and the type that it should have.
pub(crate) fn wrong(code: &wasmtime::Module, abi: AbiVersion) -> Option<(&'static str, String)> {
    CALLED.iter().find_map(|(name, signature)| {
        let expected = signature.in_version(name, abi)?;
        match code.get_export(name)? {
            ExternType::Func(found) => (!expected.is_of(&found)).then(|| (*name, expected.to_string())),
            // What is no function is not there for a proxy.
            ExternType::Global(_) | ExternType::Table(_) | ExternType::Memory(_) | ExternType::Tag(_) => None,
        }
    })
}

impl Signature {
    /// ABI 0.1.0 does not say whether headers end the stream, and has no foreign functions that call back.
    fn in_version(&self, name: &str, abi: AbiVersion) -> Option<Self> {
        let Self(parameters, returns) = *self;
        match (abi, name) {
            (AbiVersion::V0_1_0, "proxy_on_request_headers" | "proxy_on_response_headers") => {
                Some(Self(2, returns))
            }
            (AbiVersion::V0_1_0, "proxy_on_foreign_function") => None,
            _ => Some(Self(parameters, returns)),
        }
    }

    fn is_of(&self, found: &FuncType) -> bool {
        let counts = (found.params().len(), found.results().len());
        let all = |kind: ValType| kind.is_i32();
        counts == (self.0, usize::from(self.1)) && found.params().all(all) && found.results().all(all)
    }
}

impl std::fmt::Display for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parameters = vec!["i32"; self.0].join(", ");
        let result = if self.1 { " -> i32" } else { "" };
        write!(f, "({parameters}){result}")
    }
}
