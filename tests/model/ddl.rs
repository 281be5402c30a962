//! The SQL that creates a case's tables and rows.

use crate::generator::Case;
use crate::schema::{Extra, ForeignKey, Table};
use crate::value::{Kind, Row};

pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(crate) fn quote_all(names: &[String]) -> String {
    names.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ")
}

/// Returns the statements that create the tables.
pub(crate) fn create_tables(case: &Case) -> String {
    let mut sql = Vec::new();
    for schema in schemas(case) {
        let schema = quote(&schema);
        sql.push(format!("CREATE SCHEMA {schema};\n"));
        sql.push(format!("CREATE TYPE {schema}.mood AS ENUM ('sad', 'ok', 'happy one');\n"));
    }
    for table in &case.schema.tables {
        sql.push(create_table(table));
    }
    for table in &case.schema.tables {
        for key in &table.foreign_keys {
            sql.push(add_foreign_key(case, table, key));
        }
    }
    sql.concat()
}

/// Returns the statements that insert the rows. They may reference each other in circles.
pub(crate) fn insert_all(case: &Case) -> String {
    let mut sql = vec!["SET session_replication_role = replica;\n".to_owned()];
    for table in &case.schema.tables {
        sql.push(insert_rows(table, case.rows.get(&table.full_name()).map_or(&[], Vec::as_slice)));
    }
    sql.push("RESET session_replication_role;\n".to_owned());
    sql.concat()
}

pub(crate) fn delete_all(case: &Case) -> String {
    let delete = |table: &Table| format!("DELETE FROM {};\n", table.sql_name());
    let deletes = case.schema.tables.iter().map(delete).collect::<Vec<_>>().concat();
    format!("SET session_replication_role = replica;\n{deletes}RESET session_replication_role;\n")
}

pub(crate) fn drop_all(case: &Case) -> String {
    let drop_schema = |schema: &String| format!("DROP SCHEMA {} CASCADE;\n", quote(schema));
    schemas(case).iter().map(drop_schema).collect::<Vec<_>>().concat()
}

fn schemas(case: &Case) -> Vec<String> {
    let mut schemas: Vec<String> = case.schema.tables.iter().map(|table| table.schema.clone()).collect();
    schemas.sort();
    schemas.dedup();
    schemas
}

impl Table {
    pub(crate) fn sql_name(&self) -> String {
        format!("{}.{}", quote(&self.schema), quote(&self.name))
    }
}

fn create_table(table: &Table) -> String {
    let mut parts: Vec<String> = table
        .columns
        .iter()
        .map(|column| {
            let null = if column.nullable { "" } else { " NOT NULL" };
            format!("{} {}{null}", quote(&column.name), type_name(table, column.kind))
        })
        .collect();
    if !table.primary_key.is_empty() {
        parts.push(format!("PRIMARY KEY ({})", quote_all(&table.primary_key)));
    }
    parts.extend(table.uniques.iter().map(|columns| format!("UNIQUE ({})", quote_all(columns))));
    let mut sql = vec![format!("CREATE TABLE {} (\n    {}\n);\n", table.sql_name(), parts.join(",\n    "))];
    for extra in &table.extras {
        let name = table.sql_name();
        sql.push(match extra {
            Extra::UniqueLower(column) => format!("CREATE UNIQUE INDEX ON {name} (lower({}));\n", quote(column)),
            Extra::UniqueWhereNull { column, condition } => {
                format!("CREATE UNIQUE INDEX ON {name} ({}) WHERE {} IS NULL;\n", quote(column), quote(condition))
            }
            Extra::NotNegative(column) => format!("ALTER TABLE {name} ADD CHECK ({} >= 0);\n", quote(column)),
        });
    }
    sql.concat()
}

fn type_name(table: &Table, kind: Kind) -> String {
    let name = match kind {
        Kind::Integer => "integer",
        Kind::Bigint => "bigint",
        Kind::Numeric => "numeric",
        Kind::Bool => "boolean",
        Kind::Text => "text",
        Kind::Varchar => "varchar(60)",
        Kind::Uuid => "uuid",
        Kind::Json => "json",
        Kind::Jsonb => "jsonb",
        Kind::TextArray => "text[]",
        Kind::Timestamptz => "timestamptz",
        Kind::Timestamp => "timestamp",
        Kind::Date => "date",
        Kind::Enum => return format!("{}.mood", quote(&table.schema)),
        Kind::Bytea => "bytea",
    };
    name.to_owned()
}

fn insert_rows(table: &Table, rows: &[Row]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let literal = |row: &Row, column: &str| {
        row[column].text().map_or_else(|| "NULL".to_owned(), |text| format!("'{}'", text.replace('\'', "''")))
    };
    let names: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    let values = rows.iter().map(|row| {
        let values: Vec<String> = names.iter().map(|column| literal(row, column)).collect();
        format!("    ({})", values.join(", "))
    });
    let values: Vec<String> = values.collect();
    format!("INSERT INTO {} ({}) VALUES\n{};\n", table.sql_name(), quote_all(&names), values.join(",\n"))
}

fn add_foreign_key(case: &Case, table: &Table, key: &ForeignKey) -> String {
    format!(
        "ALTER TABLE {} ADD FOREIGN KEY ({}) REFERENCES {} ({}) {} {};\n",
        table.sql_name(),
        quote_all(&key.columns),
        case.schema.table(&key.parent).sql_name(),
        quote_all(&key.parent_columns),
        key.on_delete,
        key.deferrable
    )
}
