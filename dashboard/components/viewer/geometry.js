// Where things are. A place is [x, y, z] in item millimetres: along the scan's grid in LPS order, from the item's
// centre. Panels share places; on the screen a plane shows `across` to the right and `down` downwards.

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** The slice of a panel that a place lies in, or the scan's nearest. */
function sliceIndex(panel, plane, place) {
  const axis = plane.through;
  const index = Math.floor(panel.centre[axis] + place[axis] / panel.spacing[axis] + 0.5);
  return clamp(index, 0, panel.shape[axis] - 1);
}

/** The number that people read for a slice: the first along the axis is 1. */
const sliceNumber = (index) => index + 1;

/** Item mm along the plane's axis of a slice. */
const slicePosition = (panel, plane, index) =>
  (index - panel.centre[plane.through]) * panel.spacing[plane.through];

/** LPS mm of a place. */
function toLps(panel, place) {
  return [0, 1, 2].map((row) =>
    panel.lps[row] + [0, 1, 2].reduce((sum, j) => sum + panel.direction[3 * row + j] * place[j], 0));
}

/** Screen mm [right, down] of a place. */
const onScreen = (plane, place) => [place[plane.across], plane.turned ? -place[plane.down] : place[plane.down]];

/** The place at screen mm, as deep as another place. */
function fromScreen(plane, right, down, place) {
  const found = [...place];
  found[plane.across] = right;
  found[plane.down] = plane.turned ? -down : down;
  return found;
}

/** How screen mm become canvas pixels: x = left + right * scale, y = top + down * scale. */
function projection(camera, plane, width, height) {
  const scale = Math.min(width, height) / camera.fov;
  const [right, down] = onScreen(plane, camera.centre);
  return { scale, left: width / 2 - right * scale, top: height / 2 - down * scale };
}

/** The rectangle of screen mm that a canvas shows. */
function visible(view, width, height) {
  return {
    left: -view.left / view.scale,
    top: -view.top / view.scale,
    right: (width - view.left) / view.scale,
    bottom: (height - view.top) / view.scale,
  };
}

/** A round length in mm that takes up to a third of the width. */
function scaleBarLength(scale, width) {
  const lengths = [1, 2, 5, 10, 20, 50, 100, 200];
  return lengths.filter((mm) => mm * scale <= width / 3).pop() ?? lengths[0];
}

/** Numbers as radiologists read them: a true minus sign, and no minus before zero. */
function signed(value, digits = 0) {
  const text = Math.abs(value).toFixed(digits);
  return Number(text) !== 0 && value < 0 ? `−${text}` : text;
}
