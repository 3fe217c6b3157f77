// Starts the page: state, language, colours, addresses after #, keys.

import { html, render } from "./vendor/preact-htm.js";
import { onReach } from "./api.js";
import { App } from "./app.js";
import { redo, start, undo } from "./actions.js";
import { chooseLanguage } from "./i18n.js";
import { recall, set, state } from "./store.js";
import { applyTheme } from "./theme.js";

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
    if (problem.code === "gone") setTimeout(begin, 3000);
  }
}

recall();
chooseLanguage(state.language ?? navigator.language);
applyTheme(state.theme);
onReach((reached) => reached !== state.reached && set({ reached }));
addEventListener("hashchange", route);
addEventListener("keydown", onKey);
route();
render(html`<${App} />`, document.getElementById("app"));
begin();
