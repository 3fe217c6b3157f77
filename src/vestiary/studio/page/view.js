// Zoom and pan of the picture: wheel, pinch, drag, double tap, and the keys + - 0 and arrows.

import { useEffect, useRef, useState } from "./vendor/preact-htm.js";

const MOST = 6;
const STEP = 1.4;
const WHOLE = { zoom: 1, x: 0, y: 0 };

/** The view of a frame: {zoom, transform, closer, further, whole, handlers}. */
export function useView(frame) {
  const [view, setView] = useState(WHOLE);
  const now = useRef(view);
  const fingers = useRef(new Map());
  now.current = view;
  const show = (next) => setView(bounded(next, frame.current));
  const zoomBy = (factor, at) => show(zoomed(now.current, factor, at ?? { x: 0, y: 0 }));
  const fromMiddle = (event) => {
    const { left, top, width, height } = frame.current.getBoundingClientRect();
    return { x: event.clientX - left - width / 2, y: event.clientY - top - height / 2 };
  };
  useEffect(() => {
    const wheel = (event) => {
      event.preventDefault();
      zoomBy(Math.exp(-event.deltaY * 0.002), fromMiddle(event));
    };
    const { current } = frame;
    current.addEventListener("wheel", wheel, { passive: false });
    return () => current.removeEventListener("wheel", wheel);
  }, []);
  const handlers = {
    onPointerDown: (event) => {
      if (event.target.closest("button, [role=slider]")) return;
      fingers.current.set(event.pointerId, fromMiddle(event));
      event.currentTarget.setPointerCapture(event.pointerId);
    },
    onPointerMove: (event) => {
      const held = fingers.current;
      if (!held.has(event.pointerId)) return;
      const before = [...held.values()];
      held.set(event.pointerId, fromMiddle(event));
      show(moved(now.current, before, [...held.values()]));
    },
    onPointerUp: (event) => fingers.current.delete(event.pointerId),
    onPointerCancel: (event) => fingers.current.delete(event.pointerId),
    onDblClick: (event) => (now.current.zoom > 1 ? show(WHOLE) : zoomBy(2.5, fromMiddle(event))),
    onKeyDown: (event) => {
      const { zoom, x, y } = now.current;
      const keys = {
        "+": () => zoomBy(STEP), "=": () => zoomBy(STEP), "-": () => zoomBy(1 / STEP), 0: () => show(WHOLE),
        ArrowLeft: () => show({ zoom, x: x + 40, y }), ArrowRight: () => show({ zoom, x: x - 40, y }),
        ArrowUp: () => show({ zoom, x, y: y + 40 }), ArrowDown: () => show({ zoom, x, y: y - 40 }),
      };
      if (event.ctrlKey || event.metaKey || !(event.key in keys) || (event.key.startsWith("Arrow") && zoom === 1)) return;
      event.preventDefault();
      keys[event.key]();
    },
  };
  return {
    zoom: view.zoom,
    transform: view.zoom === 1 ? "none" : `translate(${view.x}px, ${view.y}px) scale(${view.zoom})`,
    closer: () => zoomBy(STEP), further: () => zoomBy(1 / STEP), whole: () => show(WHOLE), handlers,
  };
}

function zoomed({ zoom, x, y }, factor, at) {
  const next = Math.min(MOST, Math.max(1, zoom * factor));
  const grown = next / zoom;
  return { zoom: next, x: at.x - (at.x - x) * grown, y: at.y - (at.y - y) * grown };
}

/** One finger pans, two pinch. */
function moved(view, before, after) {
  const middle = (points) => points.reduce((sum, { x, y }) => ({ x: sum.x + x / points.length, y: sum.y + y / points.length }), { x: 0, y: 0 });
  const spread = ([one, two]) => Math.hypot(one.x - two.x, one.y - two.y);
  const [from, to] = [middle(before), middle(after)];
  const panned = { ...view, x: view.x + to.x - from.x, y: view.y + to.y - from.y };
  return before.length < 2 ? panned : zoomed(panned, spread(after) / Math.max(spread(before), 1), to);
}

function bounded({ zoom, x, y }, frame) {
  if (zoom <= 1.01) return WHOLE;
  const reach = (size) => (size * (zoom - 1)) / 2;
  const hold = (value, most) => Math.min(most, Math.max(-most, value));
  return { zoom, x: hold(x, reach(frame.clientWidth)), y: hold(y, reach(frame.clientHeight)) };
}
