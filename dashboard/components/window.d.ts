// What the components of one page share: each comes as a module of its own, with its own copy of what it imports.

interface Window {
  flexictLeaving?: {
    leftAt: number;
    lastPath: string;
    onItsWay: boolean;
    senders: number;
    listening: AbortController | null;
  };
  /** The connections of the viewers with their feeds, by channel. */
  flexictConnections?: Map<string, import("./viewer/message.js").Connection>;
  /** Thumbnails as object URLs, by cohort and item; null where an item has none. */
  flexictPictures?: Map<string, string | null>;
}
