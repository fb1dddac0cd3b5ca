import type { Settlement } from '../sink.ts';
import type { Verdict } from './verdict.ts';

/**
 * Sends a batch, and settles each of its items. Where a batch is refused for what is in it, its halves are sent, down
 * to the single item: one that is poison is found in about 2 log2(n) requests, and costs no good one.
 * What comes after a `retry` is not sent: it waits with it.
 */
export async function sendSplitting<T>(
  items: readonly T[],
  send: (items: readonly T[]) => Promise<Verdict>,
): Promise<Settlement[]> {
  const settlements: Settlement[] = [];
  const left: (readonly T[])[] = items.length === 0 ? [] : [items];
  for (let part = left.pop(); part !== undefined; part = left.pop()) {
    const verdict = await send(part);
    if (verdict.kind === 'delivered')
      settlements.push(...part.map((): Settlement => ({ outcome: 'delivered' })));
    else if (verdict.kind === 'retry') {
      const { reason, afterMs } = verdict;
      const retry: Settlement = { outcome: 'retry', reason, ...(afterMs !== undefined && { afterMs }) };
      while (settlements.length < items.length) settlements.push(retry);
      return settlements;
    } else if (part.length === 1) settlements.push({ outcome: 'poison', reason: verdict.reason });
    else {
      const middle = Math.ceil(part.length / 2);
      left.push(part.slice(middle), part.slice(0, middle));
    }
  }
  return settlements;
}
