/** People and conversations to look at: names, lengths and states as life brings them. */
import { readFileSync } from "node:fs";
import { iso, newId, World } from "./world.mjs";

const svg = (a, b, w, h) =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}"><defs><linearGradient id="g" x1="0" y1="0" x2="1" y2="1"><stop stop-color="${a}"/><stop offset="1" stop-color="${b}"/></linearGradient></defs><rect width="100%" height="100%" fill="url(#g)"/><circle cx="70%" cy="30%" r="${w / 9}" fill="#fff8"/><path d="M0 ${h} L${w * 0.35} ${h * 0.45} L${w * 0.6} ${h * 0.8} L${w * 0.8} ${h * 0.55} L${w} ${h} Z" fill="#0003"/></svg>`;

export function picture(world, a, b, w = 1200, h = 900, name = "photo.jpg") {
  const id = newId("med");
  world.media.set(id, { type: "image/svg+xml", name, body: Buffer.from(svg(a, b, w, h)) });
  const scale = Math.min(1, 480 / Math.max(w, h));
  return {
    media_id: id,
    kind: "image",
    name,
    content_type: "image/jpeg",
    size_bytes: 184_320,
    width: w,
    height: h,
    duration_seconds: null,
    state: "ready",
    thumbnail: { width: Math.round(w * scale), height: Math.round(h * scale) },
    error: null,
  };
}

function document(world, name, size) {
  const id = newId("med");
  world.media.set(id, { type: "application/pdf", name, body: readFileSync(new URL(import.meta.url)) });
  return {
    media_id: id,
    kind: "file",
    name,
    content_type: "application/pdf",
    size_bytes: size,
    width: null,
    height: null,
    duration_seconds: null,
    state: "ready",
    thumbnail: null,
    error: null,
  };
}

function voice(world, seconds) {
  const id = newId("med");
  world.media.set(id, { type: "audio/ogg", name: "voice.ogg", body: Buffer.alloc(4000) });
  return {
    media_id: id,
    kind: "voice",
    name: "voice.ogg",
    content_type: "audio/ogg",
    size_bytes: 21_400,
    width: null,
    height: null,
    duration_seconds: seconds,
    state: "ready",
    thumbnail: null,
    error: null,
  };
}

const PEOPLE = [
  "Марина Ковалёва",
  "James Whitfield",
  "Дмитрий Орлов",
  "Sofia Lindqvist",
  "Алия Нурланова",
  "Кирилл",
  "Мастерская «Дуб и клён»",
  "Élodie Marchand",
  "Ольга Петрова-Васильковская",
  "Tomás Herrera",
  "Вера Соколова",
  "Игорь Л.",
  "Nadia Rahman",
  "Павел Чернов",
  "陈伟",
];
const LINES = [
  "Спасибо, всё получилось!",
  "Could you check order 10482?",
  "Когда можно забрать заказ?",
  "Добрый день! Есть в наличии размер M?",
  "That works for me, thanks",
  "А доставка в субботу возможна?",
  "The parcel arrived damaged, see the photo",
  "Оплатила, жду чек",
  "Is it possible to change the address?",
  "Ок, договорились",
];

export function seed({ isEmpty = false } = {}) {
  const world = new World();
  const anna = world.addUser("Анна Белова", "owner", "anna@example.com");
  const max = world.addUser("Максим Седов", "agent", "max@example.com");
  world.addUser("Lena Fischer", "admin", "lena@example.com");
  const gone = world.addUser("Роман Гусев", "member", "roman@example.com");
  gone.deactivated_at = iso(-20_000);
  if (isEmpty) return { world, anna, max };
  const shop = world.addInbox("Магазин", "@dubklen_bot");
  const support = world.addInbox("Support", "@parley_support_bot", { updates: "webhook" });
  world.addInbox("Песочница", "@sandbox_bot", { is_sandbox: true, phone_url: "/sandbox/phone/1" });
  world.addInbox("Опт", "@opt_bot", {
    state: "broken",
    state_reason: "401 Unauthorized: the token was revoked",
  });
  const actor = ({ id, kind, name }) => ({ id, kind, name });

  for (let i = 0; i < 140; i += 1) {
    const status =
      i % 11 === 10 ? "pending" : i % 13 === 12 ? "resolved" : i % 17 === 16 ? "snoozed" : "open";
    const row = world.addConversation(i % 3 ? shop : support, PEOPLE[(i * 7 + 3) % PEOPLE.length], {
      minutes: -30 - i * 95,
      status,
      assignee: i % 4 === 1 ? actor(anna) : i % 4 === 2 ? actor(max) : null,
    });
    if (status === "snoozed") row.snoozed_until = iso(900 + i);
    world.post(row, row.contact, { text: LINES[i % LINES.length], at: iso(-30 - i * 95) });
    if (i % 3 === 0)
      world.post(row, anna, {
        text: "Здравствуйте! Сейчас посмотрю и вернусь с ответом.",
        at: iso(-28 - i * 95),
        status: {
          state: i % 9 === 0 ? "failed" : "sent",
          error: i % 9 === 0 ? { code: "403", text: "Forbidden: bot was blocked by the user" } : null,
        },
      });
    else if (i % 5 !== 1) world.moveRead(row, anna.id, row.last_number);
  }

  const blocked = world.addConversation(support, "Tomás Herrera", {
    minutes: -50,
    isReachable: false,
    username: "tomas_h",
  });
  world.post(blocked, blocked.contact, { text: "How do I cancel?", at: iso(-50) });
  world.moveRead(blocked, anna.id, 1);

  const photo = world.addConversation(shop, "Élodie Marchand", { minutes: -24, assignee: actor(max) });
  world.post(photo, photo.contact, {
    attachments: [
      picture(world, "#7aa2c9", "#2d4a6b"),
      picture(world, "#c9987a", "#6b3d2d"),
      picture(world, "#7ac99a", "#2d6b4a"),
    ],
    at: iso(-24),
  });

  const doc = world.addConversation(support, "James Whitfield", { minutes: -17 });
  world.post(doc, doc.contact, {
    text: "",
    attachments: [document(world, "Invoice-2291.pdf", 238_100)],
    at: iso(-17),
  });

  const row = world.addConversation(shop, "Марина Ковалёва", {
    minutes: -3000,
    username: "marina_kov",
    assignee: actor(anna),
  });
  Object.assign(row.contact, {
    email: "marina@example.com",
    phone: "+7 921 555-01-23",
    note: "Постоянный клиент. Любит дуб, не любит звонки.",
  });
  for (let i = 0; i < 120; i += 1) {
    const by = i % 5 < 3 ? row.contact : i % 10 < 7 ? anna : max;
    world.post(row, by, {
      text: `${LINES[(i * 3) % LINES.length]}${i % 6 === 0 ? " Хочу уточнить по столешнице: толщина 40 мм, кромка радиусная, масло с воском." : ""}`,
      at: iso(-3000 + i * 2),
      status: by.kind === "user" ? { state: "read", error: null } : null,
    });
  }
  const say = (by, minutes, more) => world.post(row, by, { at: iso(minutes), ...more });
  say(row.contact, -1500, { text: "Добрый день! Хочу заказать стол, как на фото" });
  say(row.contact, -1499, {
    attachments: [
      picture(world, "#d8b48a", "#7a4a22", 1600, 1200),
      picture(world, "#9fb08a", "#4a5b2f", 900, 1200),
      picture(world, "#8aa4d8", "#223f7a", 1600, 900),
    ],
    text: "Вот такой, 180×90",
  });
  say(anna, -1490, {
    text: "Здравствуйте, Марина! Красивый выбор. Такой делаем за три недели: массив дуба, масло. Каталог: https://example.com/tables",
    status: { state: "read", error: null },
  });
  const note = say(max, -1488, {
    kind: "note",
    text: "Марине в прошлый раз давали скидку 7 %, можно повторить",
  });
  say(row.contact, -1480, {
    text: "Отлично. А цена?",
    reply_to: {
      id: note.id,
      sender_name: "Анна Белова",
      text: "Такой делаем за три недели: массив дуба, масло.",
      quote: "три недели",
    },
  });
  const price = say(anna, -1479, { text: "84 000 ₽ с доставкой", status: { state: "read", error: null } });
  world.edit(row, price, "84 000 ₽ с доставкой и сборкой", anna.id);
  say(row.contact, -1470, { attachments: [voice(world, 14)] });
  say(row.contact, -40, {
    text: "Жирный, курсив, код и ссылка:\nconst ok = true;",
    entities: [
      { kind: "bold", offset: 0, length: 6 },
      { kind: "italic", offset: 8, length: 6 },
      { kind: "code", offset: 16, length: 3 },
      { kind: "link", offset: 22, length: 6, url: "https://example.com" },
      { kind: "pre", offset: 30, length: 16, language: "js" },
    ],
  });
  const oops = say(row.contact, -39, { text: "ой" });
  world.remove(row, oops, row.contact.id);
  say(anna, -30, {
    text: "Договор во вложении, посмотрите, пожалуйста.",
    attachments: [document(world, "Договор поставки № 118 от 20 ноября.pdf", 1_482_000)],
    status: { state: "sent", error: null },
  });
  say(anna, -29, {
    text: "И вот схема сборки",
    attachments: [picture(world, "#b9bcd0", "#5d6180", 800, 1000)],
    status: { state: "unknown", error: null },
  });
  say(anna, -28, {
    text: "Подтвердите, если всё верно",
    status: { state: "failed", error: { code: "429", text: "Too Many Requests: retry after 35" } },
  });
  world.moveRead(row, anna.id, row.last_number);
  const last = say(row.contact, -6, { text: "Всё верно, подписываю 👍" });
  say(row.contact, -5, {
    text: "Когда ждать доставку? Буду дома после шести вечера, в будни удобнее всего. Если получится в пятницу, будет совсем хорошо.",
  });
  world.react(row, last, "❤️", anna.id, true);
  return { world, anna, max };
}
