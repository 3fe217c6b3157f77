// The live mirror, where this service has one: its module is loaded when the page is opened.

import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";
import { currentLanguage, t } from "./i18n.js";

export function Mirror({ state }) {
  const place = useRef(null);
  const [missing, setMissing] = useState(false);
  useEffect(() => {
    let close = null;
    let over = false;
    const begin = async () => {
      try {
        const { mount } = await import("/mirror.js");
        close = await mount(place.current, { language: currentLanguage() });
        if (over) close?.();
      } catch {
        setMissing(true);
      }
    };
    begin();
    return () => { over = true; close?.(); };
  }, [state.language]);
  return html`<section class="page" aria-labelledby="mirror-title"><h1 id="mirror-title">${t("nav.mirror")}</h1>
    ${missing && html`<p class="fine">${t("mirror.none")}</p>`}<div ref=${place}></div></section>`;
}
