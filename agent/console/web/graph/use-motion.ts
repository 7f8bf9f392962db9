/** When what the graph draws next moves to its place rather than being there at once, and what is to be in view then. @module */
import { type RefObject, useEffect, useLayoutEffect, useRef, useState } from 'react';

/** Of Tidy, and of what makes room; as `--move` of tokens.css, which is 0 where less motion is wanted. */
const MOVE_MS = 200;

export interface Motion {
  /** The next drawing moves what is elsewhere then, and shows `to`: a namespace, or all. */
  start(to: string): void;
  take(): { readonly ms: number; readonly to: string | undefined };
}

/** Opening and closing a namespace starts one too. */
export function useMotion(root: RefObject<HTMLDivElement | null>, open: ReadonlySet<string>): Motion {
  const next = useRef<{ ms: number; to: string | undefined }>({ ms: 0, to: undefined });
  const end = useRef<ReturnType<typeof setTimeout>>(undefined);
  const before = useRef(open);
  const [motion] = useState<Motion>(() => ({
    start(to) {
      const ms = matchMedia('(prefers-reduced-motion: reduce)').matches ? 0 : MOVE_MS;
      next.current = { ms, to: to === '' ? undefined : to };
      root.current?.classList.toggle('is-moving', ms > 0);
      clearTimeout(end.current);
      end.current = setTimeout(() => root.current?.classList.remove('is-moving'), MOVE_MS + 50);
    },
    take() {
      const taken = next.current;
      next.current = { ms: 0, to: undefined };
      return taken;
    },
  }));
  useLayoutEffect(() => {
    const was = before.current;
    before.current = open;
    if (was === open) return;
    motion.start([...open].findLast((name) => !was.has(name)) ?? '');
  }, [open, motion]);
  useEffect(() => () => clearTimeout(end.current), []);
  return motion;
}
