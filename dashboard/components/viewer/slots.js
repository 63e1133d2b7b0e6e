// The panels on the page: what each shows now, in pictures and in words.

/** A panel on the page: of an item in the view's plane, or in a plane of its own. */
function newSlot(viewer, number, planeName) {
  const item = viewer.items[number];
  const slot = {
    number,
    plane: () => viewer.planes[planeName ?? viewer.view.plane],
    canvas: make("canvas", { tabindex: 0, role: "img" }),
    title: make("div", { class: "title" }),
    place: make("div", { class: "place" }),
    cursor: make("div", { class: "cursor" }),
    note: make("div", { class: "note" }),
    caption: make("div", { class: "caption" }),
    pointer: null,
    shown: {},
  };
  slot.title.textContent = planeName ? `${PLANE_WORDS[planeName]} · ${item.title}` : item.title;
  slot.title.title = item.title;
  slot.caption.textContent = item.caption;
  slot.root = make("figure", {}, slot.title, slot.canvas, slot.place, slot.cursor, slot.note, slot.caption);
  listen(slot, viewer);
  return slot;
}

/** What a slot shows now. */
function look(slot, viewer) {
  const panel = viewer.panels[slot.number];
  const plane = slot.plane();
  slot.shown = { plane, panel: panel ?? {}, number: slot.number };
  if (!panel) {
    slot.shown.waiting = "Reading the scan …";
  } else if (panel.kind === "thumbnail") {
    slot.shown.plane = viewer.planes.axial;
    slot.shown.thumbnail = panel.picture;
  } else if (panel.kind === "ct") {
    const index = sliceIndex(panel, plane, viewer.view.place);
    const slice = viewer.cache.nearest(slot.number, plane.name, index, panel.shape[plane.through]);
    const shown = slice ? slice.index : index;
    Object.assign(slot.shown, {
      index, slice, late: Boolean(slice) && slice.index !== index,
      failure: viewer.cache.failure(slot.number, plane.name, index),
      detail: slice && viewer.cache.detail(slot.number, plane.name, slice.index),
      position: slicePosition(panel, plane, shown),
      waiting: "Reading the slice …",
    });
  } else {
    slot.shown.waiting = "No picture";
  }
}

/** Put what is shown into words: slice and place, the value under the pointer, notes. */
function describe(slot, viewer) {
  const { panel, plane, slice, detail, index, late, position, failure } = slot.shown;
  const texts = { place: "", cursor: "", note: [...(panel.notes ?? []), failure].filter(Boolean).join(" ") };
  if (panel.kind === "ct" && slice) {
    const here = [0, 0, 0];
    here[plane.through] = position;
    const mm = toLps(panel, here)[plane.through];
    const number = `slice ${sliceNumber(slice.index)} of ${panel.shape[plane.through]}`;
    const step = Math.max(...(detail ?? slice).step);
    texts.place = `${number}, ${"xyz"[plane.through]} = ${signed(mm, 1)} mm (LPS)`
      + (step > 1 ? ` · ${step} × ${step} voxels a pixel` : "")
      + (late && !failure ? ` · loading slice ${sliceNumber(index)}` : "");
    texts.cursor = cursorWords(slot, viewer);
  } else if (panel.kind === "thumbnail") {
    texts.place = `axial, z = ${signed(panel.z_lps_mm, 1)} mm (LPS)`;
  }
  for (const [name, text] of Object.entries(texts)) {
    if (slot[name].textContent !== text) slot[name].textContent = text;
  }
  const said = `${PLANE_WORDS[plane.name]} CT slice of ${viewer.items[slot.number].case}. ${texts.place || texts.note || slot.shown.waiting}`;
  if (slot.canvas.getAttribute("aria-label") !== said) slot.canvas.setAttribute("aria-label", said);
}

/** HU and LPS mm under the pointer, and the similarity there. */
function cursorWords(slot, viewer) {
  if (!slot.pointer) return "";
  const place = viewer.placeAt(slot, slot.pointer);
  const [right, down] = onScreen(slot.plane(), place);
  const { slice, detail, panel } = slot.shown;
  const hu = (detail && huAt(detail, right, down)) ?? huAt(slice, right, down);
  if (hu === undefined) return "";
  const [x, y, z] = toLps(panel, place).map((mm) => signed(mm, 0));
  const like = viewer.view.map === "similarity" ? similarityAt(viewer.map, slot.number, place) : undefined;
  const words = like ? ` · cosine ${like.atMost ? "≤ " : ""}${signed(like.value, 2)}` : "";
  const mean = Math.max(...(detail ?? slice).step) > 1 ? " (mean of the pixel)" : "";
  return `${signed(hu)} HU${mean} at ${x}, ${y}, ${z} mm${words}`;
}
