import { readFileSync, statSync } from 'node:fs';
import type { InstallState } from '../../core/protocol/install-states.ts';
import type { InstallFigures } from '../../core/protocol/reported.ts';
import type { ReleaseReference } from '../../core/protocol/trust.ts';
import { writeDurably } from '../../models/durable-file.ts';
import { NO_TRUST, type TrustState } from '../../models/trust/trust.ts';

/** Where this host stands with what the centre asks of it. JSON. */
export interface Progress {
  readonly state: InstallState;
  /** What `state` is about. */
  readonly release: ReleaseReference | null;
  /** `trial`: beside the model that watches, never in its place. */
  readonly kind: 'release' | 'trial';
  /** When it was offered, when its turn comes, and when `state` began. */
  readonly offeredMs: number;
  readonly startMs: number;
  readonly sinceMs: number;
  /** Version of the rollout under which it was reached. */
  readonly rollout: number;
  /** The accepted release document's envelope. */
  readonly envelope: string | null;
  readonly figures: InstallFigures | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  /** Digests that were verified here, and may run from the central slots; the newest last. */
  readonly verified: readonly ReleaseReference[];
  /** Incidents since this release was first asked for, or since it took over: what the fleet is compared by. */
  readonly alarms: { readonly sinceMs: number; readonly opened: number } | null;
}

export const NO_PROGRESS: Progress = {
  state: 'none',
  release: null,
  kind: 'release',
  offeredMs: 0,
  startMs: 0,
  sinceMs: 0,
  rollout: 0,
  envelope: null,
  figures: null,
  error: null,
  verified: [],
  alarms: null,
};

/** What the agent must not forget: what it believes, and how far it has come. One file, replaced as a whole. */
export interface CentralMemory {
  readonly trust: TrustState;
  readonly progress: Progress;
}

const MOST_BYTES = 4 * 1024 * 1024;

/** @param onFault is told where the file can't be read: then nothing is known, as at the first start */
export function readMemory(path: string, onFault: (fault: string) => void): CentralMemory {
  const nothing = { trust: NO_TRUST, progress: NO_PROGRESS };
  try {
    const { size } = statSync(path);
    if (size > MOST_BYTES) throw new Error(`it has ${size} bytes`);
    const text = readFileSync(path, 'utf8');
    const { schemaVersion, trust, progress } = JSON.parse(text) as CentralMemory & { schemaVersion: unknown };
    if (schemaVersion !== 1) throw new Error(`it has schema version ${String(schemaVersion)}`);
    return { trust: { ...NO_TRUST, ...trust }, progress: { ...NO_PROGRESS, ...progress } };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return nothing;
    onFault(`${path}: ${error instanceof Error ? error.message : String(error)}`);
    return nothing;
  }
}

export function writeMemory(path: string, memory: CentralMemory): void {
  writeDurably(path, `${JSON.stringify({ schemaVersion: 1, ...memory })}\n`, { mode: 0o600 });
}
