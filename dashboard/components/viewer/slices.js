// Slices that came from the server: kept, looked up, and turned into grey and outlines.

import { inflate } from "../browser_payload.js";
import { canvasOf, contextOf } from "../elements.js";
import { clamp } from "./geometry.js";

/**
 * @typedef {object} Pixels
 * @property {Int16Array} hu
 * @property {Uint8Array | null} inside 1 in the lesion; null where no pixel is
 *
 * @typedef {import("./message.js").SlicePlace & Pixels} Slice
 */

const MOST_SLICES = 400;

/** The slices of all panels, the longest unused of which are forgotten. */
export class SliceCache {
  constructor() {
    /** @type {Map<string, Slice>} */
    this.whole = new Map();
    /** @type {Map<string, Slice>} */
    this.details = new Map();
    /** @type {Map<string, string>} */
    this.failed = new Map();
  }

  /**
   * @param {number} panel
   * @param {string} plane
   * @param {number} index
   */
  static key(panel, plane, index) {
    return `${panel}/${plane}/${index}`;
  }

  /**
   * @param {import("./message.js").SliceRecord | import("./message.js").SliceFailure} record
   * @param {import("./message.js").Blob} blob
   */
  async add(record, blob) {
    const key = SliceCache.key(record.panel, record.plane, record.index);
    if (record.error !== undefined) {
      this.failed.set(key, record.error);
      return;
    }
    const [pixels, mask] = await Promise.all([
      inflate(blob(record.pixels)),
      record.mask === null ? null : inflate(blob(record.mask)),
    ]);
    const slice = { ...record, hu: new Int16Array(pixels), inside: mask === null ? null : new Uint8Array(mask) };
    if (record.detail) {
      this.details.set(`${record.panel}/${record.plane}`, slice);
      return;
    }
    this.whole.delete(key);
    this.whole.set(key, slice);
    for (const oldest of this.whole.keys()) {
      if (this.whole.size <= MOST_SLICES) break;
      this.whole.delete(oldest);
    }
  }

  /**
   * @param {number} panel
   * @param {string} plane
   * @param {number} index
   */
  has(panel, plane, index) {
    const key = SliceCache.key(panel, plane, index);
    return this.whole.has(key) || this.failed.has(key);
  }

  /**
   * @param {number} panel
   * @param {string} plane
   * @param {number} index
   */
  get(panel, plane, index) {
    const key = SliceCache.key(panel, plane, index);
    const found = this.whole.get(key);
    if (found) {
      this.whole.delete(key);
      this.whole.set(key, found);
    }
    return found;
  }

  /**
   * Why a slice cannot be had, where that is so.
   * @param {number} panel
   * @param {string} plane
   * @param {number} index
   */
  failure(panel, plane, index) {
    return this.failed.get(SliceCache.key(panel, plane, index));
  }

  /**
   * The slice, or the nearest that is here.
   * @param {number} panel
   * @param {string} plane
   * @param {number} index
   * @param {number} count
   */
  nearest(panel, plane, index, count) {
    for (let away = 0; away < count; away += 1) {
      for (const one of away ? [index - away, index + away] : [index]) {
        const found = this.get(panel, plane, one);
        if (found) return found;
      }
    }
    return undefined;
  }

  /**
   * A part of a slice at a finer step, where it is of this slice.
   * @param {number} panel
   * @param {string} plane
   * @param {number} index
   */
  detail(panel, plane, index) {
    const found = this.details.get(`${panel}/${plane}`);
    return found && found.index === index ? found : undefined;
  }
}

/**
 * HU at screen mm, or undefined beside the slice.
 * @param {Slice} slice
 * @param {number} right
 * @param {number} down
 */
export function huAt(slice, right, down) {
  const column = Math.floor((right - slice.left) / slice.pixel[0]);
  const row = Math.floor((down - slice.top) / slice.pixel[1]);
  if (column < 0 || row < 0 || column >= slice.columns || row >= slice.rows) return undefined;
  return slice.hu[row * slice.columns + column];
}

/**
 * HU in grey, as opaque pixels of a picture (ABGR).
 * @param {Int16Array} hu
 * @param {number} width of the window, HU
 * @param {number} level
 * @param {Uint32Array} pixels are written
 */
export function paintGrey(hu, width, level, pixels) {
  const low = level - width / 2;
  const gain = 255 / width;
  for (let i = 0; i < pixels.length; i += 1) {
    const grey = clamp((hu[i] - low) * gain, 0, 255) | 0;
    pixels[i] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
  }
}

/** @type {WeakMap<Slice, {canvas: HTMLCanvasElement, window: string}>} */
const GREYS = new WeakMap();

/**
 * The slice in grey, as a canvas of one pixel a pixel; kept with the slice while the window stays.
 * @param {Slice} slice
 * @param {number} width
 * @param {number} level
 */
export function greyOf(slice, width, level) {
  const wanted = `${width}/${level}`;
  const kept = GREYS.get(slice);
  if (kept?.window === wanted) return kept.canvas;
  const canvas = kept?.canvas ?? canvasOf(slice.columns, slice.rows);
  const context = contextOf(canvas);
  const image = context.createImageData(slice.columns, slice.rows);
  paintGrey(slice.hu, width, level, new Uint32Array(image.data.buffer));
  context.putImageData(image, 0, 0);
  GREYS.set(slice, { canvas, window: wanted });
  return canvas;
}

/**
 * The edges between pixels within and beside the lesion: [x, y, x, y] from corner to corner, in pixels.
 * @param {Uint8Array} inside not 0 in the lesion, row by row
 * @param {number} rows
 * @param {number} columns
 */
export function lesionEdges(inside, rows, columns) {
  /** @type {(r: number, c: number) => boolean} */
  const at = (r, c) => r >= 0 && c >= 0 && r < rows && c < columns && inside[r * columns + c] !== 0;
  const edges = [];
  for (let r = 0; r <= rows; r += 1) {
    for (let c = 0; c <= columns; c += 1) {
      if (at(r, c) !== at(r - 1, c)) edges.push([c, r, c + 1, r]);
      if (at(r, c) !== at(r, c - 1)) edges.push([c, r, c, r + 1]);
    }
  }
  return edges;
}

/** @type {WeakMap<Slice, Path2D>} */
const OUTLINES = new WeakMap();

/**
 * The outline of the lesion in pixels of the slice; null where there is none.
 * @param {Slice} slice
 */
export function outlineOf(slice) {
  if (slice.inside === null) return null;
  const kept = OUTLINES.get(slice);
  if (kept) return kept;
  const path = new Path2D();
  for (const [ax, ay, bx, by] of lesionEdges(slice.inside, slice.rows, slice.columns)) {
    path.moveTo(ax, ay);
    path.lineTo(bx, by);
  }
  OUTLINES.set(slice, path);
  return path;
}
