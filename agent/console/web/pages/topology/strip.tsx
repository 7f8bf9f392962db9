/** Failed requests of the last 24 h; a click, a drag or [ and ] make the console show that moment. @module */
import { type KeyboardEvent, type PointerEvent, useRef } from 'react';
import type { Topology } from '../../../shapes/topology.ts';
import { useKeys } from '../../app/keys.ts';
import { setQuery } from '../../app/router.tsx';
import { goLive, useRange, writeInstant } from '../../app/time.ts';
import { share } from '../../format/numbers.ts';
import { clock, clockSeconds } from '../../format/times.ts';

const HEIGHT = 26;
/** Of the tallest bar at least; so that 0.1 % is no mountain. */
const LEAST_TOP = 0.02;

export function Strip({ data }: { readonly data: Topology }) {
  const { strip, events, asOfMs } = data;
  const { atMs, zone } = useRange();
  const root = useRef<HTMLDivElement>(null);
  const steps = strip.requestsPerSec.length;
  const endMs = strip.startMs + steps * strip.stepMs;
  const failed = strip.appFailedRatio.map((app, i) => {
    const mesh = strip.meshFailedRatio[i] ?? null;
    return app === null && mesh === null ? null : (app ?? 0) + (mesh ?? 0);
  });
  const top = Math.max(LEAST_TOP, ...failed.map((ratio) => ratio ?? 0));
  const shownMs = atMs ?? asOfMs;
  const go = (ms: number) => {
    if (ms > endMs - strip.stepMs / 2) goLive();
    else setQuery({ at: writeInstant(Math.max(strip.startMs + strip.stepMs, ms)) });
  };
  const step = (count: number) => {
    const last = Math.ceil(shownMs / strip.stepMs) * strip.stepMs;
    const next = last + count * strip.stepMs;
    // Back from a moment just after a mark leads to the mark before it.
    go(count < 0 && shownMs - next < strip.stepMs / 2 ? next - strip.stepMs : next);
  };
  useKeys([
    { keys: '[', does: 'Five minutes back', run: () => step(-1) },
    { keys: ']', does: 'Five minutes forward', run: () => step(1) },
  ]);
  if (steps === 0) return null;
  const onPointer = (event: PointerEvent) => {
    if (event.type === 'pointermove' && event.buttons !== 1) return;
    const { left, width } = root.current!.getBoundingClientRect();
    go(strip.startMs + ((event.clientX - left) / width) * (endMs - strip.startMs));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const count = { ArrowLeft: -1, ArrowRight: 1, PageUp: -12, PageDown: 12 }[event.key];
    if (count === undefined) return;
    event.preventDefault();
    step(count);
  };
  const x = (ms: number) => ((ms - strip.startMs) / (endMs - strip.startMs)) * steps;
  const hours = [0, 1, 2, 3, 4, 5].map((sixth) => strip.startMs + (sixth / 6) * (endMs - strip.startMs));
  const ratioAt = failed[Math.min(steps - 1, Math.max(0, Math.floor(x(shownMs))))] ?? null;
  return (
    <section className="strip" aria-label="Failed requests, last 24 h">
      <header>
        <span>Failed requests, last 24 h</span>
        <span className="muted">drag or use [ and ] to look at an earlier moment</span>
      </header>
      <div
        ref={root}
        className="strip-slider"
        role="slider"
        tabIndex={0}
        aria-label="Moment shown"
        aria-valuemin={strip.startMs}
        aria-valuemax={endMs}
        aria-valuenow={shownMs}
        aria-valuetext={`${clockSeconds(shownMs, zone)}, ${share(ratioAt)} failed`}
        onPointerDown={onPointer}
        onPointerMove={onPointer}
        onKeyDown={onKeyDown}
      >
        <svg viewBox={`0 0 ${steps} ${HEIGHT + 8}`} preserveAspectRatio="none" aria-hidden="true">
          {(['none', 'ok', 'warn', 'bad'] as const).map((tone) => (
            <path key={tone} className={`bar-${tone}`} d={bars(failed, tone, top)} />
          ))}
          {events.map(({ id, atMs: ms, title }) => (
            <path key={id} className="strip-event" d={`M${x(ms) - 1} 0h2l-1 5z`}>
              <title>{`${clock(ms, zone)} ${title}`}</title>
            </path>
          ))}
          <path className="strip-now" d={`M${Math.min(steps - 0.5, x(shownMs))} 4V${HEIGHT + 8}`} />
        </svg>
      </div>
      <div className="strip-hours" aria-hidden="true">
        {hours.map((ms) => (
          <span key={ms}>{clock(ms, zone)}</span>
        ))}
        <b>{clock(shownMs, zone)}</b>
      </div>
    </section>
  );
}

/** One path a tone; where nothing is known a short hollow mark, which is not zero. */
function bars(failed: readonly (number | null)[], tone: 'none' | 'ok' | 'warn' | 'bad', top: number): string {
  let path = '';
  for (const [i, ratio] of failed.entries()) {
    const own = ratio === null ? 'none' : ratio >= 0.03 ? 'bad' : ratio >= 0.01 ? 'warn' : 'ok';
    if (own !== tone) continue;
    const height = ratio === null ? 1.5 : Math.max(1.5, (ratio / top) * HEIGHT);
    path += `M${i + 0.15} ${HEIGHT + 8}v${-height.toFixed(2)}h0.7v${height.toFixed(2)}z`;
  }
  return path;
}
