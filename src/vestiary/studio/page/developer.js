// For developers: why a look is as it is. Timings, provenance, every intermediate picture.

import { html, useEffect, useState } from "./vendor/preact-htm.js";
import { json } from "./api.js";
import { PARTS } from "./budget.js";
import { fit } from "./fit.js";
import { note, t } from "./i18n.js";
import { Picture } from "./pictures.js";
import { set } from "./store.js";

export function Developer({ state }) {
  const { result } = state;
  const [record, setRecord] = useState(null);
  useEffect(() => {
    setRecord(null);
    if (result) json(`/v1/fittings/${result.id}`).then(setRecord, (problem) => set({ trouble: problem }));
  }, [result?.id]);
  return html`
    <section class="page" aria-labelledby="developer-title">
      <h1 id="developer-title">${t("developer.title")}</h1>
      <p class="fine">${t("developer.text")}</p>
      ${!result && html`<div class="empty"><p>${t("developer.none")}</p><a class="button main" href="#/">${t("nav.room")}</a></div>`}
      <div class="facts">
        ${result?.budget && html`<${Budget} budget=${result.budget} />`}
        ${record && html`<${Bars} title=${t("developer.steps")} values=${inMilliseconds(record.timings)} />`}
        ${state.person?.timings && result && html`<${Bars} title=${t("developer.person")} values=${inMilliseconds(state.person.timings)} />`}
        ${record && html`<section class="card"><h2>${t("developer.provenance")}</h2>
          ${record.warnings.map((text) => html`<p class="fine">${note(text)}</p>`)}
          <pre tabindex="0" aria-label=${t("developer.provenance")}>${JSON.stringify(record.provenance, null, 2)}</pre></section>`}
      </div>
      ${record && html`<${Layers} record=${record} />`}
    </section>`;
}

const inMilliseconds = (timings) => Object.entries(timings).map(([name, seconds]) => [name, seconds * 1000]);

function Budget({ budget }) {
  const values = PARTS.map((name) => [t(`budget.${name}`), budget[name] ?? 0]);
  return html`<${Bars} title=${t("developer.budget")} values=${values} total=${budget.total}
    fact=${t("developer.bytes", { kb: Math.round(budget.bytes / 1000) })} />`;
}

function Bars({ title, values, total, fact = "" }) {
  const most = Math.max(1, ...values.map(([, ms]) => ms));
  const whole = total ?? values.reduce((all, [, ms]) => all + ms, 0);
  return html`
    <section class="card"><h2>${title} <span class="fine">${t("developer.total", { ms: Math.round(whole) })}</span></h2>
      <dl class="bars">${values.map(([name, ms]) => html`
        <div><dt>${name}</dt><dd><span class="bar" style=${{ width: `${Math.max(0.5, (ms / most) * 100)}%` }}></span>
          <span class="ms">${t("developer.ms", { ms: ms < 10 ? Math.max(ms, 0).toFixed(1) : Math.round(ms) })}</span></dd></div>`)}
      </dl>${fact && html`<p class="fine">${fact}</p>`}</section>`;
}

function Layers({ record }) {
  const [kept, setKept] = useState(record.layers.length ? record : null);
  const [busy, setBusy] = useState(false);
  useEffect(() => setKept(record.layers.length ? record : null), [record.id]);
  const fetchLayers = async () => {
    setBusy(true);
    try {
      const { id } = await fit(record.person, record.garments, record.engine, { ...record.options, layers: true });
      setKept(await json(`/v1/fittings/${id}`));
    } catch (problem) {
      set({ trouble: problem });
    }
    setBusy(false);
  };
  return html`
    <section aria-labelledby="layers-title">
      <div class="title"><h2 id="layers-title">${t("developer.layers")}</h2>
        ${!kept && html`<button class="button" disabled=${busy} onClick=${fetchLayers}>${t("developer.fetch")}</button>`}</div>
      ${kept && html`<ul class="layers">${kept.layers.map((name) => html`
        <li key=${name}><figure><${Picture} path="/v1/fittings/${kept.id}/layers/${encodeURIComponent(name)}" accept="image/png" alt=${name} />
          <figcaption>${name}</figcaption></figure></li>`)}</ul>`}
    </section>`;
}
