CREATE SCHEMA notifier;

-- A message: whom and what about, never an address and nothing personal.
CREATE TABLE notifier.delivery (
    key uuid PRIMARY KEY,                   -- of case, clock or step, deadline, recipient and channel
    kind text NOT NULL,
    desk text NOT NULL,
    complaint text NOT NULL,
    stream uuid NOT NULL,
    version int NOT NULL,                   -- the event that called for it
    step text,
    clause jsonb NOT NULL,
    recipient text NOT NULL,
    channel text NOT NULL,
    at timestamptz NOT NULL,
    context jsonb NOT NULL,
    correlation_id uuid,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sending', 'sent', 'failed', 'withheld')),
    not_before timestamptz NOT NULL,        -- of one that is being sent: when its sender is given up
    attempts int NOT NULL DEFAULT 0,
    reason text,                            -- why it did not go, or not yet: in words without names and addresses
    code text,                              -- the same as a code
    ended_at timestamptz,
    reported boolean NOT NULL DEFAULT false
) WITH (fillfactor = 70);
CREATE INDEX delivery_due ON notifier.delivery (not_before, key) WHERE state IN ('waiting', 'sending');
CREATE INDEX delivery_unreported ON notifier.delivery (ended_at, key)
    WHERE state IN ('sent', 'failed', 'withheld') AND NOT reported;
CREATE INDEX delivery_case ON notifier.delivery (complaint);
