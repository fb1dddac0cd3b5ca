import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Finding } from '../../cli/doctor/finding.ts';
import {
  hasAlertmanager,
  hasVictoriaMetrics,
  startAlertmanager,
  startVictoriaMetrics,
} from '../support/daemons.ts';
import { hasExecutable, type Run, runExecutable } from '../support/executable.ts';
import {
  type Certificates,
  freePort,
  hasMosquitto,
  makeCertificates,
  startMosquitto,
} from '../support/mosquitto.ts';
import { temporaryDirectory } from '../support/temporary.ts';

interface Report {
  readonly code: number | string;
  readonly healthy: boolean;
  readonly findings: readonly Finding[];
  /** What was found of a status in an area, in one text. */
  says(status: Finding['status'], area: string): string;
}

async function examine(...args: string[]): Promise<Report> {
  const run = runExecutable(['doctor', '--json', ...args]);
  const code = await run.ended;
  expect(run.stderr()).toBe('');
  const { healthy, findings } = JSON.parse(run.stdout()) as { healthy: boolean; findings: Finding[] };
  const says = (status: Finding['status'], area: string): string =>
    findings
      .filter((one) => one.status === status && one.area === area)
      .map((one) => one.says)
      .join('\n');
  // Whatever is wrong comes with its reason and its mend.
  for (const one of findings) {
    if (one.status !== 'problem' && one.status !== 'warning') continue;
    expect([one.says, one.why !== undefined, one.mend !== undefined]).toEqual([one.says, true, true]);
  }
  return { code, healthy, findings, says };
}

const configured = (directory: string, sinks: string): string => {
  const file = join(directory, 'agent.yaml');
  writeFileSync(file, `stateDir: ${directory}/state\ninterval: 200ms\nsinks:\n${sinks}`);
  return file;
};

function certificates(): Certificates {
  const made = makeCertificates(temporaryDirectory());
  if (made === null) throw new Error('openssl is missing');
  return made;
}

const tlsBroker = async (cert: string, { key }: Certificates) => {
  const broker = await startMosquitto(['allow_anonymous true'], {}, [`certfile ${cert}`, `keyfile ${key}`]);
  onTestFinished(() => broker.stop());
  return broker;
};

describe.skipIf(!hasExecutable || !hasMosquitto)('the doctor', () => {
  test.skipIf(!hasVictoriaMetrics || !hasAlertmanager)(
    'finds all well with an agent and three real sinks',
    async () => {
      const directory = temporaryDirectory();
      const broker = await startMosquitto();
      const victoria = await startVictoriaMetrics();
      const alertmanager = await startAlertmanager();
      for (const { stop } of [broker, victoria, alertmanager]) onTestFinished(stop);
      const file = configured(
        directory,
        `  - type: mqtt\n    url: mqtt://127.0.0.1:${broker.port}\n` +
          `  - type: influx\n    url: ${victoria.url}\n` +
          `  - type: webhook\n    url: ${alertmanager.url}\n    format: alertmanager\n`,
      );
      const agent: Run = runExecutable(['agent', '--config', file]);
      onTestFinished(() => {
        agent.child.kill('SIGKILL');
        return agent.ended.then(() => {});
      });
      await agent.logged('mqtt.connected');
      const report = await examine('--config', file);
      expect(report.findings.filter(({ status }) => status === 'problem')).toEqual([]);
      expect([report.code, report.healthy]).toEqual([0, true]);
      expect(report.says('ok', 'agent')).toContain('warming-up');
      expect(report.says('note', 'model')).toContain('none yet');
      expect(report.says('ok', 'sink mqtt')).toMatch(/lets this host in \(MQTT 5\)\na message came back/);
      expect(report.says('ok', 'sink influx')).toContain('a point was written');
      expect(report.says('ok', 'sink webhook')).toContain('the Alertmanager is ready');
    },
  );

  test('says that nobody watches, and that nobody is told', async () => {
    const report = await examine('--state-dir', join(temporaryDirectory(), 'state'));
    expect([report.code, report.healthy]).toEqual([1, false]);
    expect(report.says('problem', 'agent')).toContain('none is running (nothing listens on');
    expect(report.says('warning', 'sinks')).toBe('there are none');
  });

  test('names the fault of a configuration', async () => {
    const file = join(temporaryDirectory(), 'agent.yaml');
    writeFileSync(file, 'intervall: 5s\n');
    const report = await examine('--config', file);
    expect(report.code).toBe(1);
    expect(report.says('problem', 'configuration')).toContain(
      `${file}:1:1: unknown setting "intervall"; did you mean "interval"?`,
    );
  });

  test('names a name that does not resolve, and a port that nobody listens on', async () => {
    const port = await freePort();
    const file = configured(
      temporaryDirectory(),
      `  - type: mqtt\n    url: mqtt://nowhere.invalid\n  - type: influx\n    url: http://127.0.0.1:${port}\n`,
    );
    const report = await examine('--config', file);
    expect(report.says('problem', 'sink mqtt')).toContain("the name nowhere.invalid can't be resolved");
    expect(report.says('problem', 'sink influx')).toContain('nothing listens there');
  });

  test('takes a certificate apart: authority, name, dates', async () => {
    const made = certificates();
    const check = async (cert: string, more = ''): Promise<Report> => {
      const broker = await tlsBroker(cert, made);
      return examine(
        '--config',
        configured(
          temporaryDirectory(),
          `  - type: mqtt\n    url: mqtts://127.0.0.1:${broker.port}\n${more}`,
        ),
      );
    };
    const ca = `    caFile: ${made.ca}\n`;
    const good = await check(made.cert, ca);
    expect(good.says('warning', 'sink mqtt')).toMatch(/is valid for another [012] days/);
    expect(good.says('ok', 'sink mqtt')).toContain('a message came back');
    expect((await check(made.cert)).says('problem', 'sink mqtt')).toMatch(
      /comes (from an authority that is not (known|trusted) here|without the certificates)/,
    );
    expect((await check(made.expiredCert, ca)).says('problem', 'sink mqtt')).toMatch(
      /has expired \(\d+ days ago/,
    );
    expect((await check(made.strangerCert, ca)).says('problem', 'sink mqtt')).toContain(
      'is for another name',
    );
    const insecure = await check(made.expiredCert, `${ca}    insecure: true\n`);
    expect(insecure.says('warning', 'sink mqtt')).toContain('it is not checked (insecure: true)');
    expect(insecure.says('ok', 'sink mqtt')).toContain('a message came back');
  });

  test('tells a TLS port greeted in plain text, and a plain one greeted with TLS', async () => {
    const made = certificates();
    const mends = async (url: string): Promise<string> => {
      const { findings, code } = await examine(
        '--config',
        configured(temporaryDirectory(), `  - type: mqtt\n    url: ${url}\n`),
      );
      expect(code).toBe(1);
      return findings.map(({ area, mend }) => (area === 'sink mqtt' ? (mend ?? '') : '')).join('');
    };
    const secret = await tlsBroker(made.cert, made);
    expect(await mends(`mqtt://127.0.0.1:${secret.port}`)).toMatch(/speak TLS\? Then mqtts:\/\/ in url/);
    const plain = await startMosquitto();
    onTestFinished(plain.stop);
    expect(await mends(`mqtts://127.0.0.1:${plain.port}`)).toMatch(/or the url without TLS/);
  });

  test('names a wrong password, and a topic that may not be published on', async () => {
    const directory = temporaryDirectory();
    const password = join(directory, 'password');
    writeFileSync(password, 'wrong\n', { mode: 0o600 });
    const locked = await startMosquitto(['allow_anonymous false', 'password_file @/passwords'], {
      passwords: '',
    });
    onTestFinished(locked.stop);
    const mqtt = (port: number, user = 'agent'): string =>
      configured(
        directory,
        `  - type: mqtt\n    url: mqtt://127.0.0.1:${port}\n    username: ${user}\n    passwordFile: ${password}\n`,
      );
    const refused = await examine('--config', mqtt(locked.port));
    expect(refused.says('problem', 'sink mqtt')).toMatch(
      /user name or password is wrong|not authorised to connect/,
    );
    expect(refused.says('warning', 'sink mqtt')).toBe('');
    chmodSync(password, 0o644);
    const open = await examine('--config', mqtt(locked.port));
    expect(open.says('warning', 'sink mqtt')).toBe(
      `passwordFile ${password} can be read by everybody (mode 644)`,
    );
    const ruled = await startMosquitto(['allow_anonymous true', 'acl_file @/acl'], {
      acl: 'topic read none\n',
    });
    onTestFinished(ruled.stop);
    const forbidden = await examine('--config', mqtt(ruled.port));
    expect(forbidden.says('problem', 'sink mqtt')).toMatch(
      /a message on edgewood\/1\/default\/a\/\w+\/selftest got lost/,
    );
    const mends = ({ findings }: Report): string =>
      findings.flatMap(({ area, mend }) => (area === 'sink mqtt' && mend !== undefined ? [mend] : [])).join();
    expect(mends(forbidden)).toContain("have the broker's ACL allow this user");
    // Enrolled before its site was set.
    const enrolled = await examine('--config', mqtt(ruled.port, 'agent/berlin/0123456789abcdef~2'));
    expect(mends(enrolled)).toMatch(
      /credentials of agent\/berlin\/0123456789abcdef, and this host is (\w+) of the site default .*: edgewood fleet enroll \1 --site default/,
    );
  });

  test('its page is for people', async () => {
    const run = runExecutable(['doctor', '--state-dir', join(temporaryDirectory(), 'state')]);
    expect(await run.ended).toBe(1);
    expect(run.stdout()).toMatch(/^✓ configuration: no file/);
    expect(run.stdout()).toContain(
      '    why it matters: nobody watches this host\n    what to do: systemctl start',
    );
    expect(run.stdout()).toMatch(/\d problems?, \d warnings?\.\n$/);
  });
});
