import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hasExecutable, runExecutable } from '../support/executable.ts';
import { temporaryDirectory } from '../support/temporary.ts';

/** What people get wrong in a configuration, and what they are told: where, what was expected, how to mend it. */
const MISTAKES: readonly (readonly [string, string, string])[] = [
  ['a tab', 'sinks:\n\t- type: mqtt\n', ':2:1: a tab: indent with blanks'],
  ['a typing error', 'intervall: 5s\n', ':1:1: unknown setting "intervall"; did you mean "interval"?'],
  [
    'a unit that is none',
    'interval: 5 minutes\n',
    ':1:11: interval: expected a duration from 100ms to 1h, e.g. 5s, found "5 minutes"',
  ],
  ['no unit for a rate', 'budget:\n  info: 1\n', ':2:9: budget.info: expected a rate, e.g. 1/day, found 1'],
  [
    'a map for a list',
    'sinks:\n  type: mqtt\n',
    ':1:1: sinks: expected a list, each entry beginning with `- type: mqtt`',
  ],
  [
    'no such type',
    'sinks:\n  - type: mqqt\n',
    ':2:11: sinks[].type: expected mqtt, influx, webhook or stdout, found "mqqt"',
  ],
  [
    'no scheme',
    'sinks:\n  - type: mqtt\n    url: broker:1883\n',
    ':3:10: sinks[].url: expected mqtt://HOST[:PORT], mqtts://HOST[:PORT], http://… or https://…, found "broker:1883"',
  ],
  [
    'the scheme of another',
    'sinks:\n  - type: mqtt\n    url: http://broker\n',
    ':3: sink "mqtt": url: expected mqtt:// or mqtts://, found http://',
  ],
  [
    'a password in a url',
    'sinks:\n  - type: mqtt\n    url: mqtt://u:hunter2@b\n',
    ':3: sink "mqtt": url holds a password; put it into a file (mode 0600) and name it as passwordFile',
  ],
  [
    'a secret itself',
    'sinks:\n  - type: influx\n    url: http://i:8086\n    token: hunter2\n',
    ':4:5: unknown setting "sinks[].token"; did you mean "sinks[].tokenFile"?',
  ],
  [
    'a file that is not there',
    'sinks:\n  - type: mqtt\n    url: mqtt://b\n    passwordFile: /nowhere\n',
    ':4: sink "mqtt": passwordFile /nowhere can\'t be read (ENOENT)',
  ],
  [
    'a certificate without TLS',
    'sinks:\n  - type: mqtt\n    url: mqtt://b\n    caFile: /nowhere\n',
    ':4: sink "mqtt": caFile is set, but mqtt:// is not encrypted; write mqtts:// or remove caFile',
  ],
  [
    'the same key twice',
    'interval: 5s\ninterval: 10s\n',
    ':2:1: "interval" is there twice; keep one of them',
  ],
  [
    'two sinks of a name',
    'sinks:\n  - type: stdout\n  - type: stdout\n',
    ':3: sinks: two sinks are named "stdout"; give each its own `name`',
  ],
  [
    'a schedule without quotes',
    'maintenance:\n  - schedule: * 2 * * *\n    duration: 1h\n',
    ':2:15: a value that begins with * or & needs quotes, e.g. "0 2 * * sun"',
  ],
  [
    'open to everybody',
    'http:\n  listen: 0.0.0.0:9464\n',
    ':2:11: http.listen: expected an address on loopback, e.g. 127.0.0.1:9464, found "0.0.0.0:9464"',
  ],
  ['a group for its setting', 'log: debug\n', ':1:1: log: expected a map with level, format, file'],
  [
    'labels as a list',
    'labels:\n  - role=web\n',
    ':2:3: labels: expected a map of at most 32 names to texts, found ["role=web"]',
  ],
  [
    'a slash in a site',
    'site: berlin/mitte\n',
    ':1:7: site: expected 1 to 64 characters without / + #, found "berlin/mitte"',
  ],
  [
    'no type',
    'sinks:\n  - url: mqtt://b\n',
    ':2:5: sinks: `type` is missing, expected mqtt, influx, webhook or stdout',
  ],
];

describe.skipIf(!hasExecutable)('a mistake in the configuration', () => {
  test.each(MISTAKES)('%s', async (_name, text, message) => {
    const file = join(temporaryDirectory(), 'agent.yaml');
    writeFileSync(file, text);
    const check = runExecutable(['config', 'check', file]);
    expect(await check.ended).toBe(2);
    expect(check.stderr()).toBe(`edgewood: ${file}${message}\n`);
    expect(check.stdout()).toBe('');
    expect(check.stderr()).not.toContain('hunter2');
  });
});
