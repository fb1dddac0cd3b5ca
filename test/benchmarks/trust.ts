/**
 * `npm run bench:trust [--interval 1000]`: what it takes to verify a release of a default model under the agent's V8
 * flags, how many bytes it is on the wire at a real broker, and whether the packaged agent misses a sample when it
 * switches. Verification are the signatures and contents of rollout and release, and the digests of chunks and
 * artifact; reading the model and its golden rows come beside it.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { circumstances, numberArgument, writeResult } from '../proofs/proof.ts';
import { signed, TestFleet } from '../support/signed.ts';
import { AGENT_FLAGS } from './agent-flags.ts';
import { encoded, releaseOf, type Verification, verifyOnce } from './trust/verification.ts';
import { takeTwo } from './trust/wire.ts';

const REPEATS = 60;
const FRESH_PROCESSES = 9;

const child = process.argv.indexOf('--child');
if (child >= 0) console.log(JSON.stringify(measure(process.argv[child + 1] as string)));
else await main();

interface Measured {
  readonly first: Verification;
  readonly median: Verification;
  readonly documentBytes: { readonly rollout: number; readonly release: number };
  readonly goldenRows: number;
  readonly chunks: number;
}

function sum({ rollout, release, chunks, artifact }: Verification): number {
  return rollout + release + chunks + artifact;
}

async function main(): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'edgewood-bench-'));
  try {
    const artifacts = [encoded(1), encoded(2)] as const;
    const path = join(work, 'model');
    writeFileSync(path, artifacts[0]);
    const runs = Array.from({ length: FRESH_PROCESSES }, () => {
      const args = [...AGENT_FLAGS, fileURLToPath(import.meta.url), '--child', path];
      const { status, stdout } = spawnSync(process.execPath, args, {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      if (status !== 0) throw new Error(`the measurement ended with ${status}`);
      return JSON.parse(stdout) as Measured;
    });
    // Of several processes the quickest: a machine that others use stretches all times, and shortens none.
    const quickest = (key: 'first' | 'median'): Verification =>
      runs.map((run) => run[key]).sort((a, b) => sum(a) - sum(b))[0] as Verification;
    const [first, warm] = [quickest('first'), quickest('median')];
    const { documentBytes, goldenRows, chunks } = runs[0] as Measured;
    const intervalMs = numberArgument('interval', 1000);
    const wire = await takeTwo(artifacts, intervalMs);
    const file = writeResult('benchmarks', 'trust', {
      ...circumstances(),
      command: `npm run bench:trust -- --interval ${intervalMs}`,
      agentFlags: AGENT_FLAGS,
      artifactBytes: artifacts[0].length,
      ...{ chunks, goldenRows, documentBytes },
      verificationMs: { first: sum(first), warm: sum(warm), allFirst: runs.map((run) => sum(run.first)) },
      partsMs: { first, warm },
      wire,
    });
    const parts = (of: Verification): string =>
      Object.entries(of)
        .map(([name, ms]) => `${name} ${ms.toFixed(2)}`)
        .join(', ');
    console.log(
      `verification ${sum(first).toFixed(2)} ms the first time in a process, ${sum(warm).toFixed(2)} after (at most 5). First: ${parts(first)}. After: ${parts(warm)}.`,
    );
    for (const { what, bytesIn, bytesOut, seconds } of wire.taken)
      console.log(`${what}: ${bytesIn} bytes in, ${bytesOut} out, ${seconds.toFixed(1)} s`);
    console.log(
      `${wire.samples} samples every ${wire.intervalMs} ms, missed ${wire.missed}, longest step ${wire.longestStepMs} ms, at the switches ${wire.atSwitchMs.join(', ')} ms; lateness p99 ${wire.lateMs.p99?.toFixed(1)} ms. ${file}`,
    );
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function measure(path: string): Measured {
  const fleet = new TestFleet(Date.now());
  const release = releaseOf(fleet, readFileSync(path), 1);
  const rollout = signed(fleet.rollout(1, release), fleet.operatorKey);
  const all = Array.from({ length: REPEATS }, () => verifyOnce(fleet, release, rollout));
  return {
    first: all[0] as Verification,
    median: medianOf(all.slice(1)),
    documentBytes: { rollout: rollout.length, release: release.envelope.length },
    goldenRows: release.document.golden.length,
    chunks: release.chunks.length,
  };
}

function medianOf(all: readonly Verification[]): Verification {
  const middle = (key: keyof Verification): number =>
    all.map((one) => one[key]).sort((a, b) => a - b)[all.length >> 1] as number;
  const keys = Object.keys(all[0] as Verification) as (keyof Verification)[];
  return Object.fromEntries(keys.map((key) => [key, middle(key)])) as unknown as Verification;
}
