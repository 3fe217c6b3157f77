// Blind rating: which of two pictures looks more real, or how real one looks from 1 to 5. The service holds the poll.

import { html, useEffect, useState } from "./vendor/preact-htm.js";
import { say } from "./actions.js";
import { json } from "./api.js";
import { t } from "./i18n.js";
import { Picture } from "./pictures.js";
import { set, state } from "./store.js";

const SCORES = [1, 2, 3, 4, 5];
const SIDES = [["left", "left"], ["tie", "same"], ["right", "right"]];

/** Who rates: made up once in this browser, so that one who comes back goes on where they were. */
function rater() {
  if (!state.rater) set({ rater: crypto.randomUUID?.() ?? String(Math.random()).slice(2) });
  return state.rater;
}

export function Rate() {
  const [question, setQuestion] = useState(null);
  const [since, setSince] = useState(0);
  const [busy, setBusy] = useState(false);
  const next = async () => {
    const found = await json(`/studio-rating/question?rater=${rater()}`).catch(() => false);
    setQuestion(found);
    setSince(performance.now());
    if (found) say(found.done ? t("rate.done") : t("rate.progress", { index: found.index + 1, total: found.total }));
  };
  useEffect(() => { next(); }, []);
  const vote = async (answer) => {
    if (busy) return;
    setBusy(true);
    const body = JSON.stringify({ rater: rater(), index: question.index, answer, seconds: (performance.now() - since) / 1000 });
    try {
      await json("/studio-rating/vote", { method: "POST", body: new Blob([body], { type: "application/json" }) });
      await next();
    } catch (problem) {
      set({ trouble: problem });
    }
    setBusy(false);
  };
  if (question === null) return html`<section class="page"></section>`;
  const score = question.mode === "score";
  return html`
    <section class="page wide rate" aria-labelledby="rate-title">
      <h1 id="rate-title">${t(score ? "rate.scoretitle" : "rate.title")}</h1>
      ${question === false && html`<p class="fine">${t("rate.off")}</p>`}
      ${question?.done && html`<p>${t("rate.done")}</p><p class="fine">${t("rate.summary")}</p>`}
      ${question && !question.done && html`
        <div class="title"><p class="fine">${t(score ? "rate.scoretext" : "rate.text")}</p>
          <p class="fine count-of">${t("rate.progress", { index: question.index + 1, total: question.total })}</p></div>
        <${Pictures} question=${question} score=${score} />
        <div class="buttons votes" role="group" aria-label=${t(score ? "rate.scoretitle" : "rate.title")}>
          ${(score ? SCORES.map((number) => [number, `score${number}`]) : SIDES).map(([answer, key]) => html`
            <button class="button" onClick=${() => vote(answer)}>${score && html`<strong>${answer}</strong>`} ${t(`rate.${key}`)}</button>`)}
        </div>`}
    </section>`;
}

function Pictures({ question, score }) {
  const path = (which) => `/studio-rating/picture?rater=${rater()}&index=${question.index}&which=${which}`;
  const shown = score ? [["left", "rate.picture"]] : [["left", "rate.leftpicture"], ["right", "rate.rightpicture"]];
  return html`
    <div class="rated">
      <ul class="columns" data-count=${shown.length}>
        ${shown.map(([which, key]) => html`<li key=${which}><${Picture} path=${path(which)} accept="image/*" alt=${t(key)} /></li>`)}
      </ul>
      ${question.references?.length > 0 && html`
        <ul class="references">${question.references.map((which) => html`
          <li key=${which}><figure><${Picture} path=${path(which)} accept="image/*" alt="" /><figcaption>${t(`rate.${which}`)}</figcaption></figure></li>`)}</ul>`}
    </div>`;
}
