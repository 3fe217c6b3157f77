/* The service behind a button, and the shopper's photo with it. */
const LONGEST_SIDE = 1600; // pixels of the photo that is sent
const TRIES = 4, LOOK_MS = 400;

class Problem extends Error {
  constructor(code, message = "", hint = "") { super(message); this.code = code; this.hint = hint; }
}

const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const random = (bytes) =>
  Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (n) => n.toString(16).padStart(2, "0")).join("");

/* What is known for as long as this tab is open; in memory only where the browser allows no more. */
const notes = {
  kept: new Map(),
  get(name) {
    try { return JSON.parse(sessionStorage.getItem(`vestiary:${name}`)); } catch { return this.kept.get(name) ?? null; }
  },
  set(name, value) {
    this.kept.set(name, value);
    try { sessionStorage.setItem(`vestiary:${name}`, JSON.stringify(value)); } catch { /* kept in memory */ }
    return value;
  },
};

/* The shopper's photo with one service: all buttons of this tab share it until it expires. */
const shopper = {
  get(server) {
    const photo = notes.get(server);
    return photo && Date.parse(photo.expires) > Date.now() + 60_000 ? photo : null;
  },
  set: (server, { id, expires }) => notes.set(server, { id, expires }),
  forget: (server) => notes.set(server, null),
};

/* One service: asks again when it is busy or away, always with the same idempotency key. */
class FittingRoom {
  constructor(server, key) { this.server = server.replace(/\/$/, ""); this.key = key; }

  headers(method, accept) {
    // The key is the same for all visitors of the shop; the session, a secret of this tab, tells whose photos are whose.
    const session = notes.get("session") ?? notes.set("session", random(32));
    const headers = { Accept: accept, "Vestiary-Session": session };
    if (this.key) headers.Authorization = `Bearer ${this.key}`;
    if (method === "POST") headers["Idempotency-Key"] = random(16);
    return headers;
  }

  async ask(method, path, { form = null, accept = "application/json", signal } = {}) {
    const request = { method, headers: this.headers(method, accept), body: form, signal, credentials: "omit" };
    for (let attempt = 1; ; attempt++) {
      let answer = null;
      try { answer = await fetch(this.server + path, request); }
      catch (error) {
        if (error.name === "AbortError") throw error;
        if (attempt === TRIES) throw new Problem("offline");
      }
      if (answer?.ok) return answer;
      if (answer && (![429, 503].includes(answer.status) || attempt === TRIES)) throw await this.problem(answer);
      const asked = Number(answer?.headers.get("Retry-After")) || 0.3 * 2 ** attempt;
      await wait(1000 * Math.min(10, asked));
    }
  }

  async problem(answer) {
    const told = await answer.json().then((body) => body.error, () => null);
    return new Problem(told?.code ?? "error", told?.message ?? `${answer.status}`, told?.hint);
  }

  async add(kind, photo, hours) {
    const form = new FormData();
    form.append("photo", photo, "photo");
    form.append("keep_hours", hours);
    return (await this.ask("POST", `/v1/${kind}`, { form })).json();
  }

  async fit(person, garment, engine, hours, onProgress, signal) {
    const form = new FormData();
    const fields = { person_id: person, garment_id: garment, keep_hours: hours, wait: 2, ...(engine && { engine }) };
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    let record = await (await this.ask("POST", "/v1/fittings", { form, signal })).json();
    while (["queued", "running"].includes(record.state)) {
      onProgress(record.progress);
      await wait(LOOK_MS);
      record = await (await this.ask("GET", `/v1/fittings/${record.id}`, { signal })).json();
    }
    const { error, id, state } = record;
    if (state !== "done") throw new Problem(error?.code ?? state, error?.message, error?.hint);
    return { id, picture: await this.picture("fittings", id) };
  }

  async picture(kind, id) {
    return (await this.ask("GET", `/v1/${kind}/${id}/picture`, { accept: "image/webp,image/jpeg;q=0.9" })).blob();
  }
}

/* A photo as JPEG, upright, of modest size, without EXIF: where and with what it was taken stays with the shopper. */
async function small(file) {
  let image;
  try { image = await createImageBitmap(file, { imageOrientation: "from-image" }); }
  catch { throw new Problem("unreadable"); }
  const scale = Math.min(1, LONGEST_SIDE / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(image.width * scale);
  canvas.height = Math.round(image.height * scale);
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  image.close();
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
}
