-- Search of messages: docs/adr/0019-search-reads-an-index-that-follows.md

-- Words of Latin letters are taken for English, others for Russian; a word of any other language stays as it is. No
-- stop words: "to be or not to be" can be found.
CREATE TEXT SEARCH DICTIONARY parley_russian (TEMPLATE = snowball, Language = russian);
CREATE TEXT SEARCH DICTIONARY parley_english (TEMPLATE = snowball, Language = english);
CREATE TEXT SEARCH CONFIGURATION parley (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION parley ALTER MAPPING FOR asciiword WITH parley_english;
ALTER TEXT SEARCH CONFIGURATION parley ALTER MAPPING FOR word WITH parley_russian;

-- A text as it is compared: small letters, ё as е, and spaces for punctuation, which the parser would take for parts
-- of addresses, paths and numbers. Character by character: the n-th of the result is the n-th of the text.
-- The letter izhitsa, in use by nobody, marks words that are kept as written (search_words).
CREATE FUNCTION search_fold(body text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN translate(lower(body), E'ёѵ!"#$%&''()*+,-./:;<=>?@[\\]^_`{|}~\t\n', 'еи' || repeat(' ', 34));

-- What a folded text is found by: its words' stems with their places, and the words themselves behind an izhitsa,
-- so that a word half typed is found by its beginning ("сообщени", whose stem is shorter than it).
CREATE FUNCTION search_words(folded text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN to_tsvector('public.parley'::regconfig, folded)
    || strip(to_tsvector('pg_catalog.simple'::regconfig, replace(' ' || folded, ' ', ' ѵ')));

-- A condition that is no word: a letter of its own and the end of an id, or a word. Control characters stand in no
-- message.
CREATE FUNCTION search_mark(letter text, id text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN E'\x01' || letter || right(id, 12);

-- One row for each message that can be found. Written by a follower of the feed, never by a request, and closed to
-- parley_app (after.sql): rows are read by search_messages alone. No foreign keys, which would cost as much as the
-- row; `parley doctor` compares it with the messages.
CREATE TABLE message_search (
    workspace_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    message_id uuid NOT NULL,
    at timestamptz NOT NULL,
    sender_id uuid NOT NULL,
    -- of desk conversations: whose staff may see it
    inbox_id uuid,
    version integer NOT NULL,
    is_note boolean NOT NULL,
    words tsvector NOT NULL,
    PRIMARY KEY (conversation_id, at, message_id)
);
-- Newest first through a workspace; and by words and marks: of the workspace, the conversation, the sender, what it has.
CREATE INDEX message_search_newest ON message_search (workspace_id, at, message_id);
-- New rows are gathered in a list (gin_pending_list_limit) before they go into the index of words.
CREATE INDEX message_search_words ON message_search USING gin (words);

-- What somebody deleted for themselves, all of it: left out of what they find.
CREATE INDEX hidden_message_actor ON hidden_message (workspace_id, actor_id, message_id);

-- How far the walk over all messages has come that (re)makes the index; no row: it is done.
CREATE TABLE search_rebuild (
    id integer PRIMARY KEY CHECK (id = 1),
    conversation_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    position bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT now()
);

-- What is here already is indexed by the walk, what comes by the follower.
INSERT INTO follower (name, transaction)
VALUES ('search', pg_snapshot_xmin(pg_current_snapshot())::text::xid8);
INSERT INTO search_rebuild (id) SELECT 1 WHERE EXISTS (SELECT FROM message);

-- What somebody asked for, as a condition on `words`; null when there is no word in it.
--   parts: what must be there, each a word or words in a row, in any of their forms
--   beginning: a word of which that much is typed: letters and digits alone, or nothing
CREATE FUNCTION search_query(parts text[], beginning text) RETURNS tsquery
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, public SET client_min_messages = warning AS $$
DECLARE
    part text;
    term tsquery;
    asked tsquery;
BEGIN
    FOREACH part IN ARRAY parts LOOP
        term := phraseto_tsquery('public.parley', public.search_fold(part));
        IF numnode(term) > 0 THEN
            asked := coalesce(asked && term, term);
        END IF;
    END LOOP;
    term := phraseto_tsquery('public.parley', public.search_fold(beginning));
    IF numnode(term) > 0 THEN
        term := term || (quote_literal('ѵ' || public.search_fold(beginning)) || ':*')::tsquery;
        asked := coalesce(asked && term, term);
    END IF;
    RETURN asked;
END $$;

-- The newest messages, older than (before_at, before_id) and not before `since`, that an actor sees and that meet the
-- conditions: at most `page` of them, newest first. Its owner is parley_system (after.sql), since no index of words can
-- be used under a policy (ADR 0004): the workspace is compared with those of the transaction here, and who sees what,
-- the rule of parley.conversations.visibility, is joined in `seen`. is_live: false when the message is deleted or was
-- edited since it was indexed; such a row is not to be shown.
--   may_chat: conversations beside the desk that it is a member of
--   desk: those of 'every' inbox, of its 'own' inboxes, or as a 'member', with a contact's eyes
--   marks: further conditions, made by search_mark
--
-- How: very common words are found by walking back from the newest, at most `reach` rows. What does not fill a page so
-- is rare among the newest, and the rest is asked of the index of words. Few conversations are walked one by one, and
-- the index is asked for words within them.
CREATE FUNCTION search_messages(
    in_workspace uuid, by_actor uuid, may_chat boolean, desk text, query tsquery, marks text[],
    in_conversation uuid, since timestamptz, before_at timestamptz, before_id uuid, page integer
) RETURNS TABLE (conversation_id uuid, message_id uuid, at timestamptz, is_live boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
SET enable_seqscan = off SET work_mem = '32MB' SET jit = off SET max_parallel_workers_per_gather = 0 AS $$
#variable_conflict use_column
DECLARE
    reach constant integer := 40000;
    few constant integer := 64;
    seen constant text := $rule$ s.workspace_id = $1 AND CASE
        WHEN s.inbox_id IS NULL THEN $3 AND s.conversation_id IN (
            SELECT m.conversation_id FROM public.member m WHERE m.workspace_id = $1 AND m.actor_id = $2)
        WHEN $4 = 'every' THEN true
        WHEN $4 = 'own' THEN s.inbox_id IN (
            SELECT i.inbox_id FROM public.inbox_member i WHERE i.workspace_id = $1 AND i.actor_id = $2)
        ELSE $4 = 'member' AND NOT s.is_note AND s.conversation_id IN (
            SELECT m.conversation_id FROM public.member m WHERE m.workspace_id = $1 AND m.actor_id = $2)
        END
        AND s.message_id NOT IN (
            SELECT h.message_id FROM public.hidden_message h WHERE h.workspace_id = $1 AND h.actor_id = $2) $rule$;
    place constant text := ' (s.at, s.message_id) < ($6, $7) AND s.at >= $8 ';
    newest constant text := ' ORDER BY s.at DESC, s.message_id DESC ';
    head constant text := 'SELECT s.conversation_id, s.message_id, s.at, EXISTS (SELECT FROM public.message m
        WHERE m.conversation_id = s.conversation_id AND m.id = s.message_id AND m.deleted_at IS NULL
            AND m.version = s.version) FROM (';
    tail constant text := ') s' || newest || 'LIMIT $9';
    found_ids constant text := 'SELECT s.conversation_id, s.message_id, s.at, s.version FROM ';
    wanted tsquery := query;
    within tsquery;
    term tsquery;
    mark text;
    rooms uuid[];
    floor_at timestamptz;
    floor_id uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
    number_found integer;
BEGIN
    IF NOT coalesce(in_workspace = ANY (NULLIF(current_setting('parley.workspaces', true), '')::uuid[]), false) THEN
        RETURN;
    END IF;
    FOREACH mark IN ARRAY marks LOOP
        term := quote_literal(mark)::tsquery;
        wanted := coalesce(wanted && term, term);
    END LOOP;
    IF wanted IS NULL THEN
        RETURN;
    END IF;
    IF in_conversation IS NOT NULL THEN
        rooms := ARRAY[in_conversation];
    ELSIF desk NOT IN ('every', 'own') THEN
        SELECT array_agg(r.conversation_id) INTO rooms FROM (SELECT m.conversation_id FROM public.member m
            WHERE m.workspace_id = in_workspace AND m.actor_id = by_actor LIMIT few + 1) r;
        IF rooms IS NULL THEN
            RETURN;
        ELSIF cardinality(rooms) > few THEN
            rooms := NULL;
        END IF;
    END IF;

    IF rooms IS NULL THEN
        RETURN QUERY EXECUTE head || found_ids || '(SELECT * FROM public.message_search s WHERE s.workspace_id = $1 AND'
            || place || newest || format('LIMIT %s) s WHERE s.words @@ $5 AND', reach) || seen || newest || 'LIMIT $9' || tail
            USING in_workspace, by_actor, may_chat, desk, wanted, before_at, before_id, since, page;
        GET DIAGNOSTICS number_found = ROW_COUNT;
        IF number_found = page THEN
            RETURN;
        END IF;
        EXECUTE 'SELECT s.at, s.message_id FROM public.message_search s WHERE s.workspace_id = $1 AND' || place || newest
            || format('OFFSET %s LIMIT 1', reach - 1) INTO floor_at, floor_id
            USING in_workspace, by_actor, may_chat, desk, wanted, before_at, before_id, since, page;
        within := quote_literal(public.search_mark('w', in_workspace::text))::tsquery;
    ELSE
        -- complete down to where the walk through one of them ends, the nearest such place
        EXECUTE 'SELECT max(f.at) FROM unnest($10) AS r (id) CROSS JOIN LATERAL (SELECT s.at FROM public.message_search s
            WHERE s.conversation_id = r.id AND' || place || newest
            || format('OFFSET %s LIMIT 1) f', reach / cardinality(rooms)) INTO floor_at
            USING in_workspace, by_actor, may_chat, desk, wanted, before_at, before_id, since, page, rooms;
        RETURN QUERY EXECUTE head || found_ids || 'unnest($10) AS r (id) CROSS JOIN LATERAL (SELECT * FROM (
                SELECT * FROM public.message_search s WHERE s.conversation_id = r.id AND' || place
            || 'AND s.at > $11' || newest || 'OFFSET 0) s WHERE s.words @@ $5 AND' || seen || newest || 'LIMIT $9) s'
            || newest || 'LIMIT $9' || tail
            USING in_workspace, by_actor, may_chat, desk, wanted, before_at, before_id, since, page, rooms,
                coalesce(floor_at, '-infinity');
        GET DIAGNOSTICS number_found = ROW_COUNT;
        SELECT string_agg(quote_literal(public.search_mark('c', r.id::text)), '|')::tsquery INTO within
            FROM unnest(rooms) AS r (id);
    END IF;
    IF floor_at IS NULL OR number_found >= page THEN
        RETURN;
    END IF;
    RETURN QUERY EXECUTE head || 'SELECT * FROM (WITH s AS MATERIALIZED (' || found_ids
        || 'public.message_search s WHERE s.words @@ $5 AND' || place || 'AND ($10 IS NULL OR s.conversation_id = ANY ($10)) AND'
        || seen || ') SELECT * FROM s) s' || newest || 'LIMIT $9' || tail
        USING in_workspace, by_actor, may_chat, desk, wanted && within, floor_at, floor_id, since, page - number_found, rooms;
END $$;
