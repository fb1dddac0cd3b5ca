import type { Key } from './key.ts';
import { boolean, oneOf, text, topicLevel } from './parsers.ts';

/** Settings of a sink; which of them a type takes is in config.ts. */
export const SINK_KEYS: readonly Key[] = [
  {
    path: 'sinks[].type',
    expected: 'mqtt, influx, webhook or stdout',
    parse: oneOf('mqtt', 'influx', 'webhook', 'stdout'),
    doc: 'Kind of sink.',
  },
  {
    path: 'sinks[].name',
    expected: '1 to 64 characters without / + #',
    parse: topicLevel,
    doc: 'Name of the sink; by default its type.',
  },
  {
    path: 'sinks[].url',
    expected: 'mqtt://HOST[:PORT], mqtts://HOST[:PORT], http://… or https://…',
    parse: (raw) => (typeof raw === 'string' && /^(mqtt|http)s?:\/\/[^\s]+$/.test(raw) ? raw : undefined),
    doc: 'Broker, InfluxDB server, or where a webhook posts to.',
  },
  {
    path: 'sinks[].org',
    expected: 'a text',
    parse: text,
    doc: 'InfluxDB: organisation; in the url it is ?org=….',
  },
  {
    path: 'sinks[].bucket',
    expected: 'a text',
    parse: text,
    doc: 'InfluxDB: bucket; by default edgewood; in the url it is ?bucket=….',
  },
  {
    path: 'sinks[].tokenFile',
    expected: 'a path',
    parse: text,
    doc: 'InfluxDB, webhook: file that holds the token.',
  },
  {
    path: 'sinks[].format',
    expected: 'cloudevents or alertmanager',
    parse: oneOf('cloudevents', 'alertmanager'),
    doc: 'Webhook: a CloudEvent a request (default), or the API of the Prometheus Alertmanager.',
  },
  {
    path: 'sinks[].minimumSeverity',
    expected: 'info, warning or critical',
    parse: oneOf('info', 'warning', 'critical'),
    doc: 'Webhook: alerts below are left out; by default info.',
  },
  {
    path: 'sinks[].acknowledge',
    expected: 'broker or hub',
    parse: oneOf('broker', 'hub'),
    doc: 'MQTT: an event is delivered when the broker has it (default), or when the hub says so.',
  },
  { path: 'sinks[].usernameFile', expected: 'a path', parse: text, doc: 'File that holds the user name.' },
  { path: 'sinks[].username', expected: 'a text', parse: text, doc: 'User name.' },
  { path: 'sinks[].passwordFile', expected: 'a path', parse: text, doc: 'File that holds the password.' },
  { path: 'sinks[].caFile', expected: 'a path', parse: text, doc: 'Certificate authority (PEM).' },
  { path: 'sinks[].certFile', expected: 'a path', parse: text, doc: 'Client certificate (PEM).' },
  { path: 'sinks[].keyFile', expected: 'a path', parse: text, doc: 'Client key (PEM).' },
  {
    path: 'sinks[].protocolVersion',
    expected: '4 or 5',
    parse: (raw) => (raw === 4 || raw === 5 ? raw : undefined),
    doc: 'MQTT version; by default 5, then 4 where that is refused.',
  },
  {
    path: 'sinks[].insecure',
    expected: 'true or false',
    parse: boolean,
    doc: 'Do not check the certificate of the server. Never in production.',
  },
];
