import type { Budget } from '../../core/model.ts';
import type { InstallState } from '../../core/protocol/install-states.ts';
import type { ReleaseData } from '../../core/protocol/release-event.ts';
import type { ReportedDocument } from '../../core/protocol/reported.ts';
import { agentTopics, parseTopic, type SiteTopics, siteTopics } from '../../core/protocol/topics.ts';
import type { ReleaseReference, RolloutDocument } from '../../core/protocol/trust.ts';
import type { Sample } from '../../core/sample.ts';
import type { Judgement, Watcher } from '../../core/watcher.ts';
import { cohortPosition, desiredOf } from '../../models/rollout/desired.ts';
import type { LoadedModel, ModelSlots } from '../../models/slots.ts';
import type { Accepted, Trust } from '../../models/trust/trust.ts';
import { type Refusal, TrustError } from '../../models/trust/trust-error.ts';
import type { BackgroundDependencies } from '../background.ts';
import { messageOf } from '../delivery.ts';
import type { Log } from '../log.ts';
import type { ShadowHost } from '../shadow-replay.ts';
import { type Channel, type ControlListener, Subscriptions } from './channel.ts';
import { Installation } from './installation.ts';
import type { CentralMemory, Progress } from './progress.ts';
import { reportedDocument, seen } from './reported.ts';

/** `reported` is published at each change of state, and else no more often than this. */
const REPORT_MS = 60_000;
/** A refusal may quote what was refused, which may be as long as an envelope. */
const MOST_WORDS = 300;

export interface CentralDependencies extends BackgroundDependencies {
  readonly model: string;
  readonly site: string;
  readonly hostId: string;
  readonly bootId: string;
  readonly version: string;
  readonly trust: Trust;
  readonly memory: CentralMemory;
  /** Durable when it returns. @throws NodeJS.ErrnoException */
  readonly store: (memory: CentralMemory) => void;
  readonly chunkPath: string;
  readonly slots: ModelSlots;
  readonly nowMs: () => number;
  readonly log: Log;
  readonly host: ShadowHost;
  readonly budget: () => Budget;
  readonly labels: () => Readonly<Record<string, string>>;
  readonly loaded: () => LoadedModel | null;
  readonly residentBytes: () => number;
  readonly adopt: (loaded: LoadedModel | null, warm: Watcher | null) => Watcher | null;
  /** A state that is an event: the release is in, or out. */
  readonly told: (about: Omit<ReleaseData, 'schemaVersion' | 'sequence' | 'host' | 'sentence'>) => void;
  readonly command: (document: ReturnType<Trust['acceptCommand']>) => Promise<CommandAnswer>;
}

export interface CommandAnswer {
  readonly parts: readonly unknown[];
}

/** Listens to the centre: believes only what is signed, and makes this host what the rollout asks for. */
export class Central implements ControlListener {
  readonly #deps: CentralDependencies;
  readonly #topics: SiteTopics;
  readonly #subscriptions = new Subscriptions();
  readonly #installation: Installation;
  readonly #refused: Record<string, number> = {};
  #progress: Progress;
  #rollout: Accepted<RolloutDocument> | null = null;
  #reportedMs = Number.NEGATIVE_INFINITY;
  #reportDueMs = Number.POSITIVE_INFINITY;
  /** Digest of the model that was told of last; undefined: nothing was. */
  #toldRunning: string | null | undefined = undefined;
  #changed = true;

  constructor(deps: CentralDependencies) {
    this.#deps = deps;
    this.#topics = siteTopics(deps.site);
    this.#progress = deps.memory.progress;
    this.#installation = new Installation({
      ...deps,
      topics: this.#topics,
      subscriptions: this.#subscriptions,
      agentVersion: deps.version,
      gate: () => this.#rollout?.document.gate ?? null,
      progress: () => this.#progress,
      isValid: (nowMs) => this.#isValid(nowMs),
      save: (change) => this.#save({ ...this.#progress, ...change }),
      reach: (state, nowMs, change) => this.#reach(state, nowMs, change),
      refused: (refusal, message) => this.#refuse(refusal, message),
      fault: (message) => deps.log('error', 'central.fault', { error: message }),
    });
  }

  /** Whether a model in a central slot may watch this host. */
  mayRun(sha256: string): boolean {
    return this.#installation.mayRun(sha256);
  }

  /** The model that watches is loaded: goes on where the last process stopped. */
  start(): void {
    const { trust, model, nowMs } = this.#deps;
    this.#rollout = trust.rollout(model);
    this.#subscriptions.want(this.#topics.rollout(model), this.#topics.root(trust.root.version + 1));
    this.#installation.resume(nowMs());
    this.#converge(nowMs());
  }

  /** Nothing goes on in the background. */
  stop(): void {
    this.#installation.stop();
  }

  // The connection.

  ready(channel: Channel): void {
    this.#subscriptions.connected(channel);
    this.#report();
  }

  lost(): void {
    this.#subscriptions.lost();
  }

  document(topic: string, payload: Buffer): void {
    const parsed = parseTopic(topic);
    // Whoever empties what is retained takes nothing away from a host that has it.
    if (payload.length === 0) {
      this.#refuse('notAnEnvelope', `nothing is retained on ${topic}`);
      return;
    }
    const nowMs = this.#deps.nowMs();
    this.#believing(() => {
      if (parsed?.kind === 'root') this.#onRoot(payload, nowMs);
      else if (parsed?.kind === 'rollout') this.#onRollout(payload, nowMs);
      else if (parsed?.kind === 'release') this.#installation.onRelease(payload, parsed.version, nowMs);
      else if (parsed?.kind === 'chunk')
        this.#installation.onChunk(parsed.sha256, parsed.index, payload, nowMs);
    });
  }

  command(name: string, payload: Buffer): void {
    const { trust, site, hostId, nowMs, command } = this.#deps;
    this.#believing(() => {
      const document = trust.acceptCommand(payload, { site, hostId, name }, nowMs());
      // Remembered before it is carried out: a crash in between may lose it, and never does it twice.
      const kept = this.#save(this.#progress);
      this.#deps.log('info', 'central.command', { name, id: document.commandId });
      const done = kept
        ? command(document)
        : Promise.reject(new Error('it can’t be remembered: the disk is full'));
      void this.#answer(document.commandId, done);
    });
  }

  async #answer(commandId: string, work: Promise<CommandAnswer>): Promise<void> {
    const { site, hostId } = this.#deps;
    const topic = agentTopics(site, hostId).reply(commandId);
    const say = (about: object): Promise<boolean> =>
      this.#subscriptions.channel?.publish(
        topic,
        JSON.stringify({ schemaVersion: 1, commandId, hostId, ...about }),
        false,
      ) ?? Promise.resolve(false);
    try {
      const { parts } = await work;
      for (const [part, result] of parts.entries()) {
        await say({ ok: true, error: null, part, parts: parts.length, result });
      }
    } catch (error) {
      await say({
        ok: false,
        error: { code: 'failed', message: messageOf(error) },
        part: 0,
        parts: 1,
        result: null,
      });
    }
  }

  /** What isn't believed is counted and said, and changes nothing. */
  #believing(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof TrustError)) throw error;
      this.#refuse(error.refusal, error.message);
    }
  }

  #refuse(refusal: Refusal, message: string): void {
    const count = (this.#refused[refusal] ?? 0) + 1;
    this.#refused[refusal] = count;
    this.#changed = true;
    // One line a reason and power of two: hostile input can't fill a log.
    if (Number.isInteger(Math.log2(count))) {
      const error = message.length > MOST_WORDS ? `${message.slice(0, MOST_WORDS)}…` : message;
      this.#deps.log('warning', 'central.refused', { reason: refusal, count, error });
    }
  }

  #onRoot(bytes: Buffer, nowMs: number): void {
    const { trust, log } = this.#deps;
    const before = trust.root.version;
    if (!trust.acceptRoot(bytes)) return;
    this.#save(this.#progress);
    const { version } = trust.root;
    log('info', 'central.root', { version, before });
    this.#subscriptions.drop(this.#topics.root(version));
    this.#subscriptions.want(this.#topics.root(version + 1));
    // What was turned away under the old root may be good under this one.
    this.#subscriptions.again(this.#topics.rollout(this.#deps.model));
    this.#changed = true;
    this.#converge(nowMs);
  }

  #onRollout(bytes: Buffer, nowMs: number): void {
    const { trust, model, log } = this.#deps;
    const accepted = trust.acceptRollout(bytes, model, nowMs);
    if (!accepted.isNew) return;
    const same = this.#rollout?.document.release.sha256 === accepted.document.release.sha256;
    this.#rollout = accepted;
    const { version, state, mode } = accepted.document;
    const alarms = same ? this.#progress.alarms : { sinceMs: nowMs, opened: 0 };
    this.#save({ ...this.#progress, alarms });
    log('info', 'central.rollout', { model, version, state, mode });
    this.#changed = true;
    // Told soon, and not by the whole fleet at once.
    const { jitterMs } = accepted.document;
    this.#reportDueMs = nowMs + Math.min(REPORT_MS, jitterMs) * this.#moment;
    this.#converge(nowMs);
  }

  // What is asked for, and what is.

  get #desired(): ReturnType<typeof desiredOf> {
    const { site, hostId, labels } = this.#deps;
    if (this.#rollout === null) return { kind: 'none' };
    return desiredOf(this.#rollout.document, { site, hostId, labels: labels() });
  }

  #converge(nowMs: number): void {
    const { loaded, trust } = this.#deps;
    const running = loaded();
    if (running?.slot === 'central' && !this.mayRun(running.sha256)) {
      const revoked = trust.root.revoked.includes(running.sha256);
      const message = revoked ? 'the root has revoked this release' : 'nobody vouches for it any more';
      this.#installation.takeBack({ code: 'revoked', message }, nowMs, false);
    }
    const desired = this.#desired;
    if (desired.kind === 'none') return;
    if (desired.kind === 'baseline') this.#toBaseline(desired.release, nowMs);
    else this.#install(desired.release, desired.kind, nowMs);
  }

  #toBaseline(release: ReleaseReference | null, nowMs: number): void {
    const { loaded, slots } = this.#deps;
    const running = loaded();
    const central = running?.slot === 'central' ? running.sha256 : null;
    if (central === (release?.artifactSha256 ?? null)) {
      this.#stopTrying(nowMs, release);
      return;
    }
    if (
      release === null ||
      (slots.digest('central-previous') === release.artifactSha256 && this.mayRun(release.artifactSha256))
    ) {
      // What was once committed may always be gone back to; without a baseline, to what the host learned itself.
      if (release === null) slots.discard('central-previous');
      const message = `rollout ${this.#rollout?.document.version} asks for the release before`;
      this.#installation.takeBack({ code: 'asked', message }, nowMs, false);
    } else this.#install(release, 'release', nowMs);
  }

  /** It already runs what it shall: whatever else is under way ends here. */
  #stopTrying(nowMs: number, release: ReleaseReference | null): void {
    const about = this.#progress.release;
    if (!this.#installation.underWay || about?.sha256 === release?.sha256) return;
    this.#installation.cancel();
    const aborted = this.#rollout?.document.state === 'aborted';
    const error = {
      code: 'asked',
      message: `rollout ${this.#rollout?.document.version} asks for it no more`,
    };
    this.#reach(aborted ? 'rolled_back' : 'none', nowMs, { error });
  }

  #install(release: ReleaseReference, kind: 'release' | 'trial', nowMs: number): void {
    const running = this.#deps.loaded();
    const runs = running?.slot === 'central' && running.sha256 === release.artifactSha256;
    if (runs && this.#progress.state === 'committed' && this.#installation.isAbout(release, 'release'))
      return;
    if (runs) {
      this.#installation.cancel();
      this.#reach('committed', nowMs, { release, kind: 'release', error: null });
      return;
    }
    if (this.#installation.isAbout(release, kind) && !this.#mayTryAgain()) return;
    try {
      this.#deps.trust.requireAllowed(release.artifactSha256);
    } catch (error) {
      // It was found bad here, under this rollout or an earlier one: that stays said.
      if (this.#installation.isAbout(release, kind)) return;
      const { refusal, message } = error as TrustError;
      this.#installation.cancel();
      this.#reach('rejected', nowMs, { release, kind, error: { code: refusal, message } });
      return;
    }
    this.#installation.begin(release, kind, nowMs, nowMs + this.#jitterMs());
  }

  /** What was given up, or taken back because it was asked for, is tried again under a newer rollout. */
  #mayTryAgain(): boolean {
    const { state, rollout } = this.#progress;
    if (this.#installation.underWay || state === 'rejected') return false;
    return rollout !== this.#rollout?.document.version;
  }

  #reach(state: InstallState, nowMs: number, change: Partial<Progress>): void {
    const rollout = this.#rollout?.document.version ?? 0;
    this.#save({ ...this.#progress, ...change, state, sinceMs: nowMs, rollout });
    this.#reached(state);
  }

  /** This host's own share of a time, 0 to below 1: the same at every restart, and another for every rollout. */
  get #moment(): number {
    return cohortPosition(`jitter ${this.#rollout?.sha256}`, this.#deps.hostId);
  }

  #jitterMs(): number {
    return Math.floor((this.#rollout?.document.jitterMs ?? 0) * this.#moment);
  }

  // The loop.

  /** A sample was judged. @param watching by the model that alarms; null: there is none */
  judged(sample: Sample, gate: 'open' | 'maintenance', watching: Judgement | null): void {
    this.#installation.judged(sample, gate, watching);
    if (watching?.transition?.state === 'opened' && this.#progress.alarms !== null) {
      const { alarms } = this.#progress;
      this.#progress = { ...this.#progress, alarms: { ...alarms, opened: alarms.opened + 1 } };
      this.#changed = true;
    }
    const nowMs = this.#deps.nowMs();
    this.#installation.tick(nowMs, this.#rollout?.document.state === 'paused');
    // What the host has learned itself is told of as well.
    if (this.#toldRunning !== (this.#deps.loaded()?.sha256 ?? null)) this.#changed = true;
    const due = nowMs - this.#reportedMs >= REPORT_MS && (this.#changed || this.#installation.underWay);
    if (due || nowMs >= this.#reportDueMs) this.#report();
  }

  #reached(state: InstallState): void {
    const { log, told } = this.#deps;
    const { release, error } = this.#progress;
    const bad = state === 'rejected' || state === 'rolled_back' || state === 'timed_out';
    log(bad ? 'warning' : 'info', 'central.state', {
      state,
      release: release?.version,
      ...(error && { why: error.message }),
    });
    if (bad || state === 'committed') {
      const modelSha256 = this.#deps.loaded()?.sha256 ?? null;
      const { figures } = this.#progress;
      told({ model: this.#deps.model, state, release: seen(release), figures, error, modelSha256 });
    }
    this.#report();
  }

  /** @returns whether it is on disk */
  #save(progress: Progress): boolean {
    this.#progress = progress;
    this.#changed = true;
    try {
      this.#deps.store({ trust: this.#deps.trust.state, progress });
      return true;
    } catch (error) {
      this.#deps.log('error', 'central.fault', { error: messageOf(error) });
      return false;
    }
  }

  #isValid(nowMs: number): boolean {
    try {
      if (this.#rollout === null) return false;
      this.#deps.trust.requireValid(this.#rollout.document, 'rollout', nowMs);
      return true;
    } catch {
      return false;
    }
  }

  #report(): void {
    const { channel } = this.#subscriptions;
    if (channel === null) return;
    this.#reportedMs = this.#deps.nowMs();
    this.#toldRunning = this.#deps.loaded()?.sha256 ?? null;
    this.#reportDueMs = Number.POSITIVE_INFINITY;
    this.#changed = false;
    const topic = agentTopics(this.#deps.site, this.#deps.hostId).reported;
    void channel.publish(topic, JSON.stringify(this.reported()), true).then((taken) => {
      if (!taken) this.#changed = true;
    });
  }

  /** What this host says of itself to the centre, and in `status`. */
  reported(): ReportedDocument {
    const { trust, version, loaded, labels, nowMs } = this.#deps;
    const desired = this.#desired;
    return reportedDocument({
      ...this.#deps,
      nowMs: nowMs(),
      agentVersion: version,
      labels: labels(),
      root: trust.root.version,
      rollout: this.#rollout,
      desired: desired.kind === 'none' ? null : desired.release,
      running: loaded(),
      progress: this.#progress,
      figures: this.#installation.figures(),
      refused: this.#refused,
    });
  }
}
