/**
 * When rules hold: parts of the week on the clock of a place.
 *
 * Asked at an instant, the answer comes with the instant until which it stands, so that nobody has to ask again for every
 * request. Zones change their offset on quarters of an hour, so no answer is kept beyond the next one.
 * @module
 */

import type { AccessWindow } from './policy.ts';

const MINUTE_MS = 60_000;
const QUARTER_MS = 15 * MINUTE_MS;
const DAY_MINUTES = 1_440;
const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

/** What clocks show in a zone. */
interface LocalTime {
  /** 0 = Sunday. */
  readonly day: number;
  readonly minute: number;
}

/** Wall clocks of any zone at one instant. One Intl call a zone. */
export class Clocks {
  readonly nowMs: number;
  readonly #formats: Map<string, Intl.DateTimeFormat>;
  readonly #times = new Map<string, LocalTime>();

  /** @param formats kept by the caller between instants, because making one is dear */
  constructor(nowMs: number, formats: Map<string, Intl.DateTimeFormat>) {
    this.nowMs = nowMs;
    this.#formats = formats;
  }

  in(timeZone: string): LocalTime {
    let time = this.#times.get(timeZone);
    if (time === undefined) {
      time = this.#read(timeZone);
      this.#times.set(timeZone, time);
    }
    return time;
  }

  #read(timeZone: string): LocalTime {
    let format = this.#formats.get(timeZone);
    if (format === undefined) {
      format = clockFormat(timeZone);
      this.#formats.set(timeZone, format);
    }
    const parts = Object.fromEntries(format.formatToParts(this.nowMs).map(({ type, value }) => [type, value]));
    return {
      day: WEEKDAYS.indexOf(parts.weekday ?? ''),
      minute: Number(parts.hour) * 60 + Number(parts.minute),
    };
  }
}

/** @throws RangeError for a zone that nobody knows */
export function clockFormat(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-US', {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
}

/** Whether an instant lies in a window. */
export function isOpen(window: AccessWindow, clocks: Clocks): boolean {
  const { day, minute } = clocks.in(window.timeZone);
  const { days, fromMinute, toMinute } = window;
  const opensOn = (candidate: number): boolean => days.length === 0 || days.includes(candidate);
  if (toMinute > fromMinute) return opensOn(day) && minute >= fromMinute && minute < toMinute;
  return (opensOn(day) && minute >= fromMinute) || (opensOn((day + 6) % 7) && minute < toMinute);
}

/** The instant until which `isOpen` gives the same answer at least; later than now. */
export function standsUntilMs(window: AccessWindow, clocks: Clocks): number {
  const { minute } = clocks.in(window.timeZone);
  const { nowMs } = clocks;
  const minuteStartMs = nowMs - (nowMs % MINUTE_MS);
  let untilMs = nowMs - (nowMs % QUARTER_MS) + QUARTER_MS;
  for (const edge of [window.fromMinute, window.toMinute, 0]) {
    const ahead = (edge - minute + DAY_MINUTES) % DAY_MINUTES || DAY_MINUTES;
    untilMs = Math.min(untilMs, minuteStartMs + ahead * MINUTE_MS);
  }
  return untilMs;
}
