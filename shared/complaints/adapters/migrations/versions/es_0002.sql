-- Appends and events of a batch come as arrays of rows: a driver writes one such array in little more than half the time that
-- it takes for one array a column. Mostly all events of an append are of one instant, which is written once.
--
-- A role that was granted es.append needs it again:
--     GRANT EXECUTE ON FUNCTION es.append TO <role>;

DROP FUNCTION es.append;

CREATE TYPE es.new_append AS (
    wave int,
    command uuid,
    fingerprint bytea,
    stream uuid,
    category text,
    desk text,
    expected int,                           -- version of the stream before
    prev bytea,
    count int,                              -- of its events
    version int,                            -- of the stream after
    hash bytea,
    instant timestamptz                     -- at which its events occurred, but for those that say another
);

CREATE TYPE es.new_event AS (
    app int,                                -- 1-based index of its append
    version int,
    type text,
    schema smallint,
    occurred timestamptz,                   -- null: at the instant of its append
    data bytea,
    meta bytea,
    prev bytea,
    hash bytea
);

-- One call is one batch of appends of many requests; each is done wholly or not at all, whatever becomes of the others.
-- Answers, one row for each append, in no order:
--     ok         written; version, positions and hash are those it got
--     duplicate  the command was done before; version, positions and hash are those of then; nothing else is looked at
--     reused     the command id was used before by another request or stream
--     conflict   the stream `other` is at `version`, not at what was expected: the append's own stream or a guard
--     taken      the claim on `scope` belongs to the stream `other`
-- Where nothing is in the way of any of them, one row says so for all:
--     all        every append is written, one after the other, from first_pos on
--
-- p_appends holds one element for each append; p_events, g_* and c_* one for each event, guard and claim, in the same order;
-- their app is the 1-based index of the append. Versions of an append's events follow one another. Appends that write what another of
-- the same call reads or writes come in different waves, which are done one after the other, each seeing the one before;
-- where there is one, all have the wave 1.
CREATE FUNCTION es.append(
    p_shard smallint, p_waves int,
    p_appends es.new_append[], p_events es.new_event[],
    g_app int[], g_stream uuid[], g_version int[],
    c_app int[], c_stream uuid[], c_release boolean[], c_desk text[], c_scope text[], c_key bytea[]
) RETURNS TABLE (
    app int, status text, version int, first_pos bigint, last_pos bigint, hash bytea, other uuid, scope text
)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- The plans are made once a session, perhaps while the tables are empty, and must stay right when they hold millions of
-- rows: only index probes into tables, and only hash or merge joins between the arrays.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_nestloop = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    genesis CONSTANT bytea := decode(repeat('00', 32), 'hex');
    before bigint;
    head bigint;
    at timestamptz;
    written int;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'es.append needs read committed: it must see what was committed while it waited for the lock';
    END IF;
    PERFORM pg_advisory_xact_lock(7301, p_shard);   -- one appender of the shard at a time, held until its commit
    -- Every statement from here on has a snapshot younger than the lock, so it sees every earlier append.
    SELECT e.pos, greatest(clock_timestamp(), e.recorded_at) INTO head, at
    FROM es.event e WHERE e.shard = p_shard ORDER BY e.pos DESC LIMIT 1;
    IF head IS NULL THEN
        head := 0;
        at := clock_timestamp();
    END IF;
    before := head;

    -- Nearly always nothing is in the way of any append: then the arrays go into the tables as they are.
    -- Scalar subqueries are index probes, one a row, however many rows the planner expects.
    IF p_waves = 1 AND NOT EXISTS (
        SELECT FROM unnest(p_appends) a
        WHERE (SELECT true FROM es.command c WHERE c.command_id = a.command)
            OR NOT coalesce(
                (SELECT s.version = a.expected AND s.hash = a.prev FROM es.stream s WHERE s.stream_id = a.stream),
                a.expected = 0 AND a.prev = genesis)
    ) AND NOT EXISTS (
        SELECT FROM unnest(g_stream, g_version) g(stream, version)
        WHERE g.version <> coalesce((SELECT s.version FROM es.stream s WHERE s.stream_id = g.stream), 0)
    ) AND NOT EXISTS (
        SELECT FROM unnest(c_stream, c_release, c_desk, c_scope, c_key) c(stream, release, desk, scope, key)
        WHERE c.release OR c.stream <>
            (SELECT k.stream_id FROM es.claim k WHERE k.desk = c.desk AND k.scope = c.scope AND k.key = c.key)
    ) THEN
        INSERT INTO es.event (pos, recorded_at, occurred_at, stream_id, command_id, version, shard, schema_version,
            category, desk, type, prev_hash, hash, meta, data)
        SELECT head + e.place, at, coalesce(e.occurred, a.instant), a.stream, a.command, e.version, p_shard, e.schema,
            a.category, a.desk, e.type, e.prev, e.hash, e.meta, e.data
        FROM unnest(p_events) WITH ORDINALITY e(app, version, type, schema, occurred, data, meta, prev, hash, place)
        JOIN unnest(p_appends) WITH ORDINALITY
            a(wave, command, fingerprint, stream, category, desk, expected, prev, count, version, hash, instant, app)
            ON a.app = e.app;
        GET DIAGNOSTICS written = ROW_COUNT;
        IF written <> cardinality(p_events) THEN
            RAISE EXCEPTION 'es.append: % events, % of them belong to an append', cardinality(p_events), written;
        END IF;
        INSERT INTO es.stream AS s (stream_id, version, category, desk, hash)
        SELECT a.stream, a.version, a.category, a.desk, a.hash FROM unnest(p_appends) a
        ON CONFLICT (stream_id) DO UPDATE SET version = excluded.version, hash = excluded.hash;
        INSERT INTO es.command (command_id, stream_id, version, first_pos, last_pos, fingerprint)
        SELECT a.command, a.stream, a.version, head + a.upto - a.count + 1, head + a.upto, a.fingerprint
        FROM (
            SELECT a.*, sum(a.count) OVER (ORDER BY a.app) AS upto
            FROM unnest(p_appends) WITH ORDINALITY
                a(wave, command, fingerprint, stream, category, desk, expected, prev, count, version, hash, instant, app)
        ) a;
        IF cardinality(c_app) > 0 THEN
            INSERT INTO es.claim (desk, scope, key, stream_id)
            SELECT c.desk, c.scope, c.key, c.stream
            FROM unnest(c_stream, c_desk, c_scope, c_key) c(stream, desk, scope, key)
            ON CONFLICT DO NOTHING;         -- the stream holds it already
        END IF;
        PERFORM pg_notify('es_event', (head + written)::text);
        status := 'all';
        first_pos := head + 1;
        last_pos := head + written;
        RETURN NEXT;
        RETURN;
    END IF;

    -- Otherwise each append is judged by itself.
    FOR turn IN 1 .. p_waves LOOP
        RETURN QUERY
        WITH probe AS MATERIALIZED (
            SELECT a.app::int AS app, a.command, a.fingerprint, a.stream, a.category, a.desk, a.expected, a.prev, a.count,
                a.version, a.hash, a.instant,
                (SELECT c FROM es.command c WHERE c.command_id = a.command) AS done,
                (SELECT s FROM es.stream s WHERE s.stream_id = a.stream) AS now
            FROM unnest(p_appends) WITH ORDINALITY
                a(wave, command, fingerprint, stream, category, desk, expected, prev, count, version, hash, instant, app)
            WHERE a.wave = turn
        ), moved AS MATERIALIZED (
            SELECT DISTINCT ON (g.app) g.app, g.stream, g.actual
            FROM (SELECT g.app, g.stream, g.version, g.place,
                    coalesce((SELECT s.version FROM es.stream s WHERE s.stream_id = g.stream), 0) AS actual
                  FROM unnest(g_app, g_stream, g_version) WITH ORDINALITY g(app, stream, version, place)) g
            WHERE g.actual <> g.version
            ORDER BY g.app, g.place
        ), held AS MATERIALIZED (
            SELECT DISTINCT ON (c.app) c.app, c.scope, c.holder
            FROM (SELECT c.app, c.stream, c.scope, c.place,
                    (SELECT k.stream_id FROM es.claim k WHERE k.desk = c.desk AND k.scope = c.scope AND k.key = c.key) AS holder
                  FROM unnest(c_app, c_stream, c_release, c_desk, c_scope, c_key)
                      WITH ORDINALITY c(app, stream, release, desk, scope, key, place)
                  WHERE NOT c.release) c
            WHERE c.holder <> c.stream
            ORDER BY c.app, c.place
        ), judged AS MATERIALIZED (
            SELECT p.*,
                CASE
                    WHEN (p.done).command_id IS NOT NULL THEN
                        CASE WHEN (p.done).stream_id = p.stream AND (p.done).fingerprint = p.fingerprint
                            THEN 'duplicate' ELSE 'reused' END
                    WHEN coalesce((p.now).version, 0) <> p.expected
                        OR coalesce((p.now).hash, genesis) <> p.prev THEN 'conflict'
                    WHEN m.app IS NOT NULL THEN 'moved'
                    WHEN h.app IS NOT NULL THEN 'taken'
                    ELSE 'ok'
                END AS status,
                m.stream AS guard, m.actual, h.holder, h.scope
            FROM probe p LEFT JOIN moved m ON m.app = p.app LEFT JOIN held h ON h.app = p.app
        ), accepted AS MATERIALIZED (
            SELECT j.*, head + (sum(j.count) OVER (ORDER BY j.app))::bigint AS last_pos
            FROM judged j WHERE j.status = 'ok'
        ), written AS (
            INSERT INTO es.event (pos, recorded_at, occurred_at, stream_id, command_id, version, shard, schema_version,
                category, desk, type, prev_hash, hash, meta, data)
            SELECT k.last_pos - k.version + e.version, at, coalesce(e.occurred, k.instant), k.stream, k.command, e.version, p_shard, e.schema,
                k.category, k.desk, e.type, e.prev, e.hash, e.meta, e.data
            FROM unnest(p_events) e(app, version, type, schema, occurred, data, meta, prev, hash)
            JOIN accepted k ON k.app = e.app
        ), stream AS (
            INSERT INTO es.stream AS s (stream_id, version, category, desk, hash)
            SELECT k.stream, k.version, k.category, k.desk, k.hash FROM accepted k
            ON CONFLICT (stream_id) DO UPDATE SET version = excluded.version, hash = excluded.hash
        ), command AS (
            INSERT INTO es.command (command_id, stream_id, version, first_pos, last_pos, fingerprint)
            SELECT k.command, k.stream, k.version, k.last_pos - k.count + 1, k.last_pos, k.fingerprint FROM accepted k
        ), released AS (
            DELETE FROM es.claim WHERE ctid = ANY (ARRAY(
                SELECT (SELECT k.ctid FROM es.claim k
                        WHERE k.desk = c.desk AND k.scope = c.scope AND k.key = c.key AND k.stream_id = a.stream)
                FROM unnest(c_app, c_release, c_desk, c_scope, c_key) c(app, release, desk, scope, key)
                JOIN accepted a ON a.app = c.app
                WHERE c.release
            ))
        ), claimed AS (
            INSERT INTO es.claim (desk, scope, key, stream_id)
            SELECT c.desk, c.scope, c.key, a.stream
            FROM unnest(c_app, c_release, c_desk, c_scope, c_key) c(app, release, desk, scope, key)
            JOIN accepted a ON a.app = c.app
            WHERE NOT c.release
            ON CONFLICT DO NOTHING          -- the stream holds it already
        )
        SELECT j.app, CASE j.status WHEN 'moved' THEN 'conflict' ELSE j.status END,
            CASE j.status
                WHEN 'ok' THEN j.version
                WHEN 'moved' THEN j.actual
                WHEN 'conflict' THEN coalesce((j.now).version, 0)
                ELSE (j.done).version
            END,
            coalesce(k.last_pos - k.count + 1, (j.done).first_pos), coalesce(k.last_pos, (j.done).last_pos),
            CASE j.status
                WHEN 'ok' THEN j.hash
                WHEN 'duplicate' THEN (SELECT e.hash FROM es.event e
                                       WHERE e.stream_id = j.stream AND e.version = (j.done).version)
            END,
            CASE j.status WHEN 'moved' THEN j.guard WHEN 'conflict' THEN j.stream WHEN 'taken' THEN j.holder END,
            CASE j.status WHEN 'taken' THEN j.scope END
        FROM judged j LEFT JOIN accepted k ON k.app = j.app;

        SELECT e.pos INTO head FROM es.event e WHERE e.shard = p_shard ORDER BY e.pos DESC LIMIT 1;
        head := coalesce(head, 0);
    END LOOP;
    IF head > before THEN
        PERFORM pg_notify('es_event', head::text);
    END IF;
END $$;
REVOKE ALL ON FUNCTION es.append FROM PUBLIC;
