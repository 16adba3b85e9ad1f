-- Signing in by phone, second factors, passkeys.
SELECT 1;
