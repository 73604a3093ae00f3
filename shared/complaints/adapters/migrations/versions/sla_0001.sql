CREATE SCHEMA sla;

-- What is to be fired, and when. What is paused is not here.
CREATE TABLE sla.timer (
    stream uuid NOT NULL,                   -- the complaint, or the desk's duties
    kind text NOT NULL CHECK (kind IN ('clock', 'warning', 'step', 'opening', 'duty', 'audit')),
    name text NOT NULL,                     -- the clock, the step, or the duty and its period
    due_at timestamptz NOT NULL,
    desk text NOT NULL,
    generation int NOT NULL,                -- the version of the stream that armed it
    fire_at timestamptz NOT NULL,           -- its due instant; once it is claimed, when the claim ends
    claims int NOT NULL DEFAULT 0,
    ends_at timestamptz,                    -- of an opening: when the period is due
    imported boolean NOT NULL DEFAULT false,
    PRIMARY KEY (stream, kind, name, due_at)
) WITH (fillfactor = 80);
CREATE INDEX timer_fire_at ON sla.timer (fire_at);

-- The cases of each desk, for rounds and for a new calendar.
CREATE TABLE sla.case_file (
    complaint uuid PRIMARY KEY,
    desk text NOT NULL,
    kind text NOT NULL,
    calendar text NOT NULL,                 -- the version that it counts in
    open boolean NOT NULL DEFAULT true,
    asked text NOT NULL,                    -- the version that it was last asked to count in
    asked_at timestamptz
) WITH (fillfactor = 80);
CREATE INDEX case_file_open ON sla.case_file (desk, complaint) WHERE open;

-- How far the periods of each desk's duties have been worked out.
CREATE TABLE sla.desk (
    desk text PRIMARY KEY,
    calendar text NOT NULL DEFAULT '',      -- the version in force
    planned_until timestamptz,              -- null before the desk has a procedure and a calendar
    changed_at timestamptz,                 -- what the periods depend on has changed then and is not worked out yet
    sweep_at timestamptz                    -- when to look for open cases that count in another version
);

-- Periods that have been opened; nothing opens twice.
CREATE TABLE sla.period (
    desk text NOT NULL,
    name text NOT NULL,
    PRIMARY KEY (desk, name)
);

-- Rounds: the step opens in every open case of the desk, in portions; `after` is how far that has come.
CREATE TABLE sla.round (
    desk text NOT NULL,
    owe text NOT NULL,
    period text NOT NULL,
    step text NOT NULL,
    kind text NOT NULL,                     -- of the cases that have the step
    opens_at timestamptz NOT NULL,
    due_at timestamptz,
    after uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    done boolean NOT NULL DEFAULT false,
    PRIMARY KEY (desk, owe, period)
);
CREATE INDEX round_opens_at ON sla.round (opens_at) WHERE NOT done;

-- The auditor's own view, read from the log and not from the topic: instants at which something of a stream may fall due.
CREATE TABLE sla.audit_place (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    position bigint NOT NULL
);
INSERT INTO sla.audit_place (position) VALUES (0);
CREATE TABLE sla.audit (
    stream uuid NOT NULL,
    due_at timestamptz NOT NULL,
    category text NOT NULL,
    desk text NOT NULL,
    check_at timestamptz NOT NULL,
    version int NOT NULL DEFAULT 0,         -- of the stream when it was looked at last
    unfired boolean NOT NULL DEFAULT false,
    PRIMARY KEY (stream, due_at)
) WITH (fillfactor = 80);
CREATE INDEX audit_check_at ON sla.audit (check_at);
CREATE INDEX audit_unfired ON sla.audit (due_at) WHERE unfired;
