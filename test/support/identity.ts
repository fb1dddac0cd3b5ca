import type { Identity } from '../../agent/identity.ts';

/** A host that is who it was. */
export const SAME_IDENTITY: Identity = {
  record: { hostId: 'host', site: 'default', hardware: [] },
  from: 'machine-id',
  change: null,
  before: null,
};
