// What shows over a point: its picture and its fields.

import { make } from "../elements.js";

const BESIDE_PX = 14;
const WIDEST_PX = 300;

/**
 * @param {import("./contents.js").Points["text"]} text
 * @param {number} point
 * @param {string | null | undefined} picture its address
 */
export function tipContents({ ids, fields }, point, picture) {
  const rows = fields.map(([name, values, codes]) => make("div", { class: "field" },
    make("span", { class: "key" }, name), make("span", { class: "value" }, values[codes[point]])));
  const id = make("div", { class: "id" }, ids[point]);
  return picture ? [make("img", { src: picture, alt: "" }), id, ...rows] : [id, ...rows];
}

/**
 * Where the tip goes: beside the point, and within the map.
 * @param {number} x
 * @param {number} y
 * @param {{width: number, height: number}} map
 * @param {{width: number, height: number}} tip
 */
export function tipPlace(x, y, map, tip) {
  const left = x > map.width - WIDEST_PX ? x - BESIDE_PX - tip.width : x + BESIDE_PX;
  const top = Math.min(Math.max(4, y - 40), map.height - tip.height - 4);
  return [Math.round(left), Math.round(top)];
}
