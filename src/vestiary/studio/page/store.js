// The page's state: one object, changed through `set`, and what of it is remembered in this browser (ids and tastes).

import { useEffect, useState } from "./vendor/preact-htm.js";

const KEY = "vestiary-studio";
const REMEMBERED = ["language", "theme", "personId", "sampleIds", "kept", "rater"];
const listeners = new Set();

export const state = {
  language: null,
  theme: null,
  reached: true,
  samples: { people: [], garments: [] },
  engines: [],
  personId: null,
  person: null, // {id, bitmap, warnings, facing} or {busy, bitmap}
  personTrouble: null,
  garments: [], // {key, id, sample, category, name, thumb, warnings, busy, trouble}
  sampleIds: {}, // name of a sample garment: its id on the service
  look: { garments: [], engine: "embedded", options: {} },
  past: [],
  future: [],
  result: null, // {id, bitmap, key, budget, warnings}
  busy: null, // {since, progress, preview, waiting}
  trouble: null,
  said: "", // for screen readers
  kept: [], // ids of fittings
  pinned: [],
  tab: "clothes",
  filter: "all",
  rater: null, // a made-up name for the blind rating
  rating: false, // whether one is running
  route: "",
  dialog: null,
};

/** Change some of the state and draw again. */
export function set(changes) {
  Object.assign(state, typeof changes === "function" ? changes(state) : changes);
  if (REMEMBERED.some((name) => name in changes)) remember();
  listeners.forEach((listener) => listener());
}

/** The state, for a component; it is drawn again whenever the state changes. */
export function useStore() {
  const [, redraw] = useState(0);
  useEffect(() => {
    const listener = () => redraw((count) => count + 1);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, []);
  return state;
}

function remember() {
  const kept = Object.fromEntries(REMEMBERED.map((name) => [name, state[name]]));
  try {
    localStorage.setItem(KEY, JSON.stringify(kept));
  } catch {
    // a browser that keeps nothing still shows the page
  }
}

/** Take up what this browser remembers. */
export function recall() {
  try {
    Object.assign(state, JSON.parse(localStorage.getItem(KEY) ?? "{}"));
  } catch {
    // as if it were the first visit
  }
}

/** Forget all but language and theme. */
export function forget() {
  set({
    personId: null, person: null, personTrouble: null, sampleIds: {}, kept: [], pinned: [], past: [], future: [],
    result: null, trouble: null, look: { ...state.look, garments: [] },
  });
}
