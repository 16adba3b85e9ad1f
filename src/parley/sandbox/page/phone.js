// The sandbox's page: a phone on which a person plays a Telegram customer. One file, no dependencies.
// The state of a chat is read whole whenever the event stream (re)connects; events then change it message by message.
"use strict";

const WORDS = {
  en: {
    sandbox: "sandbox", otherLanguage: "Русский", theme: "Light or dark", title: "Play the customer",
    intro: "This phone talks to a stand-in for Telegram on this machine. Nothing leaves it, and nothing has to be registered.",
    customer: "Customer", newCustomer: "New customer", bot: "Bot", newBot: "New bot", phone: "The customer's phone", chats: "Chats", messages: "Messages",
    tokenHint: "The bot's token. Paste it in Parley to connect this bot.", copy: "Copy the token", copied: "Token copied",
    chatMenu: "Chat menu", playAs: "Be {name}", write: "Message", send: "Send", attach: "Attach", record: "Record a voice message", stopRecording: "Stop and send",
    cancel: "Cancel", close: "Close", photo: "Photo", photos: "Photos", file: "File", location: "Location", contact: "My phone number", toEnd: "To the latest message",
    block: "Block the bot", unblock: "Unblock the bot", blocked: "You blocked this bot", begin: "Start", revoke: "Delete the bot",
    reply: "Reply", replyTo: "Reply to", quote: "Quote the selected words", edit: "Edit", editing: "Editing", remove: "Delete", copyText: "Copy text", actions: "Message actions", react: "React with",
    edited: "edited", you: "You", botStatus: "bot", typing: "typing", sendingPhoto: "sending a photo", sendingFile: "sending a file", recording: "recording", offline: "connecting …",
    emptyChat: "No messages yet", emptyChatHint: "Press Start or write something: it arrives at {bot} at once.",
    noBot: "Create a bot to begin", noBotHint: "A bot is the address to which customers write. You get a token for Parley, as BotFather would give you one.",
    botName: "Name of the bot", botNameExample: "Support desk", create: "Create", created: "Bot created", createdHint: "Copy its token and paste it in Parley. Meanwhile you can already write to it.",
    firstName: "First name", lastName: "Last name", username: "Username (may stay empty)", languageCode: "Language of their Telegram",
    polling: "No webhook: updates wait for getUpdates.", webhook: "Webhook: {url}", webhookError: "Webhook: {url} · {error}",
    misbehave: "Make the provider misbehave", misbehaveHint: "Rules apply to the bot's next calls or to the updates that it gets. They end with the program.",
    whatHappens: "What happens", onCall: "On which call", times: "How many times", seconds: "Seconds", addFault: "Switch on", clearFaults: "Switch everything off", forever: "until switched off",
    allCalls: "every call", copies: "Copies", count: "Updates", sends: "Messages", left: "{n} left", today: "Today", yesterday: "Yesterday",
    f429: "429 Too Many Requests", f500: "500 server error", f502: "502 bad gateway", f403: "403 the customer blocked the bot", f400: "400 chat not found",
    hang_before: "Hangs, and the message is not sent", hang_after: "Hangs after the message was sent", slow: "Slow answer", reset_before: "Connection breaks before sending", reset_after: "Connection breaks after sending",
    limit: "Rate limit in a chat", duplicate_updates: "Updates arrive several times at once", reorder_updates: "Updates arrive in reverse order",
    journal: "What the provider saw", journalHint: "The latest calls of the bot and webhook requests to it.", journalEmpty: "Nothing yet", update: "update", accepted: "done", noAnswer: "no answer",
    error: "That did not work: {text}", lost: "No connection to the sandbox. Your text is still here.", tooMany: "At most 10 files at once", noMic: "The microphone is not available", loading: "Loading", retry: "Try again",
    loadFailed: "The sandbox does not answer", revokeAsk: "Delete this bot? Its token stops working at once.", spoiler: "Show hidden text", forwarded: "Forwarded from {name}", unsupported: "Not shown on this phone", latitude: "Latitude", longitude: "Longitude", sendPlace: "Send", asFile: "voice message", defaultName: "Anna", defaultLast: "Smith",
  },
  ru: {
    sandbox: "песочница", otherLanguage: "English", theme: "Светлая или тёмная", title: "Побудьте клиентом",
    intro: "Этот телефон подключён к заменителю Telegram на вашей машине. Наружу ничего не уходит, регистрировать ничего не нужно.",
    customer: "Клиент", newCustomer: "Новый клиент", bot: "Бот", newBot: "Новый бот", phone: "Телефон клиента", chats: "Чаты", messages: "Сообщения",
    tokenHint: "Токен бота. Вставьте его в Parley, чтобы подключить бота.", copy: "Скопировать токен", copied: "Токен скопирован",
    chatMenu: "Меню чата", playAs: "Побыть: {name}", write: "Сообщение", send: "Отправить", attach: "Прикрепить", record: "Записать голосовое", stopRecording: "Остановить и отправить",
    cancel: "Отмена", close: "Закрыть", photo: "Фото", photos: "Фотографии", file: "Файл", location: "Место", contact: "Мой номер телефона", toEnd: "К последнему сообщению",
    block: "Заблокировать бота", unblock: "Разблокировать бота", blocked: "Вы заблокировали бота", begin: "Начать", revoke: "Удалить бота",
    reply: "Ответить", replyTo: "Ответ:", quote: "Процитировать выделенное", edit: "Изменить", editing: "Изменение", remove: "Удалить", copyText: "Скопировать текст", actions: "Действия с сообщением", react: "Отметить",
    edited: "изменено", you: "Вы", botStatus: "бот", typing: "печатает", sendingPhoto: "отправляет фото", sendingFile: "отправляет файл", recording: "записывает", offline: "соединение …",
    emptyChat: "Сообщений пока нет", emptyChatHint: "Нажмите «Начать» или напишите что-нибудь: {bot} получит это сразу.",
    noBot: "Для начала создайте бота", noBotHint: "Бот — это адрес, на который пишут клиенты. Вы получите токен для Parley, как от BotFather.",
    botName: "Имя бота", botNameExample: "Служба поддержки", create: "Создать", created: "Бот создан", createdHint: "Скопируйте токен и вставьте его в Parley. Писать боту можно уже сейчас.",
    firstName: "Имя", lastName: "Фамилия", username: "Имя пользователя (можно не указывать)", languageCode: "Язык его Telegram",
    polling: "Вебхука нет: обновления ждут getUpdates.", webhook: "Вебхук: {url}", webhookError: "Вебхук: {url} · {error}",
    misbehave: "Испортить связь с провайдером", misbehaveHint: "Правила действуют на следующие вызовы бота или на обновления для него. С остановкой программы они исчезают.",
    whatHappens: "Что случится", onCall: "На каком вызове", times: "Сколько раз", seconds: "Секунд", addFault: "Включить", clearFaults: "Выключить всё", forever: "пока не выключат",
    allCalls: "на любом", copies: "Копий", count: "Обновлений", sends: "Сообщений", left: "осталось {n}", today: "Сегодня", yesterday: "Вчера",
    f429: "429 слишком много запросов", f500: "500 ошибка сервера", f502: "502 шлюз не отвечает", f403: "403 клиент заблокировал бота", f400: "400 чат не найден",
    hang_before: "Зависает, сообщение не отправлено", hang_after: "Зависает, когда сообщение уже отправлено", slow: "Медленный ответ", reset_before: "Связь рвётся до отправки", reset_after: "Связь рвётся после отправки",
    limit: "Ограничение частоты в чате", duplicate_updates: "Обновления приходят по нескольку раз сразу", reorder_updates: "Обновления приходят в обратном порядке",
    journal: "Что видел провайдер", journalHint: "Последние вызовы бота и запросы к его вебхуку.", journalEmpty: "Пока ничего", update: "обновление", accepted: "готово", noAnswer: "нет ответа",
    error: "Не получилось: {text}", lost: "Нет связи с песочницей. Ваш текст на месте.", tooMany: "Не больше 10 файлов сразу", noMic: "Микрофон недоступен", loading: "Загрузка", retry: "Повторить",
    loadFailed: "Песочница не отвечает", revokeAsk: "Удалить бота? Его токен сразу перестанет работать.", spoiler: "Показать скрытый текст", forwarded: "Переслано от {name}", unsupported: "На этом телефоне не показывается", latitude: "Широта", longitude: "Долгота", sendPlace: "Отправить", asFile: "голосовое сообщение", defaultName: "Анна", defaultLast: "Смирнова",
  },
};
const FACES = ["👍", "❤", "🔥", "😁", "😢", "🎉"];
const FILES_LIMIT = 10;
const TYPING_MS = 5000;
// The fields of a fault: which numbers it has, and what is sent. `number` is labelled by the second item.
const PRESETS = {
  f429: { shows: ["method", "times", "seconds"], rule: (f) => ({ action: "answer", status: 429, retry_after: Math.ceil(f.seconds) }) },
  f500: { shows: ["method", "times"], rule: () => ({ action: "answer", status: 500 }) },
  f502: { shows: ["method", "times"], rule: () => ({ action: "answer", status: 502, description: "Bad Gateway" }) },
  f403: { shows: ["method", "times"], rule: () => ({ action: "answer", status: 403 }) },
  f400: { shows: ["method", "times"], rule: () => ({ action: "answer", status: 400 }) },
  hang_before: { shows: ["method", "times", "seconds"], seconds: 60 },
  hang_after: { shows: ["method", "times", "seconds"], seconds: 60 },
  slow: { shows: ["method", "times", "seconds"] },
  reset_before: { shows: ["method", "times"] },
  reset_after: { shows: ["method", "times"] },
  limit: { shows: ["number", "seconds"], label: "sends", seconds: 1, number: 1, rule: (f) => ({ action: "limit", count: f.number, times: null }) },
  duplicate_updates: { shows: ["times", "number"], label: "copies", number: 5, rule: (f) => ({ action: "duplicate_updates", copies: f.number }) },
  reorder_updates: { shows: ["number", "seconds"], label: "count", number: 3, seconds: 5, rule: (f) => ({ action: "reorder_updates", count: f.number }) },
};
const METHODS = ["sendMessage", "sendPhoto", "sendDocument", "sendMediaGroup", "editMessageText", "deleteMessage", "getFile", "getUpdates", "setWebhook", "getMe"];

const $ = (id) => document.getElementById(id);
const state = { bots: [], customers: [], faults: [], bot: 0, customer: 0, chat: null, unread: new Set(), files: [], reply: null, editing: null, isOnline: false, isLoaded: false };
let language = localStorage.getItem("parley.sandbox.language") || (navigator.languages.some((one) => one.startsWith("ru")) ? "ru" : "en");
let stream = null, typingTimer = 0, toastTimer = 0, journalTimer = 0, chatLoad = 0, recorder = null, menuOwner = null;

// ---- small tools

function t(key, values = {}) {
  return (WORDS[language][key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  svg.setAttribute("aria-hidden", "true");
  return svg;
}

function button(className, label, ...children) {
  const element = make("button", className, ...children);
  element.type = "button";
  if (label) element.setAttribute("aria-label", label), (element.title = label);
  return element;
}

async function ask(method, path, body) {
  const isForm = body instanceof FormData;
  const answer = await fetch(`control/${path}`, {
    method,
    headers: body && !isForm ? { "content-type": "application/json" } : {},
    body: body && !isForm ? JSON.stringify(body) : body,
  });
  const value = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(value.error?.message ?? `HTTP ${answer.status}`);
  return value;
}

/** Run an action of the person; a failure is said aloud and true is returned only for success. */
async function attempt(action) {
  try {
    await action();
    return true;
  } catch (error) {
    say(error instanceof TypeError ? t("lost") : t("error", { text: error.message }));
    return false;
  }
}

function say(text) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => ($("toast").hidden = true), 4500);
}

const currentBot = () => state.bots.find((bot) => bot.id === state.bot);
const currentCustomer = () => state.customers.find((one) => one.id === state.customer);
const chatPath = (rest = "") => `bots/${state.bot}/chats/${state.customer}${rest}`;
const fileUrl = (file) => `control/files/${state.bot}/${encodeURIComponent(file.file_id)}`;
const fullName = (one) => [one.first_name, one.last_name].filter(Boolean).join(" ");
const textOf = (message) => message.text ?? message.caption ?? "";

function sizeText(bytes) {
  const units = language === "ru" ? ["Б", "КБ", "МБ"] : ["B", "KB", "MB"];
  const power = bytes < 1024 ? 0 : bytes < 1048576 ? 1 : 2;
  return `${(bytes / 1024 ** power).toLocaleString(language, { maximumFractionDigits: power === 2 ? 1 : 0 })} ${units[power]}`;
}

function paintAvatar(element, id, name) {
  element.textContent = [...(name || "?")][0].toUpperCase();
  element.style.setProperty("--hue", String((id * 67) % 360));
}

// ---- language and theme

function applyLanguage() {
  document.documentElement.lang = language;
  document.title = `Parley · ${t("sandbox")}`;
  for (const one of document.querySelectorAll("[data-t]")) one.textContent = t(one.dataset.t);
  for (const one of document.querySelectorAll("[data-label]")) {
    one.setAttribute("aria-label", t(one.dataset.label));
    if (one.tagName === "BUTTON") one.title = t(one.dataset.label);
  }
  for (const one of document.querySelectorAll("[data-placeholder]")) one.placeholder = t(one.dataset.placeholder);
  $("language").textContent = t("otherLanguage");
  fillFaultForm();
  paintAll();
}

function switchTheme() {
  const isDark = getComputedStyle(document.documentElement).colorScheme === "dark";
  const theme = isDark ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("parley.sandbox.theme", theme);
}

// ---- loading and live events

/** Loads stand in a queue: two at once would each make a first customer. */
let loading = Promise.resolve();
function loadState() {
  loading = loading.catch(() => {}).then(loadStateNow);
  return loading;
}

async function loadStateNow() {
  const loaded = await ask("GET", "state");
  Object.assign(state, { bots: loaded.bots, customers: loaded.customers, faults: loaded.faults, isLoaded: true });
  const wished = Number(new URLSearchParams(location.search).get("bot")) || Number(localStorage.getItem("parley.sandbox.bot"));
  if (!currentBot()) state.bot = (state.bots.find((bot) => bot.id === wished) ?? state.bots.at(-1))?.id ?? 0;
  if (state.bot && !state.customers.length) {
    const person = { first_name: t("defaultName"), last_name: t("defaultLast"), language_code: language };
    state.customers.push(await ask("POST", "customers", person));
  }
  const known = Number(localStorage.getItem("parley.sandbox.customer"));
  if (!currentCustomer()) state.customer = (state.customers.find((one) => one.id === known) ?? state.customers[0])?.id ?? 0;
}

async function loadChat() {
  const load = ++chatLoad;
  if (!state.bot || !state.customer) return paintAll();
  const chat = await ask("GET", chatPath());
  if (load !== chatLoad) return;
  state.chat = chat;
  paintAll();
  scrollToEnd();
}

function listen() {
  stream?.close();
  stream = new EventSource("control/events");
  stream.onmessage = (event) => hear(JSON.parse(event.data));
  stream.onerror = () => {
    state.isOnline = false;
    paintHead();
    if (!state.isLoaded) paintLog();
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  };
}

function hear(event) {
  if (event.kind === "open") {
    state.isOnline = true;
    return void loadState().then(loadChat).then(refreshJournal).catch(() => paintLog());
  }
  if (event.kind === "bots") return void loadState().then(() => (state.chat ? paintAll() : loadChat()));
  if (event.kind === "faults") return void refreshFaults();
  if (event.kind === "call" || event.kind === "attempt") return refreshSoon();
  if (event.bot_id !== state.bot) {
    if (event.kind === "message" && event.chat_id === state.customer) state.unread.add(event.bot_id), paintChats();
    return;
  }
  if (event.chat_id !== state.customer || !state.chat) return;
  const messages = state.chat.messages;
  if (event.kind === "message" || event.kind === "edited") {
    const at = messages.findIndex((one) => one.message_id === event.message.message_id);
    if (at >= 0) messages[at] = event.message;
    else messages.push(event.message);
    if (event.message.is_outgoing && event.kind === "message") showTyping("");
    paintLog(event.kind === "message" && at < 0 ? event.message.message_id : 0);
    paintFoot();
  } else if (event.kind === "deleted") {
    state.chat.messages = messages.filter((one) => one.message_id !== event.message_id);
    paintLog();
  } else if (event.kind === "action") showTyping(event.action);
  else if (event.kind === "chat") (state.chat.is_blocked = event.is_blocked), paintFoot();
  else if (event.kind === "callback_answer" && event.text) event.is_alert ? openDialog({ title: event.text, ok: "OK", fields: [], run: () => {} }) : say(event.text);
}

let typing = "";
function showTyping(action) {
  const words = { typing: "typing", upload_photo: "sendingPhoto", upload_document: "sendingFile" };
  typing = action && (words[action] ?? (action.startsWith("record") ? "recording" : "sendingFile"));
  clearTimeout(typingTimer);
  if (typing) typingTimer = setTimeout(() => showTyping(""), TYPING_MS);
  paintHead();
  const old = $("log").querySelector(".typing");
  if (!typing) return old?.remove();
  if (old) return;
  const bubble = make("div", "message typing", make("div", "bubble", make("i"), make("i"), make("i")));
  bubble.setAttribute("aria-hidden", "true");
  $("log").append(bubble);
  if (isPinned) scrollToEnd();
}

// ---- painting

function paintAll() {
  paintSide();
  paintChats();
  paintHead();
  paintLog();
  paintFoot();
  paintFaults();
}

function paintSide() {
  const bot = currentBot();
  const select = $("customers");
  select.replaceChildren(...state.customers.map((one) => new Option(fullName(one) + (one.username ? ` · @${one.username}` : ""), one.id, false, one.id === state.customer)));
  $("customer-card").hidden = !state.customers.length;
  $("bot-card").hidden = !bot;
  if (!bot) return;
  $("bot-title").textContent = bot.name;
  $("bot-username").textContent = `@${bot.username}`;
  $("token").textContent = bot.token;
  const error = bot.last_error?.message;
  const isBad = Boolean(bot.webhook_url && error);
  $("connection").textContent = bot.webhook_url ? t(isBad ? "webhookError" : "webhook", { url: bot.webhook_url, error }) : t("polling");
  $("connection").className = `status ${isBad ? "bad" : bot.webhook_url ? "good" : ""}`;
}

function paintChats() {
  const chips = state.bots.map((bot) => {
    const avatar = make("span", "avatar");
    paintAvatar(avatar, bot.id, bot.name);
    const chip = button("", "", avatar, make("span", "", bot.name));
    if (state.unread.has(bot.id)) chip.append(make("i", "unread"));
    chip.setAttribute("aria-current", String(bot.id === state.bot));
    chip.onclick = () => choose(bot.id, state.customer);
    return chip;
  });
  const add = button("quiet", t("newBot"), icon("plus"));
  add.onclick = askForBot;
  $("chats").hidden = !chips.length;
  $("chats").replaceChildren(...chips, ...(chips.length ? [add] : []));
}

function paintHead() {
  const bot = currentBot();
  $("head").hidden = !bot;
  if (!bot) return;
  paintAvatar($("avatar"), bot.id, bot.name);
  $("head-name").textContent = bot.name;
  $("head-state").textContent = !state.isOnline ? t("offline") : typing ? t(typing) : t("botStatus");
  $("head-state").classList.toggle("live", state.isOnline && Boolean(typing));
}

function paintFoot() {
  const chat = state.chat;
  $("foot").hidden = !chat || !state.bot;
  if (!chat) return;
  $("unblock").hidden = !chat.is_blocked;
  $("begin").hidden = chat.is_blocked || chat.messages.length > 0;
  $("composer").hidden = chat.is_blocked;
  $("mic").hidden = !navigator.mediaDevices || !window.MediaRecorder || Boolean($("text").value.trim() || state.files.length || state.editing);
  $("send").hidden = !$("mic").hidden;
  const about = state.editing ?? state.reply?.message;
  $("context").hidden = !about || chat.is_blocked;
  if (about) {
    $("context-icon").firstElementChild.setAttribute("href", state.editing ? "#i-edit" : "#i-reply");
    $("context-title").textContent = state.editing ? t("editing") : `${t("replyTo")} ${nameOf(about)}`;
    $("context-text").textContent = (!state.editing && state.reply.quote) || summary(about);
  }
  $("tray").hidden = !state.files.length;
}

function paintLog(freshId = 0) {
  const log = $("log");
  const wasPinned = isPinned || freshId && state.chat?.messages.at(-1)?.is_outgoing === false;
  const focused = document.activeElement?.closest?.("[data-id]")?.dataset.id;
  if (!state.isLoaded && !state.isOnline && stream?.readyState !== EventSource.OPEN && stream) return log.replaceChildren(failure());
  if (!state.isLoaded || (state.bot && !state.chat)) return log.replaceChildren(...Array.from({ length: 5 }, () => make("div", "skeleton")));
  if (!state.bot) return log.replaceChildren(welcome());
  if (!state.chat.messages.length) return log.replaceChildren(emptyChat());
  const rows = [];
  let day = "", before = null;
  for (const group of grouped(state.chat.messages)) {
    const label = dayText(group[0].date);
    if (label !== day) rows.push(make("div", "day", label)), (before = null);
    day = label;
    const row = messageRow(group);
    row.classList.toggle("turn", !before || before.is_outgoing !== group[0].is_outgoing);
    row.classList.toggle("fresh", group.some((one) => one.message_id === freshId));
    before = group[0];
    rows.push(row);
  }
  const dots = log.querySelector(".typing");
  log.replaceChildren(...rows, ...(dots && typing ? [dots] : []));
  if (focused) log.querySelector(`[data-id="${focused}"] .act`)?.focus({ preventScroll: true });
  if (wasPinned) scrollToEnd();
  paintJump();
}

function welcome() {
  const input = make("input");
  Object.assign(input, { type: "text", maxLength: 64, required: true, value: t("botNameExample") });
  input.setAttribute("aria-label", t("botName"));
  const submit = make("button", "primary", t("create"));
  const form = make("form", "", input, submit);
  form.onsubmit = (event) => {
    event.preventDefault();
    submit.disabled = true;
    attempt(() => createBot(input.value)).finally(() => (submit.disabled = false));
  };
  return make("div", "hint", make("b", "", t("noBot")), make("p", "muted small", t("noBotHint")), form);
}

function emptyChat() {
  const bot = currentBot();
  const avatar = make("span", "avatar");
  paintAvatar(avatar, bot.id, bot.name);
  return make("div", "hint", avatar, make("b", "", t("emptyChat")), make("p", "muted small", t("emptyChatHint", { bot: bot.name })));
}

function failure() {
  const again = button("primary", "", t("retry"));
  again.onclick = listen;
  return make("div", "hint", make("b", "", t("loadFailed")), again);
}

function grouped(messages) {
  const groups = [];
  for (const message of messages) {
    const last = groups.at(-1);
    if (message.media_group_id && last?.[0].media_group_id === message.media_group_id) last.push(message);
    else groups.push([message]);
  }
  return groups;
}

function dayText(seconds) {
  const date = new Date(seconds * 1000);
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(date).setHours(0, 0, 0, 0)) / 86400000);
  return days === 0 ? t("today") : days === 1 ? t("yesterday") : date.toLocaleDateString(language, { day: "numeric", month: "long" });
}

const nameOf = (message) => (message.is_outgoing || message.from?.is_bot ? (currentBot()?.name ?? "") : t("you"));

function summary(message) {
  if (textOf(message)) return textOf(message);
  if (message.photo) return t("photo");
  if (message.document) return message.document.file_name ?? t("file");
  if (message.location) return t("location");
  if (message.contact) return message.contact.phone_number;
  return message.voice ? t("asFile") : t("file");
}

function messageRow(group) {
  const first = group[0], captioned = group.find(textOf) ?? first, last = group.at(-1);
  const row = make("article", `message${first.is_outgoing ? "" : " mine"}`);
  row.dataset.id = first.message_id;
  const bubble = make("div", "bubble");
  if (first.forward_origin) bubble.append(make("div", "origin", make("b", "", t("forwarded", { name: first.forward_origin.sender_user?.first_name ?? "" }))));
  if (first.reply_to_message) bubble.append(replyBlock(first));
  const media = mediaBlock(group);
  if (media) bubble.append(media);
  if (group.some((one) => one.photo || one.video)) bubble.classList.add("pictured");
  if (textOf(captioned)) bubble.append(formatted(textOf(captioned), captioned.entities ?? captioned.caption_entities ?? []));
  bubble.append(footLine(group, last));
  const stack = make("div", "stack", bubble);
  if (first.reply_markup?.inline_keyboard) stack.append(keyboard(first));
  const act = button("quiet icon act", t("actions"), icon("more"));
  act.setAttribute("aria-haspopup", "menu");
  act.onclick = () => messageMenu(act, captioned);
  row.oncontextmenu = (event) => {
    if (event.target.closest("a, img")) return;
    event.preventDefault();
    messageMenu(act, captioned, event);
  };
  row.append(stack, act);
  row.setAttribute("aria-label", nameOf(first));
  return row;
}

function footLine(group, last) {
  const line = make("div", "foot-line");
  const faces = group.flatMap((one) => Object.values(one.reactions ?? {}));
  if (faces.length) line.append(make("span", "reactions", ...faces.map((face) => make("span", "", face))));
  if (group.some((one) => one.edit_date)) line.append(make("span", "", t("edited")));
  const time = make("time", "", new Date(last.date * 1000).toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" }));
  time.dateTime = new Date(last.date * 1000).toISOString();
  line.append(time);
  return line;
}

function replyBlock(message) {
  const original = message.reply_to_message;
  const block = button("origin", "", make("b", "", nameOf(original)), make("span", "", message.quote ? `“${message.quote.text}”` : summary(original)));
  block.onclick = () => {
    const target = state.chat.messages.find((one) => one.message_id === original.message_id);
    const id = target && grouped(state.chat.messages).find((group) => group.includes(target))[0].message_id;
    const row = $("log").querySelector(`[data-id="${id}"]`);
    row?.scrollIntoView({ block: "center", behavior: "smooth" });
    row?.classList.add("flash");
    setTimeout(() => row?.classList.remove("flash"), 1300);
  };
  return block;
}

function mediaBlock(group) {
  if (group[0].photo || group[0].video) {
    const n = group.length, rest = n % 3;
    const shape = (at) => (n === 2 || n === 4 ? "half" : n === 3 ? (at ? "half" : "full") : rest === 1 && !at ? "full" : rest === 2 && at < 2 ? "half" : "third");
    return make("div", `pictures${n > 1 ? " many" : ""}`, ...group.map((one, at) => (one.photo ? shot(one, n > 1 ? shape(at) : "") : film(one, n > 1 ? shape(at) : ""))));
  }
  const parts = group.map(fileBlock).filter(Boolean);
  return parts.length ? make("div", "files", ...parts) : null;
}

function shot(message, shape) {
  const largest = message.photo.at(-1);
  const image = make("img");
  Object.assign(image, { src: fileUrl(largest), alt: message.caption || t("photo"), width: largest.width, height: largest.height, loading: "lazy" });
  const frame = button(`shot ${shape}${message.has_media_spoiler ? " hidden-shot" : ""}`, "", image);
  if (!shape) frame.style.aspectRatio = String(Math.max(largest.width / largest.height, 0.75));
  frame.onclick = () => {
    if (frame.classList.contains("hidden-shot")) return frame.classList.remove("hidden-shot");
    $("viewer-image").src = image.src;
    $("viewer-image").alt = image.alt;
    $("viewer").showModal();
  };
  return frame;
}

function film(message, shape) {
  const video = make("video", shape);
  Object.assign(video, { src: fileUrl(message.video), controls: true, preload: "metadata" });
  return video;
}

function fileBlock(message) {
  const sound = message.voice ?? message.audio;
  if (sound) {
    const player = make("audio");
    Object.assign(player, { src: fileUrl(sound), controls: true, preload: "metadata" });
    return player;
  }
  if (message.sticker) return Object.assign(make("img", "sticker"), { src: fileUrl(message.sticker), alt: message.sticker.emoji ?? "" });
  if (message.location) {
    const { latitude, longitude } = message.location;
    const place = `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`;
    return card("pin", message.venue?.title ?? t("location"), message.venue ? `${message.venue.address} · ${place}` : place);
  }
  if (message.contact) return card("user", [message.contact.first_name, message.contact.last_name].filter(Boolean).join(" "), message.contact.phone_number);
  const file = message.document ?? message.video_note;
  if (!file) return textOf(message) ? null : make("div", "muted", t("unsupported"));
  const block = card("file", file.file_name ?? t("file"), sizeText(file.file_size ?? 0), "a");
  if (file.thumbnail) block.querySelector(".glyph").replaceChildren(Object.assign(make("img"), { src: fileUrl(file.thumbnail), alt: "" }));
  Object.assign(block, { href: fileUrl(file), download: file.file_name ?? "file" });
  return block;
}

function card(symbol, title, detail, tag = "div") {
  return make(tag, "doc", make("span", "glyph", icon(symbol)), make("div", "", make("b", "", title), make("span", "", detail)));
}

function keyboard(message) {
  const keys = make("div", "keys");
  for (const line of message.reply_markup.inline_keyboard) {
    const row = make("div");
    for (const one of line) {
      if (one.url && /^https?:/i.test(one.url)) row.append(Object.assign(make("a", "", one.text), { href: one.url, target: "_blank", rel: "noopener noreferrer" }));
      else {
        const key = button("", "", one.text);
        key.onclick = () => one.callback_data && attempt(() => ask("POST", chatPath(`/messages/${message.message_id}/press`), { data: one.callback_data }));
        row.append(key);
      }
    }
    keys.append(row);
  }
  return keys;
}

/** Text with entities as elements. Offsets are UTF-16 units, which is what JavaScript's strings count in. */
function formatted(text, entities) {
  const cuts = new Set([0, text.length]);
  for (const one of entities) cuts.add(one.offset).add(one.offset + one.length);
  const marks = [...cuts].filter((at) => at <= text.length).sort((a, b) => a - b);
  const words = make("div", "words");
  let open = null, openKey = "";
  for (let i = 0; i + 1 < marks.length; i++) {
    const active = entities.filter((one) => one.offset <= marks[i] && one.offset + one.length >= marks[i + 1]);
    const block = active.find((one) => one.type === "pre" || one.type.endsWith("blockquote"));
    const key = block ? `${block.type}${block.offset}` : "";
    if (key !== openKey || !block) open = block ? make(block.type === "pre" ? "pre" : "blockquote") : null;
    if (block && key !== openKey) words.append(open);
    openKey = key;
    let piece = document.createTextNode(text.slice(marks[i], marks[i + 1]));
    for (const one of active.filter((one) => one !== block)) piece = wrapped(piece, one, text);
    (open ?? words).append(piece);
  }
  return words;
}

function wrapped(piece, entity, text) {
  const tags = { bold: "b", italic: "i", underline: "u", strikethrough: "s", code: "code" };
  if (tags[entity.type]) return make(tags[entity.type], "", piece);
  const covered = text.slice(entity.offset, entity.offset + entity.length);
  const target = { text_link: entity.url, url: /^\w+:\/\//.test(covered) ? covered : `https://${covered}`, email: `mailto:${covered}` }[entity.type];
  if (target && /^(https?|mailto):/i.test(target)) return Object.assign(make("a", "", piece), { href: target, target: "_blank", rel: "noopener noreferrer" });
  if (entity.type === "spoiler") {
    const cover = button("spoiler", "", piece);
    cover.setAttribute("aria-label", t("spoiler"));
    cover.onclick = () => (cover.classList.add("open"), cover.removeAttribute("aria-label"));
    return cover;
  }
  return ["mention", "hashtag", "bot_command", "text_mention"].includes(entity.type) ? make("span", "tag", piece) : piece;
}

// ---- scrolling

const isAtEnd = () => $("log").scrollHeight - $("log").scrollTop - $("log").clientHeight < 80;
let isPinned = true;
function scrollToEnd() {
  isPinned = true;
  $("log").scrollTop = $("log").scrollHeight;
  paintJump();
}
function paintJump() {
  $("jump").hidden = isAtEnd();
}

// ---- menus and dialogs

function openMenu(owner, items, faces, point) {
  closeMenu();
  const menu = $("menu");
  menu.replaceChildren();
  if (faces) menu.append(faces);
  for (const item of items) {
    const entry = button(item.isDanger ? "danger" : "", "", icon(item.icon), item.label);
    entry.setAttribute("role", "menuitem");
    entry.onclick = () => (closeMenu(), item.run());
    menu.append(entry);
  }
  menu.hidden = false;
  menuOwner = owner;
  owner.setAttribute("aria-expanded", "true");
  const box = owner.getBoundingClientRect(), size = menu.getBoundingClientRect();
  const left = point?.clientX || box.left, top = point?.clientY || (box.bottom + size.height + 8 < innerHeight ? box.bottom + 4 : box.top - size.height - 4);
  menu.style.left = `${Math.max(8, Math.min(left, innerWidth - size.width - 8))}px`;
  menu.style.top = `${Math.max(8, Math.min(top, innerHeight - size.height - 8))}px`;
  menu.querySelector("button")?.focus();
}

function closeMenu(returnFocus = false) {
  if ($("menu").hidden) return;
  $("menu").hidden = true;
  menuOwner?.removeAttribute("aria-expanded");
  if (returnFocus) menuOwner?.focus();
}

function messageMenu(owner, message, point) {
  const selection = String(getSelection()).trim();
  const quote = selection && textOf(message).includes(selection) ? selection : "";
  const path = chatPath(`/messages/${message.message_id}`);
  const items = [{ icon: "reply", label: t(quote ? "quote" : "reply"), run: () => startReply(message, quote) }];
  if (textOf(message)) items.push({ icon: "copy", label: t("copyText"), run: () => copy(textOf(message), "") });
  if (!message.is_outgoing && !message.location && !message.contact) items.push({ icon: "edit", label: t("edit"), run: () => startEdit(message) });
  items.push({ icon: "trash", label: t("remove"), isDanger: true, run: () => attempt(() => ask("DELETE", path)) });
  const faces = make("div", "faces");
  for (const face of FACES) {
    const isMine = message.reactions?.customer === face;
    const choice = button("", `${t("react")} ${face}`, face);
    choice.setAttribute("role", "menuitemradio");
    choice.setAttribute("aria-checked", String(isMine));
    choice.onclick = () => (closeMenu(true), attempt(() => ask("POST", `${path}/reaction`, { emoji: isMine ? "" : face })));
    faces.append(choice);
  }
  openMenu(owner, items, faces, point);
}

function openDialog({ title, ok, fields, run }) {
  $("dialog-title").textContent = title;
  $("dialog-ok").textContent = ok;
  $("dialog-error").hidden = true;
  $("dialog-cancel").hidden = !fields.length && ok === "OK";
  $("dialog-fields").replaceChildren(...fields.map((field) => {
    const input = field.options ? make("select") : make("input");
    if (field.options) input.append(...field.options.map(([value, label]) => new Option(label, value, false, value === field.value)));
    else Object.assign(input, { type: "text", maxLength: 64, required: Boolean(field.required), value: field.value ?? "" });
    input.name = field.name;
    return make("label", "", make("span", "", field.label), input);
  }));
  $("dialog-form").onsubmit = async (event) => {
    event.preventDefault();
    $("dialog-ok").disabled = true;
    try {
      await run(Object.fromEntries(new FormData($("dialog-form"))));
      $("dialog").close();
    } catch (error) {
      $("dialog-error").textContent = error instanceof TypeError ? t("loadFailed") : error.message;
      $("dialog-error").hidden = false;
    }
    $("dialog-ok").disabled = false;
  };
  $("dialog").showModal();
}

// ---- what the person does

function choose(bot, customer) {
  Object.assign(state, { bot, customer, chat: null, reply: null, editing: null, files: [] });
  state.unread.delete(bot);
  localStorage.setItem("parley.sandbox.bot", bot);
  localStorage.setItem("parley.sandbox.customer", customer);
  history.replaceState(null, "", `?bot=${bot}`);
  showTyping("");
  paintTray();
  paintAll();
  refreshSoon();
  attempt(loadChat);
}

async function createBot(name) {
  const bot = await ask("POST", "bots", { name });
  state.bot = bot.id;
  await loadState();
  choose(bot.id, state.customer);
  say(`${t("created")}. ${t("createdHint")}`);
  $("copy").focus({ preventScroll: true });
}

function askForBot() {
  openDialog({ title: t("newBot"), ok: t("create"), fields: [{ name: "name", label: t("botName"), required: true, value: "" }], run: (given) => createBot(given.name) });
}

function askForCustomer() {
  const languages = [["ru", "Русский"], ["en", "English"], ["de", "Deutsch"], ["kk", "Қазақша"], ["uz", "Oʻzbekcha"], ["", "—"]];
  const fields = [
    { name: "first_name", label: t("firstName"), required: true }, { name: "last_name", label: t("lastName") },
    { name: "username", label: t("username") }, { name: "language_code", label: t("languageCode"), options: languages, value: language },
  ];
  openDialog({ title: t("newCustomer"), ok: t("create"), fields, run: async (given) => {
    const person = await ask("POST", "customers", { ...given, username: given.username.replace(/^@/, "") });
    state.customers.push(person);
    choose(state.bot, person.id);
  } });
}

function askForPlace() {
  const fields = [{ name: "latitude", label: t("latitude"), value: "55.75222", required: true }, { name: "longitude", label: t("longitude"), value: "37.61556", required: true }];
  openDialog({ title: t("location"), ok: t("sendPlace"), fields, run: (given) => ask("POST", chatPath("/location"), { latitude: Number(given.latitude.replace(",", ".")), longitude: Number(given.longitude.replace(",", ".")) }) });
}

async function copy(text, done) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = Object.assign(make("textarea"), { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  if (done) say(done);
}

function startReply(message, quote) {
  state.editing = null;
  state.reply = { message, quote };
  paintFoot();
  $("text").focus();
}

function startEdit(message) {
  Object.assign(state, { editing: message, reply: null, files: [] });
  $("text").value = textOf(message);
  paintTray();
  paintFoot();
  grow();
  $("text").focus();
}

function dropContext() {
  if (state.editing) $("text").value = "";
  Object.assign(state, { editing: null, reply: null });
  paintFoot();
  grow();
  $("text").focus();
}

async function submit() {
  const text = $("text").value, { editing, reply, files } = state;
  if (!text.trim() && !files.length) return;
  const about = reply ? { reply_to: reply.message.message_id, quote: reply.quote } : {};
  $("send").disabled = true;
  $("toast").hidden = true;
  const isDone = await attempt(async () => {
    if (editing) await ask("POST", chatPath(`/messages/${editing.message_id}/edit`), { text });
    else if (files.length) await sendFiles(files, text, about);
    else await ask("POST", chatPath("/text"), { text, ...about });
  });
  $("send").disabled = false;
  if (!isDone) return;
  // What was written or chosen while this was on its way stays.
  const now = $("text").value;
  $("text").value = now.startsWith(text) ? now.slice(text.length).trimStart() : now;
  if (state.editing === editing) state.editing = null;
  if (state.reply === reply) state.reply = null;
  if (state.files === files) state.files = [];
  paintTray();
  paintFoot();
  grow();
  $("text").focus();
}

/** Photos go as one album; other files as another, since Telegram does not mix them. The words stand on the first. */
async function sendFiles(files, caption, about) {
  const kinds = [["photo", files.filter((one) => one.isPhoto)], ["document", files.filter((one) => !one.isPhoto)]];
  let words = caption;
  for (const [kind, some] of kinds) {
    if (!some.length) continue;
    await sendMedia(kind, some.map((one) => one.file), { caption: words, ...about });
    words = "";
  }
}

function sendMedia(kind, files, values) {
  const form = new FormData();
  form.set("kind", kind);
  for (const [name, value] of Object.entries(values)) if (value) form.set(name, value);
  for (const file of files) form.append("files", file, file.name ?? "voice.ogg");
  return ask("POST", chatPath("/media"), form);
}

function addFiles(list, isPhoto) {
  const added = [...list].map((file) => ({ file, isPhoto: isPhoto && /^image\/(jpeg|png|webp|gif|bmp)$/.test(file.type), url: "" }));
  if (state.files.length + added.length > FILES_LIMIT) say(t("tooMany"));
  state.files = [...state.files, ...added].slice(0, FILES_LIMIT);
  state.editing = null;
  paintTray();
  paintFoot();
  $("text").focus();
}

function paintTray() {
  for (const image of $("tray").querySelectorAll("img")) URL.revokeObjectURL(image.src);
  $("tray").replaceChildren(...state.files.map((one) => {
    const figure = make("figure", "", one.isPhoto ? Object.assign(make("img"), { src: URL.createObjectURL(one.file), alt: one.file.name }) : make("figcaption", "", one.file.name));
    const drop = button("icon", `${t("remove")} ${one.file.name}`, icon("close"));
    drop.onclick = () => ((state.files = state.files.filter((other) => other !== one)), paintTray(), paintFoot());
    figure.append(drop);
    return figure;
  }));
}

async function toggleRecording() {
  if (recorder) return recorder.stop();
  try {
    const sound = await navigator.mediaDevices.getUserMedia({ audio: true });
    const type = ["audio/ogg;codecs=opus", "audio/webm;codecs=opus"].find((one) => MediaRecorder.isTypeSupported(one));
    const pieces = [], started = Date.now();
    recorder = new MediaRecorder(sound, type ? { mimeType: type } : {});
    recorder.ondataavailable = (event) => pieces.push(event.data);
    recorder.onstop = () => {
      sound.getTracks().forEach((track) => track.stop());
      const blob = new Blob(pieces, { type: recorder.mimeType.split(";")[0] });
      recorder = null;
      paintMic();
      const duration = Math.max(1, Math.round((Date.now() - started) / 1000));
      attempt(() => sendMedia("voice", [blob], { duration: String(duration) }));
    };
    recorder.start();
    paintMic();
  } catch {
    recorder = null;
    say(t("noMic"));
  }
}

function paintMic() {
  $("mic").classList.toggle("recording", Boolean(recorder));
  $("mic").replaceChildren(icon(recorder ? "stop" : "mic"));
  $("mic").setAttribute("aria-label", t(recorder ? "stopRecording" : "record"));
}

function grow() {
  const area = $("text");
  area.style.height = "auto";
  area.style.height = `${Math.min(area.scrollHeight, 130)}px`;
}

// ---- faults and journal

function fillFaultForm() {
  const preset = $("preset").value, method = $("method").value;
  $("preset").replaceChildren(...Object.keys(PRESETS).map((key) => new Option(t(key), key, false, key === preset)));
  $("method").replaceChildren(new Option(t("allCalls"), "*"), ...METHODS.map((one) => new Option(one, one, false, one === (method || "sendMessage"))));
  if (method === "*") $("method").value = "*";
  showFaultFields();
}

function showFaultFields() {
  const preset = PRESETS[$("preset").value];
  for (const field of ["method", "times", "seconds", "number"]) $(`f-${field}`).hidden = !preset.shows.includes(field);
  $("f-number-label").textContent = preset.label ? t(preset.label) : "";
  $("fault-form").elements.seconds.value = preset.seconds ?? 3;
  $("fault-form").elements.number.value = preset.number ?? 3;
}

function addFault() {
  const form = $("fault-form").elements, key = form.preset.value, preset = PRESETS[key];
  const given = { seconds: Number(form.seconds.value), number: Number(form.number.value) };
  const rule = { action: key, times: preset.shows.includes("times") ? Number(form.times.value) : 1, seconds: given.seconds, ...(preset.rule?.(given) ?? {}) };
  if (preset.shows.includes("method") && form.method.value !== "*") rule.method = form.method.value;
  return attempt(async () => showFaults(await ask("POST", "faults", { ...rule, bot_id: state.bot || null })));
}

function showFaults(answer) {
  state.faults = answer.faults;
  paintFaults();
}
const refreshFaults = () => ask("GET", "faults").then(showFaults).catch(() => {});

function paintFaults() {
  $("fault-count").hidden = $("clear-faults").hidden = !state.faults.length;
  $("fault-count").textContent = state.faults.length;
  $("rules").replaceChildren(...state.faults.map((rule) => {
    const name = rule.action === "answer" ? t(`f${rule.status}`) : t(rule.action);
    const times = rule.times === null ? t("forever") : t("left", { n: rule.times });
    const off = button("quiet icon", t("remove"), icon("close"));
    off.onclick = () => attempt(async () => showFaults(await ask("DELETE", `faults/${rule.id}`)));
    return make("li", "", make("span", "", [name, rule.method, times].filter(Boolean).join(" · ")), off);
  }));
}

function refreshSoon() {
  clearTimeout(journalTimer);
  journalTimer = setTimeout(refreshJournal, 250);
}

async function refreshJournal() {
  if (!state.bot) return;
  try {
    const [{ bots }, calls, attempts] = await Promise.all([ask("GET", "state"), ask("GET", `calls?bot_id=${state.bot}&limit=30`), ask("GET", `attempts?bot_id=${state.bot}&limit=30`)]);
    state.bots = bots;
    paintSide();
    const rows = [
      ...calls.calls.map((one) => ({ at: one.at, name: one.method, status: one.status, isGood: one.is_done, detail: one.description })),
      ...attempts.attempts.map((one) => ({ at: one.at, name: `${t("update")} ${one.update_id}`, status: one.status, isGood: one.status >= 200 && one.status < 300, detail: one.status >= 200 && one.status < 300 ? "" : one.answer })),
    ].sort((a, b) => b.at - a.at).slice(0, 40);
    $("journal").replaceChildren(...(rows.length ? rows.map(journalRow) : [make("li", "muted", t("journalEmpty"))]));
  } catch {
    return; // the stream's own state says that the sandbox is away
  }
}

function journalRow(row) {
  const time = make("time", "", new Date(row.at * 1000).toLocaleTimeString(language));
  const code = make("span", `code${row.isGood ? "" : " bad"}`, row.status ? String(row.status) : t("noAnswer"));
  return make("li", "", time, make("b", "", row.name), code, ...(row.detail ? [make("small", "", row.detail)] : []));
}

// ---- wiring

function wire() {
  const saved = localStorage.getItem("parley.sandbox.theme");
  if (saved) document.documentElement.dataset.theme = saved;
  $("theme").onclick = switchTheme;
  $("language").onclick = () => {
    language = language === "ru" ? "en" : "ru";
    localStorage.setItem("parley.sandbox.language", language);
    applyLanguage();
    refreshSoon();
  };
  $("customers").onchange = (event) => choose(state.bot, Number(event.target.value));
  $("new-customer").onclick = askForCustomer;
  $("new-bot").onclick = askForBot;
  $("copy").onclick = () => copy(currentBot().token, t("copied"));
  $("dialog-cancel").onclick = () => $("dialog").close();
  $("viewer-close").onclick = $("viewer").onclick = () => $("viewer").close();
  $("jump").onclick = scrollToEnd;
  $("log").onscroll = () => ((isPinned = isAtEnd()), paintJump());
  $("log").addEventListener("load", () => isPinned && scrollToEnd(), true);
  new ResizeObserver(() => isPinned && scrollToEnd()).observe($("log"));
  $("begin").onclick = () => attempt(() => ask("POST", chatPath("/text"), { text: "/start" }));
  $("unblock").onclick = () => attempt(() => ask("POST", chatPath("/unblock")));
  $("chat-menu").onclick = (event) => openMenu(event.currentTarget, [
    ...state.customers.filter((one) => one.id !== state.customer).slice(-5).map((one) => ({ icon: "user", label: t("playAs", { name: fullName(one) }), run: () => choose(state.bot, one.id) })),
    { icon: "plus", label: t("newCustomer"), run: askForCustomer },
    { icon: "copy", label: t("copy"), run: () => copy(currentBot().token, t("copied")) },
    { icon: "block", label: t(state.chat?.is_blocked ? "unblock" : "block"), run: () => attempt(() => ask("POST", chatPath(state.chat?.is_blocked ? "/unblock" : "/block"))) },
    { icon: "trash", label: t("revoke"), isDanger: true, run: () => openDialog({ title: t("revokeAsk"), ok: t("remove"), fields: [], run: async () => {
      await ask("DELETE", `bots/${state.bot}`);
      Object.assign(state, { bot: 0, chat: null });
      await loadState();
      state.bot ? choose(state.bot, state.customer) : paintAll();
    } }) },
  ]);
  $("attach").onclick = (event) => openMenu(event.currentTarget, [
    { icon: "photo", label: t("photos"), run: () => $("photo-input").click() },
    { icon: "file", label: t("file"), run: () => $("file-input").click() },
    { icon: "pin", label: t("location"), run: askForPlace },
    { icon: "user", label: t("contact"), run: () => attempt(() => ask("POST", chatPath("/contact"), { phone_number: `+7900${String(state.customer).slice(-7)}` })) },
  ]);
  for (const [id, isPhoto] of [["photo-input", true], ["file-input", false]])
    $(id).onchange = (event) => (addFiles(event.target.files, isPhoto), (event.target.value = ""));
  $("mic").onclick = toggleRecording;
  $("context-close").onclick = dropContext;
  $("composer").onsubmit = (event) => (event.preventDefault(), submit());
  $("preset").onchange = showFaultFields;
  $("fault-form").onsubmit = (event) => (event.preventDefault(), addFault());
  $("clear-faults").onclick = () => attempt(async () => showFaults(await ask("DELETE", "faults")));
  wireKeyboard();
  wireDropping();
}

function wireKeyboard() {
  $("text").oninput = () => (grow(), paintFoot());
  $("text").onkeydown = (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) return event.preventDefault(), submit();
    const own = state.chat?.messages.findLast((one) => !one.is_outgoing && textOf(one));
    if (event.key === "ArrowUp" && !$("text").value && own) event.preventDefault(), startEdit(own);
    if (event.key === "Escape" && (state.editing || state.reply)) dropContext();
  };
  $("menu").onkeydown = (event) => {
    const entries = [...$("menu").querySelectorAll("button")], at = entries.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (step) event.preventDefault(), entries[(at + step + entries.length) % entries.length].focus();
    if (event.key === "Escape" || event.key === "Tab") event.preventDefault(), closeMenu(true);
  };
  document.addEventListener("pointerdown", (event) => {
    if (!event.target.closest("#menu") && event.target.closest("button") !== menuOwner) closeMenu();
  });
  addEventListener("resize", () => closeMenu());
}

function wireDropping() {
  const phone = $("phone");
  phone.ondragover = (event) => event.preventDefault();
  phone.ondrop = (event) => {
    event.preventDefault();
    if (state.chat && event.dataTransfer.files.length) addFiles(event.dataTransfer.files, true);
  };
  $("text").onpaste = (event) => {
    if (event.clipboardData.files.length) event.preventDefault(), addFiles(event.clipboardData.files, true);
  };
}

wire();
applyLanguage();
listen();
