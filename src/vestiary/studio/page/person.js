// The person: how a photo is handed in, and whether it can serve.

import { html, useState } from "./vendor/preact-htm.js";
import { choosePerson } from "./actions.js";
import { explain, note, t } from "./i18n.js";
import { Icon } from "./icons.js";
import { SamplePeople } from "./people.js";
import { set } from "./store.js";

/** A button that opens the file chooser. */
export function Files({ label, icon, many, onFiles, className = "" }) {
  const chosen = ({ target }) => {
    const files = [...target.files];
    target.value = "";
    if (files.length) onFiles(files);
  };
  return html`
    <label class="button ${className}"><${Icon} name=${icon} />${label}
      <input class="unseen" type="file" accept="image/*" multiple=${many} onChange=${chosen} />
    </label>`;
}

export function Sources({ large }) {
  return html`
    <div class="sources ${large ? "large" : ""}">
      <${Files} label=${t("person.choose")} icon="upload" className="main" onFiles=${([file]) => choosePerson(file)} />
      <button class="button" onClick=${() => set({ dialog: "camera" })}><${Icon} name="camera" />${t("person.camera")}</button>
    </div>`;
}

export function PersonPanel({ state }) {
  const [open, setOpen] = useState(false);
  const { person } = state;
  return html`
    <section class="panel you" aria-labelledby="you-title">
      <div class="title"><h2 id="you-title">${t("person.title")}</h2></div>
      <${Verdict} person=${person} trouble=${state.personTrouble} />
      <${Sources} />
      <button class="fold" aria-expanded=${open ? "true" : "false"} onClick=${() => setOpen(!open)}>${t("person.samples")}</button>
      ${(open || state.personTrouble) && html`<${SamplePeople} state=${state} />`}
      <button class="quiet danger" onClick=${() => set({ dialog: "erase" })}><${Icon} name="trash" size=${18} />${t("erase.open")}</button>
    </section>`;
}

/** Whether the photo can serve, and what would be better. */
export function Verdict({ person, trouble }) {
  if (trouble) {
    const { title, hint } = explain(trouble);
    return html`<div class="verdict bad" role="alert"><strong>${t("person.bad")}</strong><p>${title} ${hint}</p></div>`;
  }
  if (!person?.id) return html`<p class="verdict" aria-hidden="true">${person?.busy ? t("person.looking") : " "}</p>`;
  if (!person.warnings.length) return html`<p class="verdict good"><${Icon} name="check" />${t("person.good")}</p>`;
  return html`
    <div class="verdict fair"><strong>${t("person.usable")}</strong>
      <ul>${person.warnings.map((text) => html`<li>${note(text)}</li>`)}</ul>
    </div>`;
}
