-- SPDX-License-Identifier: MIT
--
-- The trail, first version. One row per event; the id alone makes an insert
-- idempotent. Times are microseconds since 1970 in UTC: SQLite has no type
-- for them, and drivers write texts that do not all sort.
CREATE TABLE lock_audit (
    id             text    PRIMARY KEY NOT NULL,
    occurred_at    integer NOT NULL,
    recorded_at    integer NOT NULL,
    type           text    NOT NULL,
    outcome        text    NOT NULL,
    reason         text    NOT NULL,
    actor_type     text    NOT NULL,
    actor_id       text    NOT NULL,
    actor_name     text    NOT NULL,
    resource_type  text    NOT NULL,
    resource_id    text    NOT NULL,
    resource_name  text    NOT NULL,
    tenant         text    NOT NULL,
    session_id     text    NOT NULL,
    correlation_id text    NOT NULL,
    trace_id       text    NOT NULL,
    details        text
);

-- One index per question: what happened to this lock, where did this happen,
-- what did this person do, and what happened then (which Purge asks, too).
CREATE INDEX lock_audit_resource ON lock_audit (resource_id, occurred_at, id);
CREATE INDEX lock_audit_type ON lock_audit (type, occurred_at, id);
CREATE INDEX lock_audit_actor ON lock_audit (actor_id, occurred_at, id) WHERE actor_id <> '';
CREATE INDEX lock_audit_time ON lock_audit (occurred_at, id);
