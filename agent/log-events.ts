/** Every event name that a log line can carry, and what it tells; docs/EVENTS.md is made from this table. */
export const LOG_EVENTS = {
  'agent.started': 'The agent watches. Fields: version, host, source, interval, state directory, sinks.',
  'agent.stopped': 'It has ended as told, everything stored. Fields: samples.',
  'api.failed': 'The local socket broke; `edgewood status` and `alerts` get no answer until a restart.',
  'api.unavailable': 'The local socket could not be made; the agent watches without it.',
  'central.command': 'A signed command from an operator is carried out. Fields: name, id.',
  'central.fault': 'What comes from the centre could not be kept or read; it is tried again.',
  'central.listening': 'Models from the centre are taken. Fields: fleet, model, version of the root.',
  'central.refused':
    'A document, chunk or command was not believed; nothing changed. Fields: reason, count, why.',
  'central.root': 'Another root is trusted from now on. Fields: its version, and the one before.',
  'central.rollout': 'A rollout was accepted. Fields: model, version, state, mode.',
  'central.state': 'How far this host has come with a release. Fields: state, release, why.',
  'central.unavailable':
    'Models from the centre are not taken: the root is missing, or another than the configuration says.',
  'config.rejected': 'SIGHUP: the new configuration has a fault, which is named; the one before stays.',
  'config.reloaded': 'SIGHUP: taken over. Fields: what changed, and what waits for a restart.',
  'delivery.failed': 'A bug of ours in delivery; it is tried again.',
  'delivery.poison': 'The far side will never take this event: set aside, counted, visible in `status`.',
  'delivery.recovered': 'The sink takes events again.',
  'delivery.retry': 'The sink did not take events; told once for each reason, tried again with backoff.',
  'delivery.unfinished': 'Stopped with events yet to deliver; they wait in the outbox for the next start.',
  'drift.concept':
    'The model no longer fits, by operators’ verdicts or its alarms, though no metric has drifted.',
  'drift.ended': 'Drift is over: the last window is like the training again.',
  'drift.failed': 'A bug of ours: the windows of drift could not be filled from the stored samples.',
  'drift.heldBack': 'A new model would be asked for again, but was within the last day.',
  'drift.retrain': 'Drift has lasted for three windows side by side: a new model is asked for.',
  'drift.sensor': 'A sensor stands still or is missing as never in training, or the clock went backwards.',
  'drift.warning': 'This host is no longer as in training. Fields: severity, kinds, the sentence.',
  'http.insecure': 'A token or password goes over plain http.',
  'http.listening': 'The address of /metrics, /healthz and /readyz.',
  'http.unavailable': 'That address can not be listened on; the agent watches without it.',
  'hub.started': 'The hub gathers. Fields: version, sites, shard, hosts known, state directory.',
  'hub.stopped': 'It has ended as told; what it had is stored and acknowledged. Fields: what it counted.',
  'hub.connected': 'The hub is connected to the broker. Fields: target, version of MQTT.',
  'hub.listening': 'The broker lets the hub hear its agents, from now on. Fields: sites.',
  'hub.disconnected': 'The hub has lost the broker, or does not reach it; tried again with backoff.',
  'hub.subscriptionRefused': 'The broker does not let the hub hear its agents: its access rules.',
  'hub.refused':
    'A message was not what it should be: counted by host and reason; told at each power of two.',
  'hub.ackFailed': 'An acknowledgement could not be sent; the agent sends again, and is answered then.',
  'hub.unread': 'Retained documents could not be read; tried again at the next connection.',
  'hub.alert':
    'The hub alerts: a silent host, or many hosts with one cause. Fields: type, state, the sentence.',
  'hub.alertWaits': 'An alert of the hub waits in its store for the broker.',
  'hub.storeFull': 'The disk of the hub is full: nothing is acknowledged, agents keep what they have.',
  'hub.storeRecovered': 'There is room again.',
  'hub.retention': 'Old rows were removed. Fields: how many.',
  'hub.influxRetry':
    'InfluxDB did not take rows; told once for each reason, tried again. They wait in the store.',
  'hub.influxRecovered': 'InfluxDB takes rows again.',
  'hub.influxRefused':
    'InfluxDB will never take some rows: counted, left out there. Fields: how many, by feed.',
  'hub.influxMissed': 'Retention removed what InfluxDB had not taken yet. Fields: how many rows, by feed.',
  'incident.invalidated': 'An incident whose course was not seen to its end.',
  'incident.opened': 'The host behaves unlike before. Fields: id, severity, trigger, the sentence.',
  'incident.resolved': 'An incident is over.',
  'incident.updated': 'A standing incident has changed, or is told of again.',
  'log.level': 'Another level, from now on.',
  'log.suppressed': 'So many lines of one kind were left out, because they came too often.',
  'maintenance.began':
    'No alerts from here on: a maintenance window, or a snooze. Fields: kind, name, until.',
  'maintenance.ended': 'Alerts again.',
  'memory.notTrimmed': 'Memory could not be given back; harmless.',
  'memory.trimmed': 'Memory was given back to the system.',
  'mlflow.failed': 'A bug of ours, or a file of credentials that can not be read; it is tried again.',
  'mlflow.insecure': 'A token or password of mlflow goes over plain http.',
  'mlflow.recovered': 'The MLflow server takes the figures of this host again.',
  'mlflow.retry':
    'The MLflow server did not take the figures of an hour; told once for each reason, tried again with backoff. They are summed up anew from the stored samples.',
  'mlflow.run': 'The run of this host at the MLflow server: found again, or begun. Fields: experiment, run.',
  'model.activated': 'A model was fitted and watches from now on. Fields: version, digest, rows, time span.',
  'model.cold':
    'The stored samples could not be shown to a model that took over; it goes on as after a gap, and warms up by itself.',
  'model.fitFailed': 'A fit went wrong; the model before stays.',
  'model.loaded': 'The model from before the restart watches on.',
  'model.notEnoughHistory':
    'Too few rows to learn from (missing values and excluded times do not count); tried again in a minute.',
  'model.unusable': 'A model file is damaged; another slot, or a new fit, takes its place.',
  'mqtt.birthRefused': 'The broker does not let this agent publish its state.',
  'mqtt.connected': 'Connected to the broker.',
  'mqtt.credentialsChanged':
    'Files of credentials have been replaced: the agent connects anew with them, in order.',
  'mqtt.credentialsUnusable':
    'Files of credentials were replaced by something that can not be used; the connection stays as it is.',
  'mqtt.disconnected': 'The connection is gone; tried again with backoff.',
  'mqtt.inboundRejected': 'A message from the broker was not what it should be; it was ignored.',
  'mqtt.insecure': 'A password goes over an unencrypted connection.',
  'mqtt.notListening':
    'Packets that were too large came again and again: events go out, and nothing is listened to for five minutes.',
  'mqtt.packetRefused': 'A packet from the broker was larger than is accepted; the connection was closed.',
  'mqtt.publishRefused': 'The broker does not let this agent publish what it reports, or answers.',
  'mqtt.subscriptionRefused': 'The broker does not let this agent subscribe to its commands.',
  'mqtt.version': 'The broker does not speak MQTT 5; 3.1.1 from now on.',
  'processes.unavailable': 'The heaviest processes could not be read; the alert goes without them.',
  'retraining.activated': 'A new model watches. Fields: reason, the sentence.',
  'retraining.asked':
    'The centre is asked for a new model (retraining.mode: central, or the model is its own).',
  'retraining.begun': 'A new model is being fitted. Fields: reason, the sentence.',
  'retraining.failed': 'No new model could be fitted; the one before stays.',
  'retraining.heldBack': 'A new model was fitted and would have been worse; the one before stays.',
  'retraining.rolledBack':
    'The model before watches again: as asked, or because the new one alarmed too often.',
  'retraining.told': 'A new model is needed, and none is fitted: retraining is off.',
  'sampler.failed': 'The source of samples has failed for good; the agent ends.',
  'series.failed': 'A bug of ours in the delivery of samples; it is tried again.',
  'series.recovered': 'The sink takes samples again.',
  'series.refused': 'The far side will never take these samples: counted, left out.',
  'series.retry': 'The sink did not take samples; tried again with backoff.',
  'service.notTold': 'systemd asked to be told how it goes (NOTIFY_SOCKET), and could not be.',
  'state.unusable': 'What was remembered of the time before the restart can not be read; it begins anew.',
  'store.failed': 'The database is damaged; it is set aside and a new one begun.',
  'store.finding': 'What was found, and done, when the database was opened.',
  'store.full': 'The disk is full: samples are scored but not kept, events wait in memory.',
  'store.recovered': 'There is room again.',
  'store.retention': 'Old samples and events were removed.',
  'store.schemaChanged': 'The database holds samples with other metrics.',
  'verdict.given':
    'Somebody has said what an alert was worth (id, verdict), or what was missed (from, to, verdict: missed or retracted).',
} as const;

export type LogEvent = keyof typeof LOG_EVENTS;

/** docs/EVENTS.md */
export function logEventsReference(): string {
  return [
    '# Log events',
    '',
    'Made from `agent/log-events.ts` by `UPDATE_DOCS=1 npm test -- test/agent/reference.test.ts`. ' +
      'What goes over MQTT and the other sinks is in [PROTOCOL.md](PROTOCOL.md).',
    '',
    'A line of the log is a JSON object: `at` (ISO 8601), `level` (debug, info, warning, error), `event`, and fields of ' +
      'its own. On a terminal it is laid out for people. More than 20 lines of one event (of one sink) in a minute are ' +
      'counted and told of by `log.suppressed`.',
    '',
    '| event | what it tells |',
    '|---|---|',
    ...Object.entries(LOG_EVENTS).map(([event, text]) => `| \`${event}\` | ${text} |`),
    '',
  ].join('\n');
}
