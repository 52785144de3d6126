//! What a YAML reader complains of, in the words of authors: no name of its own options, limits and types gets through.

use serde_saphyr::Error;
use serde_saphyr::budget::BudgetBreach;

/// What helps where nothing more is known.
const YAML: &str = "write YAML 1.2 without anchors, aliases and merge keys, or JSON";

/// A complaint: what is wrong, and what would be right.
pub(super) type Complaint = (String, &'static str);

/// The complaint in our words. The place stands beside it anyway.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "most of what the library can say is about options that are not set, and more may come"
)]
pub(super) fn in_our_words(error: &Error) -> Complaint {
    match error {
        Error::WithSnippet { error, .. } | Error::AliasError { error, .. } => in_our_words(error),
        Error::Budget { breach, .. } => beyond(breach),
        Error::Message { msg, .. } | Error::ExternalMessage { msg, .. } => syntax(msg),
        Error::DuplicateMappingKey { key, .. } => {
            let message = match key {
                Some(name) => format!("the field `{name}` stands here twice"),
                None => "a field stands here twice".to_owned(),
            };
            (message, "keep one of the two")
        }
        Error::MultipleDocuments { .. } => several_documents(),
        Error::Eof { .. } => say("the text ends too early", "close what is open"),
        Error::UnknownAnchor { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::RecursiveReferencesRequireWeakTypes { .. } => anchors(),
        Error::MergeKeyNotAllowed { .. } | Error::MergeValueNotMapOrSeqOfMaps { .. } => merge_keys(),
        Error::UnsupportedTag { .. }
        | Error::TaggedStructFieldName { .. }
        | Error::TaggedEnumMismatch { .. }
        | Error::TaggedScalarCannotDeserializeIntoString { .. }
        | Error::InvalidBinaryBase64 { .. }
        | Error::BinaryNotUtf8 { .. }
        | Error::BytesNotSupportedMissingBinaryTag { .. }
        | Error::UnsupportedIncludeForm { .. }
        | Error::CyclicInclude { .. }
        | Error::ResolverError { .. } => say("tags have no meaning here", "leave the tag out, as in `!name`"),
        Error::NonFiniteFloat { value, .. } => (
            format!("`{value}` is no finite number"),
            "write a number, or put a text in quotes",
        ),
        Error::InvalidScalar { .. } => say(
            "this number cannot be read",
            "write a number, or put a text in quotes",
        ),
        Error::InvalidBooleanStrict { .. } => say(
            "this is no truth value",
            "write `true`, `false`, or quotes around a text",
        ),
        Error::QuotingRequired { value, .. } => (
            format!("`{value}` needs quotes"),
            "put it in quotes where it is a text",
        ),
        Error::NullIntoString { .. } | Error::Unexpected { .. } => {
            say("the name of a field is a text", "write `name: value`")
        }
        Error::FoldedBlockScalarMustIndentContent { .. } | Error::IndentationError { .. } => say(
            "the indentation is wrong",
            "indent what belongs together alike, with spaces",
        ),
        Error::InvalidUtf8Input => say("this is no text in UTF-8", "save it as UTF-8"),
        _ => say("this cannot be read as YAML", YAML),
    }
}

fn say(message: &str, help: &'static str) -> Complaint {
    (message.to_owned(), help)
}

fn anchors() -> Complaint {
    say(
        "anchors and aliases (`&name`, `*name`) are not read here",
        "write the value out where it is meant",
    )
}

fn merge_keys() -> Complaint {
    say(
        "merge keys (`<<`) are not read here",
        "write the fields out where they are meant",
    )
}

fn several_documents() -> Complaint {
    say(
        "a second document begins here",
        "write one document a file, without `---`",
    )
}

/// What the parser says of the syntax. Its sentences are about YAML; its limits are the budget's too.
fn syntax(text: &str) -> Complaint {
    let first = text.lines().next().unwrap_or_default();
    match first {
        "unknown anchor" => anchors(),
        "multiple documents not supported here" => several_documents(),
        "recursion limit exceeded" => too_deep(),
        _ if first.starts_with("internal error") => say("this cannot be read as YAML", YAML),
        _ => (
            first.to_owned(),
            "look at the brackets, the quotes and the indentation here",
        ),
    }
}

fn too_deep() -> Complaint {
    say("this is nested too deep", "no document needs more than 64 levels")
}

/// What goes beyond the bounds that are set on reading.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "all other bounds are on the size, and more may come"
)]
fn beyond(breach: &BudgetBreach) -> Complaint {
    match breach {
        BudgetBreach::Aliases { .. }
        | BudgetBreach::Anchors { .. }
        | BudgetBreach::AliasAnchorRatio { .. }
        | BudgetBreach::RecordedAnchorEvents { .. }
        | BudgetBreach::RecordedAnchorBytes { .. } => anchors(),
        BudgetBreach::MergeKeys { .. } => merge_keys(),
        BudgetBreach::Depth { .. } | BudgetBreach::InclusionDepth { .. } => too_deep(),
        BudgetBreach::Documents { .. } => several_documents(),
        BudgetBreach::SequenceUnbalanced => say("something ends here that never began", YAML),
        _ => say("the file is too large", "split it into several"),
    }
}
