/** Which stretch of time: the usual ones up to now, or one's own from and to. @module */
import { type FormEvent, useId, useState } from 'react';
import { duration } from '../format/numbers.ts';
import { inputText, ownRange } from '../format/own-range.ts';
import { clock, moment } from '../format/times.ts';
import { Button } from '../ui/button.tsx';
import { Menu } from '../ui/menu.tsx';
import { setQuery } from './router.tsx';
import { RANGES, useRange, writeInstant, writeRange } from './time.ts';

export function RangeMenu() {
  const { rangeMs, atMs, zone } = useRange();
  const preset = RANGES.find(({ ms }) => ms === rangeMs);
  const until = atMs === null || preset !== undefined ? undefined : moment(atMs, Date.now(), zone);
  const words = preset?.words ?? `Last ${duration(rangeMs)}`;
  const label = until === undefined ? words : `${clock(atMs! - rangeMs, zone)} to ${until}`;
  return (
    <Menu label={label} icon="clock" name="Time range" role="dialog">
      {(close) => (
        <>
          <div role="menu" aria-label="Up to now" className="menu-items">
            {RANGES.map(({ key, words, ms }) => (
              <button
                type="button"
                role="menuitemradio"
                aria-checked={ms === rangeMs}
                key={key}
                onClick={() => {
                  setQuery({ t: writeRange(ms) }, { replace: false });
                  close();
                }}
              >
                {words}
              </button>
            ))}
          </div>
          <Own close={close} />
        </>
      )}
    </Menu>
  );
}

function Own({ close }: { readonly close: () => void }) {
  const { rangeMs, atMs, zone } = useRange();
  const [from, setFrom] = useState(() => inputText((atMs ?? Date.now()) - rangeMs, zone));
  const [to, setTo] = useState(() => (atMs === null ? '' : inputText(atMs, zone)));
  const [problem, setProblem] = useState<{ field: string; error: string }>();
  const id = useId();
  const show = (event: FormEvent) => {
    event.preventDefault();
    const own = ownRange(from, to, { zone, nowMs: Date.now() });
    if ('error' in own) return setProblem(own);
    setQuery({ t: writeRange(own.rangeMs), at: own.atMs === null ? null : writeInstant(own.atMs) }, { replace: false });
    close();
  };
  const input = (field: 'from' | 'to', value: string, set: (value: string) => void) => (
    <label>
      {field === 'from' ? 'From' : 'To'}
      <input
        type="datetime-local"
        step={1}
        value={value}
        aria-invalid={problem?.field === field}
        aria-describedby={id}
        onChange={(event) => set(event.target.value)}
      />
    </label>
  );
  return (
    <form className="own-range" onSubmit={show} aria-label="From and to">
      {input('from', from, setFrom)}
      {input('to', to, setTo)}
      <p className={problem ? 'is-bad' : 'muted'} id={id} role={problem && 'alert'}>
        {problem?.error ?? `${zone === 'utc' ? 'UTC' : 'Your time'}; without To it goes on to now.`}
      </p>
      <Button type="submit">Show</Button>
    </form>
  );
}
