//! What a provider's tokens are bound to: `binding`, `dpop`, and the origins that proofs are made for.

use crate::confirmation::BindingRules;
use crate::dpop::{Origin, Rules};
use crate::section::{Binding, DpopNonce, DpopSection};
use crate::{Algorithm, limits};

use super::Faults;

/// Compiles the binding of the provider at `path`; nothing where it has faults. `origins` are those of the policy,
/// nothing where it names none; `clock_skew` is the provider's, in seconds.
pub(crate) fn compile(
    faults: &mut Faults,
    path: &str,
    binding: Binding,
    dpop: Option<&DpopSection>,
    origins: Option<&[Origin]>,
    clock_skew: i64,
) -> Option<BindingRules> {
    let dpop = match binding {
        Binding::Dpop | Binding::Any => Some(proofs(faults, path, binding, dpop, origins, clock_skew)?),
        Binding::None | Binding::Mtls => {
            refuse(faults, path, dpop)?;
            None
        }
    };
    Some(BindingRules { binding, dpop })
}

/// Reads the origins that callers see; nothing where the field is absent.
pub(crate) fn origins(faults: &mut Faults, origins: Option<&[String]>) -> Option<Vec<Origin>> {
    let list = origins?;
    if list.is_empty() {
        faults.empty_list("origins");
    }
    let mut read = Vec::with_capacity(list.len());
    for (index, text) in list.iter().enumerate() {
        let path = format!("origins[{index}]");
        match Origin::parse(text) {
            None => {
                let message = format!("`{}` is no origin", text.escape_debug());
                let help =
                    "write scheme, host and perhaps port in lower case, no path: `https://api.example.com`";
                faults.invalid(path, message, help);
            }
            Some(origin) if read.contains(&origin) => {
                faults.duplicate(path, format!("`{text}` stands here twice"), "remove one of them");
            }
            Some(origin) => read.push(origin),
        }
    }
    Some(read)
}

fn refuse(faults: &mut Faults, path: &str, dpop: Option<&DpopSection>) -> Option<()> {
    if dpop.is_none() {
        return Some(());
    }
    let message = "`dpop` belongs to providers with `binding: dpop` or `binding: any`";
    faults.add(
        "field_not_of_type",
        format!("{path}.dpop"),
        message,
        "remove the field, or bind the tokens of this provider",
    );
    None
}

fn proofs(
    faults: &mut Faults,
    path: &str,
    binding: Binding,
    section: Option<&DpopSection>,
    origins: Option<&[Origin]>,
    clock_skew: i64,
) -> Option<Rules> {
    let defaults = DpopSection::default();
    let DpopSection {
        algorithms,
        max_age,
        nonce,
    } = section.unwrap_or(&defaults);
    let path_of_section = format!("{path}.dpop");
    let algorithms = compile_algorithms(faults, &path_of_section, algorithms.as_deref());
    let max_age = max_age.map_or(limits::PROOF_AGE_DEFAULT, |age| age.as_seconds());
    let is_age = (1..=limits::PROOF_AGE_MAX).contains(&max_age);
    if !is_age {
        let message = "a proof is good for one request: between one second and five minutes";
        faults.invalid(
            format!("{path_of_section}.max_age"),
            message,
            "write at most `5m`; `60s` is what most need",
        );
    }
    if origins.is_none() {
        let message = match binding {
            Binding::Any => "`binding: any` needs the origins that callers see",
            Binding::None | Binding::Dpop | Binding::Mtls => {
                "`binding: dpop` needs the origins that callers see"
            }
        };
        faults.add(
            "missing_field",
            format!("{path}.binding"),
            message,
            "write `origins: [https://api.example.com]` in `authentication`: a proof names the URL of its request",
        );
    }
    is_age.then_some(Rules {
        algorithms: algorithms?,
        max_age,
        clock_skew,
        requires_nonce: *nonce == Some(DpopNonce::Required),
        origins: origins?.to_vec(),
    })
}

fn compile_algorithms(
    faults: &mut Faults,
    path: &str,
    algorithms: Option<&[Algorithm]>,
) -> Option<Vec<Algorithm>> {
    let path = format!("{path}.algorithms");
    let asymmetric = |algorithm: &&Algorithm| !algorithm.is_symmetric();
    let Some(list) = algorithms else {
        return Some(Algorithm::ALL.iter().filter(asymmetric).copied().collect());
    };
    if list.is_empty() {
        faults.empty_list(&path);
        return None;
    }
    let mut is_good = true;
    for (index, algorithm) in list.iter().enumerate() {
        let path = format!("{path}[{index}]");
        if list.iter().take(index).any(|earlier| earlier == algorithm) {
            let message = format!("`{algorithm}` stands here twice");
            faults.duplicate(path, message, "remove one of them");
        } else if algorithm.is_symmetric() {
            let message = format!("`{algorithm}` proves nothing: whoever checks it could have made it");
            let help = "list algorithms with public keys, as in `[ES256]` (RFC 9449 section 4.3)";
            faults.invalid(path, message, help);
        } else {
            continue;
        }
        is_good = false;
    }
    is_good.then(|| list.to_vec())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{compile, origins};
    use crate::Algorithm;
    use crate::compile::Faults;
    use crate::confirmation::BindingRules;
    use crate::section::{Binding, DpopSection};

    /// The rules, or the path and the code of every fault.
    fn compiled(
        binding: Binding,
        dpop: &Value,
        list: Option<&[&str]>,
    ) -> Result<Option<BindingRules>, Vec<(String, &'static str)>> {
        let mut faults = Faults::default();
        let dpop: Option<DpopSection> = serde_json::from_value(dpop.clone()).expect("a section");
        let list: Option<Vec<String>> = list.map(|list| list.iter().map(|&text| text.to_owned()).collect());
        let origins = origins(&mut faults, list.as_deref());
        let rules = compile(&mut faults, "p", binding, dpop.as_ref(), origins.as_deref(), 30);
        let named = |faults: Vec<scopegate_document::PolicyError>| {
            faults.into_iter().map(|fault| (fault.path, fault.code)).collect()
        };
        faults.or(rules).map_err(named)
    }

    const ORIGINS: Option<&[&str]> = Some(&["https://api.example.com"]);

    #[test]
    fn what_is_left_out_has_a_default() {
        for binding in [Binding::Dpop, Binding::Any] {
            for section in [json!(null), json!({})] {
                let rules = compiled(binding, &section, ORIGINS)
                    .expect("no faults")
                    .expect("rules");
                let proofs = rules.dpop.expect("rules for proofs");
                assert_eq!(
                    (rules.binding, proofs.max_age, proofs.clock_skew),
                    (binding, 60, 30)
                );
                assert!(!proofs.requires_nonce);
                assert!(!proofs.algorithms.iter().any(|algorithm| algorithm.is_symmetric()));
                let symmetric = Algorithm::ALL.iter().filter(|algorithm| algorithm.is_symmetric());
                assert_eq!(proofs.algorithms.len() + symmetric.count(), Algorithm::ALL.len());
                assert_eq!(proofs.origins.len(), 1);
            }
        }
        for binding in [Binding::None, Binding::Mtls] {
            let rules = compiled(binding, &json!(null), None)
                .expect("no faults")
                .expect("rules");
            assert!(rules.binding == binding && rules.dpop.is_none());
        }
    }

    #[test]
    fn what_is_written_counts() {
        let section = json!({"algorithms": ["ES256", "EdDSA"], "max_age": "5m", "nonce": "required"});
        let rules = compiled(Binding::Dpop, &section, ORIGINS)
            .expect("no faults")
            .expect("rules");
        let proofs = rules.dpop.expect("rules for proofs");
        assert_eq!(proofs.algorithms, [Algorithm::Es256, Algorithm::EdDsa]);
        assert_eq!((proofs.max_age, proofs.requires_nonce), (300, true));
        let section = json!({"nonce": "none", "max_age": "1s"});
        let rules = compiled(Binding::Any, &section, ORIGINS)
            .expect("no faults")
            .expect("rules");
        let proofs = rules.dpop.expect("rules for proofs");
        assert_eq!((proofs.max_age, proofs.requires_nonce), (1, false));
    }

    #[test]
    fn every_fault_is_found_where_it_is() {
        let none = json!(null);
        type Case<'c> = (Binding, Value, Option<&'c [&'c str]>, &'c [(&'c str, &'c str)]);
        let cases: &[Case<'_>] = &[
            (
                Binding::None,
                json!({}),
                ORIGINS,
                &[("p.dpop", "field_not_of_type")],
            ),
            (
                Binding::Mtls,
                json!({}),
                ORIGINS,
                &[("p.dpop", "field_not_of_type")],
            ),
            (
                Binding::Dpop,
                none.clone(),
                None,
                &[("p.binding", "missing_field")],
            ),
            (
                Binding::Any,
                none.clone(),
                None,
                &[("p.binding", "missing_field")],
            ),
            (
                Binding::Dpop,
                none.clone(),
                Some(&[]),
                &[("origins", "empty_list")],
            ),
            (
                Binding::Dpop,
                none.clone(),
                Some(&[
                    "https://a.example.com",
                    "https://b.example.com/x",
                    "https://a.example.com:443",
                ]),
                &[("origins[1]", "invalid_value")],
            ),
            (
                Binding::None,
                none,
                Some(&["https://a.example.com", "https://a.example.com"]),
                &[("origins[1]", "duplicate")],
            ),
            (
                Binding::Dpop,
                json!({"algorithms": []}),
                ORIGINS,
                &[("p.dpop.algorithms", "empty_list")],
            ),
            (
                Binding::Any,
                json!({"algorithms": ["ES256", "HS256", "ES256"], "max_age": "301s"}),
                None,
                &[
                    ("p.dpop.algorithms[1]", "invalid_value"),
                    ("p.dpop.algorithms[2]", "duplicate"),
                    ("p.dpop.max_age", "invalid_value"),
                    ("p.binding", "missing_field"),
                ],
            ),
            (
                Binding::Dpop,
                json!({"max_age": "0s"}),
                ORIGINS,
                &[("p.dpop.max_age", "invalid_value")],
            ),
        ];
        for (binding, section, origins, expected) in cases {
            let expected: Vec<_> = expected
                .iter()
                .map(|&(path, code)| (path.to_owned(), code))
                .collect();
            let found = compiled(*binding, section, *origins).expect_err("faults");
            assert_eq!(found, expected, "{binding:?} {section}");
        }
    }
}
