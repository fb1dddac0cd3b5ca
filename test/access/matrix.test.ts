import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { agentTopics, siteTopics } from '../../core/protocol/topics.ts';
import { hashPassword } from '../../models/access/password.ts';
import { REAL } from '../sinks/harness.ts';
import { enrolledFleet, login, publishCode, startAccessBroker } from '../support/access.ts';
import { hasMosquitto } from '../support/mosquitto.ts';

/** Every role on every family of topics at a real broker, against a table written by hand. */

const NOT_AUTHORISED = 135;
const SHA256 = 'ab'.repeat(32);
const B = 'edgewood/1/berlin';

const familiesOf = (site: string, hostId: string): string[] => {
  const topics = agentTopics(site, hostId);
  return [
    topics.status,
    topics.event,
    topics.telemetry,
    topics.reported,
    topics.ack,
    topics.selftest,
    topics.alert('info'),
    topics.alert('critical'),
    topics.reply('c-1'),
    topics.command('snooze'),
  ];
};
const ofSite = (site: string): string[] => {
  const topics = siteTopics(site);
  return [
    topics.root(1),
    topics.release('web', 3),
    topics.rollout('web'),
    topics.chunk(SHA256, 0),
    `edgewood/1/${site}/hub/alert/warning`,
  ];
};
const TOPICS = [
  ...familiesOf('berlin', 'h1'),
  ...familiesOf('berlin', 'h2'),
  ...familiesOf('paris', 'h1'),
  ...ofSite('berlin'),
  ...ofSite('paris'),
  `${B}/a/h1`,
  `${B}/a/h1/alert`,
  `${B}/a/h1/alert/info/more`,
  `${B}/a/h1/cmd/snooze/more`,
  `${B}/m/web`,
  `${B}/b/${SHA256}`,
  'edgewood/1/berlin',
  'edgewood/2/berlin/a/h1/status',
  'agent/berlin/h1',
  'elsewhere',
];

interface May {
  readonly write: RegExp;
  readonly read: RegExp;
}
const NOTHING = /$^/;
const MAY: Readonly<Record<string, May>> = {
  'agent/berlin/h1': {
    write:
      /^edgewood\/1\/berlin\/a\/h1\/(status|event|telemetry|reported|selftest|alert\/[a-z]+|reply\/[^/]+)$/,
    read: /^edgewood\/1\/berlin\/(a\/h1\/(ack|selftest|cmd\/[^/]+)|root\/1|m\/web\/(release\/3|rollout)|b\/[^/]+\/0)$/,
  },
  'agent/berlin/h2': {
    write:
      /^edgewood\/1\/berlin\/a\/h2\/(status|event|telemetry|reported|selftest|alert\/[a-z]+|reply\/[^/]+)$/,
    read: /^edgewood\/1\/berlin\/(a\/h2\/(ack|selftest|cmd\/[^/]+)|root\/1|m\/web\/(release\/3|rollout)|b\/[^/]+\/0)$/,
  },
  // Of the same name as a host.
  'viewer/h1': { write: NOTHING, read: /^edgewood\/1\/berlin\/a\/h\d\/alert\/(info|critical)$/ },
  'viewer/all': { write: NOTHING, read: /^edgewood\/1\/(berlin|paris)\/a\/h\d\/alert\/(info|critical)$/ },
  'operator/olga': {
    write: /^edgewood\/1\/berlin\/(a\/h\d\/cmd\/snooze|m\/web\/rollout)$/,
    read: /^edgewood\/1\/berlin\/(a\/h.*|hub\/.*|root\/1|m\/web\/(release\/3|rollout)|b\/[^/]+\/0)$/,
  },
  'releaser/ralf': {
    write: /^edgewood\/1\/berlin\/(root\/1|m\/web\/release\/3|b\/[^/]+\/0)$/,
    read: /^edgewood\/1\/berlin\/(root\/1|m\/web\/release\/3|b\/[^/]+\/0)$/,
  },
  'hub/main': {
    write: /^edgewood\/1\/berlin\/(a\/h\d\/ack|hub\/.*)$/,
    read: /^edgewood\/1\/berlin\/(a\/h.*|hub\/.*)$/,
  },
};

const fleet = () =>
  enrolledFleet(
    ['berlin', 'paris'],
    [
      ['agent', 'h1', ['berlin']],
      ['agent', 'h2', ['berlin']],
      ['viewer', 'h1', ['berlin']],
      ['viewer', 'all', null],
      ['operator', 'olga', ['berlin']],
      ['releaser', 'ralf', ['berlin']],
      ['hub', 'main', ['berlin']],
    ],
  );

/** Sees and says everything: the test's own. */
const OBSERVER = { username: 'observer', password: 'of the test alone' };

async function start() {
  const { path, logins } = fleet();
  appendFileSync(join(path, 'mosquitto', 'passwords'), `observer:${hashPassword(OBSERVER.password)}\n`);
  appendFileSync(join(path, 'mosquitto', 'acl'), '\nuser observer\ntopic readwrite #\ntopic read $SYS/#\n');
  const broker = await startAccessBroker(path);
  const observer = await login(broker, OBSERVER);
  return { broker, logins, observer: observer.client };
}

describe.skipIf(!hasMosquitto)(`access, ${REAL}`, () => {
  test('the users are those of the table', () => {
    expect(fleet().logins.map(({ username }) => username)).toEqual(Object.keys(MAY));
  });

  test('every role publishes what the table says, and is told so of all else; nothing refused gets through', {
    timeout: 60_000,
  }, async () => {
    const { broker, logins, observer } = await start();
    const seen: string[] = [];
    observer.on('message', (topic, payload) => seen.push(`${payload} ${topic}`));
    await observer.subscribeAsync('#', { qos: 1 });
    const expected: string[] = [];
    for (const one of logins) {
      const { client } = await login(broker, one);
      const { write } = MAY[one.username] as May;
      const hostile = [
        ...TOPICS,
        '$SYS/broker/version',
        '$CONTROL/dynamic-security/v1',
        '$share/g/elsewhere',
      ];
      for (const topic of hostile) {
        const expectedCode = write.test(topic) ? null : NOT_AUTHORISED;
        for (const qos of [1, 2] as const) {
          const code = await publishCode(client, topic, one.username, qos);
          expect([one.username, topic, qos, code]).toEqual([one.username, topic, qos, expectedCode]);
        }
        // QoS 0 is judged alike, without a word.
        await client.publishAsync(topic, one.username, { qos: 0 });
        if (expectedCode === null) expected.push(...Array<string>(3).fill(`${one.username} ${topic}`));
      }
      await client.endAsync();
    }
    await marked(observer);
    expect(seen.filter((line) => !line.startsWith('mark')).sort()).toEqual(expected.sort());
  });

  test('every role reads what the table says by any filter, live and retained', {
    timeout: 60_000,
  }, async () => {
    const { broker, logins, observer } = await start();
    const FILTERS = ['#', '+/#', 'edgewood/#', `${B}/a/+/#`, '$share/group/#', '$SYS/#', ...TOPICS];
    for (const retained of [false, true]) {
      const watching = [];
      const publish = async (): Promise<void> => {
        for (const topic of TOPICS) await observer.publishAsync(topic, 'x', { qos: 1, retain: retained });
      };
      if (retained) await publish();
      for (const one of logins) {
        const { client } = await login(broker, one);
        const topics = new Set<string>();
        client.on('message', (topic) => topics.add(topic));
        for (const filter of FILTERS) await client.subscribeAsync(filter, { qos: 1 }).catch(() => {});
        watching.push({ one, client, topics });
      }
      if (!retained) await publish();
      for (const { one, client, topics } of watching) {
        const { read } = MAY[one.username] as May;
        const readable = TOPICS.find((topic) => read.test(topic)) as string;
        await marked(observer, client, readable);
        expect([one.username, [...topics].sort()]).toEqual([
          one.username,
          TOPICS.filter((topic) => read.test(topic)).sort(),
        ]);
        await client.endAsync();
      }
    }
  });

  test("a will on another's topic is not published", async () => {
    const { broker, logins, observer } = await start();
    const seen: string[] = [];
    observer.on('message', (topic, payload) => seen.push(`${topic} ${payload}`));
    await observer.subscribeAsync('#', { qos: 1 });
    for (const one of logins) {
      const topic = one.username === 'agent/berlin/h1' ? `${B}/a/h2/status` : `${B}/a/h1/status`;
      const will = { topic, payload: Buffer.from('forged'), qos: 1, retain: true } as const;
      const { stream } = await login(broker, one, { will }).catch(() => ({ stream: null }));
      if (stream === null) continue;
      const gone = new Promise((resolve) => stream.once('close', resolve));
      stream.destroy();
      await gone;
    }
    const [own] = logins;
    const will = { topic: `${B}/a/h1/status`, payload: Buffer.from('own'), qos: 1, retain: true } as const;
    const { stream } = await login(broker, own as (typeof logins)[0], { will });
    const heard = new Promise<void>((resolve) =>
      observer.on('message', (_t, p) => `${p}` === 'own' && resolve()),
    );
    stream.destroy();
    await heard;
    expect(seen).toEqual([`${B}/a/h1/status own`]);
  });

  test('hosts with strange names have their own topics and nobody else’s', async () => {
    const names = [
      'a b',
      ' first',
      'last ',
      '$SYS',
      'zürich',
      '%u',
      '%c',
      'a:b',
      '"a"',
      'a~2',
      '..',
      'h1\\n',
      '$&',
    ];
    const { path, logins } = enrolledFleet(
      ['berlin', '%u'],
      names.flatMap((name, i) => [
        ['agent', name, [i % 2 === 0 ? 'berlin' : '%u']] as const,
        ['viewer', name, null] as const,
      ]),
    );
    const broker = await startAccessBroker(path);
    for (const [i, one] of logins.entries()) {
      const { client } = await login(broker, one);
      for (const [k, name] of names.entries()) {
        const site = k % 2 === 0 ? 'berlin' : '%u';
        const code = await publishCode(client, agentTopics(site, name).event);
        expect([one.username, name, code]).toEqual([one.username, name, i === 2 * k ? null : NOT_AUTHORISED]);
      }
      await client.endAsync();
    }
  });

  test('nobody comes in without a password, with another’s, or under a name that is none', async () => {
    const { broker, logins } = await start();
    const [one, two] = logins as [(typeof logins)[0], (typeof logins)[0]];
    const strangers = [
      {},
      { username: one.username },
      { username: one.username, password: two.password },
      { username: `${one.username}~2`, password: one.password },
      { username: 'agent/berlin/#', password: one.password },
      { username: 'agent/berlin/+', password: one.password },
      { username: '', password: one.password },
    ];
    for (const stranger of strangers)
      await expect(login(broker, stranger as typeof one)).rejects.toMatchObject({ code: NOT_AUTHORISED });
  });
});

/** Resolves when what was published before has reached `client`: on its connection, messages come in order. */
async function marked(
  observer: Awaited<ReturnType<typeof login>>['client'],
  client = observer,
  topic = 'elsewhere',
): Promise<void> {
  const word = `mark ${Math.random()}`;
  const here = new Promise<void>((resolve) => {
    client.on('message', (_topic, payload) => {
      if (payload.toString() === word) resolve();
    });
  });
  await observer.publishAsync(topic, word, { qos: 1 });
  await here;
}
