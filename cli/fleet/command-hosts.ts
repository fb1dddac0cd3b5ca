import { randomUUID } from 'node:crypto';
import { printable } from '../../agent/log.ts';
import { parseDurationMs } from '../../agent/units.ts';
import { topicLevelFault } from '../../core/protocol/topics.ts';
import { type CommandName, MAX_COMMAND_MS } from '../../core/protocol/trust.ts';
import { BrokerClient } from '../broker/client.ts';
import { type BrokerOptions, brokerConfig, brokerSites } from '../broker/options.ts';
import { Exit, UserError } from '../errors.ts';
import { Answers, CommandFault } from '../hub/ask.ts';
import { SigningSender } from '../hub/signing-sender.ts';
import { Progress } from '../progress.ts';
import { readDocumentFile } from '../trust/envelope-file.ts';
import { readRoot, validRoot } from '../trust/root-file.ts';
import { type SigningOptions, signingKeys } from '../trust/signing-keys.ts';

/** Of every command that operators sign. */
export interface CommandOptions extends BrokerOptions, SigningOptions {
  readonly host: string | readonly string[];
  readonly root: string;
  readonly timeout: string;
  readonly json: boolean;
}

export interface Host {
  readonly site: string;
  readonly hostId: string;
}

/** Asks the host once. @throws CommandFault */
export type Ask = (args: Readonly<Record<string, unknown>>) => Promise<readonly unknown[]>;

/** What came of it, for people and for programs. */
export interface Told {
  readonly text: string;
  readonly json: Readonly<Record<string, unknown>>;
}

const AT_ONCE = 8;
const MOST_HOSTS = 10_000;
/** A clock that is a little off is no reason to turn a command away. */
const LEAST_LIFE_MS = 300_000;
const MAX_ANSWER_BYTES = 64 * 1024;
const NOT_HEARD =
  'A host that does not answer is away, or its agent can not verify who asks: it has no root (central.root), another one, or a clock that is off. It refuses without a word, and counts in `reported` what it refused';

/**
 * Does with each host what `work` says, by commands that are signed here; tells what came of each as it comes.
 * @returns 3 where a host kept silent, 1 where one said no
 */
export async function commandHosts(
  options: CommandOptions,
  name: CommandName,
  work: (ask: Ask, host: Host) => Promise<Told>,
  maxAnswerBytes = MAX_ANSWER_BYTES,
): Promise<number> {
  const timeoutMs = parseDurationMs(options.timeout);
  if (timeoutMs === null || timeoutMs < 1000 || timeoutMs > MAX_COMMAND_MS)
    throw new UserError(`--timeout: expected 1s to 1h, found "${options.timeout}"`);
  const hosts = hostsOf(options);
  const config = brokerConfig(options);
  const root = { ...readRoot(options.root), bytes: readDocumentFile(options.root) };
  const keys = signingKeys(options, validRoot(options.root, Date.now()), name);
  if (keys.length === 0)
    throw new UserError(`name the private key that signs ${name} commands with --key FILE`);
  const answers = new Answers();
  const broker = await BrokerClient.connect(config, { purpose: `fleet-${name}`, messages: answers.take });
  const lifeMs = Math.max(timeoutMs, LEAST_LIFE_MS);
  const sender = new SigningSender(broker, { root, keys, lifeMs, nowMs: Date.now });
  const progress = new Progress(!options.json && hosts.length > 1);
  const silent: Host[] = [];
  let failed = 0;
  let done = 0;
  const one = async (host: Host): Promise<void> => {
    const ask: Ask = (args) =>
      answers.ask(broker, sender, {
        ...host,
        commandId: randomUUID(),
        name,
        arguments: args,
        timeoutMs,
        maxBytes: maxAnswerBytes,
      });
    const line = await told(options.json, host, () => work(ask, host));
    if (line.fault === 'silent') silent.push(host);
    if (line.fault === 'failed') failed++;
    progress.end();
    process.stdout.write(line.text);
    progress.step(++done, hosts.length, 'hosts');
  };
  try {
    const waiting = hosts.values();
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (const host of waiting) await one(host);
      }),
    );
  } finally {
    progress.end();
    await broker.close();
  }
  if (silent.length > 0) {
    const names = silent.map(shown).join(', ');
    throw new UserError(`no answer from ${names}. ${NOT_HEARD}.`, Exit.unreachable);
  }
  return failed === 0 ? Exit.done : Exit.checkSaysNo;
}

const shown = ({ site, hostId }: Host): string => `${printable(site)}/${printable(hostId)}`;

/** One line. What a host says is data: its control characters are shown, not obeyed. */
async function told(
  json: boolean,
  host: Host,
  work: () => Promise<Told>,
): Promise<{ readonly text: string; readonly fault: CommandFault['kind'] | null }> {
  try {
    const { text, json: about } = await work();
    return {
      text: json
        ? `${JSON.stringify({ ...host, fault: null, ...about })}\n`
        : `✓ ${shown(host)}: ${printable(text)}\n`,
      fault: null,
    };
  } catch (error) {
    if (!(error instanceof CommandFault)) throw error;
    const { kind, message } = error;
    return {
      text: json
        ? `${JSON.stringify({ ...host, fault: { kind, message } })}\n`
        : `✗ ${shown(host)}: ${printable(message)}\n`,
      fault: kind,
    };
  }
}

/** `ID` at the one site that is named, or `SITE/ID`. @throws UserError */
function hostsOf(options: CommandOptions): Host[] {
  const sites = brokerSites(options);
  const names = [...new Set([options.host].flat())];
  if (names.length > MOST_HOSTS) throw new UserError(`${names.length} hosts: at most ${MOST_HOSTS} at once`);
  return names.map((text) => {
    const levels = text.split('/');
    const [site = '', hostId = ''] = levels.length === 1 ? [sites[0], text] : levels;
    if (levels.length === 1 && sites.length > 1)
      throw new UserError(
        `${printable(text)}: at which site? Write SITE/${printable(text)}, or name one --site`,
      );
    const fault =
      levels.length > 2 ? 'expected HOST or SITE/HOST' : (topicLevelFault(site) ?? topicLevelFault(hostId));
    if (fault !== null) throw new UserError(`${JSON.stringify(text)} is no host: ${fault}`);
    return { site, hostId };
  });
}

/** The only part of an answer, as an object. @throws CommandFault for another shape */
export function onlyResult(results: readonly unknown[]): Readonly<Record<string, unknown>> {
  const [result] = results;
  if (results.length === 1 && typeof result === 'object' && result !== null && !Array.isArray(result))
    return result as Readonly<Record<string, unknown>>;
  throw new CommandFault('failed', 'answered with something else than was asked for');
}
