-- The chat application's dialect: the name that came with a request for a code, until the code is checked.
-- Belongs to no workspace yet: the plain role sees nothing of it.
CREATE TABLE chatapp_newcomer (
    phone text PRIMARY KEY,
    name text NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX chatapp_newcomer_expiry ON chatapp_newcomer (expires_at);
