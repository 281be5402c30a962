//! Lists of users: filters, orders and pages.

use serde_json::Value;
use sqlx::{Postgres, QueryBuilder, types::Json};

use crate::clerk::{
    StandIn,
    errors::{ApiError, ApiResult},
};

/// How many values of one filter are accepted.
const MAXIMUM_IDS: usize = 100;

/// A list's filters, from the query string; keys may repeat.
pub(in crate::clerk) struct Filter {
    pairs: Vec<(String, String)>,
}

impl Filter {
    pub(in crate::clerk) fn parse(query: Option<&str>) -> Self {
        Self { pairs: url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect() }
    }

    pub(in crate::clerk) fn first(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Names and values, as they were sent.
    pub(in crate::clerk) fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// All values of a parameter that may repeat.
    fn all(&self, name: &str) -> Vec<&str> {
        self.pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    pub(in crate::clerk) fn number(&self, name: &str, range: std::ops::RangeInclusive<i64>) -> ApiResult<Option<i64>> {
        self.first(name)
            .map(|text| text.parse().ok().filter(|number| range.contains(number)))
            .map(|number| {
                number.ok_or_else(|| {
                    let text = format!("{name} must be a number between {} and {}.", range.start(), range.end());
                    ApiError::invalid_parameter(name, &text)
                })
            })
            .transpose()
    }

    /// The conditions that lists and counts share.
    fn conditions(&self, builder: &mut QueryBuilder<Postgres>) -> ApiResult<()> {
        for (name, column) in [("user_id", "id"), ("external_id", "external_id"), ("username", "username")] {
            let values = self.all(name);
            if values.len() > MAXIMUM_IDS {
                return Err(ApiError::invalid_parameter(
                    name,
                    &format!("At most {MAXIMUM_IDS} values of {name} are accepted."),
                ));
            }
            let (excluded, included): (Vec<&str>, Vec<&str>) =
                values.into_iter().partition(|value| value.starts_with('-'));
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
        let emails = self.all("email_address");
        if emails.len() > MAXIMUM_IDS {
            return Err(ApiError::invalid_parameter(
                "email_address",
                "At most 100 values of email_address are accepted.",
            ));
        }
        if !emails.is_empty() {
            let emails: Vec<String> = emails.iter().map(|email| email.to_lowercase()).collect();
            builder
                .push(" AND id IN (SELECT user_id FROM email_addresses WHERE email = ANY(")
                .push_bind(emails)
                .push("))");
        }
        // Nobody here has any of these, so asking for one finds nobody.
        if ["phone_number", "phone_number_query", "web3_wallet", "organization_id", "provider"]
            .iter()
            .any(|name| self.first(name).is_some())
        {
            builder.push(" AND false");
        }
        if let Some(text) = self.first("query") {
            builder
                .push(" AND (id ILIKE ")
                .push_bind(like(text))
                .push(" OR ")
                .push(NAME)
                .push(" ILIKE ")
                .push_bind(like(text));
            builder.push(" OR ").push(EMAIL_EXISTS).push_bind(like(text)).push("))");
        }
        if let Some(text) = self.first("name_query") {
            builder.push(" AND ").push(NAME).push(" ILIKE ").push_bind(like(text));
        }
        if let Some(text) = self.first("email_address_query") {
            builder.push(" AND ").push(EMAIL_EXISTS).push_bind(like(text)).push(")");
        }
        if let Some(text) = self.first("username_query") {
            builder.push(" AND username ILIKE ").push_bind(like(text));
        }
        if let Some(banned) = self.first("banned") {
            builder.push(" AND (data ->> 'banned')::boolean = ").push_bind(banned == "true");
        }
        for field in ["created_at", "last_active_at", "last_sign_in_at"] {
            for (ending, comparison) in [("before", "<"), ("after", ">")] {
                if let Some(moment) = self.number(&format!("{field}_{ending}"), 0..=i64::MAX)? {
                    builder.push(format_args!(" AND (data ->> '{field}')::bigint {comparison} ")).push_bind(moment);
                }
            }
        }
        Ok(())
    }
}

/// The users that a filter lets through, in the order and on the page that it asks for.
pub(in crate::clerk) async fn list(stand_in: &StandIn, filter: &Filter) -> ApiResult<Vec<Value>> {
    let limit = filter.number("limit", 1..=500)?.unwrap_or(10);
    let offset = filter.number("offset", 0..=i64::MAX)?.unwrap_or(0);
    let order = filter.first("order_by").unwrap_or("-created_at");
    // A plus sign that nobody encoded arrives as a space.
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
    filter.conditions(&mut builder)?;
    if let Some(cursor) = filter.first("starting_after") {
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

/// How many users a filter lets through.
pub(in crate::clerk) async fn count(stand_in: &StandIn, filter: &Filter) -> ApiResult<i64> {
    let mut builder = QueryBuilder::new("SELECT count(*) FROM users WHERE true");
    filter.conditions(&mut builder)?;
    Ok(builder.build_query_scalar().fetch_one(stand_in.pool()).await?)
}

const NAME: &str = "concat_ws(' ', data ->> 'first_name', data ->> 'last_name', username)";
const EMAIL_EXISTS: &str = "EXISTS (SELECT FROM email_addresses WHERE user_id = users.id AND email ILIKE ";

fn like(text: &str) -> String {
    format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
}
