// The frame of the page: head, the pages after #, the fitting room's layout, messages, files dropped anywhere.

import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";
import { addGarments, choosePerson, start, stop, wear } from "./actions.js";
import { Camera } from "./camera.js";
import { Compare } from "./compare.js";
import { Developer } from "./developer.js";
import { Download, Erase } from "./dialogs.js";
import { chooseLanguage, currentLanguage, explain, t } from "./i18n.js";
import { Icon } from "./icons.js";
import { Looks } from "./looks.js";
import { Mirror } from "./mirror_page.js";
import { Options } from "./options.js";
import { Outfit } from "./outfit.js";
import { PersonPanel } from "./person.js";
import { Rate } from "./rate.js";
import { Stage } from "./stage.js";
import { set, useStore } from "./store.js";
import { applyTheme } from "./theme.js";
import { Wall } from "./wall.js";
import { Welcome } from "./welcome.js";

const PAGES = { looks: Looks, compare: Compare, developer: Developer, rate: Rate, mirror: Mirror };
const TABS = [["person", "person"], ["clothes", "hanger"], ["fit", "sliders"]];

export function App() {
  const state = useStore();
  const [over, setOver] = useState(false);
  useEffect(() => dropping(setOver), []);
  const Page = PAGES[state.route];
  const known = state.person ?? state.personTrouble;
  const last = useRef(null);
  const place = Page ? state.route : known ? "room" : "welcome";
  useEffect(() => refocus(last, place), [place]);
  return html`
    <a class="skip" href="#main" onClick=${skip}>${t("app.skip")}</a>
    <${Head} state=${state} />
    <${Messages} state=${state} />
    <main id="main" tabindex="-1" class=${over ? "over" : ""}>
      ${Page ? html`<${Page} state=${state} />` : known ? html`<${Room} state=${state} />` : html`<${Welcome} state=${state} />`}
    </main>
    ${!Page && known && html`<${Tabs} state=${state} />`}
    ${state.dialog === "camera" && html`<${Camera} />`}
    ${state.dialog === "erase" && html`<${Erase} />`}
    ${state.dialog === "download" && html`<${Download} state=${state} />`}
    <p class="unseen" role="status" aria-live="polite">${state.said}</p>`;
}

/** Where what had the focus has gone with the page before, the new page gets it. */
function refocus(last, place) {
  const lost = !document.activeElement || document.activeElement === document.body;
  if (last.current !== null && lost) document.getElementById("main").focus({ preventScroll: true });
  last.current = place;
}

function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

function Head({ state }) {
  const menu = useRef(null);
  useEffect(() => menu.current.querySelector("[aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" }), [state.route]);
  const links = [["", "nav.room"], ["looks", "nav.looks"], ["compare", "nav.compare"], ["mirror", "nav.mirror"], ["developer", "nav.developer"],
    ...(state.rating ? [["rate", "nav.rate"]] : [])];
  const dark = state.theme ? state.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const count = { looks: state.kept.length, compare: state.pinned.length };
  return html`
    <header class="head">
      <a class="brand" href="#/">${t("app.name")}</a>
      <nav ref=${menu} aria-label=${t("app.menu")}>
        ${links.map(([route, key]) => html`
          <a href="#/${route}" aria-current=${state.route === route ? "page" : null}>
            ${t(key)}${count[route] ? html`<span class="count">${count[route]}</span>` : ""}
          </a>`)}
      </nav>
      <div class="switches">
        <button class="quiet" lang=${currentLanguage() === "zh" ? "en" : "zh-CN"} onClick=${switchLanguage}
          aria-label=${t("language.label")}>${t("language.switch")}</button>
        <button class="round" onClick=${() => switchTheme(dark)} aria-label=${t(dark ? "theme.light" : "theme.dark")}>
          <${Icon} name=${dark ? "sun" : "moon"} />
        </button>
      </div>
    </header>`;
}

function switchLanguage() {
  set({ language: chooseLanguage(currentLanguage() === "zh" ? "en" : "zh"), said: "" });
}

function switchTheme(dark) {
  const theme = dark ? "light" : "dark";
  applyTheme(theme);
  set({ theme });
}

function Messages({ state }) {
  if (!state.reached) {
    return html`<div class="message gone" role="alert"><${Icon} name="note" /><p>${t("trouble.gone")}</p>
      <button onClick=${() => (state.engines.length ? wear() : start().catch(() => {}))}>${t("trouble.retry")}</button></div>`;
  }
  if (!state.trouble) return html`<div role="alert"></div>`;
  const { title, hint } = explain(state.trouble);
  return html`<div class="message" role="alert"><${Icon} name="note" /><p><strong>${title}</strong> ${hint}</p>
    <button onClick=${() => wear()}>${t("trouble.retry")}</button>
    <button class="round" onClick=${() => set({ trouble: null })} aria-label=${t("trouble.dismiss")}><${Icon} name="close" /></button></div>`;
}

function Room({ state }) {
  return html`
    <div class="room" data-tab=${state.tab}>
      <div class="middle"><${Stage} state=${state} onStop=${stop} /><${Outfit} state=${state} /></div>
      <div class="left"><${PersonPanel} state=${state} /><${Options} state=${state} /></div>
      <${Wall} state=${state} />
    </div>`;
}

function Tabs({ state }) {
  return html`
    <nav class="tabs" aria-label=${t("tab.label")}>
      ${TABS.map(([name, icon]) => html`
        <button aria-pressed=${state.tab === name ? "true" : "false"} onClick=${() => set({ tab: name })}>
          <${Icon} name=${icon} size=${22} />${t(`tab.${name}`)}
        </button>`)}
    </nav>`;
}

/** Files dropped anywhere: the first is the person where there is none yet, else all are garments. */
function dropping(setOver) {
  const over = (event) => { event.preventDefault(); setOver(true); };
  const leave = (event) => { if (!event.relatedTarget) setOver(false); };
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    const files = [...event.dataTransfer.files];
    if (!files.length) return;
    if (event.target.closest?.(".wall, .outfit")) addGarments(files);
    else choosePerson(files[0]);
  };
  const all = { dragover: over, dragleave: leave, drop };
  for (const [name, listener] of Object.entries(all)) addEventListener(name, listener);
  return () => { for (const [name, listener] of Object.entries(all)) removeEventListener(name, listener); };
}
