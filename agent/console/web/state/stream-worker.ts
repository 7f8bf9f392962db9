/** The SharedWorker: six HTTP/1.1 connections a host would stop the seventh tab, so all tabs share one stream. @module */
import type { FromStream, ToStream } from './messages.ts';
import { type Listener, StreamLink } from './stream-link.ts';

/** A tab that crashed says no `leave`; one that is silent for this long is taken for gone. */
const GONE_AFTER_MS = 90_000;
const link = new StreamLink();
const lastHeardMs = new Map<Listener, number>();

self.addEventListener('connect', (event) => {
  const port = (event as MessageEvent).ports[0]!;
  const tell = (message: FromStream) => port.postMessage(message);
  const tellFrame = (topic: string, text: string) => tell({ kind: 'frame', topic, text });
  const listener: Listener = { topics: new Set(), told: new Map(), tell, tellFrame };
  lastHeardMs.set(listener, Date.now());
  link.add(listener);
  port.onmessage = ({ data }: MessageEvent<ToStream>) => {
    lastHeardMs.set(listener, Date.now());
    if (data.kind === 'leave') leave(listener);
    if (data.kind === 'whole') link.tellWhole(listener, data.topic);
    if (data.kind === 'topics') {
      link.add(listener); // one taken for gone that speaks again
      listener.topics = new Set(data.topics);
      link.topicsChanged(listener);
    }
  };
});

setInterval(() => {
  for (const [listener, atMs] of lastHeardMs) if (Date.now() - atMs > GONE_AFTER_MS) leave(listener);
}, GONE_AFTER_MS / 3);

function leave(listener: Listener): void {
  lastHeardMs.delete(listener);
  link.remove(listener);
}
