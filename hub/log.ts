/** What the hub says for its operator; the names are in agent/log-events.ts, where those of the agent are. */
export type HubLogEvent =
  | 'hub.started'
  | 'hub.stopped'
  | 'hub.connected'
  | 'hub.listening'
  | 'hub.disconnected'
  | 'hub.subscriptionRefused'
  | 'hub.refused'
  | 'hub.ackFailed'
  | 'hub.unread'
  | 'hub.alert'
  | 'hub.alertWaits'
  | 'hub.storeFull'
  | 'hub.storeRecovered'
  | 'hub.retention'
  | 'hub.influxRetry'
  | 'hub.influxRecovered'
  | 'hub.influxRefused'
  | 'hub.influxMissed';

export type HubLog = (
  level: 'debug' | 'info' | 'warning' | 'error',
  event: HubLogEvent,
  fields?: Readonly<Record<string, unknown>>,
) => void;
