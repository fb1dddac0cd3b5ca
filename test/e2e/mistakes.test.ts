import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hasExecutable, runExecutable } from '../support/executable.ts';
import { temporaryDirectory } from '../support/temporary.ts';

/** What people get wrong in a configuration, and what they are told: where, what was expected, how to mend it. */
const INDENTED =
  'the indentation fits no line above; settings of one level begin in the same column, those of a group two blanks further right';

const MISTAKES: readonly (readonly [string, string | Buffer, string])[] = [
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
    ':2:11: http.listen: expected an address on loopback and a port up to 65535, e.g. 127.0.0.1:9464, found "0.0.0.0:9464"',
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
  ['a setting indented for no reason', 'interval: 5s\n site: berlin\n', `:2:1: ${INDENTED}`],
  ['an entry out of line', 'sinks:\n  - type: mqtt\n   url: mqtt://b\n', `:3:1: ${INDENTED}`],
  [
    'a group that is not indented',
    'http:\nlisten: 127.0.0.1:9464\n',
    ':1:1: http: expected a map with listen\n' +
      'FILE:2:1: unknown setting "listen"; did you mean "http.listen"? It stands under http: and is indented',
  ],
  ['no colon', 'site: a\r\ninterval 5s\r\n', ':2:1: expected `interval: 5s`; the colon is missing'],
  [
    'no blank after the colon',
    'interval:5s\n',
    ':1:1: expected `interval: 5s`, with a blank after the colon',
  ],
  [
    'the syntax of another file',
    '[agent]\ninterval = 5s\n',
    ':2:1: expected `interval: 5s`, with a colon instead of =',
  ],
  [
    'a port that is none',
    'sinks:\n  - type: mqtt\n    url: mqtt://broker:188333\n',
    ':3: sink "mqtt": url: expected mqtt://HOST[:PORT] or mqtts://HOST[:PORT], PORT at most 65535',
  ],
  [
    'quotes of a word processor',
    'site: “berlin”\n',
    ':1:7: site: these quotes belong to the value; write " or \' instead',
  ],
  [
    'a blank of a browser',
    'sinks:\n  -\u00a0type: mqtt\n',
    ':2:4: a blank that only looks like one (U+00A0): type it anew',
  ],
  [
    'a quote left open',
    'site: "berlin\ninterval: 5s\n',
    ':1:7: the quote " that is opened here is not closed',
  ],
  [
    'a brace left open',
    'labels: { role: web\ninterval: 5s\n',
    ':1:9: the { that is opened here is not closed with }',
  ],
  [
    'a value left out',
    'interval:\n',
    ':1:10: interval: expected a duration from 100ms to 1h, e.g. 5s, found nothing',
  ],
  [
    'yes',
    'processes:\n  commandLines: yes\n',
    ':2:17: processes.commandLines: expected true or false, found "yes"',
  ],
  [
    'a setting that a group does not have',
    'processes:\n  enabled: true\n',
    ':2:3: unknown setting "processes.enabled"; processes has count, commandLines',
  ],
  [
    'a home folder',
    'stateDir: ~/edgewood\n',
    ':1:11: stateDir: ~ is not replaced in this file; write the whole path',
  ],
  [
    'a variable',
    'site: \u0024{SITE}\n',
    ':1:7: site: variables are not replaced in this file; write the value',
  ],
  [
    'a setting that an entry does not have',
    'maintenance:\n  - schedule: "0 2 * * *"\n    duration: 1h\n    who: me\n',
    ':4:5: unknown setting "maintenance[].who"; an entry of maintenance has schedule, duration, name, timezone, training',
  ],
  [
    'a device for a secret',
    'sinks:\n  - type: mqtt\n    url: mqtt://b\n    passwordFile: /dev/zero\n',
    ':4: sink "mqtt": passwordFile /dev/zero can\'t be read (it is no file)',
  ],
  [
    'a certificate that is none',
    'sinks:\n  - type: mqtt\n    url: mqtts://b\n    caFile: /proc/version\n',
    ':4: sink "mqtt": caFile /proc/version holds no certificate in PEM (-----BEGIN CERTIFICATE-----)',
  ],
  ['a template', 'site: {{ site }}\n', ':1:7: site: a template that was not filled in'],
  [
    'two documents',
    'interval: 5s\n---\nsite: b\n',
    ':2:1: a second document begins here; a configuration is one: remove the line ---',
  ],
  [
    'a byte order mark before a mistake',
    '\ufeffintervall: 5s\n',
    ':1:1: unknown setting "intervall"; did you mean "interval"?',
  ],
  ['UTF-16', Buffer.from('\ufeffsite: berlin\n', 'utf16le'), ': is UTF-16; expected a text in UTF-8'],
  [
    'Latin-1',
    Buffer.from('site: berlin\nlabels: { city: M\u00fcnchen }\n', 'latin1'),
    ':2: is not UTF-8; save the file as UTF-8',
  ],
  [
    'a password with a blank in a url',
    'sinks:\n  - type: mqtt\n    url: mqtt://u:hunter2 x@b\n',
    ':3:10: sinks[].url: expected mqtt://HOST[:PORT], mqtts://HOST[:PORT], http://… or https://…, found "mqtt://***@b"',
  ],
];

/** Mistakes that are none of the file's, and what is fine although it looks odd. */
const ELSEWHERE: readonly (readonly [string, readonly string[], Readonly<Record<string, string>>, string])[] =
  [
    [
      'a variable misspelt',
      ['agent'],
      { EDGEWOOD_INTERVALL: '5s' },
      'EDGEWOOD_INTERVALL: no such variable; did you mean EDGEWOOD_INTERVAL?',
    ],
    [
      'a secret in a variable',
      ['agent', '--mqtt', 'mqtt://b'],
      { EDGEWOOD_MQTT_PASSWORD: 'hunter2' },
      'EDGEWOOD_MQTT_PASSWORD: no such variable; did you mean EDGEWOOD_MQTT_PASSWORD_FILE, a file that holds it?',
    ],
    [
      'a flag misspelt',
      ['agent', '--intervall', '5s'],
      {},
      'unknown argument: intervall; did you mean --interval?\nSee edgewood agent --help.',
    ],
    [
      'a variable overruled by a faulty flag',
      ['agent', '--interval', '5sec'],
      { EDGEWOOD_INTERVAL: '7s' },
      '--interval: expected a duration from 100ms to 1h, e.g. 5s, found "5sec"',
    ],
    [
      'a password on the command line',
      ['agent', '--mqtt', 'mqtt://u:hunter2/ x@host'],
      {},
      '--mqtt: expected mqtt://HOST[:PORT], mqtts://HOST[:PORT], http://… or https://…, found "mqtt://***@host"',
    ],
    [
      'a folder',
      ['config', 'check', import.meta.dirname],
      {},
      `${import.meta.dirname}: is a folder; expected a YAML file`,
    ],
    [
      'no such file',
      ['config', 'check', '/nowhere.yaml'],
      {},
      '/nowhere.yaml: no such file; expected a YAML file',
    ],
  ];

describe.skipIf(!hasExecutable)('a mistake in the configuration', () => {
  test.each(MISTAKES)('%s', async (_name, text, message) => {
    const file = join(temporaryDirectory(), 'agent.yaml');
    writeFileSync(file, text);
    const check = runExecutable(['config', 'check', file]);
    expect(await check.ended).toBe(2);
    expect(check.stderr()).toBe(`edgewood: ${file}${message.replace('FILE', file)}\n`);
    expect(check.stdout()).toBe('');
    expect(check.stderr()).not.toContain('hunter2');
  });

  test.each(ELSEWHERE)('%s', async (_name, args, env, message) => {
    const told = runExecutable(args, env);
    expect(await told.ended).toBe(2);
    expect(told.stderr()).toBe(`edgewood: ${message}\n`);
    expect(told.stderr()).not.toContain('hunter2');
  });

  test.each<[string, string]>([
    ['an empty file', ''],
    ['line ends of Windows', 'interval: 5s\r\nsite: berlin\r\n'],
    ['a byte order mark', '\ufeffinterval: 5s\n'],
    ['foreign blanks where they are text', 'site: a\u00a0b # “why”\u00a0so\n'],
  ])('%s is none', async (_name, text) => {
    const file = join(temporaryDirectory(), 'agent.yaml');
    writeFileSync(file, text);
    const check = runExecutable(['config', 'check', file]);
    expect(await check.ended).toBe(0);
    expect(check.stdout()).toContain('A sample every 5 s');
  });

  test("variables of somebody else's are no mistake: Kubernetes names them after its services", async () => {
    const show = runExecutable(['config', 'show'], {
      EDGEWOOD_PORT: 'tcp://10.0.0.1:80',
      EDGEWOOD_SERVICE_HOST: '10.0.0.1',
    });
    expect(await show.ended).toBe(0);
  });
});
