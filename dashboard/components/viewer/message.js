// What the server and the viewer say to each other (as message.py reads and writes it), and the connection between the
// viewer and its feed. The viewer stands on the page; the feed, which Streamlit runs again for every request, brings its
// messages. So the pictures are not sent their own program again, nor greyed out while they wait.

import { readFrame } from "../browser_payload.js";

/**
 * @typedef {import("../browser_payload.js").Bytes} Bytes
 * @typedef {import("./geometry.js").Place} Place
 * @typedef {import("./geometry.js").Plane} Plane
 * @typedef {import("./geometry.js").Grid} Grid
 * @typedef {import("./geometry.js").Orientation} Orientation
 *
 * @typedef {{kind: "ct", panel: number, box: number[][] | null, has_mask: boolean, notes: string[]} & Grid & Orientation} ScanPanel
 * @typedef {{kind: "thumbnail", panel: number, png: number, pixel_mm: number, z_lps_mm: number, notes: string[]}} ThumbnailPanel
 * @typedef {{kind: "none", panel: number, notes: string[]}} EmptyPanel
 *
 * @typedef {object} SlicePlace where a slice, or a region of one, lies
 * @property {number} panel
 * @property {string} plane
 * @property {number} index
 * @property {boolean} detail whether it is a region at a finer step
 * @property {number} rows
 * @property {number} columns
 * @property {number} left item mm on the screen of the first pixel's outer corner
 * @property {number} top
 * @property {number[]} pixel mm, across and down
 * @property {number[]} step voxels in a pixel, across and down
 *
 * @typedef {SlicePlace & {error?: undefined, pixels: number, mask: number | null}} SliceRecord pixels and mask are blobs
 * @typedef {{panel: number, plane: string, index: number, error: string}} SliceFailure
 *
 * @typedef {object} PatchGrid the patches of a panel, in the order z, y, x
 * @property {number} panel
 * @property {number[]} shape patches along x, y, z
 * @property {Place} corner where the first begins, item mm
 * @property {number[]} cell_mm edges of a patch
 * @property {number} values a blob: a step of the ramp for each patch, or its RGB
 *
 * @typedef {object} MapState
 * @property {string} kind similarity or pca
 * @property {string} key
 * @property {number} waiting scans that are still computed
 * @property {number} n scans
 * @property {(string | null)[]} errors
 * @property {boolean} [outside] the point lies in no patch
 *
 * @typedef {MapState & {same: true}} SameMap
 * @typedef {MapState & {same?: undefined, low?: number | null, grids: PatchGrid[]}} NewMap
 *
 * @typedef {object} Beginning what is sent once
 * @property {{item: string, case: string, title: string, caption: string}[]} items
 * @property {Plane[]} planes
 * @property {[string, number, number][]} windows name, width and level
 * @property {{plane: string, place: Place, window: string}} start
 * @property {number[]} outline RGB
 * @property {number} ramp a blob: 256 RGB
 * @property {string} footer
 * @property {boolean} maps whether there are patch maps
 *
 * @typedef {object} Reply
 * @property {string} channel
 * @property {string} signature
 * @property {number} seq
 * @property {(ScanPanel | ThumbnailPanel | EmptyPanel)[]} panels
 * @property {(SliceRecord | SliceFailure)[]} slices
 * @property {SameMap | NewMap | null} map
 *
 * @typedef {Reply & (Beginning | {items?: undefined})} Header
 * @typedef {(number: number) => Bytes} Blob
 * @typedef {{header: Header, blob: Blob}} Message
 *
 * @typedef {[number, string, number, number[] | null]} Wanted panel, plane, index, and region where it is a detail
 * @typedef {{panel: number, place: Place, n: number}} Point
 *
 * @typedef {object} Request
 * @property {string} signature
 * @property {number} seq
 * @property {string} plane
 * @property {Place} place
 * @property {[string, number, number]} window
 * @property {Wanted[]} wants
 * @property {number[]} opens
 * @property {Point | null} point
 * @property {string} map
 * @property {string} map_key
 * @property {number} attempt ms since 1970
 *
 * @typedef {object} Connection
 * @property {{receive: (message: Message) => Promise<void>} | null} viewer
 * @property {Message | null} message the latest
 * @property {((request: Request) => void) | null} send
 */

/**
 * A message of the server: its header, and a function that gives a blob by its number.
 * @param {Bytes | ArrayBuffer} data
 * @returns {Message}
 */
export function readMessage(data) {
  const { header, body } = readFrame(data);
  return { header, blob: (n) => body.subarray(header.blobs[n][0], header.blobs[n][0] + header.blobs[n][1]) };
}

/**
 * The connection between the viewer and the feed of a channel.
 * @param {string} channel
 * @returns {Connection}
 */
export function connectionOf(channel) {
  window.flexictConnections ??= new Map();
  const found = window.flexictConnections.get(channel) ?? { viewer: null, message: null, send: null };
  window.flexictConnections.set(channel, found);
  return found;
}
