// What is asked of the server and when: one request at a time, what is seen first, then what may be seen next.

/** @typedef {import("./message.js").Wanted} Wanted */

const PATIENCE_MS = 30000;
const POLL_MS = 600;
const SETTLE_MS = 700;

export class Conversation {
  /** @param {import("./slice_viewer.js").Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    this.seq = Date.now() % 1e9;
    /** @type {{seq: number, at: number} | null} */
    this.outstanding = null;
    /** The state of the view that was told last, and the one that was seen to rest. */
    this.told = "";
    this.settled = "";
    /** @type {(() => void)[]} What waits until the server knows what is shown. */
    this.onceKnown = [];
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  restart() {
    this.told = "";
    this.settled = "";
    this.answered();
  }

  close() {
    clearTimeout(this.timer);
  }

  /** @param {number} seq */
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

  /** Whether the server knows what is shown now, if anything is. */
  known() {
    return !this.viewer.items.length || (!this.outstanding && this.state() === this.told);
  }

  /**
   * Tell the server what is shown now, and call `act` when it knows.
   * @param {() => void} act
   */
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
    const wants = viewer.wanted();
    const { map } = viewer;
    const state = this.state();
    if (opens.length || wants.length || viewer.maps.waits(viewer.view, viewer.point) || viewer.clicked) {
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

  /**
   * @param {number[]} opens
   * @param {Wanted[]} wants
   * @param {string} state
   */
  ask(opens, wants, state) {
    const { viewer } = this;
    const { view } = viewer;
    this.seq += 1;
    this.outstanding = { seq: this.seq, at: performance.now() };
    this.told = state;
    viewer.maps.ask(view, viewer.point);
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
      attempt: viewer.maps.attempt,
    });
    viewer.schedule();
  }
}
