/**
 * The stand-in server: `node mock/server.mjs [--empty] [--setup] [--port 8000]`. Development only, never bundled.
 * A password of any kind signs in anna@example.com; "wrong" is refused; two@example.com has two workspaces.
 */
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";
import { picture, seed } from "./seed.mjs";
import { FEATURES, iso, newId } from "./world.mjs";

const args = process.argv.slice(2);
const port = Number(args[args.indexOf("--port") + 1] || 8000) || 8000;
const { world, anna, max } = seed({ isEmpty: args.includes("--empty") });
const dist = fileURLToPath(new URL("../dist", import.meta.url));
const POLICY =
  "default-src 'self'; img-src 'self' blob: data:; connect-src 'self' ws: wss:; media-src 'self' blob:";
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".json": "application/json",
};

let isSignedIn = !args.includes("--signed-out");
let isDown = false;
const failing = { send: 0 };
const keysMade = [{ id: "key_1", name: "Учёт", hint: "pk_…f3a9", scopes: ["desk"], created_at: iso(-9000) }];
let journal = [
  {
    id: "itm_1",
    inbox_id: world.inboxes[0]?.id ?? "",
    received_at: iso(-220),
    error: "UnknownUpdate: story_reply is not known to this version",
    attempts: 3,
  },
  {
    id: "itm_2",
    inbox_id: world.inboxes[1]?.id ?? "",
    received_at: iso(-90),
    error: "MediaTooLarge: 64 MB over the limit of 50 MB",
    attempts: 1,
  },
];
const members = new Map(world.inboxes.map((inbox) => [inbox.id, new Set([max.id])]));

const named = (users, words = "") =>
  users.filter((one) => one.name.toLowerCase().includes(words.toLowerCase()));
const toActor = ({ id, kind, name, role }) => ({ id, kind, name, role });
const me = () => ({
  workspace: { id: "ws_1", name: "Дуб и клён" },
  actor: toActor(anna),
  login: { email: anna.email, phone: null },
  session_id: "ses_1",
  scopes: [],
});
const signedIn = () => {
  isSignedIn = true;
  return { access_token: `token-${Date.now()}`, expires_in_seconds: 900, me: me() };
};

class Refusal extends Error {
  constructor(status, code, message = code, fields = {}) {
    super(message);
    Object.assign(this, { status, code, fields });
  }
}

const rowOf = (id) => world.conversations.get(id) ?? refuse(404, "not_found");
function refuse(...about) {
  throw new Refusal(...about);
}
const messageOf = (row, id) => row.messages.find((m) => m.id === id) ?? refuse(404, "not_found");

function deliver(row, message) {
  setTimeout(() => world.setStatus(row, message, "sending"), 350);
  setTimeout(() => {
    if (/fail/i.test(message.text))
      world.setStatus(row, message, "failed", { code: "400", text: "Bad Request: chat not found" });
    else if (/unknown/i.test(message.text)) world.setStatus(row, message, "unknown");
    else world.setStatus(row, message, "sent");
  }, 900);
}

const routes = [
  ["POST", "/v1/setup/check", ({ body }) => (body.token === "good" ? undefined : refuse(410, "link_used"))],
  [
    "POST",
    "/v1/setup",
    ({ body }) =>
      body.email === "taken@example.com"
        ? refuse(422, "malformed", "malformed", { email: "This address is taken." })
        : signedIn(),
  ],
  [
    "POST",
    "/v1/auth/sign-in",
    ({ body }) => {
      if (body.password === "wrong") refuse(401, "wrong_credentials");
      if (body.email === "two@example.com" && !body.workspace_id)
        refuse(409, "choose_workspace", "", {
          workspaces: [
            { id: "ws_1", name: "Дуб и клён" },
            { id: "ws_2", name: "Northwind Traders" },
          ],
        });
      return signedIn();
    },
  ],
  ["POST", "/v1/auth/refresh", () => (isSignedIn ? signedIn() : refuse(401, "unauthenticated"))],
  [
    "POST",
    "/v1/auth/sign-out",
    () => {
      isSignedIn = false;
    },
  ],
  [
    "POST",
    "/v1/invitations/check",
    ({ body }) =>
      body.token === "good"
        ? { workspace_name: "Дуб и клён", name: "Олег", email: "oleg@example.com" }
        : refuse(410, "link_used"),
  ],
  ["POST", "/v1/invitations/accept", signedIn],
  ["GET", "/v1/me", me],
  [
    "PATCH",
    "/v1/me",
    ({ body }) => {
      if (body.name) anna.name = body.name;
      return me();
    },
  ],
  [
    "POST",
    "/v1/me/password",
    ({ body }) => (body.current_password === "wrong" ? refuse(401, "wrong_credentials") : undefined),
  ],
  ["PATCH", "/v1/workspace", ({ body }) => ({ id: "ws_1", name: body.name })],
  [
    "GET",
    "/v1/sessions",
    () => ({
      items: [
        {
          id: "ses_1",
          user_agent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0 Safari/537.36",
          address: "192.0.2.10",
          created_at: iso(-4000),
          last_used_at: iso(-1),
          is_current: true,
        },
        {
          id: "ses_2",
          user_agent:
            "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) Version/19.1 Mobile Safari/604.1",
          address: "192.0.2.77",
          created_at: iso(-9000),
          last_used_at: iso(-800),
          is_current: false,
        },
      ],
    }),
  ],
  ["DELETE", "/v1/sessions/:id", () => undefined],
  ["GET", "/v1/users", ({ query }) => ({ items: named(world.users, query.query), next: null })],
  ["GET", "/v1/people", ({ query }) => ({ items: named(world.users, query.query).map(toActor), next: null })],
  [
    "POST",
    "/v1/users",
    ({ body }) => ({
      user: world.addUser(body.name, body.role, body.email),
      invite_url: `http://127.0.0.1:${port}/invite#token=good`,
    }),
  ],
  [
    "PATCH",
    "/v1/users/:id",
    ({ id, body }) => {
      const user = world.users.find((u) => u.id === id);
      if ("is_deactivated" in body) user.deactivated_at = body.is_deactivated ? iso(0) : null;
      if (body.role) user.role = body.role;
      return user;
    },
  ],
  ["POST", "/v1/users/:id/invitation", () => ({ invite_url: `http://127.0.0.1:${port}/invite#token=good` })],
  ["GET", "/v1/api-keys", () => ({ items: keysMade })],
  [
    "POST",
    "/v1/api-keys",
    ({ body }) => {
      const key = { id: newId("key"), hint: "pk_…9c1e", created_at: iso(0), ...body };
      keysMade.push(key);
      return { ...key, key: "pk_4nQ8Zx1vT0aRk7LmW2yJ5sB9cD3eF6gH" };
    },
  ],
  [
    "DELETE",
    "/v1/api-keys/:id",
    ({ id }) => {
      keysMade.splice(
        keysMade.findIndex((k) => k.id === id),
        1,
      );
    },
  ],
  [
    "GET",
    "/v1/audit",
    () => ({
      items: [
        {
          id: "1",
          at: iso(-30),
          actor: toActor(anna),
          action: "inbox.connected",
          target: world.inboxes[0]?.id ?? "",
          about: null,
          before: null,
          after: { channel: "telegram" },
          address: "192.0.2.10",
          by_id: null,
        },
        {
          id: "2",
          at: iso(-5000),
          actor: toActor(anna),
          action: "user.invited",
          target: max.id,
          about: toActor(max),
          before: null,
          after: { name: max.name, email: max.email, role: max.role },
          address: "192.0.2.10",
          by_id: null,
        },
      ],
      next: null,
    }),
  ],
  ["GET", "/v1/channels", () => ({ items: [{ name: "telegram", features: FEATURES }], sandbox: true })],
  ["GET", "/v1/inboxes", () => ({ items: world.inboxes })],
  [
    "POST",
    "/v1/inboxes",
    ({ body }) =>
      body.secrets.token.includes(":")
        ? connect(body.name || "Новый бот", "@new_bot")
        : refuse(422, "malformed", "The token is not accepted.", {
            token: "Telegram does not know this token.",
          }),
  ],
  [
    "POST",
    "/v1/sandbox/inboxes",
    () => connect("Песочница", "@sandbox_bot", { is_sandbox: true, phone_url: "/sandbox/phone/1" }),
  ],
  [
    "PATCH",
    "/v1/inboxes/:id",
    ({ id, body }) =>
      Object.assign(
        world.inboxes.find((i) => i.id === id),
        body,
      ),
  ],
  [
    "DELETE",
    "/v1/inboxes/:id",
    ({ id }) =>
      Object.assign(
        world.inboxes.find((i) => i.id === id),
        { state: "disconnected" },
      ),
  ],
  [
    "POST",
    "/v1/inboxes/:id/reconnect",
    ({ id }) =>
      Object.assign(
        world.inboxes.find((i) => i.id === id),
        { state: "connected", state_reason: null },
      ),
  ],
  [
    "GET",
    "/v1/inboxes/:id/members",
    ({ id }) => ({
      items: [...(members.get(id) ?? [])].map((a) => toActor(world.users.find((u) => u.id === a))),
    }),
  ],
  [
    "PUT",
    "/v1/inboxes/:id/members/:other",
    ({ id, other }) => {
      members.get(id)?.add(other);
    },
  ],
  [
    "DELETE",
    "/v1/inboxes/:id/members/:other",
    ({ id, other }) => {
      members.get(id)?.delete(other);
    },
  ],
  ["GET", "/v1/desk/conversations", ({ query }) => world.list(anna.id, query)],
  ["GET", "/v1/desk/conversations/changes", ({ query }) => world.changes(anna.id, query.since)],
  ["GET", "/v1/desk/counts", () => world.counts(anna.id)],
  ["GET", "/v1/desk/conversations/:id", ({ id }) => world.conversation(rowOf(id), anna.id)],
  [
    "PATCH",
    "/v1/desk/conversations/:id",
    ({ id, body }) => {
      const row = rowOf(id);
      const user = body.assignee_id && world.users.find((u) => u.id === body.assignee_id);
      world.change(
        row,
        {
          status: body.status,
          snoozed_until: body.snoozed_until,
          assignee: "assignee_id" in body ? (user ? toActor(user) : null) : undefined,
        },
        anna.id,
      );
      return world.conversation(row, anna.id);
    },
  ],
  ["GET", "/v1/contacts/:id", ({ id }) => contact(id)],
  [
    "PATCH",
    "/v1/contacts/:id",
    ({ id, body }) => {
      const { name, ...rest } = body;
      Object.assign(world.contacts.get(id), rest);
      for (const row of world.conversations.values())
        if (row.contact.id === id && name) world.rename(row, name, anna.id);
      return contact(id);
    },
  ],
  ["GET", "/v1/desk/journal", () => ({ items: journal, next: null })],
  [
    "POST",
    "/v1/desk/journal/:id/replay",
    ({ id }) => {
      journal = journal.filter((i) => i.id !== id);
    },
  ],
  [
    "GET",
    "/v1/conversations/:id/messages",
    ({ id, query }) =>
      world.page(
        rowOf(id),
        anna.id,
        Object.fromEntries(Object.entries(query).map(([k, v]) => [k, Number(v)])),
      ),
  ],
  [
    "POST",
    "/v1/conversations/:id/messages",
    ({ id, body }) => {
      const row = rowOf(id);
      if (failing.send-- > 0) refuse(503, "unavailable");
      if (/refuse/i.test(body.text ?? "")) refuse(422, "malformed", "The text was refused.");
      const target = body.reply_to && messageOf(row, body.reply_to);
      const message = world.post(row, anna, {
        ...body,
        kind: body.kind ?? "text",
        attachments: (body.media_ids ?? []).map((m) => world.media.get(m).attachment),
        reply_to: target
          ? { id: target.id, sender_name: target.sender.name, text: target.text.slice(0, 100), quote: null }
          : null,
      });
      if (message.kind === "text") deliver(row, message);
      if (/\?$/.test(message.text))
        setTimeout(() => world.post(row, row.contact, { text: "Да, конечно!" }), 2500);
      return message;
    },
  ],
  [
    "PATCH",
    "/v1/conversations/:id/messages/:other",
    ({ id, other, body }) => {
      const row = rowOf(id);
      const m = messageOf(row, other);
      world.edit(row, m, body.text, anna.id);
      const { versions, ...plain } = m;
      return plain;
    },
  ],
  [
    "DELETE",
    "/v1/conversations/:id/messages/:other",
    ({ id, other }) => {
      const row = rowOf(id);
      const m = messageOf(row, other);
      world.remove(row, m, anna.id);
      return m;
    },
  ],
  [
    "GET",
    "/v1/conversations/:id/messages/:other/versions",
    ({ id, other }) => ({ items: messageOf(rowOf(id), other).versions ?? [] }),
  ],
  [
    "POST",
    "/v1/conversations/:id/messages/:other/delivery",
    ({ id, other, body }) => {
      const row = rowOf(id);
      const m = messageOf(row, other);
      if (body.action === "mark_sent") world.setStatus(row, m, "sent");
      else {
        world.setStatus(row, m, "queued");
        deliver(row, m);
      }
      return m;
    },
  ],
  ["PUT", "/v1/conversations/:id/read", ({ id, body }) => world.moveRead(rowOf(id), anna.id, body.number)],
  // Switches for trying things out.
  [
    "POST",
    "/mock/say",
    ({ body }) => world.post(rowOf(body.id), rowOf(body.id).contact, { text: body.text }),
  ],
  ["POST", "/mock/note", ({ body }) => world.post(rowOf(body.id), max, { text: body.text, kind: "note" })],
  [
    "POST",
    "/mock/typing",
    ({ body }) =>
      world.publish({ type: "signal", stream: body.id, kind: "typing.started", actor_id: max.id, data: {} }),
  ],
  [
    "POST",
    "/mock/fail-sends",
    ({ body }) => {
      failing.send = body.count;
    },
  ],
  [
    "POST",
    "/mock/down",
    ({ body }) => {
      isDown = body.is_down;
      for (const s of sockets) s.terminate();
    },
  ],
];

function connect(name, address, extra) {
  const inbox = world.addInbox(name, address, { created_at: iso(0), ...extra });
  members.set(inbox.id, new Set());
  return inbox;
}

function contact(id) {
  const found = world.contacts.get(id) ?? refuse(404, "not_found");
  const conversations = [...world.conversations.values()]
    .filter((r) => r.contact.id === id)
    .map(({ id: c, inbox_id, status, active_at }) => ({ id: c, inbox_id, status, active_at }));
  return { ...found, conversations };
}

function match(method, path) {
  for (const [m, pattern, run] of routes) {
    if (m !== method) continue;
    const found = path.match(new RegExp(`^${pattern.replace(/:(\w+)/g, "(?<$1>[^/]+)")}$`));
    if (found) return { run, params: found.groups ?? {} };
  }
  return null;
}

async function answer(request, response) {
  const url = new URL(request.url, "http://localhost");
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const raw = Buffer.concat(chunks);
  const path = url.pathname;
  if (isDown && path.startsWith("/v1")) return request.socket.destroy();
  const media = path.match(/^\/v1\/media\/(\w+)\/(thumbnail|content)$/);
  if (media) return sendMedia(response, world.media.get(media[1]));
  if (path === "/v1/media" && request.method === "POST")
    return json(response, 201, upload(url.searchParams.get("name"), request.headers["content-type"], raw));
  const found = match(request.method, path);
  if (!found)
    return path.startsWith("/v1")
      ? json(response, 404, { error: { code: "not_found", message: path, fields: {} } })
      : sendFile(response, path);
  try {
    const body = raw.length ? JSON.parse(raw.toString()) : {};
    const result = found.run({ ...found.params, body, query: Object.fromEntries(url.searchParams) });
    await new Promise((done) => setTimeout(done, 40));
    if (result === undefined) return response.writeHead(204).end();
    return json(response, 200, result);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return json(response, error.status, {
      error: { code: error.code, message: error.message, fields: error.fields },
    });
  }
}

function upload(name, type, raw) {
  const attachment = picture(world, "#8899aa", "#223344", 1200, 800, name);
  const isImage = /^image\//.test(type);
  Object.assign(attachment, { kind: isImage ? "image" : "file", content_type: type, size_bytes: raw.length });
  if (!isImage) Object.assign(attachment, { thumbnail: null, width: null, height: null });
  world.media.set(attachment.media_id, { type, name, body: raw, attachment });
  return { ...attachment, id: attachment.media_id };
}

function json(response, status, body) {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
}

function sendMedia(response, media) {
  if (!media) return response.writeHead(404).end();
  response
    .writeHead(200, { "Content-Type": media.type, "X-Content-Type-Options": "nosniff" })
    .end(media.body);
}

function sendFile(response, path) {
  const wanted = join(dist, normalize(path));
  const file = extname(path) && existsSync(wanted) ? wanted : join(dist, "index.html");
  if (!existsSync(file)) return response.writeHead(404).end("Build first: npm run build");
  response.writeHead(200, {
    "Content-Type": TYPES[extname(file)] ?? "application/octet-stream",
    "Content-Security-Policy": POLICY,
  });
  createReadStream(file).pipe(response);
}

const server = createServer(
  (request, response) =>
    void answer(request, response).catch((error) => {
      console.error(error);
      response.destroy();
    }),
);
const sockets = new Set();
const hub = new WebSocketServer({ server, path: "/v1/ws" });
hub.on("connection", (socket) => {
  if (isDown) return socket.terminate();
  sockets.add(socket);
  const rooms = new Set();
  const send = (frame) => socket.send(JSON.stringify(frame));
  const listen = (frame) => {
    if (frame.type === "touched" ? rooms.has("inboxes") : rooms.has(frame.stream)) send(frame);
  };
  world.listeners.add(listen);
  socket.on("close", () => {
    world.listeners.delete(listen);
    sockets.delete(socket);
  });
  socket.on("message", (text) => {
    const { id, do: verb, ...rest } = JSON.parse(String(text));
    let data = {};
    if (verb === "hello") {
      rooms.add(anna.id);
      data = { actor_id: anna.id, personal: world.personal.get(anna.id) };
    } else if (verb === "watch") {
      const row = world.conversations.get(rest.conversation_id);
      if (!row)
        return send({ type: "answer", id, ok: false, error: { code: "not_found", message: "", fields: {} } });
      rooms.add(row.id);
      if (rest.cursor) for (const event of row.events) if (event.number > rest.cursor.number) send(event);
      data = { head: row.head, is_live: true };
    } else if (verb === "unwatch") rooms.delete(rest.conversation_id);
    else if (verb === "watch_inboxes") rooms.add("inboxes");
    send({ type: "answer", id, ok: true, data });
  });
});
server.listen(port, "127.0.0.1", () => console.log(`mock on http://127.0.0.1:${port}`));
