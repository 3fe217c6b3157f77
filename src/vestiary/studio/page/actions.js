// What a shopper can do: each verb changes the state and, where needed, asks the service.

import { json, upload, call, Trouble } from "./api.js";
import { askBare, canBeBare, isAsked, toldBy } from "./bare.js";
import { fit, forgetResult, forgetResults, keyOf, remembered } from "./fit.js";
import { shrink } from "./pictures.js";
import { forget, recall, set, state } from "./store.js";
import { t } from "./i18n.js";

const ORDER = ["top", "lower", "dress", "outerwear"]; // in which garments are put on
const SLOT = { top: "top", outerwear: "outerwear", dress: "dress", skirt: "lower", trousers: "lower", shorts: "lower" };
const CLASH = { top: ["dress"], lower: ["dress"], dress: ["top", "lower"], outerwear: [] };
const LATE = 300; // ms before anything says that it takes a while

let wearing = null; // AbortController of the fitting under way
let scanning = 0;

export const slotOf = (garment) => SLOT[garment.category] ?? "top";
export const garmentOf = (key) => state.garments.find((garment) => garment.key === key);
export const say = (text) => set({ said: text });

/** Fill the page: samples, engines, and what is still on the service from an earlier visit. */
export async function start() {
  recall();
  const remembered = state.personId;
  const [samples, engines, people, garments] = await Promise.all([
    json("/studio-samples"), json("/v1/engines"), json("/v1/people"), json("/v1/garments"),
  ]);
  const there = new Map(list(garments).map((garment) => [garment.id, garment]));
  const sampleIds = Object.fromEntries(Object.entries(state.sampleIds).filter(([, id]) => there.has(id)));
  const ofSamples = new Set(Object.values(sampleIds));
  const own = [...there.values()].filter((garment) => !ofSamples.has(garment.id)).map(ownGarment);
  const shipped = samples.garments.map((sample) => ({
    key: `sample:${sample.name}`, id: sampleIds[sample.name] ?? null, sample: sample.name, photo: sample.photo,
    thumb: sample.thumb, category: sample.category, warnings: [],
  }));
  const known = new Set(own.map(({ key }) => key));
  const added = state.garments.filter(({ key, sample }) => !sample && !known.has(key)); // while this was being asked
  set({ samples, rating: samples.rating === true, engines: list(engines).filter((engine) => engine.installed), sampleIds, garments: [...added, ...own, ...shipped] });
  if (!remembered || state.personId !== remembered || state.person) return; // a photo has been handed in meanwhile
  const person = list(people).find(({ id }) => id === remembered);
  if (person) await showPerson(person);
  else set({ personId: null, kept: [] });
}

const list = (answer) => (Array.isArray(answer) ? answer : (answer.items ?? Object.values(answer)[0]));
const ownGarment = (record) => ({
  key: record.id, id: record.id, sample: null, photo: `/v1/garments/${record.id}/picture`, thumb: null,
  category: record.category, colours: record.colours, warnings: record.warnings,
});

async function showPerson(record, bitmap) {
  const shown = bitmap ?? (await createImageBitmap(await (await call(`/v1/people/${record.id}/picture`, { accept: "image/jpeg" })).blob()));
  set({ personId: record.id, person: { ...record, bitmap: shown }, personTrouble: null, result: null });
}

/** Take a photo of a person in, and say whether it can serve. */
export async function choosePerson(file) {
  const turn = ++scanning;
  wearing?.abort();
  set({ person: { busy: false }, personTrouble: null, result: null, trouble: null, busy: null, route: "" });
  const late = setTimeout(() => turn === scanning && set({ person: { ...state.person, busy: true } }), LATE);
  try {
    const small = await shrink(file);
    const bitmap = await createImageBitmap(small).catch(() => null);
    if (turn !== scanning) return;
    if (bitmap) set({ person: { ...state.person, bitmap } });
    const record = await upload("people", small);
    if (turn !== scanning) return;
    await showPerson(record, bitmap);
    say(record.warnings.length ? t("person.usable") : t("person.good"));
    if (state.look.garments.length) await wear();
  } catch (problem) {
    if (turn === scanning) set({ person: null, personId: null, personTrouble: problem, tab: "person", said: "" });
  } finally {
    clearTimeout(late);
  }
}

export async function chooseSample(sample) {
  try {
    await choosePerson(await (await call(sample.photo, { accept: "image/*" })).blob());
  } catch (problem) {
    set({ trouble: problem });
  }
}

/** Take in garments, many at once; each appears on the wall and is ready when it has been read. */
export async function addGarments(files) {
  const added = [...files].map((file, index) => ({
    key: `new:${Date.now()}:${index}`, id: null, file, thumb: URL.createObjectURL(file), warnings: [], busy: true,
  }));
  set({ garments: [...added, ...state.garments], filter: "all" });
  for (const garment of added) {
    try {
      const record = await upload("garments", await shrink(garment.file));
      replace(garment.key, ownGarment(record));
      say(t("garment.ready", { what: t(`category.${record.category}`) }));
      if (added.length === 1) toggle(record.id);
    } catch (problem) {
      replace(garment.key, { ...garment, busy: false, trouble: problem });
    }
  }
}

function replace(key, changed) {
  set({ garments: state.garments.map((garment) => (garment.key === key ? changed : garment)) });
}

/** Correct what a garment was taken for. */
export async function recategorize(garment, category) {
  replace(garment.key, { ...garment, busy: true });
  try {
    const blob = await (await call(garment.photo, { accept: "image/png" })).blob();
    const record = await upload("garments", blob, { category });
    state.look = { ...state.look, garments: state.look.garments.filter((key) => key !== garment.key) };
    replace(garment.key, ownGarment(record));
    call(`/v1/garments/${garment.id}`, { method: "DELETE" }).catch(() => {});
    toggle(record.id);
  } catch (problem) {
    replace(garment.key, { ...garment, busy: false });
    set({ trouble: problem });
  }
}

export function removeGarment(garment) {
  if (garment.id) call(`/v1/garments/${garment.id}`, { method: "DELETE" }).catch((problem) => set({ trouble: problem }));
  set({ garments: state.garments.filter(({ key }) => key !== garment.key) });
  if (state.look.garments.includes(garment.key)) toggle(garment.key);
}

/** Put a garment on, or take it off; what cannot be worn with it comes off. */
export function toggle(key) {
  const worn = state.look.garments;
  if (worn.includes(key)) return change({ garments: worn.filter((other) => other !== key) });
  const slot = slotOf(garmentOf(key));
  const stay = worn.filter((other) => {
    const taken = slotOf(garmentOf(other));
    return taken !== slot && !CLASH[slot].includes(taken);
  });
  const place = (other) => ORDER.indexOf(slotOf(garmentOf(other)));
  return change({ garments: [...stay, key].sort((one, other) => place(one) - place(other)) });
}

/** Change the look, remember the old one for undo, and show the new one. */
export function change(part, how) {
  const tapped = globalThis.event?.timeStamp ?? performance.now();
  set({ past: [...state.past.slice(-49), state.look], future: [], look: { ...state.look, ...part } });
  return wear(tapped, how);
}

export function setOption(name, value) {
  if (state.look.options[name] !== value) change({ options: { ...state.look.options, [name]: value } }, { stay: true });
}

/** Ask for the picture of a look in which nothing is worn; words that are still being typed count. */
export function wearNothing() {
  const typed = document.activeElement;
  if (typed?.matches("input[type=text]")) typed.dispatchEvent(new Event("change"));
  askBare();
  return wear();
}

export function undo() {
  if (!state.past.length) return;
  set({ future: [state.look, ...state.future], look: state.past.at(-1), past: state.past.slice(0, -1), said: t("said.undone") });
  wear();
}

export function redo() {
  if (!state.future.length) return;
  set({ past: [...state.past, state.look], look: state.future[0], future: state.future.slice(1), said: t("said.redone") });
  wear();
}

/** Bring the picture up to the look; the old picture stays until the new one is there.
 *
 * Where nothing is worn that is the photo, unless another picture was asked for; `stay`: one that is shown stays.
 */
export async function wear(tapped = performance.now(), { stay = false } = {}) {
  wearing?.abort();
  const control = (wearing = new AbortController());
  const { signal } = control;
  const mine = () => wearing === control;
  const { garments, engine, options } = state.look;
  const worn = garments.map(garmentOf).filter(Boolean);
  const bare = !worn.length;
  if (!state.personId || (bare && !isAsked())) {
    return set({ result: stay && bare && canBeBare() && state.result?.bare ? state.result : null, busy: null, trouble: null });
  }
  set({ trouble: null });
  const late = setTimeout(() => mine() && set({ busy: { progress: null, ...state.busy }, said: t(bare ? "said.changing" : "said.fitting") }), LATE);
  try {
    const ids = [];
    for (const garment of worn) ids.push(await idOf(garment, signal));
    const key = keyOf(state.personId, ids, engine, options);
    const result = remembered(key) ?? (await ask(ids, control, mine, tapped));
    if (!mine()) return undefined;
    const names = bare ? toldBy(options) : worn.map(nameOf).join(", ");
    return set({ result: { ...result, names, bare }, busy: null, trouble: null, said: t(bare ? "said.changed" : "said.done", { what: names }) });
  } catch (problem) {
    if (mine() && problem.name !== "AbortError") set({ busy: null, trouble: problem });
    return undefined;
  } finally {
    clearTimeout(late);
    if (mine()) wearing = null;
  }
}

function ask(ids, control, mine, tapped) {
  const { engine, options } = state.look;
  const update = (changes) => mine() && set({ busy: { ...state.busy, ...changes } });
  return fit(state.personId, ids, engine, options, {
    tapped, signal: control.signal,
    onProgress: (progress) => update({ progress, waiting: null }),
    onPreview: async (blob) => update({ preview: await createImageBitmap(blob) }),
    onWait: (seconds) => update({ waiting: seconds }),
    onId: (id) => control.signal.addEventListener("abort", () => cancel(id)),
  });
}

const cancel = (id) => call(`/v1/fittings/${id}/cancel`, { method: "POST" }).catch(() => {});

export function stop() {
  wearing?.abort();
  wearing = null;
  set({ busy: null });
}

const uploading = new Map(); // so that two quick taps upload a sample once

async function idOf(garment, signal) {
  const known = garment.id ?? garmentOf(garment.key)?.id;
  if (known) return known;
  if (!garment.sample) throw new Trouble("garment");
  if (!uploading.has(garment.key)) uploading.set(garment.key, takeIn(garment).finally(() => uploading.delete(garment.key)));
  const id = await uploading.get(garment.key);
  signal.throwIfAborted();
  return id;
}

/** A garment that is pointed at will perhaps be worn: let the service read it meanwhile. */
export function expect(garment) {
  if (state.personId && garment.sample && !garment.id) idOf(garment, new AbortController().signal).catch(() => {});
}

async function takeIn(garment) {
  const blob = await (await call(garment.photo, { accept: "image/*" })).blob();
  const record = await upload("garments", blob, { category: garment.category });
  replace(garment.key, { ...garment, id: record.id, warnings: record.warnings });
  set({ sampleIds: { ...state.sampleIds, [garment.sample]: record.id } });
  return record.id;
}

/** What a garment is called on the page. */
export const nameOf = (garment) =>
  garment.sample ? t(`sample.${garment.sample}`) : garment.category ? t(`category.${garment.category}`) : t("garment.new");

export function keep(id) {
  const kept = state.kept.includes(id) ? state.kept.filter((other) => other !== id) : [id, ...state.kept];
  set({ kept, said: t(kept.includes(id) ? "said.kept" : "said.unkept") });
}

export function pin(id) {
  const pinned = state.pinned.includes(id) ? state.pinned.filter((other) => other !== id) : [...state.pinned, id];
  set({ pinned: pinned.slice(-4) });
}

export async function deleteLook(id) {
  try {
    await call(`/v1/fittings/${id}`, { method: "DELETE" });
  } catch (problem) {
    if (problem.code !== "not-found") return set({ trouble: problem });
  }
  forgetResult(id);
  const without = (ids) => ids.filter((other) => other !== id);
  return set({ kept: without(state.kept), pinned: without(state.pinned), said: t("said.deleted") });
}

export async function deleteEverything() {
  wearing?.abort();
  try {
    await call("/v1/me", { method: "DELETE" });
  } catch (problem) {
    return set({ trouble: problem, dialog: null });
  }
  forgetResults();
  forget();
  const samples = state.garments.filter(({ sample }) => sample).map((garment) => ({ ...garment, id: null }));
  location.hash = "#/";
  return set({ garments: samples, dialog: null, said: t("said.erased") });
}
