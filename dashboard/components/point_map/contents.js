// What the server sends for a map, as layers.py makes it.

import { readArrays } from "../browser_payload.js";

/**
 * @typedef {[number, number, number, number]} Bounds left, right, bottom and top, in units of the map
 * @typedef {{name: string, colour: string, symbol: string, count: number}} Group colour as #rrggbb
 *
 * @typedef {object} Words
 * @property {string} token of what is shown: it changes with the map
 * @property {string} store of the cohort
 * @property {Bounds} bounds of all points
 * @property {Bounds} view of what was sent
 * @property {number} n_selected
 * @property {boolean} binned whether there are too many points to send them all
 * @property {Group[]} groups by code
 * @property {Group[]} legend
 * @property {{colours: string[], ticks: [number, string][]} | null} ramp
 * @property {string} colour name of the column that colours the points
 * @property {string} alt
 * @property {[string, string]} axes
 * @property {string} [footer]
 * @property {string} [note]
 *
 * @typedef {Words & {mode: "points"}} PointsHeader
 * @typedef {Words & {mode: "density", columns: number, rows: number}} DensityHeader
 *
 * @typedef {object} Points
 * @property {Uint16Array} x steps of 65535 within the view
 * @property {Uint16Array} y
 * @property {Uint8Array} code of the group
 * @property {Uint8Array} selected bits, the first of a byte is its highest
 * @property {{ids: string[], fields: [string, string[], number[]][]}} text of a field: name, values, and the code of each point
 *
 * @typedef {object} Density a value for each cell, 0 to 255
 * @property {Uint8Array} counts
 * @property {Uint8Array} group the most frequent
 * @property {Uint8Array} share of the selected
 *
 * @typedef {{mode: "points", header: PointsHeader, arrays: Points} | {mode: "density", header: DensityHeader, arrays: Density}} Contents
 */

/**
 * @param {import("../browser_payload.js").Bytes} data
 * @returns {Promise<Contents>}
 */
export async function readContents(data) {
  const contents = await readArrays(data);
  return /** @type {Contents} */ ({ mode: contents.header.mode, ...contents });
}
