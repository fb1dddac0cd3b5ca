import {
  type CommandDocument,
  MAX_COMMAND_MS,
  type ReleaseDocument,
  type ReleaseReference,
  type Role,
  type RoleName,
  type RolloutDocument,
} from '../../core/protocol/trust.ts';
import { documentOf, openEnvelope, requireSignatures, requireType, type Sealed } from './envelope.ts';
import { nextRoot, pinnedRoot, selfSignedRoot, type TrustedRoot } from './root.ts';
import { TrustError } from './trust-error.ts';
import { afterRoot, requireNotReplaced, vouchedRollout } from './vouching.ts';

/** What has to survive: JSON, stored before anything that it allows is done. */
export interface TrustState {
  /** Envelope of the newest root that was accepted. */
  readonly root: string | null;
  readonly timeFloorMs: number;
  /** By model. */
  readonly rollouts: Readonly<Record<string, SeenRollout>>;
  /** Payload digest by `model@version`: a version is only ever one thing. The newest few hundred. */
  readonly releases: Readonly<Record<string, string>>;
  /** Digests of artifacts that this host refused or rolled back. The newest few hundred. */
  readonly quarantine: readonly string[];
  /** Commands that were carried out, until they would be expired anyhow. */
  readonly commands: readonly { readonly id: string; readonly untilMs: number }[];
}

interface SeenRollout {
  readonly version: number;
  readonly sha256: string;
  /** The envelope: it is what this host does until it hears otherwise. */
  readonly envelope: string;
}

export const NO_TRUST: TrustState = {
  root: null,
  timeFloorMs: 0,
  rollouts: {},
  releases: {},
  quarantine: [],
  commands: [],
};

const MOST_RELEASES = 256;
const MOST_QUARANTINED = 256;
const MOST_COMMANDS = 512;

export interface Accepted<T> {
  readonly document: T;
  readonly sha256: string;
  /** false: it was known already. */
  readonly isNew: boolean;
}

/**
 * What one host, or one tool, believes. Every method throws TrustError for what it doesn't, with nothing changed.
 * No I/O and no clock: times are handed in, and `state` is for the caller to store.
 */
export class Trust {
  #root: TrustedRoot;
  #state: TrustState;

  /**
   * @param installed version 1 of the root (or whichever the installation came with), held against its `pin`
   * @throws TrustError where that is another than it says
   */
  constructor(installed: Uint8Array, pin: string, state: TrustState = NO_TRUST) {
    this.#root = pinnedRoot(installed, pin);
    this.#state = state;
    if (state.root === null) return;
    const kept = selfSignedRoot(Buffer.from(state.root));
    if (kept.document.fleet !== this.root.fleet) {
      this.#state = NO_TRUST;
    } else if (kept.document.version > this.root.version) {
      this.#root = kept;
    } else if (kept.sha256 !== this.rootSha256) {
      // The installation came with a newer root, which wins.
      this.#state = { ...afterRoot(state, kept.document, this.root), root: null };
    }
  }

  get state(): TrustState {
    return this.#state;
  }

  get root(): TrustedRoot['document'] {
    return this.#root.document;
  }

  get rootSha256(): string {
    return this.#root.sha256;
  }

  /** The later of the clock and of all that is known to have been: a clock set back revives nothing. */
  now(clockMs: number): number {
    return Math.max(clockMs, this.#state.timeFloorMs);
  }

  /** @returns whether it is newer than the one that was trusted */
  acceptRoot(bytes: Uint8Array): boolean {
    const next = nextRoot(this.#root, bytes);
    if (next === null) return false;
    const state = afterRoot(this.#state, this.root, next.document);
    this.#state = { ...state, root: Buffer.from(bytes).toString('utf8') };
    this.#root = next;
    return true;
  }

  acceptRollout(bytes: Uint8Array, model: string, clockMs: number): Accepted<RolloutDocument> {
    const sealed = this.#opened(bytes, 'rollout', clockMs);
    const { document, by } = vouchedRollout(sealed, this.root);
    this.#requireFleet(document);
    if (document.model !== model) {
      throw new TrustError('otherModel', `a rollout of ${document.model}, this is the topic of ${model}`);
    }
    const seen = this.#state.rollouts[model];
    if (seen !== undefined && document.version < seen.version) {
      throw new TrustError('older', `rollout ${document.version}; version ${seen.version} was seen`);
    }
    if (seen !== undefined && document.version === seen.version) {
      if (sealed.sha256 === seen.sha256) return { document, sha256: sealed.sha256, isNew: false };
      throw new TrustError(
        'sameVersionOtherDigest',
        `another rollout of version ${document.version} was seen`,
      );
    }
    this.requireValid(document, 'rollout', clockMs);
    const before = seen === undefined ? null : openEnvelope(Buffer.from(seen.envelope));
    if (by === 'renewal') requireNotReplaced(sealed, document, before);
    const entry = {
      version: document.version,
      sha256: sealed.sha256,
      envelope: Buffer.from(bytes).toString('utf8'),
    };
    this.#state = { ...this.#state, rollouts: { ...this.#state.rollouts, [model]: entry } };
    this.#passed(by === 'rollout' ? document : null, clockMs);
    return { document, sha256: sealed.sha256, isNew: true };
  }

  /** The rollout that holds for this model, as it was accepted; null: none was. */
  rollout(model: string): Accepted<RolloutDocument> | null {
    const seen = this.#state.rollouts[model];
    if (seen === undefined) return null;
    const sealed = openEnvelope(Buffer.from(seen.envelope));
    return { document: documentOf(sealed, 'rollout'), sha256: sealed.sha256, isNew: false };
  }

  /** @param wanted what a rollout named: a release is good only by its digest */
  acceptRelease(
    bytes: Uint8Array,
    model: string,
    wanted: ReleaseReference,
    clockMs: number,
  ): Accepted<ReleaseDocument> {
    const sealed = this.#opened(bytes, 'release', clockMs);
    requireSignatures(sealed, 'release', this.#role('release'), this.root.keys);
    const document = documentOf(sealed, 'release');
    this.#requireFleet(document);
    const { version, artifact } = document;
    if (document.model !== model || version !== wanted.version) {
      throw new TrustError(
        'otherModel',
        `release ${document.model}@${version}, asked for was ${model}@${wanted.version}`,
      );
    }
    const name = `${model}@${version}`;
    const known = this.#state.releases[name];
    if (known !== undefined && known !== sealed.sha256) {
      throw new TrustError('sameVersionOtherDigest', `another release of ${name} was seen`);
    }
    if (sealed.sha256 !== wanted.sha256 || artifact.sha256 !== wanted.artifactSha256) {
      throw new TrustError('otherRelease', `${name} is another release than the rollout names`);
    }
    const expected = Math.ceil(artifact.bytes / artifact.chunkBytes);
    if (artifact.chunks.length !== expected) {
      throw new TrustError(
        'notADocument',
        `${artifact.chunks.length} chunks for ${artifact.bytes} bytes, expected ${expected}`,
      );
    }
    this.requireValid(document, 'release', clockMs);
    this.requireAllowed(artifact.sha256);
    if (known === undefined) {
      this.#state = { ...this.#state, releases: newest({ ...this.#state.releases, [name]: sealed.sha256 }) };
    }
    this.#passed(document, clockMs);
    return { document, sha256: sealed.sha256, isNew: known === undefined };
  }

  /** @throws TrustError for an artifact that the root revoked, or this host has refused before */
  requireAllowed(artifactSha256: string): void {
    this.requireNotRevoked(artifactSha256);
    if (this.#state.quarantine.includes(artifactSha256)) {
      throw new TrustError('quarantined', 'this host has refused this release before');
    }
  }

  /** @throws TrustError */
  requireNotRevoked(artifactSha256: string): void {
    if (this.root.revoked.includes(artifactSha256))
      throw new TrustError('revoked', 'the root has revoked this release');
  }

  acceptCommand(
    bytes: Uint8Array,
    to: { readonly site: string; readonly hostId: string; readonly name: string },
    clockMs: number,
  ): CommandDocument {
    const sealed = this.#opened(bytes, 'command', clockMs);
    const role = Object.hasOwn(this.root.roles, to.name) ? (to.name as RoleName) : null;
    if (role === null) throw new TrustError('unknownCommand', 'nobody may give such a command');
    requireSignatures(sealed, `command ${to.name}`, this.#role(role), this.root.keys);
    const document = documentOf(sealed, 'command');
    this.#requireFleet(document);
    if (document.name !== to.name) {
      throw new TrustError('unknownCommand', `the command ${document.name} on the topic of ${to.name}`);
    }
    if (document.site !== to.site || document.hostId !== to.hostId) {
      throw new TrustError('otherHost', `a command to ${document.hostId} in ${document.site}`);
    }
    const issuedMs = Date.parse(document.issuedAt);
    const untilMs = Date.parse(document.expiresAt);
    if (untilMs - issuedMs > MAX_COMMAND_MS) {
      throw new TrustError('expired', 'a command that is valid for more than an hour');
    }
    this.requireValid(document, 'command', clockMs);
    // A command dated ahead would outlive the memory of it.
    if (issuedMs > this.now(clockMs) + MAX_COMMAND_MS)
      throw new TrustError('expired', 'a command from the future');
    const { commands } = this.#state;
    if (commands.some(({ id }) => id === document.commandId)) {
      throw new TrustError('replayed', `the command ${document.commandId} was carried out before`);
    }
    const open = commands.filter((one) => one.untilMs > this.now(clockMs));
    // Forgetting one would make it good again: rather none is taken until some have expired.
    if (open.length >= MOST_COMMANDS) throw new TrustError('replayed', 'too many commands within an hour');
    this.#state = { ...this.#state, commands: [...open, { id: document.commandId, untilMs }] };
    this.#passed(null, clockMs);
    return document;
  }

  /** This artifact is never installed again on this host. */
  quarantine(artifactSha256: string): void {
    const others = this.#state.quarantine.filter((one) => one !== artifactSha256);
    this.#state = { ...this.#state, quarantine: [...others, artifactSha256].slice(-MOST_QUARANTINED) };
  }

  #opened(bytes: Uint8Array, type: 'rollout' | 'release' | 'command', clockMs: number): Sealed {
    const sealed = openEnvelope(bytes);
    requireType(sealed, type);
    if (Date.parse(this.root.expiresAt) <= this.now(clockMs)) {
      throw new TrustError(
        'rootExpired',
        `root ${this.root.version} expired at ${this.root.expiresAt}; nothing new is taken`,
      );
    }
    return sealed;
  }

  #role(name: RoleName): Role {
    const role = this.root.roles[name];
    if (role.keys.length > 0) return role;
    throw new TrustError('tooFewSignatures', `the root lets nobody sign a ${name}`);
  }

  #requireFleet({ fleet }: { readonly fleet: string }): void {
    if (fleet === this.root.fleet) return;
    throw new TrustError('otherFleet', `a document of fleet ${fleet}, this is ${this.root.fleet}`);
  }

  /** Expiry stops installing, never scoring. @throws TrustError */
  requireValid({ expiresAt }: { readonly expiresAt: string }, what: string, clockMs: number): void {
    if (Date.parse(expiresAt) > this.now(clockMs)) return;
    throw new TrustError('expired', `the ${what} expired at ${expiresAt}`);
  }

  /**
   * Its time has been: later documents are never judged by an earlier one.
   * @param document null where its keys are not to be believed as to what time it is: those of renewals and commands
   * are at hand on a machine in the network, and what they date ahead would expire everything else
   */
  #passed(document: { readonly issuedAt: string } | null, clockMs: number): void {
    const issuedMs = document === null ? 0 : Date.parse(document.issuedAt);
    const timeFloorMs = Math.max(this.#state.timeFloorMs, issuedMs, clockMs);
    this.#state = { ...this.#state, timeFloorMs };
  }
}

/** Insertion order is age. */
function newest(releases: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(releases).slice(-MOST_RELEASES));
}
