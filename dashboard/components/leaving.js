// A page that is left asks the server for nothing any more. Streamlit would run that part of it after the next page, and
// for that empty the window of what the next page shows.

const LEAVING_MS = 10000;

// Shared by all components of the window, each of which brings a copy of this module, again and again.
window.flexictLeaving ??= { leftAt: -Infinity, lastPath: location.pathname, onItsWay: false, senders: 0, listening: null };
const leaving = window.flexictLeaving;

/** A component that asks the server says when it comes; the clicks of the window are watched until the last has gone. */
export function senderCame() {
  leaving.senders += 1;
  if (leaving.senders > 1) return;
  leaving.lastPath = location.pathname;
  leaving.listening = new AbortController();
  const until = { capture: true, signal: leaving.listening.signal };
  document.addEventListener("click", noteClick, until);
  window.addEventListener("popstate", noteReturn, until);
}

export function senderGone() {
  leaving.senders -= 1;
  if (leaving.senders === 0) leaving.listening?.abort();
}

/**
 * Send something, unless the page into which the sender came is being left.
 * @param {number} since when the sender came, of performance.now
 * @param {() => void} send
 */
export function askFrom(since, send) {
  // So long after the click, the page was not left.
  if (leaving.leftAt > since && performance.now() - leaving.leftAt < LEAVING_MS) return;
  leaving.lastPath = location.pathname;
  send();
  leaving.onItsWay = true;
  // Streamlit collects what is asked until the next turn, which it has put in line before this.
  setTimeout(() => { leaving.onItsWay = false; });
}

/**
 * The link to another page of the app that a click follows, if it does.
 * @param {MouseEvent} event
 */
function linkOf(event) {
  const link = event.composedPath().find((one) => one instanceof HTMLAnchorElement);
  const elsewhere = event.ctrlKey || event.metaKey || event.shiftKey || (link?.target && link.target !== "_self");
  if (!link || elsewhere || link.hasAttribute("download")) return null;
  return link.origin === location.origin && link.pathname !== location.pathname ? link : null;
}

/**
 * Before the page hears of the click itself.
 * @param {MouseEvent} event
 */
function noteClick(event) {
  const link = linkOf(event);
  if (!link) return;
  leaving.leftAt = performance.now();
  if (!leaving.onItsWay) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  setTimeout(() => link.click());
}

function noteReturn() {
  if (location.pathname !== leaving.lastPath) leaving.leftAt = performance.now();
}
