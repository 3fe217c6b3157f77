// The sample people.

import { html } from "./vendor/preact-htm.js";
import { chooseSample } from "./actions.js";
import { t } from "./i18n.js";

export function SamplePeople({ state }) {
  return html`
    <ul class="people">
      ${state.samples.people.map((sample) => html`
        <li><button onClick=${() => chooseSample(sample)}>
          <img src=${sample.thumb} alt="" /><span>${t(`sample.${sample.name}`)}</span>
        </button></li>`)}
    </ul>`;
}
