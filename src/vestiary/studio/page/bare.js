// Looks in which nothing is worn: for engines that need no garment, where the options say what shall change.

import { keyOf } from "./fit.js";
import { t } from "./i18n.js";
import { state } from "./store.js";

const asked = new Set(); // keys of those whose picture was asked for: without that, nothing worn means the photo

const key = () => keyOf(state.personId, [], state.look.engine, state.look.options);

/** Whether the chosen engine can do without a garment. */
export const canBeBare = () => state.engines.find(({ name }) => name === state.look.engine)?.needs_garment === false;

/** From now on the look, as it is now, has a picture. */
export const askBare = () => asked.add(key());

export const isAsked = () => canBeBare() && asked.has(key());

/** The words for such a look. */
export const toldBy = ({ prompt, scene }) => [prompt, scene].filter(Boolean).join(" · ") || t("outfit.changed");
