// Fetches the pictures that the map wants and keeps them for the whole session; shows nothing itself.
async function take(data, pictures) {
  const { header, arrays } = await decodePayload(data);
  header.items.forEach((id, i) => {
    const [start, end] = header.places[i];
    const png = start === end ? null : new Blob([arrays.pictures.subarray(start, end)], { type: "image/png" });
    // Another cohort may have items of the same name.
    pictures.set(header.store + id, png ? URL.createObjectURL(png) : null);
  });
  window.dispatchEvent(new Event("flexict-pictures"));
}

export default function (component) {
  const root = component.parentElement;
  const pictures = (window.flexictPictures ??= new Map());
  if (component.data && root.lastData !== component.data) {
    root.lastData = component.data;
    root.busy = false;
    take(component.data, pictures);
  }
  root.send = component.setStateValue;
  if (!root.wanted) {
    const since = performance.now();
    root.wanted = (event) => {
      if (!event.detail.length || (root.busy && Date.now() - root.busy < 1500)) return;
      root.busy = Date.now();
      askFrom(since, () => root.send("wanted", event.detail));
    };
    senderCame();
    window.addEventListener("flexict-pictures-wanted", root.wanted);
  }
  // Of every update: the one before it is forgotten.
  return () => setTimeout(() => {
    if ((root.host ?? root).isConnected || !root.wanted) return;
    senderGone();
    window.removeEventListener("flexict-pictures-wanted", root.wanted);
    root.wanted = undefined;
  });
}
