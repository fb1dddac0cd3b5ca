/** The retained `status` document: birth, goodbye, and last will of an agent. */
export interface StatusDocument {
  readonly schemaVersion: 1;
  readonly online: boolean;
  readonly hostId: string;
  /** A will is ignored unless its bootId is that of the latest birth. */
  readonly bootId: string;
  readonly agentVersion: string;
  readonly schemaHash: string;
  /** Not in a will: it was written before. */
  readonly at?: string;
}

export interface AgentIdentity {
  readonly site: string;
  readonly hostId: string;
  readonly bootId: string;
  readonly version: string;
  readonly schemaHash: string;
}

export function statusDocument(
  identity: AgentIdentity,
  online: boolean,
  nowMs: number | null,
): StatusDocument {
  return {
    schemaVersion: 1,
    online,
    hostId: identity.hostId,
    bootId: identity.bootId,
    agentVersion: identity.version,
    schemaHash: identity.schemaHash,
    ...(nowMs !== null && { at: new Date(nowMs).toISOString() }),
  };
}
