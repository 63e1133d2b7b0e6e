const FEEDS = new WeakMap();

export default function feed({ data, parentElement, setStateValue }) {
  const message = readMessage(data);
  const line = lineOf(message.header.channel);
  const send = (request) => setStateValue("request", request);
  Object.assign(line, { message, send });
  FEEDS.set(parentElement, send);
  line.viewer?.receive(message);
  return () => {
    if (line.send === FEEDS.get(parentElement)) Object.assign(line, { message: null, send: null });
  };
}
