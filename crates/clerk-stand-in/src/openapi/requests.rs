//! Validates bodies, forms and query strings of requests.

use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value};

use super::descriptions::{DESCRIPTIONS, Operation};
use crate::api_error::{ApiError, ApiResult};

/// Rejects unknown and missing fields, wrong types and values that an enumeration lacks.
pub(crate) fn check_body(name: &str, body: &Map<String, Value>) -> ApiResult<()> {
    let Some(operation) = DESCRIPTIONS.operation(name) else { return Ok(()) };
    let Some(schema) = &operation.body else { return Ok(()) };
    check_fields(name, schema, body).map_err(|error| error.status(operation.validation_status()))
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

/// Converts a form's fields to the types of the description and validates them as [`check_body`] does.
pub(crate) fn check_form(name: &str, fields: Vec<(String, String)>) -> ApiResult<Map<String, Value>> {
    let schema = DESCRIPTIONS.operation(name).and_then(|operation| operation.body.as_ref());
    let typed = |(field, text): (String, String)| {
        let value = typed(schema.map_or(&Value::Null, |schema| &schema["properties"][&field]), &text);
        (field, value)
    };
    let body = fields.into_iter().map(typed).collect();
    check_body(name, &body)?;
    Ok(body)
}

/// Converts a text to the type of a schema, where possible.
fn typed(schema: &Value, text: &str) -> Value {
    let allows = |kind| match &schema["type"] {
        Value::Array(kinds) => kinds.iter().any(|one| one == kind),
        one => one == kind,
    };
    if allows("boolean")
        && let Ok(flag) = text.parse()
    {
        Value::Bool(flag)
    } else if allows("integer")
        && let Ok(number) = text.parse::<i64>()
    {
        number.into()
    } else {
        text.into()
    }
}

/// Rejects values in a query string that don't have their parameter's type. Unknown parameters are ignored.
pub(crate) fn check_query(name: &str, pairs: &[(String, String)]) -> ApiResult<()> {
    let Some(operation) = DESCRIPTIONS.operation(name) else { return Ok(()) };
    for (parameter, text) in pairs.iter().filter(|(_, text)| !text.is_empty()) {
        let Some(schema) = operation.query.get(parameter) else { continue };
        if schema["type"] == "array" {
            continue;
        }
        check_value(name, parameter, schema, &typed(schema, text))
            .map_err(|error| error.status(operation.validation_status()))?;
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
    /// The status for an invalid request: 422, or 400 if the description has only that.
    fn validation_status(&self) -> u16 {
        if self.responses.contains_key(&400) && !self.responses.contains_key(&422) { 400 } else { 422 }
    }
}
