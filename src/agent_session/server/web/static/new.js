// The form for a new session: its progress comes line by line, and what it holds survives a reload.
import { reason } from "./page.js";
const form = document.getElementById("new");
const [progress, problem, button] = ["progress", "problem", "create"].map((id) => document.getElementById(id));
const kept = JSON.parse(sessionStorage.getItem("new") ?? "{}");
for (const name of ["projects", "message", "title"]) if (kept[name]) form.elements[name].value = kept[name];
let key = crypto.randomUUID?.() ?? String(Math.random()).slice(2) + Date.now();
form.addEventListener("input", () => {
  key = crypto.randomUUID?.() ?? String(Math.random()).slice(2) + Date.now(); // another session than the one that was tried
  sessionStorage.setItem("new", JSON.stringify(Object.fromEntries(new FormData(form))));
});

function tell(line) {
  const item = document.createElement("li");
  item.textContent = line;
  progress.append(item);
  progress.hidden = false;
}

async function* lines(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const found = (rest + value).split("\n");
    rest = found.pop();
    for (const line of found) if (line) yield JSON.parse(line);
  }
}

async function create() {
  const answer = await fetch("/page/sessions", {
    method: "POST", body: new URLSearchParams(new FormData(form)), headers: { "Idempotency-Key": key },
  });
  if (!answer.ok) throw new Error(await reason(answer));
  for await (const line of lines(answer)) {
    if (line.error) throw new Error([line.error, ...line.hints].join("\n"));
    if (line.line) tell(line.line);
    if (line.session) {
      sessionStorage.removeItem("new");
      location.href = `/sessions/${line.session}`;
      return;
    }
  }
  throw new Error("The connection was lost. The session may have been made: see the list.");
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  problem.hidden = true;
  progress.replaceChildren();
  try {
    await create();
  } catch (error) {
    problem.textContent = error instanceof TypeError ? "The server cannot be reached. Try again." : error.message;
    problem.hidden = false;
    progress.hidden = true;
    button.disabled = false;
  }
});
form.elements.message.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
