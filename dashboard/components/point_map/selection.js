// Which points a drawing, a click or a key means.

/**
 * @typedef {[number, number]} Pair
 * @typedef {"replace" | "add" | "subtract"} Mode
 */

const MOST_CORNERS = 80;

/**
 * Whether a point lies in a polygon: a line from it crosses its edge an odd number of times.
 * @param {number} x
 * @param {number} y
 * @param {Pair[]} corners
 */
export function inPolygon(x, y, corners) {
  let inside = false;
  let [xj, yj] = corners[corners.length - 1] ?? [0, 0];
  for (const [xi, yi] of corners) {
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
    [xj, yj] = [xi, yi];
  }
  return inside;
}

/**
 * The corners of a box from one point to another.
 * @param {Pair} from
 * @param {Pair} to
 * @returns {Pair[]}
 */
export function boxCorners([x0, y0], [x1, y1]) {
  return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
}

/**
 * The corners of a lasso, of which the server takes no more than 80.
 * @param {Pair[]} path
 */
export function lassoCorners(path) {
  const step = Math.max(1, Math.ceil(path.length / MOST_CORNERS));
  return path.filter((_, i) => i % step === 0);
}

/**
 * How a pick changes the selection.
 * @param {{shiftKey: boolean, altKey: boolean}} event
 * @returns {Mode}
 */
export function modeOf({ shiftKey, altKey }) {
  if (shiftKey) return "add";
  return altKey ? "subtract" : "replace";
}

/**
 * Select the points in a polygon; `selected` is changed.
 * @param {Uint8Array} selected 1 for each selected point
 * @param {Float32Array} xs
 * @param {Float32Array} ys
 * @param {Pair[]} corners
 * @param {Mode} mode
 * @returns {number} of the selected points
 */
export function selectWithin(selected, xs, ys, corners, mode) {
  let count = 0;
  for (let i = 0; i < xs.length; i++) {
    const inside = inPolygon(xs[i], ys[i], corners);
    if (mode === "replace") selected[i] = inside ? 1 : 0;
    else if (inside) selected[i] = mode === "add" ? 1 : 0;
    count += selected[i];
  }
  return count;
}

/**
 * Bits as bytes of 0 and 1; the first bit of a byte is its highest.
 * @param {Uint8Array} bits
 * @param {number} n
 */
export function unpacked(bits, n) {
  const bytes = new Uint8Array(n);
  for (let i = 0; i < n; i++) bytes[i] = (bits[i >> 3] >> (7 - (i & 7))) & 1;
  return bytes;
}

/**
 * The points in the order in which they are drawn: the rarest last, so that few are not buried under many.
 * @param {Uint8Array} codes
 */
export function rarestLast(codes) {
  const counts = new Array(256).fill(0);
  for (const code of codes) counts[code]++;
  const places = new Array(256).fill(0);
  let next = 0;
  for (const code of [...counts.keys()].sort((a, b) => counts[b] - counts[a])) {
    places[code] = next;
    next += counts[code];
  }
  const order = new Uint32Array(codes.length);
  codes.forEach((code, i) => { order[places[code]++] = i; });
  return order;
}

/**
 * The point nearest to a pixel; -1 where none is within a distance.
 * @param {Float32Array} xs
 * @param {Float32Array} ys
 * @param {number} px
 * @param {number} py
 * @param {number} within
 */
export function nearest(xs, ys, px, py, within) {
  let best = -1;
  let least = within * within;
  for (let i = 0; i < xs.length; i++) {
    const dx = xs[i] - px;
    const dy = ys[i] - py;
    const distance = dx * dx + dy * dy;
    if (distance < least) {
      least = distance;
      best = i;
    }
  }
  return best;
}

/**
 * The next point from one in a direction, no further to the side than ahead; the same where there is none.
 * @param {Float32Array} xs
 * @param {Float32Array} ys
 * @param {number} from
 * @param {Pair} direction of length 1, along an axis
 */
export function nextPoint(xs, ys, from, [dx, dy]) {
  let best = from;
  let least = Infinity;
  for (let i = 0; i < xs.length; i++) {
    const x = xs[i] - xs[from];
    const y = ys[i] - ys[from];
    const ahead = x * dx + y * dy;
    const aside = Math.abs(x * dy) + Math.abs(y * dx);
    if (ahead > 0.5 && ahead >= aside && ahead + 2 * aside < least) {
      least = ahead + 2 * aside;
      best = i;
    }
  }
  return best;
}

/**
 * The items at and round a point, the nearest first.
 * @param {Float32Array} xs
 * @param {Float32Array} ys
 * @param {number} point
 * @param {(item: number) => boolean} take
 * @param {{within: number, most: number}} limits pixels, and items
 */
export function pointsNear(xs, ys, point, take, { within, most }) {
  /** @type {Pair[]} */
  const near = [];
  for (let i = 0; i < xs.length; i++) {
    const distance = Math.hypot(xs[i] - xs[point], ys[i] - ys[point]);
    if (distance < within && take(i)) near.push([distance, i]);
  }
  return near.sort((a, b) => a[0] - b[0]).slice(0, most).map(([, i]) => i);
}
