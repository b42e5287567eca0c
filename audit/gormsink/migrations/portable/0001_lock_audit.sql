-- +goose Up
-- SPDX-License-Identifier: MIT
--
-- The trail, first version, for databases without a file of their own. One
-- row per event; the id alone makes an insert idempotent. Times are
-- microseconds since 1970 in UTC.
CREATE TABLE lock_audit (
    id             char(36)      NOT NULL PRIMARY KEY,
    occurred_at    bigint        NOT NULL,
    recorded_at    bigint        NOT NULL,
    type           varchar(128)  NOT NULL,
    outcome        varchar(16)   NOT NULL,
    reason         varchar(1024) NOT NULL,
    actor_type     varchar(1024) NOT NULL,
    actor_id       varchar(1024) NOT NULL,
    actor_name     varchar(1024) NOT NULL,
    resource_type  varchar(1024) NOT NULL,
    resource_id    varchar(1024) NOT NULL,
    resource_name  varchar(1024) NOT NULL,
    tenant         varchar(1024) NOT NULL,
    session_id     varchar(1024) NOT NULL,
    correlation_id varchar(1024) NOT NULL,
    trace_id       varchar(1024) NOT NULL,
    details        text
);

-- One index per question: what happened to this lock, where did this happen,
-- what did this person do, and what happened then (which Purge asks, too).
CREATE INDEX lock_audit_resource ON lock_audit (resource_id, occurred_at, id);
CREATE INDEX lock_audit_type ON lock_audit (type, occurred_at, id);
CREATE INDEX lock_audit_actor ON lock_audit (actor_id, occurred_at, id);
CREATE INDEX lock_audit_time ON lock_audit (occurred_at, id);
