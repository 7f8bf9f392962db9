/** The SharedWorker: six HTTP/1.1 connections a host would stop the seventh tab, so all tabs share one stream. @module */
import type { ToStream } from './messages.ts';
import { StreamLink } from './stream-link.ts';
import { GONE_AFTER_MS, Tabs } from './tabs.ts';

const tabs = new Tabs(new StreamLink());

self.addEventListener('connect', (event) => {
  const port = (event as MessageEvent).ports[0]!;
  const hear = tabs.join((message) => port.postMessage(message), Date.now());
  port.onmessage = ({ data }: MessageEvent<ToStream>) => hear(data, Date.now());
});

setInterval(() => tabs.sweep(Date.now()), GONE_AFTER_MS / 3);
