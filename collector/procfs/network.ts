import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { type CounterRepairs, counterDelta, usableElapsed } from '../counter.ts';
import { chooseInterfaces, type InterfaceChoice } from '../interfaces.ts';
import { type Family, position, REFRESH_MS, type Reading } from './family.ts';
import { ProcFile } from './file.ts';
import { Scanner } from './scan.ts';

/** One line of /proc/net/dev, since the interface came up. */
export interface InterfaceCounters {
  readonly rxBytes: number;
  readonly txBytes: number;
  /** Errors and drops, both directions. */
  readonly errors: number;
}

/** By interface. Lines that are no interface (the two of the heading, garbage) are left out. */
export function parseNetwork(text: string): Map<string, InterfaceCounters> {
  const interfaces = new Map<string, InterfaceCounters>();
  const scan = new Scanner(text);
  do {
    const start = scan.at;
    const end = text.indexOf('\n', start);
    // The last colon: an alias such as eth0:1 has one in its name.
    const colon = text.lastIndexOf(':', end < 0 ? text.length : end);
    if (colon < start) continue;
    scan.at = colon + 1;
    const rxBytes = scan.number();
    scan.skip(1);
    const rxErrors = scan.number();
    const rxDrops = scan.number();
    scan.skip(4);
    const txBytes = scan.number();
    scan.skip(1);
    const txErrors = scan.number();
    const txDrops = scan.number();
    const errors = rxErrors + rxDrops + txErrors + txDrops;
    if (Number.isNaN(rxBytes + txBytes + errors)) continue;
    interfaces.set(text.slice(start, colon).trim(), { rxBytes, txBytes, errors });
  } while (scan.nextLine());
  return interfaces;
}

export interface NetworkRates {
  readonly rx: number;
  readonly tx: number;
  readonly errors: number;
  readonly repairs: CounterRepairs;
}

/**
 * Bytes and errors per second, summed over the chosen interfaces that stand in both readings: one that came
 * counts from its second reading on, one that went takes its counters along. NaN where none stands in both.
 */
export function networkRates(
  previous: ReadonlyMap<string, InterfaceCounters> | null,
  current: ReadonlyMap<string, InterfaceCounters>,
  elapsedMs: number,
  chosen: ReadonlySet<string>,
): NetworkRates {
  const repairs = { wrapped: 0, reset: 0 };
  let rx = Number.NaN;
  let tx = Number.NaN;
  let errors = Number.NaN;
  if (previous && usableElapsed(elapsedMs)) {
    const perSecond = 1000 / elapsedMs;
    let common = false;
    for (const [name, now] of current) {
      const before = chosen.has(name) ? previous.get(name) : undefined;
      if (!before) continue;
      if (!common) rx = tx = errors = 0;
      common = true;
      rx += counterDelta(before.rxBytes, now.rxBytes, repairs) * perSecond;
      tx += counterDelta(before.txBytes, now.txBytes, repairs) * perSecond;
      errors += counterDelta(before.errors, now.errors, repairs) * perSecond;
    }
  }
  return { rx, tx, errors, repairs };
}

/** Interfaces counted elsewhere: bond slaves and VLANs by /proc/net, bridges by sysfs. */
function lowerInterfaces(root: string, sysRoot: string, names: Iterable<string>): Set<string> {
  const lower = new Set<string>();
  try {
    for (const bond of readdirSync(`${root}/net/bonding`)) {
      const text = readFileSync(`${root}/net/bonding/${bond}`, 'utf8');
      for (const slave of text.matchAll(/^Slave Interface: (\S+)/gm)) lower.add(slave[1]!);
    }
  } catch {
    // No bonding on this host.
  }
  for (const name of names) {
    const path = `${sysRoot}/class/net/${name}`;
    if (existsSync(`${root}/net/vlan/${name}`) || existsSync(`${path}/bridge`)) lower.add(name);
  }
  return lower;
}

const NETWORK = position('network');
const RX = position('network_rx');
const TX = position('network_tx');
const ERRORS = position('network_errors');

export class NetworkFamily implements Family {
  readonly name = 'network';
  readonly #root: string;
  readonly #sysRoot: string;
  readonly #choice: InterfaceChoice;
  readonly #file: ProcFile;
  #previous: Map<string, InterfaceCounters> | null = null;
  #chosen: ReadonlySet<string> = new Set();
  #known: ReadonlyMap<string, InterfaceCounters> = new Map();
  #chosenMs = Number.NEGATIVE_INFINITY;
  #everChosen = false;

  constructor(root: string, sysRoot: string, choice: InterfaceChoice) {
    this.#root = root;
    this.#sysRoot = sysRoot;
    this.#choice = choice;
    this.#file = new ProcFile(`${root}/net/dev`);
  }

  /** The interfaces summed up at the last reading. */
  get chosen(): ReadonlySet<string> {
    return this.#chosen;
  }

  read({ values, elapsedMs, nowMs, faults }: Reading): void {
    const previous = this.#previous;
    this.#previous = null;
    const text = this.#file.read();
    const current = parseNetwork(text);
    if (current.size === 0 && !text.includes('|')) throw new Error(`${this.#file.path} names no interface`);
    this.#choose(current, nowMs);
    this.#previous = current;
    const { rx, tx, errors, repairs } = networkRates(previous, current, elapsedMs, this.#chosen);
    // The last interface was pulled: that is silence, not ignorance.
    const gone = this.#chosen.size === 0 && this.#everChosen && previous && usableElapsed(elapsedMs);
    values[RX] = gone ? 0 : rx;
    values[TX] = gone ? 0 : tx;
    values[NETWORK] = gone ? 0 : rx + tx;
    values[ERRORS] = gone ? 0 : errors;
    faults.add('counterWrapped', repairs.wrapped);
    faults.add('counterReset', repairs.reset);
  }

  #choose(current: ReadonlyMap<string, InterfaceCounters>, nowMs: number): void {
    if (nowMs - this.#chosenMs < REFRESH_MS && sameKeys(current, this.#known)) return;
    const names = [...current.keys()];
    const lower = lowerInterfaces(this.#root, this.#sysRoot, names);
    this.#chosen = chooseInterfaces(names, this.#choice, lower);
    this.#everChosen ||= this.#chosen.size > 0;
    this.#known = current;
    this.#chosenMs = nowMs;
  }

  close(): void {
    this.#file.close();
  }
}

function sameKeys(a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): boolean {
  if (a.size !== b.size) return false;
  for (const key of a.keys()) if (!b.has(key)) return false;
  return true;
}
