// The server makes the files of the page from what it knows to be shown, and it is told of that only once it rests.

/**
 * Before a download button is pressed, tell the server what is shown. Returns what ends that.
 * @param {{known: () => boolean, tellThen: (act: () => void) => void}} conversation
 */
export function tellBeforeDownloads(conversation) {
  /** @param {MouseEvent} event */
  const listener = (event) => {
    const clicked = /** @type {Element} */ (event.target);
    const button = /** @type {HTMLElement | null} */ (clicked.closest("[data-testid=stDownloadButton] button"));
    if (!button || conversation.known()) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    conversation.tellThen(() => button.click());
  };
  document.addEventListener("click", listener, { capture: true });
  return () => document.removeEventListener("click", listener, { capture: true });
}
