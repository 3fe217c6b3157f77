// Talks to the service. Whatever goes wrong becomes a Trouble with the service's stable code.

const TRIES = 4;
const POLL = 500; // ms between questions where no WebSocket can be opened
const online = new Set();

/** Something that went wrong: `code` as in the service's errors, or "gone" when nobody answers. */
export class Trouble extends Error {
  constructor(code, message = "", hint = "") {
    super(message || code);
    this.code = code;
    this.hint = hint;
  }
}

/** Be told `true` or `false` whenever the service has answered or has not. */
export function onReach(listener) {
  online.add(listener);
}

const tell = (reached) => online.forEach((listener) => listener(reached));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A response that is ok; waits and tries again while the service is busy (`onWait(seconds)` is told). */
export async function call(path, { method = "GET", body, accept = "application/json", signal, onWait } = {}) {
  for (let attempt = 1; ; attempt += 1) {
    const response = await reach(path, { method, body, signal, headers: { Accept: accept } });
    const busy = response.status === 429 || (response.status === 503 && response.headers.has("Retry-After")); // else waiting is in vain
    if (busy && attempt < TRIES) {
      const seconds = Math.min(Number(response.headers.get("Retry-After")) || 1, 30);
      onWait?.(seconds);
      await sleep(seconds * 1000);
      signal?.throwIfAborted();
      continue;
    }
    if (!response.ok) throw await troubleOf(response);
    return response;
  }
}

async function reach(path, request) {
  try {
    const response = await fetch(path, { credentials: "same-origin", ...request });
    tell(true);
    return response;
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    tell(false);
    throw new Trouble("gone");
  }
}

async function troubleOf(response) {
  const said = await response.json().catch(() => ({}));
  const error = said.error ?? {};
  return new Trouble(error.code ?? (response.status === 413 ? "too-large" : "internal"), error.message, error.hint);
}

export const json = async (path, request) => (await call(path, request)).json();

/** Upload one photo as `people` or `garments`; gives its record. */
export function upload(kind, blob, fields = {}, options = {}) {
  const form = new FormData();
  form.append("photo", blob, blob.name || "photo.jpg");
  for (const [name, value] of Object.entries(fields)) if (value != null) form.append(name, value);
  return json(`/v1/${kind}`, { method: "POST", body: form, ...options });
}

/** Follow a fitting until it is finished; gives its last record. */
export async function follow(id, { onProgress, onPreview, signal } = {}) {
  const ended = await listen(id, { onProgress, onPreview, signal });
  let record = ended ?? (await json(`/v1/fittings/${id}`, { signal }));
  while (!["done", "failed", "cancelled"].includes(record.state)) {
    onProgress?.(record.progress);
    await sleep(POLL);
    record = await json(`/v1/fittings/${id}`, { signal });
  }
  if (record.state === "failed") throw new Trouble(record.error?.code, record.error?.message, record.error?.hint);
  if (record.state === "cancelled") throw new Trouble("cancelled");
  return record;
}

function listen(id, { onProgress, onPreview, signal }) {
  return new Promise((resolve) => {
    const place = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/v1/fittings/${id}/events`;
    let socket;
    try {
      socket = new WebSocket(place);
    } catch {
      resolve(null);
      return;
    }
    signal?.addEventListener("abort", () => {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ cancel: true }));
      socket.close();
    });
    socket.binaryType = "blob";
    socket.onmessage = ({ data }) => {
      if (data instanceof Blob) {
        onPreview?.(data);
        return;
      }
      const said = JSON.parse(data);
      const record = said.fitting ?? said;
      if (record.progress) onProgress?.(record.progress);
      if (["done", "failed", "cancelled"].includes(record.state)) {
        resolve(record.id ? record : null);
        socket.close();
      }
    };
    socket.onerror = () => resolve(null);
    socket.onclose = () => resolve(null);
  });
}
