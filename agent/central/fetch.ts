import type { SiteTopics } from '../../core/protocol/topics.ts';
import type { ReleaseDocument } from '../../core/protocol/trust.ts';
import { artifactSha256 } from '../../models/artifact.ts';
import type { ModelSlots } from '../../models/slots.ts';
import { TrustError } from '../../models/trust/trust-error.ts';
import { messageOf } from '../delivery.ts';
import type { Subscriptions } from './channel.ts';
import { ChunkFile } from './chunk-file.ts';

/** Chunks asked for at a time: 512 KiB under way at the most. */
const CHUNKS_AT_A_TIME = 8;
/** What was asked for and didn't come is asked for again: the broker may have lost it and been given it anew. */
export const ASK_AGAIN_MS = 60_000;

type Artifact = ReleaseDocument['artifact'];

export interface FetchDependencies {
  readonly topics: SiteTopics;
  readonly model: string;
  readonly subscriptions: Subscriptions;
  readonly slots: ModelSlots;
  readonly chunkPath: string;
  readonly fault: (message: string) => void;
}

/** Subscribing is how something is asked for: first a release document, then its chunks, a few at a time. */
export class Fetch {
  readonly #deps: FetchDependencies;
  readonly #complete: (bytes: Buffer, nowMs: number) => void;
  #releaseTopic: string | null = null;
  #artifact: Artifact | null = null;
  #chunks: ChunkFile | null = null;
  #askedMs = 0;

  /** @param complete gets an artifact whose every chunk was the one that the release names */
  constructor(deps: FetchDependencies, complete: (bytes: Buffer, nowMs: number) => void) {
    this.#deps = deps;
    this.#complete = complete;
  }

  /** Called again and again, it asks again now and then. */
  askForRelease(version: number, nowMs: number): void {
    const { topics, model, subscriptions } = this.#deps;
    this.#releaseTopic = topics.release(model, version);
    if (!subscriptions.has(this.#releaseTopic)) this.#askedMs = nowMs;
    subscriptions.want(this.#releaseTopic);
    this.#again([this.#releaseTopic], nowMs);
  }

  leaveRelease(): void {
    if (this.#releaseTopic !== null) this.#deps.subscriptions.drop(this.#releaseTopic);
    this.#releaseTopic = null;
  }

  begin(artifact: Artifact, nowMs: number): void {
    const { slots, chunkPath, fault } = this.#deps;
    this.leaveRelease();
    // It was tried here before, in another mode or rollout.
    const kept = slots.bytes('candidate');
    if (kept !== null && artifactSha256(kept) === artifact.sha256) {
      this.#complete(kept, nowMs);
      return;
    }
    this.#artifact = artifact;
    this.#askedMs = nowMs;
    try {
      this.#chunks = new ChunkFile(chunkPath, artifact);
    } catch (error) {
      // A full disk: tried again when it is time to ask again.
      fault(messageOf(error));
      return;
    }
    this.#goOn(nowMs);
  }

  /** @throws TrustError for what is no chunk of the release */
  take(sha256: string, index: number, bytes: Uint8Array, nowMs: number): void {
    const chunks = this.#chunks;
    if (chunks === null || this.#artifact?.sha256 !== sha256 || !chunks.missing.includes(index)) return;
    let fits: boolean;
    try {
      fits = chunks.put(index, bytes);
    } catch (error) {
      // A full disk: asked for again later.
      this.#deps.fault(messageOf(error));
      return;
    }
    if (!fits) throw new TrustError('otherChunk', `chunk ${index} is not the one that the release names`);
    this.#deps.subscriptions.drop(this.#deps.topics.chunk(sha256, index));
    this.#goOn(nowMs);
  }

  #goOn(nowMs: number): void {
    const chunks = this.#chunks;
    if (chunks === null) return;
    if (chunks.missing.length > 0) {
      this.#deps.subscriptions.want(...this.#wanted());
      return;
    }
    const bytes = chunks.read();
    this.stop();
    this.#complete(bytes, nowMs);
  }

  #wanted(): string[] {
    const { sha256 } = this.#artifact ?? {};
    if (sha256 === undefined || this.#chunks === null) return [];
    const next = this.#chunks.missing.slice(0, CHUNKS_AT_A_TIME);
    return next.map((i) => this.#deps.topics.chunk(sha256, i));
  }

  /** Chunks that don't come are asked for again. */
  askAgain(nowMs: number): void {
    if (Math.abs(nowMs - this.#askedMs) < ASK_AGAIN_MS) return;
    if (this.#chunks === null && this.#artifact !== null) this.begin(this.#artifact, nowMs);
    else this.#again(this.#wanted(), nowMs);
  }

  #again(topics: readonly string[], nowMs: number): void {
    if (Math.abs(nowMs - this.#askedMs) < ASK_AGAIN_MS) return;
    this.#askedMs = nowMs;
    this.#deps.subscriptions.again(...topics);
  }

  /** Asks for nothing any more, and leaves nothing half done. */
  stop(): void {
    this.leaveRelease();
    this.#deps.subscriptions.drop(...this.#wanted());
    this.#chunks?.remove();
    this.#chunks = null;
    this.#artifact = null;
  }
}
