// A small front end as the chat application's architecture document describes one. It knows nothing of Parley.
const API = new URLSearchParams(location.search).get("api");
const $ = (id) => document.getElementById(id);

const state = { token: null, user: null, socket: null, dialogs: [], current: null, messages: [], online: new Set() };

async function call(method, path, body) {
  const headers = { "Content-Type": "application/json" };
  if (state.token) headers.Authorization = `Bearer ${state.token}`;
  const answer = await fetch(`${API}/api${path}`, { method, headers, body: body && JSON.stringify(body) });
  const data = await answer.json();
  if (!answer.ok) throw new Error(`${answer.status} ${data.error}`);
  return data;
}

function guard(work) {
  return async (event) => {
    event?.preventDefault();
    try {
      $("error").textContent = "";
      await work(event);
    } catch (error) {
      $("error").textContent = error.message;
    }
  };
}

// ------------------------------------------------------------ signing in

$("ask").onsubmit = guard(async () => {
  await call("POST", "/auth/request-code", { phone: $("phone").value, name: $("name").value || undefined });
  $("ask").hidden = true;
  $("verify").hidden = false;
  $("code").focus();
});

$("verify").onsubmit = guard(async () => {
  const { token, user } = await call("POST", "/auth/verify-code", {
    phone: $("phone").value,
    code: $("code").value,
  });
  sessionStorage.setItem("token", token);
  sessionStorage.setItem("user", JSON.stringify(user));
  $("verify").hidden = true;
  enter(token, user);
});

async function enter(token, user) {
  Object.assign(state, { token, user });
  const me = (await call("GET", "/auth/me")).user;
  $("me").textContent = `${me.name} ${me.phone}`;
  $("chat").hidden = false;
  connect();
  await fetchDialogs();
  await fetchPeople();
}

// ------------------------------------------------------------ real time

function connect() {
  const socket = io(API, { auth: { token: state.token } });
  state.socket = socket;
  socket.on("connect_error", (error) => {
    $("error").textContent = error.message;
  });
  socket.on("chat3:update", (update) => {
    document.body.dataset.updates = `${document.body.dataset.updates ?? ""} ${update.eventType}`;
  });
  socket.on("message:new", onMessage);
  socket.on("message:update", (update) => {
    const message = state.messages.find((one) => one._id === update.data._id);
    if (message) Object.assign(message, update.data);
    showMessages();
  });
  socket.on("dialog:update", () => fetchDialogs());
  socket.on("user:online", ({ userId }) => {
    state.online.add(userId);
    showDialogs();
  });
  socket.on("user:offline", ({ userId }) => {
    state.online.delete(userId);
    showDialogs();
  });
  socket.on("typing:start", ({ dialogId, userName }) => {
    if (dialogId === state.current?.dialogId) $("typing").textContent = `${userName} печатает...`;
  });
  socket.on("typing:stop", () => {
    $("typing").textContent = "";
  });
}

function onMessage(message) {
  const dialog = state.dialogs.find((one) => one.dialogId === message.dialogId);
  if (message.dialogId === state.current?.dialogId) {
    if (!state.messages.some((one) => one._id === message._id)) state.messages.push(message);
    showMessages();
    if (message.senderId !== state.user.userId) call("POST", `/messages/${message._id}/status/read`);
  } else if (dialog && message.senderId !== state.user.userId) {
    dialog.unreadCount += 1;
  }
  if (dialog) dialog.lastMessage = message;
  showDialogs();
}

// ------------------------------------------------------------ lists

async function fetchDialogs() {
  const { data } = await call("GET", "/dialogs?page=1&limit=50&includeLastMessage=true");
  state.dialogs = data;
  showDialogs();
}

async function fetchPeople() {
  const { data } = await call("GET", "/users?limit=50");
  $("people").replaceChildren(
    ...data.map((person) => {
      const button = document.createElement("button");
      button.textContent = person.name;
      button.onclick = guard(async () => {
        const made = await call("POST", "/dialogs", { name: `Диалог с ${person.name}`, memberIds: [person.userId] });
        state.dialogs.unshift(made.data);
        await openDialog(made.data.dialogId);
      });
      return item(button);
    }),
  );
}

function showDialogs() {
  $("dialogs").replaceChildren(
    ...state.dialogs.map((dialog) => {
      const button = document.createElement("button");
      const online = (dialog.members ?? []).some((one) => state.online.has(one.userId)) ? "● " : "";
      const unread = dialog.unreadCount ? ` (${dialog.unreadCount})` : "";
      button.textContent = `${online}${dialog.dialogName}${unread}: ${dialog.lastMessage?.content ?? ""}`;
      button.onclick = guard(() => openDialog(dialog.dialogId));
      return item(button);
    }),
  );
}

async function openDialog(dialogId) {
  if (state.current) state.socket.emit("dialog:leave", state.current.dialogId);
  state.current = state.dialogs.find((one) => one.dialogId === dialogId);
  state.socket.emit("dialog:join", dialogId);
  const { data } = await call("GET", `/messages/dialog/${dialogId}?page=1&limit=50`);
  state.messages = data;
  $("title").textContent = state.current.dialogName;
  $("window").hidden = false;
  showMessages();
  for (const message of data) {
    const mine = message.statuses.find((one) => one.userId === state.user.userId);
    if (mine && mine.status !== "read") await call("POST", `/messages/${message._id}/status/read`);
  }
  state.current.unreadCount = 0;
  showDialogs();
}

function showMessages() {
  const sorted = [...state.messages].sort((a, b) => new Date(a.createdAt) - new Date(b.createdAt));
  $("messages").replaceChildren(
    ...sorted.map((message) => {
      const line = item(document.createElement("span"));
      const who = message.senderId === state.user.userId ? "Вы" : (message.sender?.name ?? message.senderId);
      const time = new Date(message.createdAt).getFullYear() > 2000 ? "" : " без времени";
      const read = (message.statuses ?? []).some((one) => one.status === "read") ? " ✓✓" : "";
      const reactions = Object.entries(message.reactionCounts ?? {}).map(([emoji, count]) => ` ${emoji}${count}`);
      line.firstChild.textContent = `${who}: ${message.content}${time}${reactions.join("")}${read}`;
      const like = document.createElement("button");
      like.textContent = "👍";
      like.onclick = guard(() => call("POST", `/messages/${message._id}/reactions`, { reaction: "👍" }));
      line.append(like);
      return line;
    }),
  );
}

function item(child) {
  const line = document.createElement("li");
  line.append(child);
  return line;
}

// ------------------------------------------------------------ writing

$("text").oninput = () => state.socket.emit("typing:start", { dialogId: state.current.dialogId });
$("text").onblur = () => state.socket.emit("typing:stop", { dialogId: state.current.dialogId });
$("send").onsubmit = guard(async () => {
  const content = $("text").value;
  $("text").value = "";
  state.socket.emit("typing:stop", { dialogId: state.current.dialogId });
  const { message } = await call("POST", `/messages/dialog/${state.current.dialogId}`, { content, type: "text" });
  if (!state.messages.some((one) => one._id === message._id)) state.messages.push(message);
  showMessages();
});

const saved = sessionStorage.getItem("token");
if (saved) {
  $("ask").hidden = true;
  enter(saved, JSON.parse(sessionStorage.getItem("user")));
}
