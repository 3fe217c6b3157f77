// Take a photo with the camera: what it sees, a countdown to step back, and a second look before it is used.

import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";
import { choosePerson, say } from "./actions.js";
import { Dialog } from "./dialogs.js";
import { t } from "./i18n.js";
import { Icon } from "./icons.js";
import { Files } from "./person.js";
import { set } from "./store.js";

const TIMERS = [3, 10];
const SIZE = { width: { ideal: 1280 }, height: { ideal: 1600 } };

export function Camera() {
  const video = useRef(null);
  const [side, setSide] = useState("user");
  const [denied, setDenied] = useState(false);
  const [timer, setTimer] = useState(TIMERS[0]);
  const [left, setLeft] = useState(null);
  const [photo, setPhoto] = useState(null);
  useEffect(() => openCamera(video, side, setDenied), [side]);
  useEffect(() => {
    if (left === null) return undefined;
    say(String(left || ""));
    const next = setTimeout(() => (left > 1 ? setLeft(left - 1) : snap()), 1000);
    return () => clearTimeout(next);
  }, [left]);
  const snap = async () => {
    setLeft(null);
    const blob = await still(video.current);
    setPhoto({ blob, url: URL.createObjectURL(blob) });
  };
  const use = () => { set({ dialog: null }); choosePerson(photo.blob); };
  if (denied) {
    return html`<${Dialog} title=${t("camera.title")}><p role="alert">${t("camera.denied")}</p>
      <div class="buttons"><${Files} label=${t("person.choose")} icon="upload" className="main"
        onFiles=${([file]) => { set({ dialog: null }); choosePerson(file); }} /></div><//>`;
  }
  return html`
    <${Dialog} title=${t("camera.title")} className="camera">
      <div class="view ${side}">
        <video ref=${video} autoplay playsinline muted aria-label=${t("camera.view")} hidden=${photo !== null}></video>
        ${photo && html`<img src=${photo.url} alt=${t("camera.taken")} />`}
        ${left !== null && html`<span class="countdown" aria-hidden="true">${left}</span>`}
      </div>
      ${photo
        ? html`<div class="buttons"><button class="button" onClick=${() => setPhoto(null)}>${t("camera.again")}</button>
            <button class="button main" onClick=${use}>${t("camera.use")}</button></div>`
        : html`<p class="fine">${t("camera.hint")}</p>
          <div class="buttons">
            <div class="timer" role="group" aria-label=${t("camera.timer")}>
              ${TIMERS.map((seconds) => html`<button class="chip" aria-pressed=${seconds === timer ? "true" : "false"} onClick=${() => setTimer(seconds)}>
                ${t("camera.seconds", { seconds })}</button>`)}
            </div>
            <button class="button main" disabled=${left !== null} onClick=${() => setLeft(timer)}><${Icon} name="camera" />${t("camera.take")}</button>
            <button class="round" aria-label=${t("camera.flip")} onClick=${() => setSide(side === "user" ? "environment" : "user")}><${Icon} name="flip" /></button>
          </div>`}
    <//>`;
}

function openCamera(video, side, setDenied) {
  let stream = null;
  let over = false;
  const begin = async () => {
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: side, ...SIZE }, audio: false });
      if (over) stop();
      else if (video.current) video.current.srcObject = stream;
    } catch {
      setDenied(true);
    }
  };
  const stop = () => { over = true; stream?.getTracks().forEach((track) => track.stop()); };
  begin();
  return stop;
}

/** What the camera sees now, or first if that is still to come, as others see it: the preview is a mirror, the photo is not. */
async function still(video) {
  if (!video.videoWidth) await new Promise((seen) => video.addEventListener("loadeddata", seen, { once: true }));
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  canvas.getContext("2d").drawImage(video, 0, 0);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.93 });
}
