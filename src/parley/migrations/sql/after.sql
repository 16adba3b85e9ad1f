-- Run after every migration: grants and policies for all tables that exist now. Repeat: harmless.
-- parley_app: the plain role of requests, sees only the workspaces of its transaction.
-- parley_system: claims, login and the feed; sees all.
DO $$
DECLARE
    t record;
    visible constant text :=
        '(workspace_id = ANY ((SELECT NULLIF(current_setting(''parley.workspaces'', true), '''')::uuid[])::uuid[]))';
    -- what SET ROLE needs: since 16 a member may be one without it, as who made a role is at first
    may_become constant text := CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('parley roles'));
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'parley_app') THEN
        CREATE ROLE parley_app NOLOGIN NOBYPASSRLS;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'parley_system') THEN
        CREATE ROLE parley_system NOLOGIN NOBYPASSRLS;
    END IF;
    IF NOT pg_has_role(current_user, 'parley_app', may_become) THEN
        EXECUTE format('GRANT parley_app TO %I', current_user);
    END IF;
    IF NOT pg_has_role(current_user, 'parley_system', may_become) THEN
        EXECUTE format('GRANT parley_system TO %I', current_user);
    END IF;
    GRANT USAGE ON SCHEMA public TO parley_app, parley_system;
    FOR t IN
        SELECT c.relname AS name,
               EXISTS (SELECT FROM pg_attribute a
                       WHERE a.attrelid = c.oid AND a.attname = 'workspace_id' AND NOT a.attisdropped) AS is_scoped
        FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> 'alembic_version'
    LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO parley_system', t.name);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t.name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t.name);
        IF NOT EXISTS (SELECT FROM pg_policies WHERE schemaname = 'public' AND tablename = t.name
                       AND policyname = 'system') THEN
            EXECUTE format('CREATE POLICY system ON %I TO parley_system USING (true) WITH CHECK (true)', t.name);
        END IF;
        IF t.is_scoped AND t.name NOT IN ('one_time_token', 'session', 'sign_in_challenge', 'message_search') THEN
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO parley_app', t.name);
            IF NOT EXISTS (SELECT FROM pg_policies WHERE schemaname = 'public' AND tablename = t.name
                           AND policyname = 'workspace') THEN
                EXECUTE format('CREATE POLICY workspace ON %I TO parley_app USING %s WITH CHECK %s',
                               t.name, visible, visible);
            END IF;
        END IF;
    END LOOP;
    -- A workspace is itself, under its own id.
    GRANT SELECT, UPDATE ON workspace TO parley_app;
    IF NOT EXISTS (SELECT FROM pg_policies WHERE tablename = 'workspace' AND policyname = 'workspace') THEN
        EXECUTE 'CREATE POLICY workspace ON workspace TO parley_app USING '
            || replace(visible, 'workspace_id =', 'id =') || ' WITH CHECK ' || replace(visible, 'workspace_id =', 'id =');
    END IF;
    -- Search reads past the policies (0007_search.sql): one function does, for requests, and says who sees what itself.
    GRANT CREATE ON SCHEMA public TO parley_system;
    ALTER FUNCTION search_messages OWNER TO parley_system;
    REVOKE CREATE ON SCHEMA public FROM parley_system;
    REVOKE ALL ON FUNCTION search_messages FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION search_messages TO parley_app;
    -- Nobody rewrites the audit.
    REVOKE UPDATE, DELETE ON audit_entry FROM parley_app, parley_system;
END $$;
