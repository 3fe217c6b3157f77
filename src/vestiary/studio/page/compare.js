// Up to four looks side by side.

import { html } from "./vendor/preact-htm.js";
import { pin } from "./actions.js";
import { has, t } from "./i18n.js";
import { Icon } from "./icons.js";
import { useRecord, wornOn } from "./looks.js";
import { defaultsOf } from "./options.js";
import { Picture } from "./pictures.js";

export function Compare({ state }) {
  const { pinned } = state;
  return html`
    <section class="page wide" aria-labelledby="compare-title">
      <div class="title"><h1 id="compare-title">${t("compare.title")}</h1></div>
      ${!pinned.length && html`<div class="empty"><${Icon} name="columns" size=${40} /><p>${t("compare.empty")}</p>
        <a class="button main" href="#/">${t("nav.room")}</a></div>`}
      ${pinned.length === 1 && html`<p class="fine">${t("compare.one")}</p>`}
      <ul class="columns" data-count=${pinned.length}>${pinned.map((id) => html`<${Column} key=${id} id=${id} />`)}</ul>
    </section>`;
}

/** The words for how it is worn and before what, so that two looks in the same clothes can be told apart. */
function chosenOn({ fit, tuck, background }) {
  const ground = background && background !== "keep" && (has(`background.${background}`) ? t(`background.${background}`) : background);
  return [fit && t(`fit.${fit}`), tuck && t("option.tucked"), ground && t("option.before", { what: ground })].filter(Boolean).join(" · ");
}

function Column({ id }) {
  const record = useRecord(id);
  const worn = record ? wornOn(record) : record === false ? t("looks.gone") : "";
  const chosen = record ? chosenOn({ ...defaultsOf(record.engine), ...record.options }) : "";
  return html`
    <li>
      <figure><${Picture} path="/v1/fittings/${id}/picture" alt=${t("looks.picture", { what: worn })} />
        <figcaption><span><strong>${worn}</strong> ${chosen && html`<span class="fine">${chosen}</span>`}</span>
          <button class="round" aria-label="${t("compare.remove")}: ${worn}" onClick=${() => pin(id)}><${Icon} name="close" /></button>
        </figcaption></figure>
    </li>`;
}
