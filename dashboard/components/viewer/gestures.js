// Wheel, mouse, touch and keys on a canvas.

const DRAG_PX = 4;
const ZOOM_STEP = 1.15;
const PAGE_MM = 10;

/** Listen on the canvas of a slot. All panels follow, so that what is done to one is done to the view. */
function listen(slot, viewer) {
  const { canvas } = slot;
  const pointers = new Map();
  let drag = null;
  let turned = 0;

  const at = (event) => {
    const frame = canvas.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  };

  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    event.stopPropagation();
    if (event.ctrlKey || event.metaKey) {
      viewer.zoom(event.deltaY < 0 ? ZOOM_STEP : 1 / ZOOM_STEP, slot, at(event));
      return;
    }
    // A notch of a wheel is some 100 pixels; a touchpad sends many small turns.
    const unit = event.deltaMode === 0 ? 50 : 1;
    turned += event.deltaY / unit;
    const steps = Math.abs(event.deltaY) >= unit ? Math.sign(event.deltaY) : Math.trunc(turned);
    if (steps === 0) return;
    turned = 0;
    viewer.scroll(slot.plane(), -steps);
  }, { passive: false });

  canvas.addEventListener("contextmenu", (event) => event.preventDefault());

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at(event));
    const windowing = event.button === 2 || event.shiftKey;
    drag = { last: at(event), moved: 0, windowing, button: event.button };
  });

  canvas.addEventListener("pointermove", (event) => {
    const now = at(event);
    viewer.hover(slot, now);
    if (!drag || !pointers.has(event.pointerId)) return;
    if (pointers.size === 2) {
      const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const before = pointers.get(event.pointerId);
      const apart = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
      viewer.zoom(apart(now, other) / Math.max(apart(before, other), 1), slot, other);
      pointers.set(event.pointerId, now);
      drag.moved = DRAG_PX + 1;
      return;
    }
    pointers.set(event.pointerId, now);
    const [dx, dy] = [now[0] - drag.last[0], now[1] - drag.last[1]];
    drag.moved += Math.abs(dx) + Math.abs(dy);
    if (drag.moved <= DRAG_PX) return;
    drag.last = now;
    if (drag.windowing) viewer.dragWindow(dx, dy);
    else viewer.pan(slot, dx, dy);
  });

  const end = (event) => {
    const clicked = drag && drag.moved <= DRAG_PX && drag.button === 0 && !drag.windowing;
    pointers.delete(event.pointerId);
    if (clicked && event.type === "pointerup") viewer.pick(slot, at(event));
    if (!pointers.size) drag = null;
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  canvas.addEventListener("pointerleave", () => viewer.hover(slot, null));

  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const plane = slot.plane();
    const far = Math.max(1, Math.round(PAGE_MM / viewer.stepOf(plane)));
    const panned = { ArrowUp: [0, 20], ArrowDown: [0, -20], ArrowLeft: [20, 0], ArrowRight: [-20, 0] };
    const { clientWidth: width, clientHeight: height } = canvas;
    const actions = {
      ArrowUp: () => viewer.scroll(plane, 1),
      ArrowRight: () => viewer.scroll(plane, 1),
      ArrowDown: () => viewer.scroll(plane, -1),
      ArrowLeft: () => viewer.scroll(plane, -1),
      PageUp: () => viewer.scroll(plane, far),
      PageDown: () => viewer.scroll(plane, -far),
      Home: () => viewer.home(),
      "+": () => viewer.zoom(ZOOM_STEP, slot, [width / 2, height / 2]),
      "=": () => viewer.zoom(ZOOM_STEP, slot, [width / 2, height / 2]),
      "-": () => viewer.zoom(1 / ZOOM_STEP, slot, [width / 2, height / 2]),
      Enter: () => viewer.pick(slot, [width / 2, height / 2]),
    };
    const action = event.shiftKey && panned[event.key] ? () => viewer.pan(slot, ...panned[event.key]) : actions[event.key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation(); // Streamlit has keys of its own.
    action();
  });
}
