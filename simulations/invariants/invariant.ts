/**
 * What must hold in every run, whatever fails. The checkers watch what nodes show and believe, and know from the world
 * what is so; they share no code with the cores that they judge.
 * @module
 */
import type { Watcher } from '../world/world.ts';

export interface Violation {
  readonly rule: string;
  readonly atMs: number;
  readonly detail: string;
}

export type Report = (rule: string, detail: string) => void;

export interface Invariant extends Watcher {
  /** The run is over and its faults have long stopped. */
  finish?(): void;
}
