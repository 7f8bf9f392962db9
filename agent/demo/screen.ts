/** A terminal that shows one page, redrawn in place; what was there before comes back at the end. @module */
import type { WriteStream } from 'node:tty';

const ENTER = '\u001b[?1049h\u001b[?25l'; // the alternate screen, without a cursor
const LEAVE = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

export class Screen implements Disposable {
  readonly #terminal: WriteStream;
  #isOpen = true;

  constructor(terminal: WriteStream) {
    this.#terminal = terminal;
    terminal.write(ENTER);
  }

  get columns(): number {
    return this.#terminal.columns;
  }

  get isColored(): boolean {
    return this.#terminal.hasColors() && !process.env.NO_COLOR;
  }

  /** One write, so that nobody sees half a page. Where the page is too long, empty lines go first, then the last ones. */
  draw(lines: readonly string[]): void {
    const { rows } = this.#terminal;
    const fitting = lines.length <= rows ? lines : lines.filter((line) => line !== '').slice(0, rows);
    this.#terminal.write(HOME + fitting.map((line) => `${line}${CLEAR_LINE}`).join('\n') + CLEAR_BELOW);
  }

  /** Twice is fine. */
  [Symbol.dispose](): void {
    if (this.#isOpen) this.#terminal.write(LEAVE);
    this.#isOpen = false;
  }
}
