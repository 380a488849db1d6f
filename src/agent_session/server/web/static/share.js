// Links with which somebody without an account watches this session.
import { adorn, ask, notice, reason } from "./page.js";
const by = (id) => document.getElementById(id);
const links = `/api/sessions/${document.body.dataset.session}/shares`;

export async function open() {
  by("share-made").replaceChildren();
  by("share").showModal();
  await list();
}

async function list() {
  const answer = await ask(links);
  if (!answer.ok) return void notice(await reason(answer));
  by("shares").replaceChildren(...(await answer.json()).map(row));
}

function row({ id, expires_at, last_used }) {
  const item = document.createElement("li");
  const about = document.createElement("div");
  about.append(`Until ${new Date(expires_at).toLocaleString()}`);
  const used = document.createElement("span");
  used.className = "soft";
  used.textContent = last_used ? `last opened ${new Date(last_used).toLocaleString()}` : "not opened yet";
  about.append(used);
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button danger";
  button.textContent = "Take back";
  button.addEventListener("click", async () => {
    const answer = await ask(`${links}/${id}`, { method: "DELETE" });
    if (!answer.ok && answer.status !== 404) notice(await reason(answer));
    by("share-made").replaceChildren();
    await list();
  });
  item.append(about, button);
  return item;
}

by("share-new").addEventListener("submit", async (event) => {
  event.preventDefault();
  const lasts = event.target.elements.lasts.value;
  const answer = await ask(links, { method: "POST", json: { lasts } });
  if (!answer.ok) return void notice(await reason(answer));
  const { url } = await answer.json();
  const holder = document.createElement("div");
  holder.className = "block";
  const code = document.createElement("code");
  code.textContent = url;
  holder.append(Object.assign(document.createElement("pre"), {}));
  holder.firstChild.append(code);
  const word = document.createElement("p");
  word.textContent = "Copy the link now, it is not shown again:";
  by("share-made").replaceChildren(word, holder);
  adorn(by("share-made"));
  await list();
});
