/**
 * `npm run bench:scale [--clients 9500] [--seconds 300]`: unit costs that no other benchmark gives, for docs/SCALING.md.
 * One packaged agent on the wire; a Mosquitto under many clients that have the agent's own protocol, by processor time
 * and memory for each thing it does; a hub; the verification of documents. Figures are processor time, not wall time, so
 * that other programs on the machine disturb them little. It needs 20,000 open files for 9,500 clients (`ulimit -n`).
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { circumstances, has, numberArgument, writeResult } from '../proofs/proof.ts';
import { firstTries } from '../proofs/reconnect/backoff.ts';
import { hasExecutable } from '../support/executable.ts';
import { hasMosquitto } from '../support/mosquitto.ts';
import { AGENT_FLAGS } from './agent-flags.ts';
import { alertBytes, measureAgent } from './scale/agent.ts';
import { measureBroker } from './scale/broker.ts';
import { measureHub } from './scale/hub.ts';

/** As large as with many metrics: `alertBytes` has those of four. */
const ALERT_BYTES = 3600;
const TELEMETRY_BYTES = 900;
const REPORTED_BYTES = 1200;
const AGENTS = 100_000;
const OUTAGES_MS = [10_000, 60_000, 600_000];

process.exitCode = await main();

async function main(): Promise<number> {
  if (!hasMosquitto || !hasExecutable) {
    console.error(
      'bench:scale: mosquitto (Debian package) and the executable (npm run build:executable) are needed',
    );
    return 3;
  }
  const clients = numberArgument('clients', 9500);
  const seconds = numberArgument('seconds', 300);
  const say = (what: string, figures: unknown): void => console.log(`${what}: ${JSON.stringify(figures)}`);
  const child = [...AGENT_FLAGS, join(import.meta.dirname, 'scale', 'verify-child.ts')];
  const verification = JSON.parse(execFileSync(process.execPath, child, { encoding: 'utf8' })) as {
    rolloutBytes: number;
    chunkBytes: number;
  };
  say('verification', verification);
  const alerts = await alertBytes();
  say('alert bytes', alerts);
  // It sleeps most of the time: the others are measured meanwhile.
  const agentMeasured = has('no-agent') ? Promise.resolve(null) : measureAgent(seconds);
  const broker = await measureBroker(clients, {
    telemetry: TELEMETRY_BYTES,
    reported: REPORTED_BYTES,
    rollout: verification.rolloutBytes,
    chunk: verification.chunkBytes,
  });
  say('broker', broker);
  const hub = await measureHub(10_000, 10_000, { telemetry: TELEMETRY_BYTES, event: ALERT_BYTES });
  say('hub', hub);
  const storms = OUTAGES_MS.map((downMs) => {
    const { perSecond, ...spread } = firstTries(AGENTS, downMs, 1);
    return { downMs, agents: AGENTS, ...spread, mostShareASecond: spread.mostInASecond / AGENTS };
  });
  say('storms', storms);
  const agent = await agentMeasured;
  say('agent', agent);
  const file = writeResult('benchmarks', 'scale', {
    ...circumstances(),
    command: `npm run bench:scale -- --clients ${clients} --seconds ${seconds}`,
    agent,
    alertBytes: alerts,
    verification,
    broker,
    hub,
    storms,
  });
  console.log(file);
  return 0;
}
