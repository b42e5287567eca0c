-- +goose Up
-- SPDX-License-Identifier: MIT
CREATE TABLE lock_audit (
    id                uuid NOT NULL PRIMARY KEY,
    occurred_at       timestamptz(6) NOT NULL,
    recorded_at       timestamptz(6) NOT NULL,
    type              text NOT NULL,
    outcome           text NOT NULL,
    reason            text NOT NULL,
    actor_type        text NOT NULL,
    actor_id          text NOT NULL,
    actor_name        text NOT NULL,
    resource_type     text NOT NULL,
    resource_id       text NOT NULL,
    resource_name     text NOT NULL,
    on_behalf_of_type text NOT NULL,
    on_behalf_of_id   text NOT NULL,
    on_behalf_of_name text NOT NULL,
    tenant            text NOT NULL,
    session_id        text NOT NULL,
    correlation_id    text NOT NULL,
    trace_id          text NOT NULL,
    source_address    text NOT NULL,
    user_agent        text NOT NULL,
    stream            uuid,
    seq               bigint,
    details           json
);

CREATE INDEX lock_audit_time ON lock_audit (occurred_at, id);

CREATE INDEX lock_audit_actor ON lock_audit (actor_id, occurred_at, id) WHERE actor_id <> '';

CREATE INDEX lock_audit_resource ON lock_audit (resource_id, occurred_at, id) WHERE resource_id <> '';

CREATE INDEX lock_audit_tenant ON lock_audit (tenant, occurred_at, id) WHERE tenant <> '';

CREATE UNIQUE INDEX lock_audit_stream ON lock_audit (stream, seq);

CREATE INDEX lock_audit_recorded ON lock_audit (recorded_at, id);
