//! Lists of users: filters, orders and pages.

use serde_json::Value;
use sqlx::{Postgres, QueryBuilder, types::Json};

use crate::{
    StandIn,
    api_error::{ApiError, ApiResult},
    query::QueryParameters,
};

/// How many values of one filter are accepted.
const MAXIMUM_IDS: usize = 100;

/// Adds the conditions that lists and counts share.
fn push_conditions(builder: &mut QueryBuilder<Postgres>, query: &QueryParameters) -> ApiResult<()> {
    for (name, column) in [("user_id", "id"), ("external_id", "external_id"), ("username", "username")] {
        let values = query.all(name);
        if values.len() > MAXIMUM_IDS {
            return Err(ApiError::invalid_parameter(
                name,
                &format!("At most {MAXIMUM_IDS} values of {name} are accepted."),
            ));
        }
        let (excluded, included): (Vec<&str>, Vec<&str>) = values.into_iter().partition(|value| value.starts_with('-'));
        if !included.is_empty() {
            let included: Vec<String> =
                included.iter().map(|value| value.trim_start_matches(['+', ' ']).to_owned()).collect();
            builder.push(format_args!(" AND {column} = ANY(")).push_bind(included).push(")");
        }
        if !excluded.is_empty() {
            let excluded: Vec<String> = excluded.iter().map(|value| value[1..].to_owned()).collect();
            builder.push(format_args!(" AND {column} <> ALL(")).push_bind(excluded).push(")");
        }
    }
    let emails = query.all("email_address");
    if emails.len() > MAXIMUM_IDS {
        return Err(ApiError::invalid_parameter("email_address", "At most 100 values of email_address are accepted."));
    }
    if !emails.is_empty() {
        let emails: Vec<String> = emails.iter().map(|email| email.to_lowercase()).collect();
        builder.push(" AND id IN (SELECT user_id FROM email_addresses WHERE email = ANY(").push_bind(emails).push("))");
    }
    // No user of the stand-in has any of these, so filtering by one finds no user.
    if ["phone_number", "phone_number_query", "web3_wallet", "organization_id", "provider"]
        .iter()
        .any(|name| query.first(name).is_some())
    {
        builder.push(" AND false");
    }
    if let Some(text) = query.first("query") {
        builder
            .push(" AND (id ILIKE ")
            .push_bind(like(text))
            .push(" OR ")
            .push(NAME)
            .push(" ILIKE ")
            .push_bind(like(text));
        builder.push(" OR ").push(EMAIL_EXISTS).push_bind(like(text)).push("))");
    }
    if let Some(text) = query.first("name_query") {
        builder.push(" AND ").push(NAME).push(" ILIKE ").push_bind(like(text));
    }
    if let Some(text) = query.first("email_address_query") {
        builder.push(" AND ").push(EMAIL_EXISTS).push_bind(like(text)).push(")");
    }
    if let Some(text) = query.first("username_query") {
        builder.push(" AND username ILIKE ").push_bind(like(text));
    }
    if let Some(banned) = query.first("banned") {
        builder.push(" AND (data ->> 'banned')::boolean = ").push_bind(banned == "true");
    }
    for field in ["created_at", "last_active_at", "last_sign_in_at"] {
        for (suffix, comparison) in [("before", "<"), ("after", ">")] {
            if let Some(time) = query.number(&format!("{field}_{suffix}"), 0..=i64::MAX)? {
                builder.push(format_args!(" AND (data ->> '{field}')::bigint {comparison} ")).push_bind(time);
            }
        }
    }
    Ok(())
}

/// The users that match a query, in its order and on its page.
pub(crate) async fn list(stand_in: &StandIn, query: &QueryParameters) -> ApiResult<Vec<Value>> {
    let limit = query.number("limit", 1..=500)?.unwrap_or(10);
    let offset = query.number("offset", 0..=i64::MAX)?.unwrap_or(0);
    let order = query.first("order_by").unwrap_or("-created_at");
    // An unencoded plus sign arrives as a space.
    let (field, direction) = match order.strip_prefix('-') {
        Some(field) => (field, "DESC"),
        None => (order.trim_start_matches(['+', ' ']), "ASC"),
    };
    let expression = match field {
        "created_at" => "created_at",
        "updated_at" => "(data ->> 'updated_at')::bigint",
        "last_active_at" => "(data ->> 'last_active_at')::bigint",
        "last_sign_in_at" => "(data ->> 'last_sign_in_at')::bigint",
        "first_name" => "data ->> 'first_name'",
        "last_name" => "data ->> 'last_name'",
        "username" => "username",
        "email_address" => "data #>> '{email_addresses,0,email_address}'",
        "phone_number" | "web3wallet" => "NULL::text",
        _ => {
            return Err(ApiError::invalid_parameter(
                "order_by",
                "order_by names nothing that users can be ordered by.",
            ));
        }
    };
    let mut builder = QueryBuilder::new("SELECT data FROM users WHERE true");
    push_conditions(&mut builder, query)?;
    if let Some(cursor) = query.first("starting_after") {
        if field != "created_at" {
            return Err(ApiError::invalid_parameter(
                "starting_after",
                "starting_after requires ordering by created_at.",
            ));
        }
        if offset != 0 {
            return Err(ApiError::invalid_parameter("starting_after", "starting_after can't be combined with offset."));
        }
        let created_at: Option<i64> = sqlx::query_scalar("SELECT created_at FROM users WHERE id = $1")
            .bind(cursor)
            .fetch_optional(stand_in.pool())
            .await?;
        let created_at =
            created_at.ok_or_else(|| ApiError::invalid_parameter("starting_after", "starting_after names no user."))?;
        let comparison = if direction == "ASC" { ">" } else { "<" };
        builder
            .push(format_args!(" AND (created_at, id) {comparison} ("))
            .push_bind(created_at)
            .push(", ")
            .push_bind(cursor.to_owned())
            .push(")");
    }
    builder
        .push(format_args!(" ORDER BY {expression} {direction}, id {direction} LIMIT "))
        .push_bind(limit)
        .push(" OFFSET ")
        .push_bind(offset);
    let rows: Vec<Json<Value>> = builder.build_query_scalar().fetch_all(stand_in.pool()).await?;
    Ok(rows.into_iter().map(|Json(data)| data).collect())
}

/// How many users match a query.
pub(crate) async fn count(stand_in: &StandIn, query: &QueryParameters) -> ApiResult<i64> {
    let mut builder = QueryBuilder::new("SELECT count(*) FROM users WHERE true");
    push_conditions(&mut builder, query)?;
    Ok(builder.build_query_scalar().fetch_one(stand_in.pool()).await?)
}

const NAME: &str = "concat_ws(' ', data ->> 'first_name', data ->> 'last_name', username)";
const EMAIL_EXISTS: &str = "EXISTS (SELECT FROM email_addresses WHERE user_id = users.id AND email ILIKE ";

fn like(text: &str) -> String {
    format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
}
