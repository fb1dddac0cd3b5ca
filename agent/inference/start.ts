import type { Clock } from '../../collector/source.ts';
import { MlflowClient } from '../../models/tracking/client.ts';
import { cut, pairs } from '../../models/tracking/limits.ts';
import { type TrackingServer, trackingServer } from '../../models/tracking/settings.ts';
import type { MlflowConfig } from '../config/config.ts';
import type { Figures, Quantiles, Stage } from '../figures.ts';
import type { Log } from '../log.ts';
import { readFileSetting } from '../sinks/files.ts';
import type { Store } from '../store/store.ts';
import type { HourFigures } from './hours.ts';
import { type PerformanceAt, performanceFigures } from './performance.ts';
import { InferenceRecord, type InferenceSubject } from './record.ts';

export interface InferenceHost {
  readonly hostId: string;
  readonly hostName: string;
  readonly site: string;
  readonly version: string;
  readonly labels: Readonly<Record<string, string>>;
}

const STAGES: readonly Stage[] = ['sample', 'score', 'delivery'];

/** @throws SinkConfigurationError, TrackingSettingError for settings that can never work */
export function startInferenceRecord(
  config: MlflowConfig,
  host: InferenceHost,
  figures: Figures,
  deps: {
    readonly store: Store;
    readonly clock: Clock;
    readonly log: Log;
    readonly setTimer: (callback: () => void, ms: number) => () => void;
    readonly performanceAt: PerformanceAt;
  },
): InferenceRecord {
  const server = serverOf(config);
  // Files that can't be read are told at start.
  if (server.authorization() !== null && !server.tls) {
    deps.log('warning', 'mlflow.insecure', { server: server.url });
  }
  const latencies = figures.follow(STAGES);
  return new InferenceRecord(subjectOf(config, host), {
    ...deps,
    client: new MlflowClient(server),
    random: Math.random,
    breathe: () => new Promise((resolve) => setImmediate(resolve)),
    takeLatencies: () => latencyFigures(latencies()),
    performance: (hourMs) => performanceFigures(deps.performanceAt, hourMs),
  });
}

function serverOf(config: MlflowConfig): TrackingServer {
  const secret = (key: 'tokenFile' | 'usernameFile' | 'passwordFile') => (): string | null => {
    const path = config[key];
    return path === undefined
      ? null
      : readFileSetting('mlflow', key, path)
          .toString('utf8')
          .replace(/\r?\n$/, '');
  };
  const ca = config.caFile === undefined ? null : readFileSetting('mlflow', 'caFile', config.caFile);
  return trackingServer(
    config.url,
    'mlflow.url',
    { token: secret('tokenFile'), username: secret('usernameFile'), password: secret('passwordFile') },
    ca,
  );
}

function subjectOf({ experiment }: MlflowConfig, host: InferenceHost): InferenceSubject {
  const { hostId, hostName, site, version, labels } = host;
  return {
    experiment,
    // Into a filter's quotes.
    recordId: `inference/${site}/${hostId}`.replaceAll(/['"\\\p{C}]/gu, '_'),
    runName: cut(hostName === '' ? hostId : hostName, 250),
    tags: pairs({
      'edgewood.hostId': hostId,
      'edgewood.hostName': hostName,
      'edgewood.site': site,
      'edgewood.toolVersion': version,
      'mlflow.source.name': 'edgewood agent',
      'mlflow.source.type': 'LOCAL',
      ...Object.fromEntries(Object.entries(labels).map(([key, value]) => [`edgewood.label.${key}`, value])),
    }),
  };
}

function latencyFigures(quantiles: Readonly<Record<string, Quantiles>>): HourFigures {
  const figures: Record<string, number> = {};
  for (const [stage, values] of Object.entries(quantiles)) {
    for (const [name, ms] of Object.entries(values)) {
      if (ms !== null) figures[`${stage}_latency_ms_${name}`] = ms;
    }
  }
  return figures;
}
