// From a look (person, garments, engine, options) to its picture: quickly, once, and with the time it took.

import { call, follow } from "./api.js";
import { budgetOf } from "./budget.js";

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

/** Ask for a fitting; gives {id, bitmap, key, budget}. `tapped` is when the shopper asked, as of `performance.now()`. */
export async function fit(personId, ids, engine, options, { tapped = performance.now(), signal, onProgress, onPreview, onWait, onId } = {}) {
  const key = keyOf(personId, ids, engine, options);
  const ready = performance.now();
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
  const budget = budgetOf({ tapped, ready, asked, received, response, bytes: blob.size });
  const result = { id, bitmap, key, budget };
  seen.set(key, result);
  if (seen.size > KEPT) seen.delete(seen.keys().next().value);
  return result;
}
