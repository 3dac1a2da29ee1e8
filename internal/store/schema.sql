-- Version 1 of the schema. A row that names another one is held by a foreign key, so that the
-- database itself refuses an instance without its deployment and a deployment without its endpoint.

CREATE TABLE revision (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    value INTEGER NOT NULL
) STRICT;
INSERT INTO revision (one, value) VALUES (1, 0);

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE principals (
    client_id   TEXT PRIMARY KEY,
    secret_hash BLOB NOT NULL,
    tenant_id   TEXT NOT NULL,
    object_id   TEXT NOT NULL,
    name        TEXT NOT NULL,
    roles       TEXT NOT NULL -- a JSON array
) STRICT;

CREATE TABLE endpoints (
    name     TEXT PRIMARY KEY,
    document TEXT NOT NULL,    -- the desired online.Endpoint
    state    TEXT NOT NULL,
    keys     BLOB NOT NULL,    -- sealed
    fence    INTEGER NOT NULL, -- the largest seen
    revision INTEGER NOT NULL  -- of its last desired state
) STRICT;

CREATE TABLE deployments (
    endpoint    TEXT NOT NULL REFERENCES endpoints (name),
    name        TEXT NOT NULL,
    incarnation TEXT NOT NULL UNIQUE,
    desired     TEXT NOT NULL, -- the Version asked for
    served      TEXT,          -- the Version that served last; NULL until one did
    state       TEXT NOT NULL,
    warning     TEXT NOT NULL,
    revision    INTEGER NOT NULL,
    PRIMARY KEY (endpoint, name)
) STRICT;

CREATE TABLE instances (
    id         TEXT PRIMARY KEY,
    endpoint   TEXT NOT NULL,
    deployment TEXT NOT NULL,
    launch     TEXT NOT NULL,    -- hash of what its processes were started with
    pid        INTEGER NOT NULL, -- of its guard; 0 until that runs
    start_time INTEGER NOT NULL, -- of its guard, field 22 of /proc/PID/stat
    kept       INTEGER NOT NULL, -- 1: it failed and is kept for its log
    FOREIGN KEY (endpoint, deployment) REFERENCES deployments (endpoint, name)
) STRICT;
CREATE INDEX instances_of ON instances (endpoint, deployment);

CREATE TABLE operations (
    id            TEXT PRIMARY KEY,
    endpoint      TEXT NOT NULL,
    deployment    TEXT NOT NULL, -- '' for an operation on the endpoint
    deletes       INTEGER NOT NULL,
    status        TEXT NOT NULL,
    error_code    TEXT NOT NULL,
    error_message TEXT NOT NULL,
    started_at    INTEGER NOT NULL, -- Unix nanoseconds
    ended_at      INTEGER NOT NULL  -- 0 while it goes on
) STRICT;
CREATE INDEX operations_of ON operations (endpoint, status);

CREATE TABLE assets (
    kind     TEXT NOT NULL,
    name     TEXT NOT NULL COLLATE NOCASE,
    version  TEXT NOT NULL COLLATE NOCASE,
    document BLOB NOT NULL,
    PRIMARY KEY (kind, name, version)
) STRICT;

CREATE TABLE containers (
    kind     TEXT NOT NULL,
    name     TEXT NOT NULL COLLATE NOCASE,
    document BLOB NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT;

CREATE TABLE datastores (
    name     TEXT PRIMARY KEY COLLATE NOCASE,
    document BLOB NOT NULL
) STRICT;
