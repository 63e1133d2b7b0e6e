// A page that is left asks the server for nothing any more. Streamlit would run that part of it after the next page, and
// for that empty the window of what the next page shows.
const LEAVING_MS = 10000;
let leftAt = -Infinity;
let lastPath = location.pathname;
let onItsWay = false;

/** Send something, unless the page into which the sender came at `since` (of performance.now) is being left. */
function askFrom(since, send) {
  // So long after the click, the page was not left.
  if (leftAt > since && performance.now() - leftAt < LEAVING_MS) return;
  lastPath = location.pathname;
  send();
  onItsWay = true;
  // Streamlit collects what is asked until the next turn, which it has put in line before this.
  setTimeout(() => { onItsWay = false; });
}

function linkOf(event) {
  const link = event.composedPath().find((one) => one instanceof HTMLAnchorElement);
  const elsewhere = event.ctrlKey || event.metaKey || event.shiftKey || (link?.target && link.target !== "_self");
  if (!link || elsewhere || link.hasAttribute("download")) return null;
  return link.origin === location.origin && link.pathname !== location.pathname ? link : null;
}

// Before the page hears of the click itself.
document.addEventListener("click", (event) => {
  const link = linkOf(event);
  if (!link) return;
  leftAt = performance.now();
  if (!onItsWay) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  setTimeout(() => link.click());
}, true);
window.addEventListener("popstate", () => {
  if (location.pathname !== lastPath) leftAt = performance.now();
}, true);
