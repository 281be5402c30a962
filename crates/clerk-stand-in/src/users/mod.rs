//! Users, stored as User objects, and the operations on them.

mod body;
mod list;
mod object;

use serde_json::{Map, Value, json};
use sqlx::{PgConnection, types::Json};

use crate::{
    Error, StandIn,
    api_error::{ApiError, ApiResult},
    ids, webhooks,
};
use body::{email_addresses, phone_numbers, set_fields, write_metadata};
use object::{object, person_object};

pub(crate) use body::MetadataWrite;
pub(crate) use list::{count, list};

impl StandIn {
    /// Creates the people 0 to `count - 1` as users if they don't exist, without webhooks.
    pub async fn create_people(&self, count: usize) -> Result<(), Error> {
        Ok(create_people(self, 0, count).await?)
    }

    /// The number of users.
    pub async fn count_users(&self) -> Result<i64, Error> {
        Ok(sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(self.pool()).await?)
    }
}

pub(crate) async fn find(connection: impl sqlx::PgExecutor<'_>, id: &str) -> ApiResult<Value> {
    let found: Option<Json<Value>> =
        sqlx::query_scalar("SELECT data FROM users WHERE id = $1").bind(id).fetch_optional(connection).await?;
    found.map(|Json(data)| data).ok_or_else(|| ApiError::not_found("user", id))
}

/// The id of the user with an e-mail address.
pub(crate) async fn find_by_email(stand_in: &StandIn, email: &str) -> ApiResult<String> {
    let found: Option<String> = sqlx::query_scalar("SELECT user_id FROM email_addresses WHERE email = $1")
        .bind(email.to_lowercase())
        .fetch_optional(stand_in.pool())
        .await?;
    found.ok_or_else(|| {
        let text = "Couldn't find your account.";
        ApiError::unprocessable("form_identifier_not_found", "identifier", text, text)
    })
}

/// Creates a user from the validated body of POST /users.
pub(crate) async fn create(stand_in: &StandIn, body: &Map<String, Value>) -> ApiResult<Value> {
    let emails = email_addresses(body)?;
    if emails.is_empty()
        && !body.contains_key("phone_number")
        && body.get("skip_user_requirement") != Some(&Value::Bool(true))
    {
        return Err(ApiError::missing_parameter("email_address"));
    }
    let now = stand_in.now();
    let mut data = object(&ids::random("user"), &emails, &phone_numbers(body)?, now, now);
    set_fields(&mut data, body, now)?;
    write_metadata(&mut data, body, MetadataWrite::Replace)?;
    let mut transaction = stand_in.pool().begin().await?;
    insert(&mut transaction, &data).await?;
    webhooks::enqueue(stand_in, &mut transaction, "user.created", &data).await?;
    transaction.commit().await?;
    stand_in.notify_delivery();
    Ok(data)
}

/// Changes a user by the body of PATCH /users/{id}.
pub(crate) async fn update(stand_in: &StandIn, id: &str, body: &Map<String, Value>) -> ApiResult<Value> {
    let now = stand_in.now();
    change(stand_in, id, |data| set_fields(data, body, now)).await
}

/// PATCH and PUT /users/{id}/metadata.
pub(crate) async fn update_metadata(
    stand_in: &StandIn,
    id: &str,
    body: &Map<String, Value>,
    write: MetadataWrite,
) -> ApiResult<Value> {
    change(stand_in, id, |data| write_metadata(data, body, write)).await
}

/// Deletes a user and the user's sessions; signed-in browsers learn of it with their next request.
pub(crate) async fn delete(stand_in: &StandIn, id: &str) -> ApiResult<Value> {
    let mut transaction = stand_in.pool().begin().await?;
    let data: Option<Json<Value>> = sqlx::query_scalar("DELETE FROM users WHERE id = $1 RETURNING data")
        .bind(id)
        .fetch_optional(&mut *transaction)
        .await?;
    let Some(Json(data)) = data else { return Err(ApiError::not_found("user", id)) };
    let mut deleted = json!({ "object": "user", "id": id, "deleted": true });
    if let Some(external_id) = data["external_id"].as_str() {
        deleted["external_id"] = external_id.into();
    }
    webhooks::enqueue(stand_in, &mut transaction, "user.deleted", &deleted).await?;
    transaction.commit().await?;
    stand_in.notify_delivery();
    Ok(deleted)
}

/// Records a sign-in. Clerk sends no event for it.
pub(crate) async fn record_sign_in(connection: &mut PgConnection, id: &str, now: i64) -> sqlx::Result<()> {
    sqlx::query("UPDATE users SET data = data || jsonb_build_object('last_sign_in_at', $2::bigint, 'last_active_at', $2::bigint) WHERE id = $1")
        .bind(id)
        .bind(now)
        .execute(connection)
        .await?;
    Ok(())
}

/// Creates the people from number `first` as users, without events. Existing users are left unchanged.
pub(crate) async fn create_people(stand_in: &StandIn, first: usize, count: usize) -> sqlx::Result<()> {
    const BATCH: usize = 2000;
    for start in (first..first + count).step_by(BATCH) {
        let end = (start + BATCH).min(first + count);
        let person = stand_in.options().person;
        let (objects, (emails, user_ids)): (Vec<_>, (Vec<_>, Vec<_>)) = (start..end)
            .map(|index| {
                let person = person(index);
                (Json(person_object(&person)), (person.email, person.id))
            })
            .unzip();
        sqlx::query(
            "WITH new AS (
                 INSERT INTO users (id, created_at, data)
                 SELECT data ->> 'id', (data ->> 'created_at')::bigint, data FROM unnest($1::jsonb[]) AS rows (data)
                 ON CONFLICT DO NOTHING RETURNING id
             )
             INSERT INTO email_addresses (email, user_id)
             SELECT email, user_id FROM unnest($2::text[], $3::text[]) AS rows (email, user_id) JOIN new ON new.id = user_id
             ON CONFLICT DO NOTHING",
        )
        .bind(objects)
        .bind(emails)
        .bind(user_ids)
        .execute(stand_in.pool())
        .await?;
    }
    Ok(())
}

/// Changes the stored object under a row lock, so that concurrent merges don't overwrite each other, and enqueues the
/// event.
async fn change(stand_in: &StandIn, id: &str, change: impl FnOnce(&mut Value) -> ApiResult<()>) -> ApiResult<Value> {
    let mut transaction = stand_in.pool().begin().await?;
    let found: Option<Json<Value>> = sqlx::query_scalar("SELECT data FROM users WHERE id = $1 FOR UPDATE")
        .bind(id)
        .fetch_optional(&mut *transaction)
        .await?;
    let Some(Json(mut data)) = found else { return Err(ApiError::not_found("user", id)) };
    change(&mut data)?;
    data["updated_at"] = stand_in.now().into();
    sqlx::query("UPDATE users SET data = $2 WHERE id = $1")
        .bind(id)
        .bind(Json(&data))
        .execute(&mut *transaction)
        .await
        .map_err(conflict_error)?;
    webhooks::enqueue(stand_in, &mut transaction, "user.updated", &data).await?;
    transaction.commit().await?;
    stand_in.notify_delivery();
    Ok(data)
}

async fn insert(connection: &mut PgConnection, data: &Value) -> ApiResult<()> {
    sqlx::query("INSERT INTO users (id, created_at, data) VALUES ($1 ->> 'id', ($1 ->> 'created_at')::bigint, $1)")
        .bind(Json(data))
        .execute(&mut *connection)
        .await
        .map_err(conflict_error)?;
    sqlx::query(
        "INSERT INTO email_addresses (email, user_id)
         SELECT address ->> 'email_address', $1 ->> 'id' FROM jsonb_array_elements($1 -> 'email_addresses') AS address",
    )
    .bind(Json(data))
    .execute(connection)
    .await
    .map_err(conflict_error)?;
    Ok(())
}

fn conflict_error(error: sqlx::Error) -> ApiError {
    match error.as_database_error().and_then(sqlx::error::DatabaseError::constraint) {
        Some("email_addresses_pkey") => ApiError::taken("email_address"),
        Some("users_external_id_key") => ApiError::taken("external_id"),
        Some("users_username_key") => ApiError::taken("username"),
        _ => error.into(),
    }
}
