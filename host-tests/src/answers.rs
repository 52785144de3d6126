//! The answers to callouts: when they reach the module, and in which context.

use crate::callout::{Answer, Asker, CallResponse, Callout, CalloutToken, Ended, ended};
use crate::headers::HeaderMap;
use crate::host::{Host, length};
use crate::vm::Trap;

/// A module that answers every answer with another callout is stopped here.
const MAX_ANSWERS: usize = 1_000;

impl Host {
    /// The callouts that wait for an answer.
    #[must_use]
    pub fn callouts(&self) -> Vec<Callout> {
        let pending = self.world().callouts.pending.values();
        pending.map(|pending| pending.callout.clone()).collect()
    }

    /// Answers a callout, at once whatever the answer says of when. An unknown number is ignored, as an answer
    /// that comes too late is.
    ///
    /// # Errors
    /// The module failed.
    pub fn answer(&mut self, token: CalloutToken, answer: Answer) -> Result<(), Trap> {
        if let Some((_, ended)) = ended(answer) {
            self.world_mut().callouts.ready.push_back((token, ended));
        }
        self.deliver();
        self.alive()
    }

    /// Answers a callout that was sent by the root and answered before: what no proxy should do, and what a module
    /// should survive.
    ///
    /// # Errors
    /// The module failed.
    pub fn answer_again(&mut self, token: CalloutToken, answer: Answer) -> Result<(), Trap> {
        if let Some((_, ended)) = ended(answer) {
            let asker = Asker {
                root: self.root,
                stream: None,
                now: None,
            };
            self.hand_over(token, asker, ended);
        }
        self.alive()
    }

    /// Hands every answer that is there to the module; says whether there was one.
    pub(crate) fn deliver(&mut self) -> bool {
        let mut delivered = false;
        for _ in 0..MAX_ANSWERS {
            let Some((token, ended)) = self.world_mut().callouts.ready.pop_front() else {
                match self.deliver_grpc() {
                    true => delivered = true,
                    false => break,
                }
                continue;
            };
            if let Some(pending) = self.world_mut().callouts.pending.remove(&token) {
                self.hand_over(token, pending.asker, ended);
                delivered = true;
            }
        }
        delivered
    }

    fn hand_over(&mut self, token: CalloutToken, asker: Asker, ended: Ended) {
        let root = asker.root;
        let state = self.vm.state_mut();
        let profile = state.world.profile;
        let stream = asker.stream.filter(|stream| state.streams.contains_key(stream));
        if profile.answers_arrive_in_stream() && stream.is_none() && asker.stream.is_some() {
            // The request has taken its callouts with it.
            return;
        }
        state.call_failed = !ended.is_whole();
        state.call_response = ended.response(profile);
        state.call_failed |= state.call_response.as_ref().is_some_and(CallResponse::is_cut);
        let sizes = state.call_response.as_ref().map_or([0, 0, 0], |response| {
            let body = response.body.as_deref().unwrap_or_default();
            [
                response.headers.len(),
                body.len(),
                response.trailers.as_ref().map_or(0, HeaderMap::len),
            ]
            .map(length)
        });
        if let Some(context) = state.roots.get_mut(&root).filter(|_| sizes.first() == Some(&0)) {
            context.status = (crate::Status::BrokenConnection as u32, b"reset".to_vec());
        }
        let [headers, body, trailers] = sizes;
        let context = stream
            .filter(|_| profile.answers_arrive_in_stream())
            .unwrap_or(root);
        let args = [root, token, headers, body, trailers];
        self.vm.call(context, "proxy_on_http_call_response", &args);
        let failed = self.vm.failure().is_some();
        let state = self.vm.state_mut();
        state.call_response = None;
        state.call_failed = false;
        if let Some(context) = state.roots.get_mut(&root) {
            context.status.1.clear();
        }
        self.resume_after(stream, failed);
    }

    /// ngx_wasm_module lets a request go on when the last of its callouts has ended, even where the module failed
    /// just then.
    fn resume_after(&mut self, stream: Option<u32>, failed: bool) {
        let state = self.vm.state_mut();
        let Some(id) = stream.filter(|_| state.world.profile.resumes_after_callouts()) else {
            return;
        };
        let over = !state.world.callouts.has_pending(id);
        if let Some(stream) = state.streams.get_mut(&id) {
            stream.continue_request = over;
            stream.escaped |= over && failed;
        }
    }
}
