// The wall of garments: tap to wear.

import { html, useRef } from "./vendor/preact-htm.js";
import { addGarments, expect, nameOf, recategorize, removeGarment, toggle } from "./actions.js";
import { explain, note, t } from "./i18n.js";
import { Icon } from "./icons.js";
import { Files } from "./person.js";
import { Picture } from "./pictures.js";
import { set } from "./store.js";

const LINGER = 150; // ms that a mouse rests on a garment before it is read ahead
const CATEGORIES = ["top", "outerwear", "dress", "skirt", "trousers", "shorts"];

export function Wall({ state }) {
  const { filter, garments } = state;
  const present = CATEGORIES.filter((name) => garments.some(({ category }) => category === name));
  const own = garments.some(({ sample }) => !sample);
  const choices = ["all", ...(own ? ["own"] : []), ...present];
  const shown = garments.filter((garment) => filter === "all" || (filter === "own" ? !garment.sample : garment.category === filter));
  return html`
    <section class="panel wall" aria-labelledby="wall-title">
      <div class="above"><div class="title">
        <h2 id="wall-title">${t("garments.title")}</h2>
        <${Files} label=${t("garments.add")} icon="plus" many className="small" onFiles=${addGarments} />
      </div>
      <div class="filters" role="group" aria-label=${t("garments.filter")}>
        ${choices.map((name) => html`
          <button class="chip" aria-pressed=${filter === name ? "true" : "false"} onClick=${() => set({ filter: name })}>
            ${t(CATEGORIES.includes(name) ? `category.${name}` : `filter.${name}`)}
          </button>`)}
      </div></div>
      ${!shown.length && html`<p class="fine">${t("garments.none")}</p>`}
      <ul class="tiles">
        ${shown.map((garment) => html`<${Tile} key=${garment.key} garment=${garment} worn=${state.look.garments.includes(garment.key)} />`)}
      </ul>
    </section>`;
}

function Tile({ garment, worn }) {
  const name = nameOf(garment);
  const pointed = useRef(0);
  const linger = ({ pointerType }) => { if (pointerType === "mouse") pointed.current = setTimeout(() => expect(garment), LINGER); };
  const path = `/v1/garments/${garment.id}/picture`;
  const picture = garment.thumb
    ? html`<img src=${garment.thumb} alt="" loading="lazy" />`
    : html`<${Picture} path=${path} accept="image/webp" alt="" />`;
  const ready = !garment.busy && !garment.trouble;
  return html`
    <li data-key=${garment.key} class="tile ${worn ? "worn" : ""} ${garment.busy ? "reading" : ""}">
      <button class="wear" disabled=${!ready} aria-pressed=${worn ? "true" : "false"} aria-label=${t("garment.wear", { what: name })}
        onClick=${() => toggle(garment.key)} onPointerEnter=${linger} onPointerLeave=${() => clearTimeout(pointed.current)}>
        <span class="cloth">${picture}</span>
        ${worn && html`<span class="mark"><${Icon} name="check" size=${16} /></span>`}
        <span class="name">${garment.busy ? t("garment.reading") : garment.trouble ? t("garment.failed") : name}</span>
      </button>
      ${garment.trouble && html`<p class="why">${explain(garment.trouble).title}</p>`}
      ${!garment.sample && !garment.busy && html`<${Own} garment=${garment} name=${name} />`}
    </li>`;
}

function Own({ garment, name }) {
  return html`
    <button class="round remove" aria-label=${t("garment.remove", { what: name })} onClick=${() => removeGarment(garment)}>
      <${Icon} name="close" size=${16} />
    </button>
    ${garment.id && html`
      <select class="kind" aria-label=${t("garment.is")} title=${garment.warnings.map(note).join(" ")}
        onChange=${({ target }) => recategorize(garment, target.value)}>
        ${CATEGORIES.map((kind) => html`<option value=${kind} selected=${kind === garment.category}>${t(`category.${kind}`)}</option>`)}
      </select>`}`;
}
