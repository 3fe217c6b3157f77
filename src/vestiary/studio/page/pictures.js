// Pictures on their way: made smaller before they are sent, fetched once, and drawn.

import { call } from "./api.js";
import { painted } from "./budget.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "./vendor/preact-htm.js";

const LONGEST = 1600; // pixels of a photo's longer side; the service needs no more
const urls = new Map();

/** The photo, upright and no larger than needed; a file that this browser cannot read is sent as it is. */
export async function shrink(file) {
  const bitmap = await createImageBitmap(file).catch(() => null);
  const longest = bitmap && Math.max(bitmap.width, bitmap.height);
  if (!bitmap || (longest <= LONGEST && file.size < 4e6)) return file;
  const scale = Math.min(1, LONGEST / longest);
  const canvas = new OffscreenCanvas(Math.round(bitmap.width * scale), Math.round(bitmap.height * scale));
  const pen = canvas.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const clear = file.type === "image/png" || file.type === "image/webp"; // may hold transparency
  return canvas.convertToBlob(clear ? { type: "image/png" } : { type: "image/jpeg", quality: 0.93 });
}

/** An address of a picture of the service that `<img>` can show; fetched once. */
export function pictureUrl(path, accept = "image/jpeg") {
  const key = `${accept} ${path}`;
  if (!urls.has(key)) {
    const made = call(path, { accept }).then((response) => response.blob()).then((blob) => URL.createObjectURL(blob));
    urls.set(key, made);
    made.catch(() => urls.delete(key));
  }
  return urls.get(key);
}

/** A picture of the service; empty until it is there. */
export function Picture({ path, accept, alt, className, onError }) {
  const [url, setUrl] = useState(null);
  useEffect(() => {
    let shown = true;
    setUrl(null);
    pictureUrl(path, accept).then((found) => shown && setUrl(found), (problem) => shown && onError?.(problem));
    return () => { shown = false; };
  }, [path, accept]);
  return url ? html`<img class=${className} src=${url} alt=${alt} />` : html`<span class="ghost ${className ?? ""}"></span>`;
}

/** A bitmap on a canvas, drawn before the next frame; `onDrawn` is called when that has been painted. */
export function Bitmap({ bitmap, label, className, style, onDrawn }) {
  const canvas = useRef(null);
  useLayoutEffect(() => {
    const { current } = canvas;
    if (current.width !== bitmap.width || current.height !== bitmap.height) {
      current.width = bitmap.width;
      current.height = bitmap.height;
    }
    current.getContext("2d").drawImage(bitmap, 0, 0);
    if (onDrawn) painted(onDrawn);
  }, [bitmap]);
  const role = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  return html`<canvas ref=${canvas} class=${className} style=${style} ...${role}></canvas>`;
}

/** The picture out of focus, as a ground for itself. Drawn small, once: a filter of the style sheet is drawn at every frame. */
export function Backdrop({ bitmap }) {
  const canvas = useRef(null);
  useLayoutEffect(() => {
    const tiny = new OffscreenCanvas(10, 13);
    const { current } = canvas;
    const pens = [tiny.getContext("2d"), current.getContext("2d")];
    for (const pen of pens) pen.imageSmoothingQuality = "high";
    pens[0].drawImage(bitmap, 0, 0, tiny.width, tiny.height);
    pens[1].drawImage(tiny, 0, 0, current.width, current.height);
  }, [bitmap]);
  return html`<canvas ref=${canvas} class="backdrop" width="80" height="104" aria-hidden="true"></canvas>`;
}
