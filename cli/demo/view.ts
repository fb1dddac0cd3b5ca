import { printable } from '../../agent/log.ts';
import { formatValue } from '../../core/words.ts';
import { paint } from '../alert-view.ts';
import { type AgentStatus, stateSentence } from '../commands/status.ts';

/** What `demo` shows: told lines that stay, and below them, on a terminal, a panel that is drawn over. */

const SHOWN = ['cpu', 'memory', 'network'];
const BAR = 24;

export interface DemoViewOptions {
  readonly write: (text: string) => void;
  readonly live: boolean;
  readonly colour: boolean;
  readonly elapsedMs: () => number;
}

export class DemoView {
  readonly #options: DemoViewOptions;
  #drawn = 0;
  #lastPlainMs = Number.NEGATIVE_INFINITY;

  constructor(options: DemoViewOptions) {
    this.#options = options;
  }

  /** A line that stays. */
  tell(text: string): void {
    this.#erase();
    const at = `${(this.#options.elapsedMs() / 1000).toFixed(0).padStart(3)} s  `;
    for (const [i, line] of text.split('\n').entries()) {
      this.#options.write(`${i === 0 ? paint('2', at, this.#options.colour) : '       '}${line}\n`);
    }
  }

  /** The panel; without a terminal a plain line every ten seconds. */
  show(status: AgentStatus): void {
    if (this.#options.live) {
      const lines = this.#panel(status);
      this.#erase();
      this.#options.write(`${lines.join('\n')}\n`);
      this.#drawn = lines.length;
      return;
    }
    if (this.#options.elapsedMs() - this.#lastPlainMs < 10_000) return;
    this.#lastPlainMs = this.#options.elapsedMs();
    const values = this.#metrics(status).map((m) => `${m.label} ${formatValue(m.value, m.unit)}`);
    this.tell(`${stateSentence(status)} ${values.join(', ')}${this.#surprise(status)}`);
  }

  close(): void {
    this.#erase();
  }

  #metrics(status: AgentStatus): AgentStatus['metrics'] {
    return status.metrics.filter((metric) => SHOWN.includes(metric.name));
  }

  #surprise(status: AgentStatus): string {
    const surprise = status.triggers.find((trigger) => trigger.name === 'surprise');
    return surprise === undefined
      ? ''
      : `, surprise ${surprise.value.toFixed(2)} (alert above ${surprise.thresholds.info.toFixed(2)})`;
  }

  #panel(status: AgentStatus): string[] {
    const { colour } = this.#options;
    const lines = ['', `  ${paint('1', printable(status.host.name), colour)}  ${stateSentence(status)}`];
    for (const metric of this.#metrics(status)) {
      const share =
        metric.unit === 'percent' ? (metric.value ?? 0) / 100 : Math.log10(1 + (metric.value ?? 0)) / 9;
      lines.push(`  ${metric.label.padEnd(16)}${bar(share)} ${formatValue(metric.value, metric.unit)}`);
    }
    const surprise = status.triggers.find((trigger) => trigger.name === 'surprise');
    if (surprise !== undefined) {
      const ratio = surprise.value / surprise.thresholds.info;
      const code = ratio > 1 ? '31' : ratio > 0.5 ? '33' : '32';
      lines.push(
        `  ${'surprise'.padEnd(16)}${paint(code, bar(ratio), colour)} ${surprise.value.toFixed(2)} of ${surprise.thresholds.info.toFixed(2)}`,
      );
    }
    return lines;
  }

  #erase(): void {
    if (this.#drawn > 0) this.#options.write(`\u001b[${this.#drawn}A\u001b[0J`);
    this.#drawn = 0;
  }
}

function bar(share: number): string {
  const full = Math.max(0, Math.min(BAR, Math.round(share * BAR)));
  return '█'.repeat(full) + '░'.repeat(BAR - full);
}
