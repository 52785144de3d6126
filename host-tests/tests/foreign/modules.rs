//! The modules, each with a configuration that it accepts, and what it makes of a request.
//!
//! `gpustack-ext-auth` asks its issuer only on routes that its configuration names in a way that is not published: it is
//! shown to let the others through. All are made for Higress, which goes on with the body while a module holds the headers.

use scopegate_host_tests::{
    Answer, Callout, Chain, Clock, Exchange, Host, HostBuilder, Metric, Module, Plugin, Request, Response,
};

use crate::wheels::{NEW, OLD, module};

const CHAT: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"a secret"}]}"#;
const COMPLETION: &str = r#"{"id":"1","object":"chat.completion","model":"gpt-4o","choices":[{"index":0,
"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],
"usage":{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8}}"#;

fn chat_with(body: &str) -> Request {
    Request::new("POST", "api.test", "/v1/chat/completions")
        .header("content-type", "application/json")
        .header("content-length", body.len().to_string())
        .body(body)
}

fn chat() -> Request {
    chat_with(CHAT)
}

fn completion() -> Response {
    let response = Response::new(200).header("content-type", "application/json");
    response.body(COMPLETION)
}

fn builder(module: &Module, configuration: &str) -> HostBuilder {
    Host::builder(module)
        .clock(Clock::virtual_at(1_790_000_000))
        .allow_headers_stop_iteration(true)
        .configuration(configuration)
}

fn host(module: &Module, configuration: &str) -> Host {
    configured(builder(module, configuration))
}

fn configured(builder: HostBuilder) -> Host {
    let mut host = builder.build().unwrap();
    let failure = host.failure().cloned();
    assert!(host.configured(), "{failure:?} {:?}", host.logs());
    host
}

/// The body of the request at the upstream.
fn body(exchange: &Exchange) -> String {
    let message = exchange.forwarded();
    let message = message.unwrap_or_else(|| panic!("not forwarded: {:?}", exchange.outcome));
    String::from_utf8(message.body.clone()).unwrap()
}

/// A header of the request at the upstream.
fn header<'e>(exchange: &'e Exchange, name: &str) -> Option<&'e str> {
    let message = exchange.forwarded();
    let message = message.unwrap_or_else(|| panic!("not forwarded: {:?}", exchange.outcome));
    message
        .header(name)
        .map(|value| std::str::from_utf8(value).unwrap())
}

#[test]
fn model_mapper_puts_another_model_into_the_body() {
    let Some(module) = module(OLD, "model-mapper/2.0.0") else {
        return;
    };
    let mut host = host(&module, r#"{"modelMapping":{"gpt-4o":"qwen-vl-plus"}}"#);
    let exchange = host.request(chat());
    assert!(body(&exchange).contains(r#""model":"qwen-vl-plus""#));
    assert_eq!(
        header(&exchange, "content-length"),
        None,
        "it is another length now"
    );
    assert_eq!(
        body(&host.request(Request::new("POST", "api.test", "/other").body(CHAT))),
        CHAT
    );
}

#[test]
fn model_router_names_the_model_in_a_header() {
    let Some(module) = module(OLD, "model-router/2.0.0") else {
        return;
    };
    let exchange = host(&module, r#"{"modelToHeader":"x-llm-model"}"#).request(chat());
    assert_eq!(header(&exchange, "x-llm-model"), Some("gpt-4o"));
}

#[test]
fn transformer_adds_and_removes_headers() {
    for wheel in [OLD, NEW] {
        let Some(module) = module(wheel, "transformer/2.0.0") else {
            continue;
        };
        let rules = r#"{"reqRules":[{"operate":"remove","headers":[{"key":"x-gone"}]},
            {"operate":"add","headers":[{"key":"x-added","value":"yes"}]}]}"#;
        let exchange = host(&module, rules).request(Request::get("api.test", "/x").header("x-gone", "1"));
        assert_eq!(
            (header(&exchange, "x-added"), header(&exchange, "x-gone")),
            (Some("yes"), None)
        );
        let host = builder(&module, "{}").build().unwrap();
        assert!(!host.configured(), "without a rule it refuses");
    }
}

#[test]
fn ext_auth_asks_another_service_and_goes_by_its_answer() {
    let Some(module) = module(OLD, "ext-auth/2.0.0") else {
        return;
    };
    let configuration = r#"{"http_service":{"endpoint_mode":"envoy",
        "endpoint":{"service_name":"auth.dns","service_port":80,"path_prefix":"/auth"}}}"#;
    let asks = |callout: &Callout| {
        assert_eq!(callout.path(), "/auth/x");
        let is_known = callout.header("authorization") == Some(b"Bearer good");
        Answer::status(if is_known { 200 } else { 401 })
    };
    let mut host = configured(builder(&module, configuration).upstream("outbound|80||auth.dns", asks));
    let with = |token: &str| Request::get("api.test", "/x").header("authorization", token);
    assert!(host.request(with("Bearer good")).forwarded().is_some());
    assert_eq!(
        host.request(with("Bearer bad")).local_reply().unwrap().status,
        401
    );
}

#[test]
fn ext_auth_of_gpustack_lets_through_what_it_is_not_configured_for() {
    let Some(module) = module(NEW, "gpustack-ext-auth/0.1.3") else {
        return;
    };
    let exchange = host(&module, "{}").request(Request::get("api.test", "/x"));
    assert_eq!(header(&exchange, ":path"), Some("/x"));
}

#[test]
fn ai_proxy_speaks_to_a_provider_with_its_own_credential() {
    for (wheel, plugin) in [(OLD, "ai-proxy/2.0.0"), (NEW, "gpustack-ai-proxy/2.0.3-patched")] {
        let Some(module) = module(wheel, plugin) else {
            continue;
        };
        let configuration = r#"{"provider":{"type":"openai","apiTokens":["sk-test"],
            "modelMapping":{"gpt-4o":"gpt-mini"}}}"#;
        let exchange = host(&module, configuration).exchange(chat(), completion());
        assert_eq!(
            header(&exchange, ":authority"),
            Some("api.openai.com"),
            "{plugin}"
        );
        assert_eq!(
            header(&exchange, "authorization"),
            Some("Bearer sk-test"),
            "{plugin}"
        );
        assert!(body(&exchange).contains(r#""model":"gpt-mini""#), "{plugin}");
    }
}

#[test]
fn ai_statistics_counts_tokens_and_keeps_a_record() {
    for wheel in [OLD, NEW] {
        let Some(module) = module(wheel, "ai-statistics/2.0.0") else {
            continue;
        };
        let configuration = r#"{"attributes":[{"key":"question","apply_to_log":true,
            "value_source":"request_body","value":"messages.0.content"}]}"#;
        let mut host = host(&module, configuration);
        let exchange = host.exchange(chat(), completion());
        let record = String::from_utf8(exchange.property("ai_log").unwrap().to_vec()).unwrap();
        assert!(record.contains("a secret"), "{record}");
        let tokens = |kind: &str| {
            let metrics = host.metrics();
            metrics
                .into_iter()
                .find(|(name, _)| name.ends_with(kind))
                .map(|(_, value)| value)
        };
        assert_eq!(tokens("input_token"), Some(Metric::Counter(3)));
        assert_eq!(tokens("total_token"), Some(Metric::Counter(8)));
    }
}

#[test]
fn set_header_pre_route_names_the_route() {
    for (wheel, plugin) in [
        (OLD, "gpustack-set-header-pre-route/1.0.0"),
        (NEW, "gpustack-set-header-pre-route/1.0.1"),
    ] {
        let Some(module) = module(wheel, plugin) else {
            continue;
        };
        let request = chat()
            .property("route_name", "chat")
            .property("cluster_name", "llm");
        let exchange = host(&module, r#"{"routeNameHeader":"x-route"}"#).request(request);
        assert_eq!(header(&exchange, "x-route"), Some("chat"), "{plugin}");
    }
}

#[test]
fn token_usage_asks_the_model_for_its_usage() {
    for (wheel, plugin) in [
        (OLD, "gpustack-token-usage/1.0.0"),
        (NEW, "gpustack-token-usage/1.2.2"),
    ] {
        let Some(module) = module(wheel, plugin) else {
            continue;
        };
        let streamed = r#"{"model":"gpt-4o","stream":true,"messages":[]}"#;
        let exchange = host(&module, r#"{"realIPToHeader":"x-real-ip"}"#).request(chat_with(streamed));
        assert!(
            body(&exchange).contains(r#""include_usage":true"#),
            "{plugin}: {}",
            body(&exchange)
        );
    }
}

#[test]
fn ai_data_masking_answers_in_place_of_the_model() {
    let Some(module) = module(NEW, "ai-data-masking/2.0.3") else {
        return;
    };
    let configuration =
        r#"{"deny_openai":true,"deny_words":["secret"],"deny_code":200,"deny_message":"not that"}"#;
    let mut host = host(&module, configuration);
    let exchange = host.request(chat());
    let reply = exchange.local_reply().unwrap();
    assert!(String::from_utf8_lossy(&reply.body).contains("not that"));
    let harmless = chat_with(r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hello"}]}"#);
    assert!(host.request(harmless).forwarded().is_some());
}

#[test]
fn generic_proxy_router_reads_the_model_from_the_body() {
    let Some(module) = module(NEW, "gpustack-generic-proxy-router/1.0.1") else {
        return;
    };
    let exchange = host(&module, "{}").request(chat());
    assert_eq!(header(&exchange, "x-higress-llm-model"), Some("gpt-4o"));
}

#[test]
fn ip_acl_refuses_an_address_of_one_consumer() {
    let Some(module) = module(NEW, "gpustack-ip-acl/0.1.0") else {
        return;
    };
    let configuration = r#"{"consumers":{"anna":{"deniedCidrs":["10.0.0.0/8"]}},"realIPHeader":"x-real-ip"}"#;
    let mut host = host(&module, configuration);
    let from = |address: &str, consumer: &str| {
        Request::get("api.test", "/x")
            .header("x-mse-consumer", consumer)
            .header("x-real-ip", address)
    };
    let refused = host.request(from("10.1.2.3", "anna"));
    assert_eq!(refused.local_reply().unwrap().status, 403);
    assert_eq!(refused.local_reply().unwrap().details, "gpustack.ip.acl.rejected");
    assert!(host.request(from("192.0.2.1", "anna")).forwarded().is_some());
    assert!(host.request(from("10.1.2.3", "ben")).forwarded().is_some());
}

#[test]
fn rate_limit_refuses_the_second_request_of_a_minute() {
    let Some(module) = module(NEW, "gpustack-rate-limit/1.0.1") else {
        return;
    };
    let configuration = r#"{"rule_name":"r","limit_combinations":[{"name":"a",
        "match":[{"type":"exact","source":"consumer","value":"anna"}],"query_limits":{"per_minute":1}}]}"#;
    let mut host = host(&module, configuration);
    let request = || chat().header("x-mse-consumer", "anna");
    assert!(host.request(request()).forwarded().is_some());
    assert_eq!(host.request(request()).local_reply().unwrap().status, 429);
    host.clock().advance(61);
    assert!(host.request(request()).forwarded().is_some(), "another minute");
}

#[test]
fn the_load_balancer_is_five_plugins_that_hand_their_findings_on() {
    let load = |plugin| module(NEW, plugin);
    let (Some(balancer), Some(affinity), Some(load_first), Some(decision)) = (
        load("gpustack-lb/0.1.2"),
        load("gpustack-lb-session-affinity/0.1.0"),
        load("gpustack-lb-least-load/0.1.0"),
        load("gpustack-lb-decision-service/0.2.1"),
    ) else {
        return;
    };
    let clock = Clock::virtual_at(1_790_000_000);
    let mut chain = Chain::builder()
        .plugin(
            Plugin::new("context", &balancer)
                .configuration(r#"{"mode":"context","candidates":[{"cluster":"one","name":"one"},{"cluster":"two","name":"two"}]}"#),
        )
        .plugin(
            Plugin::new("affinity", &affinity).configuration(r#"{"sessionKeys":[{"header":"x-session"}]}"#),
        )
        .plugin(Plugin::new("load", &load_first).configuration("{}"))
        .plugin(Plugin::new("decision", &decision).configuration("{}"))
        .plugin(Plugin::new("finisher", &balancer).configuration(r#"{"mode":"finisher"}"#))
        .machines(move |host| host.clock(clock.clone()).allow_headers_stop_iteration(true))
        .build()
        .unwrap();
    assert!(
        (0..chain.len()).all(|plugin| chain.configured(plugin)),
        "{:?}",
        chain.logs()
    );
    assert_eq!(chain.machines(), 4, "the first and the last share one");
    let mut of_session = |session: &str| {
        let exchange = chain.request(chat().header("x-session", session));
        header(&exchange, "x-higress-target-cluster").map(str::to_owned)
    };
    let first = of_session("a");
    assert!(matches!(first.as_deref(), Some("one" | "two")), "{first:?}");
    for _ in 0..3 {
        assert_eq!(of_session("a"), first, "a session stays where it is");
    }
    let chosen: std::collections::BTreeSet<_> = (0..20).map(|n| of_session(&n.to_string())).collect();
    assert_eq!(chosen.len(), 2, "and not all are in one place");
}
