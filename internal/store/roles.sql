-- Version 2 of the schema: principals have roles on the workspace or on one endpoint, and may log in by
-- what another issuer says. Up to version 1 every principal could do everything.

UPDATE principals SET roles = '[{"role":"owner"}]';
ALTER TABLE principals ADD COLUMN federated TEXT NOT NULL DEFAULT '[]';      -- a JSON array of federated credentials
ALTER TABLE principals ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;     -- Unix nanoseconds; 0: before version 2

CREATE TABLE assertions (
    key   TEXT PRIMARY KEY, -- a hash of what was used
    until INTEGER NOT NULL  -- Unix nanoseconds; after that it is worth nothing anyway
) STRICT;
CREATE INDEX assertions_until ON assertions (until);
