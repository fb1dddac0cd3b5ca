import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundle } from '../../build/bundle.ts';

const facts = { version: '1.2.3', commit: 'abc1234', target: 'linux-x64' };
const fixture = (name: string): string => `test/build/fixtures/${name}.ts`;
const haveOpenssl = spawnSync('openssl', ['version']).status === 0;
/** Systems where the tests run often keep a second, older Node. */
const olderNode = ['/usr/bin/node', '/usr/local/bin/node'].find(
  (path) =>
    existsSync(path) &&
    Number.parseInt(execFileSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8' }), 10) < 26,
);

let work = '';
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'edgewood-bundle-'));
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

describe('the bundle', () => {
  it('evaluates a module behind import() only when it is asked for', async () => {
    const file = join(work, 'lazy.cjs');
    await bundle(file, facts, fixture('lazy'));
    expect(execFileSync(process.execPath, [file], { encoding: 'utf8' })).toBe('entry ');
    expect(execFileSync(process.execPath, [file, 'more'], { encoding: 'utf8' })).toBe(
      'entry evaluated part\n',
    );
  });

  it.skipIf(!haveOpenssl)(
    'keeps mqtt.js working over TCP and TLS without ws, socks and readable-stream',
    async () => {
      const [key, cert] = [join(work, 'key.pem'), join(work, 'cert.pem')];
      const request = [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '2',
      ];
      const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
      execFileSync('openssl', [...request, ...names, '-keyout', key, '-out', cert], { stdio: 'pipe' });
      const file = join(work, 'broker.cjs');
      const { inputs } = await bundle(file, facts, fixture('broker'));
      const packages = new Set(Object.keys(inputs).map((input) => /node_modules\/([^/]+)/.exec(input)?.[1]));
      for (const stubbed of ['ws', 'socks', 'worker-timers', 'debug', 'readable-stream']) {
        expect(packages).not.toContain(stubbed);
      }
      const { stdout, stderr } = spawnSync(process.execPath, [file, key, cert], {
        encoding: 'utf8',
        timeout: 20_000,
      });
      expect(stderr).toBe('');
      expect(stdout).toBe('over TCP, over TLS\n');
    },
  );

  it('is the same every time, holds no character beyond Latin-1 (V8 would take two bytes for each), and carries its version', async () => {
    const [one, other] = [join(work, 'one.cjs'), join(work, 'other.cjs')];
    await bundle(one, facts);
    await bundle(other, facts);
    const text = readFileSync(one, 'utf8');
    expect(text).toBe(readFileSync(other, 'utf8'));
    expect([...text].every((character) => character <= '\xff')).toBe(true);
    expect(text).toContain('abc1234');
  });

  it.skipIf(olderNode === undefined)('tells an older Node what it needs, as does the launcher', async () => {
    const file = join(work, 'edgewood.cjs');
    await bundle(file, facts);
    const { status, stdout, stderr } = spawnSync(olderNode!, [file, '--version'], { encoding: 'utf8' });
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^edgewood: needs Node >= 26, found \d+\.\d+\.\d+ .*\n$/);
    // The launcher finds the pinned runtime and goes on with that.
    const launched = spawnSync(olderNode!, ['build/run.mjs', 'cli/main.ts', '--version'], {
      encoding: 'utf8',
    });
    expect(launched.stdout).toMatch(/^edgewood \d+\.\d+\.\d+ \(commit source, node v26\./);
  });
});
