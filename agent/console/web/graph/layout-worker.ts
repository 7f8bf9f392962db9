/** The worker in which the graph is laid out, so that the page's own thread stays free. @module */
import { type PackedAsk, type PackedPlaces, unpacked } from './places-asked.ts';
import { placesFor } from './placing.ts';

self.onmessage = ({ data }: MessageEvent<PackedAsk>) => {
  self.postMessage({ number: data.number, ...placesFor(unpacked(data)) } satisfies PackedPlaces);
};
