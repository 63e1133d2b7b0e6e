// Thumbnails of the items, kept for as long as the window stays, and the events by which the map and the component that
// fetches them (pictures.js) speak.

const WANTED = "flexict-pictures-wanted";
const CAME = "flexict-pictures";

/**
 * Object URLs by cohort and item (another cohort may have items of the same name); null where an item has none.
 * @returns {Map<string, string | null>}
 */
export function thumbnails() {
  window.flexictPictures ??= new Map();
  return window.flexictPictures;
}

/** @param {string[]} items */
export function askForThumbnails(items) {
  window.dispatchEvent(new CustomEvent(WANTED, { detail: items }));
}

export function tellThumbnailsCame() {
  window.dispatchEvent(new Event(CAME));
}

/**
 * Call `act` when thumbnails came. Returns what ends that.
 * @param {() => void} act
 */
export function onThumbnails(act) {
  window.addEventListener(CAME, act);
  return () => window.removeEventListener(CAME, act);
}

/**
 * Call `act` with the items whose thumbnails are wanted. Returns what ends that.
 * @param {(items: string[]) => void} act
 */
export function onWanted(act) {
  /** @param {Event} event */
  const listener = (event) => act(/** @type {CustomEvent<string[]>} */ (event).detail);
  window.addEventListener(WANTED, listener);
  return () => window.removeEventListener(WANTED, listener);
}
