//! Clerk's own OpenAPI descriptions, reduced to what the stand-in has (`demo/openapi`): what a request may hold and
//! what an answer must look like. Knows no state and no handler.

mod answers;
mod requests;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, LazyLock, Mutex},
};

use axum::{
    extract::MatchedPath,
    http::{Extensions, Method},
};
use jsonschema::{Registry, Validator};
use serde_json::{Map, Value, json};

pub(super) use answers::{Conformance, Ordered, check};
pub(super) use requests::{check_body, check_form, check_query};

const BACKEND: &str = include_str!("../../../openapi/backend.json");
const FRONTEND: &str = include_str!("../../../openapi/frontend.json");
const WEBHOOKS: &str = include_str!("../../../openapi/webhooks.json");

static DESCRIPTIONS: LazyLock<Descriptions> = LazyLock::new(Descriptions::read);

/// Method and path, as `GET /v1/users/{user_id}`; for a webhook the type of the event.
type Name = String;

/// What a description says of one operation. Schemas are JSON Schema with absolute references.
#[derive(Default)]
struct Operation {
    /// By status; no schema where there is no JSON in the answer.
    answers: BTreeMap<u16, Option<Value>>,
    /// The fields of a request's body.
    body: Option<Value>,
    /// Parameters in the query string.
    query: BTreeMap<String, Value>,
}

struct Descriptions {
    operations: HashMap<Name, Operation>,
    events: HashMap<Name, Value>,
    registry: Registry<'static>,
    /// Made when first used.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// Method and route of a request, by which the descriptions name its operation.
pub(super) fn operation_of(method: &Method, extensions: &Extensions) -> Name {
    let route = extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    format!("{method} {route}")
}

impl Descriptions {
    fn read() -> Self {
        let documents = [("backend", BACKEND), ("frontend", FRONTEND), ("webhooks", WEBHOOKS)].map(|(name, text)| {
            let document: Value = serde_json::from_str(text).expect("the descriptions are JSON");
            (format!("https://clerk.invalid/{name}"), document)
        });
        let (mut operations, mut events) = (HashMap::new(), HashMap::new());
        for (base, document) in &documents {
            for (path, methods) in fields(&document["paths"]) {
                for (method, operation) in fields(methods) {
                    if path.starts_with('/') {
                        let name = format!("{} {path}", method.to_uppercase());
                        operations.insert(name, Operation::read(base, document, operation));
                    } else {
                        events.insert(path.clone(), schema(base, content(&operation["requestBody"])));
                    }
                }
            }
        }
        let registry = documents.into_iter().fold(Registry::new(), |registry, (base, document)| {
            let mut document = schema(&base, &document);
            open_extended(&mut document);
            registry.add(base, document).expect("the base is a URI")
        });
        let registry = registry.prepare().expect("the descriptions' references lead somewhere");
        Self { operations, events, registry, validators: Mutex::default() }
    }

    fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.get(name)
    }

    /// The validator of a schema, kept under `key`.
    fn validator(&'static self, key: String, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().expect("no holder of the lock panics");
        let validator = validators.entry(key).or_insert_with(|| {
            let options = jsonschema::options().with_registry(&self.registry);
            Arc::new(options.build(schema).expect("the descriptions hold schemas"))
        });
        Arc::clone(validator)
    }
}

impl Operation {
    fn read(base: &str, document: &Value, operation: &Value) -> Self {
        let answers = fields(&operation["responses"]).filter_map(|(status, answer)| {
            let answer = &resolved(document, answer)["content"]["application/json"]["schema"];
            Some((status.parse().ok()?, (!answer.is_null()).then(|| schema(base, answer))))
        });
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let query = parameters.map(|parameter| resolved(document, parameter)).filter_map(|parameter| {
            let name = parameter["name"].as_str().filter(|_| parameter["in"] == "query")?;
            Some((name.to_owned(), schema(base, &parameter["schema"])))
        });
        let body = content(&operation["requestBody"]);
        Self { answers: answers.collect(), body: (!body.is_null()).then(|| schema(base, body)), query: query.collect() }
    }
}

/// The schema of the one media type that a body has.
fn content(body: &Value) -> &Value {
    fields(&body["content"]).next().map_or(&Value::Null, |(_, media)| &media["schema"])
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let target = value["$ref"].as_str().and_then(|reference| document.pointer(&reference[1..]));
    target.unwrap_or(value)
}

/// OpenAPI 3.0 as JSON Schema: references become absolute, `nullable` becomes the type null.
fn schema(base: &str, value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| schema(base, item)).collect(),
        Value::Object(object) => {
            let mut object: Map<String, Value> = object
                .iter()
                .map(|(name, value)| match value.as_str() {
                    Some(reference) if name == "$ref" => (name.clone(), format!("{base}{reference}").into()),
                    _ => (name.clone(), schema(base, value)),
                })
                .collect();
            match object.get("nullable") {
                Some(Value::Bool(nullable)) => {
                    let nullable = *nullable;
                    object.remove("nullable");
                    if nullable { or_null(object) } else { object.into() }
                }
                _ => object.into(),
            }
        }
        other => other.clone(),
    }
}

/// The sessions in events are closed sessions with a user, which nothing can be. What is meant is that both parts
/// together are closed.
fn open_extended(document: &mut Value) {
    let schemas = &mut document["components"]["schemas"];
    if schemas.get("SessionEventPayload").is_some() {
        schemas["SessionEventPayload"]["unevaluatedProperties"] = false.into();
        schemas["Session"].as_object_mut().expect("schemas are objects").remove("additionalProperties");
    }
}

fn or_null(mut object: Map<String, Value>) -> Value {
    let is_plain = !["allOf", "anyOf", "oneOf", "$ref"].iter().any(|keyword| object.contains_key(*keyword));
    match object.get_mut("type") {
        Some(kind) if is_plain => {
            *kind = json!([kind.take(), "null"]);
            if let Some(Value::Array(values)) = object.get_mut("enum") {
                values.push(Value::Null);
            }
            object.into()
        }
        _ => json!({ "anyOf": [object, { "type": "null" }] }),
    }
}
