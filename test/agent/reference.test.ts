import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { resolveConfig } from '../../agent/config/config.ts';
import { parseConfig } from '../../agent/config/file.ts';
import { KEYS } from '../../agent/config/keys.ts';
import { configurationReference, configurationTemplate } from '../../agent/config/reference.ts';
import { logEventsReference } from '../../agent/log-events.ts';

const docs = join(import.meta.dirname, '..', '..', 'docs');

test.each([
  ['CONFIGURATION.md', configurationReference],
  ['EVENTS.md', logEventsReference],
])('docs/%s is current', (name, text) => {
  const path = join(docs, name);
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(path, text());
  expect(readFileSync(path, 'utf8')).toBe(text());
});

test('the template is taken, says nothing of its own, and does so too with every comment removed', () => {
  const template = configurationTemplate([]);
  expect(parseConfig(template, 'f').values.size).toBe(0);
  const bare = template
    .split('\n')
    .filter((line) => /^#[^#]/.test(line))
    .map((line) => line.slice(1))
    // Those without a default stand there empty.
    .filter((line) =>
      / {2}/.test(line)
        ? !/:$/.test(line)
        : !/^(hostId|labels|stateDir|socket|network|http|sinks):$/.test(line),
    )
    .filter((line) => !/^ {2}(-| ) \w+: mqtt/.test(line))
    .join('\n');
  const { values } = parseConfig(bare, 'f');
  for (const { path, default: standard, parse } of KEYS) {
    if (standard !== undefined) expect([path, values.get(path)]).toEqual([path, parse(standard)]);
  }
});

test('a sink that is asked for is in the template', () => {
  const { sinks } = parseConfig(configurationTemplate([{ type: 'mqtt', url: 'mqtt://broker' }]), 'f');
  expect(sinks).toEqual([{ name: 'mqtt', type: 'mqtt', url: 'mqtt://broker' }]);
  expect(resolveConfig([parseConfig(configurationTemplate([]), 'f')]).sinks).toEqual([]);
});
