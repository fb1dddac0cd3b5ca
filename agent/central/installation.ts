import type { Stepwise } from '../../core/features.ts';
import type { Budget, Model } from '../../core/model.ts';
import type { InstallState } from '../../core/protocol/install-states.ts';
import type { InstallFigures } from '../../core/protocol/reported.ts';
import type { ReleaseDocument, ReleaseReference, RolloutGate } from '../../core/protocol/trust.ts';
import type { Sample } from '../../core/sample.ts';
import type { Tally } from '../../core/shadow.ts';
import type { Judgement, Watcher } from '../../core/watcher.ts';
import type { LoadedModel } from '../../models/slots.ts';
import { documentOf, openEnvelope } from '../../models/trust/envelope.ts';
import type { Trust } from '../../models/trust/trust.ts';
import { type Refusal, TrustError } from '../../models/trust/trust-error.ts';
import { Background, type BackgroundDependencies } from '../background.ts';
import { messageOf } from '../delivery.ts';
import { warmed } from '../newest-rows.ts';
import { replayShadow, type ShadowHost } from '../shadow-replay.ts';
import { ASK_AGAIN_MS, Fetch, type FetchDependencies } from './fetch.ts';
import { Durations, figuresOf, LiveTrial, type TrialTerms, trialObjections } from './live-trial.ts';
import type { Progress } from './progress.ts';
import { Rejected, verifiedModel } from './verify.ts';

export interface InstallationDependencies extends BackgroundDependencies, FetchDependencies {
  readonly trust: Trust;
  readonly agentVersion: string;
  readonly host: ShadowHost;
  readonly budget: () => Budget;
  readonly loaded: () => LoadedModel | null;
  readonly residentBytes: () => number;
  readonly gate: () => RolloutGate | null;
  readonly progress: () => Progress;
  /** Durable when it returns true. */
  readonly save: (change: Partial<Progress>) => boolean;
  /** The rollout that asks for it has not run out: expiry stops installing, never scoring. */
  readonly isValid: (nowMs: number) => boolean;
  /** Into a state: kept, and told. */
  readonly reach: (state: InstallState, nowMs: number, change: Partial<Progress>) => void;
  readonly refused: (refusal: Refusal, message: string) => void;
  /**
   * @param loaded null: there is none any more
   * @param warm its watcher, where there is one that has seen the last samples
   * @returns the watcher that did until now
   */
  readonly adopt: (loaded: LoadedModel | null, warm: Watcher | null) => Watcher | null;
  readonly nowMs: () => number;
}

/** States in which something is under way. */
const UNDER_WAY: ReadonlySet<InstallState> = new Set([
  'offered',
  'fetching',
  'verified',
  'shadow',
  'probation',
]);

/** The way of one release into this host: fetched, verified, tried, switched to, watched, and taken back where it is worse. */
export class Installation {
  readonly #deps: InstallationDependencies;
  readonly #replaying: Background<{
    readonly tally: Tally;
    readonly durations: Durations;
    readonly watcher: Watcher;
  }>;
  readonly #warming: Background<Watcher>;
  readonly #fetch: Fetch;
  /** The last release document that was read. */
  #read: { readonly envelope: string; readonly document: ReleaseDocument } | null = null;
  #trial: LiveTrial | null = null;

  constructor(deps: InstallationDependencies) {
    this.#deps = deps;
    this.#replaying = new Background(deps);
    this.#warming = new Background(deps);
    this.#fetch = new Fetch(deps, (bytes, nowMs) => this.#verify(bytes, nowMs));
  }

  get #progress(): Progress {
    return this.#deps.progress();
  }

  get underWay(): boolean {
    return UNDER_WAY.has(this.#progress.state);
  }

  /** What this is about is what is asked for, and nothing has to be begun anew. */
  isAbout(release: ReleaseReference, kind: Progress['kind']): boolean {
    const { release: own, kind: ownKind } = this.#progress;
    return own !== null && own.sha256 === release.sha256 && ownKind === kind;
  }

  begin(release: ReleaseReference, kind: Progress['kind'], nowMs: number, startMs: number): void {
    this.cancel();
    this.#deps.reach('offered', nowMs, {
      release,
      kind,
      offeredMs: nowMs,
      startMs,
      envelope: null,
      figures: null,
      error: null,
    });
  }

  /** Gives up what is under way, without a word about the release. */
  cancel(): void {
    this.stop();
    this.#trial = null;
    this.#fetch.stop();
  }

  /** Nothing goes on in the background; what lies on disk is gone on with after a start. */
  stop(): void {
    this.#replaying.giveUp();
    this.#warming.giveUp();
  }

  /** After a start: goes on with what lies on disk. */
  resume(nowMs: number): void {
    const { state, release } = this.#progress;
    if (release === null) return;
    // The switch was made, and the power went before that could be written down.
    if (this.underWay && this.#deps.loaded()?.sha256 === release.artifactSha256) this.#committed(nowMs);
    else if (state === 'fetching') this.#fetch.begin(this.#release.artifact, nowMs);
    else if (state === 'verified' || state === 'shadow' || state === 'probation') this.#tryOut(nowMs);
    else if (state === 'committed') this.#watch(nowMs);
    else if (state === 'rejected' && MAY_FIT_LATER.has(this.#progress.error?.code ?? '')) {
      // Another agent, or another source of samples, may be one that it fits.
      this.#deps.reach('none', nowMs, { release: null, error: null });
    }
  }

  /** @param paused nothing is begun; what is under way goes on */
  tick(nowMs: number, paused: boolean): void {
    const { state, startMs, offeredMs, release } = this.#progress;
    if (release === null) return;
    const gate = this.#deps.gate();
    if (gate === null) return;
    // A trial lasts as long as the centre wants; fetching doesn't.
    const limited = this.#progress.kind === 'release' || state === 'offered' || state === 'fetching';
    if (UNDER_WAY.has(state) && limited && nowMs - offeredMs > gate.timeoutMs) {
      const error = {
        code: 'timedOut',
        message: `not committed within ${Math.round(gate.timeoutMs / 1000)} s`,
      };
      this.cancel();
      this.#deps.reach('timed_out', nowMs, { error });
    } else if (state === 'offered' && nowMs >= startMs && !paused && this.#deps.isValid(nowMs)) {
      this.#fetch.askForRelease(release.version, nowMs);
    } else if (state === 'fetching') this.#fetch.askAgain(nowMs);
    else if (state === 'probation' && nowMs - this.#progress.sinceMs >= gate.probationMs) this.#decide(nowMs);
    else if (state === 'committed' && nowMs - this.#progress.sinceMs >= gate.watchdogMs) this.#trial = null;
  }

  /** @throws TrustError */
  onRelease(bytes: Uint8Array, version: number, nowMs: number): void {
    const { state, release } = this.#progress;
    if (state !== 'offered' || release === null || release.version !== version) return;
    const { trust, model } = this.#deps;
    try {
      trust.acceptRelease(bytes, model, release, nowMs);
    } catch (error) {
      // A wrong document on its topic is not the release's fault: the right one may still come.
      if (!(error instanceof TrustError) || !FINAL.has(error.refusal)) throw error;
      this.#fetch.stop();
      this.#deps.reach('rejected', nowMs, { error: { code: error.refusal, message: error.message } });
      throw error;
    }
    this.#deps.reach('fetching', nowMs, { envelope: Buffer.from(bytes).toString('utf8') });
    this.#fetch.begin(this.#release.artifact, nowMs);
  }

  get #release(): ReleaseDocument {
    const { envelope } = this.#progress;
    if (envelope === null) throw new Error('no release document');
    // Its signatures were counted before it was kept.
    if (this.#read?.envelope !== envelope) {
      this.#read = { envelope, document: documentOf(openEnvelope(Buffer.from(envelope)), 'release') };
    }
    return this.#read.document;
  }

  /** @throws TrustError for what is no chunk of the release */
  onChunk(sha256: string, index: number, bytes: Uint8Array, nowMs: number): void {
    this.#fetch.take(sha256, index, bytes, nowMs);
  }

  #verify(bytes: Buffer, nowMs: number): void {
    const { slots, trust, host, agentVersion, residentBytes } = this.#deps;
    const { release } = this.#progress;
    if (release === null) return;
    try {
      const document = this.#release;
      const before = residentBytes();
      verifiedModel(bytes, document, { schema: host.schema, agentVersion });
      const added = residentBytes() - before;
      if (added > document.limits.memoryBytes) {
        throw new Rejected(
          'memory',
          `loading it took ${added} bytes of memory, the limit is ${document.limits.memoryBytes}`,
        );
      }
      trust.requireValid(document, 'release', nowMs);
      slots.stage(bytes);
    } catch (error) {
      if (error instanceof Rejected || error instanceof TrustError) this.#reject(error, nowMs);
      else {
        // A full disk: from the beginning, later.
        this.#deps.fault(messageOf(error));
        this.#deps.reach('offered', nowMs, { startMs: nowMs + ASK_AGAIN_MS });
      }
      return;
    }
    this.#deps.reach('verified', nowMs, { verified: this.#remembered(release) });
    this.#tryOut(nowMs);
  }

  /** Those that were verified here: the newest few, and whatever lies in a slot. */
  #remembered(release: ReleaseReference): ReleaseReference[] {
    const { slots } = this.#deps;
    const kept = new Set([slots.digest('central'), slots.digest('central-previous')]);
    const others = this.#progress.verified.filter(({ sha256 }) => sha256 !== release.sha256);
    const recent = new Set(others.slice(-MOST_REMEMBERED));
    return [...others.filter((one) => recent.has(one) || kept.has(one.artifactSha256)), release];
  }

  /** On history first, then live. */
  #tryOut(nowMs: number): void {
    const candidate = this.#candidate(nowMs);
    if (candidate === null) return;
    if (this.#progress.state !== 'shadow') this.#deps.reach('shadow', nowMs, {});
    const current = this.#deps.loaded()?.model ?? null;
    this.#replaying.start(this.#replay(candidate, current), (outcome) => {
      if ('error' in outcome) {
        this.#reject(new Rejected('failed', messageOf(outcome.error)), nowMs);
        return;
      }
      const { tally, durations, watcher } = outcome.value;
      const figures = figuresOf(tally, durations, this.#terms, current !== null);
      const laterMs = this.#deps.nowMs();
      this.#judge(figures, laterMs, () => this.#beginTrial(watcher, figures, laterMs));
    });
  }

  *#replay(
    candidate: Model,
    current: Model | null,
  ): Stepwise<{ tally: Tally; durations: Durations; watcher: Watcher }> {
    const durations = new Durations();
    const rows = this.#deps.gate()?.shadowRows;
    const timed = (work: () => Judgement): Judgement => durations.time(this.#deps.monotonicMs, work);
    const tally = yield* replayShadow(candidate, current, this.#deps.host, rows, timed);
    const { store, schema, watcherOf } = this.#deps.host;
    // The last of all, so that no sample comes between this and the trial.
    return { tally, durations, watcher: yield* warmed(watcherOf(candidate), store, schema.length) };
  }

  #candidate(nowMs: number): Model | null {
    const { slots } = this.#deps;
    let fault = 'the candidate is gone';
    const read = slots.read('candidate', (_, why) => {
      fault = why;
    });
    if (read !== null && read.sha256 === this.#progress.release?.artifactSha256) return read.model;
    // A power cut, or somebody's hand: fetched anew.
    this.#deps.fault(fault);
    const { release, kind, startMs } = this.#progress;
    if (release !== null) this.begin(release, kind, nowMs, startMs);
    return null;
  }

  get #terms(): TrialTerms {
    const { intervalMs, limits } = this.#release;
    return { budget: this.#deps.budget(), intervalMs, limits };
  }

  #beginTrial(candidate: Watcher, figures: InstallFigures, nowMs: number): void {
    const sha256 = this.#progress.release?.artifactSha256 ?? '';
    this.#trial = new LiveTrial(candidate, sha256, 'candidate', this.#deps.monotonicMs);
    const state = this.#progress.kind === 'trial' ? 'shadow' : 'probation';
    this.#deps.reach(state, nowMs, { figures });
  }

  /** A sample was judged. @param watching by the model that alarms; null: there is none */
  judged(sample: Sample, gate: 'open' | 'maintenance', watching: Judgement | null): void {
    this.#trial?.step(sample, gate, watching);
    if (this.#trial === null || watching?.transition?.state !== 'opened') return;
    if (this.#progress.state === 'committed') this.#watchdog(sample.timeMs);
  }

  /** How the trial stands, where one is under way. */
  figures(): InstallFigures | null {
    if (this.#trial === null || this.#trial.tally.rows === 0) return this.#progress.figures;
    const { tally, durations } = this.#trial;
    return figuresOf(tally, durations, this.#terms, this.#deps.loaded() !== null);
  }

  #decide(nowMs: number): void {
    if (this.#trial === null || this.#trial.tally.rows === 0 || !this.#deps.isValid(nowMs)) return;
    const figures = this.figures();
    if (figures === null) return;
    this.#judge(figures, nowMs, () => this.#commit(figures, nowMs));
  }

  #judge(figures: InstallFigures, nowMs: number, pass: () => void): void {
    const objections = trialObjections(figures, this.#terms);
    if (objections.length === 0) pass();
    else this.#reject(new Rejected('worse', objections.join('; ')), nowMs, figures);
  }

  #commit(figures: InstallFigures, nowMs: number): void {
    const { trust, slots } = this.#deps;
    const { release } = this.#progress;
    if (release === null) return;
    try {
      trust.requireAllowed(release.artifactSha256);
      trust.requireValid(this.#release, 'release', nowMs);
    } catch (error) {
      if (!(error instanceof TrustError)) throw error;
      this.#reject(error, nowMs);
      return;
    }
    // What can't be remembered is not done: tried again at the next sample.
    if (!this.#deps.save({ figures })) return;
    const trial = this.#trial;
    this.#trial = null;
    try {
      slots.commitCentral();
    } catch (error) {
      this.#deps.fault(messageOf(error));
      return;
    }
    const loaded = slots.read('central', (_, fault) => this.#deps.fault(fault));
    if (loaded === null) return;
    const sha256 = this.#deps.loaded()?.sha256 ?? '';
    const before = this.#deps.adopt({ ...loaded, slot: 'central' }, trial?.silent ?? null);
    this.#committed(nowMs);
    if (before !== null) this.#trial = new LiveTrial(before, sha256, 'before', this.#deps.monotonicMs);
  }

  #committed(nowMs: number): void {
    this.#deps.reach('committed', nowMs, { error: null, alarms: { sinceMs: nowMs, opened: 0 } });
  }

  /** After a restart: the model before goes on beside the new one, for as long as the rollout says. */
  #watch(nowMs: number): void {
    const gate = this.#deps.gate();
    const before = this.#modelBefore();
    if (before === null || gate === null || nowMs - this.#progress.sinceMs >= gate.watchdogMs) return;
    const { store, schema, watcherOf } = this.#deps.host;
    this.#warming.start(warmed(watcherOf(before.model), store, schema.length), (outcome) => {
      if (!('value' in outcome)) return;
      this.#trial = new LiveTrial(outcome.value, before.sha256, 'before', this.#deps.monotonicMs);
    });
  }

  #modelBefore(): { readonly model: Model; readonly sha256: string } | null {
    const { slots } = this.#deps;
    const ignore = (): void => {};
    return slots.read('central-previous', ignore) ?? slots.loadOwn(ignore);
  }

  #watchdog(nowMs: number): void {
    const { release } = this.#progress;
    const figures = this.figures();
    const loaded = this.#deps.loaded();
    if (figures === null || loaded === null || release === null || loaded.sha256 !== release.artifactSha256)
      return;
    const { candidate, current, allowedAlarms } = figures;
    if (candidate.alarms <= allowedAlarms || candidate.alarms <= (current?.alarms ?? 0)) return;
    const message = `${candidate.alarms} incidents since the switch, the budget allows ${allowedAlarms}, the model before had ${current?.alarms ?? 0}`;
    this.takeBack({ code: 'alarms', message }, nowMs, true, figures);
  }

  /**
   * The model before takes over: the central one before, else what the host learned itself.
   * @param bad it is never installed here again
   */
  takeBack(
    error: { readonly code: string; readonly message: string },
    nowMs: number,
    bad: boolean,
    figures: InstallFigures | null = this.#progress.figures,
  ): void {
    const { trust, slots, loaded, adopt } = this.#deps;
    const gone = loaded();
    const about =
      this.#progress.verified.find(({ artifactSha256 }) => artifactSha256 === gone?.sha256) ??
      this.#progress.release;
    const trial = this.#trial;
    this.cancel();
    if (bad && gone !== null) trust.quarantine(gone.sha256);
    const previous = slots.digest('central-previous');
    const usable = previous !== null && this.mayRun(previous);
    if (usable) slots.revertCentral();
    else slots.discard('central', 'central-previous');
    const next = slots.load(
      (_, fault) => this.#deps.fault(fault),
      (sha256) => this.mayRun(sha256),
    );
    // Before it is told: what runs is part of what is told.
    adopt(next, trial !== null && trial.sha256 === next?.sha256 ? trial.silent : null);
    this.#deps.reach('rolled_back', nowMs, { release: about, kind: 'release', error, figures });
  }

  /** Verified here, and neither revoked nor found bad since. */
  mayRun(sha256: string): boolean {
    if (!this.#progress.verified.some(({ artifactSha256 }) => artifactSha256 === sha256)) return false;
    try {
      this.#deps.trust.requireAllowed(sha256);
      return true;
    } catch {
      return false;
    }
  }

  #reject(why: Rejected | TrustError, nowMs: number, figures: InstallFigures | null = null): void {
    const { trust, slots, refused } = this.#deps;
    const { release } = this.#progress;
    const isTrust = why instanceof TrustError;
    if (isTrust) refused(why.refusal, why.message);
    // An agent or a host that it doesn't fit may fit it one day; what is bad stays bad.
    if (!isTrust && why.quarantines && release !== null) trust.quarantine(release.artifactSha256);
    this.cancel();
    slots.discard('candidate');
    const error = { code: isTrust ? why.refusal : why.code, message: why.message };
    this.#deps.reach('rejected', nowMs, { error, ...(figures !== null && { figures }) });
  }
}

const MOST_REMEMBERED = 8;
const MAY_FIT_LATER: ReadonlySet<string> = new Set(['agent', 'schema']);

/** Faults of the release itself, not of what came on its topic. */
const FINAL: ReadonlySet<Refusal> = new Set(['expired', 'revoked', 'quarantined']);
