-- Few write in a broadcast, a hundred thousand may read it (parley.conversations.rights.IS_BROADCASTER).
CREATE INDEX member_broadcasters ON member (conversation_id, actor_id) WHERE role IN ('owner', 'moderator');
