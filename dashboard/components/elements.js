// Elements of the page. Text that comes from data is set as text, never as HTML.

/**
 * An element with attributes (functions are listeners; null and undefined are left out) and children.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number | ((event: any) => void) | null | undefined>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice("on".length), value);
    else if (value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

/**
 * A canvas of so many pixels.
 * @param {number} width
 * @param {number} height
 */
export function canvasOf(width, height) {
  return make("canvas", { width, height });
}

/**
 * The context to draw on a canvas.
 * @param {HTMLCanvasElement} canvas
 */
export function contextOf(canvas) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
}

/**
 * Where a pointer is on an element, in CSS pixels.
 * @param {Element} element
 * @param {MouseEvent} event
 * @returns {[number, number]}
 */
export function pointerAt(element, event) {
  const box = element.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}
