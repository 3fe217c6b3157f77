// The live mirror, where this service has one: its module is loaded when the page is opened.

import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";
import { nameOf } from "./actions.js";
import { currentLanguage, t } from "./i18n.js";

/** What the mirror offers: the wall's garments by the names of this page, what is worn in the fitting room first. */
function offered({ garments, look }) {
  const rank = ({ key }) => (look.garments.includes(key) ? 0 : 1);
  return garments
    .filter(({ trouble, busy }) => !trouble && !busy)
    .sort((one, other) => rank(one) - rank(other))
    .map((garment) => ({ id: garment.id, photo: garment.photo, category: garment.category, name: nameOf(garment) }));
}

export function Mirror({ state }) {
  const place = useRef(null);
  const [missing, setMissing] = useState(false);
  const known = state.garments.length > 0;
  useEffect(() => {
    if (!known) return undefined;
    let close = null;
    let over = false;
    const begin = async () => {
      try {
        const { mount } = await import("/mirror.js");
        if (over) return;
        close = await mount(place.current, { language: currentLanguage(), garments: offered(state) });
        if (over) close();
      } catch {
        setMissing(true);
      }
    };
    begin();
    return () => { over = true; close?.(); };
  }, [state.language, known]);
  return html`<section class="page" aria-labelledby="mirror-title"><h1 id="mirror-title">${t("nav.mirror")}</h1>
    ${missing && html`<p class="fine">${t("mirror.none")}</p>`}<div ref=${place}></div></section>`;
}
