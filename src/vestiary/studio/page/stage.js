// The picture, large: before and after, closer and further, and what can be done with it.

import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";
import { keep, pin, redo, undo } from "./actions.js";
import { shareLook } from "./dialogs.js";
import { drawn } from "./budget.js";
import { explain, t } from "./i18n.js";
import { Icon } from "./icons.js";
import { Backdrop, Bitmap } from "./pictures.js";
import { set } from "./store.js";
import { useView } from "./view.js";

export function Stage({ state, onStop }) {
  const { person, result, busy } = state;
  const frame = useRef(null);
  const view = useView(frame);
  const [split, setSplit] = useState(null); // percent of the photo that is shown, or null
  const before = person?.bitmap;
  const shown = busy?.preview ?? result?.bitmap ?? before;
  const name = result ? t(result.bare ? "stage.changed" : "stage.wearing", { what: result.names }) : t("stage.person");
  const ratio = shown ? shown.width / shown.height : 0.75;
  useEffect(() => { if (!result) setSplit(null); }, [!result]);
  return html`
    <section class="stage" aria-label=${t("stage.label")}>
      <div class="frame ${view.zoom > 1 ? "near" : ""}" ref=${frame} tabindex="0" role="group" aria-label=${t("stage.label")} ...${view.handlers}>
        ${shown && html`<${Backdrop} bitmap=${shown} />`}
        ${shown && html`
          <div class="picture" style=${{ "--ratio": ratio, transform: view.transform }}>
            <${Bitmap} bitmap=${shown} label=${name} onDrawn=${() => drawn(result?.budget)} />
            ${split !== null && before && html`
              <${Bitmap} bitmap=${before} className="before" style=${{ clipPath: `inset(0 ${100 - split}% 0 0)` }} />
              <${Divider} split=${split} setSplit=${setSplit} zoom=${view.zoom} />`}
          </div>`}
        ${state.personTrouble && html`<div class="nothing"><${Icon} name="person" size=${56} /><p>${explain(state.personTrouble).hint}</p></div>`}
        ${(person?.busy || busy) && html`<${Busy} person=${person} busy=${busy} bare=${!state.look.garments.length} onStop=${onStop} />`}
      </div>
      <${Tools} state=${state} view=${view} split=${split} setSplit=${setSplit} />
    </section>`;
}

function Divider({ split, setSplit, zoom }) {
  const move = (event) => {
    const { left, width } = event.currentTarget.parentElement.getBoundingClientRect();
    setSplit(clamp(((event.clientX - left) / width) * 100));
  };
  const down = (event) => { event.stopPropagation(); event.currentTarget.setPointerCapture(event.pointerId); };
  const drag = (event) => { if (event.currentTarget.hasPointerCapture(event.pointerId)) { event.stopPropagation(); move(event); } };
  const key = (event) => {
    const steps = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10, Home: -100, End: 100 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    event.stopPropagation();
    setSplit(clamp(split + steps[event.key]));
  };
  const percent = Math.round(split);
  return html`
    <div class="divider" role="slider" tabindex="0" aria-label=${t("stage.slider")} aria-valuemin="0" aria-valuemax="100" aria-valuenow=${percent}
      aria-valuetext=${t("stage.slidervalue", { percent })} style=${{ left: `${split}%`, "--shrink": 1 / zoom }}
      onPointerDown=${down} onPointerMove=${drag} onKeyDown=${key}>
      <span class="side one">${t("stage.original")}</span><span class="grip"><${Icon} name="split" size=${22} /></span><span class="side two">${t("stage.fitted")}</span>
    </div>`;
}

const clamp = (value) => Math.min(100, Math.max(0, value));

function Busy({ person, busy, bare, onStop }) {
  const { progress, waiting } = busy ?? {};
  const text = !busy ? t("person.looking") : waiting ? t("busy.wait", { seconds: waiting }) : t(bare ? "busy.changing" : "busy.fitting");
  return html`
    <div class="busy">
      <span class="spinner" aria-hidden="true"></span>
      <span>${text}</span>
      ${progress?.total > 1 && html`
        <progress max=${progress.total} value=${progress.step} aria-label=${t("busy.step", progress)}></progress>`}
      ${busy && html`<button class="quiet" onClick=${onStop}>${t("busy.stop")}</button>`}
    </div>`;
}

function Tools({ state, view, split, setSplit }) {
  const { result } = state;
  const kept = result && state.kept.includes(result.id);
  const pinned = result && state.pinned.includes(result.id);
  const tool = (icon, key, onClick, extra = {}) => html`
    <button class="round" aria-label=${t(key)} title=${t(key)} onClick=${onClick} ...${extra}><${Icon} name=${icon} /></button>`;
  const pressed = (on) => ({ "aria-pressed": on ? "true" : "false" });
  return html`
    <div class="tools" role="group" aria-label=${t("stage.tools")}>
      <div>${tool("undo", "stage.undo", undo, { disabled: !state.past.length })}
        ${tool("redo", "stage.redo", redo, { disabled: !state.future.length })}</div>
      <div>${tool("minus", "stage.zoomout", view.further, { disabled: view.zoom <= 1 })}
        <button class="quiet zoom" onClick=${view.whole} aria-label=${t("stage.whole")}>${Math.round(view.zoom * 100)} %</button>
        ${tool("plus", "stage.zoomin", view.closer)}</div>
      ${result && html`
        <div>${tool("split", "stage.before", () => setSplit(split === null ? 50 : null), pressed(split !== null))}
          ${tool("heart", kept ? "stage.kept" : "stage.keep", () => keep(result.id), pressed(kept))}
          ${tool("columns", pinned ? "stage.pinned" : "stage.pin", () => pin(result.id), pressed(pinned))}
          ${tool("download", "stage.download", () => set({ dialog: "download" }))}
          ${navigator.share && tool("share", "stage.share", () => shareLook(result))}</div>`}
    </div>`;
}
