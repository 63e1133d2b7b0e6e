// What is drawn on one canvas, from back to front.

const INK = "#ffffff";
const CROSSHAIR = "#56b4e9"; // Okabe-Ito sky blue: told from the orange outline without colour vision.
const BOX = "#f0e442"; // Okabe-Ito yellow, dashed.

/**
 * Draw a panel in a plane.
 * @param shown what the slot shows: plane, panel (of the server), slice, detail, thumbnail, position (item mm).
 */
function paint(context, width, height, ratio, shown, viewer) {
  const { view } = viewer;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = "#000000";
  context.fillRect(0, 0, width, height);
  const { plane, panel } = shown;
  const place = projection(view.camera, plane, width, height);
  if (shown.slice) {
    for (const slice of [shown.slice, shown.detail]) {
      if (slice) paintSlice(context, place, slice, view);
    }
    paintPatches(context, place, shown, viewer);
    const finest = shown.detail ?? shown.slice;
    if (view.outline) paintOutline(context, ratio, place, finest, viewer);
    if (view.box && panel.box) paintBox(context, place, shown);
  } else if (shown.thumbnail) {
    const mm = shown.thumbnail.width * panel.pixel_mm;
    context.imageSmoothingEnabled = true;
    context.drawImage(shown.thumbnail, place.left - (mm / 2) * place.scale, place.top - (mm / 2) * place.scale,
      mm * place.scale, mm * place.scale);
  }
  if (shown.slice) {
    paintPoint(context, place, shown, viewer);
    if (view.crosshair) paintCrosshair(context, place, width, height, plane, view.place);
  }
  if (shown.slice || shown.thumbnail) {
    paintLetters(context, width, height, plane);
    paintScaleBar(context, width, height, place.scale);
  } else {
    write(context, shown.waiting ?? "", width / 2, height / 2, "center", "middle");
  }
}

/** The middle of a pixel, where a thin line is not smeared over two. */
const crisp = (at) => Math.floor(at) + 0.5;

function paintSlice(context, place, slice, view) {
  const { width, level } = view.window;
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(
    greyOf(slice, width, level),
    place.left + slice.left * place.scale,
    place.top + slice.top * place.scale,
    slice.columns * slice.pixel[0] * place.scale,
    slice.rows * slice.pixel[1] * place.scale,
  );
}

function paintOutline(context, ratio, place, slice, viewer) {
  const path = outlineOf(slice);
  if (!path) return;
  const scaled = new Path2D();
  scaled.addPath(path, new DOMMatrix([
    slice.pixel[0] * place.scale, 0, 0, slice.pixel[1] * place.scale,
    place.left + slice.left * place.scale, place.top + slice.top * place.scale,
  ]));
  context.lineWidth = 1.6;
  context.lineCap = "square";
  context.strokeStyle = `rgb(${viewer.outlineColour.join(",")})`;
  context.stroke(scaled);
  context.lineCap = "butt";
}

/** The box that was embedded, where this slice cuts it. */
function paintBox(context, place, shown) {
  const { plane, panel, position } = shown;
  const [low, high] = panel.box;
  if (position < low[plane.through] || position > high[plane.through]) return;
  const [a, b] = [onScreen(plane, low), onScreen(plane, high)];
  const [left, top] = [Math.min(a[0], b[0]), Math.min(a[1], b[1])];
  context.strokeStyle = BOX;
  context.lineWidth = 1.4;
  context.setLineDash([6, 4]);
  const [x, y] = [crisp(place.left + left * place.scale), crisp(place.top + top * place.scale)];
  context.strokeRect(x, y, crisp(place.left + Math.max(a[0], b[0]) * place.scale) - x,
    crisp(place.top + Math.max(a[1], b[1]) * place.scale) - y);
  context.setLineDash([]);
}

function paintCrosshair(context, place, width, height, plane, at) {
  const [right, down] = onScreen(plane, at);
  const x = crisp(place.left + right * place.scale);
  const y = crisp(place.top + down * place.scale);
  context.strokeStyle = CROSSHAIR;
  context.lineWidth = 1;
  context.beginPath();
  for (const [ax, ay, bx, by] of [[0, y, x - 8, y], [x + 8, y, width, y], [x, 0, x, y - 8], [x, y + 8, x, height]]) {
    context.moveTo(ax, ay);
    context.lineTo(bx, by);
  }
  context.stroke();
}

/** A ring where the user clicked, on slices that hold the point. */
function paintPoint(context, place, shown, viewer) {
  const { point } = viewer;
  if (!point || point.panel !== shown.number) return;
  const axis = shown.plane.through;
  if (Math.abs(point.place[axis] - shown.position) > shown.panel.spacing[axis]) return;
  const [right, down] = onScreen(shown.plane, point.place);
  context.beginPath();
  context.arc(place.left + right * place.scale, place.top + down * place.scale, 5, 0, 2 * Math.PI);
  context.lineWidth = 3;
  context.strokeStyle = "#000000";
  context.stroke();
  context.lineWidth = 1.5;
  context.strokeStyle = INK;
  context.stroke();
}

function paintLetters(context, width, height, plane) {
  const [left, right, top, bottom] = plane.letters;
  write(context, left, 6, height / 2, "left", "middle");
  write(context, right, width - 6, height / 2, "right", "middle");
  write(context, top, width / 2, 5, "center", "top");
  write(context, bottom, width / 2, height - 5, "center", "bottom");
}

function paintScaleBar(context, width, height, scale) {
  const mm = scaleBarLength(scale, width);
  const y = height - 10;
  for (const [colour, thick] of [["#000000", 4], [INK, 2]]) {
    context.strokeStyle = colour;
    context.lineWidth = thick;
    context.beginPath();
    context.moveTo(8, y);
    context.lineTo(8 + mm * scale, y);
    context.stroke();
  }
  write(context, `${mm} mm`, 8, y - 4, "left", "bottom");
}

/** White letters with a black rim, which are read on any grey. */
function write(context, text, x, y, align, baseline) {
  context.font = "600 13px system-ui, sans-serif";
  context.textAlign = align;
  context.textBaseline = baseline;
  context.lineWidth = 3;
  context.lineJoin = "round";
  context.strokeStyle = "#000000";
  context.strokeText(text, x, y);
  context.fillStyle = INK;
  context.fillText(text, x, y);
}
