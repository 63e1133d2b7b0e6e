// Which slices are asked for: those that are seen, finer parts of them where one is zoomed in, then those that may be
// seen next.

import { sliceIndex } from "./geometry.js";

/**
 * @typedef {{left: number, top: number, right: number, bottom: number}} Rectangle
 *
 * @typedef {object} ScanSlot a panel on the page that shows a scan
 * @property {number} number of the panel
 * @property {import("./geometry.js").Plane} plane
 * @property {import("./geometry.js").Grid} panel
 * @property {Rectangle | null} seen the screen mm that it shows; null while it has no width
 *
 * @typedef {import("./message.js").Wanted} Wanted
 * @typedef {Pick<import("./slices.js").SliceCache, "has" | "get" | "detail">} Cache
 */

const AHEAD = 8;
const BEHIND = 4;
const MOST_AT_ONCE = 18;
const MOST_PIXELS = 320; // Along an edge of what the server sends at once.

/**
 * @param {ScanSlot[]} slots
 * @param {import("./geometry.js").Place} place
 * @param {number} direction 1 or -1: the way in which one scrolled last
 * @param {Cache} cache
 * @returns {Wanted[]}
 */
export function wantedSlices(slots, place, direction, cache) {
  /** @type {Wanted[]} */
  const wants = [];
  const shown = slots.map((slot) => ({ slot, index: sliceIndex(slot.panel, slot.plane, place) }));
  /** @type {(slot: ScanSlot, index: number) => void} */
  const lack = ({ number, panel, plane }, index) => {
    if (index >= 0 && index < panel.shape[plane.through] && !cache.has(number, plane.name, index)) {
      wants.push([number, plane.name, index, null]);
    }
  };
  for (const { slot, index } of shown) lack(slot, index);
  // What is waited for comes sooner with little beside it.
  const most = wants.length ? wants.length + slots.length : MOST_AT_ONCE;
  if (!wants.length) {
    for (const { slot, index } of shown) {
      const region = detailRegion(slot, index, cache);
      if (region) wants.push([slot.number, slot.plane.name, index, region]);
    }
  }
  for (let away = 1; away <= AHEAD && wants.length < most; away += 1) {
    for (const { slot, index } of shown) {
      lack(slot, index + direction * away);
      if (away <= BEHIND) lack(slot, index - direction * away);
    }
  }
  return wants.slice(0, most);
}

/**
 * The region of a slice [left, top, right, bottom] that can be shown finer than it is here, or null.
 * @param {ScanSlot} slot
 * @param {number} index
 * @param {Cache} cache
 */
export function detailRegion({ number, panel, plane, seen }, index, cache) {
  const whole = cache.get(number, plane.name, index);
  if (!whole || !seen) return null;
  const step = Math.max(...whole.step);
  if (step < 2) return null;
  const all = extent(whole);
  const margin = 0.1 * (seen.right - seen.left);
  const region = common(all, {
    left: seen.left - margin, top: seen.top - margin, right: seen.right + margin, bottom: seen.bottom + margin,
  });
  const [wide, high] = [region.right - region.left, region.bottom - region.top];
  if (wide <= 0 || high <= 0) return null;
  const voxels = Math.max(wide / panel.spacing[plane.across], high / panel.spacing[plane.down]);
  const finer = Math.ceil((voxels + 2) / MOST_PIXELS);
  if (finer >= step) return null;
  const here = cache.detail(number, plane.name, index);
  const covered = here && Math.max(...here.step) <= finer && contains(extent(here), common(all, seen));
  return covered ? null : [region.left, region.top, region.right, region.bottom];
}

/**
 * @param {import("./message.js").SlicePlace} slice
 * @returns {Rectangle}
 */
function extent({ left, top, columns, rows, pixel }) {
  return { left, top, right: left + columns * pixel[0], bottom: top + rows * pixel[1] };
}

/**
 * @param {Rectangle} a
 * @param {Rectangle} b
 * @returns {Rectangle}
 */
function common(a, b) {
  return {
    left: Math.max(a.left, b.left), top: Math.max(a.top, b.top),
    right: Math.min(a.right, b.right), bottom: Math.min(a.bottom, b.bottom),
  };
}

/**
 * @param {Rectangle} outer
 * @param {Rectangle} inner
 */
function contains(outer, inner) {
  return outer.left <= inner.left && outer.top <= inner.top && outer.right >= inner.right && outer.bottom >= inner.bottom;
}
