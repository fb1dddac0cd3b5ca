import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exportModel } from '../../models/exchange/export.ts';
import { tinyIsolationForest } from '../support/artifacts.ts';
import { EXECUTABLE, hasExecutable } from '../support/executable.ts';
import { writeRecording } from '../support/recording.ts';

/**
 * Every command's `--help` shows an example, and every example is run as it stands: by a shell, as a user without any
 * rights, beside a running agent. The table says what comes of each; an example that is not in it fails.
 */
interface Outcome {
  readonly codes: readonly (number | string)[];
  readonly says: RegExp;
  /** Runs until it has said so; then it is told to stop. */
  readonly lasting?: true;
}

const FILE = '/etc/edgewood/agent.yaml';
const fine = (says: RegExp): Outcome => ({ codes: [0], says });
const OUTCOMES: Readonly<Record<string, Outcome>> = {
  'agent --mqtt mqtt://broker:1883 --labels role=web': { codes: [0], says: /agent\.started/, lasting: true },
  'agent --source replay:week.csv.gz --pace max --stdout': fine(/"type":"edgewood\.model\.activated"/),
  demo: { codes: [0, 'SIGTERM', 143, 130], says: /broker/i, lasting: true },
  'status --json': fine(/"state":"warming-up"/),
  doctor: { codes: [0, 1], says: /✓ agent: .*warming-up/ },
  'alerts list --limit 5': fine(/No incident so far/),
  'alerts tail': { codes: [0, 'SIGTERM', 143], says: /^$/, lasting: true },
  'alerts show 3f2a9c1d': { codes: [1], says: /no incident begins with "3f2a9c1d"/ },
  'alerts verdict 3f2a9c1d false --note "backup"': { codes: [1], says: /no incident begins with "3f2a9c1d"/ },
  'alerts missed --from 2h --to 90m --note "disk full"': fine(/^Missed: 20.* to 20.*: disk full\./),
  'snooze 2h --reason "disk swap"': fine(/No alerts: snoozed: disk swap, for another 2 h/),
  // Warming up: there is nothing to replace, and too little to learn from.
  'retrain --why "new release"': fine(/A new model is being fitted/),
  'rollback --why "too many alarms"': { codes: [1, 2, 3], says: /no model before this one/ },
  'log-level debug --for 10m': fine(/logs debug for 10 min, then info again/),
  [`config check ${FILE}`]: fine(/agent\.yaml: fine/),
  'config init --mqtt mqtts://broker:8883': { codes: [2], says: /can't be written \(EACCES\); as root/ },
  'config show': fine(/interval +5s +default/),
  'identity show': fine(/^host id /m),
  'identity renew': fine(/The host will be/),
  'identity keep': fine(/stays/),
  'decommission --yes': { codes: [2], says: /no sink of type mqtt is configured/ },
  'score current.edgewood week.csv.gz --explain': fine(
    /^timestamp,score,anomaly,base_value,contribution_cpu,/,
  ),
  'evaluate current.edgewood week.csv.gz --html report.html': fine(/report written to report\.html/),
  // A model of an hour knows no spread of its own; the figures are there.
  'drift current.edgewood week.csv.gz --html drift.html': fine(
    /undecided {2}no calibrated decision: the reference is .* long[\s\S]*D of all[\s\S]*report written to drift\.html/,
  ),
  'models sync --mlflow http://mlflow:5000': fine(/^Nothing waits for MLflow\.$/m),
  'validate week.csv.gz': fine(/✓ pass {2}week\.csv\.gz: 610 rows/),
  'train week.csv.gz --name db': fine(/✓ registered {2}db@1: /),
  'models list': fine(/^web@2 .*\nweb@1 .* production$/m),
  'models show web@production --markdown > CARD.md': fine(/^$/),
  'models alias web@2 production --expect 1': fine(/^web@production: version 1 -> version 2$/m),
  'models rollback web --why "too many alarms"': fine(/^web@production: version 2 -> version 1$/m),
  'models diff web@1 web@latest': fine(/^web@1 and web@2$/m),
  'models verify': fine(/✓ 3 versions: every file is there/),
  'models export web@1 --out web.json': fine(/^$/),
  'models import forest.json --name sk': fine(/^sk@1: 2 trees over cpu, memory/),
  'models log web': fine(/rollback {2}web@production: 2 -> 1 {2}\(too many alarms\)/),
  'hub --broker mqtts://broker --site lab --username hub --password-file hub.secret': {
    codes: [0],
    says: /hub\.disconnected.*broker:8883: the (host name is not known|name server)/,
    lasting: true,
  },
  'fleet status': fine(/The hub last wrote/),
  'fleet status --json': fine(/"stale":/),
  'fleet watch --json': { codes: [0], says: /"kind":"totals"/, lasting: true },
  'fleet verify --broker mqtts://broker --site lab': {
    codes: [3],
    says: /broker:8883: the (host name is not known|name server)/,
  },
  'fleet verify --check rollouts --repair --broker mqtts://broker --site lab': {
    codes: [3],
    says: /broker:8883: the (host name is not known|name server)/,
  },
  'fleet samples web-7 --from 7d --out samples --root root.1.json --key ops.key --broker mqtts://broker': {
    codes: [2],
    says: /ops\.key can't be read \(ENOENT\)/,
  },
  'fleet snooze web-7 web-8 --for 2h --reason "disk swap" --root root.1.json --key ops.key --broker mqtts://broker':
    {
      codes: [2],
      says: /ops\.key can't be read \(ENOENT\)/,
    },
  'fleet verdict web-7 3f2a9c1d false --note backup --root root.1.json --key ops.key --broker mqtts://broker':
    {
      codes: [2],
      says: /ops\.key can't be read \(ENOENT\)/,
    },
  'fleet self-test web-7 --root root.1.json --key ops.key --broker mqtts://broker': {
    codes: [2],
    says: /ops\.key can't be read \(ENOENT\)/,
  },
  'fleet broker --out broker --site berlin --tls-name broker.example': fine(/broker: sites berlin/),
  // The examples come in any order; the folder may not be there yet.
  'fleet enroll 3f2a9c1d5b7e8f60 --site berlin --broker-dir broker --out cred': {
    codes: [0, 2],
    says: /enrolled 1|unchanged 1|fleet broker --out/,
  },
  'fleet revoke 3f2a9c1d5b7e8f60 --site berlin --broker-dir broker': {
    codes: [0, 1, 2],
    says: /revoked 1|not enrolled here|fleet broker --out/,
  },
  'keys create dan': fine(/dan\.key {2}private key, mode 0600/),
  'keys fingerprint ann.pub root.1.json': fine(/^[0-9a-f ]{71} {2}root\.1\.json {2}root {2}acme 1$/m),
  'keys root show root.1.json': fine(/signatures +2 of 2: /),
  'keys root init --fleet acme --root-key ann.pub --root-key bob.pub --threshold 2 --release-key ann.pub --out root.1.json':
    { codes: [2], says: /root\.1\.json is there already/ },
  'keys root sign root.1.json --key ann.key': fine(/^signed: root 1 of fleet acme$/m),
  'keys root next root.1.json --add-root-key cyd.pub --remove-key bob --out root.2.json': fine(
    /of the root before +0 of 2; 2 more of: /,
  ),
  // Nobody has signed it yet.
  'keys root verify root.2.json --after root.1.json': {
    codes: [4],
    says: /root\.2\.json: 0 of the 2 signatures/,
  },
  'release show web@1': { codes: [2], says: /web@1 is not released yet: edgewood release create web@1/ },
  'release create web@production --root root.1.json --key ann.key': fine(/signatures +1 of 1: ann /),
  'release sign web-1.json --key bob.key': { codes: [2], says: /web-1\.json can't be found/ },
  'release show web@1 --root root.1.json': fine(/golden rows +64/),
  'release verify web@1 --root root.1.json': fine(/✓ release web@1 for fleet acme: hosts take it until/),
  'release publish web@1 --root root.1.json --broker mqtts://broker': {
    codes: [3],
    says: /mqtts:\/\/broker/,
  },
  'rollout start web@2 --root root.1.json --key ops.key --broker mqtts://broker --dry-run': {
    codes: [2],
    says: /web@2 is not released yet|ops\.key can't be read/,
  },
  'rollout advance web --root root.1.json --key ops.key --broker mqtts://broker': {
    codes: [2],
    says: /ops\.key can't be read \(ENOENT\)/,
  },
  'rollout advance web --root root.1.json --key ops.key --broker mqtts://broker --watch': {
    codes: [2],
    says: /ops\.key can't be read \(ENOENT\)/,
  },
  'rollout pause web --root root.1.json --key ops.key --broker mqtts://broker': {
    codes: [2],
    says: /ops\.key can't be read \(ENOENT\)/,
  },
  'rollout resume web --root root.1.json --key ops.key --broker mqtts://broker': {
    codes: [2],
    says: /ops\.key can't be read \(ENOENT\)/,
  },
  'rollout abort web --root root.1.json --key ops.key --broker mqtts://broker': {
    codes: [2],
    says: /ops\.key can't be read \(ENOENT\)/,
  },
  'rollout renew web --root root.1.json --key renewal.key --broker mqtts://broker': {
    codes: [2],
    says: /renewal\.key can't be read \(ENOENT\)/,
  },
  'rollout status web --broker mqtts://broker': { codes: [2], says: /there are no rollouts in/ },
  'rollout history web': { codes: [2], says: /there are no rollouts in/ },
  'service install': { codes: [2], says: /run it as root/ },
  'service uninstall': { codes: [2], says: /run it as root/ },
  'service status': { codes: [0, 1, 2, 3], says: /systemd|edgewood\.service|systemctl/ },
  'service status --json': { codes: [0, 1, 2, 3], says: /systemd|LoadState|systemctl/ },
  'version --json': fine(/"version":/),
  'licences > licences.txt': fine(/^$/),
};

let home = '';
let agent: ChildProcess | null = null;

describe.skipIf(!hasExecutable)('help', () => {
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'edgewood-help-'));
    for (const folder of ['bin', 'etc', 'state']) mkdirSync(join(home, folder));
    copyFileSync(EXECUTABLE, join(home, 'bin', 'edgewood'));
    writeFileSync(join(home, 'etc', 'agent.yaml'), 'interval: 5s\n');
    const recording = readFileSync(writeRecording(join(home, 'week.csv')));
    writeFileSync(join(home, 'state', 'week.csv.gz'), gzipSync(recording), { mode: 0o644 });
    for (const path of [home, 'bin', 'etc', 'state', 'bin/edgewood', 'etc/agent.yaml']) {
      chmodSync(path === home ? home : join(home, path), path === 'state' || path === home ? 0o777 : 0o755);
    }
    const replayed = shell(
      'exec edgewood agent --source replay:week.csv.gz --pace max',
      join(home, 'state', 'made'),
    );
    expect((await ended(replayed)).code).toBe(0);
    copyFileSync(
      join(home, 'state', 'made', 'models', 'current.edgewood'),
      join(home, 'state', 'current.edgewood'),
    );
    chmodSync(join(home, 'state', 'current.edgewood'), 0o644);
    const forest = join(home, 'state', 'forest.json');
    writeFileSync(forest, JSON.stringify(exportModel(tinyIsolationForest())), { mode: 0o644 });
    const add = 'edgewood models import forest.json --name web';
    expect((await ended(shell(`${add} && ${add} && edgewood models alias web@1 production`))).code).toBe(0);
    const keys = 'for name in ann bob cyd; do edgewood keys create $name; done';
    const init =
      'edgewood keys root init --fleet acme --root-key ann.pub --root-key bob.pub --threshold 2 --release-key ann.pub --out root.1.json';
    const sign = 'edgewood keys root sign root.1.json --key ann.key --key bob.key';
    expect((await ended(shell(`${keys} && ${init} && ${sign}`))).code).toBe(0);
    writeFileSync(join(home, 'state', 'hub.secret'), 'secret\n', { mode: 0o644 });
    const payload = Buffer.from(
      JSON.stringify({ site: 'lab', hostId: 'web-7', commandId: 'c-1', name: 'send-samples' }),
    ).toString('base64');
    writeFileSync(join(home, 'state', 'web-7.cmd.json'), JSON.stringify({ payload }), { mode: 0o644 });
    agent = shell('edgewood agent --interval 1s', join(home, 'state', 'one'));
    await said(agent, /agent\.started/);
  });

  afterAll(async () => {
    if (agent !== null) {
      const gone = new Promise((resolve) => agent?.once('close', resolve));
      process.kill(-(agent.pid as number), 'SIGKILL');
      await gone;
    }
    rmSync(home, { recursive: true, force: true });
  });

  test('every command shows an example, and every example does what it says', {
    timeout: 240_000,
  }, async () => {
    const found = new Set<string>();
    await collect([], found);
    expect([...found].sort()).toEqual(Object.keys(OUTCOMES).sort());
    for (const example of found) await check(example, OUTCOMES[example] as Outcome);
  });
});

/** Walks the help of every command. */
async function collect(path: readonly string[], found: Set<string>): Promise<void> {
  const child = shell(['edgewood', ...path, '--help'].join(' '));
  const { code, out } = await ended(child);
  expect(code).toBe(0);
  const section = /\nExamples:\n([\s\S]*?)(\n\n|$)/.exec(out)?.[1] ?? '';
  const examples: string[] = [];
  for (const line of section.split('\n')) {
    // A long example goes on in the next line, two blanks in; a long description further to the right.
    const [, words = ''] = /^ {2}(\S.*?)(?: {2,}.*)?$/.exec(line) ?? [];
    if (words.startsWith('edgewood ')) examples.push(words.slice('edgewood '.length));
    else if (words !== '') examples.push(`${examples.pop()} ${words}`);
  }
  const commands = [
    ...(/\nCommands:\n([\s\S]*?)\n\n/.exec(out)?.[1] ?? '').matchAll(/^ {2}edgewood (.+?) {2,}/gm),
  ];
  if (path.length > 0) expect([path.join(' '), examples.length > 0]).toEqual([path.join(' '), true]);
  for (const example of examples) found.add(example.trim());
  for (const [, words = ''] of commands) {
    const name = words.split(' ').filter((word) => !/^[<[]/.test(word));
    await collect(name, found);
  }
}

async function check(example: string, { codes, says, lasting }: Outcome): Promise<void> {
  const lasts = lasting === true;
  // An agent gets a place of its own.
  const own = join(home, 'state', example.startsWith('agent') ? `of${example.length}` : 'one');
  const child = shell(`exec edgewood ${example.replace(FILE, join(home, 'etc', 'agent.yaml'))}`, own);
  if (lasts) {
    if (says.source !== '^$') await said(child, says);
    process.kill(-(child.pid as number), 'SIGTERM');
  }
  const { code, out } = await ended(child);
  expect([example, codes.includes(code), code]).toEqual([example, true, code]);
  if (says.source !== '^$') expect(out).toMatch(says);
}

/** A line of a shell, in a group of its own, as nobody. */
function shell(line: string, stateDir = join(home, 'state', 'one')): ChildProcess {
  const identity = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  const env = {
    PATH: `${join(home, 'bin')}:/usr/bin:/bin`,
    EDGEWOOD_STATE_DIR: stateDir,
    EDGEWOOD_CONFIG: '',
    EDGEWOOD_REGISTRY: join(home, 'state', 'registry'),
    COLUMNS: '100',
  };
  const child = spawn('/bin/sh', ['-c', line], {
    cwd: join(home, 'state'),
    env,
    detached: true,
    ...identity,
  });
  outputs.set(child, '');
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => outputs.set(child, outputs.get(child) + chunk.toString()));
  }
  return child;
}

const outputs = new WeakMap<ChildProcess, string>();

function ended(child: ChildProcess): Promise<{ code: number | string; out: string }> {
  return new Promise((resolve) => {
    child.once('close', (code, signal) =>
      resolve({ code: code ?? signal ?? 'unknown', out: outputs.get(child) ?? '' }),
    );
  });
}

function said(child: ChildProcess, what: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if (what.test(outputs.get(child) ?? '')) resolve();
    };
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', look);
    child.once('close', () => reject(new Error(`it ended without ${what}: ${outputs.get(child)}`)));
    look();
  });
}
