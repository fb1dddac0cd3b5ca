import type { ReportedPoint } from '../core/protocol/influx-hub.ts';

type Loose = Readonly<Record<string, unknown>>;

/** What of a `reported` document makes a point of its history. Of another's making: taken for what it is. */
export function reportedStateOf(document: Loose): ReportedPoint {
  const { rollout, release, running, error, refused, state, root } = document;
  const counts = Object.values(part(refused)).filter((count): count is number => whole(count) !== null);
  const { name, version } = part(running);
  return {
    model: text(part(rollout)['model'], 64),
    rollout: whole(part(rollout)['version']),
    release: whole(part(release)['version']),
    state: text(state, 32) ?? '?',
    root: whole(root),
    running: typeof name === 'string' ? `${name} ${String(version)}`.slice(0, 128) : null,
    refused: Math.min(
      Number.MAX_SAFE_INTEGER,
      counts.reduce((sum, count) => sum + count, 0),
    ),
    error: text(part(error)['code'], 64),
  };
}

const part = (value: unknown): Loose => (typeof value === 'object' && value !== null ? (value as Loose) : {});

const text = (value: unknown, most: number): string | null =>
  typeof value === 'string' ? value.slice(0, most) : null;

const whole = (value: unknown): number | null =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
