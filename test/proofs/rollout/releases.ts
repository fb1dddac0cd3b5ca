import type { Model } from '../../../core/model.ts';
import type { ReleaseDocument } from '../../../core/protocol/trust.ts';
import { decodeModel, encodeModel } from '../../../models/artifact.ts';
import { withArray } from '../../support/artifacts.ts';

/** Releases that are signed in order and bad all the same. */
export interface BadRelease {
  readonly name: string;
  readonly model: (good: Model) => Model;
  readonly change: (document: ReleaseDocument) => Partial<ReleaseDocument>;
  /** What the artifact becomes after it was made. */
  readonly bytes?: (artifact: Buffer) => Buffer;
  /** What hosts say of it. */
  readonly code: RegExp;
  /** Good on history, and loud once it alarms. */
  readonly loud?: true;
}

const same = (model: Model): Model => model;
const none = (): Partial<ReleaseDocument> => ({});
const always = { info: 1e-9, warning: 1e-9, critical: 1e-9, provisional: false };

export const BAD_RELEASES: readonly BadRelease[] = [
  {
    name: 'alarms too often on their own history',
    model: (good) => ({ ...good, thresholds: { ...good.thresholds, surprise: always, forest: always } }),
    change: none,
    code: /^worse$/,
  },
  {
    name: 'too slow',
    model: same,
    // No host scores a sample within a nanosecond.
    change: ({ limits }) => ({ limits: { ...limits, scoreMs: 1e-6 } }),
    code: /^worse$/,
  },
  {
    name: 'of another schema',
    model: (good) => ({
      ...good,
      schema: good.schema.map((metric, i) => (i === 0 ? { ...metric, name: 'temperature' } : metric)),
    }),
    change: none,
    code: /^schema$/,
  },
  {
    name: 'NaN among its numbers, so that scores would be none',
    model: same,
    change: none,
    bytes: (artifact) => withArray(artifact, 'moments', (view) => view.setFloat64(0, Number.NaN, true)),
    code: /^format$/,
  },
  {
    name: 'the same score for everything',
    model: (good) => {
      const copy = decodeModel(encodeModel(good));
      if (copy.detector !== 'metric-forests') throw new Error('another detector');
      copy.features.moments.fill(1e300);
      return copy;
    },
    change: none,
    code: /^worse$/,
  },
  { name: 'alarms too often once it watches', model: same, change: none, code: /^$/, loud: true },
];
