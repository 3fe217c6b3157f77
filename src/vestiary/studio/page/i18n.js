// Every word of the page, in the language that was chosen; also what the service says, in plain words.

import en from "./words_en.js";
import zh from "./words_zh.js";

export const WORDS = { en, zh };
let language = "en";

// What the service says: how it begins or what it holds, and the words of this page for it.
export const NOTES = [
  [/^There are \d+ people; /, "note.many"], [/seen from the side; clothes/, "note.side"], [/^The person is small, /, "note.small"],
  [/^The photo is blurred/, "note.blurred"], [/^The photo is very dark/, "note.dark"], [/^The upper body is not whole/, "note.noupper"],
  [/^The legs are not in the photo/, "note.nolower"], [/seen from behind/, "note.behind"], [/lying down/, "note.lying"], [/upside down/, "note.upside"],
  [/person is too small/, "note.toosmall"], [/nobody in this photo/, "note.nobody"], [/does not show the/, "note.half"], [/has only .* pixels/, "note.tiny"],
  [/pixels; the limit is/, "note.huge"], [/^Part of the garment is outside/, "note.outside"], [/^The garment is small/, "note.soft"],
  [/^The category is not certain/, "note.category"], [/^The cut-out is not certain/, "note.cutout"], [/^Part of the garment was covered/, "note.covered"],
  [/^The wearer is turned/, "note.turned"], [/^Other clothes lie over/, "note.over"], [/cannot be worn together/, "note.together"],
  [/no garment to put on/, "note.bare"],
];

/** Take the page's language from a tag such as `zh-Hans-CN`; gives `en` or `zh`. */
export function chooseLanguage(tag) {
  language = String(tag).toLowerCase().startsWith("zh") ? "zh" : "en";
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = language === "zh" ? "Vestiary 试衣间" : "Vestiary, a fitting room";
  return language;
}

export const currentLanguage = () => language;
export const has = (key) => key in WORDS[language];

/** The words of a key with {names} filled in. */
export function t(key, values = {}) {
  const words = WORDS[language][key] ?? key;
  return words.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** A warning of the service in plain words. */
export function note(text) {
  const known = NOTES.find(([pattern]) => pattern.test(text));
  return known ? t(known[1]) : text;
}

/** What went wrong and what to do: {title, hint}. */
export function explain(problem) {
  const code = has(`trouble.${problem.code}`) ? problem.code : "internal";
  const known = NOTES.find(([pattern]) => pattern.test(problem.message));
  if (code === "gone") return { title: t("trouble.gone"), hint: "" };
  const hint = known && has(`${known[1]}hint`) ? `${known[1]}hint` : `trouble.${code}hint`;
  return { title: known ? t(known[1]) : t(`trouble.${code}`), hint: t(hint) };
}

export const when = (date) =>
  new Intl.DateTimeFormat(language === "zh" ? "zh-CN" : "en-GB", { dateStyle: "medium", timeStyle: "short" }).format(new Date(date));
