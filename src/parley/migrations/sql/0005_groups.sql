-- Groups: invite links, bans, what a member keeps for itself.
SELECT 1;
