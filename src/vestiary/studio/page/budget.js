// Where the time goes between a tap and its picture on the screen, in milliseconds.

export const PARTS = ["read", "encode", "transfer", "queue", "fit", "compress", "draw"];

/** `fit;dur=12.3, total;dur=20` as {fit: 12.3, total: 20}. */
export function serverTiming(text) {
  const found = {};
  for (const part of text.split(",")) {
    const [name, ...rest] = part.trim().split(";");
    const duration = rest.map((item) => item.trim()).find((item) => item.startsWith("dur="));
    if (name && duration) found[name] = Number(duration.slice(4));
  }
  return found;
}

/** The parts of a budget but the drawing, which is added by `drawn`; times are those of `performance.now()`. */
export function budgetOf({ tapped, ready, asked, received, response, bytes }) {
  const { engine = 0, accept = 0, wait = engine, store = 0, encode = 0 } = serverTiming(response.headers.get("Server-Timing") ?? "");
  const queue = Math.max(accept + wait - engine, 0); // the engine works while the request is answered and waits
  const inside = queue + engine + store + encode;
  return {
    tapped, received, bytes, read: ready - tapped, encode: asked - ready, transfer: Math.max(received - asked - inside, 0),
    queue, fit: engine, compress: store + encode, draw: null, total: null,
  };
}

/** Complete a budget once the frame with the picture has been painted, and tell the browser's own tools of it. */
export function drawn(budget) {
  if (!budget || budget.total !== null) return;
  const end = performance.now();
  budget.draw = end - budget.received;
  budget.total = end - budget.tapped;
  performance.measure("vestiary-fitting", { start: budget.tapped, end, detail: { ...budget } });
}

/** Call back when the next frame has been painted. */
export function painted(then) {
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = then;
    port2.postMessage(null);
  });
}
