import type { ModelRecord } from '../record.ts';

export interface AliasTarget {
  readonly alias: string;
  readonly version: number;
}

export interface ListedModel {
  readonly name: string;
  /** Oldest first. */
  readonly versions: readonly ModelRecord[];
  readonly aliases: readonly AliasTarget[];
}

export interface FoundModel {
  readonly record: ModelRecord;
  /** All that point to this version. */
  readonly aliases: readonly string[];
}

/** What an alias pointed to before and after; null: nowhere. */
export interface AliasChange {
  readonly name: string;
  readonly alias: string;
  readonly from: number | null;
  readonly to: number | null;
}

export type AuditAction = 'register' | 'alias' | 'remove-alias' | 'rollback' | ReleaseAction;
/** What becomes of the release of a version. */
export type ReleaseAction = 'release' | 'sign-release' | 'publish-release';

export interface AuditEntry {
  /** ISO 8601. */
  readonly time: string;
  readonly actor: string;
  readonly action: AuditAction;
  readonly name: string;
  readonly version: number | null;
  readonly alias: string | null;
  readonly from: number | null;
  readonly to: number | null;
  readonly why: string | null;
}
