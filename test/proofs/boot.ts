/**
 * `npm run prove:boot [--keep]`: a real Debian 12 with a real systemd (systemd-nspawn on a debootstrap root): the package is
 * installed, the agent runs under its unit, a hang is ended by the watchdog, a stop is over within its limit even with
 * a hanging broker, state survives restart, boot and upgrade, a downgrade is refused, a purge leaves nothing; then broker
 * and hub beside it as the pages about them say. Needs root, debootstrap and systemd-container; says SKIPPED and why without them.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Container, debootstrap, noContainers, type Ran } from '../support/container.ts';
import { proveCentre } from './boot/centre.ts';
import { circumstances, has, writeResult } from './proof.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const NEXT = '0.99.0';

interface Check {
  readonly name: string;
  readonly holds: boolean;
  readonly figure: string;
}

process.exitCode = await main();

async function main(): Promise<number> {
  const missing = noContainers();
  if (missing !== null) {
    console.log(`SKIPPED prove:boot: ${missing}`);
    return 0;
  }
  const work = mkdtempSync(join(tmpdir(), 'edgewood-boot-'));
  const checks: Check[] = [];
  const check = (name: string, holds: boolean, figure = ''): void => {
    checks.push({ name, holds, figure });
    console.log(`${holds ? 'ok    ' : 'FAILED'} ${name}${figure === '' ? '' : `: ${figure}`}`);
  };
  const container = new Container(join(work, 'root'));
  try {
    const debs = buildPackages(work);
    debootstrap(container.directory, [
      'systemd',
      'systemd-sysv',
      'dbus',
      'libatomic1',
      'procps',
      'mosquitto',
    ]);
    for (const deb of debs) copyFileSync(deb, join(container.directory, 'root', basename(deb)));
    copyFileSync(join(ROOT, 'deploy', 'install.sh'), join(container.directory, 'root', 'install.sh'));
    await container.boot();
    const inside = debs.map((deb) => `/root/${basename(deb)}`) as [string, string];
    await prove(container, inside, check);
    await proveCentre(container, inside[0], check);
  } catch (error) {
    check('everything could be tried', false, error instanceof Error ? error.message : String(error));
    console.log(container.run('journalctl -u edgewood -u edgewood-hub --no-pager | tail -20').out);
  } finally {
    await container.powerOff();
    if (has('keep')) console.log(`kept: ${work}`);
    else rmSync(work, { recursive: true, force: true });
  }
  const passed = checks.every(({ holds }) => holds);
  const file = writeResult('proofs', 'boot', { ...circumstances(), checks, passed });
  console.log(`${passed ? 'PASSED' : 'FAILED'}. ${file}`);
  return passed ? 0 : 1;
}

/** The version at hand, and a newer one of the same sources. */
function buildPackages(work: string): [string, string] {
  const node = (...args: string[]): void =>
    void execFileSync(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
  const make = (name: string, version: string | null): string => {
    const executable = join(work, `edgewood-${name}`);
    const deb = join(work, `edgewood-${name}.deb`);
    const versioned = version === null ? [] : ['--version', version];
    node('build/executable.ts', '--no-pack', '--out', executable, ...versioned);
    node('build/deb.ts', '--fast', '--executable', executable, '--out', deb, ...versioned);
    rmSync(executable);
    return deb;
  };
  return [make('current', null), make('next', NEXT)];
}

type Say = (name: string, holds: boolean, figure?: string) => void;

interface Seen {
  readonly version: string;
  readonly host: { readonly id: string };
  readonly store: { readonly epoch: string; readonly epochReason: string; readonly samples: number };
  readonly sinks: readonly { readonly connected: boolean; readonly delivered: number }[];
}

async function prove(container: Container, [current, next]: [string, string], check: Say): Promise<void> {
  const show = (property: string): string =>
    container.run(`systemctl show edgewood --value -p ${property}`).out;
  const status = (): Seen => JSON.parse(container.run('edgewood status --json').out) as Seen;
  const sampled = (atLeast: number): Promise<Ran> =>
    container.until('edgewood status --json', ({ code, out }) => {
      return code === 0 && (JSON.parse(out) as Seen).store.samples >= atLeast;
    });
  const settle = async (what: string): Promise<Seen> => {
    await container.until('systemctl is-active edgewood', ({ out }) => out === 'active');
    await sampled(1);
    const seen = status();
    check(
      `${what}: active, sampling`,
      seen.store.samples > 0,
      `${seen.store.samples} samples, ${show('StatusText')}`,
    );
    return seen;
  };

  // A package, a service.
  const installed = container.run(`dpkg -i ${current}`);
  check('the package installs', installed.code === 0, lastLine(installed));
  await settle('installed');
  check(
    'it runs as its own user',
    container.run(`ps -o user= -p ${show('MainPID')}`).out.trim() === 'edgewood',
  );
  check('it has its name', container.run('pgrep -x -u edgewood edgewood').code === 0);
  check('it is enabled for the next boot', container.run('systemctl is-enabled edgewood').out === 'enabled');
  const verify = container.run('systemd-analyze verify edgewood.service');
  check('systemd-analyze verify is clean', verify.code === 0 && verify.out === '', verify.out);
  const security = container.run('systemd-analyze security --no-pager edgewood.service | tail -1');
  const exposure = Number(/: ([\d.]+)/.exec(security.out)?.[1]);
  check('systemd-analyze security: at most 1.5', exposure <= 1.5, String(exposure));
  const disk = container.run('edgewood status --json').out;
  const fullest = (JSON.parse(disk) as { metrics: { name: string; value: number | null }[] }).metrics.find(
    ({ name }) => name === 'filesystem',
  );
  check(
    'the sandbox still sees the fullest file system',
    (fullest?.value ?? null) !== null,
    `${fullest?.value} %`,
  );

  // Secrets as credentials, a broker that asks for them.
  container.run(`printf 'listener 1883\\npassword_file /etc/mosquitto/passwords\\n' > /etc/mosquitto/conf.d/edgewood.conf
    mosquitto_passwd -b -c /etc/mosquitto/passwords agent s3cret && chown mosquitto /etc/mosquitto/passwords
    systemctl restart mosquitto
    printf s3cret > /etc/edgewood/credentials/mqtt.password; chmod 600 /etc/edgewood/credentials/mqtt.password
    printf 'interval: 1s\\nsinks:\\n  - type: mqtt\\n    url: mqtt://127.0.0.1:1883\\n    username: agent\\n    passwordFile: credential:mqtt.password\\n' > /etc/edgewood/agent.yaml`);
  const restarted = container.run('systemctl restart edgewood');
  check('restarts with another configuration', restarted.code === 0, restarted.out);
  const connected = await container.until('edgewood status --json', ({ code, out }) => {
    return code === 0 && (JSON.parse(out) as Seen).sinks[0]?.connected === true;
  });
  check('a password from LoadCredential opens the broker', connected.code === 0);
  const before = await settle('restarted');
  check('the epoch continues over a restart', before.store.epochReason === 'continued', before.store.epoch);

  // A hang.
  container.run(`mkdir -p /run/systemd/system/edgewood.service.d
    printf '[Service]\\nWatchdogSec=8\\nTimeoutAbortSec=3\\n' > /run/systemd/system/edgewood.service.d/quick.conf
    systemctl daemon-reload && systemctl restart edgewood`);
  await settle('with a watchdog of 8 s');
  const pid = show('MainPID');
  await new Promise((resolve) => setTimeout(resolve, 12_000));
  check('a watchdog that is fed does not bite', show('MainPID') === pid && show('NRestarts') === '0');
  const hung = performance.now();
  container.run(`kill -STOP ${pid}`);
  await container.until('systemctl show edgewood --value -p NRestarts', ({ out }) => out === '1');
  await settle('after a hang');
  check(
    'a hanging agent is restarted',
    show('MainPID') !== pid,
    `${((performance.now() - hung) / 1000).toFixed(0)} s after the hang, with a limit of 8`,
  );
  container.run('rm -r /run/systemd/system/edgewood.service.d; systemctl daemon-reload');

  // A stop, with a broker that hangs.
  await container.until('edgewood status --json', ({ code, out }) => {
    return code === 0 && (JSON.parse(out) as Seen).sinks[0]?.connected === true;
  });
  container.run('systemctl kill -s STOP mosquitto');
  const stopping = performance.now();
  container.run('systemctl stop edgewood');
  const stopMs = performance.now() - stopping;
  check(
    'a stop with a hanging broker is over in time, unforced',
    show('Result') === 'success' && stopMs < 20_000,
    `${(stopMs / 1000).toFixed(1)} s of 20`,
  );
  container.run('systemctl kill -s CONT mosquitto; systemctl start edgewood');
  await settle('started again');

  // A boot.
  const kept = status();
  await container.powerOff();
  await container.boot();
  const rebooted = await settle('booted anew');
  check(
    'identity and epoch survive a boot',
    rebooted.host.id === kept.host.id && rebooted.store.epoch === kept.store.epoch,
    kept.host.id,
  );
  check(
    'samples survive a boot',
    rebooted.store.samples >= kept.store.samples,
    `${kept.store.samples} before, ${rebooted.store.samples} after`,
  );

  // An upgrade, and back.
  const upgraded = container.run(`dpkg -i ${next}`);
  check('the upgrade installs', upgraded.code === 0, lastLine(upgraded));
  const newer = await settle('upgraded');
  check('the new version runs', newer.version === NEXT, newer.version);
  check(
    'state survives an upgrade',
    newer.store.epoch === kept.store.epoch && newer.store.samples >= rebooted.store.samples,
    `${newer.store.samples} samples`,
  );
  check(
    'the configuration survives an upgrade',
    container.run('grep -c credential:mqtt /etc/edgewood/agent.yaml').out === '1',
  );
  const downgraded = container.run(`dpkg -i ${current}`);
  const refusal = /an older one may not read.*/.exec(downgraded.out)?.[0] ?? downgraded.out;
  check(
    'a downgrade is refused with a word',
    downgraded.code !== 0 && refusal.includes('may not read'),
    refusal,
  );
  check('and the newer one runs on', (await settle('after the refusal')).version === NEXT);

  // Removal and purge.
  container.run('dpkg -r edgewood');
  check(
    'remove keeps state and configuration',
    container.run('ls /var/lib/edgewood/ /etc/edgewood/agent.yaml').code === 0,
  );
  check(
    'remove stops the service',
    show('ActiveState') === 'inactive' && container.run('pgrep -u edgewood').code !== 0,
  );
  const again = container.run(`dpkg -i ${next}`);
  const reinstalled = await settle('installed once more');
  check(
    'what was kept is taken up',
    again.code === 0 && reinstalled.store.epoch === kept.store.epoch,
    reinstalled.store.epoch,
  );
  container.run('dpkg -P edgewood');
  const left = container.run(
    "find / -xdev \\( -path /proc -o -path /sys -o -path /root -o -path /var/log/journal \\) -prune -o -name '*edgewood*' -print; grep edgewood /etc/passwd /etc/group",
  );
  const leftovers = left.out.split('\n').filter((line) => line !== '' && !line.startsWith('/etc/mosquitto'));
  check('a purge leaves nothing', leftovers.length === 0, leftovers.join(' '));

  // Without a package: the install script, and the executable that installs itself.
  container.run(`dpkg-deb -x ${current} /opt/unpacked && mkdir /root/dist && cp /opt/unpacked/usr/bin/edgewood /root/dist/edgewood-linux-x64
    cp /root/dist/edgewood-linux-x64 /root/edgewood; cd /root/dist && sha256sum edgewood-linux-x64 > SHA256SUMS`);
  const self = container.run('sh /root/install.sh --from /root/dist');
  check('the install script installs a service', self.code === 0, lastLine(self));
  await settle('installed by the script');
  const page = container.run('edgewood service status');
  check(
    'service status says so',
    page.code === 0 && page.out.includes('active (running)'),
    page.out.split('\n')[0],
  );
  const twice = container.run('/root/edgewood service install');
  check('installing twice is an upgrade in place', twice.code === 0, lastLine(twice));
  container.run(
    `dpkg-deb -x ${next} /opt/newer && cp --remove-destination /opt/newer/usr/bin/edgewood /usr/local/bin/edgewood`,
  );
  const older = container.run('/root/edgewood service install');
  check(
    'an older executable does not replace a newer one',
    older.code === 2 && older.out.includes('newer than this one'),
    lastLine(older),
  );
  const gone = container.run('/root/edgewood service uninstall --purge');
  check(
    'and is uninstalled',
    gone.code === 0 && !existsSync(join(container.directory, 'etc/systemd/system/edgewood.service')),
    lastLine(gone),
  );
}

function lastLine({ out }: Ran): string {
  return out.split('\n').at(-1) ?? '';
}
