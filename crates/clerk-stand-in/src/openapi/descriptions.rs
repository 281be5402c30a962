//! Reads the descriptions into operations, events and validators.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, LazyLock, Mutex},
};

use jsonschema::{Registry, Validator};
use serde_json::{Map, Value, json};

const BACKEND: &str = include_str!("../../openapi/backend.json");
const FRONTEND: &str = include_str!("../../openapi/frontend.json");
const WEBHOOKS: &str = include_str!("../../openapi/webhooks.json");

/// The three descriptions, read once.
pub(super) static DESCRIPTIONS: LazyLock<Descriptions> = LazyLock::new(Descriptions::read);

/// One operation of a description. Schemas are JSON Schema with absolute references.
#[derive(Default)]
pub(super) struct Operation {
    /// By status; no schema if the response has no JSON body.
    pub(super) responses: BTreeMap<u16, Option<Value>>,
    /// The schema of the request's body.
    pub(super) body: Option<Value>,
    /// The schemas of the query parameters, by name.
    pub(super) query: BTreeMap<String, Value>,
}

/// All operations and events, with their schemas.
pub(super) struct Descriptions {
    /// By method and path, as `GET /v1/users/{user_id}`.
    operations: HashMap<String, Operation>,
    /// The schemas of events by type.
    pub(super) events: HashMap<String, Value>,
    registry: Registry<'static>,
    /// Compiled when they are first used.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
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
            allow_extension(&mut document);
            registry.add(base, document).expect("the base is a URI")
        });
        let registry = registry.prepare().expect("the descriptions' references can be resolved");
        Self { operations, events, registry, validators: Mutex::default() }
    }

    pub(super) fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.get(name)
    }

    /// The compiled validator of a schema, cached under `key`.
    pub(super) fn validator(&'static self, key: String, schema: &Value) -> Arc<Validator> {
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
        let responses = fields(&operation["responses"]).filter_map(|(status, response)| {
            let content = &resolved(document, response)["content"]["application/json"]["schema"];
            Some((status.parse().ok()?, (!content.is_null()).then(|| schema(base, content))))
        });
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let query = parameters.map(|parameter| resolved(document, parameter)).filter_map(|parameter| {
            let name = parameter["name"].as_str().filter(|_| parameter["in"] == "query")?;
            Some((name.to_owned(), schema(base, &parameter["schema"])))
        });
        let body = content(&operation["requestBody"]);
        let body = (!body.is_null()).then(|| schema(base, body));
        Self { responses: responses.collect(), body, query: query.collect() }
    }
}

/// The schema of a body's only media type.
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

/// Converts OpenAPI 3.0 to JSON Schema: references become absolute, `nullable` becomes the type null.
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

/// The session of an event extends a schema that allows no additional properties, so nothing can match it. What is
/// meant is that both parts together allow none.
fn allow_extension(document: &mut Value) {
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
