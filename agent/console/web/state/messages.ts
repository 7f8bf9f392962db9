/** What a page and the worker that holds the one stream of this browser say to each other. @module */
export type LinkState = 'connecting' | 'live' | 'lost';

/** Page to worker. `topics` replaces what this page had; a page that is gone says `leave`. */
export type ToStream =
  | { readonly kind: 'topics'; readonly topics: readonly string[] }
  | { readonly kind: 'alive' }
  | { readonly kind: 'leave' };

/** Worker to page: how the stream is, and the frames of topics that the page asked for. */
export type FromStream =
  | { readonly kind: 'link'; readonly state: LinkState; readonly sinceMs: number; readonly tickMs: number }
  | { readonly kind: 'topic'; readonly topic: string; readonly record: TopicRecord };

/** The last that is known of a topic. */
export interface TopicRecord {
  readonly data: unknown;
  readonly problem: { readonly status: number; readonly error: string } | null;
  /** By the clock of the node that serves. */
  readonly atMs: number;
}
