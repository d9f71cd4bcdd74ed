//! Reads the `buf.validate` options of a field and turns them into expressions of the types in `src/validate/rules`.

use prost_reflect::{
    DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor, ReflectMessage, Value,
};

use crate::{Result, patterns::Patterns};

const FIELD_OPTION: &str = "buf.validate.field";
const ONEOF_OPTION: &str = "buf.validate.oneof";
const MESSAGE_OPTION: &str = "buf.validate.message";

/// What is written beside one field, or about the items, keys or values of one.
#[derive(Default)]
pub(crate) struct Rules {
    pub(crate) required: bool,
    pub(crate) ignore_if_zero: bool,
    /// Rust expressions, one for each rule about the value.
    pub(crate) value: Vec<String>,
    /// Likewise for the length of a list or map.
    pub(crate) count: Vec<String>,
    pub(crate) items: Option<Box<Rules>>,
    pub(crate) keys: Option<Box<Rules>>,
}

impl Rules {
    pub(crate) fn is_only_about_values(&self) -> bool {
        let container = !self.count.is_empty() || self.items.is_some() || self.keys.is_some();
        !self.required && !self.ignore_if_zero && !container
    }
}

/// Refuses rules about whole messages: the contract has none.
pub(crate) fn refuse_message_rules(message: &MessageDescriptor) -> Result<()> {
    match option(&message.options(), MESSAGE_OPTION) {
        Some(rules) if rules.fields().next().is_some() => {
            Err(format!("{}: rules for a message are not supported", message.full_name()).into())
        }
        _ => Ok(()),
    }
}

/// Whether one of the oneof's fields has to be set.
pub(crate) fn is_required(oneof: &OneofDescriptor) -> Result<bool> {
    let mut required = false;
    for (name, value) in set_fields(option(&oneof.options(), ONEOF_OPTION).as_ref()) {
        match name.as_str() {
            "required" => required = value.as_bool() == Some(true),
            _ => return Err(unknown(oneof.full_name(), &name)),
        }
    }
    Ok(required)
}

fn option(options: &DynamicMessage, name: &str) -> Option<DynamicMessage> {
    let extension = options.descriptor().parent_pool().get_extension_by_name(name)?;
    options.has_extension(&extension).then(|| options.get_extension(&extension).as_message().cloned())?
}

fn set_fields(message: Option<&DynamicMessage>) -> Vec<(String, Value)> {
    message
        .into_iter()
        .flat_map(|message| message.fields())
        .map(|(field, value)| (field.name().to_owned(), value.clone()))
        .collect()
}

fn unknown(owner: &str, rule: &str) -> Box<dyn std::error::Error> {
    format!("{owner}: the rule `{rule}` is not supported; teach proto/build/rules.rs what it means").into()
}

/// Reads the rules of fields.
pub(crate) struct Reader<'a> {
    pub(crate) patterns: &'a mut Patterns,
}

impl Reader<'_> {
    /// The rules of a field.
    pub(crate) fn field(&mut self, field: &FieldDescriptor) -> Result<Rules> {
        self.read(field, field.kind(), option(&field.options(), FIELD_OPTION).as_ref())
    }

    fn read(&mut self, field: &FieldDescriptor, kind: Kind, options: Option<&DynamicMessage>) -> Result<Rules> {
        let mut rules = Rules::default();
        for (name, value) in set_fields(options) {
            match (name.as_str(), &value) {
                ("required", Value::Bool(required)) => rules.required = *required,
                ("ignore", Value::EnumNumber(1)) => rules.ignore_if_zero = true,
                ("enum", Value::Message(message)) => {
                    rules.value.push(enum_rule(field, &kind, message)?);
                }
                ("repeated" | "map", Value::Message(message)) => {
                    self.read_container(field, message, &mut rules)?;
                }
                (family, Value::Message(message)) => {
                    self.read_scalar(field, family, message, &mut rules)?;
                }
                _ => return Err(unknown(field.full_name(), &name)),
            }
        }
        Ok(rules)
    }

    fn read_container(&mut self, field: &FieldDescriptor, options: &DynamicMessage, rules: &mut Rules) -> Result<()> {
        for (name, value) in set_fields(Some(options)) {
            let within = value.as_message();
            match name.as_str() {
                "min_items" => rules.count.push(format!("CountRule::Min({value})")),
                "max_items" | "max_pairs" => rules.count.push(format!("CountRule::Max({value})")),
                "items" => rules.items = Some(self.read(field, field.kind(), within)?.into()),
                "keys" => rules.keys = Some(self.read(field, entry(field)?.0, within)?.into()),
                "values" => rules.items = Some(self.read(field, entry(field)?.1, within)?.into()),
                _ => return Err(unknown(field.full_name(), &name)),
            }
        }
        Ok(())
    }

    fn read_scalar(
        &mut self,
        field: &FieldDescriptor,
        family: &str,
        options: &DynamicMessage,
        rules: &mut Rules,
    ) -> Result<()> {
        for (name, value) in set_fields(Some(options)) {
            let rule = match (family, name.as_str(), &value) {
                ("string", "min_len", _) => format!("StringRule::MinLen({value})"),
                ("string", "max_len", _) => format!("StringRule::MaxLen({value})"),
                ("string", "max_bytes", _) => format!("StringRule::MaxBytes({value})"),
                ("string", "uuid", Value::Bool(true)) => "StringRule::Uuid".to_owned(),
                ("string", "email", Value::Bool(true)) => "StringRule::Email".to_owned(),
                ("string", "pattern", Value::String(pattern)) => {
                    let name = self.patterns.name(pattern, field.full_name())?;
                    format!("StringRule::Pattern(&{name})")
                }
                ("int32" | "int64", "gte", _) => format!("IntRule::Gte({value})"),
                ("int32" | "int64", "lte", _) => format!("IntRule::Lte({value})"),
                ("duration", "gte", Value::Message(at)) => duration_rule("Gte", at),
                ("duration", "lte", Value::Message(at)) => duration_rule("Lte", at),
                _ => return Err(unknown(field.full_name(), &format!("{family}.{name}"))),
            };
            rules.value.push(rule);
        }
        Ok(())
    }
}

/// What a map is from and to.
pub(crate) fn entry(field: &FieldDescriptor) -> Result<(Kind, Kind)> {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => {
            Ok((entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind()))
        }
        _ => Err(format!("{}: not a map", field.full_name()).into()),
    }
}

fn duration_rule(rule: &str, limit: &DynamicMessage) -> String {
    let part = |name| limit.get_field_by_name(name).map_or_else(|| "0".to_owned(), |part| part.to_string());
    format!("DurationRule::{rule}(Duration {{ seconds: {}, nanos: {} }})", part("seconds"), part("nanos"))
}

/// The values that remain when `defined_only` and `not_in` are taken together. `not_in` alone would let through values
/// that nobody has a name for; the contract has no use for that.
fn enum_rule(field: &FieldDescriptor, kind: &Kind, options: &DynamicMessage) -> Result<String> {
    let (mut defined_only, mut excluded) = (false, Vec::new());
    for (name, value) in set_fields(Some(options)) {
        match (name.as_str(), &value) {
            ("defined_only", Value::Bool(true)) => defined_only = true,
            ("not_in", Value::List(values)) => {
                excluded = values.iter().filter_map(Value::as_i32).collect();
            }
            _ => return Err(unknown(field.full_name(), &format!("enum.{name}"))),
        }
    }
    match kind {
        Kind::Enum(descriptor) if defined_only => Ok(one_of(descriptor, &excluded)),
        _ => Err(unknown(field.full_name(), "enum without defined_only")),
    }
}

fn one_of(descriptor: &EnumDescriptor, excluded: &[i32]) -> String {
    let values: Vec<_> = descriptor
        .values()
        .filter(|value| !excluded.contains(&value.number()))
        .map(|value| format!("({}, {:?})", value.number(), value.name()))
        .collect();
    format!("EnumRule(&[{}])", values.join(", "))
}
