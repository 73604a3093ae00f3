-- One key for each data subject, wrapped by the deployment's master key. To destroy it is to erase the subject.
CREATE TABLE es.subject_key (
    subject uuid PRIMARY KEY,
    desk text NOT NULL,
    generation int NOT NULL DEFAULT 1,      -- grows when a subject comes again after an erasure; older values stay shut
    key bytea,                              -- null once destroyed
    created_at timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz,
    erasing uuid,                           -- the command that is about to destroy it
    erasing_since timestamptz
);
CREATE INDEX subject_key_erasing ON es.subject_key (subject) WHERE erasing IS NOT NULL;

-- Where a subject's values lie: an erasure looks at all of it.
CREATE TABLE es.subject_stream (
    subject uuid NOT NULL,
    stream_id uuid NOT NULL,
    linked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (subject, stream_id)
);
CREATE INDEX subject_stream_stream ON es.subject_stream (stream_id);
