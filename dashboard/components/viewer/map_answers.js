// The patch map that is shown, and whether it answers what was asked for.

import { mapWords } from "./patch_overlay.js";

/**
 * @typedef {import("./shown.js").View} View
 * @typedef {import("./message.js").Point | null} Point
 */

export class MapAnswers {
  constructor() {
    /** @type {import("./patch_overlay.js").PatchMap | null} */
    this.map = null;
    /** @type {string | undefined} What was asked for last, and what `map` answers. */
    this.asked = undefined;
    /** @type {string | undefined} */
    this.answered = undefined;
    this.attempt = 0; // When a map that failed was asked for again, ms since 1970.
  }

  /**
   * What a map is about: another question needs another map.
   * @param {View} view
   * @param {Point} point
   */
  static question({ map }, point) {
    return JSON.stringify([map, map === "similarity" ? point : null]);
  }

  /**
   * @param {View} view
   * @param {Point} point
   */
  ask(view, point) {
    this.asked = MapAnswers.question(view, point);
  }

  /** Ask again, whatever was answered. */
  again() {
    this.answered = undefined;
  }

  retry() {
    this.attempt = Date.now();
    this.again();
  }

  /**
   * @param {import("./message.js").Reply["map"]} map
   * @param {import("./message.js").Blob} blob
   */
  receive(map, blob) {
    // The user may have clicked again meanwhile: the answer is to what was asked.
    this.answered = this.asked;
    if (!map) return;
    if (map.same) this.map = this.map && { ...this.map, waiting: map.waiting };
    else this.map = { ...map, grids: map.grids.map((grid) => ({ ...grid, values: blob(grid.values).slice() })) };
  }

  /**
   * Whether a map is wanted that was not asked for yet, or whose answer is on its way.
   * @param {View} view
   * @param {Point} point
   */
  waits(view, point) {
    if (view.map === "off" || (view.map === "similarity" && !point)) return false;
    return this.answered !== MapAnswers.question(view, point);
  }

  /**
   * @param {View} view
   * @param {Point} point
   */
  words(view, point) {
    return mapWords(view.map, this.waits(view, point) ? null : this.map, point);
  }
}
