import { MemoryStore } from '../../agent/store/memory-store.ts';
import { storeConformance } from '../conformance/store.ts';
import { counterHex, open, temporaryDirectory } from './helpers.ts';

storeConformance('sqlite', (limits) => open(temporaryDirectory(), { limits }));
storeConformance(
  'memory',
  (limits) => new MemoryStore({ nowMs: () => 1_000, randomHex: counterHex(), limits }),
);
