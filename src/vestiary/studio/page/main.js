// Starts the page: state, language, colours, addresses after #, keys.

import { html, render } from "./vendor/preact-htm.js";
import { onReach } from "./api.js";
import { App } from "./app.js";
import { redo, start, undo, wear } from "./actions.js";
import { chooseLanguage } from "./i18n.js";
import { recall, set, state } from "./store.js";
import { applyTheme } from "./theme.js";

const RETRY = 2000; // ms between two looks whether the service is back

function onKey(event) {
  const typing = event.target.matches?.("input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, select");
  if (typing || !(event.ctrlKey || event.metaKey)) return;
  const key = event.key.toLowerCase();
  if (key === "z" || key === "y") {
    event.preventDefault();
    (key === "y" || event.shiftKey ? redo : undo)();
  }
}

const route = () => set({ route: location.hash.replace(/^#\/?/, "") });

async function begin() {
  try {
    await start();
  } catch (problem) {
    set({ trouble: problem });
  }
}

/** While nobody answers, ask again and again whether somebody does. */
async function comeBack() {
  while (!state.reached) {
    await new Promise((resolve) => setTimeout(resolve, RETRY));
    reach(await fetch("/health", { cache: "no-store" }).then((response) => response.ok, () => false));
  }
}

/** Whoever hears first that the service is back, the shopper goes on where the trouble was. */
function reach(reached) {
  if (reached === state.reached) return;
  set({ reached });
  if (!reached) return void comeBack();
  if (!state.trouble) return;
  set({ trouble: null });
  (state.engines.length ? wear : begin)();
}

recall();
chooseLanguage(state.language ?? navigator.language);
applyTheme(state.theme);
onReach(reach);
addEventListener("hashchange", route);
addEventListener("keydown", onKey);
route();
render(html`<${App} />`, document.getElementById("app"));
begin();
