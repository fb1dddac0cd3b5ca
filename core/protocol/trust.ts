/**
 * The signed documents, after The Update Framework (https://theupdateframework.github.io/specification/): what they
 * hold. How they are signed and checked is in `models/trust/`, why it is so in docs/MODEL_DISTRIBUTION.md.
 */

export const COMMANDS = ['send-samples', 'snooze', 'verdict', 'self-test'] as const;
export type CommandName = (typeof COMMANDS)[number];

/** Roles that one root hands out. `renewal` may re-issue a rollout with a later expiry, and nothing else. */
export const ROLES = ['root', 'release', 'rollout', 'renewal', ...COMMANDS] as const;
export type RoleName = (typeof ROLES)[number];

export const TRUST_TYPES = ['root', 'release', 'rollout', 'command'] as const;
export type TrustType = (typeof TRUST_TYPES)[number];

/** DSSE's payload type: it is signed with the payload, so that one kind is never read as another. */
export const payloadType = (type: TrustType): string => `application/vnd.edgewood.${type}+json`;

interface Signed<T extends TrustType> {
  readonly type: T;
  readonly schemaVersion: 1;
  /** Which fleet it is for: another one's documents are refused, whoever signed them. */
  readonly fleet: string;
  readonly issuedAt: string;
  readonly expiresAt: string;
}

export interface Role {
  /** So many of the keys have to sign. */
  readonly threshold: number;
  readonly keys: readonly string[];
}

/** Who may sign what. */
export interface RootDocument extends Signed<'root'> {
  readonly version: number;
  /** By key id: hex SHA-256 of the key as SubjectPublicKeyInfo (DER). */
  readonly keys: Readonly<
    Record<string, { readonly name: string /** Base64 of 32 bytes. */; readonly ed25519: string }>
  >;
  readonly roles: Readonly<Record<RoleName, Role>>;
  /** Digests of artifacts that no host may run. */
  readonly revoked: readonly string[];
}

/** A sample, and what the model must make of it, bit for bit. */
export interface GoldenRow {
  /** In the order of `metrics`; null: missing. */
  readonly values: readonly (number | null)[];
  readonly score: number | null;
}

/** An immutable version of a model. */
export interface ReleaseDocument extends Signed<'release'> {
  readonly model: string;
  readonly version: number;
  readonly artifact: {
    /** Hex, of all its bytes. */
    readonly sha256: string;
    readonly bytes: number;
    readonly format: number;
    readonly chunkBytes: number;
    /** Hex SHA-256 of each chunk. */
    readonly chunks: readonly string[];
  };
  /** A host with an older agent does not take it. */
  readonly minimumAgent: string;
  readonly metrics: readonly string[];
  readonly schemaHash: string;
  readonly intervalMs: number;
  /** One stream from a fresh start on. */
  readonly golden: readonly GoldenRow[];
  readonly limits: ReleaseLimits;
  readonly provenance: {
    readonly trainedFrom: string;
    readonly trainedTo: string;
    readonly rows: number;
    readonly seed: number;
    readonly dataSha256: string;
    readonly toolVersion: string;
  };
}

export interface ReleaseLimits {
  /** Median time to score a sample. */
  readonly scoreMs: number;
  /** Resident memory that loading it may add. */
  readonly memoryBytes: number;
  /** Share of a host's own history that it may flag, where the model before flags less than half of that. */
  readonly flagShare: number;
}

export interface ReleaseReference {
  readonly version: number;
  /** Hex SHA-256 of the release document's payload. */
  readonly sha256: string;
  readonly artifactSha256: string;
}

/** `aborted`: every host goes back to the baseline. `paused`: no host begins anything. */
export const ROLLOUT_STATES = ['active', 'paused', 'aborted'] as const;
export type RolloutState = (typeof ROLLOUT_STATES)[number];
/** `shadow`: the release is scored on, and never alarms. */
export const ROLLOUT_MODES = ['shadow', 'apply'] as const;
export type RolloutMode = (typeof ROLLOUT_MODES)[number];

/** What every host of the fleet shall run: one document a model. */
export interface RolloutDocument extends Signed<'rollout'> {
  readonly model: string;
  /** Only goes up. */
  readonly version: number;
  readonly release: ReleaseReference;
  /** For selected hosts outside the cohort, and for all when it is aborted; null: what each host learned itself. */
  readonly baseline: ReleaseReference | null;
  readonly select: Selector;
  readonly cohort: {
    readonly seed: string /** Share of the selected hosts, 0 to 1. */;
    readonly fraction: number;
  };
  readonly state: RolloutState;
  readonly mode: RolloutMode;
  /** Hosts begin at a moment of their own within this time. */
  readonly jitterMs: number;
  readonly gate: RolloutGate;
  /** null, but in what a renewal key has signed. */
  readonly renews: RenewedRollout | null;
}

/**
 * What a rollout key has signed before: the same document under these dates. A renewal carries it along, so that it is
 * as good for a host that never saw the document before.
 */
export interface RenewedRollout {
  readonly version: number;
  readonly issuedAt: string;
  readonly expiresAt: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

/** Each null selects all. */
export interface Selector {
  readonly sites: readonly string[] | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly ids: readonly string[] | null;
}

export interface RolloutGate {
  /** Stored rows that a release is tried on before it goes live; a host with less history tries it on what there is. */
  readonly shadowRows: number;
  /** Both models run so long before the new one alarms. */
  readonly probationMs: number;
  /** So long after the switch the model before runs beside it, and takes over again where the new one alarms too often. */
  readonly watchdogMs: number;
  /** A host that has not committed by then gives up. */
  readonly timeoutMs: number;
}

/** To one host, once. */
export interface CommandDocument extends Signed<'command'> {
  readonly site: string;
  readonly hostId: string;
  readonly commandId: string;
  readonly name: CommandName;
  readonly arguments: Readonly<Record<string, unknown>>;
}

export interface DocumentByType {
  readonly root: RootDocument;
  readonly release: ReleaseDocument;
  readonly rollout: RolloutDocument;
  readonly command: CommandDocument;
}

export const CHUNK_BYTES = 64 * 1024;
/** Of an envelope in UTF-8: `ids` of a rollout, golden rows and chunk digests all fit. */
export const MAX_ENVELOPE_BYTES = 192 * 1024;
/** Of a payload in an envelope. */
export const MAX_PAYLOAD_BYTES = 128 * 1024;
export const MAX_SIGNATURES = 16;
/** Of any role: the next root carries the signatures of the old keys and of the new ones. */
export const MAX_THRESHOLD = MAX_SIGNATURES / 2;
export const MAX_COMMAND_MS = 3_600_000;
