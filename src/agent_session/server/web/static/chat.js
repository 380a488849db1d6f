// A conversation: the agent's own record, and below it the turn that goes on, as the server renders it.
import { adorn, ask, heard, here, notice, reason, reconcile } from "./page.js";
const by = (id) => document.getElementById(id);
const session = document.body.dataset.session;
const [scroll, history, live, status, message] = ["scroll", "history", "live", "status", "message"].map(by);
let limit = 50;

// --- Staying at the end, unless somebody reads further up ---

let atEnd = true;
scroll.addEventListener("scroll", () => {
  atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60;
  if (atEnd) by("down").hidden = true;
});
function follow() {
  if (atEnd) scroll.scrollTop = scroll.scrollHeight;
  else by("down").hidden = false;
}
by("down").addEventListener("click", () => {
  atEnd = true;
  follow();
});
new ResizeObserver(() => atEnd && follow()).observe(scroll);

// --- The record ---

let reading = null;
let readAgain = false;
async function read() {
  if (reading) return void (readAgain = true);
  reading = fetchRecord().catch(() => {}).finally(() => {
    reading = null;
    if (readAgain) read();
    readAgain = false;
  });
  await reading;
}

async function fetchRecord() {
  const answer = await ask(`${here}/conversation?limit=${limit}`);
  if (!answer.ok) {
    if (!history.querySelector("article")) history.textContent = await reason(answer);
    return;
  }
  const holder = document.createElement("template");
  holder.innerHTML = await answer.text();
  const told = holder.content.firstElementChild;
  const height = scroll.scrollHeight - scroll.scrollTop;
  reconcile(history, told.innerHTML);
  if (message) pictures(history);
  for (const turn of [...live.children]) if (turn.dataset.turn !== told.dataset.live) turn.remove();
  if (live.childElementCount) by("empty")?.remove();
  if (atEnd) follow();
  else if (earlier) scroll.scrollTop = scroll.scrollHeight - height;
  earlier = false;
}

let earlier = false;
history.addEventListener("click", (event) => {
  if (event.target.id !== "earlier") return;
  limit = Number(event.target.dataset.limit);
  earlier = true;
  atEnd = false;
  read();
});

// --- Pictures that the agent has made: from its own files, where they still are ---

function pictures(parent) {
  for (const place of parent.querySelectorAll(".picture:empty")) {
    const image = new Image();
    image.loading = "lazy";
    image.alt = place.dataset.path;
    image.src = `${here}/picture?path=${encodeURIComponent(place.dataset.path)}`;
    image.addEventListener("error", () => place.remove());
    image.addEventListener("load", follow);
    place.append(image);
  }
}

// --- The turn that goes on ---

heard.addEventListener("live", ({ detail: { turn, at, html } }) => {
  let section = live.querySelector(`[data-turn="${turn}"]`);
  if (!section) {
    section = document.createElement("section");
    section.dataset.turn = turn;
    live.append(section);
    by("empty")?.remove();
  }
  while (section.children.length > at) section.lastElementChild.remove();
  section.insertAdjacentHTML("beforeend", html.join(""));
  adorn(section);
  follow();
});

// --- Its state, questions and line ---

let value = status.firstElementChild.dataset.state;
let asking = null;
let askAgain = false;
async function look() {
  if (asking) return void (askAgain = true);
  asking = ask(`${here}/status`).then(async (answer) => {
    if (answer.ok) show(await answer.text());
  }).catch(() => {}).finally(() => {
    asking = null;
    if (askAgain) look();
    askAgain = false;
  });
  await asking;
}

function show(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  const fresh = holder.content.firstElementChild;
  const old = status.firstElementChild;
  const same = (one) => one.querySelector(".question")?.dataset.question;
  const own = status.querySelector("#own")?.value;
  const wrote = document.activeElement?.id === "own";
  if (fresh.outerHTML !== old.dataset.source) {
    fresh.dataset.source = fresh.outerHTML;
    const kept = same(fresh) !== undefined && same(fresh) === same(old);
    old.replaceWith(fresh);
    if (kept && own) by("own").value = own;
    if (kept && wrote) by("own").focus();
  }
  by("badge").innerHTML = fresh.querySelector(".badge").innerHTML;
  heard.dispatchEvent(new CustomEvent("state", { detail: { running: fresh.dataset.running === "yes" } }));
  const before = value;
  value = fresh.dataset.state;
  if (value !== before) read();
  follow();
}

heard.addEventListener("changed", ({ detail: { kind, detail } }) => {
  look();
  if (kind === "end" || kind === "failed") read();
  if (kind === "failed" && detail) fail(detail);
});
heard.addEventListener("open", () => {
  read();
  look();
});
setInterval(() => {
  // a turn that was typed in the terminal has no pieces here: its record is read while it goes on
  if (value === "working" && !live.childElementCount && !document.hidden) read();
}, 2500);

function fail(text) {
  const note = document.createElement("p");
  note.className = "problem";
  note.textContent = text;
  by("failures").replaceChildren(note);
  follow();
}

status.addEventListener("click", async (event) => {
  const { answer, cancel } = event.target.dataset;
  if (answer !== undefined) await reply(answer, event.target);
  if (cancel) {
    event.target.disabled = true;
    await ask(`/api/sessions/${session}/queue/${cancel}`, { method: "DELETE" });
    look();
  }
});
status.addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = by("own").value.trim();
  if (!text) return;
  if (event.target.dataset.kind === "permission") await reply("reject", by("own"), text);
  else await reply(text, by("own"));
});

async function reply(answer, element, words = "") {
  const question = element.closest(".question");
  for (const button of question.querySelectorAll("button")) button.disabled = true;
  try {
    const done = await ask(`${here}/answer`, {
      method: "POST", form: { reply: answer, question: question.dataset.question, message: words },
    });
    if (!done.ok && done.status !== 409) notice(await reason(done)); // 409: somebody else was faster, and that is well
  } catch {
    notice("Not confirmed: the server cannot be reached.");
  } finally {
    for (const button of question.querySelectorAll("button")) button.disabled = false;
    look();
  }
}

// --- Writing ---

const kept = `draft ${session}`;
const keptKey = `key ${session}`;
function unique() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
async function models() {
  const select = by("model");
  const answer = await ask(`/api/sessions/${session}/models`);
  if (!answer.ok) return;
  const chosen = select.value;
  const options = (await answer.json()).map(({ id, name, current }) => new Option(current ? `${name} (in use)` : name, id));
  select.replaceChildren(select.options[0], ...options);
  if (options.some(({ value }) => value === chosen)) select.value = chosen;
}

if (message) {
  const keptModel = `model ${session}`;
  const model = localStorage.getItem(keptModel);
  if (model) by("model").append(new Option(model, model, true, true));
  by("model").addEventListener("change", () => {
    localStorage.setItem(keptModel, by("model").value);
    localStorage.removeItem(keptKey);
  });
  for (const kind of ["pointerenter", "focus"]) by("model").addEventListener(kind, models, { once: true });
  message.value = localStorage.getItem(kept) ?? "";
  message.addEventListener("input", () => {
    localStorage.setItem(kept, message.value);
    localStorage.removeItem(keptKey);
  });
  message.addEventListener("keydown", (event) => {
    const phone = matchMedia("(pointer: coarse)").matches;
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing && !phone) {
      event.preventDefault();
      by("compose").requestSubmit();
    }
  });
  by("compose").addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = message.value;
    if (!text.trim() || by("send").disabled) return;
    by("send").disabled = true;
    by("problem").hidden = true;
    by("failures").replaceChildren();
    const key = localStorage.getItem(keptKey) ?? unique(); // sent again, it is the same message
    localStorage.setItem(keptKey, key);
    try {
      const answer = await ask(`${here}/prompt`, { method: "POST", form: { text, model: by("model").value }, headers: { "Idempotency-Key": key } });
      if (!answer.ok) throw new Error(await reason(answer));
      localStorage.removeItem(kept);
      localStorage.removeItem(keptKey);
      if (message.value === text) message.value = "";
      atEnd = true;
    } catch (error) {
      by("problem").textContent = error instanceof TypeError ? "Not sent: the server cannot be reached. Your text is kept." : error.message;
      by("problem").hidden = false;
    } finally {
      by("send").disabled = false;
      look();
      follow();
    }
  });
  if (matchMedia("(pointer: fine)").matches) message.focus();
}
