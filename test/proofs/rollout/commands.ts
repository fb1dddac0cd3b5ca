import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runExecutable } from '../../support/executable.ts';
import { MODEL, type RolloutScene, SITE } from '../../support/rollout-scene.ts';

const QUICK = [
  '--jitter',
  '1s',
  '--probation',
  '2s',
  '--watchdog',
  '1m',
  '--timeout',
  '90s',
  '--shadow-rows',
  '300',
];
export const SOAK_MS = 2000;

interface Line {
  readonly decision: { readonly kind: string; readonly reasons: readonly string[] };
  readonly figures: {
    readonly cohort: number;
    readonly failed: readonly { readonly host: string; readonly code: string }[];
  };
}

interface RolledOut {
  readonly code: number | string;
  readonly startMs: number;
  readonly endMs: number;
  /** What `rollout advance` said at its end. */
  readonly last: Line | null;
  /** Which hosts come first: `rollout start` draws it. */
  readonly cohortSeed: string;
}

/** The packaged `rollout` commands, with the operator's key. */
export class Commands {
  readonly #options: readonly string[];

  constructor(scene: RolloutScene, rootPath: string) {
    const key = join(scene.directory, 'operator.key');
    const pem = scene.keys.operatorKey.private.export({ type: 'pkcs8', format: 'pem' });
    writeFileSync(key, pem, { mode: 0o600 });
    const broker = `mqtt://127.0.0.1:${scene.mosquitto.port}`;
    this.#options = ['--root', rootPath, '--key', key, '--broker', broker, '--registry', scene.registry];
  }

  async rollOut(path: string, options: readonly string[]): Promise<RolledOut> {
    const startMs = performance.now();
    const soak = options.includes('--soak') ? [] : ['--soak', `${SOAK_MS}ms`];
    const started = runExecutable([
      'rollout',
      'start',
      path,
      '--site',
      SITE,
      '--json',
      ...QUICK,
      ...soak,
      ...options,
      ...this.#options,
    ]);
    const code = await started.ended;
    if (code !== 0) throw new Error(`rollout start ended with ${code}: ${started.stderr()}`);
    const watched = runExecutable([
      'rollout',
      'advance',
      MODEL,
      '--watch',
      '--every',
      '500ms',
      '--json',
      ...this.#options,
    ]);
    const end = await watched.ended;
    if (end !== 0 && end !== 1) throw new Error(`rollout advance ended with ${end}: ${watched.stderr()}`);
    const lines = watched.stdout().trimEnd().split('\n');
    return {
      code: end,
      startMs,
      endMs: performance.now(),
      cohortSeed: (JSON.parse(started.stdout()) as { plan: { seed: string } }).plan.seed,
      last: JSON.parse(lines.at(-1) ?? 'null') as Line | null,
    };
  }
}
