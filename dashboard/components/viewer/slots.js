// The panels on the page.

import { make } from "../elements.js";
import { listen } from "./gestures.js";
import { cursorWords, noteWords, PLANE_WORDS, placeWords, shownOf } from "./shown.js";

/**
 * @typedef {import("./slice_viewer.js").Viewer} Viewer
 *
 * A panel on the page: of an item in the view's plane, or in a plane of its own.
 * @typedef {ReturnType<typeof newSlot>} Slot
 */

/**
 * @param {Viewer} viewer
 * @param {number} number of the item
 * @param {string | null} planeName null for the view's
 */
export function newSlot(viewer, number, planeName) {
  const item = viewer.items[number];
  const plane = () => viewer.planes[planeName ?? viewer.view.plane];
  const canvas = make("canvas", { tabindex: 0, role: "img" });
  const title = make("div", { class: "title", title: item.title }, planeName ? `${PLANE_WORDS[planeName]} · ${item.title}` : item.title);
  const place = make("div", { class: "place" });
  const cursor = make("div", { class: "cursor" });
  const note = make("div", { class: "note" });
  const caption = make("div", { class: "caption" }, item.caption);
  const slot = {
    number, plane, canvas, title, place, cursor, note, caption,
    root: make("figure", {}, title, canvas, place, cursor, note, caption),
    pointer: /** @type {import("./geometry.js").Pair | null} */ (null),
    shown: shownOf(number, plane(), viewer),
  };
  listen(slot, viewer);
  return slot;
}

/**
 * Put what a slot shows into words.
 * @param {Slot} slot
 * @param {Viewer} viewer
 */
export function describe(slot, viewer) {
  const { shown, pointer } = slot;
  const place = placeWords(shown);
  const note = noteWords(shown);
  write(slot.place, place);
  write(slot.note, note);
  write(slot.cursor, pointer && shown.cut ? cursorWords(shown, viewer.placeAt(slot, pointer), viewer) : "");
  const said = `${PLANE_WORDS[shown.plane.name]} CT slice of ${viewer.items[slot.number].case}. ${place || note || shown.waiting}`;
  if (slot.canvas.getAttribute("aria-label") !== said) slot.canvas.setAttribute("aria-label", said);
}

/**
 * @param {HTMLElement} element
 * @param {string} text
 */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
