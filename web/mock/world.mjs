/**
 * A small desk in memory, for working on the interface without a server and for pictures of it.
 * Speaks the contract's REST and realtime shapes; keeps every event, so that snapshots and streams agree.
 */
let serial = 0;
const newId = (prefix) => `${prefix}_${(++serial).toString(36).padStart(6, "0")}`;
const newTag = () => Math.floor(Math.random() * 2 ** 31);

export const FEATURES = {
  text_limit: 4096,
  caption_limit: 1024,
  album_limit: 10,
  upload_limit_bytes: 50_000_000,
  can_edit: true,
  can_delete: true,
  can_reply: true,
  has_receipts: false,
};

export class World {
  constructor() {
    this.users = [];
    this.inboxes = [];
    this.conversations = new Map();
    this.contacts = new Map();
    this.media = new Map();
    this.touches = [];
    this.personal = new Map();
    /** Told of every frame: (stream, frame). */
    this.listeners = new Set();
  }

  publish(frame) {
    for (const listener of this.listeners) listener(frame);
  }

  addUser(name, role, email) {
    const user = {
      id: newId("act"),
      kind: "user",
      name,
      role,
      email,
      phone: null,
      deactivated_at: null,
      has_joined: true,
      created_at: iso(-90 * 1440),
    };
    this.users.push(user);
    this.personal.set(user.id, { number: 0, tag: 0 });
    return user;
  }

  addInbox(name, address, extra = {}) {
    const inbox = {
      id: newId("inb"),
      channel: "telegram",
      name,
      address,
      state: "connected",
      state_reason: null,
      reopen: "reopen",
      reopen_within_hours: null,
      is_sandbox: false,
      phone_url: null,
      features: FEATURES,
      updates: "polling",
      created_at: iso(-60 * 1440),
      ...extra,
    };
    this.inboxes.push(inbox);
    return inbox;
  }

  addConversation(
    inbox,
    name,
    { username = null, status = "open", assignee = null, minutes = -60, isReachable = true } = {},
  ) {
    const contact = {
      id: newId("act"),
      kind: "contact",
      name,
      username,
      address: String(100000 + serial * 7919),
      is_reachable: isReachable,
      email: null,
      phone: null,
      note: "",
      created_at: iso(minutes),
    };
    this.contacts.set(contact.id, contact);
    const row = {
      id: newId("cnv"),
      inbox_id: inbox.id,
      status,
      snoozed_until: null,
      assignee,
      contact,
      active_at: iso(minutes),
      created_at: iso(minutes),
      messages: [],
      events: [],
      head: { number: 0, tag: 0 },
      last_number: 0,
      reads: new Map(),
    };
    this.conversations.set(row.id, row);
    this.touch(row);
    return row;
  }

  readOf(row, actor) {
    let read = row.reads.get(actor);
    if (!read) {
      read = { read_number: 0, own_since: 0 };
      row.reads.set(actor, read);
    }
    return read;
  }

  record(row, kind, data, actorId, at = iso(0)) {
    row.head = { number: row.head.number + 1, tag: newTag() };
    const frame = {
      type: "event",
      stream: row.id,
      ...row.head,
      kind,
      at,
      actor_id: actorId,
      data: structuredClone(data),
    };
    row.events.push(frame);
    this.touch(row);
    this.publish(frame);
    return frame;
  }

  touch(row) {
    this.touches = this.touches.filter((id) => id !== row.id);
    this.touches.push(row.id);
    row.touchedAt = ++serial;
    this.publish({ type: "touched", inbox_id: row.inbox_id, conversation_id: row.id });
  }

  post(
    row,
    sender,
    {
      text = "",
      kind = "text",
      attachments = [],
      reply_to = null,
      client_id = null,
      entities = [],
      at = iso(0),
      status,
    } = {},
  ) {
    if (client_id) {
      const known = row.messages.find((m) => m.client_id === client_id && m.sender.id === sender.id);
      if (known) return known;
    }
    const number = kind === "text" ? ++row.last_number : null;
    const message = {
      id: newId("msg"),
      conversation_id: row.id,
      position: row.head.number + 1,
      number,
      kind,
      sender: { id: sender.id, kind: sender.kind, name: sender.name },
      text,
      entities,
      attachments,
      reply_to,
      client_id,
      version: 1,
      created_at: at,
      edited_at: null,
      deleted_at: null,
      reactions: [],
      status:
        status === undefined
          ? sender.kind === "user" && kind === "text"
            ? { state: "queued", error: null }
            : null
          : status,
      extra: {},
    };
    row.messages.push(message);
    if (kind === "text") {
      row.active_at = at;
      if (sender.kind === "user") {
        const read = this.readOf(row, sender.id);
        if (number - 1 - read.read_number - read.own_since <= 0)
          Object.assign(read, { read_number: number, own_since: 0 });
        else read.own_since += 1;
      }
    }
    this.record(row, "message.created", { message }, sender.id, at);
    return message;
  }

  edit(row, message, text, actorId) {
    message.versions ??= [];
    message.versions.push({
      version: message.version,
      text: message.text,
      entities: message.entities,
      replaced_at: iso(0),
    });
    Object.assign(message, { text, entities: [], version: message.version + 1, edited_at: iso(0) });
    const { versions, ...data } = message;
    this.record(row, "message.updated", { message: data }, actorId);
  }

  remove(row, message, actorId) {
    Object.assign(message, {
      text: "",
      entities: [],
      attachments: [],
      version: message.version + 1,
      deleted_at: iso(0),
    });
    const { versions, ...data } = message;
    this.record(row, "message.deleted", { message: data }, actorId);
  }

  react(row, message, emoji, actorId, isOn) {
    const found = message.reactions.find((r) => r.emoji === emoji);
    if (isOn && found) found.actor_ids.push(actorId);
    if (isOn && !found) message.reactions.push({ emoji, actor_ids: [actorId] });
    if (!isOn && found) found.actor_ids = found.actor_ids.filter((id) => id !== actorId);
    message.reactions = message.reactions.filter((r) => r.actor_ids.length > 0);
    this.record(
      row,
      isOn ? "reaction.added" : "reaction.removed",
      { message_id: message.id, emoji, actor_id: actorId },
      actorId,
    );
  }

  setStatus(row, message, state, error = null) {
    message.status = { state, error };
    this.record(row, "message.status_changed", { message_id: message.id, status: message.status }, null);
  }

  change(row, { status, snoozed_until, assignee }, actorId) {
    if (status) {
      Object.assign(row, { status, snoozed_until: status === "snoozed" ? snoozed_until : null });
      this.record(row, "conversation.status_changed", { status, snoozed_until: row.snoozed_until }, actorId);
    }
    if (assignee !== undefined) {
      row.assignee = assignee;
      this.record(row, "conversation.assigned", { assignee }, actorId);
    }
  }

  rename(row, name, actorId) {
    row.contact.name = name;
    this.record(row, "conversation.renamed", { title: name }, actorId);
  }

  moveRead(row, actorId, number) {
    const read = this.readOf(row, actorId);
    if (number > read.read_number)
      Object.assign(read, { read_number: Math.min(number, row.last_number), own_since: 0 });
    const head = this.personal.get(actorId) ?? { number: 0, tag: 0 };
    const next = { number: head.number + 1, tag: newTag() };
    this.personal.set(actorId, next);
    this.publish({
      type: "event",
      stream: actorId,
      ...next,
      kind: "read.moved",
      at: iso(0),
      actor_id: actorId,
      data: { conversation_id: row.id, ...read },
    });
    return { ...read, unread: row.last_number - read.read_number - read.own_since };
  }

  // ---------------------------------------------------------------- snapshots

  conversation(row, actorId) {
    const read = this.readOf(row, actorId);
    const last = row.messages.at(-1);
    const { id, name, username, address, is_reachable } = row.contact;
    return structuredClone({
      id: row.id,
      inbox_id: row.inbox_id,
      status: row.status,
      snoozed_until: row.snoozed_until,
      assignee: row.assignee,
      contact: { id, name, username, address, is_reachable },
      active_at: row.active_at,
      created_at: row.created_at,
      last_message: last ? snippet(last) : null,
      unread: Math.max(0, row.last_number - read.read_number - read.own_since),
      last_number: row.last_number,
      ...read,
      head: row.head,
    });
  }

  page(row, actorId, { before, after, around, limit = 50 }) {
    const all = row.messages;
    let from = Math.max(0, all.length - limit);
    let to = all.length;
    if (before !== undefined) {
      to = all.filter((m) => m.position < before).length;
      from = Math.max(0, to - limit);
    } else if (after !== undefined) {
      from = all.filter((m) => m.position <= after).length;
      to = Math.min(all.length, from + limit);
    } else if (around !== undefined) {
      const at = all.filter((m) => m.position < around).length;
      from = Math.max(0, at - limit / 2);
      to = Math.min(all.length, from + limit);
    }
    const items = all.slice(from, to).map(({ versions, ...m }) => m);
    return structuredClone({
      items,
      has_before: from > 0,
      has_after: to < all.length,
      head: row.head,
      ...this.readOf(row, actorId),
    });
  }

  list(actorId, { status = "all", inbox_id, assignee, contact_id, query = "", cursor, limit = 50 }) {
    const rows = [...this.conversations.values()]
      .filter((r) => status === "all" || r.status === status)
      .filter((r) => !inbox_id || r.inbox_id === inbox_id)
      .filter((r) => !contact_id || r.contact.id === contact_id)
      .filter((r) => `${r.contact.name} ${r.contact.username}`.toLowerCase().includes(query.toLowerCase()))
      .filter(
        (r) =>
          !assignee ||
          (assignee === "none" ? !r.assignee : r.assignee?.id === (assignee === "me" ? actorId : assignee)),
      )
      .sort((a, b) => (a.active_at < b.active_at ? 1 : -1));
    const from = Number(cursor ?? 0);
    const items = rows.slice(from, from + Number(limit)).map((r) => this.conversation(r, actorId));
    return {
      items,
      next: from + items.length < rows.length ? String(from + items.length) : null,
      token: String(serial),
    };
  }

  changes(actorId, since) {
    const items = [...this.conversations.values()]
      .filter((r) => r.touchedAt > Number(since))
      .map((r) => this.conversation(r, actorId));
    return { items, token: String(serial), reset: false };
  }

  counts(actorId) {
    const zero = () => ({ open: 0, pending: 0, snoozed: 0, resolved: 0 });
    const counts = { ...zero(), mine_by_status: zero(), unassigned_by_status: zero(), inboxes: {} };
    for (const inbox of this.inboxes) counts.inboxes[inbox.id] = zero();
    for (const row of this.conversations.values()) {
      counts[row.status] += 1;
      counts.inboxes[row.inbox_id][row.status] += 1;
      if (row.assignee?.id === actorId) counts.mine_by_status[row.status] += 1;
      if (!row.assignee) counts.unassigned_by_status[row.status] += 1;
    }
    return { ...counts, mine: counts.mine_by_status.open, unassigned: counts.unassigned_by_status.open };
  }
}

export const iso = (minutes) => new Date(Date.now() + minutes * 60_000).toISOString();
export { newId };

function snippet(message) {
  return {
    id: message.id,
    kind: message.kind,
    sender: message.sender,
    text: message.text.slice(0, 200),
    attachment_count: message.attachments.length,
    attachment_kind: message.attachments[0]?.kind ?? null,
    status: message.status,
    created_at: message.created_at,
    is_deleted: message.deleted_at !== null,
  };
}
