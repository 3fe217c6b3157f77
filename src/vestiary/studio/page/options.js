// Fit, tuck and engine; what else the chosen engine can do is derived from the schema of its options.

import { html, useState } from "./vendor/preact-htm.js";
import { change, garmentOf, setOption, wearNothing } from "./actions.js";
import { canBeBare } from "./bare.js";
import { has, t } from "./i18n.js";
import { state } from "./store.js";

const FIRST = ["fit", "tuck", "background", "prompt", "scene", "light"];
const MOST_SIDE_BY_SIDE = 3; // choices for which the panel has the width
const COLOUR = /^#[0-9a-f]{6}$/i;
const HIDDEN = ["layers", "seed"]; // the page for developers asks for layers itself

/** What an engine takes for the options that nobody named. */
export function defaultsOf(engine) {
  const properties = state.engines.find(({ name }) => name === engine)?.options?.properties ?? {};
  return Object.fromEntries(Object.entries(properties).map(([name, field]) => [name, field.default]));
}

export function Options({ state }) {
  const { engine, options } = state.look;
  const schema = state.engines.find(({ name }) => name === engine)?.options ?? {};
  const fields = Object.entries(schema.properties ?? {}).filter(([name]) => !HIDDEN.includes(name));
  const first = fields.filter(([name]) => FIRST.includes(name));
  const more = fields.filter(([name]) => !FIRST.includes(name));
  const value = (name, field) => options[name] ?? field.default;
  const field = ([name, known]) => html`<${Field} key=${`${engine}.${name}`} name=${name} field=${resolve(known, schema)} value=${value(name, known)}
    onEnter=${isBare(state) ? wearNothing : null} />`;
  return html`
    <section class="panel fitting" aria-labelledby="fit-title">
      <div class="title"><h2 id="fit-title">${t("options.title")}</h2></div>
      ${first.map(field)}
      ${isBare(state) && html`
        <p class="fine" id="bare-hint">${t("options.barehint")}</p>
        <button class="button main bare" aria-describedby="bare-hint" onMouseDown=${keepFocus} onClick=${wearNothing}>${t("options.bare")}</button>`}
      <details>
        <summary>${t("option.more")}</summary>
        <label class="field">${t("option.engine")}
          <select onChange=${({ target }) => change({ engine: target.value, options: {} })}>
            ${state.engines.map(({ name }) => html`<option value=${name} selected=${name === engine}>${has(`engine.${name}`) ? t(`engine.${name}`) : name}</option>`)}
          </select>
        </label>
        ${more.map(field)}
        ${Object.keys(options).length > 0 && html`<button class="quiet" onClick=${() => change({ options: {} })}>${t("option.reset")}</button>`}
      </details>
    </section>`;
}

const isBare = ({ look }) => canBeBare() && !look.garments.some(garmentOf);

/** A text field that lost the focus as the button is pressed could move the button away from under the pointer. */
const keepFocus = (event) => event.preventDefault();

/** A field of a JSON schema with its reference followed and "or nothing" taken away. */
function resolve(field, schema) {
  const named = field.$ref ? schema.$defs?.[field.$ref.split("/").at(-1)] : null;
  const some = field.anyOf?.find(({ type }) => type !== "null");
  return { ...field, ...named, ...some };
}

function Field({ name, field, value, onEnter }) {
  const label = has(`option.${name}`) ? t(`option.${name}`) : (field.title ?? name);
  const named = (field.enum ?? field.examples ?? []).filter((option) => !COLOUR.test(option));
  const colours = field.type === "string" && (field.format === "color" || field.pattern?.includes("#["));
  if (colours) return html`<${Swatches} name=${name} label=${label} named=${named} value=${value} />`;
  if (field.enum) return html`<${Choice} name=${name} label=${label} field=${field} value=${value} />`;
  if (field.type === "boolean") {
    return html`<label class="field switch"><span>${label}</span>
      <input type="checkbox" role="switch" checked=${value} onChange=${({ target }) => setOption(name, target.checked)} /></label>`;
  }
  const numeric = field.type === "number" || field.type === "integer";
  const bounded = numeric && field.minimum != null && field.maximum != null;
  const step = field.type === "integer" ? 1 : bounded ? (field.maximum - field.minimum) / 20 : "any";
  if (!numeric) return html`<${Line} name=${name} label=${label} field=${field} value=${value} onEnter=${onEnter} />`;
  return html`
    <label class="field">${label}
      <input type=${bounded ? "range" : "number"} min=${field.minimum} max=${field.maximum} step=${step} value=${value}
        onChange=${({ target }) => setOption(name, Number(target.value))} />
    </label>`;
}

/** A line of text; what is being typed stays when the page is drawn anew meanwhile. */
function Line({ name, label, field, value, onEnter }) {
  const [draft, setDraft] = useState(null);
  const done = ({ target }) => { setDraft(null); setOption(name, target.value); };
  return html`
    <label class="field">${label}
      <input type="text" maxlength=${field.maxLength} value=${draft ?? value} onInput=${({ target }) => setDraft(target.value)} onChange=${done}
        onKeyDown=${({ key, isComposing }) => key === "Enter" && !isComposing && onEnter?.()} />
    </label>`;
}

function Choice({ name, label, field, value }) {
  if (field.enum.length > MOST_SIDE_BY_SIDE) {
    return html`
      <label class="field">${label}
        <select onChange=${({ target }) => setOption(name, field.enum[target.selectedIndex])}>
          ${field.enum.map((option) => html`<option value=${option} selected=${option === value}>${wordFor(name, option)}</option>`)}
        </select>
      </label>`;
  }
  return html`
    <fieldset class="field segments"><legend>${label}</legend><div>
      ${field.enum.map((option) => html`
        <label><input type="radio" name=${name} value=${option} checked=${option === value} onChange=${() => setOption(name, option)} />
          <span>${wordFor(name, option)}</span></label>`)}
    </div></fieldset>`;
}

function wordFor(name, option) {
  const key = [`${name}.${option}`, `category.${option}`].find(has);
  return key ? t(key) : String(option);
}

/** Named choices to look at, and a colour of one's own: for a string whose schema admits `#rrggbb`. */
function Swatches({ name, label, named, value }) {
  const own = COLOUR.test(value);
  return html`
    <fieldset class="field swatches"><legend>${label}</legend><div>
      ${named.map((option) => html`
        <label><input type="radio" name=${name} value=${option} checked=${option === value} onChange=${() => setOption(name, option)} />
          <span class="swatch ${option}"></span><span>${has(`${name}.${option}`) ? t(`${name}.${option}`) : option}</span></label>`)}
      <label class=${own ? "own chosen" : "own"}>
        <input type="color" aria-label=${t("option.anycolour", { what: label })} value=${own ? value : "#d8e0e8"} onChange=${({ target }) => setOption(name, target.value)} />
        <span class="swatch" style=${own ? { background: value } : null}></span><span>${t("option.colour")}</span></label>
    </div></fieldset>`;
}
