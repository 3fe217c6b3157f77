// The live mirror: the camera's frames go to the service one at a time, and come back with a garment on.
//
//   import { mountMirror } from "/mirror.js";
//   const close = await mountMirror(element, { server, garments, language });
//
// `garments`: [{ id } or { photo: URL, category }, with a name]; without them, the visitor's own and the service's samples.
// A frame is sent only when the one before has come back, so nothing piles up however slow the service is.

const WORDS = {
  en: {
    start: "Start the camera", stop: "Stop", next: "Next", previous: "Previous", rate: "{fps} frames/s",
    hint: "Stand so that your hips are in the picture. Swipe one hand sideways at chest height for the next garment, the other way for the previous one.",
    denied: "The camera cannot be used. Allow it in the browser's settings and try again.",
    lost: "The connection was lost.", busy: "All mirrors are in use. Try again in a minute.", none: "There are no garments to put on yet.",
    step: "Step in front of the camera.", upper: "Step back: the upper body must be in the picture.",
    lower: "Step back: the legs must be in the picture.", turn: "Turn towards the camera.", view: "You, wearing {name}", reading: "Fetching the garment …",
  },
  zh: {
    start: "打开摄像头", stop: "停止", next: "下一件", previous: "上一件", rate: "{fps} 帧/秒",
    hint: "请站到能看到髋部的位置。在胸前横向挥手可换下一件，反方向挥手换上一件。",
    denied: "无法使用摄像头。请在浏览器设置中允许后重试。",
    lost: "连接已断开。", busy: "试衣镜都在使用中，请稍后再试。", none: "还没有可试穿的衣服。",
    step: "请站到摄像头前。", upper: "请后退一些：画面中需要看到上半身。",
    lower: "请后退一些：画面中需要看到双腿。", turn: "请面向摄像头。", view: "您穿着{name}的样子", reading: "正在读取衣服……",
  },
};
// What the service says, and the words of this page for it.
const SAYINGS = [[/nobody|in front of the camera/, "step"], [/behind|away|side/, "turn"], [/trousers|shorts|skirt|legs/, "lower"], [/does not show|whole/, "upper"]];
const SIZE = [384, 512];
const QUALITY = 0.82;
const PATIENCE = 8000; // ms without an answer after which a frame counts as lost

/** As `mountMirror`, with all of it optional. */
export const mount = (element, options = {}) => mountMirror(element, options);

/** Show the mirror in `element`; gives a function that ends it and frees the camera. */
export async function mountMirror(element, { server = location.origin, garments = null, language = "en" } = {}) {
  const words = WORDS[String(language).startsWith("zh") ? "zh" : "en"];
  const parts = build(element, server, words);
  const list = garments ?? (await everything(server));
  const mirror = new Mirror(parts, server, words, list);
  mirror.showName();
  return () => {
    mirror.stop();
    parts.root.remove();
  };
}

class Mirror {
  constructor(parts, server, words, garments) {
    Object.assign(this, { parts, server, words, garments, worn: 0, number: 0, sent: 0, socket: null, stream: null });
    this.video = Object.assign(document.createElement("video"), { muted: true, playsInline: true });
    this.taken = new OffscreenCanvas(...SIZE);
    parts.start.onclick = () => (this.stream ? this.stop() : this.start());
    parts.next.onclick = () => this.change(1);
    parts.previous.onclick = () => this.change(-1);
  }

  async start() {
    if (!this.garments.length) return this.say(this.words.none);
    this.parts.start.disabled = true;
    try {
      const wish = { facingMode: "user", width: { ideal: 960 }, height: { ideal: 1280 } };
      this.stream = await navigator.mediaDevices.getUserMedia({ video: wish, audio: false });
      this.video.srcObject = this.stream;
      await this.video.play();
    } catch {
      this.stop();
      return this.say(this.words.denied);
    } finally {
      this.parts.start.disabled = false;
    }
    this.parts.start.textContent = this.words.stop;
    this.parts.start.classList.remove("main");
    this.parts.root.classList.add("live");
    this.connect();
  }

  connect() {
    const socket = new WebSocket(`${this.server.replace(/^http/, "ws")}/v1/mirror`);
    socket.binaryType = "arraybuffer";
    socket.onopen = async () => {
      this.opened = true;
      await this.wear();
      this.tick();
    };
    socket.onmessage = ({ data }) => (typeof data === "string" ? this.hear(JSON.parse(data)) : this.show(data));
    socket.onclose = () => {
      if (this.socket !== socket) return;
      const word = this.opened ? this.words.lost : this.words.busy;
      this.stop();
      this.say(word);
    };
    this.opened = false;
    this.socket = socket;
  }

  stop() {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    clearTimeout(this.timer);
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    this.video.srcObject = null;
    this.sent = 0;
    Object.assign(this.parts.start, { textContent: this.words.start });
    this.parts.start.classList.add("main");
    this.parts.root.classList.remove("live");
    this.parts.rate.textContent = "";
    this.parts.word.textContent = "";
  }

  /** Send a frame if none is under way, and look again soon. */
  async tick() {
    clearTimeout(this.timer);
    const socket = this.socket;
    if (!socket) return;
    if (this.sent && performance.now() - this.sent > PATIENCE) this.sent = 0;
    if (!this.sent && socket.readyState === WebSocket.OPEN && this.video.readyState >= 2 && !this.reading) {
      this.sent = performance.now();
      const frame = await this.frame();
      if (this.socket === socket && socket.readyState === WebSocket.OPEN) socket.send(frame);
    }
    this.timer = setTimeout(() => this.tick(), 250); // an answer comes sooner and calls at once
  }

  /** The middle of what the camera sees, upright, as others see it: number and JPEG. */
  async frame() {
    const { videoWidth: wide, videoHeight: high } = this.video;
    const scale = Math.max(SIZE[0] / wide, SIZE[1] / high);
    const [w, h] = [SIZE[0] / scale, SIZE[1] / scale];
    this.taken.getContext("2d").drawImage(this.video, (wide - w) / 2, (high - h) / 2, w, h, 0, 0, ...SIZE);
    const blob = await this.taken.convertToBlob({ type: "image/jpeg", quality: QUALITY });
    const number = new DataView(new ArrayBuffer(4));
    this.number = (this.number + 1) % 2 ** 32;
    number.setUint32(0, this.number);
    return new Blob([number, blob]);
  }

  hear(told) {
    if (told.error) {
      this.sent = 0;
      this.say(told.error.message);
      return;
    }
    const { fps, message, gesture } = told;
    this.parts.rate.textContent = fps ? this.words.rate.replace("{fps}", fps.toFixed(1)) : "";
    const known = message && SAYINGS.find(([pattern]) => pattern.test(message));
    this.say(known ? this.words[known[1]] : message);
    if (gesture) this.change(gesture === "next" ? 1 : -1);
  }

  async show(data) {
    const picture = await createImageBitmap(new Blob([data.slice(4)], { type: "image/jpeg" }));
    const { canvas } = this.parts;
    if (!this.socket) return;
    if (canvas.width !== picture.width || canvas.height !== picture.height) Object.assign(canvas, { width: picture.width, height: picture.height });
    canvas.getContext("2d").drawImage(picture, 0, 0);
    picture.close();
    canvas.dataset.frames = Number(canvas.dataset.frames ?? 0) + 1;
    this.sent = 0;
    this.tick();
  }

  change(step) {
    const count = this.garments.length;
    if (!count) return;
    this.worn = (this.worn + step + count) % count;
    this.showName();
    this.wear();
  }

  /** Tell the service what is worn, and add the garment there first if it does not know it. */
  async wear() {
    const chosen = this.garments[this.worn];
    if (!this.socket || !chosen) return;
    try {
      if (!chosen.id) {
        this.reading = true;
        this.say(this.words.reading);
        chosen.id = await add(this.server, chosen);
      }
      if (chosen === this.garments[this.worn] && this.socket?.readyState === WebSocket.OPEN) {
        this.socket.send(JSON.stringify({ garments: [chosen.id] }));
      }
    } catch (problem) {
      this.say(problem.message);
    } finally {
      this.reading = false;
    }
  }

  showName() {
    const name = this.garments[this.worn]?.name ?? "";
    this.parts.name.textContent = name;
    this.parts.canvas.setAttribute("aria-label", this.words.view.replace("{name}", name));
  }

  say(word) {
    if (this.parts.word.textContent !== word) this.parts.word.textContent = word ?? "";
  }
}

/** The visitor's garments and the samples, as {id} or {photo}. */
async function everything(server) {
  const ask = async (path) => {
    const response = await fetch(server + path, { credentials: "same-origin", headers: { Accept: "application/json" } });
    return response.ok ? response.json() : null;
  };
  const [own, samples] = await Promise.all([ask("/v1/garments"), ask("/studio-samples").catch(() => null)]);
  const mine = (own?.garments ?? own?.items ?? own ?? []).map((one) => ({ id: one.id, name: [...(one.colours ?? []).slice(0, 1), one.category].join(" ") }));
  const others = (samples?.garments ?? []).map((one) => ({ photo: server + one.photo, name: one.name.replaceAll("_", " ") }));
  return [...mine, ...others];
}

/** Upload a garment's photo; gives its id. */
async function add(server, { photo, name, category }) {
  const picture = await (await fetch(photo, { credentials: "same-origin" })).blob();
  const form = new FormData();
  form.append("photo", picture, `${name}.jpg`);
  if (category) form.append("category", category);
  const response = await fetch(`${server}/v1/garments`, { method: "POST", body: form, credentials: "same-origin" });
  const said = await response.json();
  if (!response.ok) throw new Error(said.error?.message ?? response.statusText);
  return said.id;
}

function build(element, server, words) {
  const style = `${server}/mirror.css`;
  if (!document.querySelector(`link[href="${style}"]`)) {
    document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: style }));
  }
  const make = (tag, className, text = "") => Object.assign(document.createElement(tag), { className, textContent: text });
  const root = make("div", "mirror");
  const glass = make("div", "glass");
  const row = make("div", "row");
  const parts = {
    root, canvas: make("canvas", ""), rate: make("p", "rate"), word: make("p", "word"), name: make("p", "name"),
    previous: make("button", "previous", words.previous), start: make("button", "main start", words.start), next: make("button", "next", words.next),
  };
  Object.assign(parts.canvas, { width: SIZE[0], height: SIZE[1] });
  parts.canvas.setAttribute("role", "img");
  for (const live of [parts.word, parts.name]) live.setAttribute("role", "status");
  for (const button of [parts.previous, parts.start, parts.next]) button.type = "button";
  glass.append(parts.canvas, make("p", "hint", words.hint), parts.rate, parts.word);
  row.append(parts.previous, parts.start, parts.next);
  root.append(glass, parts.name, row);
  element.append(root);
  return parts;
}
