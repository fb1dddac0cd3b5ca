import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseDurationMs } from '../../../agent/units.ts';
import type { CommandSender } from '../../../hub/commands.ts';
import { type Samples, samplesCsv } from '../../../hub/samples.ts';
import { keepSamples } from '../../../hub/store/samples.ts';
import { BrokerClient } from '../../broker/client.ts';
import { type BrokerOptions, brokerConfig } from '../../broker/options.ts';
import { Exit, UserError } from '../../errors.ts';
import { writeOutput } from '../../files.ts';
import { ask, type Question } from '../../hub/ask.ts';
import { SealedSender, sealedCommand } from '../../hub/sealed-command.ts';
import { hubStateDir, openHubDatabase } from '../../hub/state.ts';

export interface FleetSamplesOptions extends BrokerOptions {
  readonly command: readonly string[];
  readonly out?: string | undefined;
  readonly store: boolean;
  readonly timeout: string;
  readonly 'state-dir'?: string | undefined;
  readonly json: boolean;
}

const MAX_ENVELOPE_BYTES = 192 * 1024;
/** Of one host's answer: a week of samples at 5 s, four metrics, is about 6 MB. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** Samples of hosts, asked for by signed commands; what `train` reads. */
export async function run(args: FleetSamplesOptions): Promise<number> {
  if (args.out === undefined && !args.store) throw new UserError('where to? --out DIR, --store, or both');
  const timeoutMs = parseDurationMs(args.timeout);
  if (timeoutMs === null || timeoutMs < 1000 || timeoutMs > 3_600_000)
    throw new UserError(`--timeout: expected 1s to 1h, found "${args.timeout}"`);
  const commands = args.command.map((path) => sealedCommand(path, envelopeIn(path)));
  const stray = commands.find(({ name }) => name !== 'send-samples');
  if (stray !== undefined)
    throw new UserError(`${stray.path}: is a command "${stray.name}", expected send-samples`);
  if (args.out !== undefined) mkdirSync(args.out, { recursive: true });
  const questions = commands.map((command) => ({ ...command, timeoutMs, maxBytes: MAX_ANSWER_BYTES }));
  return collect(args, questions, new SealedSender(commands));
}

/** Asks each host, and keeps what comes. Exit code 1 where one did not answer with samples. */
async function collect(
  args: Pick<FleetSamplesOptions, 'out' | 'store' | 'state-dir' | 'json'> & BrokerOptions,
  questions: readonly Question[],
  senderOf: SealedSender,
): Promise<number> {
  const listeners = new Map<string, (payload: Uint8Array) => void>();
  const broker = await BrokerClient.connect(brokerConfig(args), {
    purpose: 'fleet-samples',
    messages: ({ topic, payload }) => listeners.get(topic)?.(payload),
  });
  const sender: CommandSender = senderOf.over(broker);
  let failed = 0;
  try {
    for (const question of questions) {
      const answer = await ask(broker, sender, listeners, question);
      if ('fault' in answer) failed++;
      else keep(args, question, answer);
      tell(args, question, answer);
    }
  } finally {
    await broker.close();
  }
  return failed === 0 ? Exit.done : Exit.checkSaysNo;
}

function keep(
  args: Pick<FleetSamplesOptions, 'out' | 'store' | 'state-dir'>,
  { site, hostId }: Question,
  samples: Samples,
): void {
  if (args.out !== undefined) writeOutput(join(args.out, `${hostId}.csv`), samplesCsv(samples));
  if (args.store) keepSamples(hubStateDir(args['state-dir']), openHubDatabase, { site, hostId }, samples);
}

function tell(
  { json, out }: Pick<FleetSamplesOptions, 'json' | 'out'>,
  { site, hostId }: Question,
  answer: Samples | { readonly fault: string },
): void {
  const fault = 'fault' in answer ? answer.fault : null;
  const rows = 'fault' in answer ? 0 : answer.rows.length;
  if (json) process.stdout.write(`${JSON.stringify({ site, hostId, rows, fault })}\n`);
  else if (fault !== null) process.stdout.write(`✗ ${site}/${hostId}: ${fault}\n`);
  else
    process.stdout.write(
      `✓ ${site}/${hostId}: ${rows} samples${out === undefined ? '' : ` in ${join(out, `${hostId}.csv`)}`}\n`,
    );
}

function envelopeIn(path: string): Uint8Array {
  try {
    if (statSync(path).size > MAX_ENVELOPE_BYTES) throw Object.assign(new Error(), { code: 'too large' });
    return readFileSync(path);
  } catch (error) {
    throw new UserError(`${path}: can't be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
