/** What a page and the worker that holds the one stream of this browser say to each other. @module */
export type LinkState = 'connecting' | 'live' | 'lost';

/** Page to worker. `topics` replaces what this page had; a page that cannot make sense of a frame wants the `whole`; one that is gone says `leave`. */
export type ToStream =
  | { readonly kind: 'topics'; readonly topics: readonly string[] }
  | { readonly kind: 'whole'; readonly topic: string }
  | { readonly kind: 'alive' }
  | { readonly kind: 'leave' };

/**
 * Worker to page: how the stream is, and what is known of topics that the page asked for. A frame goes on as the text it came as, for
 * a page that has what it changes: a copy of the whole, as `postMessage` makes one, costs a page of 1,000 services 30 ms a tick,
 * and nothing in it would be the same object as before.
 */
export type FromStream =
  | { readonly kind: 'link'; readonly state: LinkState; readonly sinceMs: number; readonly tickMs: number }
  | { readonly kind: 'topic'; readonly topic: string; readonly seq: number; readonly record: TopicRecord }
  | { readonly kind: 'frame'; readonly topic: string; readonly text: string };

/** The last that is known of a topic. */
export interface TopicRecord {
  readonly data: unknown;
  readonly problem: { readonly status: number; readonly error: string } | null;
  /** By the clock of the node that serves. */
  readonly atMs: number;
}
