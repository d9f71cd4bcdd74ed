//! Writes `impl Validate` for the messages of the contract.

use std::fmt::Write;

use heck::{ToSnakeCase, ToUpperCamelCase};
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor};

use crate::{
    PACKAGE, Result,
    patterns::Patterns,
    rules::{self, Reader, Rules},
};

const DURATION: &str = "google.protobuf.Duration";

/// The Rust source of all implementations.
pub(crate) fn implementations(pool: &DescriptorPool) -> Result<String> {
    let mut patterns = Patterns::default();
    let mut source = String::new();
    let messages = pool.all_messages().filter(|message| message.package_name() == PACKAGE && !message.is_map_entry());
    let mut reader = Reader { patterns: &mut patterns };
    for message in messages {
        source.push_str(&implementation(&message, &mut reader)?);
    }
    Ok(patterns.statics() + &source)
}

fn implementation(message: &MessageDescriptor, reader: &mut Reader<'_>) -> Result<String> {
    rules::refuse_message_rules(message)?;
    let mut body = String::new();
    for field in message.fields() {
        let oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic());
        match oneof {
            None => body += &single_field(&field, reader)?,
            Some(oneof) if oneof.fields().next().as_ref() == Some(&field) => {
                body += &oneof_fields(&oneof, reader)?;
            }
            Some(_) => {}
        }
    }
    let unused = if body.is_empty() { "_" } else { "" };
    Ok(format!(
        "impl Validate for {} {{\n\
         fn check(&self, {unused}place: &Place<'_>, {unused}report: &mut Report) {{\n{body}}}\n}}\n",
        rust_path(message)
    ))
}

/// The statements that check a field outside of oneofs.
fn single_field(field: &FieldDescriptor, reader: &mut Reader<'_>) -> Result<String> {
    let rules = reader.field(field)?;
    refuse_misplaced(field, &rules)?;
    let member = format!("self.{}", field.name().to_snake_case());
    let here = format!("place.field({:?})", field.name());
    let body = if field.is_map() || field.is_list() {
        container(field, &rules, &member)?
    } else if field.supports_presence() {
        optional(&value_check(field, &field.kind(), &rules, "value", "&here")?, rules.required, &member)
    } else {
        let check = value_check(field, &field.kind(), &rules, &format!("&{member}"), "&here")?;
        if rules.ignore_if_zero { format!("if !{member}.is_empty() {{\n{check}}}\n") } else { check }
    };
    Ok(block(&here, &body))
}

fn block(here: &str, body: &str) -> String {
    if body.is_empty() {
        return String::new();
    }
    format!("{{\nlet here = {here};\n{body}}}\n")
}

/// Refuses rules that nothing would check: a rule without effect looks like a promise.
fn refuse_misplaced(field: &FieldDescriptor, rules: &Rules) -> Result<()> {
    let single = !field.is_list() && !field.is_map();
    let message = single && matches!(field.kind(), Kind::Message(_));
    let plain_text = single && matches!(field.kind(), Kind::String) && !field.supports_presence();
    let inner = || rules.items.iter().chain(&rules.keys);
    let misplaced = [
        ("required", rules.required && !message),
        ("ignore", rules.ignore_if_zero && !plain_text),
        ("repeated` or `map", single && (!rules.count.is_empty() || inner().next().is_some())),
        ("value", !single && !rules.value.is_empty()),
        ("items", inner().any(|inner| !inner.is_only_about_values())),
    ];
    match misplaced.iter().find(|(_, refused)| *refused) {
        Some((rule, _)) => Err(unfit(field, rule)),
        None => Ok(()),
    }
}

fn unfit(field: &FieldDescriptor, rule: &str) -> Box<dyn std::error::Error> {
    format!("{}: the rule `{rule}` is not supported for such a field", field.full_name()).into()
}

fn optional(check: &str, required: bool, member: &str) -> String {
    let missing = if required { "report.add(&here, MUST_BE_SET);\n" } else { "" };
    match (check.is_empty(), missing.is_empty()) {
        (true, true) => String::new(),
        (true, false) => format!("if {member}.is_none() {{\n{missing}}}\n"),
        (false, true) => format!("if let Some(value) = &{member} {{\n{check}}}\n"),
        (false, false) => {
            format!("match &{member} {{\nSome(value) => {{\n{check}}}\nNone => {{\n{missing}}}\n}}\n")
        }
    }
}

/// Checks the length of a list or map, then what is in it.
fn container(field: &FieldDescriptor, rules: &Rules, member: &str) -> Result<String> {
    let none = Rules::default();
    let items = rules.items.as_deref().unwrap_or(&none);
    let mut body = rule_check(&rules.count, &format!("&{member}.len()"), "&here");
    if field.is_map() {
        let (key, value) = rules::entry(field)?;
        let keys = rules.keys.as_deref().unwrap_or(&none);
        let within = value_check(field, &key, keys, "key", "&here.key(key)")?
            + &value_check(field, &value, items, "value", "&here.value(key)")?;
        body += &each("(key, value)", member, &within);
    } else {
        let within = value_check(field, &field.kind(), items, "value", "&here.item(index)")?;
        body += &each("(index, value)", &format!("{member}.iter().enumerate()"), &within);
    }
    Ok(body)
}

fn each(pattern: &str, all: &str, within: &str) -> String {
    if within.is_empty() {
        return String::new();
    }
    let borrow = if all.ends_with(')') { "" } else { "&" };
    format!("for {pattern} in {borrow}{all} {{\n{within}}}\n")
}

/// The statement that checks a present value, or nothing if any value is right.
fn value_check(field: &FieldDescriptor, kind: &Kind, rules: &Rules, value: &str, place: &str) -> Result<String> {
    let Kind::Message(message) = kind else {
        return Ok(rule_check(&rules.value, value, place));
    };
    match message.full_name() {
        other if other != DURATION && !rules.value.is_empty() => Err(unfit(field, "value")),
        "google.protobuf.Empty" => Ok(String::new()),
        "google.protobuf.Timestamp" => Ok(rule_check(&["ValidTimestamp".to_owned()], value, place)),
        DURATION => {
            let valid = std::iter::once("DurationRule::Valid".to_owned());
            let all: Vec<_> = valid.chain(rules.value.iter().cloned()).collect();
            Ok(rule_check(&all, value, place))
        }
        _ if message.package_name() == PACKAGE => Ok(format!("Validate::check({value}, {place}, report);\n")),
        foreign => Err(format!("{}: nobody knows how to check a {foreign}", field.full_name()).into()),
    }
}

fn rule_check(rules: &[String], value: &str, place: &str) -> String {
    if rules.is_empty() {
        return String::new();
    }
    format!("check(&[{}], {value}, {place}, report);\n", rules.join(", "))
}

/// The statement that checks whichever field of a oneof is set, and that one is.
fn oneof_fields(oneof: &OneofDescriptor, reader: &mut Reader<'_>) -> Result<String> {
    let required = rules::is_required(oneof)?;
    let (mut arms, mut names) = (String::new(), Vec::new());
    for field in oneof.fields() {
        let rules = reader.field(&field)?;
        refuse_misplaced(&field, &rules)?;
        let place = format!("&place.field({:?})", field.name());
        let check = value_check(&field, &field.kind(), &rules, "value", &place)?;
        let binding = if check.is_empty() { "_" } else { "value" };
        writeln!(arms, "Some({}({binding})) => {{\n{check}}}", variant(oneof, &field))?;
        names.push(format!("`{}`", field.name()));
    }
    let missing = if required {
        let description = format!("must be set: {}", names.join(" or "));
        format!("report.add(&place.field({:?}), {description:?});\n", oneof.name())
    } else {
        String::new()
    };
    let member = oneof.name().to_snake_case();
    Ok(format!("match &self.{member} {{\n{arms}None => {{\n{missing}}}\n}}\n"))
}

fn variant(oneof: &OneofDescriptor, field: &FieldDescriptor) -> String {
    let message = oneof.parent_message();
    format!(
        "{}{}::{}::{}",
        module(message.parent_message().as_ref()),
        message.name().to_snake_case(),
        oneof.name().to_upper_camel_case(),
        field.name().to_upper_camel_case()
    )
}

fn rust_path(message: &MessageDescriptor) -> String {
    module(message.parent_message().as_ref()) + &message.name().to_upper_camel_case()
}

/// The module in which the types that belong to `message`, or to the package, stand.
fn module(message: Option<&MessageDescriptor>) -> String {
    message.map_or_else(
        || "v1::".to_owned(),
        |message| module(message.parent_message().as_ref()) + &message.name().to_snake_case() + "::",
    )
}
