-- Signing in by phone, second factors, passkeys.
-- All of it belongs to logins, which belong to no workspace: the plain role sees nothing of it.

-- A code by SMS that was asked for. The code is not here, hashed or not: it follows from the id by the
-- installation's key (ADR 0017). One for each number, purpose and login; a new one takes the place of the old.
CREATE TABLE phone_code (
    id uuid PRIMARY KEY,
    phone text NOT NULL,
    purpose text NOT NULL,
    -- the login that asked, where somebody signed in asks
    login_id uuid REFERENCES login (id),
    digits smallint NOT NULL,
    tries smallint NOT NULL DEFAULT 0,
    locale text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    UNIQUE NULLS NOT DISTINCT (phone, purpose, login_id)
);
CREATE INDEX phone_code_expiry ON phone_code (expires_at);

-- Whether a passkey is asked for after the password or the code by SMS.
ALTER TABLE login ADD COLUMN needs_passkey boolean NOT NULL DEFAULT false;

-- Codes of an authenticator app. The secret is sealed with the login's id; a step once used is used for ever.
CREATE TABLE totp (
    login_id uuid PRIMARY KEY REFERENCES login (id),
    secret bytea NOT NULL,
    last_step bigint NOT NULL DEFAULT 0,
    confirmed_at timestamptz,
    created_at timestamptz NOT NULL
);

CREATE TABLE recovery_code (
    login_id uuid NOT NULL REFERENCES login (id),
    hash bytea NOT NULL,
    created_at timestamptz NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (login_id, hash)
);

CREATE TABLE passkey (
    id uuid PRIMARY KEY,
    login_id uuid NOT NULL REFERENCES login (id),
    credential_id bytea NOT NULL UNIQUE,
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL,
    transports text[] NOT NULL DEFAULT '{}',
    name text NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz
);
CREATE INDEX passkey_login ON passkey (login_id);

-- What stands between two requests of one sign-in: the first factor was right and the second is awaited, or a
-- passkey has been asked to sign. Found by the hash of a random token, used once, gone after minutes.
CREATE TABLE sign_in_challenge (
    hash bytea PRIMARY KEY,
    purpose text NOT NULL,
    login_id uuid REFERENCES login (id),
    workspace_id uuid,
    actor_id uuid,
    -- what the passkey has to sign
    nonce bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    FOREIGN KEY (workspace_id, actor_id) REFERENCES actor (workspace_id, id)
);
CREATE INDEX sign_in_challenge_expiry ON sign_in_challenge (expires_at);
