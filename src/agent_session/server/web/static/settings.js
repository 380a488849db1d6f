// The theme of this device, and what htmx has put into the page.
import { adorn, notice } from "./page.js";
import { isOn, possible, switchOff, switchOn } from "./push.js";
const chosen = localStorage.getItem("theme") ?? "";
for (const radio of document.querySelectorAll("#theme input")) {
  radio.checked = radio.value === chosen;
  radio.addEventListener("change", () => {
    if (radio.value) localStorage.setItem("theme", radio.value);
    else localStorage.removeItem("theme");
    document.documentElement.dataset.theme = radio.value;
  });
}
document.addEventListener("htmx:after:swap", () => adorn(document));

// Notifications of this device
const push = document.getElementById("push");
const told = document.getElementById("push-told");
if (!possible) {
  told.textContent = "This browser cannot show them here: they need HTTPS, and on an iPhone or iPad the page on the home screen.";
} else {
  isOn().then((on) => {
    push.checked = on;
    push.disabled = false;
  });
}
push.addEventListener("change", async () => {
  push.disabled = true;
  try {
    await (push.checked ? switchOn() : switchOff());
    told.textContent = push.checked ? "This device is told." : "This device is not told.";
  } catch (error) {
    push.checked = !push.checked;
    notice(error.message);
  }
  push.disabled = false;
});
