//! The messages of the plugin tester's files, by the names and numbers of its published format (`plugins/test/runner.proto`
//! of GoogleCloudPlatform/service-extensions).

use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};
use prost_reflect::{DescriptorPool, MessageDescriptor};

const PACKAGE: &str = "service_extensions_samples.pb";

/// What a field holds: a scalar, or the message or enum of this name.
enum Kind {
    Scalar(Type),
    Message(&'static str),
    Enum(&'static str),
}

use Kind::{Enum, Message, Scalar};

type Field = (&'static str, i32, Kind, bool);

/// The message of a whole file.
pub(super) fn suite() -> Option<MessageDescriptor> {
    let file = FileDescriptorProto {
        name: Some("runner.proto".to_owned()),
        package: Some(PACKAGE.to_owned()),
        message_type: messages(),
        enum_type: vec![levels()],
        // As in proto2, what is not written is told from what is written as nothing.
        syntax: Some("proto2".to_owned()),
        ..FileDescriptorProto::default()
    };
    let mut pool = DescriptorPool::new();
    pool.add_file_descriptor_proto(file).ok()?;
    pool.get_message_by_name(&format!("{PACKAGE}.TestSuite"))
}

fn messages() -> Vec<DescriptorProto> {
    let (text, bytes) = (|| Scalar(Type::String), || Scalar(Type::Bytes));
    let (flag, unsigned) = (|| Scalar(Type::Bool), || Scalar(Type::Uint64));
    vec![
        message(
            "StringMatcher",
            vec![
                ("invert", 1, flag(), false),
                ("exact", 2, bytes(), false),
                ("regex", 3, text(), false),
                ("file", 4, text(), false),
            ],
        ),
        message(
            "Header",
            vec![("key", 1, text(), false), ("value", 2, bytes(), false)],
        ),
        message(
            "Input",
            vec![
                ("header", 1, Message("Header"), true),
                ("content", 2, bytes(), false),
                ("file", 3, text(), false),
            ],
        ),
        message(
            "Immediate",
            vec![
                ("http_status", 1, Scalar(Type::Uint32), false),
                ("grpc_status", 2, Scalar(Type::Uint32), false),
                ("details", 3, text(), false),
            ],
        ),
        message(
            "Expectation",
            vec![
                ("has_header", 1, Message("Header"), true),
                ("no_header", 2, Message("Header"), true),
                ("headers", 3, Message("StringMatcher"), true),
                ("body", 4, Message("StringMatcher"), true),
                ("immediate", 5, Message("Immediate"), false),
                ("log", 6, Message("StringMatcher"), true),
            ],
        ),
        message(
            "Invocation",
            vec![
                ("input", 1, Message("Input"), false),
                ("result", 2, Message("Expectation"), false),
            ],
        ),
        message(
            "Property",
            vec![("path", 1, text(), false), ("value", 2, bytes(), false)],
        ),
        message(
            "Test",
            vec![
                ("name", 1, text(), false),
                ("benchmark", 2, flag(), false),
                ("num_chunks", 10, Scalar(Type::Int32), false),
                ("chunk_size", 11, Scalar(Type::Int64), false),
                ("properties", 12, Message("Property"), true),
                ("request_headers", 3, Message("Invocation"), false),
                ("request_body", 4, Message("Invocation"), true),
                ("response_headers", 5, Message("Invocation"), false),
                ("response_body", 6, Message("Invocation"), true),
                ("plugin_init", 7, Message("Expectation"), false),
                ("stream_init", 8, Message("Expectation"), false),
                ("stream_destroy", 9, Message("Expectation"), false),
            ],
        ),
        message(
            "Env",
            vec![
                ("test_path", 1, text(), false),
                ("wasm_path", 2, text(), false),
                ("config_path", 3, text(), false),
                ("log_level", 4, Enum("LogLevel"), false),
                ("log_path", 5, text(), false),
                ("time_secs", 6, unsigned(), false),
                ("num_additional_streams", 7, unsigned(), false),
                ("additional_stream_advance_rate", 8, unsigned(), false),
            ],
        ),
        message(
            "TestSuite",
            vec![
                ("env", 1, Message("Env"), false),
                ("test", 2, Message("Test"), true),
            ],
        ),
    ]
}

fn levels() -> EnumDescriptorProto {
    let names = ["UNDEFINED", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"];
    let value = |(number, name): (i32, &str)| EnumValueDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        options: None,
    };
    EnumDescriptorProto {
        name: Some("LogLevel".to_owned()),
        value: (0..).zip(names).map(value).collect(),
        ..EnumDescriptorProto::default()
    }
}

fn message(name: &str, fields: Vec<Field>) -> DescriptorProto {
    DescriptorProto {
        name: Some(name.to_owned()),
        field: fields.into_iter().map(field).collect(),
        ..DescriptorProto::default()
    }
}

fn field((name, number, kind, is_repeated): Field) -> FieldDescriptorProto {
    let named = |name: &str| Some(format!(".{PACKAGE}.{name}"));
    let (kind, type_name) = match kind {
        Scalar(kind) => (kind, None),
        Message(name) => (Type::Message, named(name)),
        Enum(name) => (Type::Enum, named(name)),
    };
    let label = if is_repeated {
        Label::Repeated
    } else {
        Label::Optional
    };
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        r#type: Some(kind.into()),
        label: Some(label.into()),
        type_name,
        ..FieldDescriptorProto::default()
    }
}
