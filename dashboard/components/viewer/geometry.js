// Where things are. A place is [x, y, z] in item millimetres: along the scan's grid in LPS order, from the item's
// centre. Panels share places; on the screen a plane shows `across` to the right and `down` downwards.

/**
 * @typedef {number[]} Place x, y, z in item mm
 * @typedef {[number, number]} Pair
 *
 * @typedef {object} Plane a plane of the scan: the axes (0, 1, 2) that it shows, and the one that it is scrolled along
 * @property {string} name axial, coronal or sagittal
 * @property {number} through
 * @property {number} across
 * @property {number} down
 * @property {boolean} turned whether `down` runs upwards on the screen
 * @property {string} letters at the left, right, top and bottom edge
 *
 * @typedef {object} Grid where the voxels of a scan lie
 * @property {number[]} shape voxels along x, y, z
 * @property {number[]} spacing mm along x, y, z
 * @property {number[]} centre index of the item's centre
 *
 * @typedef {object} Orientation
 * @property {number[]} lps LPS mm of the item's centre
 * @property {number[]} direction 3 x 3, row by row
 *
 * @typedef {{centre: Place, fov: number}} Camera what all panels look at, and how many mm they show
 * @typedef {{scale: number, left: number, top: number}} Projection x = left + right * scale, y = top + down * scale
 */

/**
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/**
 * The slice of a panel that a place lies in, or the scan's nearest.
 * @param {Grid} panel
 * @param {Pick<Plane, "through">} plane
 * @param {Place} place
 */
export function sliceIndex(panel, plane, place) {
  const axis = plane.through;
  const index = Math.floor(panel.centre[axis] + place[axis] / panel.spacing[axis] + 0.5);
  return clamp(index, 0, panel.shape[axis] - 1);
}

/**
 * The number that people read for a slice: the first along the axis is 1.
 * @param {number} index
 */
export const sliceNumber = (index) => index + 1;

/**
 * Item mm along the plane's axis of a slice.
 * @param {Grid} panel
 * @param {Plane} plane
 * @param {number} index
 */
export const slicePosition = (panel, plane, index) =>
  (index - panel.centre[plane.through]) * panel.spacing[plane.through];

/**
 * LPS mm of a place.
 * @param {Orientation} panel
 * @param {Place} place
 */
export function toLps(panel, place) {
  return [0, 1, 2].map((row) =>
    panel.lps[row] + [0, 1, 2].reduce((sum, j) => sum + panel.direction[3 * row + j] * place[j], 0));
}

/**
 * Screen mm [right, down] of a place.
 * @param {Plane} plane
 * @param {Place} place
 * @returns {Pair}
 */
export const onScreen = (plane, place) => [place[plane.across], plane.turned ? -place[plane.down] : place[plane.down]];

/**
 * The place at screen mm, as deep as another place.
 * @param {Plane} plane
 * @param {number} right
 * @param {number} down
 * @param {Place} place
 * @returns {Place}
 */
export function fromScreen(plane, right, down, place) {
  const found = [...place];
  found[plane.across] = right;
  found[plane.down] = plane.turned ? -down : down;
  return found;
}

/**
 * How screen mm become pixels of a canvas.
 * @param {Camera} camera
 * @param {Plane} plane
 * @param {number} width
 * @param {number} height
 * @returns {Projection}
 */
export function projection(camera, plane, width, height) {
  const scale = Math.min(width, height) / camera.fov;
  const [right, down] = onScreen(plane, camera.centre);
  return { scale, left: width / 2 - right * scale, top: height / 2 - down * scale };
}

/**
 * The rectangle of screen mm that a canvas shows.
 * @param {Projection} view
 * @param {number} width
 * @param {number} height
 */
export function visible(view, width, height) {
  return {
    left: -view.left / view.scale,
    top: -view.top / view.scale,
    right: (width - view.left) / view.scale,
    bottom: (height - view.top) / view.scale,
  };
}

/**
 * A round length in mm that takes up to a third of the width.
 * @param {number} scale pixels a mm
 * @param {number} width
 */
export function scaleBarLength(scale, width) {
  const lengths = [1, 2, 5, 10, 20, 50, 100, 200];
  return lengths.filter((mm) => mm * scale <= width / 3).pop() ?? lengths[0];
}

/**
 * Numbers as radiologists read them: a true minus sign, and no minus before zero.
 * @param {number} value
 * @param {number} [digits]
 */
export function signed(value, digits = 0) {
  const text = Math.abs(value).toFixed(digits);
  return Number(text) !== 0 && value < 0 ? `−${text}` : text;
}
