// From a look (person, garments, engine, options) to its picture: quickly, once, and with the time it took.

import { call, follow } from "./api.js";

const WAIT = 1.5; // seconds in which a picture comes at once; a longer one is followed with its progress
const KEPT = 24;
const seen = new Map(); // key of a look: result, the last used last

export const keyOf = (personId, ids, engine, options) => JSON.stringify([personId, ids, engine, sorted(options)]);

const sorted = (options) => Object.keys(options).sort().map((name) => [name, options[name]]);

/** The result of a look that was seen before, or nothing. */
export function remembered(key) {
  const found = seen.get(key);
  if (found) {
    seen.delete(key);
    seen.set(key, found);
  }
  return found;
}

export const forgetResults = () => seen.clear();

export function forgetResult(id) {
  for (const [key, result] of seen) if (result.id === id) seen.delete(key);
}

/** Ask for a fitting; gives {id, bitmap, key, budget} where budget is in milliseconds. */
export async function fit(personId, ids, engine, options, { signal, onProgress, onPreview, onWait, onId } = {}) {
  const key = keyOf(personId, ids, engine, options);
  const started = performance.now();
  const form = new FormData();
  form.append("person_id", personId);
  for (const id of ids) form.append("garment_id", id);
  form.append("engine", engine);
  form.append("options", JSON.stringify(options));
  form.append("wait", String(WAIT));
  const asked = performance.now();
  const accept = "image/jpeg, application/json;q=0.1";
  let response = await call("/v1/fittings", { method: "POST", body: form, accept, signal, onWait });
  if (response.status === 202) {
    const { id } = await response.json();
    onId?.(id);
    await follow(id, { onProgress, onPreview, signal });
    response = await call(`/v1/fittings/${id}/picture`, { accept: "image/jpeg", signal });
  }
  const id = response.headers.get("Vestiary-Fitting") ?? response.url.split("/").at(-2);
  const blob = await response.blob();
  const received = performance.now();
  const bitmap = await createImageBitmap(blob);
  const decoded = performance.now();
  const server = serverTiming(response.headers.get("Server-Timing") ?? "");
  const inside = Object.values(server).reduce((sum, ms) => sum + ms, 0);
  const budget = {
    started,
    encode: asked - started,
    transfer: Math.max(received - asked - inside, 0),
    server,
    draw: decoded - received,
  };
  const result = { id, bitmap, key, budget, bytes: blob.size };
  seen.set(key, result);
  if (seen.size > KEPT) seen.delete(seen.keys().next().value);
  return result;
}

/** `fit;dur=12.3, total;dur=20` as {fit: 12.3, total: 20}. */
export function serverTiming(text) {
  const found = {};
  for (const part of text.split(",")) {
    const [name, ...rest] = part.trim().split(";");
    const duration = rest.map((item) => item.trim()).find((item) => item.startsWith("dur="));
    if (name && duration) found[name] = Number(duration.slice(4));
  }
  if ("wait" in found && "engine" in found) found.wait = Math.max(0, found.wait - found.engine); // the engine's time lies within
  return found;
}
