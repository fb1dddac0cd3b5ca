import { lookup } from 'node:dns/promises';
import { connect } from 'node:net';
import type { AgentConfig, SinkConfig } from '../../agent/config/config.ts';
import { checkFiles, openSecrets } from '../../agent/sinks/files.ts';
import { networkWords } from '../../agent/sinks/network-words.ts';
import { type Finding, ok, problem, warning } from './finding.ts';
import { checkTls, isAddress } from './tls.ts';

const CONNECT_MS = 10_000;

/** Whom the doctor speaks for. */
export interface Patient {
  readonly config: AgentConfig;
  readonly hostId: string;
  readonly version: string;
}

/** Each sink for real: resolve, connect, TLS, authorise, a round trip. What fails ends the way of that sink. */
export async function checkSinks(patient: Patient): Promise<Finding[]> {
  const { sinks } = patient.config;
  if (sinks.length === 0) {
    return [
      warning('sinks', 'there are none', {
        why: 'nobody is told of anything; alerts are to be seen with `edgewood alerts` alone',
        mend: 'name a broker in the configuration, or start the agent with --mqtt',
      }),
    ];
  }
  const found = await Promise.all(sinks.map((sink) => checkSink(sink, patient)));
  return found.flat();
}

async function checkSink(sink: SinkConfig, patient: Patient): Promise<Finding[]> {
  const area = `sink ${sink.name}`;
  if (sink.type === 'stdout') return [ok(area, 'writes to stdout')];
  const findings: Finding[] = [];
  try {
    checkFiles(sink);
    for (const { key, path, mode } of openSecrets(sink)) {
      findings.push(
        warning(area, `${key} ${path} can be read by everybody (mode ${mode.toString(8)})`, {
          why: 'whoever reads it can speak for this host',
          mend: `chmod o-rwx ${path}`,
        }),
      );
    }
    const { host, port, tls, target } = await endpointOf(sink);
    findings.push(...(await reach(area, host, port)));
    if (findings.some(({ status }) => status === 'problem')) return findings;
    if (tls) findings.push(...(await checkTls(sink, area, host, port)));
    if (findings.some(({ status }) => status === 'problem')) return findings;
    if (!tls && !isLoopback(host)) findings.push(unencrypted(area, sink));
    const { roundTrip } =
      sink.type === 'mqtt' ? await import('./round-trip-mqtt.ts') : await import('./round-trip-http.ts');
    findings.push(...(await roundTrip(sink, area, patient, target)));
  } catch (error) {
    findings.push(
      problem(area, error instanceof Error ? error.message : String(error), {
        why: 'nothing is delivered there',
        mend: 'correct the configuration, then: edgewood config check',
      }),
    );
  }
  return findings;
}

async function endpointOf(
  sink: SinkConfig,
): Promise<{ host: string; port: number; tls: boolean; target: string }> {
  if (sink.type === 'mqtt') return (await import('../../agent/sinks/mqtt/transport.ts')).parseEndpoint(sink);
  return (await import('../../agent/sinks/http/endpoint.ts')).parseHttpEndpoint(sink);
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || host.startsWith('127.');

function unencrypted(area: string, sink: SinkConfig): Finding {
  const secret = sink.passwordFile !== undefined || sink.tokenFile !== undefined;
  return warning(area, `is not encrypted${secret ? ', and a secret goes over it' : ''}`, {
    why: 'anybody in between can read and change what is sent',
    mend: `use ${sink.type === 'mqtt' ? 'mqtts://' : 'https://'} and, for an authority of your own, caFile`,
  });
}

async function reach(area: string, host: string, port: number): Promise<Finding[]> {
  let resolved = '';
  if (!isAddress(host)) {
    try {
      const addresses = await lookup(host, { all: true });
      resolved = ` (${addresses.map(({ address }) => address).join(', ')})`;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      return [
        problem(area, `the name ${host} can't be resolved (${code})`, {
          why: 'nothing is delivered there',
          mend: `check the name in url, and the DNS of this host: getent hosts ${host}`,
        }),
      ];
    }
  }
  const beganMs = performance.now();
  try {
    await new Promise<void>((resolve, reject) => {
      const socket = connect({ host, port });
      socket.setTimeout(CONNECT_MS, () =>
        socket.destroy(new Error(`no answer within ${CONNECT_MS / 1000} s`)),
      );
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.destroy();
        resolve();
      });
    });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return [
      problem(
        area,
        `${host}:${port}${resolved} can't be reached: ${networkWords(code, 'server') ?? message}`,
        {
          why: 'events wait in the outbox, and the oldest are dropped when it is full',
          mend: 'is the server up, the port right, the firewall open?',
        },
      ),
    ];
  }
  return [ok(area, `${host}:${port}${resolved} reached in ${(performance.now() - beganMs).toFixed(0)} ms`)];
}
