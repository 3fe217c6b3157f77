// Windows over the page: download, delete everything; and sharing.

import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";
import { deleteEverything } from "./actions.js";
import { call } from "./api.js";
import { t } from "./i18n.js";
import { Icon } from "./icons.js";
import { set } from "./store.js";

const FORMATS = ["jpeg", "png", "webp", "avif"];

/** A window that holds the focus while it is open; Escape closes it. */
export function Dialog({ title, children, className = "", onClose }) {
  const window = useRef(null);
  const close = () => { onClose?.(); set({ dialog: null }); };
  useEffect(() => {
    const { current } = window;
    const opener = document.activeElement;
    if (!current.open) current.showModal();
    return () => opener?.focus?.();
  }, []);
  return html`
    <dialog ref=${window} class=${className} aria-labelledby="dialog-title" onClose=${close}
      onClick=${({ target }) => target === window.current && window.current.close()}>
      <div class="title"><h2 id="dialog-title">${title}</h2>
        <button class="round" aria-label=${t("dialog.close")} onClick=${() => window.current.close()}><${Icon} name="close" /></button></div>
      ${children}
    </dialog>`;
}

export function Erase() {
  return html`
    <${Dialog} title=${t("erase.title")}>
      <p>${t("erase.text")}</p>
      <div class="buttons">
        <button class="button" onClick=${() => set({ dialog: null })}>${t("dialog.cancel")}</button>
        <button class="button delete" onClick=${deleteEverything}>${t("erase.go")}</button>
      </div>
    <//>`;
}

export function Download({ state }) {
  const [format, setFormat] = useState("jpeg");
  const go = async () => {
    try {
      const response = await call(`/v1/fittings/${state.result.id}/picture`, { accept: `image/${format}` });
      save(await response.blob(), `vestiary-${state.result.id}.${format === "jpeg" ? "jpg" : format}`);
      set({ dialog: null });
    } catch (problem) {
      set({ dialog: null, trouble: problem });
    }
  };
  return html`
    <${Dialog} title=${t("download.title")}>
      <fieldset class="list"><legend>${t("download.format")}</legend>
        ${FORMATS.map((name) => html`
          <label><input type="radio" name="format" checked=${name === format} onChange=${() => setFormat(name)} /><span>${t(`download.${name}`)}</span></label>`)}
      </fieldset>
      <div class="buttons"><button class="button main" onClick=${go}><${Icon} name="download" />${t("download.go")}</button></div>
    <//>`;
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export async function shareLook(result) {
  try {
    const blob = await (await call(`/v1/fittings/${result.id}/picture`, { accept: "image/jpeg" })).blob();
    await navigator.share({ files: [new File([blob], "look.jpg", { type: blob.type })], title: result.names });
  } catch (problem) {
    if (problem.name !== "AbortError") set({ trouble: problem });
  }
}
