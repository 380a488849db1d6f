// The theme of this device, and what htmx has put into the page.
import { adorn } from "./page.js";
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
