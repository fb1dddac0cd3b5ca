import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { compareVersions } from '../../cli/service/install.ts';
import { SHIPPED_UNIT, unitFile } from '../../cli/service/unit.ts';
import { EXECUTABLE, hasExecutable } from '../support/executable.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const inCi = process.env['CI'] === 'true';
const has = (program: string): boolean => inCi || spawnSync('which', [program]).status === 0;
const MOST_EXPOSURE = 1.5;
const PACK_MS = 120_000;

test('deploy/systemd/edgewood.service is current', () => {
  const path = join(ROOT, 'deploy', 'systemd', 'edgewood.service');
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(path, unitFile(SHIPPED_UNIT));
  expect(readFileSync(path, 'utf8')).toBe(unitFile(SHIPPED_UNIT));
});

const HUB_UNIT = readFileSync(join(ROOT, 'deploy', 'systemd', 'edgewood-hub.service'), 'utf8');

/** The hub needs all that shuts the agent in, but for what is of the agent's work. */
test('deploy/systemd/edgewood-hub.service is as shut in as the agent', () => {
  const sandbox = (unit: string): string[] => unit.slice(unit.indexOf('NoNewPrivileges')).split('\n');
  const hub = new Set(sandbox(HUB_UNIT));
  expect(sandbox(unitFile(SHIPPED_UNIT)).filter((line) => !hub.has(line))).toEqual(['ProtectHome=read-only']);
  expect(hub).toContain('ProtectHome=yes');
});

const UNITS = {
  'edgewood.service': unitFile({ ...SHIPPED_UNIT, executable: EXECUTABLE }),
  'edgewood-hub.service': HUB_UNIT.replace(SHIPPED_UNIT.executable, EXECUTABLE),
};

describe.skipIf(!has('systemd-analyze') || !hasExecutable).each(Object.entries(UNITS))(
  '%s, by systemd-analyze',
  (name, text) => {
    const unit = (): string => {
      const path = join(temporaryDirectory(), name);
      writeFileSync(path, text);
      return path;
    };

    test('verify has nothing to say', () => {
      const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', unit()], {
        encoding: 'utf8',
      });
      expect(`${stdout}${stderr}`).toBe('');
      expect(status).toBe(0);
    });

    test('security: an exposure of at most 1.5', () => {
      const out = execFileSync('systemd-analyze', ['security', '--offline=true', '--no-pager', unit()], {
        encoding: 'utf8',
      });
      const exposure = Number(out.split(`exposure level for ${name}: `)[1]?.split(' ')[0]);
      expect(exposure).toBeLessThanOrEqual(MOST_EXPOSURE);
    });
  },
);

describe.skipIf(!has('dpkg-deb') || !has('lintian') || !hasExecutable)('the Debian package', () => {
  test('is built, has what it needs, and lintian has nothing to say', { timeout: PACK_MS }, () => {
    const deb = join(temporaryDirectory(), 'edgewood.deb');
    execFileSync(process.execPath, ['build/deb.ts', '--fast', '--executable', EXECUTABLE, '--out', deb], {
      cwd: ROOT,
      stdio: 'pipe',
    });
    const control = execFileSync('dpkg-deb', ['--field', deb], { encoding: 'utf8' });
    expect(control).toContain('libatomic1');
    expect(execFileSync('dpkg-deb', ['--info', deb, 'conffiles'], { encoding: 'utf8' })).toBe(
      '/etc/edgewood/agent.yaml\n',
    );
    const lintian = spawnSync('lintian', ['--allow-root', '--fail-on', 'error,warning', deb], {
      encoding: 'utf8',
    });
    expect(lintian.stdout).toBe('');
    expect(lintian.status).toBe(0);
  });
});

describe.skipIf(!hasExecutable)('the install script', () => {
  const install = (...args: string[]): { code: number | null; said: string } => {
    const { status, stderr } = spawnSync('sh', [join(ROOT, 'deploy', 'install.sh'), ...args], {
      encoding: 'utf8',
    });
    return { code: status, said: stderr };
  };
  const shipment = (): string => {
    const folder = temporaryDirectory();
    copyFileSync(EXECUTABLE, join(folder, 'edgewood-linux-x64'));
    const sums = execFileSync('sha256sum', ['edgewood-linux-x64'], { cwd: folder, encoding: 'utf8' });
    writeFileSync(join(folder, 'SHA256SUMS'), sums);
    return folder;
  };

  test.skipIf(process.arch !== 'x64')('installs nothing that its checksum does not cover', () => {
    const folder = shipment();
    appendFileSync(join(folder, 'edgewood-linux-x64'), 'x');
    expect(install('--from', folder)).toMatchObject({
      code: 4,
      said: expect.stringContaining('is not what SHA256SUMS says'),
    });
  });

  test.skipIf(process.arch !== 'x64')('nor what another list covers than the one that was told', () => {
    const told = '0'.repeat(64);
    expect(install('--from', shipment(), '--sums-sha256', told)).toMatchObject({
      code: 4,
      said: expect.stringContaining('nothing was installed'),
    });
  });

  test('says what it takes', () => {
    expect(install()).toMatchObject({ code: 2, said: expect.stringContaining('--from') });
    expect(install('--form', 'x')).toMatchObject({ code: 2, said: expect.stringContaining('--form') });
    expect(install('--from', 'http://example.org')).toMatchObject({
      code: 3,
      said: expect.stringContaining('only https'),
    });
    expect(install('--from', temporaryDirectory()).code).toBe(3);
  });
});

test.each([
  ['0.1.0', '0.1.0', 0],
  ['0.2.0', '0.10.0', -1],
  ['1.0.0', '0.99.9', 1],
  ['1.0.0-rc1', '1.0.0', -1],
])('versions: %s against %s', (a, b, order) => {
  expect(compareVersions(a, b)).toBe(order);
});
