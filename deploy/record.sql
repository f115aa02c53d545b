-- The record on PostgreSQL: the portal's own user may read and append events, and nothing else.
--
-- Two users: `portal_owner` owns the tables and runs `manage.py migrate`; `portal` is the one in DATABASE_URL of
-- the services. Run it as a superuser in the portal's database once the tables are there; again does no harm:
--
--     psql --dbname portal --file deploy/record.sql
--
-- Whoever may become the owner, or a superuser, can still rewrite the record; `manage.py record prove` and the
-- roots printed in bulletins show it.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'portal_owner') THEN
        CREATE ROLE portal_owner LOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'portal') THEN
        CREATE ROLE portal LOGIN;
    END IF;
END
$$;

-- Everything in the schema belongs to the owner, also what an earlier installation made as `portal`.
GRANT USAGE, CREATE ON SCHEMA public TO portal_owner;
DO $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind, relname
        FROM pg_class
        WHERE relnamespace = 'public'::regnamespace
          AND relkind IN ('r', 'p', 'v', 'S')
          AND pg_get_userbyid(relowner) <> 'portal_owner'
          -- The sequence of an identity column follows its table.
          AND NOT EXISTS (
              SELECT FROM pg_depend
              WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype IN ('i', 'a')
                AND refclassid = 'pg_class'::regclass AND refobjsubid > 0
          )
    LOOP
        EXECUTE format('ALTER %s public.%I OWNER TO portal_owner', item.kind, item.relname);
    END LOOP;
END
$$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC, portal;
GRANT USAGE ON SCHEMA public TO portal;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO portal;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO portal;
ALTER DEFAULT PRIVILEGES FOR ROLE portal_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO portal;
ALTER DEFAULT PRIVILEGES FOR ROLE portal_owner IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO portal;

-- Appended, never changed.
REVOKE UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER
    ON record_event, record_seal, record_dayroot FROM portal, PUBLIC;
