import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseMessage } from '../../hub/inbound.ts';
import { documentMessage, eventMessage, telemetry } from './messages.ts';

const refusal = (message: Parameters<typeof parseMessage>[0]) => {
  const from = parseMessage(message);
  return from !== null && 'refusal' in from ? from.refusal : null;
};
const changed = (change: (event: Record<string, unknown>) => void) => {
  const message = eventMessage('h1', 'e1', 3);
  const event = JSON.parse(new TextDecoder().decode(message.payload)) as Record<string, unknown>;
  change(event);
  return { ...message, payload: new TextEncoder().encode(JSON.stringify(event)) };
};

describe('what agents send', () => {
  test('is taken where it is whole, and of the host that its topic names', () => {
    expect(parseMessage(eventMessage('h1', 'e1', 3, { severity: 'critical' }))).toMatchObject({
      site: 'lab',
      hostId: 'h1',
      observation: { kind: 'event', epoch: 'e1', n: 3, severity: 'critical', host: { name: 'name of h1' } },
    });
    expect(refusal({ ...eventMessage('h1', 'e1', 3), topic: 'edgewood/1/lab/a/h2/event' })).toBe('otherHost');
    expect(refusal({ ...telemetry('h1'), topic: 'edgewood/1/lab/a/h2/telemetry' })).toBe('otherHost');
    expect(
      refusal(
        changed((event) => {
          event['data'] = { host: { id: 'h2', name: 'x', labels: {} } };
        }),
      ),
    ).toBe('otherHost');
    expect(refusal({ ...eventMessage('h1', 'e1', 3), topic: 'edgewood/1/lab/h1' })).toBe('unknownTopic');
    expect(
      parseMessage({ topic: 'edgewood/1/lab/a/h1/status', payload: new Uint8Array(), retained: true }),
    ).toBeNull();
  });

  test.each<[string, object]>([
    ['another id', { id: 'e1-4' }],
    ['a number as a number', { sequence: 3 }],
    ['number zero', { sequence: '0', id: 'e1-0' }],
    ['a number beyond doubles', { sequence: '9999999999999999', id: 'e1-9999999999999999' }],
    ['no type of ours', { type: 'com.example' }],
    ['no data', { data: null }],
    ['no time', { time: 'soon' }],
    ['an endless epoch', { sequenceepoch: 'x'.repeat(65), id: `${'x'.repeat(65)}-3` }],
  ])('an event with %s is refused', (_, change) => {
    expect(refusal(changed((event) => Object.assign(event, change)))).toBe('badDocument');
  });

  test('sizes are looked at before anything is parsed', () => {
    expect(refusal(eventMessage('h1', 'e1', 3, { data: { note: 'x'.repeat(65_536) } }))).toBe('tooLarge');
    expect(refusal(documentMessage('h1', 'status', { note: 'x'.repeat(5000) }))).toBe('tooLarge');
    const labels = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`l${i}`, 'v']));
    const from = parseMessage(eventMessage('h1', 'e1', 3, { labels }));
    expect(from).toMatchObject({ observation: { host: { labels: { l0: 'v' } } } });
    const { observation } = from as { observation: { host: { labels: object } } };
    expect(Object.keys(observation.host.labels)).toHaveLength(32);
  });

  test('whatever comes, nothing is thrown', () => {
    const topic = fc.oneof(
      fc.constantFrom(
        ...['event', 'alert/info', 'status', 'telemetry', 'reported', 'reply/x'].map(
          (kind) => `edgewood/1/lab/a/h1/${kind}`,
        ),
      ),
      fc.string(),
    );
    const payload = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((text) => new TextEncoder().encode(text)),
      fc.constant(new TextEncoder().encode('['.repeat(60_000))),
    );
    fc.assert(
      fc.property(topic, payload, fc.boolean(), (where, bytes, retained) => {
        parseMessage({ topic: where, payload: bytes, retained });
      }),
    );
  });
});
