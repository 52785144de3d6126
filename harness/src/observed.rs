//! What can be seen of an executor beside its answers: what it asked upstreams for, what it counted, what it told the
//! proxy of a request. Not every executor shows everything; what it does not show is unknown here, and never empty.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::upstream::Question;

/// What was seen since the request before. `None` is what the executor does not show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// What the plugin asked upstreams for, in order.
    pub callouts: Option<Vec<Asked>>,
    /// By how much each counter and each histogram's number of values grew, and what each gauge shows now; by name.
    /// A counter that did not grow is not here.
    pub metrics: Option<BTreeMap<String, u64>>,
    /// What the plugin told the proxy of the request, for logs and later filters: properties by dotted path.
    pub properties: Option<BTreeMap<String, String>>,
    /// The fuel that the module burnt for the request, about one unit for each instruction.
    pub fuel: Option<u64>,
}

/// One question to an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The name of the upstream.
    pub upstream: String,
    /// The method.
    pub method: String,
    /// The path, without its query.
    pub path: String,
}

impl Asked {
    /// What `question` asks of this upstream.
    #[must_use]
    pub fn of(upstream: &str, question: &Question<'_>) -> Self {
        let path = question.path.split(|byte| *byte == b'?').next();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            upstream: upstream.to_owned(),
            method: text(question.method),
            path: text(path.unwrap_or_default()),
        }
    }
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} of {}", self.method, self.path, self.upstream)
    }
}

impl Observed {
    /// As one JSON object. What is not shown is null.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let asked =
            |asked: &Asked| json!({"upstream": asked.upstream, "method": asked.method, "path": asked.path});
        let callouts = self.callouts.as_ref();
        json!({
            "callouts": callouts.map(|callouts| callouts.iter().map(asked).collect::<Vec<_>>()),
            "metrics": self.metrics,
            "properties": self.properties,
            "fuel": self.fuel,
        })
    }
}
