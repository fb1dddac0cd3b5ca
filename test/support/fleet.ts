import { connectAsync, type MqttClient } from 'mqtt';
import { Durations, figuresOf, trialObjections } from '../../agent/central/live-trial.ts';
import { Rejected, verifiedModel } from '../../agent/central/verify.ts';
import { INCIDENT_DEFAULTS } from '../../core/incident.ts';
import { DEFAULT_BUDGET, type Model } from '../../core/model.ts';
import type { InstallState } from '../../core/protocol/install-states.ts';
import type { InstallFigures, ReportedDocument } from '../../core/protocol/reported.ts';
import { agentTopics, parseTopic, siteTopics } from '../../core/protocol/topics.ts';
import type { ReleaseDocument, ReleaseReference, RolloutDocument } from '../../core/protocol/trust.ts';
import type { MetricSchema } from '../../core/sample.ts';
import { Shadow } from '../../core/shadow.ts';
import { Watcher } from '../../core/watcher.ts';
import { artifactSha256 } from '../../models/artifact.ts';
import { cohortPosition, desiredOf } from '../../models/rollout/desired.ts';
import { Trust } from '../../models/trust/trust.ts';
import { TrustError } from '../../models/trust/trust-error.ts';

const VERSION = '0.1.0';
const WARM_ROWS = 64;
/** As the agent's: one report a minute at the most is too rare for a rollout of seconds. */
const REPORT_MS = 500;

export interface SimulatedOptions {
  readonly port: number;
  readonly site: string;
  readonly hostId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly root: Buffer;
  readonly pin: string;
  readonly model: string;
  readonly schema: MetricSchema;
  /** Its own history, by metric. */
  readonly history: readonly Float64Array[];
  /** What it learned itself. */
  readonly own: Model;
  /** Incidents that open in each interval of reports, under this release; null: under its own model. */
  readonly alarms: (release: ReleaseDocument | null) => number;
  /** It fetches and tries, and never commits. */
  readonly stalls?: boolean;
}

interface Held {
  readonly reference: ReleaseReference;
  readonly document: ReleaseDocument;
}

/**
 * An agent of a test: real protocol over a real broker, real signatures, chunks, golden rows and trials on a history of
 * its own; what it lacks is a host to sample, so after its trial it commits by the clock. Times are those of the
 * rollout's gate.
 */
export class SimulatedHost {
  readonly hostId: string;
  /** On the wire: what it sent and got. */
  readonly traffic = { sent: 0, sentBytes: 0, got: 0, gotBytes: 0, chunkBytes: 0 };
  /** The longest that verifying a document took. */
  verifyMs = 0;
  readonly refused: Record<string, number> = {};
  readonly #options: SimulatedOptions;
  readonly #trust: Trust;
  readonly #topics;
  readonly #site;
  #client: MqttClient | null = null;
  #rollout: RolloutDocument | null = null;
  #rolloutSha256 = '';
  #state: InstallState = 'none';
  #about: ReleaseReference | null = null;
  #release: ReleaseDocument | null = null;
  #chunks: Buffer[] = [];
  #running: Held | null = null;
  #before: Held | null = null;
  #figures: InstallFigures | null = null;
  #error: ReportedDocument['error'] = null;
  #alarms: { sinceMs: number; opened: number } | null = null;
  #timer: NodeJS.Timeout | null = null;
  #ticks: NodeJS.Timeout | null = null;

  constructor(options: SimulatedOptions) {
    this.#options = options;
    this.hostId = options.hostId;
    this.#trust = new Trust(options.root, options.pin);
    this.#topics = agentTopics(options.site, options.hostId);
    this.#site = siteTopics(options.site);
  }

  get state(): InstallState {
    return this.#state;
  }
  /** Digest of the central model that watches; null: its own does. */
  get running(): string | null {
    return this.#running?.document.artifact.sha256 ?? null;
  }
  get rolloutVersion(): number {
    return this.#rollout?.version ?? 0;
  }
  get error(): ReportedDocument['error'] {
    return this.#error;
  }

  async start(): Promise<void> {
    const { port, hostId, model } = this.#options;
    this.#client = await connectAsync(`mqtt://127.0.0.1:${port}`, {
      clientId: hostId,
      protocolVersion: 5,
      clean: true,
      // Else a topic that is subscribed to can't be asked for again.
      resubscribe: false,
      will: { topic: this.#topics.status, payload: Buffer.from(this.#status(false)), qos: 1, retain: true },
    });
    this.#client.on('message', (topic, payload) => this.#take(topic, payload));
    this.#publish(this.#topics.status, this.#status(true));
    this.#report();
    await this.#client.subscribeAsync(this.#site.rollout(model), { qos: 1 });
    this.#ticks = setInterval(() => this.#tick(), REPORT_MS);
  }

  /** @param abruptly the broker publishes its last will */
  async stop(abruptly = false): Promise<void> {
    if (this.#ticks !== null) clearInterval(this.#ticks);
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (abruptly) this.#client?.stream.destroy();
    await this.#client?.endAsync(abruptly);
  }

  #status(online: boolean): string {
    const { hostId } = this.#options;
    return JSON.stringify({
      schemaVersion: 1,
      online,
      hostId,
      bootId: 'boot',
      agentVersion: VERSION,
      schemaHash: '0'.repeat(16),
    });
  }

  #publish(topic: string, payload: string): void {
    this.traffic.sent++;
    this.traffic.sentBytes += topic.length + Buffer.byteLength(payload);
    this.#client?.publish(topic, payload, { qos: 1, retain: true });
  }

  #want(topic: string): void {
    this.traffic.sent++;
    this.traffic.sentBytes += topic.length;
    this.#client?.subscribe(topic, { qos: 1 });
  }

  #take(topic: string, payload: Buffer): void {
    this.traffic.got++;
    this.traffic.gotBytes += topic.length + payload.length;
    const parsed = parseTopic(topic);
    try {
      if (parsed?.kind === 'rollout') this.#onRollout(payload);
      else if (parsed?.kind === 'release') this.#onRelease(payload);
      else if (parsed?.kind === 'chunk') this.#onChunk(topic, parsed.index, payload);
    } catch (error) {
      if (!(error instanceof TrustError)) throw error;
      this.refused[error.refusal] = (this.refused[error.refusal] ?? 0) + 1;
    }
  }

  #timed<T>(work: () => T): T {
    const fromMs = performance.now();
    const result = work();
    this.verifyMs = Math.max(this.verifyMs, performance.now() - fromMs);
    return result;
  }

  #onRollout(payload: Buffer): void {
    const { model, site, hostId, labels } = this.#options;
    const { document, sha256, isNew } = this.#timed(() =>
      this.#trust.acceptRollout(payload, model, Date.now()),
    );
    if (!isNew) return;
    if (document.release.sha256 !== this.#rollout?.release.sha256) {
      this.#alarms = { sinceMs: Date.now(), opened: 0 };
    }
    this.#rollout = document;
    this.#rolloutSha256 = sha256;
    const desired = desiredOf(document, { site, hostId, labels });
    if (desired.kind === 'baseline') this.#toBaseline(desired.release);
    else if (desired.kind !== 'none') this.#offer(desired.release);
    this.#report();
  }

  #offer(release: ReleaseReference): void {
    if (this.running === release.artifactSha256) return;
    // A refusal stays one; what is under way goes on.
    if (this.#about?.sha256 === release.sha256 && this.#state !== 'none' && this.#state !== 'shadow') return;
    this.#about = release;
    this.#error = null;
    this.#figures = null;
    this.#to('offered');
    const jitterMs = (this.#rollout?.jitterMs ?? 0) * cohortPosition(this.#rolloutSha256, this.hostId);
    this.#after(jitterMs, () => this.#want(this.#site.release(this.#options.model, release.version)));
  }

  #toBaseline(release: ReleaseReference | null): void {
    const ends = this.#about !== null && this.#about.sha256 !== release?.sha256;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.running === (release?.artifactSha256 ?? null)) {
      if (ends && ['offered', 'fetching', 'verified', 'shadow', 'probation'].includes(this.#state))
        this.#state = 'none';
      return;
    }
    if (release === null || this.#before?.reference.sha256 === release.sha256) {
      this.#running = release === null ? null : this.#before;
      this.#error = { code: 'asked', message: 'the rollout asks for the release before' };
      this.#to('rolled_back');
    } else this.#offer(release);
  }

  #onRelease(payload: Buffer): void {
    if (this.#about === null || this.#state !== 'offered') return;
    const wanted = this.#about;
    const { document } = this.#timed(() =>
      this.#trust.acceptRelease(payload, this.#options.model, wanted, Date.now()),
    );
    this.#release = document;
    this.#chunks = [];
    this.#to('fetching');
    const { sha256, chunks } = document.artifact;
    for (let i = 0; i < chunks.length; i++) this.#want(this.#site.chunk(sha256, i));
  }

  #onChunk(topic: string, index: number, payload: Buffer): void {
    const release = this.#release;
    if (release === null || this.#state !== 'fetching' || this.#chunks[index] !== undefined) return;
    if (artifactSha256(payload) !== release.artifact.chunks[index]) {
      throw new TrustError('otherChunk', `chunk ${index} is another`);
    }
    this.traffic.chunkBytes += payload.length;
    this.#chunks[index] = payload;
    this.#client?.unsubscribe(topic);
    if (Object.keys(this.#chunks).length < release.artifact.chunks.length) return;
    this.#tryOut(Buffer.concat(this.#chunks), release);
  }

  #tryOut(bytes: Buffer, release: ReleaseDocument): void {
    const { schema, stalls } = this.#options;
    try {
      const candidate = verifiedModel(bytes, release, { schema, agentVersion: VERSION });
      this.#to('verified');
      this.#figures = this.#trial(candidate, release);
      const objections = trialObjections(this.#figures, { budget: DEFAULT_BUDGET, ...release });
      if (objections.length > 0) throw new Rejected('worse', objections.join('; '));
    } catch (error) {
      if (!(error instanceof Rejected)) throw error;
      this.#error = { code: error.code, message: error.message };
      this.#to('rejected');
      return;
    }
    if (this.#rollout?.mode === 'shadow') {
      this.#to('shadow');
      return;
    }
    this.#to('probation');
    if (stalls === true) return;
    this.#after(this.#rollout?.gate.probationMs ?? 0, () => this.#commit(release));
  }

  #commit(document: ReleaseDocument): void {
    if (this.#about === null) return;
    this.#before = this.#running;
    this.#running = { reference: this.#about, document };
    this.#alarms = { sinceMs: Date.now(), opened: 0 };
    this.#to('committed');
  }

  /** Both models over its own history, as the agent does. */
  #trial(candidate: Model, release: ReleaseDocument): InstallFigures {
    const { schema, history, own } = this.#options;
    const rows = Math.min(history[0]?.length ?? 0, (this.#rollout?.gate.shadowRows ?? 0) + WARM_ROWS);
    const durations = new Durations();
    const watcher = (model: Model): Watcher => new Watcher(model, schema, INCIDENT_DEFAULTS);
    const shadow = new Shadow(watcher(candidate), watcher(own), (work) =>
      durations.time(() => performance.now(), work),
    );
    for (let t = 0; t < rows; t++) {
      const values = Float64Array.from(history, (column) => column[t] as number);
      const sample = { timeMs: t * release.intervalMs, values };
      if (t < WARM_ROWS) shadow.warm(sample);
      else shadow.step(sample);
    }
    return figuresOf(shadow.tally, durations, { budget: DEFAULT_BUDGET, ...release }, true);
  }

  #after(ms: number, work: () => void): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(work, ms);
  }

  #to(state: InstallState): void {
    this.#state = state;
    this.#report();
  }

  #tick(): void {
    const opened = this.#options.alarms(this.#running?.document ?? null);
    if (this.#alarms === null || opened === 0) return;
    this.#alarms.opened += opened;
    this.#report();
  }

  #report(): void {
    const { site, hostId, labels, model } = this.#options;
    const seen = (one: ReleaseReference | null): ReportedDocument['release'] =>
      one === null ? null : { version: one.version, artifactSha256: one.artifactSha256 };
    const rollout = this.#rollout;
    const desired = rollout === null ? null : desiredOf(rollout, { site, hostId, labels });
    const report: ReportedDocument = {
      schemaVersion: 1,
      hostId,
      site,
      bootId: 'boot',
      at: new Date().toISOString(),
      agentVersion: VERSION,
      labels,
      root: this.#trust.root.version,
      rollout: rollout === null ? null : { model, version: rollout.version, sha256: this.#rolloutSha256 },
      desired: desired === null || desired.kind === 'none' ? null : seen(desired.release),
      state: this.#state,
      release: seen(this.#about),
      running: null,
      slots: { current: null, previous: null, central: this.running, centralPrevious: null },
      figures: this.#figures,
      alarms:
        this.#alarms === null
          ? null
          : { since: new Date(this.#alarms.sinceMs).toISOString(), opened: this.#alarms.opened },
      error: this.#error,
      refused: this.refused,
    };
    this.#publish(this.#topics.reported, JSON.stringify(report));
  }
}
