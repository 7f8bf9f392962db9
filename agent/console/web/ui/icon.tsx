/** Line icons, one path each, in the colour of the text. Beside words; alone only with a name of its own. @module */

const PATHS = {
  weft: 'M3 8h18M3 16h18M8 3v18M16 3v18M12 3v18',
  topology:
    'M5 5m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0M19 5m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0M12 18m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0M7 5h10M6 7l5 9M18 7l-5 9',
  list: 'M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01',
  lines: 'M4 6h16M4 10h10M4 14h16M4 18h8',
  trace: 'M4 6h8M8 12h8M12 18h8',
  clock: 'M12 12m-8 0a8 8 0 1 0 16 0a8 8 0 1 0-16 0M12 8v4l3 2',
  document: 'M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6',
  gauge: 'M4 18a9 9 0 1 1 16 0M12 14l4-5',
  node: 'M4 5h16v6H4zM4 13h16v6H4zM8 8h.01M8 16h.01',
  key: 'M8 16m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0M11 13l8-8M16 8l3 3',
  search: 'M11 11m-7 0a7 7 0 1 0 14 0a7 7 0 1 0-14 0M20 20l-4-4',
  filter: 'M4 5h16l-6 8v6l-4-2v-4z',
  down: 'M6 9l6 6 6-6',
  right: 'M9 6l6 6-6 6',
  pause: 'M9 6v12M15 6v12',
  play: 'M8 5l11 7-11 7z',
  close: 'M6 6l12 12M18 6L6 18',
  plus: 'M12 5v14M5 12h14',
  minus: 'M5 12h14',
  fit: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5',
  focus: 'M12 12m-8 0a8 8 0 1 0 16 0a8 8 0 1 0-16 0M12 12m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0',
  table: 'M4 5h16v14H4zM4 10h16M4 15h16M10 5v14',
  tidy: 'M4 4h6v6H4zM14 14h6v6h-6zM14 4h6v6h-6zM4 14h6v6H4z',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  download: 'M12 4v11M7 11l5 5 5-5M5 20h14',
  undo: 'M9 14L4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3',
  split: 'M4 12h6l6-6h4M10 12l6 6h4',
  shield: 'M12 3l8 3v6c0 5-4 8-8 9-4-1-8-4-8-9V6zM9 12l2 2 4-4',
  lock: 'M6 11h12v9H6zM8 11V8a4 4 0 0 1 8 0v3',
  retry: 'M20 12a8 8 0 1 1-3-6M20 4v4h-4',
  activity: 'M3 12h4l3 8 4-16 3 8h4',
  outside: 'M13 5h6v6M19 5l-9 9M9 5H5v14h14v-4',
  ingress: 'M4 12h14M13 7l5 5-5 5',
  store: 'M5 6c0-4 14-4 14 0v12c0 4-14 4-14 0zM5 6c0 4 14 4 14 0',
  arrow: 'M4 12h16M14 6l6 6-6 6',
  info: 'M12 12m-9 0a9 9 0 1 0 18 0a9 9 0 1 0-18 0M12 11v5M12 8h.01',
  pencil: 'M4 20l1-5L16 4l4 4L9 19z',
} as const;
export type IconName = keyof typeof PATHS;

export function Icon({
  name,
  size = 16,
  label,
}: {
  readonly name: IconName;
  readonly size?: number;
  readonly label?: string;
}) {
  return (
    // biome-ignore lint/a11y/noSvgWithoutTitle: one without a label is hidden
    <svg
      className="icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={2}
      strokeLinecap="round"
      strokeLinejoin="round"
      role={label === undefined ? undefined : 'img'}
      aria-hidden={label === undefined}
    >
      {label !== undefined && <title>{label}</title>}
      <path d={PATHS[name]} />
    </svg>
  );
}
