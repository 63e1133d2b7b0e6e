// "Download PNG": what is seen, with its words, as one picture.

const PICTURE_WIDTH = 420;
const PICTURE_TEXT = 74;
const FOOT_FONT = "600 12px system-ui, sans-serif";

/** A file name of the cases that are shown, such as "ct-case01-case07-axial.png". */
function pictureName(cases, planes) {
  const safe = [...new Set(cases)].map((one) => one.replace(/[^A-Za-z0-9._-]+/g, "_")).join("-");
  return `ct-${safe.slice(0, 120)}-${planes}.png`;
}

/** Draw all slots on one canvas and save it. */
function savePicture(viewer) {
  const { slots } = viewer;
  const columns = Math.min(3, slots.length);
  const rows = Math.ceil(slots.length / columns);
  const wide = columns * PICTURE_WIDTH - 12;
  const foot = 30 + 17 * folded(viewer.footer, wide).length;
  const high = PICTURE_WIDTH + PICTURE_TEXT;
  const canvas = document.createElement("canvas");
  const ratio = 2;
  canvas.width = columns * PICTURE_WIDTH * ratio;
  canvas.height = (rows * high + foot) * ratio;
  const context = canvas.getContext("2d");
  context.fillStyle = "#000000";
  context.fillRect(0, 0, canvas.width, canvas.height);
  slots.forEach((slot, i) => {
    const [x, y] = [(i % columns) * PICTURE_WIDTH, Math.floor(i / columns) * high];
    const part = document.createElement("canvas");
    part.width = part.height = PICTURE_WIDTH * ratio;
    paint(part.getContext("2d"), PICTURE_WIDTH, PICTURE_WIDTH, ratio, slot.shown, viewer);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.drawImage(part, x, y + 26, PICTURE_WIDTH, PICTURE_WIDTH);
    fit(context, slot.title.textContent, x + 6, y + 18, PICTURE_WIDTH - 12, "600 14px system-ui, sans-serif");
    const lines = [slot.place.textContent, slot.caption.textContent].filter(Boolean);
    lines.forEach((line, n) => fit(context, line, x + 6, y + PICTURE_WIDTH + 42 + 17 * n, PICTURE_WIDTH - 12, "12px system-ui, sans-serif"));
  });
  const words = [viewer.windowWords(), viewer.view.map === "off" ? "" : viewer.mapText()].filter(Boolean).join(" · ");
  fit(context, words, 6, rows * high + 18, wide, "12px system-ui, sans-serif");
  folded(viewer.footer, wide).forEach((line, n) => fit(context, line, 6, rows * high + 37 + 17 * n, wide, FOOT_FONT));
  canvas.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    const shown = new Set(slots.map((slot) => viewer.items[slot.number].case));
    link.download = pictureName([...shown], viewer.view.three ? "three-planes" : viewer.view.plane);
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }, "image/png");
}

/** A text in lines that fit a width. */
function folded(text, wide) {
  const context = document.createElement("canvas").getContext("2d");
  context.font = FOOT_FONT;
  const lines = [];
  for (const word of text.split(" ").filter(Boolean)) {
    const longer = lines.length ? `${lines[lines.length - 1]} ${word}` : word;
    if (lines.length && context.measureText(longer).width <= wide) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** A line of text, made narrower where it is too long. */
function fit(context, text, x, y, most, font) {
  context.font = font;
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
  context.fillStyle = INK;
  context.fillText(text, x, y, most);
}
