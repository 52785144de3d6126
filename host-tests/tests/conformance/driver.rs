//! A case, taken through the host: the events are those that Envoy's HTTP/1.1 codec makes of the same traffic.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use scopegate_conformance::cases::{Case, Fields, Message, Traffic};
use scopegate_conformance::{skips, transcript};
use scopegate_host_tests::{
    Answer, Clock, CloseType, GrpcAnswer, GrpcCallout, GrpcEvent, Headers, Host, LocalReply, LogLevel,
    Module, Profile, Response, Step, StreamId, TcpStep,
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

struct Run {
    host: Host,
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
        let host = Host::builder(module)
            .vm_configuration(&case.script)
            .configuration(CONFIGURATION)
            .names("plugin", "root", &case.name)
            .environment([("CASE", case.name.as_str())])
            .clock(Clock::virtual_at(NOW))
            .profile(profile)
            .upstream("answers", |_| Answer::Response(callee()))
            .upstream("silent", |_| Answer::Later)
            .upstream("breaks", |_| Answer::Failure)
            .upstream("nobody", |_| Answer::Failure)
            .grpc_upstream("grpc", grpc)
            .build()
            .unwrap();
        Self {
            host,
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
            Err(End::Failed) => transcript::message("503", &[], b"", &[]),
            Err(End::NoAnswer) => "no answer".to_owned(),
        };
        self.client.push(answer);
        self.host.finish(id);
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
        let pseudo = [
            (":authority", "host.test"),
            (":path", path),
            (":method", method),
            (":scheme", "http"),
        ];
        let mut headers = pairs(pseudo);
        headers.extend(sent(&message.headers));
        let (has_body, has_trailers) = (!message.body.is_empty(), !message.trailers.is_empty());
        if has_body && !has_trailers {
            let length = message.body.len().to_string();
            headers.extend(pairs([("content-length", length.as_str())]));
        }
        headers.extend(pairs([("x-forwarded-proto", "http")]));
        let step = self.host.request_headers(id, headers, !has_body && !has_trailers);
        self.settled(id, step)?;
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
        let mut headers = pairs([(":status", message.status.to_string().as_str())]);
        headers.extend(sent(&message.headers));
        let (has_body, has_trailers) = (!message.body.is_empty(), !message.trailers.is_empty());
        if has_trailers {
            headers.extend(pairs([("transfer-encoding", "chunked")]));
        } else {
            headers.extend(pairs([(
                "content-length",
                message.body.len().to_string().as_str(),
            )]));
        }
        let step = self
            .host
            .response_headers(id, headers, !has_body && !has_trailers);
        self.settled(id, step)?;
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
        transcript::whole(&self.printed, &self.upstream, &self.client)
    }

    /// What Envoy would have in its log at the level `info`.
    fn print(&mut self) {
        for line in self.host.logs() {
            let level = match line.level {
                LogLevel::Trace | LogLevel::Debug => continue,
                LogLevel::Info => "info",
                LogLevel::Warn => "warning",
                LogLevel::Error => "error",
                LogLevel::Critical => "critical",
            };
            self.printed.extend(transcript::printed(level, &line.message));
        }
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
