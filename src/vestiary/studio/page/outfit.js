// What is worn: a chip for each garment.

import { html } from "./vendor/preact-htm.js";
import { change, garmentOf, nameOf, toggle } from "./actions.js";
import { canBeBare } from "./bare.js";
import { t } from "./i18n.js";
import { Icon } from "./icons.js";
import { Verdict } from "./person.js";
import { Picture } from "./pictures.js";

export function Outfit({ state }) {
  const worn = state.look.garments.map(garmentOf).filter(Boolean);
  return html`
    <section class="outfit" aria-labelledby="outfit-title">
      <h2 id="outfit-title" class="unseen">${t("outfit.title")}</h2>
      ${!worn.length && html`<div class="first"><${Verdict} person=${state.person} /><p class="fine">${t(canBeBare() ? "outfit.bare" : "outfit.empty")}</p></div>`}
      <ul class="chips">
        ${worn.map((garment) => html`
          <li key=${garment.key}><button class="worn-chip" aria-label=${t("outfit.off", { what: nameOf(garment) })} onClick=${() => toggle(garment.key)}>
            ${garment.thumb ? html`<img src=${garment.thumb} alt="" />` : html`<${Picture} path="/v1/garments/${garment.id}/picture" accept="image/webp" alt="" />`}
            <span>${nameOf(garment)}</span><${Icon} name="close" size=${16} />
          </button></li>`)}
      </ul>
      ${worn.length > 1 && html`<button class="quiet" onClick=${() => change({ garments: [] })}>${t("outfit.clear")}</button>`}
    </section>`;
}
