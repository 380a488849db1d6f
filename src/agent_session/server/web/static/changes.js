// What a session changed, and comments on its lines, which become one message to the agent.
import { ask, heard, notice, reason } from "./page.js";
const by = (id) => document.getElementById(id);
const session = document.body.dataset.session;
const kept = `comments ${session}`;
const comments = new Map(JSON.parse(localStorage.getItem(kept) ?? "[]"));

async function read() {
  const answer = await ask(`/page/sessions/${session}/changes?against=${by("changes").dataset.against}`);
  if (answer.ok) by("changes").innerHTML = await answer.text();
  else by("changes").textContent = await reason(answer);
  for (const [place, { text }] of comments) {
    const line = [...document.querySelectorAll("[data-place]")].find((one) => one.dataset.place === place);
    if (line) show(line, text);
  }
  count();
}

function count() {
  localStorage.setItem(kept, JSON.stringify([...comments]));
  if (!by("comments")) return;
  by("comments").hidden = comments.size === 0;
  by("count").textContent = comments.size === 1 ? "1 comment" : `${comments.size} comments`;
}

function show(line, text = "") {
  if (line.nextElementSibling?.classList.contains("comment")) return void line.nextElementSibling.firstElementChild.focus();
  const holder = document.createElement("div");
  holder.className = "comment";
  const area = document.createElement("textarea");
  area.rows = 2;
  area.value = text;
  area.setAttribute("aria-label", `Comment on ${line.dataset.place}`);
  area.placeholder = "What should be different here?";
  area.addEventListener("input", () => {
    if (area.value.trim()) comments.set(line.dataset.place, { text: area.value, line: line.querySelector(".text").textContent });
    else comments.delete(line.dataset.place);
    count();
  });
  area.addEventListener("blur", () => area.value.trim() || holder.remove());
  holder.append(area);
  line.after(holder);
  return area;
}

by("changes").addEventListener("click", (event) => {
  const line = event.target.closest("[data-place]");
  if (line && by("comments") && !getSelection().toString()) show(line)?.focus();
});
by("forget")?.addEventListener("click", () => {
  comments.clear();
  for (const one of document.querySelectorAll(".comment")) one.remove();
  count();
});
by("comments")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  by("give").disabled = true;
  const parts = [...comments].map(([place, { text, line }]) => `${place}\n> ${line.trim()}\n${text.trim()}`);
  const text = `Please change these places:\n\n${parts.join("\n\n")}`;
  try {
    const answer = await ask(`/page/sessions/${session}/prompt`, { method: "POST", form: { text } });
    if (!answer.ok) throw new Error(await reason(answer));
    comments.clear();
    count();
    location.href = `/sessions/${session}`;
  } catch (error) {
    notice(error instanceof TypeError ? "Not sent: the server cannot be reached. The comments are kept." : error.message);
    by("give").disabled = false;
  }
});
heard.addEventListener("changed", ({ detail: { kind } }) => kind === "end" && !document.querySelector(".comment") && read());
read();
