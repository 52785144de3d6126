//! What authentication must refuse: no credential, and credentials with one thing wrong.

use serde_json::{Value, json};

use super::credential::Credential;
use super::document::{members, text, texts};
use super::draft::Draft;
use super::refusals::{Passing, Refusal};

impl Passing<'_> {
    /// Layer one: who is calling.
    pub(super) fn unproven(&self, draft: &mut Draft<'_>) -> Vec<Refusal> {
        let mut refusals =
            vec![
                self.refusal("nobody without a credential", &["credential_missing"], |sketch| {
                    sketch.credential = Credential::default();
                }),
            ];
        let named = |name: String| Some((name, Value::Null));
        let base = self
            .sketch
            .credential
            .token
            .as_ref()
            .map(|(name, _)| name.clone())
            .unwrap_or_default();
        let mut with = |words: &str, codes, token: Value, name: String| {
            let name = draft.token(&name, token);
            refusals.push(self.refusal(words, codes, |sketch| sketch.credential.token = named(name)));
        };
        match text(self.provider, "/type") {
            Some("api_key") => {
                let token = json!({"provider": self.who.provider, "raw": "not-a-key"});
                with(
                    "nobody with a key that is not known",
                    &["api_key_unknown"],
                    token,
                    "unknown_key".to_owned(),
                );
            }
            Some("introspection") => {
                let token = json!({"provider": self.who.provider, "raw": "made-up"});
                with(
                    "nobody with a token that nobody issued",
                    &["token_inactive"],
                    token,
                    "made_up".to_owned(),
                );
            }
            Some("mtls") => refusals.push(self.refusal(
                "nobody with a certificate that was not verified",
                &["peer_unidentified"],
                |sketch| {
                    if let Some(peer) = sketch.credential.peer.as_mut().and_then(Value::as_object_mut) {
                        peer.insert("verified".to_owned(), json!(false));
                    }
                },
            )),
            _ => {
                let token = json!({"from": base, "key": draft.rogue(self.provider)});
                let name = draft.token(&format!("forged_{base}"), token);
                refusals.push(
                    self.refusal("nobody with a forged token", &["signature_invalid"], |sketch| {
                        sketch.credential.token = named(name);
                    }),
                );
                let name = draft.token(
                    &format!("expired_{base}"),
                    json!({"from": base, "expires_in": "-10m"}),
                );
                refusals.push(self.refusal(
                    "nobody with a token that has ended",
                    &["token_expired"],
                    |sketch| {
                        sketch.credential.token = named(name);
                    },
                ));
                refusals.extend(self.unbound());
                refusals.extend(self.misissued(&base, draft));
            }
        }
        refusals
    }

    /// Tokens that the provider signed, and that it does not take: what each of its fields refuses, once for all routes.
    fn misissued(&self, base: &str, draft: &mut Draft<'_>) -> Vec<Refusal> {
        let says = |field: &str| self.provider.pointer(field).is_some();
        let mut kinds: Vec<(&str, &'static [&'static str], &str, Value)> = Vec::new();
        if says("/issuer") {
            let token = json!({"from": base, "claims": {"iss": "https://elsewhere.example"}});
            kinds.push(("another issuer", &["issuer_unknown"], "another_issuer", token));
        }
        if says("/audiences") {
            let token = json!({"from": base, "claims": {"aud": "https://elsewhere.example"}});
            kinds.push((
                "another audience",
                &["audience_mismatch"],
                "another_audience",
                token,
            ));
        }
        let listed = texts(self.provider, "/algorithms");
        let other = ["RS512", "ES384", "PS384"]
            .into_iter()
            .find(|it| !listed.contains(it));
        if let Some(other) = other.filter(|_| !listed.is_empty()) {
            let token = json!({"from": base, "alg": other});
            kinds.push((
                "another algorithm",
                &["algorithm_not_allowed"],
                "another_algorithm",
                token,
            ));
        }
        if text(self.provider, "/max_lifetime").is_some_and(|most| most != "unlimited") {
            let token = json!({"from": base, "expires_in": "400d"});
            kinds.push(("a longer life", &["lifetime_too_long"], "long_lived", token));
        }
        if text(self.provider, "/profile") == Some("rfc9068") {
            let token = json!({"from": base, "header": {"typ": "JWT"}});
            kinds.push(("another type", &["type_mismatch"], "another_type", token));
        }
        if let Some((claim, _)) = members(self.provider, "/require/claims").next() {
            let token = json!({"from": base, "claims": {claim: null}});
            kinds.push(("no required claim", &["claim_missing"], "without_a_claim", token));
            let token = json!({"from": base, "claims": {claim: "another"}});
            kinds.push((
                "another value of a required claim",
                &["claim_mismatch"],
                "another_claim",
                token,
            ));
        }
        let mut refusals = Vec::new();
        for (words, codes, name, token) in kinds {
            if draft.is_first(self.provider, words) {
                let name = draft.token(&format!("{name}_of_{base}"), token);
                let words = format!("nobody with a token that has {words}");
                refusals.push(self.refusal(&words, codes, |sketch| {
                    sketch.credential.token = Some((name, Value::Null));
                }));
            }
        }
        refusals
    }

    /// A token that is bound to a key or a certificate, without it.
    fn unbound(&self) -> Vec<Refusal> {
        match text(self.provider, "/binding") {
            Some("dpop" | "any") => vec![
                self.refusal("nobody with a stolen token", &["proof_missing"], |sketch| {
                    sketch.credential.proof = None
                }),
                self.refusal(
                    "nobody with a stolen token and a key of one's own",
                    &["binding_mismatch"],
                    |sketch| {
                        sketch.credential.proof = Some("thief".to_owned());
                    },
                ),
            ],
            Some("mtls") => {
                vec![
                    self.refusal("nobody with a stolen token", &["binding_mismatch"], |sketch| {
                        sketch.credential.peer = None;
                    }),
                ]
            }
            _ => Vec::new(),
        }
    }
}
