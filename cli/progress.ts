import { formatDuration } from '../core/words.ts';

const WIDTH = 24;
/** A bar that is drawn more often says nothing more. */
const LEAST_MS = 100;

/** One line on stderr that is written over: only where stderr is a terminal, and nobody asked for JSON. */
export class Progress {
  readonly #shown: boolean;
  readonly #startedMs: number;
  #drawnMs = Number.NEGATIVE_INFINITY;
  #dirty = false;

  constructor(shown: boolean) {
    this.#shown = shown && process.stderr.isTTY === true;
    this.#startedMs = performance.now();
  }

  /** Work of unknown length. */
  note(text: string): void {
    this.#draw(text, false);
  }

  step(done: number, total: number, what: string): void {
    const share = total === 0 ? 1 : done / total;
    const elapsedMs = performance.now() - this.#startedMs;
    const left =
      done > 0 && done < total ? `, about ${formatDuration((elapsedMs / share) * (1 - share))} left` : '';
    const filled = Math.round(share * WIDTH);
    this.#draw(`${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)} ${done}/${total}${left}  ${what}`, true);
  }

  end(): void {
    if (this.#dirty) process.stderr.write('\r\u001b[K');
    this.#dirty = false;
  }

  #draw(line: string, always: boolean): void {
    const nowMs = performance.now();
    if (!this.#shown || (!always && nowMs - this.#drawnMs < LEAST_MS)) return;
    this.#drawnMs = nowMs;
    this.#dirty = true;
    // A terminal that does not know its width says 0.
    const columns = process.stderr.columns || 80;
    process.stderr.write(`\r\u001b[K${[...line].slice(0, columns - 1).join('')}`);
  }
}
