// Where the points of a map are on the screen, and the arithmetic of moving and zooming.

/**
 * @typedef {import("./contents.js").Bounds} Bounds
 * @typedef {{width: number, height: number}} Size CSS pixels
 * @typedef {{scale: number, x: number, y: number}} Zoom 1 shows the whole map; x and y shift its middle, in units of the map
 */

const MARGIN_PX = 20;
const MOST_ZOOM = 400;

/** @type {Readonly<Zoom>} */
export const WHOLE = { scale: 1, x: 0, y: 0 };

export class Camera {
  /**
   * One unit of the map is as long across as it is high.
   * @param {Bounds} bounds
   * @param {Size} size
   * @param {Readonly<Zoom>} zoom
   */
  constructor([x0, x1, y0, y1], size, zoom) {
    const fitted = Math.min((size.width - 2 * MARGIN_PX) / (x1 - x0 || 1), (size.height - 2 * MARGIN_PX) / (y1 - y0 || 1));
    this.size = size;
    this.zoom = zoom;
    /** Pixels in a unit of the map. */
    this.scale = fitted * zoom.scale;
    this.x = (x0 + x1) / 2 + zoom.x;
    this.y = (y0 + y1) / 2 + zoom.y;
  }

  /**
   * @param {number} x
   * @param {number} y
   * @returns {[number, number]}
   */
  toScreen(x, y) {
    return [(x - this.x) * this.scale + this.size.width / 2, this.size.height / 2 - (y - this.y) * this.scale];
  }

  /**
   * @param {number} px
   * @param {number} py
   * @returns {[number, number]}
   */
  toMap(px, py) {
    return [(px - this.size.width / 2) / this.scale + this.x, (this.size.height / 2 - py) / this.scale + this.y];
  }

  /**
   * The rectangle of a part of the map.
   * @param {Bounds} bounds
   */
  rectangle([x0, x1, y0, y1]) {
    const [left, top] = this.toScreen(x0, y1);
    const [right, bottom] = this.toScreen(x1, y0);
    return { left, top, right, bottom };
  }

  /**
   * The part of the map that is on the screen.
   * @returns {Bounds}
   */
  viewport() {
    const [x0, y1] = this.toMap(0, 0);
    const [x1, y0] = this.toMap(this.size.width, this.size.height);
    return [x0, x1, y0, y1];
  }

  /**
   * Closer by a factor; what is at the pixel stays there.
   * @param {number} factor
   * @param {number} px
   * @param {number} py
   * @returns {Readonly<Zoom>}
   */
  zoomed(factor, px, py) {
    const scale = Math.min(MOST_ZOOM, Math.max(1, this.zoom.scale * factor));
    if (scale === 1) return WHOLE;
    // The middle of the screen moves towards the pixel.
    const nearer = 1 / this.scale - this.zoom.scale / (scale * this.scale);
    return {
      scale,
      x: this.zoom.x + (px - this.size.width / 2) * nearer,
      y: this.zoom.y + (this.size.height / 2 - py) * nearer,
    };
  }

  /**
   * What was at a pixel is dx to the right of it, and dy below.
   * @param {number} dx
   * @param {number} dy
   * @returns {Zoom}
   */
  moved(dx, dy) {
    return { ...this.zoom, x: this.zoom.x - dx / this.scale, y: this.zoom.y + dy / this.scale };
  }
}

/**
 * Pixels across and down of points that were sent as steps within a view.
 * @param {{x: Uint16Array, y: Uint16Array}} points
 * @param {Bounds} view
 * @param {Camera} camera
 */
export function placed({ x, y }, view, camera) {
  const { left, top, right, bottom } = camera.rectangle(view);
  const kx = (right - left) / 65535;
  const ky = (bottom - top) / 65535;
  const xs = new Float32Array(x.length);
  const ys = new Float32Array(x.length);
  for (let i = 0; i < x.length; i++) {
    xs[i] = left + x[i] * kx;
    ys[i] = bottom - y[i] * ky;
  }
  return { xs, ys };
}

/**
 * Radius of a point in pixels, of so many.
 * @param {number} n
 */
export function radiusOf(n) {
  if (n <= 500) return 5;
  if (n <= 5000) return 3.5;
  return n <= 30000 ? 2 : 1.3;
}
