//! Refuses what a request may not hold, by the description of its operation.

use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value};

use super::{DESCRIPTIONS, Operation};
use crate::clerk::errors::{ApiError, ApiResult};

/// Refuses unknown and missing fields, wrong types and values that are none of those listed.
pub(in crate::clerk) fn check_body(name: &str, body: &Map<String, Value>) -> ApiResult<()> {
    let Some(operation) = DESCRIPTIONS.operation(name) else { return Ok(()) };
    let Some(schema) = &operation.body else { return Ok(()) };
    check_fields(name, schema, body).map_err(|error| error.status(operation.refusal()))
}

fn check_fields(name: &str, schema: &Value, body: &Map<String, Value>) -> ApiResult<()> {
    if schema["additionalProperties"] == false
        && let Some(unknown) = body.keys().find(|field| schema["properties"].get(field.as_str()).is_none())
    {
        return Err(ApiError::unknown_parameter(unknown));
    }
    let mut required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if let Some(missing) = required.find(|field| body.get(*field).is_none_or(Value::is_null)) {
        return Err(ApiError::missing_parameter(missing));
    }
    for (field, value) in body {
        if let Some(schema) = schema["properties"].get(field.as_str()) {
            check_value(name, field, schema, value)?;
        }
    }
    Ok(())
}

/// A form's fields as the types of the description, checked as those of a body are.
pub(in crate::clerk) fn check_form(name: &str, fields: Vec<(String, String)>) -> ApiResult<Map<String, Value>> {
    let schema = DESCRIPTIONS.operation(name).and_then(|operation| operation.body.as_ref());
    let typed = |(field, text): (String, String)| {
        let value = typed(schema.map_or(&Value::Null, |schema| &schema["properties"][&field]), &text);
        (field, value)
    };
    let body = fields.into_iter().map(typed).collect();
    check_body(name, &body)?;
    Ok(body)
}

/// A text as the type that a schema wants, where it can be one.
fn typed(schema: &Value, text: &str) -> Value {
    let wants = |kind| match &schema["type"] {
        Value::Array(kinds) => kinds.iter().any(|one| one == kind),
        one => one == kind,
    };
    if wants("boolean")
        && let Ok(yes) = text.parse()
    {
        Value::Bool(yes)
    } else if wants("integer")
        && let Ok(number) = text.parse::<i64>()
    {
        number.into()
    } else {
        text.into()
    }
}

/// Refuses values in a query string that don't have their parameter's type. Unknown parameters are let through.
pub(in crate::clerk) fn check_query(name: &str, pairs: &[(String, String)]) -> ApiResult<()> {
    let Some(operation) = DESCRIPTIONS.operation(name) else { return Ok(()) };
    for (parameter, text) in pairs.iter().filter(|(_, text)| !text.is_empty()) {
        let Some(schema) = operation.query.get(parameter) else { continue };
        if schema["type"] == "array" {
            continue;
        }
        check_value(name, parameter, schema, &typed(schema, text))
            .map_err(|error| error.status(operation.refusal()))?;
    }
    Ok(())
}

fn check_value(name: &str, field: &str, schema: &Value, value: &Value) -> ApiResult<()> {
    let validator = DESCRIPTIONS.validator(format!("{name} takes {field}"), schema);
    match validator.iter_errors(value).next().map(|error| matches!(error.kind(), ValidationErrorKind::Type { .. })) {
        None => Ok(()),
        Some(true) => Err(ApiError::wrong_type(field)),
        Some(false) => Err(ApiError::invalid_parameter(field, &format!("{field} has a value that isn't accepted."))),
    }
}

impl Operation {
    /// The status of a refusal: 422, but 400 where the description has only that.
    fn refusal(&self) -> u16 {
        if self.answers.contains_key(&400) && !self.answers.contains_key(&422) { 400 } else { 422 }
    }
}
