//! Requirements on scopes, in disjunctive form: branches, of which one must hold whole.
//!
//! The form is made once, when the policy is compiled, and its size is bounded there.

use scopegate_document::PolicyError;

use super::catalogue::Catalogue;
use super::effective::Effective;
use super::set::{ScopeId, ScopeSet};
use crate::section::{ScopeItem, ScopeRequirement};

/// The most branches of a requirement in disjunctive form. People write a handful; `all` over many `any` makes
/// their product.
pub(crate) const MAX_BRANCHES: usize = 256;

/// A compiled requirement. Never without a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Requirement {
    branches: Vec<Branch>,
}

/// One way to meet a requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Branch {
    /// The scopes needed, in the order they are written.
    required: Vec<ScopeId>,
    required_set: ScopeSet,
    /// The scopes that must not be carried.
    forbidden: ScopeSet,
}

/// What a requirement makes of a caller's scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict<'a> {
    /// This branch, the first that does, holds.
    Met(&'a Branch),
    /// No branch holds; this one lacks fewest scopes, and is the first that lacks so few.
    Missing(&'a Branch),
    /// Every branch forbids a scope that the caller carries.
    Forbidden,
}

impl Requirement {
    /// Compiles the requirement at `path`.
    pub(crate) fn compile(
        requirement: &ScopeRequirement,
        catalogue: &Catalogue,
        path: &str,
    ) -> Result<Self, Vec<PolicyError>> {
        let mut compiler = Compiler {
            catalogue,
            faults: Vec::new(),
        };
        let branches = compiler.requirement(requirement, Sense::Holds, path);
        match compiler.faults.is_empty() {
            true => Ok(Self { branches }),
            false => Err(compiler.faults),
        }
    }

    /// Judges a caller's scopes.
    pub(crate) fn judge(&self, scopes: &Effective) -> Verdict<'_> {
        let allowed = || {
            self.branches
                .iter()
                .filter(|branch| !branch.forbidden.intersects(&scopes.carried))
        };
        if let Some(met) = allowed().find(|branch| branch.required_set.is_subset(&scopes.effective)) {
            return Verdict::Met(met);
        }
        // `min_by_key` gives the first of several that are least.
        let nearest = allowed().min_by_key(|branch| branch.required_set.lacking(&scopes.effective));
        nearest.map_or(Verdict::Forbidden, Verdict::Missing)
    }
}

impl Branch {
    /// The scopes needed, in the order they are written.
    pub(crate) fn required(&self) -> &[ScopeId] {
        &self.required
    }

    fn new(catalogue: &Catalogue) -> Self {
        let none = ScopeSet::empty(catalogue.len());
        Self {
            required: Vec::new(),
            required_set: none.clone(),
            forbidden: none,
        }
    }

    fn of(catalogue: &Catalogue, scope: ScopeId, sense: Sense) -> Self {
        let mut branch = Self::new(catalogue);
        match sense {
            Sense::Holds => branch.require(scope),
            Sense::Fails => branch.forbidden.insert(scope),
        }
        branch
    }

    fn require(&mut self, scope: ScopeId) {
        if !self.required_set.contains(scope) {
            self.required_set.insert(scope);
            self.required.push(scope);
        }
    }

    fn and(&self, other: &Self) -> Self {
        let mut both = self.clone();
        other.required.iter().for_each(|scope| both.require(*scope));
        both.forbidden.union_with(&other.forbidden);
        both
    }
}

/// Whether an expression is to hold or, under a `none`, to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sense {
    Holds,
    Fails,
}

impl Sense {
    const fn negated(self) -> Self {
        match self {
            Self::Holds => Self::Fails,
            Self::Fails => Self::Holds,
        }
    }
}

struct Compiler<'a> {
    catalogue: &'a Catalogue,
    faults: Vec<PolicyError>,
}

impl Compiler<'_> {
    /// What is written in one mapping must all hold: for it to fail, one of them must fail.
    fn requirement(&mut self, requirement: &ScopeRequirement, sense: Sense, path: &str) -> Vec<Branch> {
        let ScopeRequirement { all, any, none } = requirement;
        if all.is_none() && any.is_none() && none.is_none() {
            self.faults.push(crate::compile::empty_list(path));
        }
        let mut parts = Vec::new();
        if let Some(list) = all {
            parts.push(self.list(list, sense, sense == Sense::Holds, &format!("{path}.all")));
        }
        if let Some(list) = any {
            parts.push(self.list(list, sense, sense == Sense::Fails, &format!("{path}.any")));
        }
        if let Some(list) = none {
            parts.push(self.list(
                list,
                sense.negated(),
                sense == Sense::Holds,
                &format!("{path}.none"),
            ));
        }
        match sense {
            Sense::Holds => self.conjunction(parts, path),
            Sense::Fails => self.disjunction(parts, path),
        }
    }

    fn list(&mut self, list: &[ScopeItem], sense: Sense, conjunction: bool, path: &str) -> Vec<Branch> {
        if list.is_empty() {
            self.faults.push(crate::compile::empty_list(path));
        }
        let mut parts = Vec::new();
        for (index, item) in list.iter().enumerate() {
            let path = format!("{path}[{index}]");
            match item {
                ScopeItem::Nested(nested) => parts.push(self.requirement(nested, sense, &path)),
                ScopeItem::Scope(entry) => match self.catalogue.expand(entry, &path) {
                    Ok(scopes) => {
                        parts.extend(
                            scopes
                                .into_iter()
                                .map(|scope| vec![Branch::of(self.catalogue, scope, sense)]),
                        );
                    }
                    Err(fault) => self.faults.push(fault),
                },
            }
        }
        match conjunction {
            true => self.conjunction(parts, path),
            false => self.disjunction(parts, path),
        }
    }

    fn conjunction(&mut self, parts: Vec<Vec<Branch>>, path: &str) -> Vec<Branch> {
        let mut product = vec![Branch::new(self.catalogue)];
        for part in parts {
            if product.len().saturating_mul(part.len()) > MAX_BRANCHES {
                self.too_complex(path);
                return Vec::new();
            }
            let crossed = product
                .iter()
                .flat_map(|branch| part.iter().map(move |other| branch.and(other)));
            product = distinct(crossed);
        }
        product
    }

    fn disjunction(&mut self, parts: Vec<Vec<Branch>>, path: &str) -> Vec<Branch> {
        let sum = distinct(parts.into_iter().flatten());
        if sum.len() > MAX_BRANCHES {
            self.too_complex(path);
            return Vec::new();
        }
        sum
    }

    fn too_complex(&mut self, path: &str) {
        self.faults.push(PolicyError::new(
            "requirement_too_complex",
            path,
            format!("the requirement can be met in more than {MAX_BRANCHES} ways"),
            "introduce a scope that implies the others, or split the route",
        ));
    }
}

fn distinct(branches: impl Iterator<Item = Branch>) -> Vec<Branch> {
    let mut kept: Vec<Branch> = Vec::new();
    for branch in branches {
        if !kept.contains(&branch) {
            kept.push(branch);
        }
    }
    kept
}
