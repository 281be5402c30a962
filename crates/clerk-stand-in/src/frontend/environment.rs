//! The instance's settings: a development instance where users sign in with a code by e-mail, without passwords, second
//! factors, organizations and captchas.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use crate::StandIn;

/// The first thing that Clerk's browser SDK requests.
pub(super) async fn environment(State(stand_in): State<StandIn>) -> Json<Value> {
    Json(json!({
        "auth_config": auth_config(&stand_in),
        "display_config": display_config(&stand_in),
        "user_settings": user_settings(),
        "organization_settings": {
            "enabled": false,
            "max_allowed_memberships": 5,
            "actions": { "admin_delete": false },
            "domains": { "enabled": false, "enrollment_modes": [], "default_role": "org:member" },
            "slug": { "disabled": true },
            "creator_role": "org:admin",
        },
        "fraud_settings": { "object": "fraud_settings", "native": { "device_attestation_mode": "disabled" } },
        "commerce_settings": {
            "billing": {
                "stripe_publishable_key": null,
                "user": { "enabled": false, "has_paid_plans": false },
                "organization": { "enabled": false, "has_paid_plans": false },
            },
        },
        "api_keys_settings": { "enabled": false, "user_api_keys_enabled": false, "orgs_api_keys_enabled": false },
        "client_debug_mode": false,
        "partitioned_cookies": false,
        "maintenance_mode": false,
    }))
}

fn auth_config(stand_in: &StandIn) -> Value {
    json!({
        "object": "auth_config",
        "id": stand_in.instance_id().replacen("ins", "aac", 1),
        "first_name": "on",
        "last_name": "on",
        "email_address": "required",
        "phone_number": "off",
        "username": "off",
        "password": "off",
        "identification_requirements": [["email_address"]],
        "identification_strategies": ["email_address"],
        "first_factors": ["email_code", "ticket"],
        "second_factors": [],
        "email_address_verification_strategies": ["email_code"],
        "single_session_mode": true,
        "enhanced_email_deliverability": false,
        "test_mode": true,
        "cookieless_dev": true,
        "url_based_session_syncing": true,
        "claimed_at": null,
        "reverification": true,
        "native_settings": {
            "object": "native_settings",
            "api_enabled": false,
            "trusted_device_sign_in_enabled": false,
            "trusted_device_enrollment_prompt_after_sign_in_enabled": false,
            "trusted_device_enrollment_prompt_after_sign_up_enabled": false,
        },
    })
}

fn display_config(stand_in: &StandIn) -> Value {
    let url = &stand_in.options().url;
    let home = stand_in.endpoints().application_origins.into_iter().next().unwrap_or_else(|| url.clone());
    let sign_in = format!("{url}/sign-in");
    json!({
        "object": "display_config",
        "id": stand_in.instance_id().replacen("ins", "display_config", 1),
        "instance_environment_type": "development",
        "application_name": "Stand-in for Clerk",
        "theme": {},
        "preferred_sign_in_strategy": "otp",
        "home_url": home,
        "sign_in_url": sign_in,
        "sign_up_url": sign_in,
        "user_profile_url": home,
        "waitlist_url": home,
        "oauth_consent_url": home,
        "after_sign_in_url": home,
        "after_sign_up_url": home,
        "after_sign_out_one_url": home,
        "after_sign_out_all_url": home,
        "after_switch_session_url": home,
        "after_join_waitlist_url": home,
        "organization_profile_url": home,
        "create_organization_url": home,
        "after_leave_organization_url": home,
        "after_create_organization_url": home,
        "logo_link_url": home,
        "support_email": null,
        "branded": false,
        "experimental_force_oauth_first": false,
        "clerk_js_version": null,
        "show_devmode_warning": false,
        "google_one_tap_client_id": null,
        "help_url": null,
        "privacy_policy_url": null,
        "terms_url": null,
        "logo_url": null,
        "favicon_url": null,
        "logo_image": null,
        "favicon_image": null,
        "captcha_public_key": null,
        "captcha_widget_type": null,
        "captcha_public_key_invisible": null,
        "captcha_provider": null,
        "captcha_oauth_bypass": [],
    })
}

fn user_settings() -> Value {
    let off = || json!({ "enabled": false });
    let mut attributes = json!({});
    for name in [
        "email_address",
        "phone_number",
        "username",
        "web3_wallet",
        "first_name",
        "last_name",
        "password",
        "authenticator_app",
        "ticket",
        "backup_code",
        "passkey",
    ] {
        attributes[name] = attribute(name);
    }
    json!({
        "attributes": attributes,
        "social": {},
        "saml": off(),
        "enterprise_sso": off(),
        "sign_in": { "second_factor": { "required": false } },
        "sign_up": {
            "captcha_enabled": false,
            "captcha_widget_type": "invisible",
            "custom_action_required": false,
            "progressive": true,
            "mode": "restricted",
            "legal_consent_enabled": false,
        },
        "restrictions": {
            "allowlist": off(),
            "blocklist": off(),
            "allowlist_blocklist_disabled_on_sign_in": off(),
            "block_email_subaddresses": off(),
            "block_disposable_email_domains": off(),
        },
        "password_settings": {
            "disable_hibp": true,
            "min_length": 8,
            "max_length": 72,
            "require_special_char": false,
            "require_numbers": false,
            "require_uppercase": false,
            "require_lowercase": false,
            "show_zxcvbn": false,
            "min_zxcvbn_strength": 0,
            "enforce_hibp_on_sign_in": false,
            "disable_password_reverification": true,
            "allowed_special_characters": "!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~",
        },
        "username_settings": {
            "min_length": 4,
            "max_length": 64,
            "allow_extended_special_characters": false,
            "allow_numeric_usernames": false,
        },
        "actions": { "delete_self": true, "create_organization": false, "create_organizations_limit": null },
        "attack_protection": {
            "user_lockout": { "enabled": false, "max_attempts": 100, "duration_in_minutes": 60 },
            "pii": off(),
            "email_link": { "require_same_client": true },
            "enumeration_protection": off(),
        },
        "passkey_settings": { "allow_autofill": false, "show_sign_in_button": false, "satisfies_second_factor": false },
    })
}

fn attribute(name: &str) -> Value {
    let is_email = name == "email_address";
    let codes: &[&str] = if is_email { &["email_code"] } else { &[] };
    json!({
        "enabled": matches!(name, "email_address" | "first_name" | "last_name" | "ticket"),
        "required": is_email,
        "used_for_first_factor": is_email,
        "first_factors": codes,
        "used_for_second_factor": false,
        "second_factors": [],
        "verifications": codes,
        "verify_at_sign_up": is_email,
        "immutable": false,
    })
}
