// What is asked of the server and when: one request at a time, what is seen first, then what may be seen next.

const AHEAD = 8;
const BEHIND = 4;
const MOST_AT_ONCE = 18;
const PATIENCE_MS = 30000;
const POLL_MS = 600;
const SETTLE_MS = 700;

class Conversation {
  constructor(viewer) {
    this.viewer = viewer;
    this.seq = Date.now() % 1e9;
    this.outstanding = null;
    this.told = "";
    this.onceKnown = []; // What waits until the server knows what is shown.
    this.question = undefined; // What the map that was asked for last is about.
    this.timer = 0;
  }

  restart() {
    this.answered();
    this.told = "";
    this.settled = null;
  }

  close() {
    clearTimeout(this.timer);
  }

  received(seq) {
    if (this.outstanding && seq === this.outstanding.seq) this.answered();
  }

  /** No answer is waited for any more. */
  answered() {
    this.outstanding = null;
    for (const act of this.onceKnown.splice(0)) act();
  }

  /** What the server should know of the view, as text. */
  state() {
    const { view, point } = this.viewer;
    return JSON.stringify([view.plane, view.place, view.window, point, view.map]);
  }

  /** Whether the server knows what is shown now. */
  known() {
    return !this.outstanding && this.state() === this.told;
  }

  /** Tell the server what is shown now, and call `act` when it knows. */
  tellThen(act) {
    this.onceKnown.push(act);
    if (this.state() !== this.told) this.ask([], [], this.state());
  }

  /** Ask for what is lacking, unless an answer is waited for. */
  next() {
    clearTimeout(this.timer);
    const { viewer } = this;
    if (this.outstanding) {
      const waited = performance.now() - this.outstanding.at;
      if (waited < PATIENCE_MS) {
        this.timer = setTimeout(() => this.next(), PATIENCE_MS - waited);
        return;
      }
      this.answered();
    }
    const opens = viewer.unopened();
    const wants = this.wanted();
    const { map } = viewer;
    const asksMap = viewer.waitsForMap();
    const state = this.state();
    if (opens.length || wants.length || asksMap || viewer.clicked) {
      this.ask(opens, wants, state);
    } else if (map?.waiting && viewer.view.map === map.kind) {
      this.timer = setTimeout(() => this.ask([], [], state), POLL_MS);
    } else if (state !== this.told) {
      // What is shown is told once it rests, so that the page can keep it in a link.
      if (this.settled === state) this.ask([], [], state);
      else {
        this.settled = state;
        this.timer = setTimeout(() => this.next(), SETTLE_MS);
      }
    }
  }

  ask(opens, wants, state) {
    const { viewer } = this;
    const { view } = viewer;
    this.seq += 1;
    this.outstanding = { seq: this.seq, at: performance.now() };
    this.told = state;
    this.question = viewer.mapQuestion();
    viewer.clicked = false;
    viewer.send({
      signature: viewer.signature,
      seq: this.seq,
      plane: view.plane,
      place: view.place,
      window: [view.window.name, view.window.width, view.window.level],
      wants,
      opens,
      point: viewer.point,
      map: view.map,
      map_key: viewer.map?.kind === view.map ? viewer.map.key : "",
      attempt: viewer.attempt,
    });
    viewer.schedule();
  }

  wanted() {
    const { viewer } = this;
    const { cache, view } = viewer;
    const wants = [];
    const lack = (slot, index) => {
      if (index >= 0 && index < slot.panel.shape[slot.axis.through] && !cache.has(slot.number, slot.axis.name, index)) {
        wants.push([slot.number, slot.axis.name, index, null]);
      }
    };
    const slots = viewer.slots
      .map((slot) => ({ number: slot.number, panel: viewer.panels[slot.number], axis: slot.plane(), slot }))
      .filter((one) => one.panel?.kind === "ct")
      .map((one) => ({ ...one, index: sliceIndex(one.panel, one.axis, view.place) }));
    for (const one of slots) lack(one, one.index);
    // What is waited for comes sooner with little beside it.
    const most = wants.length ? wants.length + slots.length : MOST_AT_ONCE;
    if (!wants.length) {
      for (const one of slots) {
        const region = this.detail(one);
        if (region) wants.push([one.number, one.axis.name, one.index, region]);
      }
    }
    const direction = viewer.direction;
    for (let away = 1; away <= AHEAD && wants.length < most; away += 1) {
      for (const one of slots) {
        lack(one, one.index + direction * away);
        if (away <= BEHIND) lack(one, one.index - direction * away);
      }
    }
    return wants.slice(0, most);
  }

  /** The region of a slice that can be shown finer than it is here, or null. */
  detail({ slot, number, panel, axis, index }) {
    const whole = this.viewer.cache.get(number, axis.name, index);
    const step = Math.max(...(whole?.step ?? [1, 1]));
    const { clientWidth: width, clientHeight: height } = slot.canvas;
    if (step < 2 || !width) return null;
    const seen = visible(projection(this.viewer.view.camera, axis, width, height), width, height);
    const margin = 0.1 * (seen.right - seen.left);
    const [right, bottom] = [whole.left + whole.columns * whole.pixel[0], whole.top + whole.rows * whole.pixel[1]];
    const region = [Math.max(seen.left - margin, whole.left), Math.max(seen.top - margin, whole.top),
      Math.min(seen.right + margin, right), Math.min(seen.bottom + margin, bottom)];
    if (region[0] >= region[2] || region[1] >= region[3]) return null;
    const voxels = Math.max((region[2] - region[0]) / panel.spacing[axis.across], (region[3] - region[1]) / panel.spacing[axis.down]);
    const finer = Math.ceil((voxels + 2) / 320);
    if (finer >= step) return null;
    const here = this.viewer.cache.detail(number, axis.name, index);
    const inner = [Math.max(seen.left, whole.left), Math.max(seen.top, whole.top), Math.min(seen.right, right), Math.min(seen.bottom, bottom)];
    const covered = here && Math.max(...here.step) <= finer && here.left <= inner[0] && here.top <= inner[1]
      && here.left + here.columns * here.pixel[0] >= inner[2] && here.top + here.rows * here.pixel[1] >= inner[3];
    return covered ? null : region;
  }
}
