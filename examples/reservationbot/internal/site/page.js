// SPDX-License-Identifier: MIT
//
// Makes the page live. Without it every button is a form that loads the page
// again; with it forms are sent in the background, and the sections that have
// changed arrive as HTML from /events.
"use strict";
const $ = (s, root = document) => root.querySelector(s);
const all = (s) => document.querySelectorAll(s);
const page = document.body.dataset;
let ahead = page.now - Date.now(); // the server's clock over ours
let night = ""; // the calendar's button that Tab leads to
let stream;

// What changes with time alone is counted here.
function count() {
  const now = Date.now() + ahead;
  const clock = (s) => Math.floor(s / 60) + ":" + String(s % 60).padStart(2, "0");
  for (const e of all("[data-until]")) {
    const left = Math.max(0, Math.round((e.dataset.until - now) / 1000));
    if (e.localName === "progress") e.value = left;
    else e.textContent = "seconds" in e.dataset ? left + " s" : clock(left);
  }
  for (const e of all("[data-since]")) {
    const ago = Math.max(0, Math.round((now - e.dataset.since) / 1000));
    e.textContent = ago < 120 ? ago + " s" : Math.round(ago / 60) + " min";
  }
}

// Only one night is in the Tab order; the arrow keys lead to the others.
function rove() {
  const nights = [...all("#calendar button")];
  if (!nights.some((b) => b.value === night)) night = nights[0]?.value;
  for (const b of nights) b.tabIndex = b.value === night ? 0 : -1;
}

function put(id, html) {
  const place = document.getElementById(id);
  if (!place) return;
  const had = place.contains(document.activeElement) && document.activeElement;
  place.innerHTML = html;
  if (had && !place.contains(document.activeElement)) {
    const again = [...place.querySelectorAll("button")].find((b) => b.name === had.name && b.value === had.value);
    (again || $("button", place))?.focus();
  }
  if (id === "chat") place.scrollTop = place.scrollHeight;
}

function apply(event) {
  for (const line of event.data.split("\n")) {
    const space = line.indexOf(" "), id = line.slice(0, space), rest = line.slice(space + 1);
    if (id === "now") ahead = rest - Date.now();
    else put(id, rest);
  }
  rove();
  count();
}

function say(live) {
  const e = $("#live");
  e.textContent = live ? e.dataset.live : e.dataset.away;
  e.classList.toggle("off", !live);
}

// A browser has six connections to a site for all its tabs: those that no one
// looks at give theirs back.
function listen() {
  stream?.close();
  if (document.hidden) return;
  const own = (stream = new EventSource("/events?" + new URLSearchParams({ guest: page.guest, lang: document.documentElement.lang })));
  own.onopen = () => say(true);
  own.addEventListener("reload", apply);
  own.addEventListener("change", apply);
  own.onerror = () => {
    say(false);
    if (own.readyState === EventSource.CLOSED && own === stream) setTimeout(listen, 1000);
  };
}

// What could not be sent is said beside its form, and a message comes back into
// its field.
document.addEventListener("submit", async (event) => {
  const form = event.target, button = event.submitter;
  if (form.method !== "post" || "leaves" in form.dataset) return;
  event.preventDefault();
  const to = button?.getAttribute("formaction") || form.getAttribute("action");
  const body = new URLSearchParams(new FormData(form, button));
  const trouble = $(".unsent", form.closest("section"));
  if (form.id === "talk") form.elements.text.value = "";
  let why = "";
  try {
    const answer = await fetch(to, { method: "POST", body, redirect: "manual", signal: AbortSignal.timeout(10000) });
    if (answer.type === "basic" && !answer.ok) why = await answer.text();
  } catch {
    why = page.unsent;
  }
  trouble.textContent = why;
  if (why && form.id === "talk") form.elements.text.value ||= body.get("text");
});

document.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -14, ArrowDown: 14 }[event.key];
  if (!step || !event.target.closest("#calendar")) return;
  const nights = [...all("#calendar button")];
  const next = nights[nights.indexOf(event.target) + step];
  if (!next) return;
  event.preventDefault();
  night = next.value;
  rove();
  next.focus();
});

document.addEventListener("focusin", (event) => {
  if (event.target.name !== "night") return;
  night = event.target.value;
  rove();
});

document.addEventListener("visibilitychange", listen);
$("#chat").scrollTop = $("#chat").scrollHeight;
setInterval(count, 250);
rove();
count();
listen();
