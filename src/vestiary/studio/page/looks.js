// The looks that were kept. This browser remembers their ids alone; the pictures are on the service.

import { html, useEffect, useState } from "./vendor/preact-htm.js";
import { deleteLook, garmentOf, keep, nameOf, pin } from "./actions.js";
import { json } from "./api.js";
import { toldBy } from "./bare.js";
import { t, when } from "./i18n.js";
import { Icon } from "./icons.js";
import { Picture } from "./pictures.js";
import { set, state } from "./store.js";

/** The words for what is worn on a look, or for what was changed where nothing is. */
export function wornOn(record) {
  if (!record.garments.length) return toldBy(record.options);
  const known = record.garments.map((id) => state.garments.find((garment) => garment.id === id)).filter(Boolean);
  return known.map(nameOf).join(", ");
}

export function Looks({ state: now }) {
  return html`
    <section class="page" aria-labelledby="looks-title">
      <div class="title"><h1 id="looks-title">${t("looks.title")}</h1>
        ${now.pinned.length > 1 && html`<a class="button main" href="#/compare"><${Icon} name="columns" />${t("looks.compare", { count: now.pinned.length })}</a>`}</div>
      ${!now.kept.length && html`<div class="empty"><${Icon} name="heart" size=${40} /><p>${t("looks.empty")}<br />${t("looks.wait")}</p>
        <a class="button main" href="#/">${t("nav.room")}</a></div>`}
      <ul class="looks">${now.kept.map((id) => html`<${Look} key=${id} id=${id} pinned=${now.pinned.includes(id)} />`)}</ul>
      ${now.kept.length > 0 && html`<button class="quiet danger" onClick=${() => set({ dialog: "erase" })}><${Icon} name="trash" size=${18} />${t("erase.open")}</button>`}
    </section>`;
}

/** The record of a fitting; null until it is there, false where it is gone. */
export function useRecord(id) {
  const [record, setRecord] = useState(null);
  useEffect(() => {
    let shown = true;
    json(`/v1/fittings/${id}`).then((found) => shown && setRecord(found), () => shown && setRecord(false));
    return () => { shown = false; };
  }, [id]);
  return record;
}

function Look({ id, pinned }) {
  const record = useRecord(id);
  if (record === false) {
    return html`<li class="look"><p class="fine">${t("looks.gone")}</p><button class="quiet" onClick=${() => keep(id)}>${t("looks.delete")}</button></li>`;
  }
  const worn = record ? wornOn(record) : "";
  return html`
    <li class="look">
      <button class="open" aria-label="${t("looks.open")}: ${worn}" onClick=${() => record && reopen(record)}>
        <${Picture} path="/v1/fittings/${id}/picture" alt=${t("looks.picture", { what: worn })} /></button>
      <div class="about"><strong>${worn}</strong>${record && html`<span class="fine">${t("looks.until", { when: when(record.expires) })}</span>`}
        <div class="row">
          <button class="round" aria-label=${t("looks.pin")} aria-pressed=${pinned ? "true" : "false"} onClick=${() => pin(id)}><${Icon} name="columns" /></button>
          <button class="round" aria-label=${t("looks.delete")} onClick=${() => deleteLook(id)}><${Icon} name="trash" /></button>
        </div>
      </div>
    </li>`;
}

async function reopen(record) {
  const { call } = await import("./api.js");
  const [after, before] = await Promise.all(
    [`/v1/fittings/${record.id}/picture`, `/v1/people/${record.person}/picture`].map((path) =>
      call(path, { accept: "image/jpeg" }).then((response) => response.blob()).then(createImageBitmap)),
  ).catch((problem) => { set({ trouble: problem }); return []; });
  if (!after) return;
  const garments = record.garments.map((id) => state.garments.find((garment) => garment.id === id)?.key).filter((key) => garmentOf(key));
  const person = state.person?.id === record.person ? state.person : { ...(await json(`/v1/people/${record.person}`)), bitmap: before };
  const options = { ...record.options };
  delete options.layers;
  set({
    past: [...state.past, state.look], future: [], look: { garments, engine: record.engine, options }, personId: record.person, person,
    result: { id: record.id, bitmap: after, names: wornOn(record), bare: !record.garments.length, budget: null },
  });
  location.hash = "#/";
}
