// The session's terminal: xterm.js on a WebSocket to a client of the very Zellij session.
import "./styles_by_sheet.js";
import { FitAddon } from "./vendor/addon-fit.mjs";
import { Terminal } from "./vendor/xterm.mjs";
const by = (id) => document.getElementById(id);
const { here } = document.body.dataset;
const shared = here.startsWith("/share/"); // to watch, with a link
const [screen, told, again, watch] = ["screen", "told", "again", "watch"].map((id) => by(id) ?? {});
const phone = matchMedia("(pointer: coarse)").matches;
const term = new Terminal({
  fontFamily: 'ui-monospace, "SF Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace',
  fontSize: phone ? 12 : 14, cursorBlink: false, scrollback: 0, allowProposedApi: false,
  theme: { background: "#121412", foreground: "#e7e9e5", cursor: "#8fd0bb" },
});
const fit = new FitAddon();
term.loadAddon(fit);
term.open(screen);
watch.checked = phone || shared; // a phone's size would be everybody's

let socket = null;
let wait = 500;
let left = false;
function connect() {
  if (!document.querySelector(".terminal").dataset.running) return;
  clearTimeout(connect.later);
  again.hidden = true;
  fit.fit();
  const words = new URLSearchParams({ columns: term.cols, rows: term.rows, watch: watch.checked });
  const now = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}${here}/${shared ? "screen" : "terminal"}?${words}`);
  socket = now;
  now.binaryType = "arraybuffer";
  now.onopen = () => term.reset();
  now.onmessage = ({ data }) => {
    if (typeof data === "string") return void tell(JSON.parse(data).others);
    wait = 500;
    say(watch.checked ? "You watch; nothing is typed." : phone ? "This screen's size is everybody's now." : "");
    term.write(new Uint8Array(data));
  };
  now.onclose = ({ code, reason }) => {
    if (socket !== now) return;
    if (code === 4003) return void say(reason || "The terminal was refused.", true);
    if (code === 4001) return void say("You have left the terminal. The session goes on.", true);
    say("Not connected; trying again");
    connect.later = setTimeout(connect, (wait = Math.min(8000, wait * 2)));
  };
}
function tell(others) {
  by("others").textContent = others.length ? `Also here: ${others.join(", ")}` : "";
}
function say(text, over = false) {
  if (told.textContent !== text) told.textContent = text;
  again.hidden = !over;
}
function send(text) {
  if (socket?.readyState === WebSocket.OPEN && !watch.checked) socket.send(new TextEncoder().encode(text));
}

let control = false;
term.onData((text) => {
  if (control && text.length === 1) {
    text = String.fromCharCode(text.toUpperCase().charCodeAt(0) & 0x1f);
    hold(false);
  }
  send(text);
});
term.onBinary((text) => {
  if (socket?.readyState === WebSocket.OPEN && !watch.checked) socket.send(Uint8Array.from(text, (one) => one.charCodeAt(0)));
});
term.attachCustomKeyEventHandler((event) => {
  if (event.key === "Enter" && event.shiftKey && event.type === "keydown") {
    send("\x1b\r"); // a new line for the agents that know it
    event.preventDefault();
    return false;
  }
  return !(event.key === "Enter" && event.shiftKey);
});
term.onResize(({ cols, rows }) => {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ cols, rows }));
});
new ResizeObserver(() => fit.fit()).observe(screen);
function hold(on) {
  control = on;
  document.querySelector("[aria-pressed]").setAttribute("aria-pressed", String(on));
}
document.querySelector(".keys")?.addEventListener("click", (event) => {
  const { key } = event.target.dataset;
  if (key === undefined) return;
  if (key === "") hold(!control);
  else send(key.match(/../g).map((pair) => String.fromCharCode(parseInt(pair, 16))).join(""));
  term.focus();
});
again.addEventListener("click", connect);
watch.addEventListener?.("change", () => {
  const before = socket;
  connect();
  before?.close();
  term.focus();
});
addEventListener("pagehide", () => socket?.close());
document.addEventListener("visibilitychange", () => !document.hidden && socket?.readyState > 1 && again.hidden && connect());
connect();
term.focus();
