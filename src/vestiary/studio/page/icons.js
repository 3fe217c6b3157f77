// The page's own icons, drawn on a grid of 24.

import { html } from "./vendor/preact-htm.js";

const PATHS = {
  hanger: "M12 8.2a2.1 2.1 0 1 1 1.9-3M12 8.2v1.9l-8 6.3c-1 .8-.5 2.3.8 2.3h14.4c1.3 0 1.8-1.5.8-2.3L12 10.1",
  camera: "M4 8.5h3.2l1.5-2.5h6.6l1.5 2.5H20v10H4zM12 16.2a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
  upload: "M12 16V5m0 0L8 9m4-4 4 4M5 16v3h14v-3",
  download: "M12 5v11m0 0-4-4m4 4 4-4M5 19h14",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  close: "m6 6 12 12M18 6 6 18",
  check: "m5 12.5 4.5 4.5L19 7.5",
  undo: "M8 5 4 9l4 4M4 9h10a5.5 5.5 0 0 1 0 11h-3",
  redo: "m16 5 4 4-4 4m4-4H10a5.5 5.5 0 0 0 0 11h3",
  heart: "M12 19.5C6 15.5 3.5 12.3 3.5 9.2A4.2 4.2 0 0 1 12 7.5a4.2 4.2 0 0 1 8.5 1.7c0 3.1-2.5 6.3-8.5 10.3z",
  split: "M12 3v18M8.5 9 5.5 12l3 3m7-6 3 3-3 3",
  columns: "M4.5 5h6v14h-6zm9 0h6v14h-6z",
  share: "M12 14V4m0 0L8.5 7.5M12 4l3.5 3.5M7 11H5v9h14v-9h-2",
  trash: "M5 7h14M10 7V4.5h4V7m-7.5 0 .8 12.5h9.4L17.5 7",
  moon: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  person: "M12 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM5 20c.5-4 3.2-6 7-6s6.5 2 7 6",
  sliders: "M5 7h8m4 0h2M5 17h2m4 0h8M15 9.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4zM9 19.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4z",
  note: "M12 8v5m0 3.2v.1M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z",
  flip: "M4 12a8 8 0 0 1 13.7-5.6L20 8.5M20 4v4.5h-4.5M20 12a8 8 0 0 1-13.7 5.6L4 15.5M4 20v-4.5h4.5",
};

/** An icon beside words or inside a labelled button: hidden from screen readers. */
export const Icon = ({ name, size = 20 }) => html`
  <svg class="icon" width=${size} height=${size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
    <path d=${PATHS[name]} fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round" />
  </svg>`;
