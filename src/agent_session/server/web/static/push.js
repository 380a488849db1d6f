// Notifications of this browser: switched on and off here, and bound anew where the server has forgotten them.
import { ask, reason } from "./page.js";
const kept = "push";
export const possible = "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;

export async function isOn() {
  const answer = await ask("/api/push");
  return answer.ok && Notification.permission === "granted" && (await answer.json()).on;
}

export async function switchOn() {
  if ((await Notification.requestPermission()) !== "granted") {
    throw new Error("This browser does not allow notifications of this page; its settings for the page say so.");
  }
  await navigator.serviceWorker.register("/sw.js", { scope: "/" });
  await bind();
  localStorage.setItem(kept, "on");
}

export async function switchOff() {
  localStorage.removeItem(kept);
  const answer = await ask("/api/push", { method: "DELETE" });
  if (!answer.ok) throw new Error(await reason(answer));
  const registration = await navigator.serviceWorker.getRegistration("/");
  await (await registration?.pushManager.getSubscription())?.unsubscribe();
}

export async function bindAgain() {
  if (localStorage.getItem(kept) && possible && Notification.permission === "granted" && !(await isOn())) await bind();
}

async function bind() {
  const { key } = await (await ask("/api/push")).json();
  const { pushManager } = await navigator.serviceWorker.ready;
  const before = await pushManager.getSubscription();
  if (before && text(before.options.applicationServerKey) !== key) await before.unsubscribe();
  const fresh = await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  const answer = await ask("/api/push", { method: "PUT", json: fresh.toJSON() });
  if (!answer.ok) throw new Error(await reason(answer));
}

function text(buffer) {
  const plain = btoa(String.fromCharCode(...new Uint8Array(buffer ?? [])));
  return plain.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
