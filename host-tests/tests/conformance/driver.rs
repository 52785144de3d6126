//! A case, taken through the host: the events are those that Envoy's HTTP/1.1 codec makes of the same traffic.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use scopegate_conformance::cases::{Case, Failure, Fields, Message, Traffic};
use scopegate_conformance::{skips, transcript};
use scopegate_host_tests::{
    Answer, Chain, Clock, CloseType, Exchange, FailurePolicy, GrpcAnswer, GrpcCallout, GrpcEvent, Headers,
    Host, HostBuilder, LocalReply, LogLevel, LogLine, Module, Outcome, Plugin, Profile, Request, Response,
    Step, StreamId, TcpStep,
};

/// What the plugins are configured with; the script is the configuration of their machine.
const CONFIGURATION: &str = "the configuration of the plugin";

/// The time at which every case begins.
const NOW: u64 = 1_790_000_000;

/// How far the clock goes on at once for what waits, and how often.
const STEP: Duration = Duration::from_millis(10);
const STEPS: u32 = 100;

/// The module, where it has been built. Where it has not, says which test is skipped; where `CI` is set that is a failure.
pub(crate) fn module(test: &str) -> Option<Module> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let named = env::var_os("SCOPEGATE_CONFORMANCE_WASM").map(PathBuf::from);
    let path = named.unwrap_or_else(|| root.join("target/wasm32-wasip1/release/scopegate_conformance.wasm"));
    if path.is_file() {
        return Some(Module::from_file(&path).unwrap());
    }
    let why = format!("`{}` is absent: run `cargo xtask conformance`", path.display());
    skips::skip(test, &why);
    None
}

/// The transcript of a case.
pub(crate) fn run(module: &Module, case: &Case, profile: Profile) -> String {
    if case.second.is_some() {
        return run_chain(module, case, profile);
    }
    let mut run = Run::start(module, case, profile);
    for traffic in &case.traffic {
        match traffic {
            Traffic::Request {
                method,
                path,
                message,
            } => run.request(case, method, path, message),
            Traffic::Connection { sends, answers } => run.connection(sends, answers),
        }
    }
    run.finish(case)
}

/// What a machine is given for every case.
fn machine(builder: HostBuilder, case: &Case, profile: Profile, clock: Clock) -> HostBuilder {
    let builder = match case.failure.reload_after() {
        Some(after) => builder.reload_after(after),
        None => builder,
    };
    builder
        .environment([("CASE", case.name.as_str())])
        .clock(clock)
        .profile(profile)
        .upstream("answers", |_| Answer::Response(callee()))
        .upstream("silent", |_| Answer::Later)
        .upstream("breaks", |_| Answer::Failure)
        .upstream("nobody", |_| Answer::Failure)
        .grpc_upstream("grpc", grpc)
}

fn policy(failure: Failure) -> FailurePolicy {
    match failure {
        Failure::Closed => FailurePolicy::Closed,
        Failure::Open => FailurePolicy::Open,
        Failure::Reload | Failure::ReloadLater => FailurePolicy::Reload,
    }
}

/// The transcript of a case with two plugins.
fn run_chain(module: &Module, case: &Case, profile: Profile) -> String {
    let plugin = |name: &str, root: &str, script: &str| {
        Plugin::new(name, module)
            .configuration(CONFIGURATION)
            .root_id(root)
            .vm_id(&case.name)
            .vm_configuration(script)
            .failure_policy(policy(case.failure))
    };
    let (prepared, clock) = (case.clone(), Clock::virtual_at(NOW));
    let mut chain = Chain::builder()
        .plugin(plugin("plugin", "root", &case.script))
        .plugin(plugin(SECOND, SECOND, case.second.as_deref().unwrap()))
        .machines(move |builder| {
            let builder = machine(builder, &prepared, profile, clock.clone());
            match profile {
                Profile::Nginx => builder,
                Profile::Envoy | Profile::Spec => builder.ends_apart(),
            }
        })
        .build()
        .unwrap();
    let (mut upstream, mut client) = (Vec::new(), Vec::new());
    for traffic in &case.traffic {
        let Traffic::Request {
            method,
            path,
            message,
        } = traffic
        else {
            panic!("a chain of connections");
        };
        let request = Request {
            headers: request_headers(profile, method, path, message),
            body: message.body.clone().into(),
            trailers: sent(&message.trailers),
            ..Request::get("", "")
        };
        let response = Response {
            headers: response_headers(profile, &case.response),
            body: case.response.body.clone().into(),
            trailers: sent(&case.response.trailers),
        };
        let held = chain.exchange(request, response);
        let exchange = match held.outcome {
            Outcome::Paused => chain.wait(held.stream, STEP * STEPS),
            Outcome::Forwarded(_) | Outcome::LocalReply(_) | Outcome::Failed { .. } | Outcome::Reset => held,
        };
        upstream.extend(exchange.asked.as_ref().map(|asked| {
            let start = format!("{method} {path}");
            transcript::message(&start, &asked.headers, &asked.body, &asked.trailers)
        }));
        client.push(answer(&exchange));
    }
    let printed = chain.logs();
    let printed = printed.iter().filter_map(|line| printed_line(profile, line));
    let printed = named(profile, printed.collect());
    transcript::whole(&printed, &upstream, &client)
}

/// The name of the plugin behind the first.
const SECOND: &str = "second";

/// What a client gets at the end of an exchange.
fn answer(exchange: &Exchange) -> String {
    match &exchange.outcome {
        Outcome::Forwarded(_) => {
            let answer = exchange.response.clone().unwrap();
            let status = first(&answer.headers, b":status");
            transcript::message(&status, &answer.headers, &answer.body, &answer.trailers)
        }
        Outcome::LocalReply(reply) => {
            transcript::message(&reply.status.to_string(), &reply.headers, &reply.body, &[])
        }
        Outcome::Failed { reply_status, .. } => transcript::message(&reply_status.to_string(), &[], b"", &[]),
        Outcome::Paused | Outcome::Reset => "no answer".to_owned(),
    }
}

/// Contexts are numbers in the transcripts of Envoy, and names in those of NGINX.
fn named(profile: Profile, printed: Vec<String>) -> Vec<String> {
    match profile {
        Profile::Nginx => transcript::with_named_contexts(&printed),
        Profile::Envoy | Profile::Spec => printed,
    }
}

/// A line of the log as it is in a transcript; what Envoy would not have in its log at the level `info` is not.
fn printed_line(profile: Profile, line: &LogLine) -> Option<String> {
    let level = match line.level {
        LogLevel::Trace | LogLevel::Debug => return None,
        LogLevel::Info => "info",
        LogLevel::Warn => "warning",
        LogLevel::Error => "error",
        LogLevel::Critical => "critical",
    };
    let printed = match profile {
        Profile::Nginx => transcript::printed_in_nginx(level, &line.message)?,
        Profile::Envoy | Profile::Spec => transcript::printed(level, &line.message)?,
    };
    match line.plugin.as_str() {
        SECOND => Some(format!("{}{printed}", transcript::SECOND)),
        _ => Some(printed),
    }
}

struct Run {
    host: Host,
    profile: Profile,
    printed: Vec<String>,
    upstream: Vec<String>,
    client: Vec<String>,
}

/// Why a stream does not go on.
enum End {
    Reply(LocalReply),
    Failed,
    NoAnswer,
}

/// How one direction ended, or that it has not.
type Going = Result<(), End>;

impl Run {
    fn start(module: &Module, case: &Case, profile: Profile) -> Self {
        let builder = Host::builder(module)
            .vm_configuration(&case.script)
            .configuration(CONFIGURATION)
            .names("plugin", "root", &case.name)
            .failure_policy(policy(case.failure));
        let host = machine(builder, case, profile, Clock::virtual_at(NOW))
            .build()
            .unwrap();
        Self {
            host,
            profile,
            printed: Vec::new(),
            upstream: Vec::new(),
            client: Vec::new(),
        }
    }

    fn request(&mut self, case: &Case, method: &str, path: &str, message: &Message) {
        let id = self.host.open_stream([].into());
        let answer = match self.exchange(id, case, method, path, message) {
            Ok(()) => {
                let answer = self.host.forwarded_response(id);
                let status = first(&answer.headers, b":status");
                transcript::message(&status, &answer.headers, &answer.body, &answer.trailers)
            }
            Err(End::Reply(reply)) => {
                transcript::message(&reply.status.to_string(), &reply.headers, &reply.body, &[])
            }
            Err(End::Failed) => {
                let status = if self.profile == Profile::Nginx {
                    "500"
                } else {
                    "503"
                };
                transcript::message(status, &[], b"", &[])
            }
            Err(End::NoAnswer) => "no answer".to_owned(),
        };
        self.client.push(answer);
        self.host.finish(id);
        if case.failure == Failure::Reload {
            let _ = self.host.advance(STEP);
        }
    }

    fn connection(&mut self, sends: &str, answers: &str) {
        let (id, step) = self.host.open_connection([].into());
        self.connected(id, &step);
        let step = self.host.downstream_data(id, sends.as_bytes(), false);
        self.connected(id, &step);
        if !self.host.passed(id).upstream.is_empty() {
            let step = self.host.upstream_data(id, answers.as_bytes(), false);
            self.connected(id, &step);
        }
        self.host.downstream_data(id, b"", true);
        self.host.upstream_data(id, b"", true);
        let passed = self.host.passed(id);
        let shown = |bytes: &[u8]| format!("\"{}\"", bytes.escape_ascii());
        self.upstream.push(shown(&passed.upstream));
        self.client.push(shown(&passed.downstream));
        self.host.close_downstream(id, CloseType::Local);
        self.host.finish(id);
    }

    /// Waits for a connection that is held.
    fn connected(&mut self, id: StreamId, step: &TcpStep) {
        let mut is_held = *step == TcpStep::Paused;
        for _ in 0..STEPS {
            if !is_held {
                break;
            }
            let _ = self.host.advance(STEP);
            is_held = self.host.poll_connection(id) == TcpStep::Paused;
        }
    }

    fn exchange(&mut self, id: StreamId, case: &Case, method: &str, path: &str, message: &Message) -> Going {
        self.show_request(id, method, path, message)?;
        let seen = self.host.forwarded_request(id);
        let start = format!(
            "{} {}",
            first(&seen.headers, b":method"),
            first(&seen.headers, b":path")
        );
        let line = transcript::message(&start, &seen.headers, &seen.body, &seen.trailers);
        self.upstream.push(line);
        self.show_response(id, &case.response)
    }

    fn show_request(&mut self, id: StreamId, method: &str, path: &str, message: &Message) -> Going {
        let (has_body, has_trailers) = (!message.body.is_empty(), !message.trailers.is_empty());
        let headers = request_headers(self.profile, method, path, message);
        let step = self.host.request_headers(id, headers, !has_body && !has_trailers);
        self.settled(id, step)?;
        if self.profile == Profile::Nginx {
            if !has_body {
                return Ok(());
            }
            let step = self.host.request_body(id, message.body.as_bytes(), true);
            return self.settled(id, step);
        }
        if has_body {
            let step = self.host.request_body(id, message.body.as_bytes(), false);
            self.passed(id, step)?;
        }
        if has_trailers {
            let step = self.host.request_trailers(id, sent(&message.trailers));
            self.settled(id, step)?;
        } else if has_body {
            let step = self.host.request_body(id, b"", true);
            self.settled(id, step)?;
        }
        Ok(())
    }

    fn show_response(&mut self, id: StreamId, message: &Message) -> Going {
        let (has_body, has_trailers) = (!message.body.is_empty(), !message.trailers.is_empty());
        let headers = response_headers(self.profile, message);
        let step = self
            .host
            .response_headers(id, headers, !has_body && !has_trailers);
        self.settled(id, step)?;
        if self.profile == Profile::Nginx {
            let step = self
                .host
                .response_body(id, message.body.as_bytes(), !has_trailers);
            self.settled(id, step)?;
            if has_trailers {
                let step = self.host.response_body(id, b"", true);
                self.settled(id, step)?;
            }
            return Ok(());
        }
        if has_body {
            let step = self.host.response_body(id, message.body.as_bytes(), false);
            self.passed(id, step)?;
        }
        if has_trailers {
            let step = self.host.response_trailers(id, sent(&message.trailers));
            self.settled(id, step)?;
        } else if has_body {
            let step = self.host.response_body(id, b"", true);
            self.settled(id, step)?;
        }
        Ok(())
    }

    /// A part of a body that is held back does not keep the rest from coming.
    fn passed(&mut self, id: StreamId, step: Step) -> Going {
        if step == Step::Paused {
            return Ok(());
        }
        self.settled(id, step)
    }

    /// Waits for a stream that is held.
    fn settled(&mut self, id: StreamId, step: Step) -> Going {
        let mut step = step;
        for _ in 0..STEPS {
            if step != Step::Paused {
                break;
            }
            // A failure is what the stream then ends with.
            let _ = self.host.advance(STEP);
            step = self.host.poll(id);
        }
        match step {
            Step::Continue => Ok(()),
            Step::LocalReply(reply) => Err(End::Reply(reply)),
            Step::Failed { .. } => Err(End::Failed),
            Step::Paused | Step::Reset => Err(End::NoAnswer),
        }
    }

    fn finish(mut self, case: &Case) -> String {
        for _ in 0..STEPS {
            self.print();
            let until = case.until.as_ref();
            if until.is_none_or(|last| self.printed.iter().any(|line| line.starts_with(last))) {
                break;
            }
            let _ = self.host.advance(STEP);
        }
        let printed = named(self.profile, self.printed);
        transcript::whole(&printed, &self.upstream, &self.client)
    }

    fn print(&mut self) {
        let lines = self.host.logs();
        let printed = lines.iter().filter_map(|line| printed_line(self.profile, line));
        self.printed.extend(printed);
    }
}

/// What the upstream `answers` answers to callouts.
fn callee() -> Response {
    let response = Response::new(200).header("x-callee", "1");
    let response = response
        .header("transfer-encoding", "chunked")
        .header("x-envoy-upstream-service-time", "0");
    response.body("callee").trailer("x-end", "2")
}

/// What the upstream of gRPC callouts does.
fn grpc(callout: &GrpcCallout) -> GrpcAnswer {
    match callout.method.as_str() {
        "Fail" => GrpcAnswer::status(7, "no"),
        "Http" => GrpcAnswer::new().step(GrpcEvent::Http(404)),
        _ => GrpcAnswer::new()
            .headers([("x-initial", "i"), ("date", "now"), ("server", "envoy")])
            .message("reply")
            .end_with(0, "", [("x-trailer", "t")]),
    }
}

/// The headers of a request as the codec of the proxy makes them.
fn request_headers(profile: Profile, method: &str, path: &str, message: &Message) -> Headers {
    let pseudo = [
        (":authority", "host.test"),
        (":path", path),
        (":method", method),
        (":scheme", "http"),
    ];
    let mut headers = pairs(pseudo);
    if profile == Profile::Nginx {
        headers.extend(pairs([("host", "host.test")]));
    }
    headers.extend(sent(&message.headers));
    if !message.trailers.is_empty() {
        // Envoy shows how a request is framed by its length alone.
        let chunked = [("transfer-encoding", "chunked")];
        headers.extend(pairs(chunked.into_iter().filter(|_| profile == Profile::Nginx)));
    } else if !message.body.is_empty() {
        let length = message.body.len().to_string();
        headers.extend(pairs([("content-length", length.as_str())]));
    }
    if profile != Profile::Nginx {
        headers.extend(pairs([("x-forwarded-proto", "http")]));
    }
    headers
}

/// The headers of a response as the codec of the proxy makes them.
fn response_headers(profile: Profile, message: &Message) -> Headers {
    let mut headers = pairs([(":status", message.status.to_string().as_str())]);
    let length = message.body.len().to_string();
    let framing = match (message.trailers.is_empty(), profile) {
        (true, Profile::Nginx) => ("Content-Length", length.as_str()),
        (true, Profile::Envoy | Profile::Spec) => ("content-length", length.as_str()),
        (false, Profile::Nginx) => ("Transfer-Encoding", "chunked"),
        (false, Profile::Envoy | Profile::Spec) => ("transfer-encoding", "chunked"),
    };
    if profile == Profile::Nginx {
        headers.extend(pairs([framing, ("Connection", "keep-alive")]));
        headers.extend(sent(&message.headers));
        let own = [("Server", "nginx/1"), ("Date", "Sun, 22 Nov 2026 00:00:00 GMT")];
        headers.extend(pairs(own));
        return headers;
    }
    headers.extend(sent(&message.headers));
    headers.extend(pairs([framing]));
    headers
}

fn pairs<'t>(fields: impl IntoIterator<Item = (&'t str, &'t str)>) -> Headers {
    let bytes = |text: &str| text.as_bytes().to_vec();
    fields
        .into_iter()
        .map(|(name, value)| (bytes(name), bytes(value)))
        .collect()
}

fn sent(fields: &Fields) -> Headers {
    pairs(fields.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

fn first(headers: &Headers, name: &[u8]) -> String {
    let found = headers.iter().find(|(key, _)| key == name);
    found.map_or_else(String::new, |(_, value)| {
        String::from_utf8_lossy(value).into_owned()
    })
}
