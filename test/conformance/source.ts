import { describe, expect, it } from 'vitest';
import type { Source } from '../../collector/source.ts';

export interface SourceCase {
  readonly name: string;
  /** A fresh source, not opened; it must be readable at least three times. */
  create(): Source | Promise<Source>;
  /** Awaited between two reads: real hosts need time for their counters to move. */
  between?(): Promise<void>;
  /** Metrics that are rates: NaN on the first read, and a number on the second where they're named here. */
  readonly rates: readonly string[];
  /** Metrics that are numbers at the first read. */
  readonly levels: readonly string[];
}

/** What every Source owes to those who call it. */
export function sourceConformance({ name, create, between, rates, levels }: SourceCase): void {
  describe(`Source: ${name}`, () => {
    const opened = async (): Promise<Source> => {
      const source = await create();
      await source.open();
      return source;
    };

    it('has a schema with unique names after open, and samples of its length', async () => {
      const source = await opened();
      const names = source.schema.map((metric) => metric.name);
      expect(new Set(names).size).toBe(names.length);
      expect(names.length).toBeGreaterThan(0);
      let lastMs = Number.NEGATIVE_INFINITY;
      for (let i = 0; i < 3; i++) {
        const sample = await source.read();
        expect(sample?.values).toHaveLength(names.length);
        expect(sample?.timeMs).toBeGreaterThanOrEqual(lastMs);
        lastMs = sample?.timeMs ?? Number.NaN;
        await between?.();
      }
      await source.close();
    });

    it('gives rates from the second read on, levels from the first, percentages within 0 to 100', async () => {
      const source = await opened();
      const position = (metric: string) => source.schema.findIndex((one) => one.name === metric);
      const first = (await source.read())!.values;
      await between?.();
      const second = (await source.read())!.values;
      for (const rate of rates) {
        expect(first[position(rate)], rate).toBeNaN();
        expect(second[position(rate)], rate).not.toBeNaN();
      }
      for (const level of levels) expect(first[position(level)], level).not.toBeNaN();
      source.schema.forEach((metric, index) => {
        const value = second[index]!;
        if (Number.isNaN(value)) return;
        expect(Number.isFinite(value), metric.name).toBe(true);
        if (metric.unit === 'percent') {
          expect(value, metric.name).toBeGreaterThanOrEqual(0);
          expect(value, metric.name).toBeLessThanOrEqual(100);
        }
      });
      await source.close();
    });

    it('hands out values of its own: a later read leaves them alone', async () => {
      const source = await opened();
      const first = (await source.read())!;
      const copy = first.values.slice();
      await between?.();
      await source.read();
      expect(first.values).toEqual(copy);
      await source.close();
    });

    it('closes more than once, opened or not, and says what it is', async () => {
      const never = await create();
      await never.close();
      await never.close();
      const source = await opened();
      await source.read();
      expect(source.describe().length).toBeGreaterThan(10);
      for (const count of Object.values(source.faults())) expect(count).toBeGreaterThan(0);
      await source.close();
      await source.close();
    });
  });
}
