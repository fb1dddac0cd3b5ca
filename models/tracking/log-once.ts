import type { Batch, MlflowClient } from './client.ts';

/**
 * What of a batch is not there yet. Params and tags may be logged twice. A metric that is logged twice stands there
 * twice on some servers, so whatever may be there already is asked for.
 */
export async function missingOf(client: MlflowClient, runId: string, batch: Batch): Promise<Batch> {
  const there = new Map<string, ReadonlySet<string>>();
  for (const key of new Set(batch.metrics.map((metric) => metric.key))) {
    there.set(key, await client.metricsThere(runId, key));
  }
  return {
    ...batch,
    metrics: batch.metrics.filter(
      ({ key, step, timestamp }) => there.get(key)?.has(`${step} ${timestamp}`) !== true,
    ),
  };
}

export const isEmpty = ({ metrics, params, tags }: Batch): boolean =>
  metrics.length + params.length + tags.length === 0;
