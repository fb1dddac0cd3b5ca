import { type IncomingMessage, request as requestHttp } from 'node:http';
import type { SinkConfig } from '../../agent/config/config.ts';
import { readSecret, tlsOptions } from '../../agent/sinks/files.ts';
import { type HttpEndpoint, parseHttpEndpoint } from '../../agent/sinks/http/endpoint.ts';
import { networkWords } from '../../agent/sinks/network-words.ts';
import { hostTags } from '../../core/protocol/influx.ts';
import { line, lineTags } from '../../core/protocol/line-protocol.ts';
import { type Finding, note, ok, problem, warning } from './finding.ts';
import type { Patient } from './sinks.ts';

const ANSWER_MS = 10_000;
/** A server whose clock says something else by more than this is worth a word. */
const CLOCK_TOLERANCE_MS = 30_000;

interface Probe {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly path: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * InfluxDB: a point of its own is written. Alertmanager: its state is asked for. Any other webhook is only asked
 * whether it is there: what it is sent might wake somebody up.
 */
export async function roundTrip(
  sink: SinkConfig,
  area: string,
  patient: Patient,
  target: string,
): Promise<Finding[]> {
  const endpoint = parseHttpEndpoint(sink);
  const probe = probeOf(sink, endpoint, patient);
  const beganMs = performance.now();
  let response: IncomingMessage;
  try {
    response = await send(sink, endpoint, probe);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return [
      problem(area, `${target}: ${networkWords(code, 'server') ?? message}`, {
        why: 'nothing is delivered there',
        mend: "look into the server's log",
      }),
    ];
  }
  const tookMs = (performance.now() - beganMs).toFixed(0);
  return [verdict(sink, area, probe, response, tookMs), ...clockFinding(area, response.headers.date)];
}

function probeOf(sink: SinkConfig, { path, query }: HttpEndpoint, { config, hostId }: Patient): Probe {
  const base = path.replace(/\/$/, '');
  if (sink.type === 'influx') {
    const search = new URLSearchParams({
      org: sink.org ?? query.get('org') ?? '',
      bucket: sink.bucket ?? query.get('bucket') ?? 'edgewood',
      precision: 'ns',
    });
    const tags = lineTags(
      hostTags({ site: config.site, hostId, hostName: config.hostName, labels: config.labels }),
    );
    const body = line('edgewood_doctor', tags, { ok: { integer: 1 } }, Date.now()) as string;
    return {
      method: 'POST',
      path: `${base}/api/v2/write?${search}`,
      body,
      headers: { 'content-type': 'text/plain; charset=utf-8' },
    };
  }
  if (sink.format === 'alertmanager') {
    return { method: 'GET', path: `${base.replace(/\/api\/v2\/alerts$/, '')}/api/v2/status` };
  }
  return { method: 'HEAD', path: query.size === 0 ? path : `${path}?${query}` };
}

async function send(sink: SinkConfig, endpoint: HttpEndpoint, probe: Probe): Promise<IncomingMessage> {
  const { tls, host, port } = endpoint;
  const request = tls ? (await import('node:https')).request : requestHttp;
  return await new Promise((resolve, reject) => {
    const sent = request({
      host,
      port,
      method: probe.method,
      path: probe.path,
      headers: { ...probe.headers, ...authorization(sink) },
      timeout: ANSWER_MS,
      agent: false,
      ...(tls && tlsOptions(sink, host)),
    });
    sent.once('timeout', () => sent.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`)));
    sent.once('error', reject);
    sent.once('response', (response) => {
      response.destroy();
      resolve(response);
    });
    sent.end(probe.body);
  });
}

function authorization(sink: SinkConfig): Record<string, string> {
  const token = readSecret(sink, 'tokenFile');
  if (token !== undefined)
    return { authorization: `${sink.type === 'influx' ? 'Token' : 'Bearer'} ${token}` };
  const user = readSecret(sink, 'usernameFile') ?? sink.username;
  if (user === undefined) return {};
  const password = readSecret(sink, 'passwordFile') ?? '';
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
}

function verdict(
  sink: SinkConfig,
  area: string,
  { method }: Probe,
  { statusCode: status = 0 }: IncomingMessage,
  tookMs: string,
): Finding {
  const why = 'nothing is delivered there';
  if (status === 401 || status === 403) {
    return problem(area, `the server does not know this host (${status})`, {
      why,
      mend: `check ${sink.tokenFile === undefined ? 'tokenFile (none is set)' : sink.tokenFile}: is it the right token, may it write?`,
    });
  }
  if (status === 404) {
    return problem(area, 'the server knows no such place (404)', {
      why,
      mend: sink.type === 'influx' ? 'check org and bucket, and the path in url' : 'check the path in url',
    });
  }
  if (status >= 500) {
    return problem(area, `the server has troubles of its own (${status})`, {
      why,
      mend: "look into the server's log",
    });
  }
  if (method === 'HEAD') {
    return note(
      area,
      `answers (${status}, after ${tookMs} ms); whether it takes events shows with the first one`,
    );
  }
  if (status >= 200 && status < 300) {
    return ok(
      area,
      `${sink.type === 'influx' ? 'a point was written' : 'the Alertmanager is ready'} after ${tookMs} ms (${status})`,
    );
  }
  return problem(area, `the server says ${status}`, { why, mend: 'check url, org and bucket' });
}

/** A server's clock is another opinion on what time it is. */
function clockFinding(area: string, date: string | undefined): Finding[] {
  const offsetMs = date === undefined ? Number.NaN : Date.now() - Date.parse(date);
  if (!(Math.abs(offsetMs) > CLOCK_TOLERANCE_MS)) return [];
  const seconds = Math.round(Math.abs(offsetMs) / 1000);
  return [
    warning(area, `this host's clock is ${seconds} s ${offsetMs > 0 ? 'ahead of' : 'behind'} the server's`, {
      why: 'alerts and samples carry the time of this host',
      mend: 'timedatectl set-ntp true',
    }),
  ];
}
