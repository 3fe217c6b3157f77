// Blind rating: two pictures, names hidden; the service holds the poll.

import { html, useEffect, useState } from "./vendor/preact-htm.js";
import { json } from "./api.js";
import { t } from "./i18n.js";
import { Picture } from "./pictures.js";
import { set } from "./store.js";

const RATER = crypto.randomUUID?.() ?? String(Math.random());

export function Rate() {
  const [question, setQuestion] = useState(null);
  const [since, setSince] = useState(0);
  const next = () => json(`/studio-rating/question?rater=${RATER}`).then((found) => { setQuestion(found); setSince(performance.now()); }, () => setQuestion(false));
  useEffect(() => { next(); }, []);
  const vote = async (answer) => {
    const body = JSON.stringify({ rater: RATER, index: question.index, answer, seconds: (performance.now() - since) / 1000 });
    try {
      await json("/studio-rating/vote", { method: "POST", body: new Blob([body], { type: "application/json" }) });
      next();
    } catch (problem) {
      set({ trouble: problem });
    }
  };
  if (question === null) return html`<section class="page"></section>`;
  const path = (which) => `/studio-rating/picture?rater=${RATER}&index=${question.index}&which=${which}`;
  return html`
    <section class="page wide" aria-labelledby="rate-title">
      <h1 id="rate-title">${t("rate.title")}</h1>
      ${question === false && html`<p class="fine">${t("rate.off")}</p>`}
      ${question?.done && html`<p>${t("rate.done")}</p>`}
      ${question && !question.done && html`
        <p class="fine">${t("rate.text")} ${t("rate.progress", { index: question.index + 1, total: question.total })}</p>
        <ul class="columns" data-count="2">
          <li><${Picture} path=${path("left")} accept="image/*" alt=${t("rate.leftpicture")} /></li>
          <li><${Picture} path=${path("right")} accept="image/*" alt=${t("rate.rightpicture")} /></li>
        </ul>
        <div class="buttons">${[["left", "left"], ["tie", "same"], ["right", "right"]].map(([answer, key]) => html`<button class="button" onClick=${() => vote(answer)}>${t(`rate.${key}`)}</button>`)}</div>`}
    </section>`;
}
