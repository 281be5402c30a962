//! An example for each paragraph of the definition.

mod world;

use self::world::{NOW, World, strings, text};
use crate::map::{Erase, Export, MentionAction, NewValue, ReferenceAction, Scrub};
use crate::model::erasure::Refused;
use crate::value::Value;

fn users() -> World {
    World::default().table("users", &["clerk"], &["clerk=user_ann id=1", "clerk=user_bob id=2"])
}

fn keep() -> Erase {
    Erase::Keep { period: None }
}

fn scrub(columns: &[(&str, NewValue)]) -> Erase {
    let columns = columns.iter().map(|(column, value)| ((*column).to_owned(), value.clone())).collect();
    Erase::Scrub(Scrub { columns, ..Scrub::default() })
}

#[test]
fn a_column_leads_to_the_person_whose_id_it_holds() {
    let world = World::default().table("notes", &["author"], &["author=user_ann id=1", "author=- id=2"]);
    assert_eq!(world.owners("notes"), ["user_ann", ""]);
}

#[test]
fn an_arrow_leads_to_the_owners_of_the_referenced_row() {
    let notes = ["id=1 user=1", "id=2 user=2", "id=3 user=-", "id=4 user=9"];
    assert_eq!(users().table("notes", &["user -> users"], &notes).owners("notes"), ["user_ann", "user_bob", "", ""]);
    // By the foreign key, which leads to another column than the primary key.
    let by_key = users().table("notes", &["user -> users"], &["id=1 user=user_ann"]).key("user -> users(clerk)");
    assert_eq!(by_key.owners("notes"), ["user_ann"]);
    // By the columns that the path names, over several steps.
    let projects = users().table("projects", &["user -> users"], &["id=1 no=5 org=7 user=1", "id=2 no=6 org=7 user=2"]);
    let tasks = ["id=1 no=6 org=7", "id=2 no=6 org=-"];
    let world = projects.table("tasks", &["org,no -> projects(org,no)"], &tasks);
    assert_eq!(world.owners("tasks"), ["user_bob", ""]);
}

#[test]
fn a_backward_arrow_leads_to_the_owners_of_every_referencing_row() {
    let world = World::default().table("contents", &["<- messages(content)"], &["id=1", "id=2", "id=3"]).table(
        "messages",
        &["sender"],
        &["content=1 id=1 sender=user_ann", "content=1 id=2 sender=user_bob", "content=2 id=3 sender=user_ann"],
    );
    assert_eq!(world.owners("contents"), ["user_ann user_bob", "user_ann", ""]);
    assert_eq!(world.after("user_ann", "contents"), ["id=1", "id=3"]);
    // Rows go with the last row that references them, even if it is nobody's.
    let unowned = World::default().table("contents", &["<- messages(content)"], &["id=1"]).table(
        "messages",
        &["sender"],
        &["content=1 id=1 sender=user_ann", "content=1 id=2 sender=-"],
    );
    assert_eq!(unowned.after("user_ann", "contents"), ["id=1"]);
    let by_name = World::default()
        .table("contents", &["hash <- messages(content)"], &["hash=x id=1", "hash=- id=2"])
        .table("messages", &["sender"], &["content=x id=1 sender=user_ann", "content=- id=2 sender=user_bob"]);
    assert_eq!(by_name.owners("contents"), ["user_ann", ""]);
}

#[test]
fn the_owners_are_those_of_all_entries_whose_condition_holds() {
    let rows = [
        "actor=user_ann id=1 kind=client to=user_bob",
        "actor=user_ann id=2 kind=system to=user_bob",
        "actor=user_ann id=3 kind=- to=-",
    ];
    let mut world = World::default().table("events", &["actor", "to"], &rows);
    assert_eq!(world.owners("events"), ["user_ann user_bob", "user_ann user_bob", "user_ann"]);
    let conditions = [("kind".to_owned(), strings(&["client", "guest"]))];
    world.map.entries[0].owners[0].conditions = conditions.into();
    assert_eq!(world.owners("events"), ["user_ann user_bob", "user_bob", ""]);
}

#[test]
fn an_export_has_own_and_shared_rows_with_the_exported_columns() {
    let rows = [
        "from=user_ann id=1 secret=x to=user_bob",
        "from=user_bob id=2 secret=y to=-",
        "from=user_ann id=3 secret=z to=user_ann",
    ];
    let world = World::default().table("messages", &["from", "to"], &rows);
    let world = world.with(|entry| entry.export = Export::Except(strings(&["secret"])));
    let exported = |person| world.model().export(person)["public.messages"].iter().map(text).collect::<Vec<_>>();
    assert_eq!(exported("user_ann"), ["from=user_ann id=1 to=user_bob", "from=user_ann id=3 to=user_ann"]);
    assert_eq!(exported("user_bob"), ["from=user_ann id=1 to=user_bob", "from=user_bob id=2 to=-"]);
    assert!(
        !world.with(|entry| entry.export = Export::Nothing).model().export("user_ann").contains_key("public.messages")
    );
}

#[test]
fn own_rows_are_deleted_stamped_scrubbed_or_kept() {
    let rows = [
        "at=- author=user_ann id=1 text=x",
        "at=before author=user_ann id=2 text=y",
        "at=- author=user_bob id=3 text=z",
    ];
    let notes = |erase| World::default().table("notes", &["author"], &rows).erase(erase).after("user_ann", "notes");
    assert_eq!(notes(Erase::Delete), rows[2..]);
    assert_eq!(notes(keep()), rows);
    let stamped = notes(Erase::Stamp { columns: strings(&["at"]), purge_after: None });
    assert_eq!(stamped, ["at=2026-03-01 author=user_ann id=1 text=x", rows[1], rows[2]]);
    let scrubbed = notes(scrub(&[("text", NewValue::Null)]));
    assert_eq!(scrubbed, ["at=- author=user_ann id=1 text=-", "at=before author=user_ann id=2 text=-", rows[2]]);
}

#[test]
fn shared_rows_stay_and_forget_the_person() {
    let rows = [
        "from=user_ann id=1 to=user_bob",
        "from=user_bob id=2 to=user_ann",
        "from=user_ann id=3 to=user_ann",
        "from=user_ann id=4 to=-",
    ];
    let world = World::default().table("messages", &["from", "to"], &rows).with(|entry| {
        entry.owners[0].forget.insert("from".to_owned(), NewValue::Null);
        entry.owners[1].forget.insert("to".to_owned(), NewValue::Constant(Value::text_of("gone")));
    });
    assert_eq!(world.after("user_ann", "messages"), ["from=- id=1 to=user_bob", "from=user_bob id=2 to=gone"]);
}

#[test]
fn what_an_erasure_wrote_in_place_of_a_clerk_id_is_no_owner() {
    let rows = ["from=user_ann id=1 to=user_bob"];
    let mut world = World::default().table("messages", &["from", "to"], &rows).with(|entry| {
        let unique = NewValue::Unique { prefix: "deleted-".to_owned(), suffix: String::new() };
        entry.owners[0].forget.insert("from".to_owned(), unique);
    });
    assert_eq!(world.after("user_ann", "messages"), ["from=deleted-<random> id=1 to=user_bob"]);
    let digits = "0123456789abcdef".repeat(2);
    world
        .rows
        .insert("public.messages".to_owned(), vec![world::row(&format!("from=deleted-{digits} id=1 to=user_bob"))]);
    assert_eq!(world.owners("messages"), ["user_bob"]);
    assert_eq!(world.after("user_bob", "messages"), [""; 0]);
}

#[test]
fn shared_rows_let_go_of_deleted_rows_like_those_of_others() {
    let shared = |action| {
        let world = World::default().table("notes", &["author"], &["author=user_ann id=1"]);
        let world =
            world.table("links", &["one", "two"], &["id=1 note=1 one=user_ann two=user_bob"]).key("note -> notes(id)");
        world.others("note", action).with(|entry| {
            entry.owners[0].forget.insert("one".to_owned(), NewValue::Null);
        })
    };
    assert_eq!(shared(ReferenceAction::Detach).after("user_ann", "links"), ["id=1 note=- one=- two=user_bob"]);
    assert_eq!(shared(ReferenceAction::Delete).after("user_ann", "links"), [""; 0]);
}

#[test]
fn rows_are_shared_when_their_parent_is_and_stay_with_it() {
    let chats = ["id=1 one=user_ann two=user_bob", "id=2 one=user_ann two=-"];
    let world = World::default().table("chats", &["one", "two"], &chats).with(|entry| {
        entry.owners[0].forget.insert("one".to_owned(), NewValue::Null);
    });
    let world = world.table("messages", &["chat -> chats"], &["chat=1 id=1", "chat=2 id=2"]);
    assert_eq!(world.after("user_ann", "chats"), ["id=1 one=- two=user_bob"]);
    assert_eq!(world.after("user_ann", "messages"), ["chat=1 id=1"]);
}

#[test]
fn mentions_are_overwritten_in_every_row_that_stays() {
    let rows =
        ["by=1 id=1 owner=user_bob", "by=2 id=2 owner=user_bob", "by=1 id=3 owner=user_ann", "by=- id=4 owner=-"];
    let notes = |action| users().table("notes", &["owner"], &rows).erase(keep()).mention(&["by -> users"], action);
    let written = notes(MentionAction::Write(NewValue::Null)).after("user_ann", "notes");
    assert_eq!(written, ["by=- id=1 owner=user_bob", rows[1], "by=- id=3 owner=user_ann", rows[3]]);
    // A mention deletes only rows of others.
    assert_eq!(notes(MentionAction::Delete).after("user_ann", "notes"), rows[1..]);
    assert_eq!(notes(MentionAction::Keep).after("user_ann", "notes"), rows);
}

#[test]
fn a_mention_may_forget_more_and_a_scrub_has_the_last_word_in_own_rows() {
    let rows = [
        "by=user_ann id=1 name=Ann owner=user_bob",
        "by=user_bob id=2 name=Bob owner=user_bob",
        "by=user_ann id=3 name=Ann owner=user_ann",
    ];
    let world = World::default().table("notes", &["owner"], &rows).erase(scrub(&[("by", NewValue::Neutral)]));
    let world = world.mention(&["by"], MentionAction::Write(NewValue::Null)).with(|entry| {
        entry.mentions[0].forget.insert("name".to_owned(), NewValue::Neutral);
    });
    assert_eq!(
        world.after("user_ann", "notes"),
        ["by=- id=1 name= owner=user_bob", rows[1], "by= id=3 name= owner=user_ann"]
    );
}

#[test]
fn a_mention_that_the_map_rules_out_stops_the_erasure() {
    let rows = ["by=user_ann id=1 owner=user_ann", "by=user_bob id=2 owner=user_ann"];
    let world = World::default().table("notes", &["owner"], &rows).mention(&["by"], MentionAction::Forbid);
    assert_eq!(world.refused("user_bob"), Refused { table: "public.notes".to_owned(), column: "by".to_owned() });
    assert_eq!(world.after("user_ann", "notes"), [""; 0]);
}

/// Ann's note, Bob's comment on it, and Bob's vote on the comment.
fn comments(action: ReferenceAction) -> World {
    World::default()
        .table("notes", &["author"], &["author=user_ann id=1", "author=user_bob id=2"])
        .table(
            "comments",
            &["author"],
            &["author=user_bob id=1 note=1", "author=user_bob id=2 note=2", "author=user_ann id=3 note=1"],
        )
        .key("note -> notes(id)")
        .others("note", action)
        .table("votes", &["author"], &["author=user_bob comment=1 id=1", "author=user_bob comment=2 id=2"])
        .key("comment -> comments(id)")
        .others("comment", ReferenceAction::Delete)
}

#[test]
fn rows_of_others_are_detached_or_deleted_with_what_they_reference() {
    let detached = comments(ReferenceAction::Detach);
    assert_eq!(detached.after("user_ann", "comments"), ["author=user_bob id=1 note=-", "author=user_bob id=2 note=2"]);
    assert_eq!(detached.after("user_ann", "votes").len(), 2);
    let deleted = comments(ReferenceAction::Delete);
    assert_eq!(deleted.after("user_ann", "comments"), ["author=user_bob id=2 note=2"]);
    assert_eq!(deleted.after("user_ann", "votes"), ["author=user_bob comment=2 id=2"]);
    let refused = comments(ReferenceAction::Forbid).refused("user_ann");
    assert_eq!(refused, Refused { table: "public.comments".to_owned(), column: "note".to_owned() });
}

#[test]
fn rows_of_others_let_go_of_rows_that_stay_for_good_too() {
    let comments = |period| {
        let world =
            World::default().table("notes", &["author"], &["author=user_ann id=1"]).erase(Erase::Keep { period });
        let world = world.table("comments", &["author"], &["author=user_bob id=1 note=1"]);
        world.key("note -> notes(id)").others("note", ReferenceAction::Detach).after("user_ann", "comments")
    };
    assert_eq!(comments(None), ["author=user_bob id=1 note=-"]);
    let month = crate::map::Period { text: "1 month", minutes: 43_829 };
    assert_eq!(comments(Some(month)), ["author=user_bob id=1 note=1"]);
}

#[test]
fn values_are_null_constant_random_neutral_or_a_pseudonym() {
    let unique = NewValue::Unique { prefix: "deleted-".to_owned(), suffix: "@example.invalid".to_owned() };
    let values = [
        ("a", NewValue::Null),
        ("b", NewValue::Constant(Value::text_of("gone"))),
        ("c", unique),
        ("d", NewValue::Neutral),
        ("e", NewValue::Pseudonym),
    ];
    let world = World::default().table("notes", &["id"], &["a=x b=x c=x d=x e=x id=user_ann"]).erase(scrub(&values));
    let expected = "a=- b=gone c=deleted-<random>@example.invalid d= e=<pseudonym of user_ann> id=user_ann";
    assert_eq!(world.after("user_ann", "notes"), [expected]);
}

#[test]
fn the_ghost_is_no_person_and_stands_for_those_who_left() {
    let world = World::default()
        .table("users", &["clerk"], &["clerk=user_ann id=1", "clerk=user_bob id=2", "clerk=left id=3"])
        .ghost("users", "id=3")
        .table("notes", &["author"], &["author=user_bob by=1 id=1", "author=left by=3 id=2"])
        .key("by -> users(id)")
        .mention(&["by -> users"], MentionAction::Write(NewValue::Ghost));
    assert_eq!(world.owners("users"), ["user_ann", "user_bob", ""]);
    assert_eq!(world.owners("notes"), ["user_bob", ""]);
    assert_eq!(world.after("user_ann", "notes"), ["author=user_bob by=3 id=1", "author=left by=3 id=2"]);
    assert_eq!(world.after("user_ann", "users"), ["clerk=user_bob id=2", "clerk=left id=3"]);
}

#[test]
fn a_second_erasure_finds_nothing_to_do() {
    let mut world = comments(ReferenceAction::Delete);
    let after = world.model().erase("user_ann", NOW).unwrap();
    world.rows = after.clone();
    assert_eq!(world.model().erase("user_ann", NOW).unwrap(), after);
}
