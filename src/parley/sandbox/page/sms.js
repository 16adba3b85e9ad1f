"use strict";
// What came by SMS, for every number: polled, newest first. Text is put in as text.

const WORDS = {
  en: {
    sandbox: "sandbox", otherLanguage: "Русский", theme: "Light or dark", title: "Messages by SMS",
    intro: "While no provider is set, codes for phones arrive here instead of on a phone.",
    phone: "Number (empty: all)", clear: "Empty the box", empty: "Nothing has come yet.", lost: "The sandbox does not answer. Trying again…", live: "New messages appear by themselves.",
  },
  ru: {
    sandbox: "песочница", otherLanguage: "English", theme: "Светлая или тёмная", title: "Сообщения по SMS",
    intro: "Пока поставщик не настроен, коды для телефонов приходят сюда, а не на телефон.",
    phone: "Номер (пусто: все)", clear: "Очистить", empty: "Пока ничего не пришло.", lost: "Песочница не отвечает. Пробуем снова…", live: "Новые сообщения появляются сами.",
  },
};
const PAUSE_MS = 1500;
const $ = (id) => document.getElementById(id);
let language = localStorage.getItem("parley.sandbox.language") || (navigator.languages.some((one) => one.startsWith("ru")) ? "ru" : "en");
let shown = "";

const t = (key) => WORDS[language][key];

function make(tag, className, ...children) {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...children);
  return element;
}

function translate() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", t(element.dataset.label));
  $("language").textContent = t("otherLanguage");
  shown = "";
}

function words(text) {
  const line = make("p", "words");
  for (const part of text.split(/(\b\d{4,8}\b)/)) line.append(/^\d{4,8}$/.test(part) ? make("mark", "", part) : part);
  return line;
}

function paint(messages) {
  const now = JSON.stringify(messages);
  if (now === shown) return;
  shown = now;
  $("clear").hidden = !messages.length;
  const rows = messages.map((one) => {
    const time = make("time", "muted small", new Date(one.at * 1000).toLocaleTimeString(language));
    return make("li", "", make("div", "to", make("b", "", one.phone), time), words(one.text));
  });
  $("messages").replaceChildren(...(rows.length ? rows : [make("li", "empty", t("empty"))]));
}

async function look() {
  try {
    const phone = $("phone").value.trim();
    const answer = await fetch(`control/sms?${new URLSearchParams({ phone })}`);
    if (!answer.ok) throw new Error(String(answer.status));
    paint((await answer.json()).messages);
    $("state").textContent = t("live");
    $("state").className = "status good";
  } catch {
    $("state").textContent = t("lost");
    $("state").className = "status bad";
  }
}

async function keepLooking() {
  for (;;) {
    if (!document.hidden) await look();
    await new Promise((done) => setTimeout(done, PAUSE_MS));
  }
}

const theme = localStorage.getItem("parley.sandbox.theme");
if (theme) document.documentElement.dataset.theme = theme;
$("theme").onclick = () => {
  const set = document.documentElement.dataset.theme;
  const isDark = set ? set === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = isDark ? "light" : "dark";
  localStorage.setItem("parley.sandbox.theme", document.documentElement.dataset.theme);
};
$("language").onclick = () => {
  language = language === "ru" ? "en" : "ru";
  localStorage.setItem("parley.sandbox.language", language);
  translate();
  look();
};
$("phone").oninput = look;
$("clear").onclick = async () => {
  await fetch("control/sms", { method: "DELETE" });
  look();
};
$("phone").value = new URLSearchParams(location.search).get("phone") ?? "";
translate();
keepLooking();
