// A canvas that notes what is drawn on it, for tests without a page.

/**
 * @typedef {[string, ...any[]]} Call a method of the context with its arguments, or a property that was set with its value
 */

/**
 * A context that notes each call and each property that is set.
 * @param {number} width
 * @param {number} height
 */
export function recordingContext(width, height) {
  /** @type {Call[]} */
  const calls = [];
  const own = {
    canvas: { width, height },
    /** @param {number} columns @param {number} rows */
    createImageData: (columns, rows) => ({ width: columns, height: rows, data: new Uint8ClampedArray(4 * columns * rows) }),
  };
  const context = new Proxy(/** @type {any} */ (own), {
    get: (target, name) => target[name] ?? ((/** @type {any[]} */ ...words) => { calls.push([String(name), ...words]); }),
    set: (_, name, value) => calls.push([String(name), value]) > 0,
  });
  return { context: /** @type {CanvasRenderingContext2D} */ (context), calls };
}

/** Let `document.createElement("canvas")` give such canvases, and paths that note their points. */
export function installCanvas() {
  const createElement = () => {
    const canvas = /** @type {any} */ ({ width: 300, height: 150, append: () => {} });
    const { context, calls } = recordingContext(300, 150);
    canvas.getContext = () => context;
    canvas.calls = calls;
    canvas.setAttribute = (/** @type {string} */ name, /** @type {string} */ value) => { canvas[name] = Number(value); };
    return canvas;
  };
  class Path {
    points = /** @type {number[][]} */ ([]);
    /** @param {...number} at */
    moveTo(...at) { this.points.push(at); }
    /** @param {...number} at */
    lineTo(...at) { this.points.push(at); }
    addPath() {}
  }
  Object.assign(globalThis, { document: { createElement }, Path2D: Path, DOMMatrix: class {} });
}
