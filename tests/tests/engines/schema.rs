//! One schema on two engines, brought up to date, and never downwards.

use std::collections::BTreeSet;

use keyward_tests::engines;
use keyward_tests::http::Request;
use keyward_tests::server::{Engine, Server};
use keyward_tests::world::World;

#[test]
fn both_engines_have_the_same_tables_columns_and_indices() {
    let (sqlite, postgres) = (Server::start(Engine::Sqlite), Server::start(Engine::Postgres));
    let rows = |text: String| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let columns = rows(sqlite.sql(SQLITE_COLUMNS));
    assert!(columns.len() > 80, "{columns:?}");
    assert_eq!(columns, rows(postgres.sql(POSTGRES_COLUMNS)));
    let indices = rows(sqlite.sql(SQLITE_INDICES));
    assert!(!indices.is_empty());
    assert_eq!(indices, rows(postgres.sql(POSTGRES_INDICES)));
    let foreign = rows(sqlite.sql(SQLITE_FOREIGN_KEYS));
    assert!(foreign.len() > 10, "{foreign:?}");
    assert_eq!(foreign, rows(postgres.sql(POSTGRES_FOREIGN_KEYS)));
}

engines! {
    fn a_database_of_a_newer_keyward_is_refused_in_clear_words(engine) {
        let mut server = Server::start(engine);
        server.sql(
            "insert into schema_migrations (version, name, sha256, applied_at)
             select 99, 'future', sha256, applied_at from schema_migrations where version = 1",
        );
        assert_eq!(server.send(&Request::get("/readyz")).status, 503, "an old server goes on over a newer schema");
        server.stop();
        for words in [&["migrate"][..], &["serve", "--listen", "127.0.0.1:0"]] {
            let ended = server.another(words);
            assert_eq!(ended.code, 1, "{words:?}: {}", ended.said());
            assert_eq!(ended.stdout, b"", "{words:?}");
            assert!(ended.stderr.contains("schema version 99"), "{}", ended.stderr);
            assert!(ended.stderr.contains("newer keyward-server"), "{}", ended.stderr);
        }
        assert_eq!(server.sql("select count(*) from schema_migrations where version = 99"), "1");
    }

    fn to_migrate_again_changes_nothing(engine) {
        let mut world = World::new(engine);
        let applied = "select version, name, applied_at from schema_migrations order by version";
        let before = (world.server.sql(applied), world.insider().answer.sha256);
        world.server.stop();
        for _ in 0..2 {
            let ended = world.server.another(&["migrate"]);
            assert_eq!(ended.code, 0, "{}", ended.said());
            assert!(ended.stderr.contains("up to date"), "{}", ended.stderr);
        }
        world.server.restart();
        assert_eq!((world.server.sql(applied), world.insider().answer.sha256), before);
        assert_eq!(world.server.send(&Request::get("/readyz")).status, 200);
    }
}

const SQLITE_COLUMNS: &str = "
    select m.name, c.name,
        case lower(c.type) when 'integer' then 'bigint' when 'blob' then 'bytea' else lower(c.type) end,
        case c.\"notnull\" when 1 then 'NO' else 'YES' end
    from sqlite_master m join pragma_table_info(m.name) c
    where m.type = 'table' and m.name not like 'sqlite_%'";

const POSTGRES_COLUMNS: &str = "
    select table_name, column_name, data_type, is_nullable
    from information_schema.columns where table_schema = current_schema()";

const SQLITE_INDICES: &str =
    "select tbl_name, name from sqlite_master where type = 'index' and sql is not null";

const POSTGRES_INDICES: &str = "
    select i.tablename, i.indexname from pg_indexes i
    where i.schemaname = current_schema() and not exists (
        select 1 from pg_constraint c where c.conname = i.indexname and c.contype in ('p', 'u'))";

const SQLITE_FOREIGN_KEYS: &str = "
    select f.child, f.parent, group_concat(f.source), f.deleted
    from (
        select m.name as child, k.id, k.\"table\" as parent, k.\"from\" as source, lower(k.on_delete) as deleted
        from sqlite_master m join pragma_foreign_key_list(m.name) k
        where m.type = 'table'
        order by m.name, k.id, k.seq
    ) f
    group by f.child, f.id, f.parent, f.deleted";

const POSTGRES_FOREIGN_KEYS: &str = "
    select c.conrelid::regclass, c.confrelid::regclass,
        (select string_agg(a.attname, ',' order by k.at) from unnest(c.conkey) with ordinality k (num, at)
            join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.num),
        case c.confdeltype when 'c' then 'cascade' when 'a' then 'no action' when 'n' then 'set null'
            when 'r' then 'restrict' else c.confdeltype::text end
    from pg_constraint c where c.contype = 'f' and c.connamespace = current_schema()::regnamespace";
