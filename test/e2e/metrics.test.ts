import { spawn, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { hasExecutable, type Run, runExecutable } from '../support/executable.ts';
import { freePort } from '../support/mosquitto.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const hasPrometheus = existsSync('/usr/bin/prometheus') || process.env['CI'] === 'true';
const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** An agent of this host that answers; resolves when it has sampled. */
async function listening(): Promise<{ run: Run; url: string }> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const run = runExecutable([
    'agent',
    '--interval',
    '200ms',
    '--http',
    url.slice('http://'.length),
    '--state-dir',
    temporaryDirectory(),
  ]);
  cleanups.push(async () => {
    run.child.kill('SIGTERM');
    expect(await run.ended).toBe(0);
  });
  await run.logged('http.listening');
  await until(async () =>
    /^edgewood_samples_total [1-9]/m.test(await (await fetch(`${url}/metrics`)).text()),
  );
  return { run, url };
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds().catch(() => false))) await new Promise((resolve) => setTimeout(resolve, 50));
}

describe.skipIf(!hasExecutable)('the agent over http', () => {
  test('answers three questions on loopback, and nothing else', async () => {
    const { url } = await listening();
    const ask = (path: string, init: RequestInit = {}): Promise<Response> => fetch(url + path, init);
    expect(await (await ask('/healthz')).text()).toBe('ok\n');
    const ready = await ask('/readyz');
    expect([ready.status, await ready.text()]).toEqual([503, 'warming-up\n']);
    expect((await ask('/')).status).toBe(404);
    expect((await ask('/metrics', { method: 'POST', body: 'x' })).status).toBe(405);
    expect(await (await ask('/metrics', { method: 'HEAD' })).text()).toBe('');
    const open = await ask('/metrics', { headers: { accept: 'application/openmetrics-text' } });
    expect(open.headers.get('content-type')).toContain('application/openmetrics-text; version=1.0.0');
    const text = await open.text();
    expect(text).toMatch(/# EOF\n$/);
    expect(text).toContain('# TYPE edgewood_samples counter\n');
    expect(text).toContain('# UNIT edgewood_stage_seconds seconds\n');
  });

  test.skipIf(!hasPrometheus)('promtool has nothing to say', async () => {
    const { url } = await listening();
    const text = await (await fetch(`${url}/metrics`)).text();
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input: text,
      encoding: 'utf8',
    });
    expect(`${stdout}${stderr}`).toBe('');
    expect(status).toBe(0);
  });

  test.skipIf(!hasPrometheus)('a real Prometheus scrapes it', async () => {
    const { url } = await listening();
    const directory = temporaryDirectory();
    const port = await freePort();
    writeFileSync(
      join(directory, 'prometheus.yml'),
      `global: { scrape_interval: 1s }\nscrape_configs: [{ job_name: edgewood, static_configs: [{ targets: ['${url.slice(7)}'] }] }]\n`,
    );
    const child = spawn(
      'prometheus',
      [
        `--config.file=${directory}/prometheus.yml`,
        `--storage.tsdb.path=${directory}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: 'ignore' },
    );
    const gone = new Promise((resolve) => child.once('exit', resolve));
    cleanups.push(async () => {
      child.kill('SIGKILL');
      await gone;
    });
    const query = async (expression: string): Promise<number> => {
      const response = await fetch(
        `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expression)}`,
      );
      const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } };
      return Number(data.result[0]?.value[1]);
    };
    await until(
      async () => (await query('up{job="edgewood"}')) === 1 && (await query('edgewood_samples_total')) > 2,
    );
    expect(await query('edgewood_state{state="warming-up"}')).toBe(1);
    expect(await query('edgewood_stage_seconds{stage="sample",quantile="0.95"}')).toBeGreaterThan(0);
    expect(await query('edgewood_proportional_memory_bytes')).toBeGreaterThan(1e6);
  });
});
