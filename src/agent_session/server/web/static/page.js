// What every page does: one stream that says what has changed, the list of sessions, keys, copying, start, stop, delete.
const session = document.body.dataset.session;
const kind = document.body.dataset.page;
export const here = document.body.dataset.here;
const shared = here.startsWith("/share/"); // who only watches, with a link
export const heard = new EventTarget();
const by = (id) => document.getElementById(id);

// --- Asking the server ---

export async function ask(address, { method = "GET", form, json, headers } = {}) {
  const body = json ? JSON.stringify(json) : form && new URLSearchParams(form);
  if (json) headers = { "Content-Type": "application/json" };
  const answer = await fetch(address, { method, body, headers, cache: "no-store" });
  if (answer.status === 401 || (shared && answer.status === 404)) location.reload();
  return answer;
}

export async function reason(answer) {
  const told = await answer.json().catch(() => ({}));
  const detail = typeof told.detail === "string" ? told.detail : "The server did not understand this.";
  return [detail, ...(told.hints ?? [])].join("\n");
}

let fading;
export function notice(text) {
  by("notice").textContent = text;
  by("notice").hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => (by("notice").hidden = true), 8000);
}

// --- Replacing parts of the page, without touching what is the same ---

export function reconcile(parent, html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  const fresh = [...holder.content.children];
  const old = new Map([...parent.children].filter((one) => one.id).map((one) => [one.id, one]));
  let place = parent.firstElementChild;
  for (const one of fresh) {
    const there = old.get(one.id);
    const keep = there && there.dataset.source === one.outerHTML ? there : one;
    if (keep === one) one.dataset.source = one.outerHTML;
    if (keep === place) place = place.nextElementSibling;
    else parent.insertBefore(keep, place);
    if (there && keep !== there) {
      if (there === place) place = place.nextElementSibling;
      there.remove();
    }
    old.delete(one.id);
  }
  while (place) {
    const next = place.nextElementSibling;
    place.remove();
    place = next;
  }
  adorn(parent);
}

// --- The list ---

let asked = 0;
let again = false;
async function list() {
  if (asked) return void (again = true);
  asked = 1;
  try {
    const answer = await ask("/page/list");
    if (answer.ok) {
      const active = document.activeElement?.closest?.("#list li")?.id;
      reconcile(by("list"), await answer.text());
      if (active && document.activeElement === document.body) by(active)?.querySelector("a")?.focus();
      mark();
      filter();
    }
  } catch {
    // the stream says when the server is back, and then the list is asked for again
  } finally {
    setTimeout(() => {
      asked = 0;
      if (again) list();
      again = false;
    }, 300);
  }
}

function mark() {
  for (const row of document.querySelectorAll("#list a.row")) {
    if (row.pathname === `/sessions/${session}`) row.setAttribute("aria-current", "page");
  }
}

function filter() {
  const words = (by("filter")?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  const rows = by("list").children;
  for (const row of rows) {
    row.hidden = !words.every((word) => row.dataset.text.includes(word));
    shown += !row.hidden;
  }
  if (by("none")) by("none").hidden = rows.length > 0;
  if (by("nothing")) by("nothing").hidden = shown > 0 || rows.length === 0;
}

// --- What has changed ---

let stream = null;
let hiding;
function connect() {
  const own = `/page/stream${session ? `?session=${encodeURIComponent(session)}` : ""}`;
  stream = new EventSource(shared ? `${here}/stream` : own);
  stream.addEventListener("open", () => {
    by("connection").hidden = true;
    heard.dispatchEvent(new Event("open"));
  });
  stream.addEventListener("error", () => {
    by("connection").hidden = false;
    if (stream?.readyState === EventSource.CLOSED) setTimeout(shared ? () => location.reload() : connect, 3000);
  });
  stream.addEventListener("live", (event) => heard.dispatchEvent(new CustomEvent("live", { detail: JSON.parse(event.data) })));
  stream.addEventListener("changed", (event) => {
    const told = JSON.parse(event.data);
    if (by("list") && ["snapshot", "session", "gone"].includes(told.kind)) list();
    if (told.session === session && session && told.kind === "gone") return void (shared ? location.reload() : (location.href = "/"));
    if (told.kind === "snapshot" || told.session === session) heard.dispatchEvent(new CustomEvent("changed", { detail: told }));
  });
}

// A page that nobody sees has no stream: browsers have few connections, and the phone shall be told instead.
document.addEventListener("visibilitychange", () => {
  clearTimeout(hiding);
  if (document.hidden) hiding = setTimeout(() => (stream?.close(), (stream = null)), 3000);
  else if (!stream && kind !== "settings") connect();
});

function ages() {
  for (const one of document.querySelectorAll("time[datetime]")) {
    const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(one.dateTime)) / 1000));
    const [size, unit] = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]].find(([size]) => seconds >= size) ?? [1, "s"];
    const text = `${Math.floor(seconds / size)} ${unit}`;
    if (one.textContent !== text) one.textContent = text;
  }
}

// --- Copying code ---

export function adorn(parent) {
  for (const code of parent.querySelectorAll(".block pre, .card pre")) {
    if (code.parentElement.classList.contains("copied")) continue;
    const holder = document.createElement("div");
    holder.className = "copied";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button copy";
    button.textContent = "Copy";
    code.replaceWith(holder);
    holder.append(code, button);
    code.tabIndex = 0;
  }
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea"); // a page over plain HTTP may not use the clipboard itself
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest(".copy");
  if (!button) return;
  await copy(button.previousElementSibling.textContent);
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 1500);
});

// --- Start, stop, delete ---

async function act(button, what) {
  button.disabled = true;
  try {
    const answer = await ask(`/api/sessions/${session}/${what}`, { method: "POST" });
    if (!answer.ok) notice(await reason(answer));
  } catch {
    notice("The server cannot be reached. Nothing was done.");
  } finally {
    button.disabled = false;
    heard.dispatchEvent(new CustomEvent("changed", { detail: { kind: "session", session } }));
  }
}

async function remove() {
  by("losses").textContent = "Looking for work that exists nowhere else…";
  by("really").disabled = true;
  by("delete").showModal();
  const answer = await ask(`/page/sessions/${session}/losses`);
  by("losses").innerHTML = answer.ok ? await answer.text() : "";
  if (!answer.ok) by("losses").textContent = await reason(answer);
  by("really").disabled = !answer.ok;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-do]");
  if (!button) return;
  if (button.dataset.do === "delete") await remove();
  else await act(button, button.dataset.do);
});

by("really")?.addEventListener("click", async () => {
  by("really").disabled = true;
  const answer = await ask(`/api/sessions/${session}?discard_work=true`, { method: "DELETE" });
  if (answer.ok || answer.status === 404) location.href = "/";
  else by("losses").textContent = await reason(answer);
});

heard.addEventListener("state", ({ detail: { running } }) => {
  for (const button of document.querySelectorAll(".session-actions [data-do]")) {
    if (button.dataset.do !== "delete") button.hidden = running === (button.dataset.do === "start");
  }
});

// --- Share ---

by("share-open")?.addEventListener("click", async () => {
  const { open } = await import("./share.js");
  await open();
});
for (const one of document.querySelectorAll("[data-until]")) one.textContent = new Date(one.dateTime).toLocaleString();

// --- Keys ---

function move(step) {
  const rows = [...document.querySelectorAll("#list li:not([hidden]) a")].filter((row) => row.offsetParent);
  const at = rows.indexOf(document.activeElement.closest?.("a.row"));
  const current = at < 0 ? rows.findIndex((row) => row.hasAttribute("aria-current")) : at;
  rows[Math.min(rows.length - 1, Math.max(0, current < 0 ? 0 : current + step))]?.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || kind === "terminal" || shared) return;
  const writing = event.target.closest("input:not([type=radio], [type=checkbox]), textarea, select");
  if (event.key === "Escape" && !document.querySelector("dialog[open]")) {
    if (writing) writing.blur();
    else if (location.pathname !== "/") location.href = "/";
    return;
  }
  if (writing || document.querySelector("dialog[open]")) return;
  const does = {
    j: () => move(1),
    k: () => move(-1),
    "/": () => (by("message") ?? by("filter"))?.focus(),
    "?": () => by("keys").showModal(),
    n: () => (location.href = "/new"),
  }[event.key];
  if (!does) return;
  event.preventDefault();
  does();
});

by("filter")?.addEventListener("input", filter);
by("unfilter")?.addEventListener("click", () => {
  by("filter").value = "";
  filter();
});
mark();
adorn(document);
setInterval(ages, 5000);
// after all other modules of the page, so that none misses an event
if (kind === "list" && localStorage.getItem("push")) import("./push.js").then(({ bindAgain }) => bindAgain()).catch(() => {});
if (kind !== "settings") document.addEventListener("DOMContentLoaded", connect);
