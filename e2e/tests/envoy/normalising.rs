//! The plugin behind an Envoy that normalises paths itself.

use scopegate_e2e::normalising;

use crate::common::{envoy, module, root};

#[test]
fn what_envoy_makes_of_a_path_is_what_is_matched_and_forwarded() {
    if envoy("what_envoy_makes_of_a_path_is_what_is_matched_and_forwarded").is_none() {
        return;
    }
    let summary = normalising::run(&module(), &[root().join("corpus"), root().join("policies")]).unwrap();
    println!(
        "{} requests compared, {} with a path that Envoy changed; {} answered by Envoy",
        summary.compared, summary.changed, summary.answered_by_envoy
    );
    assert_eq!(summary.differences, Vec::<String>::new());
    assert!(summary.compared > 2_000 && summary.changed > 150, "{summary:?}");
    assert!(summary.answered_by_envoy < 50, "{summary:?}");
}
