// Maps of patch tokens over the slices: similarity to the patch under a click, or colours of their main components.

/** Draw the layer of patches that the slice cuts. */
function paintPatches(context, place, shown, viewer) {
  const map = viewer.map;
  if (!map || viewer.view.map === "off" || map.kind !== viewer.view.map) return;
  const grid = map.grids.find((one) => one.panel === shown.number);
  if (!grid) return;
  const { plane, position } = shown;
  const layer = Math.floor((position - grid.corner[plane.through]) / grid.cell_mm[plane.through]);
  if (layer < 0 || layer >= grid.shape[plane.through]) return;
  const picture = layerOf(grid, plane, layer, map.kind, viewer.ramp);
  const near = [...grid.corner];
  const far = grid.corner.map((mm, axis) => mm + grid.shape[axis] * grid.cell_mm[axis]);
  const [a, b] = [onScreen(plane, near), onScreen(plane, far)];
  context.globalAlpha = viewer.view.opacity;
  context.imageSmoothingEnabled = false; // A patch is one number: nothing is known within it.
  context.drawImage(picture,
    place.left + Math.min(a[0], b[0]) * place.scale, place.top + Math.min(a[1], b[1]) * place.scale,
    Math.abs(a[0] - b[0]) * place.scale, Math.abs(a[1] - b[1]) * place.scale);
  context.globalAlpha = 1;
}

/** One layer of patches as a canvas of one pixel a patch, kept with its grid. */
function layerOf(grid, plane, layer, kind, ramp) {
  const key = `${plane.name}/${layer}`;
  grid.layers ??= new Map();
  if (grid.layers.has(key)) return grid.layers.get(key);
  const columns = grid.shape[plane.across];
  const rows = grid.shape[plane.down];
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const cell = [0, 0, 0];
      cell[plane.through] = layer;
      cell[plane.across] = column;
      cell[plane.down] = plane.turned ? rows - 1 - row : row;
      const at = (cell[2] * grid.shape[1] + cell[1]) * grid.shape[0] + cell[0];
      const colour = kind === "pca" ? grid.values.subarray(3 * at, 3 * at + 3)
        : ramp.subarray(3 * grid.values[at], 3 * grid.values[at] + 3);
      image.data.set([...colour, 255], 4 * (row * columns + column));
    }
  }
  context.putImageData(image, 0, 0);
  grid.layers.set(key, canvas);
  return canvas;
}

/** The similarity of a panel at a place, or undefined beside its patches. */
function similarityAt(map, number, place) {
  const grid = map?.kind === "similarity" ? map.grids.find((one) => one.panel === number) : undefined;
  if (!grid) return undefined;
  const cell = grid.corner.map((mm, axis) => Math.floor((place[axis] - mm) / grid.cell_mm[axis]));
  if (cell.some((one, axis) => one < 0 || one >= grid.shape[axis])) return undefined;
  const step = grid.values[(cell[2] * grid.shape[1] + cell[1]) * grid.shape[0] + cell[0]];
  return { value: map.low + (step / 255) * (1 - map.low), atMost: step === 0 };
}

/** What is said of a map beside the scale. */
function mapWords(view, map, point, said) {
  if (view.map === "off") return "";
  if (view.map === "similarity" && !point) return "Click a point: patches like the one under it light up.";
  if (!map || map.kind !== view.map) return "Asking for the patch tokens …";
  const errors = [...new Set(map.errors.filter(Boolean))];
  const trouble = errors.length ? ` Not shown everywhere: ${errors.join("; ")}` : "";
  if (map.waiting) return `Computing patch tokens: ${map.n - map.waiting} of ${map.n} scans …${trouble}`;
  if (map.outside) return "The point lies beside what was embedded: click within the dashed box.";
  if (!map.grids.length) return errors.length ? `No map: ${errors.join("; ")}` : "No map of these scans.";
  if (view.map === "pca") return `First three principal components of the patches of all panels, as colours without a unit.${trouble}`;
  return `${said}${trouble}`;
}
