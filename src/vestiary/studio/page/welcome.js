// What a new visitor sees: one sentence, two ways to hand in a photo, and people to try it with.

import { html } from "./vendor/preact-htm.js";
import { t } from "./i18n.js";
import { SamplePeople } from "./people.js";
import { Sources } from "./person.js";

export function Welcome({ state }) {
  const [first, ...rest] = state.samples.garments;
  const shown = first ? [rest[4], rest[2], first, rest[6]].filter(Boolean) : [];
  return html`
    <section class="welcome">
      <div class="hero">
        <h1>${t("welcome.title")}</h1>
        <p>${t("welcome.text")}</p>
        <${Sources} large />
        <p class="fine">${t("welcome.drop")}</p>
      </div>
      <div class="rack" aria-hidden="true">${shown.map(({ thumb }) => html`<img src=${thumb} alt="" />`)}</div>
      <div class="faces">
        <h2>${t("welcome.samples")}</h2>
        <${SamplePeople} state=${state} />
      </div>
    </section>`;
}
