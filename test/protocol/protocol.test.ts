import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toCloudEvent } from '../../core/protocol/cloudevents.ts';
import { parseInbound } from '../../core/protocol/inbound.ts';
import { PUBLISHED_SCHEMAS } from '../../core/protocol/schemas.ts';
import { statusDocument } from '../../core/protocol/status.ts';
import { agentTopics, parseInboundTopic, topicLevelFault } from '../../core/protocol/topics.ts';
import { validator } from '../support/schemas.ts';
import { IDENTITY, storedEvent } from '../support/sinks.ts';

describe('schemas', () => {
  test.each(PUBLISHED_SCHEMAS.map(({ name, schema }) => [name, schema] as const))(
    'docs/schemas/%s is current',
    (name, schema) => {
      const path = new URL(`../../docs/schemas/${name}.schema.json`, import.meta.url);
      const text = `${JSON.stringify(schema, null, 2)}\n`;
      if (process.env['UPDATE_SCHEMAS'] === '1') {
        mkdirSync(new URL('.', path), { recursive: true });
        writeFileSync(path, text);
      }
      expect(existsSync(path) && readFileSync(path, 'utf8')).toBe(text);
      expect(new Ajv2020({ strict: false }).validateSchema(schema)).toBe(true);
    },
  );

  test('status documents are valid, a will without its time', () => {
    expect(validator('status')(statusDocument(IDENTITY, true, 0))).toEqual([]);
    expect(validator('status')(statusDocument(IDENTITY, false, null))).toEqual([]);
    expect(validator('status')({ online: true })).not.toEqual([]);
  });
});

describe('topics', () => {
  test('are those of the protocol', () => {
    const topics = agentTopics('lab', 'h1');
    expect(topics.alert('critical')).toBe('edgewood/1/lab/a/h1/alert/critical');
    expect(topics.reply('c1')).toBe('edgewood/1/lab/a/h1/reply/c1');
    expect(topics.subscriptions).toEqual(['edgewood/1/lab/a/h1/cmd/+', 'edgewood/1/lab/a/h1/ack']);
  });

  test('inbound topics of others are none of ours', () => {
    expect(parseInboundTopic('edgewood/1/lab/a/h1/cmd/snooze', 'lab', 'h1')).toEqual({
      kind: 'command',
      name: 'snooze',
    });
    expect(parseInboundTopic('edgewood/1/lab/a/h1/ack', 'lab', 'h1')).toEqual({ kind: 'ack' });
    for (const topic of [
      'edgewood/1/lab/a/h2/ack',
      'edgewood/1/lab/a/h1/cmd/a/b',
      'edgewood/1/lab/a/h1/cmd/',
      '',
    ]) {
      expect(parseInboundTopic(topic, 'lab', 'h1')).toBeNull();
    }
  });

  test('levels', () => {
    expect(topicLevelFault('rack-7')).toBeNull();
    for (const bad of ['', 'a/b', '+', '#', 'x'.repeat(65), 'a\u0000b'])
      expect(topicLevelFault(bad)).not.toBeNull();
  });
});

test('whatever comes in, parsing never throws', () => {
  const topic = fc.oneof(
    fc.constant('edgewood/1/lab/a/host-1/ack'),
    fc.constant('edgewood/1/lab/a/host-1/cmd/x'),
    fc.string(),
  );
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.json().map((text) => new TextEncoder().encode(text)),
  );
  fc.assert(
    fc.property(topic, payload, fc.boolean(), (where, bytes, retained) => {
      const inbound = parseInbound(where, bytes, retained, IDENTITY);
      expect(['accepted', 'rejected']).toContain(inbound.outcome);
    }),
  );
  expect(parseInbound('edgewood/1/lab/a/host-1/ack', new Uint8Array(65_537), false, IDENTITY)).toMatchObject({
    reason: 'tooLarge',
  });
  expect(parseInbound('edgewood/1/lab/a/host-1/ack', new Uint8Array(3), true, IDENTITY)).toMatchObject({
    reason: 'retained',
  });
});

test('a redelivery differs in nothing but publishedAt and replayed', () => {
  const event = storedEvent(3, 'info');
  const publishing = { site: 'lab', hostId: 'host-1', nowMs: event.timeMs + 10, again: false };
  const first = toCloudEvent(event, publishing);
  const second = toCloudEvent(event, { ...publishing, nowMs: event.timeMs + 500, again: true });
  expect(first.data['replayed']).toBe(false);
  expect(second.data['replayed']).toBe(true);
  const { publishedAt: _a, replayed: _b, ...one } = first.data;
  const { publishedAt: _c, replayed: _d, ...two } = second.data;
  expect(two).toEqual(one);
  expect({ ...second, data: null }).toEqual({ ...first, data: null });
});
