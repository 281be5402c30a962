//! What a column that names somebody says of them: whose the row is, who made it, who did something with it.

use super::normalize;

/// What a column that names somebody says about them. The earlier, the more the row is theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::data_map) enum Role {
    /// Whose row it is: `user_id`, `customerId`, `patient`.
    Owner,
    /// Who made the row: `created_by`, `uploader_id`.
    Creator,
    /// Who did something with it, or is named in it: `approved_by`, `assignee_id`, `recipient`.
    Actor,
}

/// Returns whom a column of this name names, by how the name ends: `buyer_clerk_user_id` names a buyer.
pub(in crate::data_map) fn role(column: &str) -> Option<Role> {
    const OWNERS: [&str; 30] = [
        "user",
        "owner",
        "customer",
        "patient",
        "client",
        "buyer",
        "member",
        "subscriber",
        "student",
        "author",
        "sender",
        "account",
        "profile",
        "person",
        "people",
        "employee",
        "follower",
        "reporter",
        "applicant",
        "candidate",
        "guest",
        "subject",
        "holder",
        "payer",
        "participant",
        "attendee",
        "learner",
        "visitor",
        "clerk",
        "contact",
    ];
    const CREATORS: [&str; 12] = [
        "createdby",
        "creator",
        "uploadedby",
        "uploader",
        "postedby",
        "submittedby",
        "addedby",
        "writtenby",
        "publishedby",
        "requestedby",
        "requester",
        "orderedby",
    ];
    const ACTORS: [&str; 30] = [
        "assignee",
        "assignedto",
        "approver",
        "reviewer",
        "moderator",
        "editor",
        "inviter",
        "invitee",
        "doctor",
        "manager",
        "lead",
        "supervisor",
        "agent",
        "staff",
        "admin",
        "operator",
        "performer",
        "actor",
        "recipient",
        "receiver",
        "followed",
        "following",
        "reported",
        "banned",
        "mentor",
        "teacher",
        "instructor",
        "seller",
        "host",
        "target",
    ];
    let name = person_part(column);
    let ends_with = |names: &[&str]| names.iter().any(|ending| name.ends_with(ending));
    if ends_with(&CREATORS) {
        Some(Role::Creator)
    } else if ends_with(&ACTORS) || (name.ends_with("by") && name.len() > 4) {
        Some(Role::Actor)
    } else if ends_with(&OWNERS) {
        Some(Role::Owner)
    } else {
        None
    }
}

/// Whether a normalized name begins like that of another service's id: `stripe_customer_id`.
fn is_of_other_service(name: &str) -> bool {
    const SERVICES: [&str; 24] = [
        "stripe",
        "paddle",
        "lemonsqueezy",
        "polar",
        "chargebee",
        "braintree",
        "recurly",
        "paypal",
        "razorpay",
        "shopify",
        "intercom",
        "hubspot",
        "salesforce",
        "zendesk",
        "posthog",
        "amplitude",
        "mixpanel",
        "segment",
        "slack",
        "discord",
        "github",
        "google",
        "telegram",
        "twilio",
    ];
    SERVICES.iter().any(|service| name.starts_with(service)) || name.contains("provider") || name.starts_with("oauth")
}

/// Whether the name says that the column holds a key of somebody, and not a name or an address.
pub(in crate::data_map) fn is_key_of_person(column: &str) -> bool {
    let name = normalize(column);
    role(column).is_some()
        && !is_of_other_service(&name)
        // Without a foreign key these are OAuth's clients and an address book's entries.
        && !matches!(name.as_str(), "clientid" | "contactid")
        && (name.ends_with("id") || name.ends_with("ids") || name.ends_with("by") || name.contains("clerk"))
}

/// Removes what says that a name is that of a key: `buyer` of `buyer_clerk_user_id`.
fn person_part(column: &str) -> String {
    let mut name = normalize(column);
    for ending in ["ids", "id", "uuid", "userid", "user", "clerk"] {
        if let Some(rest) = name.strip_suffix(ending)
            && rest.len() > 1
        {
            name = rest.to_owned();
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_of_names_say_whose_row_it_is() {
        let owners = [
            "user_id",
            "userId",
            "buyer_clerk_user_id",
            "clerk_id",
            "customerId",
            "sender",
            "participant_ids",
            "AuthorID",
        ];
        let creators = ["created_by", "createdByClerkId", "uploader_id", "added_by_user_id"];
        let actors = ["assignee_id", "approvedBy", "updated_by_clerk_id", "recipient_id", "doctor", "deleted_by"];
        let columns = ["title", "post_id", "id", "ruby", "body", "org_id", "emailVerified"];
        for (names, expected) in [
            (&owners[..], Some(Role::Owner)),
            (&creators, Some(Role::Creator)),
            (&actors, Some(Role::Actor)),
            (&columns, None),
        ] {
            for name in names {
                assert_eq!(role(name), expected, "{name}");
            }
        }
    }
}
