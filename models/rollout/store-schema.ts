import type { Layout } from '../registry/index-schema.ts';
import type { Progress, RolloutPlan } from './plan.ts';

/**
 * Rollouts of a registry, in `rollouts.db` beside its index: the index stays as older versions know it.
 * - documents and decisions are never changed, which the triggers see to; a document's version is above all before.
 * - a document is here, on disk, before any host can have it: after a crash in between it is published again.
 */
export const LAYOUT: Layout = {
  applicationId: 0x4544474f /* EDGO */,
  version: 1,
  schema: `
  CREATE TABLE rollouts (
    id INTEGER PRIMARY KEY, model TEXT NOT NULL, plan TEXT NOT NULL, release TEXT NOT NULL, progress TEXT NOT NULL
  ) STRICT;
  CREATE TABLE documents (
    model TEXT NOT NULL, version INTEGER NOT NULL CHECK (version > 0), rollout INTEGER REFERENCES rollouts (id),
    sha256 TEXT NOT NULL, envelope TEXT NOT NULL, PRIMARY KEY (model, version)
  ) STRICT;
  CREATE TABLE sites (model TEXT NOT NULL, site TEXT NOT NULL, PRIMARY KEY (model, site)) STRICT;
  CREATE TABLE hosts (site TEXT NOT NULL, host_id TEXT NOT NULL, PRIMARY KEY (site, host_id)) STRICT;
  CREATE TABLE decisions (
    id INTEGER PRIMARY KEY, time TEXT NOT NULL, actor TEXT NOT NULL, model TEXT NOT NULL,
    rollout INTEGER REFERENCES rollouts (id), action TEXT NOT NULL, version INTEGER, why TEXT, figures TEXT
  ) STRICT;
  CREATE TRIGGER versions_rise BEFORE INSERT ON documents
    WHEN NEW.version <= (SELECT max(version) FROM documents WHERE model = NEW.model)
    BEGIN SELECT RAISE(ABORT, 'versions only go up'); END;
  CREATE TRIGGER documents_stay BEFORE UPDATE ON documents BEGIN SELECT RAISE(ABORT, 'documents are immutable'); END;
  CREATE TRIGGER documents_last BEFORE DELETE ON documents BEGIN SELECT RAISE(ABORT, 'documents are immutable'); END;
  CREATE TRIGGER decisions_stay BEFORE UPDATE ON decisions BEGIN SELECT RAISE(ABORT, 'the log is immutable'); END;
  CREATE TRIGGER decisions_last BEFORE DELETE ON decisions BEGIN SELECT RAISE(ABORT, 'the log is immutable'); END;
`,
};

export interface StoredRollout {
  readonly id: number;
  readonly model: string;
  readonly plan: RolloutPlan;
  /** Envelope of the release. */
  readonly release: string;
  readonly progress: Progress;
}

export interface StoredDocument {
  readonly version: number;
  /** Hex, of the payload. */
  readonly sha256: string;
  readonly envelope: string;
}

export type RolloutAction =
  | 'start'
  | 'advance'
  | 'complete'
  | 'pause'
  | 'resume'
  | 'abort'
  | 'renew'
  /** What lay at the broker with a higher version than any here. */
  | 'adopt';

export interface LoggedDecision {
  readonly time: string;
  readonly actor: string;
  readonly model: string;
  readonly action: RolloutAction;
  /** Of the document that was issued for it; null: none was. */
  readonly version: number | null;
  readonly why: string | null;
  /** JSON; null: nothing was judged. */
  readonly figures: string | null;
}

export interface Change {
  readonly action: RolloutAction;
  readonly why: string | null;
  readonly figures: unknown;
}
