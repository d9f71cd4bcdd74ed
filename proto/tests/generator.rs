//! The build script refuses what it does not understand, and says where it stands.

#[path = "../build/messages.rs"]
mod messages;
#[path = "../build/patterns.rs"]
mod patterns;
#[path = "../build/rules.rs"]
mod rules;

use std::{error::Error, fs, path::Path};

use protox::Compiler;

const PACKAGE: &str = "leadflip.ownership.v1";

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// What the build script makes of a message `M` with these members.
fn generate(test: &str, members: &str) -> Result<String> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    fs::create_dir_all(&dir)?;
    let header = format!("syntax = \"proto3\";\npackage {PACKAGE};\nimport \"buf/validate/validate.proto\";\n");
    let imports = "import \"google/protobuf/any.proto\";\n";
    fs::write(dir.join("m.proto"), format!("{header}{imports}message M {{\n{members}\n}}\n"))?;
    let mut compiler = Compiler::new([dir.as_path(), Path::new("vendor")])?;
    compiler.include_imports(true).open_file("m.proto")?;
    messages::implementations(&compiler.descriptor_pool())
}

#[track_caller]
fn refuses(test: &str, members: &str, said: &str) {
    match generate(test, members) {
        Ok(source) => panic!("accepted: {source}"),
        Err(error) => assert!(error.to_string().contains(said), "{error}"),
    }
}

fn unknown(field: &str, rule: &str) -> String {
    format!("{PACKAGE}.M{field}: the rule `{rule}` is not supported")
}

#[test]
fn an_unknown_rule_is_named_with_its_field() {
    let f = |rule: &str| format!("string f = 1 [(buf.validate.field).{rule}];");
    refuses("prefix", &f("string.prefix = 'x'"), &unknown(".f", "string.prefix"));
    refuses("cel", &f("cel_expression = 'true'"), &unknown(".f", "cel_expression"));
    refuses("ignore", &f("ignore = IGNORE_ALWAYS"), &unknown(".f", "ignore"));
    refuses("float", "float f = 1 [(buf.validate.field).float.gt = 0];", &unknown(".f", "float.gt"));
}

#[test]
fn an_unknown_rule_within_a_list_is_named_too() {
    let members = "repeated string f = 1 [(buf.validate.field).repeated.items.string.prefix = 'x'];";
    refuses("items", members, &unknown(".f", "string.prefix"));
    let members = "repeated string f = 1 [(buf.validate.field).repeated.unique = true];";
    refuses("unique", members, &unknown(".f", "unique"));
}

#[test]
fn an_enum_rule_names_the_values_that_are_right() {
    let members = "enum E { A = 0; B = 1; } E f = 1 [(buf.validate.field).enum.not_in = 0];";
    refuses("not_in", members, &unknown(".f", "enum without defined_only"));
}

#[test]
fn a_rule_for_a_whole_message_is_refused() {
    let members = "option (buf.validate.message).cel_expression = 'true';";
    refuses("message", members, "M: rules for a message are not supported");
}

#[test]
fn a_rule_that_does_not_fit_the_field_is_refused() {
    let unfit = |rule: &str| format!("M.f: the rule `{rule}` is not supported for such a field");
    for (test, field, rule, name) in [
        ("required", "string f", "required = true", "required"),
        ("zero", "int32 f", "ignore = IGNORE_IF_ZERO_VALUE", "ignore"),
        ("single", "string f", "repeated.min_items = 1", "repeated` or `map"),
        ("list", "repeated string f", "string.min_len = 1", "value"),
        ("inner", "repeated string f", "repeated.items.required = true", "items"),
        ("message_value", "M f", "string.min_len = 1", "value"),
    ] {
        refuses(test, &format!("{field} = 1 [(buf.validate.field).{rule}];"), &unfit(name));
    }
}

#[test]
fn a_pattern_means_the_same_to_everybody_or_is_refused() {
    let members = r#"string f = 1 [(buf.validate.field).string.pattern = "^\\s$"];"#;
    refuses("class", members, r"M.f: `\s` has several meanings");
    let members = r#"string f = 1 [(buf.validate.field).string.pattern = "("];"#;
    refuses("regex", members, "M.f: regex parse error");
}

#[test]
fn a_message_of_another_package_is_refused() {
    refuses("foreign", "google.protobuf.Any f = 1;", "M.f: nobody knows how to check a google.protobuf.Any");
}

#[test]
fn a_pattern_without_words_of_its_own_is_quoted() {
    let members = "string f = 1 [(buf.validate.field).string.pattern = '^x$'];";
    assert!(generate("quoted", members).unwrap().contains("\"must match ^x$\""));
}

#[test]
fn types_within_messages_are_found_by_their_path() {
    let members = "message N { oneof o { string a = 1 [(buf.validate.field).string.min_len = 1]; } } N f = 1;";
    let source = generate("nested", members).unwrap();
    assert!(source.contains("impl Validate for v1::m::N {"), "{source}");
    assert!(source.contains("Some(v1::m::n::O::A(value)) =>"), "{source}");
}
