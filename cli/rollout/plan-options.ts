import { parseDurationMs } from '../../agent/units.ts';
import type { ReleaseReference, RolloutMode } from '../../core/protocol/trust.ts';
import {
  DEFAULT_GATE,
  DEFAULT_LIMITS,
  DEFAULT_SHARES,
  DEFAULT_SOAK_MS,
  DEFAULT_VALID_MS,
  planFault,
  type RolloutPlan,
  type Stage,
} from '../../models/rollout/plan.ts';
import { UserError } from '../errors.ts';

export interface PlanOptions {
  readonly label?: readonly string[] | undefined;
  readonly id?: readonly string[] | undefined;
  readonly stages?: string | undefined;
  readonly soak?: string | undefined;
  readonly mode: RolloutMode;
  readonly jitter: string;
  readonly probation?: string | undefined;
  readonly watchdog?: string | undefined;
  readonly timeout?: string | undefined;
  readonly 'shadow-rows'?: number | undefined;
  readonly 'shadow-least-rows'?: number | undefined;
  readonly disagreement?: number | undefined;
  readonly committed?: number | undefined;
  readonly expires?: string | undefined;
}

export interface PlanAbout {
  readonly fleet: string;
  readonly model: string;
  readonly release: ReleaseReference;
  readonly baseline: ReleaseReference | null;
  readonly flagShare: number;
  readonly sites: readonly string[];
  readonly seed: string;
}

const quoted = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);

function duration(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const ms = parseDurationMs(text);
  if (ms === null) throw new UserError(`--${name}: expected a time, e.g. 10m or 6h, found ${quoted(text)}`);
  return Math.round(ms);
}

function percent(name: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  if (value > 0 && value <= 100) return value / 100;
  throw new UserError(`--${name}: expected percent, above 0, up to 100, found ${value}`);
}

/** @throws UserError for an option that is none, or a plan that leads nowhere */
export function planOf(options: PlanOptions, about: PlanAbout): RolloutPlan {
  const soaks = options.soak?.split(',').map((text) => duration('soak', text, 0)) ?? DEFAULT_SOAK_MS;
  const soakAt = (i: number): number => soaks[Math.min(i, soaks.length - 1)] ?? 0;
  const shares = sharesOf(options);
  // In shadow, the first soak time is that of the trial.
  const offset = options.mode === 'shadow' ? 1 : 0;
  const plan: RolloutPlan = {
    schemaVersion: 1,
    fleet: about.fleet,
    model: about.model,
    release: about.release,
    baseline: about.baseline,
    select: { sites: about.sites, labels: labelsOf(options.label ?? []), ids: options.id ?? null },
    seed: about.seed,
    mode: options.mode,
    shadowSoakMs: soakAt(0),
    stages: shares.map((share, i): Stage => ({ share, soakMs: soakAt(i + offset) })),
    jitterMs: duration('jitter', options.jitter, 0),
    validMs: duration('expires', options.expires, DEFAULT_VALID_MS),
    gate: {
      shadowRows: options['shadow-rows'] ?? DEFAULT_GATE.shadowRows,
      probationMs: duration('probation', options.probation, DEFAULT_GATE.probationMs),
      watchdogMs: duration('watchdog', options.watchdog, DEFAULT_GATE.watchdogMs),
      timeoutMs: duration('timeout', options.timeout, DEFAULT_GATE.timeoutMs),
    },
    limits: {
      ...DEFAULT_LIMITS,
      flagShare: about.flagShare,
      committedShare: percent('committed', options.committed, DEFAULT_LIMITS.committedShare),
      disagreementShare: percent('disagreement', options.disagreement, DEFAULT_LIMITS.disagreementShare),
      leastRows: options['shadow-least-rows'] ?? DEFAULT_LIMITS.leastRows,
    },
  };
  const fault = planFault(plan);
  if (fault !== null) throw new UserError(`--${fault}`);
  const { probationMs, timeoutMs } = plan.gate;
  if (timeoutMs <= probationMs + plan.jitterMs) {
    throw new UserError(
      '--timeout: expected more than jitter and probation together: no host could commit in time',
    );
  }
  return plan;
}

function sharesOf({ stages, mode }: PlanOptions): readonly number[] {
  if (stages === undefined) return DEFAULT_SHARES[mode];
  return stages.split(',').map((text) => {
    const value = /^\s*\d+(\.\d+)?\s*%?\s*$/.test(text) ? Number.parseFloat(text) : Number.NaN;
    if (value > 0 && value <= 100) return value / 100;
    throw new UserError(`--stages: expected percent with commas, e.g. 1,10,50,100, found ${quoted(text)}`);
  });
}

function labelsOf(texts: readonly string[]): Record<string, string> {
  const labels = new Map<string, string>();
  for (const text of texts) {
    const at = text.indexOf('=');
    if (at < 1 || at === text.length - 1) {
      throw new UserError(`--label: expected NAME=VALUE, found ${quoted(text)}`);
    }
    const name = text.slice(0, at);
    if (labels.has(name)) throw new UserError(`--label: ${quoted(name)} is there twice; a host has it once`);
    labels.set(name, text.slice(at + 1));
  }
  return Object.fromEntries(labels);
}
