CREATE SCHEMA routing;

-- A case as routing sees it: no fact's value, no name of a complainant.
CREATE TABLE routing.case_file (
    complaint uuid PRIMARY KEY,
    desk text NOT NULL,
    open boolean NOT NULL,                  -- not closed
    body jsonb NOT NULL,
    look_at timestamptz                     -- when to look at it again although nothing has happened
) WITH (fillfactor = 70);
CREATE INDEX case_file_look_at ON routing.case_file (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX case_file_open ON routing.case_file (desk, complaint) WHERE open;

-- Who acts in which role of a case; nobody where the case waits in the fallback queue.
CREATE TABLE routing.assignment (
    complaint uuid NOT NULL,
    role text NOT NULL,
    desk text NOT NULL,
    person text,
    owes boolean NOT NULL,                  -- the role owes something now
    PRIMARY KEY (complaint, role)
);
CREATE INDEX assignment_person ON routing.assignment (desk, person, complaint);

-- For each person the number of rows of routing.assignment that owe something, kept in the same transactions.
CREATE TABLE routing.load (
    desk text NOT NULL,
    person text NOT NULL,
    open int NOT NULL,
    named_at timestamptz,
    PRIMARY KEY (desk, person)
) WITH (fillfactor = 50);

-- Cases to look at again because the desk has changed; worked off in portions, `after` is how far that has come.
CREATE TABLE routing.review (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    desk text NOT NULL,
    whom text NOT NULL CHECK (whom IN ('person', 'lacking', 'everybody', 'matters')),
    person text,
    after uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'
);

-- What counting knows of a complaint; `shared` are the facts by which matters are told apart, `sent` the counts it was sent.
CREATE TABLE routing.counted (
    complaint uuid PRIMARY KEY,
    desk text NOT NULL,
    desk_version int NOT NULL,              -- of the procedure that it goes by
    received_at timestamptz NOT NULL,
    complainant text,                       -- a pseudonym
    closed_at timestamptz,
    first_closed_at timestamptz,
    shared jsonb NOT NULL,
    sent jsonb NOT NULL,
    heard jsonb NOT NULL                    -- the counts that it has, by its own events
) WITH (fillfactor = 80);
CREATE TABLE routing.matter (
    desk text NOT NULL,
    fact text NOT NULL,
    value text NOT NULL,                    -- JSON; a keyed digest where the fact is personal
    complaint uuid NOT NULL,
    PRIMARY KEY (desk, fact, value, complaint)
);

-- Commands that were decided and, as far as anybody knows, not yet handed to Kafka.
CREATE TABLE routing.outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    record bytea NOT NULL,
    put_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
