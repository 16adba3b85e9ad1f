-- Integrations: what is published to brokers, external ids, fields.
SELECT 1;
