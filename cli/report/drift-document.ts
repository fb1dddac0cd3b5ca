import type { StreamJudgement } from '../../core/drift/decision.ts';
import type { DriftDecision } from '../../core/drift/monitor.ts';
import type { Recording } from '../../models/data/recording.ts';
import type { DriftComparison, FeatureDrift } from '../../models/drift/comparison.ts';
import type { DriftSource } from '../../models/drift/source.ts';

/** All that the report of a comparison, in whichever form, is made of. */
export interface DriftReport {
  readonly reference: {
    readonly kind: 'model' | 'recording';
    /** As a person named it. */
    readonly shown: string;
    /** Hex, of a model's bytes. */
    readonly sha256: string | null;
  };
  readonly source: DriftSource;
  readonly live: Recording;
  readonly comparison: DriftComparison;
  readonly failOn: number | null;
}

const iso = (timeMs: number): string => new Date(timeMs).toISOString();

/** What `--json` prints: one document; docs/DRIFT.md describes it. */
export function driftDocument({ reference, source, live, comparison, failOn }: DriftReport) {
  const { verdict, severity, severityAtMs, provisional, windowMs, undecided, notes, decisions } = comparison;
  const last = decisions.findLast(({ unjudged }) => unjudged === null);
  return {
    schemaVersion: 1,
    reference: {
      ...reference,
      from: iso(source.fromMs),
      to: iso(source.toMs),
      rows: source.rows,
      intervalMs: source.intervalMs,
    },
    live: {
      host: live.host,
      from: iso(live.timesMs[0] as number),
      to: iso(live.timesMs.at(-1) as number),
      rows: live.timesMs.length,
      intervalMs: live.intervalMs,
    },
    verdict,
    severity,
    severityAt: severityAtMs === null ? null : iso(severityAtMs),
    last: last === undefined ? null : { at: iso(last.atMs), phase: last.phase, severity: last.severity },
    provisional,
    windowMs,
    undecided,
    failOn,
    features: comparison.features.map(featureDocument),
    windows: decisions.map((decision) => windowDocument(decision, comparison.features)),
    notes,
  };
}

const featureDocument = ({ farthest, naive, source: _, sorted, ...feature }: FeatureDrift) => ({
  ...feature,
  values: sorted.length,
  naiveP: naive?.p ?? null,
  naiveMethod: naive?.method ?? null,
  farthest:
    farthest === null
      ? null
      : {
          at: iso(farthest.atMs),
          d: farthest.d,
          threshold: farthest.threshold,
          shift: farthest.shift,
          shiftThreshold: farthest.shiftThreshold,
          p: farthest.p,
        },
});

function windowDocument(decision: DriftDecision, features: readonly FeatureDrift[]) {
  const { atMs, phase, severity, kinds, unjudged, faults, retrain, streams } = decision;
  return {
    at: iso(atMs),
    unjudged,
    phase: unjudged === null ? phase : null,
    severity: unjudged === null ? severity : null,
    kinds,
    retrain,
    faults: faults.map(({ fault, stream }) => ({
      fault,
      feature: stream === null ? null : (features[stream]?.name ?? null),
    })),
    features: features.flatMap(({ name }, i) => {
      const judgement = streams[i];
      return judgement === undefined ? [] : [{ name, ...judgementDocument(judgement) }];
    }),
  };
}

/** Not finite: null, as JSON has it. */
const judgementDocument = ({
  d,
  threshold,
  shift,
  shiftThreshold,
  p,
  over,
  direction,
  effect,
  psi,
  unjudged,
}: StreamJudgement) => ({
  d,
  threshold,
  shift,
  shiftThreshold,
  p,
  over,
  direction,
  effect,
  psi,
  unjudged,
});
